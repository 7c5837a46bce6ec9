import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Command, SessionContext } from '#core/command.ts';
import { GatewayError } from '#core/errors.ts';
import type { EventDraft, EventLog } from '#core/events.ts';
import { opaqueFacts } from '#core/facts.ts';
import { unknownHistory } from '#core/history.ts';
import { asEpochMs, asId, type CredentialId } from '#core/ids.ts';
import type { Identity } from '#core/identity.ts';
import { AllowedCommand, TargetAuthorization } from '#core/permit.ts';
import type { Target } from '#core/target.ts';
import type { Outcome, Refusal, Verdict } from '#core/verdict.ts';
import type { Wire } from '#core/wire.ts';
import { type ManualClock, manualClock } from '../../test/support/clock.ts';
import { splitUser } from './admission.ts';
import { createCancelRegistry } from './cancels.ts';
import { Gate, type GateParts, refuse } from './gate.ts';
import { LiveSessions } from './live.ts';
import type { ApprovalResult, Policy } from './ports.ts';

const identity: Identity = {
  id: asId('ci/job-1'),
  kind: 'workload',
  issuer: 'ci',
  subject: 'job-1',
  displayName: 'job',
  groups: [],
  roles: ['member'],
  owner: 'people/ada',
  onBehalfOf: undefined,
  claims: {},
  expiresAt: asEpochMs(2_000_000_000_000),
};
const target: Target = {
  name: 'orders',
  protocol: 'echo',
  address: { host: '127.0.0.1', port: 1 },
  labels: {},
  tls: { mode: 'disable', ca: undefined, serverName: undefined },
  accounts: [],
  settings: {},
};
const context: SessionContext = {
  session: asId('s1'),
  protocol: 'echo',
  identity,
  target,
  account: 'readonly',
  namespace: 'shop',
  clientAddress: '127.0.0.1',
  clientName: 'test',
  holdMode: 'wait',
  features: [],
};
const command = (kind: Command['kind'] = 'execute'): Command => ({
  id: asId('s1.1'),
  context,
  kind,
  text: 'hello',
  parameters: [],
  state: '',
  facts: opaqueFacts('a test'),
});
const verdict = (outcome: Outcome, rule = 'r1'): Verdict => ({
  outcome,
  rule,
  reason: 'because',
  policy: asId('p1'),
  hold:
    outcome === 'hold'
      ? { reviewers: ['group:dba'], approvals: 1, waitMs: 1000, validMs: 1000 }
      : undefined,
  observed: [],
});

interface World {
  readonly gate: Gate;
  readonly log: string[];
  readonly events: EventDraft[];
  ended: Refusal | undefined;
}

function world(
  decide: () => Verdict,
  change: Partial<GateParts> = {},
  approve: () => Promise<ApprovalResult> = () =>
    Promise.resolve({ outcome: 'approved', approval: 'a1', reviewers: ['people/eve'], lifted: [] }),
): World {
  const log: string[] = [];
  const events: EventDraft[] = [];
  const policy: Policy = {
    version: asId('p1'),
    decide,
    maskRules: () => [],
    readsFacts: () => true,
  };
  const w: World = {
    log,
    events,
    ended: undefined,
    gate: new Gate({
      policies: { current: () => policy, onChange: () => () => undefined },
      approvals: {
        request: (_command, _verdict, onHold) => {
          onHold({ hold: asId('h1'), rule: 'r1', reason: '', howToApprove: '', waitMs: 1 });
          return approve();
        },
      },
      tape: {
        data: () => undefined,
        judged: (_command, said, result) => {
          log.push(`judged ${said.outcome} ${result.refused ? result.code : 'permit'}`);
        },
        mark: (kind) => {
          log.push(`mark ${kind}`);
        },
        commit: () => {
          log.push('commit');
        },
        behind: false,
        whenReady: () => undefined,
      },
      events: eventLog(events),
      clock: manualClock(),
      past: { of: unknownHistory, told: () => undefined },
      ended: () => w.ended,
      end: (refusal) => {
        w.ended = refusal;
      },
      ...change,
    }),
  };
  return w;
}

