import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Command, SessionContext } from '#core/command.ts';
import type { Effect, Facts } from '#core/facts.ts';
import { asEpochMs, asId, type EpochMs } from '#core/ids.ts';
import type { Outcome, Verdict } from '#core/verdict.ts';
import { fillFacts, plainIdentity, plainTarget, runCases, runTemplateCases } from './cases.ts';
import { compilePolicies, type PolicyOptions } from './compile.ts';
import type { FactsSource, IdentitySource } from './document.ts';
import type { PolicySet } from './policy-set.ts';
import { formatProblem } from './problems.ts';

const sha256Hex = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

function compile(text: string, options: Partial<PolicyOptions> = {}): PolicySet {
  const result = compilePolicies([{ path: 'p.yaml', text }], { sha256Hex, ...options });
  if (!result.ok) throw new Error(result.problems.map(formatProblem).join('\n'));
  return result.policy;
}

interface Setting {
  readonly identity?: IdentitySource;
  readonly target?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly account?: string;
}

function session(setting: Setting = {}): SessionContext {
  return {
    session: asId('s1'),
    protocol: 'postgres',
    identity: plainIdentity(setting.identity),
    target: plainTarget(setting.target ?? 'orders', 'postgres', setting.labels),
    account: setting.account ?? 'app',
    namespace: 'shop',
    clientAddress: '',
    clientName: '',
    features: [],
    holdMode: 'wait',
  };
}

function command(context: SessionContext, facts: Facts, more: Partial<Command> = {}): Command {
  return {
    id: asId('c1'),
    context,
    kind: 'execute',
    text: '',
    parameters: [],
    state: '',
    facts,
    ...more,
  };
}

const noon: EpochMs = asEpochMs(Date.UTC(2026, 10, 22, 12));
const hold = 'hold: { reviewers: [group:dba] }';

/** One decision, in one line. */
function check(rules: string, facts: FactsSource, expected: string, setting?: Setting): void {
  const policy = compile(`rules:\n${rules}`);
  const verdict = policy.decide(command(session(setting), fillFacts(facts)), noon);
  assert.equal(`${verdict.outcome} ${verdict.rule}`, expected);
}

test('what no rule allows is denied', () => {
  check('- { id: a, then: allow, when: "\'read\' in facts.effects" }', {}, 'deny default');
});

test('the most restrictive outcome wins, whatever the order', () => {
  const rules = [
    '{ id: a, then: allow }',
    `{ id: h, then: hold, ${hold} }`,
    '{ id: d, then: deny }',
  ];
  for (const order of [rules, rules.toReversed()]) {
    check(order.map((rule) => `- ${rule}`).join('\n'), {}, 'deny d');
    check(
      order
        .filter((rule) => !rule.includes('deny'))
        .map((r) => `- ${r}`)
        .join('\n'),
      {},
      'hold h',
    );
  }
});

test('an expression that fails counts against the command', () => {
  const when = 'when: "target.labels.env == \'prod\'"';
  check(`- { id: a, then: allow }\n- { id: d, then: deny, ${when} }`, {}, 'deny d');
  check(`- { id: a, then: allow }\n- { id: h, then: hold, ${hold}, ${when} }`, {}, 'hold h');
  check(`- { id: a, then: allow, ${when} }`, {}, 'deny default');
  check(`- { id: a, then: allow, ${when} }`, {}, 'allow a', { labels: { env: 'prod' } });
});

test('labels named like members of an object are only labels', () => {
  const when = 'when: "has(target.labels.constructor) || has(target.labels.toString)"';
  check(`- { id: a, then: allow, ${when} }`, {}, 'deny default');
  check('- { id: a, then: allow, match: { targets: { constructor: x } } }', {}, 'deny default');
});

test('observe rules report and decide nothing', () => {
  const policy = compile(
    `rules:
  - { id: a, then: allow }
  - { id: d, then: deny, mode: observe }
  - { id: n, then: deny, mode: observe, when: "false" }`,
  );
  const verdict = policy.decide(command(session(), fillFacts({})), noon);
  assert.equal(verdict.outcome, 'allow');
  assert.deepEqual(verdict.observed, [{ rule: 'd', outcome: 'deny' }]);
});

