import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Facts, noFacts, opaqueFacts } from '#core/facts.ts';
import { asEpochMs } from '#core/ids.ts';
import type { MaskSet } from '#core/masking.ts';
import type { HistoryStore, Place, PlaceHistory } from '#core/ports/history.ts';
import { type ManualClock, manualClock } from '../../test/support/clock.ts';
import { masksOn, noMasks } from '../../test/support/relay.ts';
import { Pasts, type SessionPast } from './past.ts';

const place: Place = { identity: 'ci/1', target: 'orders' };
const other: Place = { identity: 'ci/1', target: 'billing' };
const reading = (table: string, fingerprint = `read ${table}`): Facts => ({
  ...noFacts,
  effects: ['read'],
  objects: [{ kind: 'table', name: table, access: 'read' }],
  functions: ['pg_catalog.lower'],
  fingerprint,
});
const masks = masksOn({ 'public.people.ssn': { kind: 'redact' } });
const asking: Facts = {
  ...reading('people'),
  columns: [
    { name: 'public.people.ssn', use: 'filter', masked: true },
    { name: 'public.people.ssn', use: 'order', masked: true },
    { name: 'public.people.id', use: 'filter', masked: false },
  ],
};

/** Keeps what it is given, in the form in which it comes. */
class MemoryHistory implements HistoryStore {
  readonly saved: PlaceHistory[] = [];
  loads = 0;
  broken = false;

  load(asked: Place): Promise<PlaceHistory> {
    this.loads += 1;
    if (this.broken) return Promise.reject(new Error('the disk is gone'));
    const own = this.saved.filter(
      ({ identity, target }) => identity === asked.identity && target === asked.target,
    );
    const deeds = own.flatMap((each) => each.deeds);
    return Promise.resolve({
      ...asked,
      deeds,
      disclosures: own.flatMap((each) => each.disclosures),
    });
  }

  save(more: readonly PlaceHistory[]): Promise<void> {
    if (this.broken) return Promise.reject(new Error('the disk is gone'));
    this.saved.push(...more);
    return Promise.resolve();
  }

  purge(): Promise<void> {
    return Promise.resolve();
  }
}

interface World {
  readonly clock: ManualClock;
  readonly store: MemoryHistory;
  readonly pasts: Pasts;
  readonly warnings: string[];
  open(where?: Place, inForce?: MaskSet): Promise<SessionPast>;
}

function world(limits: { historyDeedsMax?: number; historyTotalMax?: number } = {}): World {
  const clock = manualClock();
  const store = new MemoryHistory();
  const warnings: string[] = [];
  const pasts = new Pasts({
    store,
    clock,
    limits: { historyDeedsMax: 100, historyTotalMax: 1_000, ...limits },
    warn: (message) => warnings.push(message),
  });
  const open: World['open'] = (where = place, inForce = masks) => pasts.open(where, () => inForce);
  return { clock, store, pasts, warnings, open };
}

