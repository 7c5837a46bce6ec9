import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, it } from 'node:test';
import { systemClock } from '#core/clock.ts';
import { GatewayError } from '#core/errors.ts';
import type { Identity } from '#core/identity.ts';
import { asEpochMs, asId } from '#core/ids.ts';
import type { CredentialRecord } from '#core/ports/credentials.ts';
import type { Lock } from '#core/ports/locks.ts';
import { InlineEngine } from './engine.ts';
import { checksumOf, type Migration, migrate, migrations } from './migrate.ts';
import { StoredHistory } from './history.ts';
import { openStore, readIdentities, type Store } from './store.ts';
import { Kysely } from 'kysely';
import { sqliteDialect } from './dialect.ts';
import type { Schema } from './schema.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-store-'));
after(() => rmSync(folder, { recursive: true }));
let files = 0;
const freshPath = (): string => join(folder, `${(files += 1)}`, 'state.db');
const at = asEpochMs(1_800_000_000_000);

const identity: Identity = {
  id: asId('ci/repo-1'),
  kind: 'workload',
  issuer: 'ci',
  subject: 'repo-1',
  displayName: 'nightly job',
  groups: ['ci'],
  roles: ['member'],
  owner: 'people/alice',
  onBehalfOf: undefined,
  claims: { ref: 'refs/heads/main' },
  expiresAt: asEpochMs(at + 60_000),
};

const record = (id: string, expiresAt: number = at + 60_000): CredentialRecord => ({
  id: asId(id),
  hash: 'ab'.repeat(32),
  identity,
  scope: { targets: ['orders'], accounts: [] },
  scram: { storedKey: 'c3RvcmVk', serverKey: 'c2VydmVy' },
  issuedAt: at,
  expiresAt: asEpochMs(expiresAt),
  revokedAt: undefined,
});

async function withStore(thread: 'own' | 'inline', run: (store: Store) => Promise<void>) {
  const store = await openStore({ path: freshPath(), clock: systemClock, thread });
  try {
    await run(store);
  } finally {
    await store.close();
  }
}