test('all hold rules that match have to be met, under the shortest times', () => {
  const policy = compile(`
rules:
  - { id: one, then: hold, hold: { reviewers: [group:dba], wait: 1h, valid: 5m } }
  - id: two
    then: hold
    hold: { reviewers: [group:privacy], approvals: 2, wait: 10m, valid: 1h }
  - { id: three, then: hold, when: "false", hold: { reviewers: [group:x] } }`);
  const verdict = policy.decide(command(session(), fillFacts({})), noon);
  assert.deepEqual(verdict.hold, {
    reviewers: ['group:dba'],
    approvals: 1,
    waitMs: 600_000,
    validMs: 300_000,
    also: [{ rule: 'two', reviewers: ['group:privacy'], approvals: 2 }],
  });
});

test('what an approval may lift is the sum of what the rules let it', () => {
  const policy = compile(`
rules:
  - { id: one, then: hold, hold: { reviewers: [group:dba], mayLift: [ssn] } }
  - { id: two, then: hold, hold: { reviewers: [group:privacy], mayLift: [card, ssn] } }
  - { id: three, then: hold, hold: { reviewers: [group:dba] } }
masks:
  - { id: ssn, columns: [public.customers.ssn], with: redact }
  - { id: card, columns: [public.customers.card], with: redact }`);
  const verdict = policy.decide(command(session(), fillFacts({})), noon);
  assert.deepEqual(verdict.hold?.mayLift, ['ssn', 'card']);
});

test('match looks at identity, target, protocol and account', () => {
  const rule = (match: string): string => `- { id: a, then: allow, match: { ${match} } }`;
  const setting: Setting = {
    identity: {
      id: 'github/repo-7',
      groups: ['ci'],
      roles: ['member'],
      owner: 'okta/ann',
    },
    target: 'orders-eu',
    labels: { env: 'prod', tier: '1' },
    account: 'readonly',
  };
  const fits = [
    'identities: ["group:ci"]',
    'identities: ["identity:github/*"]',
    'identities: ["role:admin", "kind:workload"]',
    'identities: ["owner:okta/ann"]',
    'identities: ["issuer:github"]',
    'targets: { env: prod }',
    'targets: { env: [dev, prod], tier: "1" }',
    'targets: orders-*',
    'targets: [billing, { tier: "1" }]',
    'protocols: [postgres]',
    'accounts: [read*]',
  ];
  for (const match of fits) check(rule(match), {}, 'allow a', setting);
  const misses = [
    'identities: ["group:c"]',
    'identities: ["identity:gitlab/*"]',
    'identities: ["role:admin"]',
    'targets: { env: prod, tier: "2" }',
    'targets: order',
    'protocols: [mysql]',
    'accounts: [app]',
    'identities: ["group:ci"], targets: { env: dev }',
  ];
  for (const match of misses) check(rule(match), {}, 'deny default', setting);
});

test('a cached verdict never answers for something that a rule would have looked at', () => {
  const policy = compile(`
rules:
  - { id: text, then: deny, when: "command.text.contains('secret')" }
  - { id: prepare, then: deny, when: "command.kind == 'prepare' && command.parameterCount > 1" }
  - { id: night, then: deny, when: "time.hour < 6 || time.weekday == 'sun'" }
  - { id: ended, then: deny, when: "time.now >= timestamp('2026-12-01T00:00:00Z')" }
  - { id: reads, then: allow, when: "'read' in facts.effects" }`);
  const facts = fillFacts({ effects: ['read'] });
  const context = session();
  const saturday = asEpochMs(Date.UTC(2026, 10, 21, 12));
  const value = { type: '', format: 'text', bytes: null } as const;
  const ask = (more: Partial<Command>, now: EpochMs = saturday): string =>
    policy.decide(command(context, facts, more), now).rule;
  for (let round = 0; round < 3; round += 1) {
    assert.equal(ask({ text: 'select 1' }), 'reads');
    assert.equal(ask({ text: 'select secret' }), 'text');
    assert.equal(ask({ kind: 'prepare', parameters: [value] }), 'reads');
    assert.equal(ask({ kind: 'prepare', parameters: [value, value] }), 'prepare');
    assert.equal(ask({}, asEpochMs(Date.UTC(2026, 10, 21, 5))), 'night');
    assert.equal(ask({}, asEpochMs(Date.UTC(2026, 10, 22, 12))), 'night');
    assert.equal(ask({}, asEpochMs(Date.UTC(2026, 10, 30, 23, 59, 59, 999))), 'reads');
    assert.equal(ask({}, asEpochMs(Date.UTC(2026, 11, 1, 0))), 'night');
    assert.equal(ask({}, asEpochMs(Date.UTC(2026, 11, 1, 6))), 'ended');
  }
});

