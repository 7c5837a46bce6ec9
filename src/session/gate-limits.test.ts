import assert from 'node:assert/strict';
import { test } from 'node:test';
import { opaqueFacts } from '#core/facts.ts';
import type { Command } from '#core/command.ts';
import type { EventDraft } from '#core/events.ts';
import { unknownHistory } from '#core/history.ts';
import { asEpochMs, asId } from '#core/ids.ts';
import { AllowedCommand } from '#core/permit.ts';
import type { Excess, RunLimits, Verdict } from '#core/verdict.ts';
import { testStages } from '../../test/support/relay.ts';
import { manualClock } from '../../test/support/clock.ts';
import { Gate } from './gate.ts';
import type { ApprovalResult } from './ports.ts';

const terms = { reviewers: ['group:dba'], approvals: 1, waitMs: 1000, validMs: 1000 };
const limits: RunLimits = {
  bounds: {
    rowsAffected: { max: 10, rule: 'writes' },
    rowsAffectedTotal: { max: 50, rule: 'writes' },
    time: { max: 1000, rule: 'reads' },
  },
  release: { rule: 'writes', terms },
};
const allowed: Verdict = {
  outcome: 'allow',
  rule: 'a',
  reason: '',
  policy: asId('p1'),
  hold: undefined,
  limits,
  observed: [],
};
const excess: Excess = { limit: 'rowsAffected', max: 10, found: 25, detail: 't: 25 removed' };

interface Asked {
  readonly command: Command;
  readonly verdict: Verdict;
}

function world(
  verdicts: readonly Verdict[],
  answer: ApprovalResult = {
    outcome: 'approved',
    approval: 'a1',
    reviewers: ['people/eve'],
    lifted: [],
  },
): {
  readonly gate: Gate;
  readonly permit: AllowedCommand;
  readonly marks: string[];
  readonly events: EventDraft[];
  readonly asked: Asked[];
} {
  const marks: string[] = [];
  const events: EventDraft[] = [];
  const asked: Asked[] = [];
  const left = [...verdicts];
  const gate = new Gate({
    policies: {
      current: () => ({
        version: asId('p1'),
        decide: () => left.shift() ?? allowed,
        maskRules: () => [],
        readsFacts: () => true,
      }),
      onChange: () => () => undefined,
    },
    approvals: {
      request: async (command, verdict) => {
        asked.push({ command, verdict });
        return answer;
      },
    },
    tape: {
      data: () => undefined,
      judged: () => undefined,
      mark: (kind, data) => {
        marks.push(data['released'] === undefined ? kind : `${kind} ${data['released'] === true}`);
      },
      commit: () => {
        marks.push('commit');
      },
      behind: false,
      whenReady: () => undefined,
    },
    events: {
      emit: (draft) => {
        events.push(draft);
      },
      commit: async (draft) => ({ ...draft, number: 1, id: 'e', at: asEpochMs(0) }),
    },
    clock: manualClock(),
    past: { of: unknownHistory, told: () => undefined },
    ended: () => undefined,
    end: () => undefined,
  });
  const command: Command = {
    id: asId('c1'),
    context: testStages().context,
    kind: 'execute',
    text: 'DELETE FROM t',
    parameters: [],
    state: 's',
    facts: opaqueFacts('a test'),
  };
  const permit = gate.judge(command, () => undefined, new AbortController().signal);
  if (permit instanceof Promise || permit.refused) throw new Error('not allowed');
  marks.length = 0;
  events.length = 0;
  return { gate, permit, marks, events, asked };
}

const ask = {
  people: 'ask',
  onHold: () => undefined,
  cancelled: new AbortController().signal,
} as const;

test('a permit carries the limits of its verdict', () => {
  assert.deepEqual(world([allowed]).permit.limits, limits);
});

test('a limit that nobody may lift is refused at once, with its evidence', () => {
  const { gate, permit, marks, events, asked } = world([allowed]);
  const time: Excess = { limit: 'time', max: 1000, found: 1001, detail: '' };
  const result = gate.exceeded(permit, time, ask);
  assert.ok(!(result instanceof Promise) && result.refused);
  assert.equal(result.code, 'SP_LIMIT_EXCEEDED');
  assert.equal(result.rule, 'reads');
  assert.equal(result.endsSession, false);
  assert.deepEqual(marks, ['limit.exceeded false', 'commit']);
  assert.equal(events[0]?.type, 'command.limited');
  assert.deepEqual(asked, []);
});

test('people let a write through up to what they were shown, and for that alone', async () => {
  const { gate, permit, marks, asked } = world([allowed]);
  const result = await gate.exceeded(permit, excess, ask);
  assert.ok(result instanceof AllowedCommand && AllowedCommand.isGenuine(result));
  assert.deepEqual(result.limits, {
    bounds: { rowsAffected: { max: 25, rule: 'writes' }, time: { max: 1000, rule: 'reads' } },
    release: undefined,
  });
  const { command, verdict } = asked[0] ?? assert.fail();
  assert.equal(verdict.outcome, 'hold');
  assert.equal(verdict.rule, 'writes');
  assert.match(verdict.reason, /t: 25 removed; the limit is 10 rows affected/);
  // What was counted is part of what the approval binds to.
  assert.match(command.state, /t: 25 removed/);
  assert.deepEqual(marks, ['hold.approved', 'limit.exceeded true', 'commit']);
});

test('what could not be counted runs uncounted once people have seen why', async () => {
  const { gate, permit } = world([allowed]);
  const result = await gate.exceeded(permit, { ...excess, found: undefined }, ask);
  assert.ok(!result.refused);
  assert.deepEqual(result.limits?.bounds, { time: { max: 1000, rule: 'reads' } });
});

test('nobody is asked where nothing may wait', async () => {
  const { gate, permit, asked } = world([allowed]);
  await gate.exceeded(permit, excess, { ...ask, people: 'now' });
  assert.equal(asked[0]?.verdict.hold?.mode, 'refuse');
  const none = gate.exceeded(permit, excess, { ...ask, people: 'none' });
  assert.ok(!(none instanceof Promise) && none.refused);
  assert.equal(asked.length, 1);
});

test('a policy that changed meanwhile decides', async () => {
  const denied: Verdict = { ...allowed, outcome: 'deny', rule: 'd' };
  const before = world([allowed, denied]);
  const refused = before.gate.exceeded(before.permit, excess, ask);
  assert.ok(!(refused instanceof Promise) && refused.refused);
  assert.equal(refused.rule, 'd');
  const after = world([allowed, allowed, denied]);
  const result = await after.gate.exceeded(after.permit, excess, ask);
  assert.ok(result.refused);
  assert.equal(result.rule, 'd');
  const other: RunLimits = {
    ...limits,
    release: { rule: 'writes', terms: { ...terms, approvals: 2 } },
  };
  const others = world([allowed, allowed, { ...allowed, limits: other }]);
  assert.ok((await others.gate.exceeded(others.permit, excess, ask)).refused);
});