describe('the store', () => {
  for (const thread of ['own', 'inline'] as const) {
    it(`keeps, revokes and forgets credentials (thread: ${thread})`, async () => {
      await withStore(thread, async ({ credentials }) => {
        await credentials.add(record('a'));
        await credentials.add(record('b'));
        await credentials.add(record('old', at - 1));
        assert.deepEqual(await credentials.find(asId('a')), record('a'));
        assert.equal(await credentials.find(asId('nobody')), undefined);
        await assert.rejects(credentials.add(record('a')), { code: 'SP_STORE' });
        assert.equal(await credentials.revoke(asId('a'), at), true);
        assert.equal(await credentials.revoke(asId('a'), at), false);
        assert.equal((await credentials.find(asId('a')))?.revokedAt, at);
        assert.deepEqual(await credentials.revokeOf('ci/repo-1', at), ['b']);
        await credentials.purge(at);
        assert.equal(await credentials.find(asId('old')), undefined);
      });
    });
  }

  it('lets one of many spend a token', async () => {
    await withStore('own', async ({ spentTokens }) => {
      assert.equal(await spentTokens.isSpent('ci', 'j'), false);
      const tries = await Promise.all(
        Array.from({ length: 20 }, () => spentTokens.spend('ci', 'j', at)),
      );
      assert.equal(tries.filter((won) => won).length, 1);
      assert.equal(await spentTokens.isSpent('ci', 'j'), true);
      assert.equal(await spentTokens.spend('other', 'j', at), true);
      await spentTokens.purge(asEpochMs(at + 1));
      assert.equal(await spentTokens.isSpent('ci', 'j'), false);
    });
  });

  it('keeps locks, identities, marks and the index of recordings', async () => {
    await withStore('own', async (store) => {
      const lock: Lock = {
        id: asId('l1'),
        kind: 'owner',
        value: 'people/alice',
        reason: 'left',
        until: undefined,
        createdBy: 'people/bob',
        createdAt: at,
      };
      await store.locks.add(lock);
      assert.deepEqual(await store.locks.list(), [lock]);
      assert.equal(await store.locks.remove(lock.id), true);
      assert.equal(await store.locks.remove(lock.id), false);

      await store.identities.seen(identity, at);
      await store.identities.seen({ ...identity, displayName: 'new' }, asEpochMs(at + 5));
      const seen = await store.identities.find('ci/repo-1');
      assert.equal(seen?.firstSeenAt, at);
      assert.equal(seen?.lastSeenAt, at + 5);
      assert.equal(seen?.identity.displayName, 'new');
      assert.equal((await store.identities.list(10)).length, 1);

      assert.equal(await store.marks.set('bootstrap', at), true);
      assert.equal(await store.marks.set('bootstrap', at), false);

      const entry = {
        session: asId<Parameters<Store['recordings']['find']>[0]>('s1'),
        identity: 'ci/repo-1',
        owner: undefined,
        target: 'orders',
        account: 'app',
        protocol: 'postgres',
        state: 'open',
        startedAt: at,
        endedAt: undefined,
        commands: 0,
        bytes: 0,
      } as const;
      await store.recordings.put(entry);
      await store.recordings.put({ ...entry, state: 'sealed', endedAt: at, commands: 3, bytes: 9 });
      assert.equal((await store.recordings.find(entry.session))?.state, 'sealed');
      assert.equal((await store.recordings.list({ target: 'orders', limit: 5 })).length, 1);
      assert.equal((await store.recordings.list({ target: 'other', limit: 5 })).length, 0);
      assert.equal((await store.recordings.list({ before: at, limit: 5 })).length, 0);
    });
  });

  it('remembers first times up to a bound, and disclosures for a time', async () => {
    const engine = new InlineEngine(freshPath());
    await migrate(engine, systemClock);
    const history = new StoredHistory(new Kysely<Schema>({ dialect: sqliteDialect(engine) }), 3);
    const place = { identity: 'ci/1', target: 'orders' };
    const deed = (name: string, ms: number) => ({
      kind: 'table',
      access: 'read',
      name,
      at: asEpochMs(ms),
    });
    const known = async (): Promise<string> => {
      const { deeds } = await history.load(place, asEpochMs(0));
      return deeds.map(({ kind, access, name, at }) => `${kind} ${access} ${name} ${at}`).join();
    };
    const save = (...deeds: readonly ReturnType<typeof deed>[]): Promise<void> =>
      history.save([{ ...place, deeds, disclosures: [] }]);
    await save(deed('a b', 1));
    await save(deed('a b', 2), deed('b', 2));
    assert.equal(await known(), 'table read a b 1,table read b 2');
    await save(deed('c', 3));
    await save(deed('d', 4));
    assert.equal(await known(), 'table read b 2,table read c 3,table read d 4');
    const elsewhere = await history.load({ ...place, target: 'other' }, asEpochMs(0));
    assert.deepEqual(elsewhere.deeds, []);
    const disclosures = [10, 20, 20].map((ms) => ({ mask: 'ssn', at: asEpochMs(ms) }));
    await history.save([{ ...place, deeds: [], disclosures }]);
    const told = async (ms: number): Promise<number> =>
      (await history.load(place, asEpochMs(ms))).disclosures.length;
    assert.deepEqual([await told(0), await told(11), await told(21)], [3, 2, 0]);
    await history.purge({ disclosed: asEpochMs(15), seen: asEpochMs(0) });
    assert.equal(await told(0), 2);
    await engine.close();
  });

  it('forgets what identities did that stay away', async () => {
    const store = await openStore({ path: freshPath(), clock: systemClock, thread: 'inline' });
    const deeds = [{ kind: 'table', access: 'read', name: 'a', at: asEpochMs(1) }];
    for (const id of ['ci/old', 'ci/new']) {
      const seen = asEpochMs(id === 'ci/old' ? 1_000 : 2_000);
      await store.identities.seen({ ...identity, id: asId(id) }, seen);
      await store.history.save([{ identity: id, target: 'orders', deeds, disclosures: [] }]);
    }
    await store.history.purge({ disclosed: asEpochMs(0), seen: asEpochMs(1_500) });
    const left = async (id: string): Promise<number> =>
      (await store.history.load({ identity: id, target: 'orders' }, asEpochMs(0))).deeds.length;
    assert.deepEqual([await left('ci/old'), await left('ci/new')], [0, 1]);
    await store.close();
  });

  it('makes its file and folder for the own user alone', async () => {
    const path = freshPath();
    const store = await openStore({ path, clock: systemClock, thread: 'inline' });
    await store.ping();
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal(statSync(`${path}-wal`).mode & 0o777, 0o600);
    assert.equal(statSync(join(path, '..')).mode & 0o777, 0o700);
    await store.close();
  });

  it('fails every call after its thread is lost, and after it was closed', async () => {
    const store = await openStore({ path: freshPath(), clock: systemClock, thread: 'own' });
    await store.close();
    await assert.rejects(store.ping(), { code: 'SP_STORE' });
    await assert.rejects(store.locks.list(), (error: unknown) => error instanceof Error);
  });

  it('refuses a file that is not a database', async () => {
    const path = freshPath();
    const engine = new InlineEngine(path);
    await engine.close();
    writeFileSync(path, 'x'.repeat(4096));
    for (const thread of ['own', 'inline'] as const) {
      await assert.rejects(openStore({ path, clock: systemClock, thread }), { code: 'SP_STORE' });
    }
  });
});