test('one Facts object in two sessions is judged for each', () => {
  const policy = compile('rules: [{ id: a, then: allow, match: { identities: ["group:ci"] } }]');
  const facts = fillFacts({});
  const inside = session({ identity: { groups: ['ci'] } });
  const outside = session();
  for (let round = 0; round < 2; round += 1) {
    assert.equal(policy.decide(command(inside, facts), noon).outcome, 'allow');
    assert.equal(policy.decide(command(outside, facts), noon).outcome, 'deny');
  }
});

test('the cache agrees with a fresh policy on any sequence of commands', () => {
  const source = `
rules:
  - { id: d1, then: deny, when: "'drop' in facts.effects && time.hour < 12" }
  - { id: d2, then: deny, when: "command.text.matches('^x+$')" }
  - { id: h1, then: hold, ${hold}, when: "command.parameterCount > 1 || account == 'root'" }
  - { id: o1, then: deny, mode: observe, when: "command.kind == 'prepare'" }
  - { id: a1, then: allow, when: "facts.effects.all(e, e in ['read', 'drop'])" }
  - { id: a2, then: allow, when: "time.now > timestamp('2026-06-01T00:00:00Z')" }`;
  const pool = [['read'], ['drop'], ['read', 'drop'], ['insert']].map((effects) =>
    fillFacts({ effects }),
  );
  const sessions = [session(), session({ account: 'root' })];
  const value = { type: '', format: 'text', bytes: null } as const;
  const ask = fc.record({
    facts: fc.constantFrom(...pool),
    context: fc.constantFrom(...sessions),
    text: fc.constantFrom('x', 'y', 'xx'),
    kind: fc.constantFrom('execute' as const, 'prepare' as const),
    count: fc.integer({ min: 0, max: 2 }),
    now: fc.integer({ min: Date.UTC(2026, 4, 30), max: Date.UTC(2026, 5, 3) }),
  });
  fc.assert(
    fc.property(fc.array(ask, { maxLength: 30 }), (asks) => {
      const policy = compile(source);
      for (const { facts, context, text, kind, count, now } of asks) {
        const parameters = Array.from({ length: count }, () => value);
        const one = command(context, facts, { text, kind, parameters });
        const got = policy.decide(one, asEpochMs(now));
        assert.deepEqual(got, compile(source).decide(one, asEpochMs(now)));
      }
    }),
    { numRuns: 25 },
  );
});

test('adding a rule never makes a decision more permissive, unless it allows', () => {
  const severity: Readonly<Record<Outcome, number>> = { allow: 0, hold: 1, deny: 2 };
  const effect = fc.constantFrom<Effect>('read', 'insert', 'drop', 'unknown');
  const rule = fc.record({
    outcome: fc.constantFrom<Outcome>('allow', 'hold', 'deny'),
    effect,
    all: fc.boolean(),
  });
  const source = (rules: readonly { outcome: Outcome; effect: Effect; all: boolean }[]): string =>
    `rules:\n${rules
      .map(
        (each, index) =>
          `- { id: r${index}, then: ${each.outcome}, ` +
          `${each.outcome === 'hold' ? `${hold}, ` : ''}` +
          `when: "facts.effects.${each.all ? 'all' : 'exists'}(e, e == '${each.effect}')" }`,
      )
      .join('\n')}`;
  fc.assert(
    fc.property(
      fc.array(rule, { minLength: 1, maxLength: 5 }),
      rule,
      fc.array(effect, { maxLength: 3 }),
      (rules, added, effects) => {
        const one = command(session(), fillFacts({ effects }));
        const before = compile(source(rules)).decide(one, noon);
        const after = compile(source([...rules, added])).decide(one, noon);
        const stricter = severity[after.outcome] >= severity[before.outcome];
        // Only `default` can give way to a rule, and then a rule that matches is named.
        assert.ok(stricter || before.rule === 'default', `${before.rule} -> ${after.rule}`);
        if (before.rule === 'default' && after.outcome === 'allow')
          assert.equal(added.outcome, 'allow');
      },
    ),
    { numRuns: 60 },
  );
});

