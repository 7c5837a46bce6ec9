/**
 * Random histories of requests, reviews, cancellations, time, locks, restarts and a slow or broken
 * store. Whatever happened: an approval ran at most one command, the one that was shown, for the
 * people that the rule asks for, in time, and no request is left without an answer.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Command } from '#core/command.ts';
import { digestInput } from '#core/command.ts';
import { asId } from '#core/ids.ts';
import type { Identity } from '#core/identity.ts';
import { systemRandom } from '#core/random.ts';
import type { Verdict } from '#core/verdict.ts';
import { type ManualClock, manualClock } from '../../test/support/clock.ts';
import {
  heldCommand,
  holdVerdict,
  job,
  MemoryEvents,
  MemoryHoldStore,
  person,
  sha256Hex,
} from '../../test/support/holds.ts';
import { Approvals } from './approvals.ts';
import { isFinal } from './hold.ts';
import type { ApprovalResult } from './live-holds.ts';

const people: readonly Identity[] = [
  person('okta/ann'),
  person('okta/bob', { groups: ['dba', 'privacy'] }),
  person('okta/pia', { groups: ['privacy'] }),
  person('okta/owner', { groups: ['dba', 'privacy'] }),
  person('okta/boss', { groups: ['dba', 'privacy'] }),
  person('bots/helper', { kind: 'workload', groups: ['dba', 'privacy'] }),
  job,
];

const requesters: readonly Identity[] = [
  job,
  { ...job, onBehalfOf: asId('okta/ann') },
  person('okta/ann'),
];

const verdicts: readonly Verdict[] = [
  holdVerdict(),
  holdVerdict({ approvals: 2 }),
  holdVerdict({ also: [{ rule: 'privacy', reviewers: ['group:privacy'], approvals: 1 }] }),
];

type Step =
  | { readonly kind: 'request'; who: number; text: number; verdict: number; refuse: boolean }
  | { readonly kind: 'review'; hold: number; who: number; approve: boolean }
  | { readonly kind: 'leave'; request: number }
  | { readonly kind: 'advance'; ms: number }
  | { readonly kind: 'lock' | 'slow' | 'broken' | 'mute'; on: boolean }
  | { readonly kind: 'release' | 'restart' | 'turn' };

/** Counts back from the newest. */
const small = fc.constantFrom(0, 0, 0, 1, 1, 2, 5);
const kindOf = <K extends string>(kind: K): fc.Arbitrary<K> => fc.constant(kind);
const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: kindOf('request'),
        who: fc.nat({ max: requesters.length - 1 }),
        text: fc.nat({ max: 1 }),
        verdict: fc.nat({ max: verdicts.length - 1 }),
        refuse: fc.boolean(),
      }),
    },
    {
      weight: 8,
      arbitrary: fc.record({
        kind: kindOf('review'),
        hold: small,
        who: fc.constantFrom(0, 0, 0, 1, 1, 1, 2, 3, 4, 5, 6),
        approve: fc.nat({ max: 9 }).map((n) => n > 0),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: kindOf('leave'), request: small }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: kindOf('advance'),
        ms: fc.constantFrom(1, 299_999, 300_000, 600_000, 900_000),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constantFrom('lock' as const, 'slow' as const, 'broken' as const, 'mute' as const),
        on: fc.nat({ max: 3 }).map((n) => n === 0),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constantFrom(
          'release' as const,
          'restart' as const,
          'turn' as const,
          'turn' as const,
        ),
      }),
    },
  ),
  { maxLength: 60, size: 'max' },
);

interface Sent {
  readonly command: Command;
  readonly verdict: Verdict;
  readonly controller: AbortController;
  settled: boolean;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Plays a history and checks each approval at the moment at which it is given. */
class History {
  readonly #clock: ManualClock = manualClock();
  readonly #store = new MemoryHoldStore();
  readonly #events = new MemoryEvents();
  readonly #sent: Sent[] = [];
  readonly #spent = new Set<string>();
  readonly #failures: unknown[] = [];
  #locked = false;
  #epoch = 0;
  #desk: Approvals = this.#open();
  approved = 0;
  /** Store and event log were down at once: then a hold that is no more can stay in the store. */
  #wasDeafAndDumb = false;

