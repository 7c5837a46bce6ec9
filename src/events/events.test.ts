import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Clock } from '#core/clock.ts';
import { GatewayError } from '#core/errors.ts';
import { type AuditEvent, type EventDraft, eventTypes } from '#core/events.ts';
import { asEpochMs } from '#core/ids.ts';
import type { EventWriter } from '#core/ports/events.ts';
import { systemRandom } from '#core/random.ts';
import { catalogue } from './catalogue.ts';
import { QueuedEventLog } from './log.ts';

/** A clock that moves when told. */
class HandClock implements Clock {
  #now = 1_800_000_000_000;
  #timers: { readonly at: number; readonly run: () => void }[] = [];
  now = () => asEpochMs(this.#now);
  monotonicMs = () => this.#now;
  after(ms: number, run: () => void) {
    const timer = { at: this.#now + ms, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }
  every = () => () => undefined;
  async pass(ms: number): Promise<void> {
    this.#now += ms;
    const due = this.#timers.filter(({ at }) => at <= this.#now);
    this.#timers = this.#timers.filter(({ at }) => at > this.#now);
    for (const { run } of due) run();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Keeps what it is given; fails when told to. */
class MemoryWriter implements EventWriter {
  readonly stored: AuditEvent[] = [];
  batches = 0;
  failing = false;
  readonly #start: number;
  constructor(start = 0) {
    this.#start = start;
  }
  get lastNumber() {
    return this.stored.at(-1)?.number ?? this.#start;
  }
  async append(batch: readonly AuditEvent[]) {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.failing) throw new GatewayError('SP_STORE');
    this.batches += 1;
    this.stored.push(...batch);
  }
  async close() {}
}

const draft = (detail = 'x'): EventDraft => ({
  type: 'alarm.raised',
  actor: 'system',
  session: undefined,
  target: undefined,
  data: { alarm: 'test', detail },
});

function start(writer: MemoryWriter, queueMax = 100) {
  const clock = new HandClock();
  const troubles: string[] = [];
  const log = new QueuedEventLog({
    writer,
    clock,
    random: systemRandom,
    queueMax,
    onTrouble: (error) => troubles.push(error.code),
  });
  return { clock, log, troubles };
}

const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

describe('the catalogue', () => {
  it('has every type, with an example that its schema accepts', () => {
    assert.deepEqual(Object.keys(catalogue).sort(), [...eventTypes].sort());
    for (const type of eventTypes) {
      assert.deepEqual(
        catalogue[type].data.parse(catalogue[type].example),
        catalogue[type].example,
      );
    }
  });

  it('never has room for the text of a statement', () => {
    for (const type of eventTypes) {
      for (const key of Object.keys(catalogue[type].data.shape)) {
        assert.doesNotMatch(key, /^(text|statement|sql|query|parameters|rows|result)$/i);
      }
    }
  });
});

describe('the event log', () => {
  it('goes on with the numbers of the writer and batches', async () => {
    const writer = new MemoryWriter(41);
    const { clock, log } = start(writer);
    for (let index = 0; index < 5; index += 1) log.emit(draft());
    assert.equal(writer.stored.length, 0);
    await clock.pass(50);
    await settle();
    assert.deepEqual(
      writer.stored.map(({ number }) => number),
      [42, 43, 44, 45, 46],
    );
    assert.equal(writer.batches, 1);
    assert.equal(new Set(writer.stored.map(({ id }) => id)).size, 5);
  });

  it('resolves a commit when it is stored, without waiting for a timer', async () => {
    const writer = new MemoryWriter();
    const { log } = start(writer);
    log.emit(draft());
    const events = await Promise.all([log.commit(draft('a')), log.commit(draft('b'))]);
    assert.deepEqual(
      events.map(({ number }) => number),
      [2, 3],
    );
    assert.deepEqual(writer.stored.slice(1), events);
    assert.equal(writer.batches, 1);
  });

  it('fails closed when its queue is full, and recovers', async () => {
    const writer = new MemoryWriter();
    const { clock, log, troubles } = start(writer, 3);
    writer.failing = true;
    await assert.rejects(log.commit(draft()), { code: 'SP_STORE' });
    log.emit(draft());
    log.emit(draft());
    assert.throws(() => log.emit(draft()), { code: 'SP_STORE' });
    await assert.rejects(log.commit(draft()), { code: 'SP_STORE' });
    await clock.pass(1_000);
    await settle();
    assert.deepEqual(troubles, ['SP_STORE']);
    writer.failing = false;
    await clock.pass(1_000);
    await settle();
    await clock.pass(1_000);
    await settle();
    assert.equal((await log.commit(draft())).number, 4);
    assert.deepEqual(
      writer.stored.map(({ number }) => number),
      [1, 2, 3, 4],
    );
  });

  it('stores what waits when it closes, and takes nothing after', async () => {
    const writer = new MemoryWriter();
    const { log } = start(writer);
    for (let index = 0; index < 7; index += 1) log.emit(draft());
    await log.close();
    assert.equal(writer.stored.length, 7);
    assert.throws(() => log.emit(draft()), { code: 'SP_STORE' });
  });

  it('says how many events a close could not store', async () => {
    const writer = new MemoryWriter();
    const { log } = start(writer);
    writer.failing = true;
    log.emit(draft());
    await assert.rejects(log.close(), /1 events were not stored/);
  });

  it('keeps values out whose keys the catalogue does not list', async () => {
    const writer = new MemoryWriter();
    const { log } = start(writer);
    await log.commit({ ...draft(), data: { alarm: 'a', detail: 'd', text: 'select secret' } });
    assert.deepEqual(writer.stored[0]?.data, { alarm: 'a', detail: 'd', dropped: ['text'] });
  });

  it('has no gap and no repetition, whatever is emitted, committed and failing when', async () => {
    const step = fc.oneof(
      fc.constant('emit' as const),
      fc.constant('commit' as const),
      fc.constant('break' as const),
      fc.constant('mend' as const),
      fc.constant('pass' as const),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const writer = new MemoryWriter(7);
        const { clock, log } = start(writer, 20);
        let taken = 0;
        const tell = (run: () => void): void => {
          try {
            run();
            taken += 1;
          } catch (thrown) {
            assert.ok(thrown instanceof GatewayError);
          }
        };
        for (const action of steps) {
          if (action === 'emit') tell(() => log.emit(draft()));
          else if (action === 'commit') {
            const before = log.backlog;
            log.commit(draft()).catch(() => undefined);
            if (log.backlog > before) taken += 1;
          } else if (action === 'pass') await clock.pass(1_000);
          else writer.failing = action === 'break';
        }
        writer.failing = false;
        for (let turn = 0; turn < 6; turn += 1) {
          await clock.pass(1_000);
          await settle();
        }
        await log.close();
        assert.deepEqual(
          writer.stored.map(({ number }) => number),
          Array.from({ length: taken }, (_, index) => 8 + index),
        );
      }),
      { numRuns: 50 },
    );
  });
});
