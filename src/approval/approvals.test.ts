import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Command } from '#core/command.ts';
import { GatewayError } from '#core/errors.ts';
import type { HoldId } from '#core/ids.ts';
import { defaultLimits } from '#core/limits.ts';
import type { HoldRecord } from '#core/ports/holds.ts';
import type { HoldNotice } from '#core/protocol.ts';
import { systemRandom } from '#core/random.ts';
import type { Verdict } from '#core/verdict.ts';
import { manualClock } from '../../test/support/clock.ts';
import {
  heldCommand,
  holdVerdict,
  job,
  MemoryEvents,
  MemoryHoldStore,
  person,
  sha256Hex,
} from '../../test/support/holds.ts';
import { type ApprovalParts, Approvals } from './approvals.ts';
import type { ApprovalResult } from './live-holds.ts';

const ann = person('okta/ann');
const bob = person('okta/bob');

/** A desk with everything that a test may want to turn. */
class Desk {
  readonly clock = manualClock();
  readonly store = new MemoryHoldStore();
  readonly events = new MemoryEvents();
  readonly told: string[] = [];
  locked = false;
  approvals: Approvals;

  constructor(more: Partial<ApprovalParts> = {}) {
    this.approvals = this.open(more);
  }

  open(more: Partial<ApprovalParts> = {}): Approvals {
    return new Approvals({
      clock: this.clock,
      random: systemRandom,
      sha256Hex,
      events: this.events,
      store: this.store,
      limits: defaultLimits,
      locks: { check: () => (this.locked ? { reason: 'gone' } : undefined) },
      channels: [
        {
          opened: ({ state }) => this.told.push(`opened ${state}`),
          closed: ({ state }) => this.told.push(`closed ${state}`),
        },
      ],
      warn: () => {},
      ...more,
    });
  }

  /** Sends a command; answers when the hold is open or the request was answered at once. */
  async send(
    command: Command = heldCommand('DELETE FROM t'),
    verdict: Verdict = holdVerdict(),
  ): Promise<{
    readonly notice: HoldNotice | undefined;
    readonly result: Promise<ApprovalResult>;
    readonly leave: () => void;
  }> {
    const controller = new AbortController();
    let notice: HoldNotice | undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    const onHold = (given: HoldNotice): void => {
      notice = given;
      resolve();
    };
    const result = this.approvals.request(command, verdict, onHold, controller.signal);
    await Promise.race([promise, result]);
    return { notice, result, leave: () => controller.abort() };
  }

  /** The refusal of a request that does not wait. */
  async refusalOf(command?: Command, verdict?: Verdict): Promise<string> {
    const { result } = await this.send(command, verdict);
    return codeOf(await result);
  }

  types(): readonly string[] {
    return this.events.drafts.map(({ type }) => type);
  }
}

const codeOf = (result: ApprovalResult): string =>
  result.outcome === 'approved' ? 'approved' : result.refusal.code;

const idOf = (notice: HoldNotice | undefined): HoldId => {
  assert.ok(notice !== undefined);
  return notice.hold;
};

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const rejects = (work: Promise<unknown>, code: string, detail = ''): Promise<void> =>
  assert.rejects(work, (thrown) => {
    assert.ok(thrown instanceof GatewayError);
    assert.equal(thrown.code, code);
    assert.ok(thrown.message.includes(detail), thrown.message);
    return true;
  });

const refuseMode = (text = 'DELETE FROM t'): Command => heldCommand(text, { holdMode: 'refuse' });

test('a held command runs once a reviewer approved it', async () => {
  const desk = new Desk();
  const { notice, result } = await desk.send();
  assert.equal(notice?.rule, 'destructive');
  assert.equal(notice?.waitMs, 600_000);
  const id = idOf(notice);
  assert.equal(notice?.howToApprove, `sallyport approvals approve ${id}`);
  await desk.approvals.review(id, ann, { decision: 'approve', reason: 'ticket 8812' });
  const answer = await result;
  assert.ok(answer.outcome === 'approved');
  assert.deepEqual(answer.reviewers, ['okta/ann']);
  assert.equal(answer.approval, (await desk.approvals.show(id)).approval);
  assert.equal(desk.store.holds.get(id)?.state, 'spent');
  assert.deepEqual(desk.types(), ['hold.opened', 'hold.reviewed', 'hold.closed']);
  assert.deepEqual(desk.told, ['opened pending', 'closed spent']);
  assert.deepEqual(desk.approvals.list(), []);
});

