import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Command, SessionContext } from '#core/command.ts';
import { asEpochMs, asId } from '#core/ids.ts';
import type { Capabilities } from '#core/protocol.ts';
import type { ProtocolName } from '#core/target.ts';
import type { LimitName, Verdict } from '#core/verdict.ts';
import { fillFacts, plainIdentity, plainTarget } from './cases.ts';
import { compilePolicies } from './compile.ts';
import type { PolicySet } from './policy-set.ts';
import { formatProblem } from './problems.ts';

const sha256Hex = (): string => 'hash';

const able = (limits?: readonly LimitName[]): Capabilities => ({
  approval: 'notice',
  masking: 'cells',
  recording: 'statements',
  survivesDenial: true,
  ...(limits === undefined ? {} : { limits }),
});

const capabilities: ReadonlyMap<ProtocolName, Capabilities> = new Map([
  ['postgres', able(['rowsReturned', 'bytes', 'time', 'rowsAffected', 'rowsAffectedTotal'])],
  ['mysql', able(['time'])],
  ['ssh', able()],
]);

function problems(rules: string): readonly string[] {
  const files = [{ path: 'p.yaml', text: `rules:\n${rules}\n` }];
  const result = compilePolicies(files, { sha256Hex, capabilities });
  return result.ok ? [] : result.problems.map(formatProblem);
}

function policyOf(rules: string): PolicySet {
  const files = [{ path: 'p.yaml', text: `rules:\n${rules}\n` }];
  const result = compilePolicies(files, { sha256Hex });
  if (!result.ok) assert.fail(result.problems.map(formatProblem).join('\n'));
  return result.policy;
}

const context: SessionContext = {
  session: asId('s'),
  protocol: 'postgres',
  identity: plainIdentity(),
  target: plainTarget('shop', 'postgres'),
  account: 'app',
  namespace: 'shop',
  clientAddress: '',
  clientName: '',
  features: [],
  holdMode: 'wait',
};

function decide(policy: PolicySet, effects: readonly string[]): Verdict {
  const facts = fillFacts({ effects });
  const command: Command = {
    id: asId('c'),
    context,
    kind: 'execute',
    text: '',
    parameters: [],
    state: '',
    facts,
  };
  return policy.decide(command, asEpochMs(0));
}

const postgres = 'match: { protocols: [postgres] }';

test('a limit that a protocol cannot keep refuses the policy, by what the rule can apply to', () => {
  assert.deepEqual(
    problems(`- { id: a, then: allow, ${postgres}, limits: { rowsAffected: 1 } }`),
    [],
  );
  assert.deepEqual(
    problems('- { id: a, then: allow, match: { protocols: [mysql] }, limits: { time: 1s } }'),
    [],
  );
  assert.deepEqual(problems('- { id: a, then: allow, limits: { time: 1s } }'), [
    'p.yaml:2:41: rules[0].limits.time: ssh cannot keep this limit; name the protocols in `match`',
  ]);
  assert.deepEqual(
    problems(
      '- { id: a, then: allow, match: { protocols: [mysql] }, limits: { rowsAffected: 1 } }',
    ),
    ['p.yaml:2:80: rules[0].limits.rowsAffected: mysql cannot keep this limit'],
  );
});

test('limits that make no sense refuse the policy', () => {
  const one = (rule: string): string => problems(`- { id: a, ${postgres}, ${rule} }`).join('\n');
  assert.match(
    one('then: deny, limits: { time: 1s }'),
    /only a rule with 'then: allow' has limits/,
  );
  assert.match(one('then: allow, limits: {}'), /limits without any limit/);
  assert.match(one('then: allow, limits: { rows: 1 }'), /unknown key 'rows'/);
  assert.match(one('then: allow, limits: { rowsReturned: -1 }'), /rowsReturned/);
  assert.match(one('then: allow, limits: { rowsReturned: 1.5 }'), /rowsReturned/);
  assert.match(one('then: allow, limits: { time: soon }'), /'soon' is not a duration/);
  assert.match(one('then: allow, limits: { time: 25h }'), /longer than 24h/);
  assert.match(one('then: allow, limits: { bytes: 10MB }'), /'10MB' is not a size/);
  assert.match(one('then: allow, limits: { bytes: 9999GiB }'), /more than 1024GiB/);
  const hold = 'hold: { reviewers: [group:dba] }';
  assert.match(one(`then: allow, ${hold}`), /has hold terms/);
  assert.match(one(`then: allow, ${hold}, limits: { time: 1s }`), /has hold terms/);
  const lifting = 'hold: { reviewers: [group:dba], mayLift: [ssn] }';
  assert.match(one(`then: allow, ${lifting}, limits: { rowsAffected: 1 }`), /lets masks be lifted/);
  assert.equal(one(`then: allow, ${hold}, limits: { rowsAffected: 1 }`), '');
});