/** What of a command is new. */
const novel = (past: SessionPast, facts: Facts): string =>
  past
    .of(facts)
    .novel.map(({ kind, name, access }) => `${kind} ${access} ${name}`.trim())
    .join(', ');

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('what an identity did before', () => {
  it('is new until it went on, then known to all its sessions at that target', async () => {
    const w = world();
    const [past, beside, elsewhere] = [await w.open(), await w.open(), await w.open(other)];
    const facts = reading('a');
    assert.equal(
      novel(past, facts),
      'fingerprint  read a, table read a, function execute pg_catalog.lower',
    );
    past.told(facts);
    assert.notEqual(novel(past, facts), '', 'to be allowed is not to be done');
    past.did(facts);
    const since = w.clock.now();
    w.clock.advance(10);
    for (const each of [past, beside]) {
      assert.equal(novel(each, facts), '');
      assert.equal(each.of(facts).since, since);
      assert.equal(each.of(facts), each.of(facts), 'one object while it says the same');
    }
    assert.equal(novel(past, reading('b')), 'fingerprint  read b, table read b');
    assert.equal(past.of(reading('b')).since, undefined);
    assert.equal(novel(elsewhere, facts).length > 0, true);
  });

  it('is the latest first time of its parts', async () => {
    const w = world();
    const past = await w.open();
    past.did(reading('a', 'x'));
    w.clock.advance(1_000);
    past.did(reading('b', 'y'));
    const both = {
      ...reading('a', 'x'),
      objects: [...reading('a').objects, ...reading('b').objects],
    };
    assert.equal(past.of(both).since, w.clock.now());
    assert.equal(past.of(noFacts).since, 0, 'nothing is never new');
    assert.equal(novel(past, noFacts), '');
  });

  it('is never known of what is not seen through', async () => {
    const w = world();
    const past = await w.open();
    const code: Facts = { ...reading('a'), effects: ['execute-code'] };
    const partial: Facts = { ...reading('a'), analysis: 'partial' };
    const long = reading('n'.repeat(2_000), 'f');
    for (const facts of [code, partial, opaqueFacts('a test'), long]) {
      past.did(facts);
      assert.notEqual(novel(past, facts), '');
    }
    past.did(reading('a'));
    assert.equal(novel(past, reading('a')), '');
    assert.equal(novel(past, partial), 'fingerprint');
  });

  it('outlives the session and the process', async () => {
    const w = world();
    const past = await w.open();
    past.did(reading('a'));
    past.told(asking);
    past.close();
    await w.pasts.close();
    const again = new Pasts({
      store: w.store,
      clock: w.clock,
      limits: { historyDeedsMax: 100, historyTotalMax: 1_000 },
      warn: () => undefined,
    });
    const later = await again.open(place, () => masks);
    assert.equal(novel(later, reading('a')), '');
    assert.equal(later.of(asking).told(asEpochMs(0)), 1);
  });

  it('is written behind, and once more after the store failed', async () => {
    const w = world();
    const past = await w.open();
    past.did(reading('a'));
    assert.equal(w.store.saved.length, 0);
    w.store.broken = true;
    w.clock.advance(1_000);
    await turn();
    assert.equal(w.warnings.length, 1);
    assert.equal(novel(past, reading('a')), '', 'in memory it is known');
    w.store.broken = false;
    w.clock.advance(1_000);
    await turn();
    assert.equal(w.store.saved.flatMap(({ deeds }) => deeds).length, 3);
    w.clock.advance(10_000);
    await turn();
    assert.equal(w.store.saved.length, 1, 'and written once');
  });

  it('cannot be told when the store does not answer: new, and every budget used up', async () => {
    const w = world();
    w.store.broken = true;
    const past = await w.open();
    past.did(reading('a'));
    assert.notEqual(novel(past, reading('a')), '');
    assert.equal(past.of(asking).told(w.clock.now()), Number.POSITIVE_INFINITY);
    assert.equal(past.of(reading('a')).told(w.clock.now()), undefined);
    w.store.broken = false;
    const next = await w.open();
    next.did(reading('a'));
    assert.equal(novel(past, reading('a')), '', 'the next session looks it up again');
    assert.equal(past.of(asking).told(w.clock.now()), 0);
  });

  it('is looked up once for sessions that begin together', async () => {
    const w = world();
    await Promise.all([w.open(), w.open(), w.open()]);
    assert.equal(w.store.loads, 1);
  });

  it('is bounded for one place: the oldest is new again', async () => {
    const w = world({ historyDeedsMax: 4 });
    const past = await w.open();
    past.did(reading('a'));
    assert.equal(novel(past, reading('a')), '');
    past.did(reading('b'));
    assert.equal(novel(past, reading('a')), 'fingerprint  read a');
    assert.equal(novel(past, reading('b')), '');
  });

  it('is bounded for all: places without a session go first, and then nothing is added', async () => {
    const w = world({ historyTotalMax: 6 });
    const first = await w.open();
    first.did(reading('a'));
    first.close();
    w.clock.advance(1_000);
    await turn();
    const second = await w.open(other);
    second.did(reading('b'));
    second.did(reading('c'));
    second.did(reading('d'));
    assert.equal(novel(second, reading('c')), '');
    const again = await w.open();
    assert.equal(w.store.loads, 3, 'the first place was forgotten and read again');
    assert.equal(novel(again, reading('a')), '');
    again.did(reading('e'));
    assert.notEqual(novel(again, reading('e')), '', 'no room: it stays new');
  });
});

describe('questions about masked values', () => {
  it('count once a command and mask, over a window that slides', async () => {
    const w = world();
    const past = await w.open();
    const told = (ms: number): number | undefined =>
      past.of(asking).told(asEpochMs(w.clock.now() - ms));
    assert.equal(told(60_000), 0);
    past.told(asking);
    w.clock.advance(30_000);
    past.told(asking);
    assert.equal(told(60_000), 2);
    w.clock.advance(30_001);
    assert.equal(told(60_000), 1);
    assert.equal(told(90_000), 2);
    const returned: Facts = {
      ...asking,
      columns: [{ name: 'public.people.ssn', use: 'return', masked: true }],
    };
    assert.equal(past.of(returned).told(asEpochMs(0)), undefined);
  });

  it('count for all sessions of an identity, and again after it reconnects', async () => {
    const w = world();
    const past = await w.open();
    past.told(asking);
    past.close();
    const next = await w.open();
    next.told(asking);
    assert.equal(next.of(asking).told(asEpochMs(0)), 2);
    assert.equal((await w.open(other)).of(asking).told(asEpochMs(0)), 0);
  });

  it('count by mask, and by column where the mask has no name', async () => {
    const w = world();
    const past = await w.open(place, noMasks);
    past.told(asking);
    assert.equal(
      (await w.open()).of(asking).told(asEpochMs(0)),
      1,
      'its name is that of the column',
    );
    const two: Facts = {
      ...asking,
      columns: [...asking.columns, { name: 'public.people.card', use: 'filter', masked: true }],
    };
    past.told(two);
    assert.equal(past.of(two).told(asEpochMs(0)), 2, 'the mask that was asked about most');
  });

  it('are kept in bounded number', async () => {
    const w = world({ historyTotalMax: 10_000 });
    const past = await w.open();
    for (let count = 0; count < 1_500; count += 1) past.told(asking);
    assert.equal(past.of(asking).told(asEpochMs(0)), 1_000);
  });
});