test('denial, time-out and cancellation are three different errors', async () => {
  const denied = new Desk();
  const first = await denied.send();
  await denied.approvals.review(idOf(first.notice), ann, { decision: 'deny', reason: 'no' });
  assert.equal(codeOf(await first.result), 'SP_HOLD_DENIED');

  const late = new Desk();
  const second = await late.send();
  late.clock.advance(600_000);
  assert.equal(codeOf(await second.result), 'SP_HOLD_TIMEOUT');
  await rejects(
    late.approvals.review(idOf(second.notice), ann, { decision: 'approve', reason: '' }),
    'SP_CONFLICT',
    'timeout',
  );

  const left = new Desk();
  const third = await left.send();
  third.leave();
  assert.equal(codeOf(await third.result), 'SP_HOLD_CANCELLED');
  await turn();
  assert.equal(left.store.holds.get(idOf(third.notice))?.state, 'cancelled');
});

test('nobody approves their own command, that of their job, or what is done for them', async () => {
  const desk = new Desk();
  const { notice } = await desk.send();
  const id = idOf(notice);
  const tries = [
    [job, 'only people review'],
    [person('okta/owner'), 'own'],
    [person('okta/boss'), 'behalf'],
    [person('bots/helper', { kind: 'workload' }), 'only people review'],
    [person('okta/eve', { groups: ['sales'] }), 'not among the reviewers'],
    [person('okta/old', { expiresAt: desk.clock.now() }), 'expired'],
    [person('okta/cat', { onBehalfOf: ann.id }), 'for another'],
  ] as const;
  for (const [reviewer, why] of tries) {
    await rejects(
      desk.approvals.review(id, reviewer, { decision: 'approve', reason: '' }),
      'SP_FORBIDDEN',
      why,
    );
  }
  assert.equal(desk.types().filter((type) => type === 'alarm.raised').length, tries.length);
  assert.equal((await desk.approvals.show(id)).state, 'pending');

  const human = await desk.send(heldCommand('DELETE FROM u', { identity: ann }));
  await rejects(
    desk.approvals.review(idOf(human.notice), ann, { decision: 'approve', reason: '' }),
    'SP_FORBIDDEN',
    'own',
  );
});

test('a group that owns a job reviews nothing of it', async () => {
  for (const owner of ['dba', 'group:dba']) {
    const desk = new Desk();
    const { notice } = await desk.send(heldCommand('x', { identity: { ...job, owner } }));
    await rejects(
      desk.approvals.review(idOf(notice), ann, { decision: 'approve', reason: '' }),
      'SP_FORBIDDEN',
      'own',
    );
  }
});

test('approvals count distinct people, once each, whatever their groups', async () => {
  const desk = new Desk();
  const terms = { reviewers: ['group:dba', 'role:reviewer', 'identity:okta/ann'], approvals: 2 };
  const { notice, result } = await desk.send(heldCommand('x'), holdVerdict(terms));
  const id = idOf(notice);
  await desk.approvals.review(id, ann, { decision: 'approve', reason: '' });
  await rejects(desk.approvals.review(id, ann, { decision: 'approve', reason: '' }), 'SP_CONFLICT');
  assert.equal((await desk.approvals.show(id)).state, 'pending');
  await desk.approvals.review(id, bob, { decision: 'approve', reason: '' });
  assert.equal(codeOf(await result), 'approved');
});