function eventLog(events: EventDraft[]): EventLog {
  return {
    emit: (draft) => {
      events.push(draft);
    },
    commit: (draft) => {
      events.push(draft);
      return Promise.resolve({ ...draft, number: 1, id: 'e', at: asEpochMs(0) });
    },
  };
}

const never = new AbortController().signal;
const nobody = (): void => undefined;

describe('gate', () => {
  it('gives a genuine permit, synchronously, after the evidence', () => {
    const w = world(() => verdict('allow'));
    const result = w.gate.judge(command(), nobody, never);
    assert.ok(result instanceof AllowedCommand);
    assert.ok(AllowedCommand.isGenuine(result));
    assert.deepEqual(w.log, ['judged allow permit', 'commit']);
    assert.equal(w.events[0]?.type, 'command.judged');
  });

  it('refuses what policy denies, with the rule and its evidence', () => {
    const w = world(() => verdict('deny'));
    const result = w.gate.judge(command(), nobody, never);
    assert.ok(!(result instanceof Promise) && result.refused);
    assert.equal(result.code, 'SP_POLICY_DENIED');
    assert.equal(result.rule, 'r1');
    assert.deepEqual(w.log, ['judged deny SP_POLICY_DENIED', 'commit']);
  });

  it('refuses and ends the session when the policy throws', () => {
    const w = world(() => {
      throw new Error('a bug');
    });
    const result = w.gate.judge(command(), nobody, never);
    assert.ok(!(result instanceof Promise) && result.refused && result.endsSession);
    assert.equal(w.ended?.code, 'SP_INTERNAL');
  });

  for (const part of ['judged', 'commit'] as const) {
    it(`refuses and ends the session when the recording fails at ${part}`, () => {
      const failing = world(() => verdict('allow'));
      const broken = (): never => {
        throw new GatewayError('SP_RECORDING_SPACE');
      };
      const w = world(() => verdict('allow'), {
        tape: {
          data: nobody,
          judged: part === 'judged' ? broken : nobody,
          mark: nobody,
          commit: part === 'commit' ? broken : nobody,
          behind: false,
          whenReady: nobody,
        },
      });
      const result = w.gate.judge(command(), nobody, never);
      assert.ok(!(result instanceof Promise) && result.refused && result.endsSession);
      assert.equal(result.code, 'SP_RECORDING_SPACE');
      assert.equal(w.ended?.code, 'SP_RECORDING_SPACE');
      assert.equal(failing.ended, undefined);
    });
  }

  it('refuses when the event log is full', () => {
    const w = world(() => verdict('allow'), {
      events: {
        emit: () => {
          throw new GatewayError('SP_STORE');
        },
        commit: () => Promise.reject(new GatewayError('SP_STORE')),
      },
    });
    const result = w.gate.judge(command(), nobody, never);
    assert.ok(!(result instanceof Promise) && result.refused);
    assert.equal(result.code, 'SP_STORE');
  });

  it('lets a prepare of a held command pass, since nothing runs by it', () => {
    const w = world(() => verdict('hold'));
    assert.ok(w.gate.judge(command('prepare'), nobody, never) instanceof AllowedCommand);
  });

  it('waits for the approval and marks it in the recording', async () => {
    const w = world(() => verdict('hold'));
    const result = await w.gate.judge(command(), nobody, never);
    assert.ok(result instanceof AllowedCommand);
    assert.deepEqual(w.log, [
      'mark hold.opened',
      'commit',
      'mark hold.approved',
      'judged hold permit',
      'commit',
    ]);
  });

  it('lifts the masks that the approval lifts, if the rule of now lets it', async () => {
    const approve = (): Promise<ApprovalResult> =>
      Promise.resolve({ outcome: 'approved', approval: 'a1', reviewers: [], lifted: ['ssn'] });
    const lifting = (mayLift: readonly string[]): Verdict => {
      const said = verdict('hold');
      return said.hold === undefined ? said : { ...said, hold: { ...said.hold, mayLift } };
    };
    const lifted = async (...said: readonly Verdict[]): Promise<readonly string[]> => {
      let calls = 0;
      const w = world(() => said[Math.min((calls += 1), said.length) - 1] ?? denied, {}, approve);
      const result = await w.gate.judge(command(), nobody, never);
      assert.ok(!result.refused);
      const told = w.events[0]?.data['lifted'] ?? [];
      assert.deepEqual(told, result.liftedMasks);
      return result.liftedMasks;
    };
    const denied = verdict('deny');
    assert.deepEqual(await lifted(lifting(['ssn', 'card'])), ['ssn']);
    assert.deepEqual(await lifted(lifting(['ssn']), lifting(['card'])), []);
    assert.deepEqual(await lifted(lifting(['ssn']), verdict('hold')), []);
    assert.deepEqual(await lifted(lifting(['ssn']), verdict('allow')), []);
  });

  it('judges again after the approval: a policy that denies by now wins', async () => {
    let calls = 0;
    const w = world(() => {
      calls += 1;
      return calls === 1 ? verdict('hold') : verdict('deny', 'newer');
    });
    const result = await w.gate.judge(command(), nobody, never);
    assert.ok(result.refused);
    assert.equal(result.rule, 'newer');
  });

  it('asks again when other people have to be asked by now', async () => {
    let calls = 0;
    const w = world(() => {
      calls += 1;
      return verdict('hold', calls === 1 ? 'r1' : 'stricter');
    });
    const result = await w.gate.judge(command(), nobody, never);
    assert.ok(!result.refused);
    assert.equal(w.log.filter((line) => line === 'mark hold.opened').length, 2);
    assert.equal(w.log.filter((line) => line === 'mark hold.approved').length, 1);
  });

  it('lets a lock that came during the wait beat the approval', async () => {
    const w = world(
      () => verdict('hold'),
      {},
      () => {
        w.ended = refuse('SP_LOCKED', { endsSession: true });
        return Promise.resolve({ outcome: 'approved', approval: 'a1', reviewers: [], lifted: [] });
      },
    );
    const result = await w.gate.judge(command(), nobody, never);
    assert.ok(result.refused);
    assert.equal(result.code, 'SP_LOCKED');
  });

  it('refuses every command of a session that has to end', () => {
    const w = world(() => verdict('allow'));
    w.ended = refuse('SP_EXPIRED', { endsSession: true });
    const result = w.gate.judge(command(), nobody, never);
    assert.ok(!(result instanceof Promise) && result.refused);
    assert.deepEqual(w.log, []);
  });
});

