import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { type Facts, opaqueFacts } from '#core/facts.ts';
import { asEpochMs, asId } from '#core/ids.ts';
import type { PastCommand, PolicyWorld } from '#core/ports/policy-tools.ts';
import { fillFacts, plainIdentity, plainTarget } from '#policy/cases.ts';
import { policyTools } from '#policy/tools.ts';
import {
  checkPolicy,
  explainLines,
  explainPolicy,
  type PolicyCommandContext,
  simulatePolicy,
  testPolicy,
} from './policy.ts';

const tools = policyTools({
  sha256Hex: (bytes) => createHash('sha256').update(bytes).digest('hex'),
});

const source = `
rules:
  - { id: drops, then: deny, when: "'drop' in facts.effects", reason: no drops }
  - { id: trial, then: hold, mode: observe, hold: { reviewers: [group:dba] } }
  - { id: ci, then: allow, match: { identities: ["group:ci"], targets: { env: prod } } }
tests:
  - name: drop
    command: { facts: { effects: [drop] } }
    expect: { outcome: deny, rule: drops }`;

const world: PolicyWorld = {
  now: asEpochMs(Date.UTC(2026, 0, 1)),
  target: (name) =>
    name === 'orders' ? plainTarget('orders', 'postgres', { env: 'prod' }) : undefined,
  identity: async (id) => (id === 'gh/1' ? plainIdentity({ id, groups: ['ci'] }) : undefined),
  place: () => ({ account: 'app', namespace: 'shop' }),
  analyse: async (input) => {
    if (typeof input !== 'string') throw new Error('not a text');
    return input.split(';').map((text): { text: string; facts: Facts } => ({
      text,
      facts: text.includes('DROP')
        ? fillFacts({ effects: ['drop'] })
        : fillFacts({ effects: ['read'] }),
    }));
  },
};

function run(text: string, json = false): { lines: string[]; context: PolicyCommandContext } {
  const lines: string[] = [];
  const say = (line: string): void => {
    lines.push(line);
  };
  const output = { line: say, error: say };
  return { lines, context: { tools, files: [{ path: 'p.yaml', text }], output, json } };
}

async function* from(lines: readonly string[]): AsyncGenerator<string> {
  yield* lines;
}

test('check says what is wrong, where', async () => {
  const good = run(source);
  assert.equal(await checkPolicy(good.context), 0);
  assert.match(good.lines[0] ?? '', /^ok: 3 rules, 0 masks, 1 tests; [0-9a-f]{64}$/);
  const bad = run(source.replace("'drop' in", "'dropp' in"));
  assert.equal(await checkPolicy(bad.context), 1);
  assert.deepEqual(bad.lines, [
    "p.yaml:3:44: rules[0].when: 'dropp' is not a value that can occur here (did you mean 'drop'?)",
  ]);
});

test('test runs the tests of the policy and of the templates', async () => {
  const good = run(source);
  assert.equal(await testPolicy(good.context, undefined), 0);
  assert.match(good.lines[0] ?? '', /^\d+ passed, 0 failed$/);
  const bad = run(source.replace('outcome: deny', 'outcome: allow'));
  assert.equal(await testPolicy(bad.context, undefined), 1);
  assert.equal(bad.lines[0], 'FAIL p.yaml:7 drop: expected allow by drops, got deny by drops');
  const broken = run('rules: 7');
  assert.equal(await testPolicy(broken.context, undefined), 1);
  assert.match(broken.lines[0] ?? '', /^SP_CONFIG /);
});