test('a mask is lifted when everybody who approved would lift it, and the rule lets them', async () => {
  const desk = new Desk();
  const terms = { approvals: 2, mayLift: ['ssn', 'card'] };
  const given = async (...lifts: readonly (readonly string[])[]): Promise<readonly string[]> => {
    const { notice, result } = await desk.send(heldCommand('x'), holdVerdict(terms));
    for (const [index, lift] of lifts.entries()) {
      const opinion = { decision: 'approve', reason: '', lift } as const;
      await desk.approvals.review(idOf(notice), index === 0 ? ann : bob, opinion);
    }
    const answer = await result;
    return answer.outcome === 'approved' ? answer.lifted : [answer.refusal.code];
  };
  assert.deepEqual(await given([], []), []);
  assert.deepEqual(await given(['ssn'], ['ssn', 'card']), ['ssn']);
  assert.deepEqual(await given(['ssn', 'card'], []), [], 'one of them would not');
  assert.deepEqual(await given(['card', 'card'], ['card', 'ssn']), ['card']);
  const told = desk.events.drafts.filter(({ type }) => type === 'hold.reviewed');
  assert.deepEqual(told.at(-1)?.data['lift'], ['card', 'ssn']);
});

test('a mask that no rule names is not lifted, nor by a denial', async () => {
  const desk = new Desk();
  const lift = ['ssn'];
  const { notice } = await desk.send(heldCommand('x'), holdVerdict({ mayLift: ['card'] }));
  const id = idOf(notice);
  const other = desk.approvals.review(id, ann, { decision: 'approve', reason: '', lift });
  await rejects(other, 'SP_BAD_REQUEST', "'ssn'");
  const denial = desk.approvals.review(id, ann, { decision: 'deny', reason: '', lift: ['card'] });
  await rejects(denial, 'SP_BAD_REQUEST', 'denial');
  const none = await desk.send(heldCommand('y'));
  const plain = idOf(none.notice);
  const any = desk.approvals.review(plain, ann, { decision: 'approve', reason: '', lift });
  await rejects(any, 'SP_BAD_REQUEST');
  assert.equal((await desk.approvals.show(id)).state, 'pending');
});

test('one denial ends it, after other approvals and by one who approved before', async () => {
  for (const denier of [ann, bob]) {
    const desk = new Desk();
    const { notice, result } = await desk.send(heldCommand('x'), holdVerdict({ approvals: 2 }));
    const id = idOf(notice);
    await desk.approvals.review(id, ann, { decision: 'approve', reason: '' });
    await desk.approvals.review(id, denier, { decision: 'deny', reason: '' });
    assert.equal(codeOf(await result), 'SP_HOLD_DENIED');
  }
});

test('every rule that holds a command gets its own reviewers', async () => {
  const desk = new Desk();
  const also = [{ rule: 'privacy', reviewers: ['group:privacy'], approvals: 1 }];
  const { notice, result } = await desk.send(heldCommand('x'), holdVerdict({ also }));
  const id = idOf(notice);
  await desk.approvals.review(id, ann, { decision: 'approve', reason: '' });
  await desk.approvals.review(id, bob, { decision: 'approve', reason: '' });
  assert.equal((await desk.approvals.show(id)).state, 'pending');
  await desk.approvals.review(id, person('okta/pia', { groups: ['privacy'] }), {
    decision: 'approve',
    reason: '',
  });
  assert.equal(codeOf(await result), 'approved');
});

test('a command that does not wait gets an id, and runs when it is sent again', async () => {
  const desk = new Desk();
  const { result } = await desk.send(refuseMode());
  const answer = await result;
  assert.ok(answer.outcome === 'refused');
  assert.equal(answer.refusal.code, 'SP_HOLD_PENDING');
  const id = answer.refusal.hold;
  assert.ok(id !== undefined);
  assert.match(answer.refusal.hint, new RegExp(`approvals approve ${id}`));
  // Joins the pending one.
  const again = await (await desk.send(refuseMode())).result;
  assert.ok(again.outcome === 'refused' && again.refusal.hold === id);
  await desk.approvals.review(id, ann, { decision: 'approve', reason: '' });
  assert.equal(await desk.refusalOf(refuseMode()), 'approved');
  // Spent: the next one needs its own.
  const third = await (await desk.send(refuseMode())).result;
  assert.ok(third.outcome === 'refused' && third.refusal.hold !== id);
});