test('the work for one command is bounded, and running out of it counts against it', () => {
  const policy = compile(`
rules:
  - { id: d, then: deny, when: "facts.objects.exists(o, facts.functions.exists(f, f == o.name))" }
  - { id: a, then: allow, when: "facts.objects.all(o, o.access == 'read')" }`);
  const many = (count: number): Facts =>
    fillFacts({
      objects: Array.from({ length: count }, (_, i) => ({
        kind: 'table',
        name: `t${i}`,
        access: 'read',
      })),
      functions: Array.from({ length: count }, (_, i) => `f${i}`),
    });
  assert.equal(policy.decide(command(session(), many(100)), noon).rule, 'a');
  assert.equal(policy.decide(command(session(), many(5_000)), noon).rule, 'd');
  const text = compile(`
rules:
  - { id: d, then: deny, when: "command.text.contains('x')" }
  - { id: a, then: allow }`);
  const long = 'y'.repeat(4 * 1024 * 1024);
  assert.equal(text.decide(command(session(), fillFacts({}), { text: long }), noon).rule, 'd');
});

test('masks and rules look at the purpose of the grant', () => {
  const policy = compile(`
rules:
  - { id: reads, then: allow, match: { purposes: [support, billing] } }
  - { id: research, then: deny, when: "session.purpose == 'research'" }
masks:
  - { id: all, columns: [public.customers.ssn], with: redact }
  - { id: name, columns: [public.customers.name], with: redact, unless: { purposes: [support] } }
  - { id: card, columns: [public.customers.card], with: redact, match: { purposes: [support] } }`);
  const seen = (purpose?: string): string => {
    const context = { ...session(), purpose };
    const { outcome, rule } = policy.decide(command(context, fillFacts({})), noon);
    const masks = policy.maskRules(context).map(({ id }) => id);
    return `${outcome} ${rule}: ${masks.join(' ')}`;
  };
  assert.equal(seen(), 'deny default: all name');
  assert.equal(seen('support'), 'allow reads: all card');
  assert.equal(seen('billing'), 'allow reads: all name');
  assert.equal(seen('research'), 'deny research: all name');
});

test('masks are narrowed to identity and target', () => {
  const policy = compile(`
rules: [{ id: a, then: allow }]
masks:
  - { id: m1, columns: [public.customers.ssn], with: redact }
  - { id: m2, detect: [iban], with: 'null', match: { targets: { env: prod } } }
  - id: m3
    columns: ['*.*.email']
    with: { partial: { keepDomain: true } }
    unless: { identities: ["group:dba"] }
  - { id: m4, columns: [a.b.c], with: hash }
  - { id: m5, columns: [a.b.d], with: { fixed: x }, match: { identities: ["kind:human"] } }`);
  const ids = (setting: Setting): string => {
    const { identity, target } = session(setting);
    return policy
      .maskRules({ identity, target })
      .map(({ id }) => id)
      .join(' ');
  };
  assert.equal(ids({}), 'm1 m3 m4');
  assert.equal(ids({ labels: { env: 'prod' } }), 'm1 m2 m3 m4');
  assert.equal(ids({ identity: { groups: ['dba'] } }), 'm1 m4');
  assert.equal(ids({ identity: { kind: 'human' } }), 'm1 m3 m4 m5');
  const { identity, target } = session({ labels: { env: 'prod' } });
  assert.deepEqual(
    policy.maskRules({ identity, target }).map(({ transform }) => transform),
    [
      { kind: 'redact' },
      { kind: 'null' },
      { kind: 'partial', keepStart: 0, keepEnd: 0, keepDomain: true },
      { kind: 'hash', scope: 'm4' },
    ],
  );
});