test('explain answers each line of JSON with a line of JSON', async () => {
  const { lines, context } = run(source);
  const requests = [
    { id: 'a', protocol: 'postgres', target: 'orders', identity: 'gh/1', input: 'SELECT 1' },
    { id: 'b', target: 'orders', identity: 'gh/1', input: 'SELECT 1;DROP TABLE t' },
    { id: 'c', target: 'orders', identity: { id: 'x/y', groups: ['dev'] }, input: 'SELECT 1' },
    { id: 'd', target: 'nowhere', input: 'SELECT 1' },
    { id: 'e', protocol: 'mysql', target: 'orders', input: 'SELECT 1' },
    { id: 'f', target: 'orders', input: 7 },
    { id: 'g' },
  ];
  const input = [...requests.map((each) => JSON.stringify(each)), '{not json', ''];
  assert.equal(await explainLines(context, world, from(input)), 1);
  const answers = lines.map((line): Record<string, unknown> => JSON.parse(line));
  assert.deepEqual(
    answers.map(({ id, verdict, rule, error }) => [id, verdict ?? error, rule]),
    [
      ['a', 'allow', 'ci'],
      ['b', 'deny', 'drops'],
      ['c', 'deny', 'default'],
      ['d', "no target 'nowhere'", undefined],
      ['e', "target 'orders' speaks postgres, not mysql", undefined],
      ['f', 'it could not be analysed: not a text', undefined],
      ['g', 'target: Invalid input: expected string, received undefined', undefined],
      [undefined, 'the line is not JSON', undefined],
    ],
  );
  assert.deepEqual(answers[0]?.['observed'], [{ rule: 'trial', outcome: 'hold' }]);
  assert.equal(answers[0]?.['reason'], 'rule ci');
  assert.deepEqual(answers[1]?.['facts'], fillFacts({ effects: ['read', 'drop'] }));
});

test('what the command line names holds for lines that do not', async () => {
  const { lines, context } = run(source);
  const requests = [
    { id: 1, input: 'SELECT 1' },
    { id: 2, identity: 'gh/2', input: 'SELECT 1' },
    7,
  ];
  const input = requests.map((each) => JSON.stringify(each));
  const defaults = { target: 'orders', identity: 'gh/1' };
  assert.equal(await explainLines(context, world, from(input), defaults), 1);
  const answers = lines.map((line): Record<string, unknown> => JSON.parse(line));
  assert.deepEqual(
    answers.map(({ id, verdict, identityKnown }) => [id, verdict, identityKnown]),
    [
      [1, 'allow', undefined],
      [2, 'deny', false],
      [undefined, undefined, undefined],
    ],
  );
});

test('explain of one statement shows every rule, and its exit code is the verdict', async () => {
  const { lines, context } = run(source);
  const where = { target: 'orders', identity: 'gh/1' };
  assert.equal(await explainPolicy(context, world, ['DROP TABLE t'], where), 3);
  assert.deepEqual(lines, [
    'DROP TABLE t',
    '  deny by drops: no drops',
    '  effects drop; analysis complete',
    "  * deny  drops  p.yaml:3  'drop' in facts.effects",
    '  * hold  trial (observe)  p.yaml:4  it has no condition',
    '  * allow ci  p.yaml:5  it has no condition',
  ]);
  assert.equal(await explainPolicy(context, world, ['SELECT 1'], where), 0);
  assert.equal(await explainPolicy(context, world, ['SELECT 1', 'DROP TABLE t'], where), 3);
  assert.equal(await explainPolicy(context, world, ['SELECT 1'], { target: 'nowhere' }), 1);
});

const past = (id: string, facts: Facts, outcome: 'allow' | 'deny', rule: string): PastCommand => ({
  id,
  at: asEpochMs(Date.UTC(2026, 0, 1)),
  identity: plainIdentity({ id: 'gh/1', groups: ['ci'] }),
  target: plainTarget('orders', 'postgres', { env: 'prod' }),
  account: 'app',
  namespace: 'shop',
  session: asId('s'),
  kind: 'execute',
  text: `text of ${id}\u001b[2J`,
  parameterCount: 0,
  facts,
  verdict: { outcome, rule },
});

test('simulate lists what would change, and counts', async () => {
  const { lines, context } = run(source);
  const commands = [
    past('one', fillFacts({ effects: ['read'] }), 'allow', 'ci'),
    past('two', fillFacts({ effects: ['drop'] }), 'allow', 'old'),
    past('three', opaqueFacts('x'), 'deny', 'old'),
  ];
  const head = '2026-01-01T00:00:00.000Z gh/1 app@orders';
  assert.equal(await simulatePolicy(context, commands), 0);
  assert.deepEqual(lines, [
    `${head}: allow (old) → deny (drops)  two  text of two\\u{1b}[2J`,
    `${head}: deny (old) → allow (ci)  three  text of three\\u{1b}[2J`,
    '3 commands; 1 allow → deny, 1 deny → allow',
  ]);
});