test('the rule can ask for an answer at once', async () => {
  const desk = new Desk();
  assert.equal(
    await desk.refusalOf(heldCommand('x'), holdVerdict({ mode: 'refuse' })),
    'SP_HOLD_PENDING',
  );
});

test('an approval is only for exactly that command, requester and place', async () => {
  const base = refuseMode('DELETE FROM t WHERE id = $1');
  const value = (text: string): Command['parameters'] => [
    { type: '23', format: 'text', bytes: new TextEncoder().encode(text) },
  ];
  const sent: Command = { ...base, parameters: value('1') };
  const others: readonly Command[] = [
    { ...sent, text: `${sent.text} ` },
    { ...sent, parameters: value('2') },
    { ...sent, parameters: [] },
    { ...sent, parameters: [{ type: '23', format: 'text', bytes: null }] },
    { ...sent, state: 'search_path=other' },
    { ...sent, context: { ...sent.context, account: 'root' } },
    { ...sent, context: { ...sent.context, namespace: 'other' } },
    { ...sent, context: { ...sent.context, target: { ...sent.context.target, name: 'x' } } },
    { ...sent, context: { ...sent.context, identity: { ...job, id: ann.id } } },
    { ...sent, context: { ...sent.context, identity: { ...job, onBehalfOf: ann.id } } },
    { ...sent, context: { ...sent.context, identity: { ...job, owner: 'okta/ann' } } },
  ];
  for (const other of others) {
    const desk = new Desk();
    await desk.refusalOf(sent);
    const [hold] = desk.approvals.list();
    assert.ok(hold !== undefined);
    await desk.approvals.review(hold.id, ann, { decision: 'approve', reason: '' });
    assert.equal(await desk.refusalOf(other), 'SP_HOLD_PENDING');
    assert.equal(await desk.refusalOf(sent), 'approved');
  }
});

test('an approval under other requirements is not good for a stricter rule', async () => {
  const desk = new Desk();
  await desk.refusalOf(refuseMode());
  const [hold] = desk.approvals.list();
  assert.ok(hold !== undefined);
  await desk.approvals.review(hold.id, ann, { decision: 'approve', reason: '' });
  const stricter = [
    holdVerdict({ approvals: 2 }),
    holdVerdict({ reviewers: ['group:security'] }),
    holdVerdict({}, 'other-rule'),
    holdVerdict({ also: [{ rule: 'x', reviewers: ['group:x'], approvals: 1 }] }),
  ];
  for (const verdict of stricter) {
    assert.equal(await desk.refusalOf(refuseMode(), verdict), 'SP_HOLD_PENDING');
  }
});

test('an approval dies at the time that was told', async () => {
  const desk = new Desk();
  await desk.refusalOf(refuseMode());
  const [hold] = desk.approvals.list();
  assert.ok(hold !== undefined);
  desk.clock.advance(60_000);
  const approved = await desk.approvals.review(hold.id, ann, { decision: 'approve', reason: '' });
  assert.equal(approved.validUntil, desk.clock.now() + 900_000);
  desk.clock.advance(900_000);
  assert.equal(await desk.refusalOf(refuseMode()), 'SP_HOLD_PENDING');
  assert.equal(desk.store.holds.get(hold.id)?.state, 'expired');
});

test('a lock beats an approval', async () => {
  const desk = new Desk();
  await desk.refusalOf(refuseMode());
  const [hold] = desk.approvals.list();
  assert.ok(hold !== undefined);
  desk.locked = true;
  await rejects(
    desk.approvals.review(hold.id, ann, { decision: 'approve', reason: '' }),
    'SP_LOCKED',
  );
  desk.locked = false;
  await desk.approvals.review(hold.id, ann, { decision: 'approve', reason: '' });
  desk.locked = true;
  assert.equal(await desk.refusalOf(refuseMode()), 'SP_LOCKED');
  assert.equal(await desk.refusalOf(heldCommand('y')), 'SP_LOCKED');
});