describe('migrations', () => {
  it('are numbered from 1 without gaps, and their texts are those that were released', () => {
    assert.deepEqual(
      migrations.map(({ number }) => number),
      migrations.map((_, index) => index + 1),
    );
  });

  it('are applied once, also by two at the same time', async () => {
    const path = freshPath();
    const open = () => openStore({ path, clock: systemClock, thread: 'own' });
    const stores = await Promise.all([open(), open(), open()]);
    for (const store of stores) await store.close();
    const database = new DatabaseSync(path);
    const rows = database.prepare('select number, checksum from migrations').all();
    assert.deepEqual(
      rows.map((row) => ({ ...row })),
      migrations.map((step) => ({ number: step.number, checksum: checksumOf(step) })),
    );
    database.close();
  });

  it('stop at an edited step, at a newer database, and leave nothing half done', async () => {
    const engine = new InlineEngine(freshPath());
    const step = (number: number, ...statements: string[]): Migration => ({
      number,
      name: `m${number}`,
      statements,
    });
    const first = step(1, 'create table a (x text)');
    assert.deepEqual(await migrate(engine, systemClock, [first]), [1]);
    assert.deepEqual(await migrate(engine, systemClock, [first]), []);
    const edited = migrate(engine, systemClock, [step(1, 'create table a (y text)')]);
    await assert.rejects(edited, /migration 1 was changed/);
    await assert.rejects(migrate(engine, systemClock, []), /does not know/);
    const broken = [first, step(2, 'create table b (x text)', 'no sql at all')];
    await assert.rejects(
      migrate(engine, systemClock, broken),
      (error: unknown) => error instanceof GatewayError && error.code === 'SP_STORE',
    );
    assert.deepEqual(
      await migrate(engine, systemClock, [first, step(2, 'create table b (x text)')]),
      [2],
    );
    await engine.close();
  });
});

describe('identities beside a running gateway', () => {
  it('are found while it writes, and nothing is made where there is no store', async () => {
    const path = freshPath();
    const store = await openStore({ path, clock: systemClock, thread: 'own' });
    try {
      await store.identities.seen(identity, at);
      const reader = readIdentities(path);
      assert.deepEqual((await reader.find(identity.id))?.identity, identity);
      const again: Identity = { ...identity, groups: ['deploy'] };
      await store.identities.seen(again, at);
      assert.deepEqual((await reader.find(identity.id))?.identity, again);
      assert.equal(await reader.find('ci/ghost'), undefined);
      await reader.close();
    } finally {
      await store.close();
    }
    const missing = freshPath();
    assert.throws(() => readIdentities(missing), { code: 'SP_STORE' });
    assert.equal(statSync(missing, { throwIfNoEntry: false }), undefined);
  });
});