  #open(): Approvals {
    const epoch = this.#epoch;
    // What a killed process had not got through to the store is lost.
    const put = this.#store.putWhile(() => epoch === this.#epoch);
    return new Approvals({
      clock: this.#clock,
      random: systemRandom,
      sha256Hex,
      events: this.#events,
      store: {
        put,
        find: (id) => this.#store.find(id),
        live: () => this.#store.live(),
        recent: (count) => this.#store.recent(count),
        purge: () => this.#store.purge(),
      },
      limits: { holdsMax: 6, holdsPerIdentityMax: 4 },
      locks: { check: () => (this.#locked ? { reason: '' } : undefined) },
      channels: [],
      warn: () => {},
    });
  }

  async play(step: Step): Promise<void> {
    switch (step.kind) {
      case 'request':
        return this.#request(step);
      case 'review': {
        const holds = [...this.#store.holds.values()];
        const hold = holds[holds.length - 1 - step.hold];
        const reviewer = people[step.who];
        if (hold === undefined || reviewer === undefined) return;
        const decision = step.approve ? 'approve' : 'deny';
        this.#desk.review(hold.id, reviewer, { decision, reason: '' }).catch(() => {});
        return;
      }
      case 'leave':
        this.#sent[this.#sent.length - 1 - step.request]?.controller.abort();
        return;
      case 'advance':
        return this.#clock.advance(step.ms);
      case 'lock':
        this.#locked = step.on;
        return;
      case 'slow':
        this.#store.slow = step.on;
        return;
      case 'broken':
        this.#store.broken = step.on;
        return;
      case 'mute':
        this.#events.broken = step.on;
        this.#wasDeafAndDumb ||= step.on;
        return;
      case 'release':
        return this.#store.release();
      case 'turn':
        return turn();
      case 'restart':
        return this.#restart();
    }
  }

  #request(step: Extract<Step, { kind: 'request' }>): void {
    const identity = requesters[step.who] ?? job;
    const verdict = verdicts[step.verdict] ?? holdVerdict();
    const command = heldCommand(`DELETE ${step.text}`, {
      identity,
      holdMode: step.refuse ? 'refuse' : 'wait',
    });
    const controller = new AbortController();
    const desk = this.#desk;
    const sent: Sent = { command, verdict, controller, settled: false };
    this.#sent.push(sent);
    desk
      .request(command, verdict, () => {}, controller.signal)
      .then((result) => {
        sent.settled = true;
        // The answer of a process that was killed reaches nobody.
        if (desk === this.#desk) this.#check(sent, result);
      })
      .catch((thrown: unknown) => this.#failures.push(thrown));
  }

  #check({ command, verdict }: Sent, result: ApprovalResult): void {
    if (result.outcome === 'refused') return;
    this.approved += 1;
    assert.ok(!this.#spent.has(result.approval), 'spent twice');
    this.#spent.add(result.approval);
    const hold = this.#store.holds.get(result.hold);
    assert.ok(hold !== undefined && hold.state === 'spent' && hold.approval === result.approval);
    assert.equal(hold.digest, sha256Hex(digestInput(command)));
    assert.ok(hold.closedAt !== undefined && hold.validUntil !== undefined);
    assert.ok(hold.closedAt < hold.validUntil, 'spent after its time');
    const { requester } = hold.command;
    const { identity } = command.context;
    assert.equal(requester.onBehalfOf, identity.onBehalfOf);
    const approvers = new Set<string>(
      hold.reviews.filter(({ decision }) => decision === 'approve').map(({ reviewer }) => reviewer),
    );
    for (const excluded of ['okta/owner', 'bots/helper', identity.id, identity.onBehalfOf]) {
      const owns = excluded === 'okta/owner' && identity.owner !== excluded;
      assert.ok(owns || excluded === undefined || !approvers.has(excluded), `${excluded} approved`);
    }
    const inGroup = (group: string): number =>
      people.filter(({ id, groups }) => approvers.has(id) && groups.includes(group)).length;
    assert.ok(inGroup('dba') >= (verdict.hold?.approvals ?? 99), 'too few reviewers');
    if (verdict.hold?.also !== undefined) assert.ok(inGroup('privacy') >= 1, 'privacy not asked');
    assert.ok(
      hold.reviews.every(({ decision }) => decision === 'approve'),
      'denied and run',
    );
  }

  async #restart(): Promise<void> {
    this.#store.broken = false;
    this.#events.broken = false;
    this.#store.slow = false;
    this.#desk.stop();
    this.#epoch += 1;
    this.#desk = this.#open();
    await this.#desk.start();
  }

  /** Lets everything run out: then nobody waits and nothing is open. */
  async finish(): Promise<void> {
    this.#store.broken = false;
    this.#events.broken = false;
    this.#store.slow = false;
    const current = this.#desk;
    for (let round = 0; round < 4; round += 1) {
      this.#store.release();
      await turn();
      this.#clock.advance(900_000);
      await turn();
    }
    for (const failure of this.#failures) throw failure;
    assert.deepEqual(current.list(), []);
    if (this.#wasDeafAndDumb) return;
    assert.ok([...this.#store.holds.values()].every(({ state }) => isFinal(state)));
  }

  /** Requests of the last process that still wait for an answer. */
  get unanswered(): number {
    return this.#sent.filter(({ settled }) => !settled).length;
  }
}

test('no history spends an approval twice, late, by oneself or for something else', async () => {
  let approved = 0;
  await fc.assert(
    fc.asyncProperty(steps, async (history) => {
      const play = new History();
      for (const step of history) await play.play(step);
      await play.finish();
      if (!history.some(({ kind }) => kind === 'restart')) assert.equal(play.unanswered, 0);
      approved += play.approved;
    }),
    { numRuns: 600 },
  );
  // The histories are worth something only if approvals do happen in them.
  assert.ok(approved > 50, `${approved} approvals`);
});
