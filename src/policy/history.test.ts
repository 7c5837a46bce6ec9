/** What rules can ask of the past: novelty and budgets. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Command, SessionContext } from '#core/command.ts';
import type { Facts } from '#core/facts.ts';
import type { History } from '#core/history.ts';
import { asEpochMs, asId } from '#core/ids.ts';
import { fillFacts, plainHistory, plainIdentity, plainTarget, runCases } from './cases.ts';
import { compilePolicies } from './compile.ts';
import type { PolicySet } from './policy-set.ts';
import { formatProblem } from './problems.ts';
import { historyFromJson } from './simulate.ts';

const sha256Hex = (): string => 'hash';
const now = asEpochMs(Date.UTC(2026, 10, 22, 12));
const HOUR_MS = 3_600_000;

function problems(rules: string): string {
  const result = compilePolicies([{ path: 'p.yaml', text: `rules:\n${rules}\n` }], { sha256Hex });
  return result.ok ? '' : result.problems.map(formatProblem).join('\n');
}

function policyOf(rules: string): PolicySet {
  const result = compilePolicies([{ path: 'p.yaml', text: `rules:\n${rules}\n` }], { sha256Hex });
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

const command = (facts: Facts, history?: History): Command => ({
  id: asId('c'),
  context,
  kind: 'execute',
  text: '',
  parameters: [],
  state: '',
  facts,
  ...(history === undefined ? {} : { history }),
});

const insert = fillFacts({
  effects: ['insert'],
  objects: [{ kind: 'table', name: 'public.orders', access: 'write' }],
  fingerprint: 'f',
});
const hold = 'hold: { reviewers: [group:dba] }';
const known = plainHistory(insert, { novel: false });
const fresh = plainHistory(insert, { novel: true });

test('a rule sees what is new, as a whole and by kind', () => {
  const policy = policyOf(`
  - { id: all, then: allow }
  - { id: new, then: hold, ${hold}, when: facts.novel }
  - id: table
    then: deny
    when: facts.novelties.exists(n, n.kind == 'table' && n.access == 'write' && n.name == 'x')`);
  assert.equal(policy.decide(command(insert, known), now).rule, 'all');
  assert.equal(policy.decide(command(insert, fresh), now).rule, 'new');
  const table = { kind: 'table', name: 'x', access: 'write' };
  assert.equal(policy.decide(command(insert, { ...fresh, novel: [table] }), now).rule, 'table');
});

test('a past that nobody knows is new, and uses every budget up', () => {
  const policy = policyOf(`
  - { id: all, then: allow }
  - { id: new, then: deny, when: facts.novel }`);
  assert.equal(policy.decide(command(insert), now).rule, 'new');
  const budget = policyOf(`
  - { id: all, then: allow }
  - { id: asks, then: deny, budget: { maskedFilters: 1000, per: 1s } }`);
  assert.equal(budget.decide(command(asking), now).rule, 'asks');
  assert.equal(budget.decide(command(insert), now).rule, 'all');
});

test('a cached verdict does not answer for another past', () => {
  const policy = policyOf(`
  - { id: all, then: allow }
  - { id: new, then: deny, when: facts.novel }
  - { id: young, then: deny, when: "facts.doneSince > timestamp('2026-11-01T00:00:00Z')" }`);
  const old: History = { ...known, since: asEpochMs(Date.UTC(2026, 9, 1)) };
  const young: History = { ...known, since: asEpochMs(Date.UTC(2026, 10, 2)) };
  const rule = (history?: History): string => policy.decide(command(insert, history), now).rule;
  for (let round = 0; round < 3; round += 1) {
    assert.equal(rule(fresh), 'new');
    assert.equal(rule(old), 'all');
    assert.equal(rule(young), 'young');
    assert.equal(rule(), 'new');
    assert.equal(rule({ ...fresh }), 'new');
  }
});

test('how long something has been done can be asked, and what is new is never old', () => {
  const policy = policyOf(`
  - { id: old, then: allow, when: "time.now - facts.doneSince > duration('24h')" }`);
  const ask = (since: number | undefined): string => {
    const at = since === undefined ? undefined : asEpochMs(since);
    return policy.decide(command(insert, { ...fresh, since: at }), now).rule;
  };
  assert.equal(ask(now - 25 * HOUR_MS), 'old');
  assert.equal(ask(now - 23 * HOUR_MS), 'default');
  assert.equal(ask(undefined), 'default');
});

const asking = fillFacts({
  effects: ['read'],
  columns: [{ name: 'public.people.ssn', use: 'filter', masked: true }],
});

test('a rule with a budget matches when it is used up, in its window, and not before', () => {
  const policy = policyOf(`
  - { id: all, then: allow }
  - id: asks
    use: masked-filter
    budget: { maskedFilters: 2, per: 1h }
    then: hold
    ${hold}
  - { id: far, then: deny, budget: { maskedFilters: 3, per: 24h } }`);
  const times: number[] = [];
  const history: History = {
    ...plainHistory(asking, { novel: false }),
    told: (since) => times.filter((at) => at >= since).length,
  };
  const ask = (ms: number): string => policy.decide(command(asking, history), asEpochMs(ms)).rule;
  assert.equal(ask(now), 'all');
  times.push(now, now + 1);
  assert.equal(ask(now + 2), 'asks');
  assert.equal(ask(now + 2 + HOUR_MS), 'all', 'the window slides');
  times.push(now + 3);
  assert.equal(ask(now + 4 + HOUR_MS), 'far');
  assert.equal(policy.decide(command(insert, known), now).rule, 'all');
  assert.equal(policy.readsFacts(context), true);
  const because = policy
    .explain(command(asking, history), asEpochMs(now + 4))
    .map((each) => `${each.rule}: ${each.matched} ${each.because}`);
  assert.match(because.join('\n'), /asks: true .* && its budget of 2 is used up/);
  const words = policy.explain(command(asking, plainHistory(asking, {})), now);
  assert.equal(words[0]?.because, '3 of its budget of 3 are left');
});

test('an observed budget reports and decides nothing', () => {
  const policy = policyOf(`
  - { id: all, then: allow }
  - { id: asks, then: deny, mode: observe, budget: { maskedFilters: 1, per: 1h } }`);
  const ask = (maskedFilters: number): string => {
    const history = plainHistory(asking, { novel: false, maskedFilters });
    const { rule, observed } = policy.decide(command(asking, history), now);
    return [rule, ...observed.map((each) => each.rule)].join();
  };
  assert.equal(ask(0), 'all');
  assert.equal(ask(1), 'all,asks');
});

test('budgets that make no sense refuse the policy', () => {
  const one = (rule: string): string => problems(`- { id: a, ${rule} }`);
  assert.match(one('then: allow, budget: { maskedFilters: 1, per: 1h }'), /says when a rule/);
  assert.match(one('then: deny, budget: { maskedFilters: 1, per: soon }'), /not a duration/);
  assert.match(one('then: deny, budget: { maskedFilters: 1, per: 25h }'), /longer than/);
  assert.match(one('then: deny, budget: { maskedFilters: 5000, per: 1h }'), /maskedFilters/);
  assert.match(one('then: deny, budget: { filters: 5, per: 1h }'), /unknown key 'filters'/);
  assert.match(one('then: deny, when: facts.novelty.size() > 0'), /novelty/);
});

test('a test of a policy says what is new and how much was asked', async () => {
  const text = `
rules:
  - { id: all, then: allow }
  - { id: new, use: novel, then: hold, ${hold} }
  - { id: asks, use: masked-filter, then: deny, budget: { maskedFilters: 20, per: 1h } }
tests:
  - { name: known, command: { facts: { effects: [insert] } }, expect: allow }
  - name: new
    command: { facts: { effects: [insert], fingerprint: f }, history: { novel: true } }
    expect: { outcome: hold, rule: new }
  - name: asked too often
    command:
      facts: { columns: [{ name: a.b.c, use: filter, masked: true }] }
      history: { maskedFilters: 20 }
    expect: { outcome: deny, rule: asks }
  - name: asked
    command:
      facts: { columns: [{ name: a.b.c, use: filter, masked: true }] }
      history: { maskedFilters: 19 }
    expect: allow
`;
  const result = compilePolicies([{ path: 'p.yaml', text }], { sha256Hex });
  if (!result.ok) assert.fail(result.problems.map(formatProblem).join('\n'));
  const results = await runCases(result.policy, result.cases);
  assert.deepEqual(
    results.filter(({ ok }) => !ok),
    [],
  );
  assert.equal(results.length, 4);
});

test('a recorded past is what it was; one that is not understood makes everything new', () => {
  const told = { kind: 'table', name: 'public.orders', access: 'write' };
  const read = (text: string): string => {
    const history = historyFromJson(text, asking);
    if (history === undefined) return 'unknown';
    return `${history.novel.length} ${history.since} ${history.told(now)}`;
  };
  assert.equal(read(JSON.stringify({ novel: [told], since: null })), '1 undefined 0');
  assert.equal(read(JSON.stringify({ novel: [], since: 5 })), '0 5 0');
  for (const text of ['', '{}', '[]', '{"novel":[1],"since":5}', '{"novel":[]}']) {
    assert.equal(read(text), 'unknown');
  }
  assert.equal(historyFromJson('{"novel":[],"since":1}', insert)?.told(now), undefined);
});