test('two equal commands that wait need two approvals', async () => {
  const desk = new Desk();
  const one = await desk.send();
  const two = await desk.send();
  assert.notEqual(idOf(one.notice), idOf(two.notice));
  await desk.approvals.review(idOf(two.notice), ann, { decision: 'approve', reason: '' });
  assert.equal(codeOf(await two.result), 'approved');
  await turn();
  assert.equal((await desk.approvals.show(idOf(one.notice))).state, 'pending');
  await desk.approvals.review(idOf(one.notice), ann, { decision: 'approve', reason: '' });
  assert.equal(codeOf(await one.result), 'approved');
});

test('a command that waits joins the hold of one that did not, alone', async () => {
  const desk = new Desk();
  await desk.refusalOf(refuseMode());
  const [hold] = desk.approvals.list();
  assert.ok(hold !== undefined);
  const joined = await desk.send();
  assert.equal(idOf(joined.notice), hold.id);
  const other = await desk.send();
  assert.notEqual(idOf(other.notice), hold.id);
  // The one who joined leaves; the hold is still there for the one who comes back.
  joined.leave();
  assert.equal(codeOf(await joined.result), 'SP_HOLD_CANCELLED');
  await desk.approvals.review(hold.id, ann, { decision: 'approve', reason: '' });
  assert.equal(await desk.refusalOf(refuseMode()), 'approved');
});

test('holds are bounded by identity and in all', async () => {
  const desk = new Desk({ limits: { holdsMax: 3, holdsPerIdentityMax: 2 } });
  assert.equal(await desk.refusalOf(refuseMode('a')), 'SP_HOLD_PENDING');
  assert.equal(await desk.refusalOf(refuseMode('b')), 'SP_HOLD_PENDING');
  assert.equal(await desk.refusalOf(refuseMode('c')), 'SP_HOLDS_FULL');
  const by = (id: string): Command =>
    heldCommand('d', { holdMode: 'refuse', identity: person(id) });
  assert.equal(await desk.refusalOf(by('x/1')), 'SP_HOLD_PENDING');
  assert.equal(await desk.refusalOf(by('x/2')), 'SP_HOLDS_FULL');
});

test('a reviewer sees all of it, or it cannot be approved', async () => {
  const desk = new Desk();
  const parameters: Command['parameters'] = [
    { type: '25', format: 'text', bytes: new TextEncoder().encode('ä\u0000') },
    { type: '17', format: 'binary', bytes: Uint8Array.of(0, 255) },
    { type: '25', format: 'text', bytes: Uint8Array.of(0xc3, 0x28) },
    { type: '25', format: 'text', bytes: null },
  ];
  await desk.refusalOf({ ...refuseMode(), parameters });
  assert.deepEqual(
    desk.approvals.list()[0]?.command.parameters.map(({ value }) => value),
    [
      { kind: 'text', text: 'ä\u0000' },
      { kind: 'hex', hex: '00ff' },
      { kind: 'hex', hex: 'c328' },
      { kind: 'null' },
    ],
  );
  assert.equal(await desk.refusalOf(heldCommand('x'.repeat(300_000))), 'SP_POLICY_DENIED');
  const bytes = new Uint8Array(200_000);
  const large = {
    ...heldCommand('x'),
    parameters: [{ type: '', format: 'binary', bytes }],
  } as const;
  assert.equal(await desk.refusalOf(large), 'SP_POLICY_DENIED');
  assert.equal(await desk.refusalOf(heldCommand('\ud800')), 'SP_POLICY_DENIED');
});

test('a parameter that changed after it was shown does not run', async () => {
  const desk = new Desk();
  const bytes = new TextEncoder().encode('id-1');
  const sent: Command = { ...heldCommand('x'), parameters: [{ type: '', format: 'text', bytes }] };
  const { notice, result } = await desk.send(sent);
  bytes[3] = 0x32;
  await desk.approvals.review(idOf(notice), ann, { decision: 'approve', reason: '' });
  assert.equal(codeOf(await result), 'SP_INTERNAL');
});