describe('permits', () => {
  it('are not forged by shape', () => {
    const lookAlike = Object.create(AllowedCommand.prototype) as object;
    assert.throws(() => {
      assert.ok(AllowedCommand.isGenuine(lookAlike as AllowedCommand));
    });
    const authorization = Object.create(TargetAuthorization.prototype) as TargetAuthorization;
    assert.equal(TargetAuthorization.isGenuine(authorization), false);
  });
});

interface Switch {
  locked: boolean;
}

function liveWorld(): {
  live: LiveSessions;
  clock: ManualClock;
  state: Switch;
  changed: () => void;
  wire: Wire & { destroyed: boolean };
} {
  const clock = manualClock();
  const state: Switch = { locked: false };
  const listeners: (() => void)[] = [];
  const policy: Policy = {
    version: asId('p1'),
    decide: () => verdict('allow'),
    maskRules: () => [],
    readsFacts: () => true,
  };
  const live = new LiveSessions({
    clock,
    events: eventLog([]),
    policies: { current: () => policy, onChange: () => nobody },
    locks: {
      check: () => (state.locked ? { id: 'l1', reason: 'offboarded' } : undefined),
      onChange: (callback) => {
        listeners.push(callback);
        return nobody;
      },
    },
  });
  return { live, clock, state, changed: () => listeners.forEach((run) => run()), wire: deadWire() };
}