test('explain says why each rule matches or not', () => {
  const policy = compile(`
rules:
  - { id: a, then: allow, when: "facts.analysis == 'complete' && 'read' in facts.effects" }
  - { id: d, then: deny, match: { targets: { env: prod } } }
  - { id: e, then: deny, when: "target.labels.team == 'x'" }`);
  const got = policy
    .explain(command(session(), fillFacts({ effects: ['drop'] })), noon)
    .map(({ rule, matched, because, where }) => `${rule} ${where} ${matched} ${because}`);
  assert.deepEqual(got, [
    'd p.yaml:4 false target orders is not env=prod',
    'e p.yaml:5 true target.labels.team == "x" cannot be evaluated: field not found: team; ' +
      'counts as a match for deny',
    'a p.yaml:3 false "read" in facts.effects is false',
  ]);
});

test('the version changes with anything that can change a verdict, and with nothing else', () => {
  const base = 'rules: [{ id: a, then: allow, when: "true" }]';
  const { version } = compile(base);
  assert.match(version, /^[0-9a-f]{64}$/);
  assert.equal(compile(`# a comment\n${base}`).version, version);
  assert.equal(compile(`${base}\ntests: []`).version, version);
  assert.notEqual(compile(base.replace('"true"', '"false"')).version, version);
  assert.notEqual(compile(base.replace('id: a', 'id: b')).version, version);
  assert.notEqual(
    compile(`${base}\nmasks: [{ id: m, columns: [a.b.c], with: redact }]`).version,
    version,
  );
});

test('the templates pass their cases', () => {
  const results = runTemplateCases();
  assert.ok(results.length > 30);
  assert.deepEqual(
    results.filter(({ ok }) => !ok),
    [],
  );
});

test('the default policy loads and passes its tests', async () => {
  const path = 'policies/default.yaml';
  const text = readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
  const result = compilePolicies([{ path, text }], {
    sha256Hex,
    capabilities: new Map([
      [
        'postgres',
        {
          approval: 'notice',
          masking: 'cells',
          recording: 'statements',
          survivesDenial: true,
          limits: ['rowsAffected', 'rowsAffectedTotal'],
        },
      ],
    ]),
  });
  assert.ok(result.ok, result.ok ? '' : result.problems.map(formatProblem).join('\n'));
  const results = await runCases(result.policy, result.cases);
  assert.ok(results.length > 10);
  assert.deepEqual(
    results.filter(({ ok }) => !ok),
    [],
  );
});

test('a test with the wrong expectation fails and says what came', async () => {
  const result = compilePolicies(
    [
      {
        path: 'p.yaml',
        text: `rules: [{ id: a, then: allow }]
tests:
  - { name: one, command: { facts: {} }, expect: deny }
  - { name: two, command: { input: SELECT 1 }, expect: allow }`,
      },
    ],
    { sha256Hex },
  );
  assert.ok(result.ok);
  const bare = await runCases(result.policy, result.cases);
  assert.deepEqual(bare, [
    { name: 'p.yaml:3 one', ok: false, message: 'expected deny, got allow by a' },
    {
      name: 'p.yaml:4 two',
      ok: false,
      message: 'it has input but no facts, and no analyser is at hand',
    },
  ]);
  const analyse = async (): Promise<{ text: string; facts: Facts }[]> => [
    { text: 'SELECT 1', facts: fillFacts({ effects: ['read'] }) },
  ];
  const analysed = await runCases(result.policy, result.cases, analyse);
  assert.equal(analysed[1]?.ok, true);
});

test('a verdict holds no part of the command', () => {
  const policy = compile('rules: [{ id: d, then: deny, when: "command.text == facts.verbs[0]" }]');
  const verdict: Verdict = policy.decide(
    command(session(), fillFacts({}), { text: 'hidden-value' }),
    noon,
  );
  assert.doesNotMatch(JSON.stringify(verdict), /hidden-value/);
});