test('a store or an event log that fails refuses, and nothing waits for ever', async () => {
  const desk = new Desk();
  desk.store.broken = true;
  assert.equal(await desk.refusalOf(), 'SP_STORE');
  assert.equal(await desk.refusalOf(refuseMode()), 'SP_STORE');
  desk.store.broken = false;
  desk.events.broken = true;
  assert.equal(await desk.refusalOf(), 'SP_STORE');
  desk.events.broken = false;
  assert.deepEqual(desk.approvals.list(), []);

  const { notice, result } = await desk.send();
  desk.events.broken = true;
  await rejects(
    desk.approvals.review(idOf(notice), ann, { decision: 'approve', reason: '' }),
    'SP_STORE',
  );
  assert.equal(codeOf(await result), 'SP_STORE');
  desk.events.broken = false;

  const second = await desk.send();
  desk.store.broken = true;
  await rejects(
    desk.approvals.review(idOf(second.notice), ann, { decision: 'approve', reason: '' }),
    'SP_STORE',
  );
  desk.clock.advance(600_000);
  assert.equal(codeOf(await second.result), 'SP_STORE');
  desk.store.broken = false;
  desk.clock.advance(10_000);
  await turn();
  assert.equal(desk.store.holds.get(idOf(second.notice))?.closedAt !== undefined, true);
  assert.deepEqual(desk.approvals.list(), []);
});

test('a notice that cannot be given refuses the command', async () => {
  const desk = new Desk();
  const result = await desk.approvals.request(
    heldCommand('x'),
    holdVerdict(),
    () => {
      throw new GatewayError('SP_RECORDING_FAILED');
    },
    new AbortController().signal,
  );
  assert.equal(codeOf(result), 'SP_RECORDING_FAILED');
  await turn();
  assert.deepEqual(desk.approvals.list(), []);
});

test('after a restart only what did not wait goes on', async () => {
  const desk = new Desk();
  const waiting = await desk.send();
  await desk.refusalOf(refuseMode('approved'));
  await desk.refusalOf(refuseMode('pending'));
  const holds = new Map(desk.approvals.list().map((hold) => [hold.command.text, hold]));
  const idOfText = (text: string): HoldId => holds.get(text)?.id ?? idOf(undefined);
  await desk.approvals.review(idOfText('approved'), ann, { decision: 'approve', reason: '' });
  desk.approvals.stop();
  desk.approvals = desk.open();
  await desk.approvals.start();
  assert.equal(desk.store.holds.get(idOf(waiting.notice))?.state, 'cancelled');
  assert.equal(await desk.refusalOf(refuseMode('approved')), 'approved');
  await desk.approvals.review(idOfText('pending'), bob, { decision: 'approve', reason: '' });
  desk.clock.advance(900_000);
  await turn();
  assert.equal(desk.store.holds.get(idOfText('pending'))?.state, 'expired');
});

test('two processes spend one approval once', async () => {
  const desk = new Desk();
  await desk.refusalOf(refuseMode());
  const [hold] = desk.approvals.list();
  assert.ok(hold !== undefined);
  await desk.approvals.review(hold.id, ann, { decision: 'approve', reason: '' });
  const other = new Desk({ store: desk.store });
  await other.approvals.start();
  desk.store.slow = true;
  const both = [desk.send(refuseMode()), other.send(refuseMode())];
  await turn();
  desk.store.slow = false;
  desk.store.release();
  const results = await Promise.all(both.map(async (each) => codeOf(await (await each).result)));
  assert.deepEqual(results.toSorted(), ['SP_HOLD_CANCELLED', 'approved']);
});

test('events hold no part of the command', async () => {
  const desk = new Desk();
  const { notice, result } = await desk.send(heldCommand("DELETE FROM t WHERE x = 'canary'"));
  await desk.approvals.review(idOf(notice), ann, { decision: 'deny', reason: '' });
  const answer = await result;
  assert.doesNotMatch(JSON.stringify([desk.events.drafts, answer]), /canary/);
});

test('a hold is plain data', async () => {
  const desk = new Desk();
  await desk.refusalOf(refuseMode());
  const [hold]: readonly HoldRecord[] = desk.approvals.list();
  assert.deepEqual(structuredClone(hold), hold);
});