function deadWire(): Wire & { destroyed: boolean } {
  return {
    destroyed: false,
    peer: { address: '127.0.0.1', port: 1 },
    security: null,
    pendingBytes: 0,
    attach: nobody,
    pause: nobody,
    resume: nobody,
    write: () => true,
    end: nobody,
    destroy() {
      this.destroyed = true;
    },
    upgradeServer: () => Promise.reject(new Error('no')),
    upgradeClient: () => Promise.reject(new Error('no')),
  };
}

describe('live sessions', () => {
  const session = (expiresAt: number) => ({
    context,
    startedAt: asEpochMs(0),
    expiresAt: asEpochMs(expiresAt),
    grant: 'g1',
    credential: asId<CredentialId>('c1'),
  });

  it('ends a session when a lock fits it, and its connections within a second', () => {
    const { live, clock, state, changed, wire } = liveWorld();
    const signal = live.add(session(clock.now() + 60_000), wire);
    assert.equal(signal.aborted, false);
    state.locked = true;
    changed();
    assert.equal(signal.aborted, true);
    assert.equal(live.refusalOf(context.session)?.code, 'SP_LOCKED');
    assert.equal(wire.destroyed, false);
    clock.advance(999);
    assert.equal(wire.destroyed, true);
  });

  it('sees a lock that was added while the session was let in', () => {
    const { live, clock, state, wire } = liveWorld();
    state.locked = true;
    assert.equal(live.add(session(clock.now() + 60_000), wire).aborted, true);
  });

  it('ends a session when its credential or grant expires', () => {
    const { live, clock, wire } = liveWorld();
    const signal = live.add(session(clock.now() + 5_000), wire);
    clock.advance(4_999);
    assert.equal(signal.aborted, false);
    clock.advance(1);
    assert.equal(live.refusalOf(context.session)?.code, 'SP_EXPIRED');
  });

  it('destroys a connection that is added to a session that is over', () => {
    const { live, clock, wire } = liveWorld();
    live.add(session(clock.now() + 5_000), wire);
    live.remove(context.session);
    const late = deadWire();
    live.addWire(context.session, late);
    assert.equal(late.destroyed, true);
    assert.equal(live.refusalOf(context.session)?.endsSession, true);
  });

  it('ends the sessions of a credential that was revoked, and no other', () => {
    const { live, clock, wire } = liveWorld();
    const signal = live.add(session(clock.now() + 5_000), wire);
    live.endOfCredential(asId('c2'));
    assert.equal(signal.aborted, false);
    live.endOfCredential(asId('c1'));
    assert.equal(signal.aborted, true);
  });

  it('ends a session whose credential was revoked while it logged in', () => {
    const { live, clock, wire } = liveWorld();
    live.endOfCredential(asId('c1'));
    assert.equal(live.add(session(clock.now() + 5_000), wire).aborted, true);
  });

  it('says when the last one has left', async () => {
    const { live, clock, wire } = liveWorld();
    live.add(session(clock.now() + 5_000), wire);
    const empty = live.empty();
    live.remove(context.session);
    await empty;
    assert.equal(live.size, 0);
  });
});

describe('addressing', () => {
  it('splits at the last @, as ssh does', () => {
    assert.deepEqual(splitUser('a@b@orders', undefined), { account: 'a@b', targetName: 'orders' });
    assert.deepEqual(splitUser('orders', undefined), { account: undefined, targetName: 'orders' });
    assert.deepEqual(splitUser('@orders', undefined), { account: undefined, targetName: 'orders' });
    assert.deepEqual(splitUser('a@b', 'orders'), { account: 'a@b', targetName: 'orders' });
    assert.deepEqual(splitUser('', 'orders'), { account: undefined, targetName: 'orders' });
  });
});

describe('cancels', () => {
  it('reach only the session that was given the key', () => {
    const cancels = createCancelRegistry();
    const fired: string[] = [];
    const remove = cancels.add('k1', () => fired.push('one'));
    cancels.add('k2', () => fired.push('two'));
    cancels.fire('k1');
    cancels.fire('unknown');
    remove();
    cancels.fire('k1');
    assert.deepEqual(fired, ['one']);
  });
});