test('of all the rules that allow a command the smallest limit of each kind binds it', () => {
  const policy = policyOf(`
  - { id: a, then: allow }
  - { id: b, then: allow, limits: { rowsReturned: 100, bytes: 2KiB } }
  - { id: c, then: allow, limits: { rowsReturned: 50, time: 2s } }
  - { id: d, then: allow, when: "'delete' in facts.effects", limits: { rowsReturned: 1 } }`);
  assert.deepEqual(decide(policy, ['read']).limits, {
    bounds: {
      rowsReturned: { max: 50, rule: 'c' },
      bytes: { max: 2048, rule: 'b' },
      time: { max: 2000, rule: 'c' },
    },
    release: undefined,
  });
  assert.equal(decide(policy, ['delete']).limits?.bounds.rowsReturned?.rule, 'd');
  assert.equal(decide(policyOf('- { id: a, then: allow }'), ['read']).limits, undefined);
});

test('limits of a rule that cannot be asked bind all the same', () => {
  const policy = policyOf(`
  - { id: a, then: allow }
  - { id: b, then: allow, when: "target.labels.env == 'prod'", limits: { rowsReturned: 1 } }`);
  const verdict = decide(policy, ['read']);
  assert.equal(verdict.rule, 'a');
  assert.equal(verdict.limits?.bounds.rowsReturned?.max, 1);
});

test('limits bind what is allowed, not what people are asked about; observed ones bind nothing', () => {
  const limits = 'limits: { rowsReturned: 1 }';
  const held = policyOf(`
  - { id: h, then: hold, hold: { reviewers: [group:dba] } }
  - { id: a, then: allow, ${limits} }`);
  assert.equal(decide(held, ['read']).limits, undefined);
  const observed = policyOf(`
  - { id: a, then: allow }
  - { id: o, then: allow, mode: observe, ${limits} }`);
  assert.equal(decide(observed, ['read']).limits, undefined);
});

test('people may let a write through only where every rule that counts rows names some', () => {
  const dba = 'hold: { reviewers: [group:dba] }';
  const rule = (id: string, more: string): string =>
    `- { id: ${id}, then: allow, limits: { rowsAffected: 10 }${more} }`;
  const both = policyOf(
    `  ${rule('a', `, ${dba}`)}\n  ${rule('b', ', hold: { reviewers: [group:risk], wait: 1m }')}`,
  );
  const { release } = decide(both, ['delete']).limits ?? {};
  assert.equal(release?.rule, 'a');
  assert.deepEqual(release?.terms.reviewers, ['group:dba']);
  assert.equal(release?.terms.waitMs, 60_000);
  assert.deepEqual(release?.terms.also, [{ rule: 'b', reviewers: ['group:risk'], approvals: 1 }]);
  const one = policyOf(`  ${rule('a', `, ${dba}`)}\n  ${rule('b', '')}`);
  assert.equal(decide(one, ['delete']).limits?.release, undefined);
});

test('a session under limits needs facts, even where no condition reads them', () => {
  assert.equal(policyOf('- { id: a, then: allow }').readsFacts(context), false);
  const limited = policyOf('- { id: a, then: allow, limits: { rowsAffected: 1 } }');
  assert.equal(limited.readsFacts(context), true);
});
