import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { SessionContext } from '#core/command.ts';
import type { Capabilities } from '#core/protocol.ts';
import type { ProtocolName } from '#core/target.ts';
import { bind, contextValues, factsEntries, factsValue, hourOf, weekdayOf } from './bindings.ts';
import { fillFacts, plainIdentity, plainTarget } from './cases.ts';
import { compilePolicies, type PolicyOptions } from './compile.ts';
import { compileCondition } from './expression.ts';
import { type Fields, inputs, weekdayNames } from './inputs.ts';
import { formatProblem } from './problems.ts';
import { factsFromJson } from './simulate.ts';
import { unknownHistory } from '#core/history.ts';
import { asEpochMs, asId } from '#core/ids.ts';

const sha256Hex = (): string => 'hash';

function problems(text: string, options: Partial<PolicyOptions> = {}): readonly string[] {
  const result = compilePolicies([{ path: 'p.yaml', text }], { sha256Hex, ...options });
  return result.ok ? [] : result.problems.map(formatProblem);
}

/** The one problem of a policy. */
function check(text: string, expected: string, options: Partial<PolicyOptions> = {}): void {
  assert.deepEqual(problems(text, options), [expected]);
}

const allow = '- { id: a, then: allow }';

test('all problems are told at once, each with its place', () => {
  const text = `rules:
  - id: Upper
    then: alow
  - id: a
    thn: deny
    then: allow
  - id: b
    then: deny
    match: { identitys: [group:x] }
mask: []
`;
  assert.deepEqual(problems(text), [
    'p.yaml:2:9: rules[0].id: an id is lower case letters, digits, `.`, `_`, `-`',
    'p.yaml:3:11: rules[0].then: Invalid option: expected one of "allow"|"hold"|"deny"',
    "p.yaml:5:10: rules[1].thn: unknown key 'thn' (did you mean 'then'?)",
    "p.yaml:9:25: rules[2].match.identitys: unknown key 'identitys' (did you mean 'identities'?)",
    "p.yaml:10:7: mask: unknown key 'mask' (did you mean 'masks'?)",
  ]);
});

test('a mistake in an expression is placed inside it, however it is quoted', () => {
  const at = (when: string, place: string): void =>
    check(
      `rules:\n  - id: a\n    then: allow\n    when: ${when}\n`,
      `p.yaml:${place}: rules[0].when: unknown field 'efects' of 'facts' (did you mean 'effects'?)`,
    );
  at('facts.efects == []', '4:16');
  at("facts.analysis == 'complete' && facts.efects == []", '4:48');
  at('"facts.efects == []"', '4:17');
  at('|\n      true &&\n      facts.efects == []', '6:12');
  check(
    'rules: [{ id: a, then: allow, when: "1 +" }]',
    'p.yaml:1:40: rules[0].when: not an expression: found + but expecting end of input',
  );
});

test('conditions are checked before they run', () => {
  const faults: readonly (readonly [string, RegExp])[] = [
    ['nobody == 1', /unknown name 'nobody'/],
    ['identty.id == "x"', /did you mean 'identity'/],
    ['facts.objects.exists(o, o.nam == "x")', /unknown field 'nam' \(did you mean 'name'/],
    ['"delet" in facts.effects', /did you mean 'delete'/],
    ['facts.analysis == "done"', /it is one of complete, partial, opaque/],
    ['facts.effects.all(e, e in ["read", "rite"])', /'rite' is not a value/],
    ['target.protocol != "postgre"', /did you mean 'postgres'/],
    ['"dba" in identity.roles', /not a value that can occur/],
    ['facts.effects', /must be true or false, this is a list/],
    ['facts.analysis && true', /must be true or false/],
    ['facts.effects == "read"', /a list never equals 'read'/],
    ['facts.effects.size() > "1"', /have no order/],
    ['command.parameterCount + "x" == "1x"', /does not work on/],
    ['command.text.match("x")', /unknown function 'match' \(did you mean 'matches'/],
    ['command.text.contains()', /cannot be called so/],
    ['contains(command.text, "x")', /cannot be called so/],
    ['command.text.matches(account)', /must be a literal/],
    ['command.text.matches("(x")', /not an RE2 pattern/],
    ['facts[account] == "x"', /must be named by a literal/],
    ['facts.effects.exists(facts, true)', /hides another name/],
    ['account.exists(a, true)', /has no elements/],
    ['google.protobuf.Duration{seconds: 1} == duration("1s")', /not supported|unknown name/],
    ['facts.effects.exists(a, facts.effects.exists(b, facts.effects.exists(c, true)))', /loops/],
    [`${'['.repeat(120)}1${']'.repeat(120)} == []`, /nests too deep/],
    ['x'.repeat(5000), /longer than/],
    ['parameters.effects == []', /unknown name 'parameters'/],
    ['true ? 1 : 2', /must be true or false/],
  ];
  for (const [text, message] of faults) {
    const result = compileCondition(text);
    assert.ok(!result.ok, text);
    assert.match(result.faults.map((fault) => fault.message).join('\n'), message, text);
  }
});

test('conditions that people write pass the check', () => {
  const fine = [
    "facts.effects.exists(e, e in ['drop', 'truncate'])",
    "facts.objects.filter(o, o.kind == 'table').all(o, o.name.startsWith('public.'))",
    "has(target.labels.env) && target.labels.env in ['prod', 'staging']",
    "'env' in target.labels && target.labels['env'] == 'prod'",
    "identity.kind == 'human' ? true : 'ci' in identity.groups",
    "size(facts.objects) > 3 || facts.objects.map(o, o.name).exists(n, n == 'a.b')",
    "time.now < timestamp('2027-01-01T00:00:00Z') && time.weekday != 'sun'",
    "time.now.getHours('Europe/Berlin') < 18",
    "time.now - timestamp('2026-01-01T00:00:00Z') > duration('24h')",
    "command.text.lowerAscii().matches('^select\\\\b')",
    "facts.columns.exists_one(c, c.masked && c.use == 'copy')",
    'facts["analysis"] == "complete"',
    "!(account == 'root') && session.namespace != '' && session.id != ''",
    "identity.claims.repository.startsWith('acme/')",
    'command.parameterCount * 2 + 1 >= 3',
  ];
  for (const text of fine) {
    const result = compileCondition(text);
    assert.ok(result.ok, `${text}: ${result.ok ? '' : result.faults[0]?.message}`);
  }
});

test('a condition says what it reads', () => {
  const reads = (text: string): readonly string[] => {
    const result = compileCondition(text);
    assert.ok(result.ok);
    return [...result.condition.reads].toSorted();
  };
  assert.deepEqual(reads("facts.analysis == 'complete' && time.hour > 3"), [
    'facts.analysis',
    'time.hour',
  ]);
  assert.deepEqual(reads('facts.objects.all(o, o.name == command.text)'), [
    'command.text',
    'facts.objects',
  ]);
  assert.deepEqual(reads('has(command.text)'), ['command.text']);
  assert.deepEqual(reads("command['kind'] == 'prepare'"), ['command.kind']);
  assert.deepEqual(reads('command == command'), ['command']);
  assert.deepEqual(reads('true ? time.now == time.now : false'), ['time.now']);
});

const plainContext: SessionContext = {
  session: asId('s'),
  protocol: 'postgres',
  identity: plainIdentity(),
  target: plainTarget('t', 'postgres'),
  account: 'a',
  namespace: 'n',
  clientAddress: '',
  clientName: '',
  features: [],
  holdMode: 'wait',
};

test('every input is bound, and nothing else', () => {
  const facts = fillFacts({
    objects: [{ kind: 'k', name: 'n', access: 'read' }],
    columns: [{ name: 'n', use: 'copy', masked: true }],
    fields: [{ name: 'n', value: 'v' }],
  });
  const bindings = bind(
    contextValues(plainContext),
    factsValue(factsEntries(facts), unknownHistory(facts)),
    { text: '', kind: 'execute', parameters: [] },
    asEpochMs(0),
  );
  assert.deepEqual(Object.keys(bindings).toSorted(), [...inputs.keys()].toSorted());
  const present = (fields: Fields, prefix: string): void => {
    for (const [name, { type }] of fields) {
      const result = compileCondition(`has(${prefix}${name})`);
      assert.ok(result.ok);
      assert.equal(result.condition.evaluate(bindings), true, `${prefix}${name}`);
      if (type.kind === 'object') present(type.fields, `${prefix}${name}.`);
      if (type.kind === 'list' && type.of.kind === 'object') {
        present(type.of.fields, `${prefix}${name}[0].`);
      }
    }
  };
  for (const [name, { type }] of inputs) {
    const result = compileCondition(`${name} == ${name}`);
    assert.ok(result.ok, name);
    assert.equal(result.condition.evaluate(bindings), true, name);
    if (type.kind === 'object') present(type.fields, `${name}.`);
  }
});

test('hours and weekdays are those of UTC', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4e12 }), (ms) => {
      const date = new Date(ms);
      assert.equal(hourOf(asEpochMs(ms)), date.getUTCHours());
      assert.equal(weekdayOf(asEpochMs(ms)), date.getUTCDay());
    }),
  );
  assert.equal(weekdayNames.length, 7);
});

test('a hold without reachable reviewers is refused', () => {
  const rule = (rest: string): string => `rules: [{ id: a, then: hold${rest} }]`;
  const options = { known: { groups: ['dba', 'platform'] } };
  const refuses = (rest: string, message: RegExp): void => {
    const found = problems(rule(rest), options);
    assert.equal(found.length, 1, found.join('\n'));
    assert.match(found[0] ?? '', message);
  };
  refuses('', /nobody could approve/);
  refuses(', hold: { reviewers: [] }', /Too small/);
  refuses(', hold: { reviewers: [group:dbas] }', /unknown group 'dbas' \(did you mean 'dba'/);
  refuses(', hold: { reviewers: [role:reviwer] }', /did you mean 'reviewer'/);
  refuses(', hold: { reviewers: [dba] }', /is not a selector/);
  refuses(', hold: { reviewers: [kind:human] }', /is not a selector/);
  refuses(', hold: { reviewers: ["identity:okta/*"] }', /named/);
  refuses(', hold: { reviewers: ["identity:ann"] }', /<issuer>\/<subject>/);
  refuses(', hold: { reviewers: ["identity:o/ann"], approvals: 2 }', /never come from 1/);
  refuses(', hold: { reviewers: ["identity:o/a", "identity:o/a"], approvals: 2 }', /from 1/);
  refuses(', hold: { reviewers: [group:dba], mayLift: [ssn] }', /no mask 'ssn'/);
  refuses(', hold: { reviewers: [group:dba], wait: 0s }', /is not a duration/);
  refuses(', hold: { reviewers: [group:dba], valid: 2d }', /longer than the limit of 24h/);
  assert.deepEqual(problems(rule(', hold: { reviewers: [group:dba] }'), options), []);
});

test('names that the configuration does not have are refused', () => {
  const known = { targets: ['orders', 'billing'], issuers: ['github'], detectors: ['iban'] };
  const rule = (match: string): string => `rules: [{ id: a, then: allow, match: { ${match} } }]`;
  const message = (text: string): string => problems(text, { known })[0] ?? '';
  const purposes = { known: { purposes: ['support'] } };
  assert.match(
    problems(rule('purposes: [suport]'), purposes)[0] ?? '',
    /no grant has the purpose 'suport' \(did you mean 'support'/,
  );
  assert.match(message(rule('targets: order')), /no target 'order' \(did you mean 'orders'/);
  assert.match(message(rule('targets: [ord-*]')), /no target 'ord-\*'/);
  assert.match(message(rule('identities: ["issuer:gitlab"]')), /unknown issuer 'gitlab'/);
  assert.match(message(rule('identities: ["kind:robot"]')), /unknown kind 'robot'/);
  assert.match(message(rule('protocols: [postgresql]')), /did you mean 'postgres'/);
  const mask = (rest: string): string => `rules: [${allow.slice(2)}]\nmasks: [{ id: m, ${rest} }]`;
  assert.match(message(mask('detect: [ibann], with: redact')), /did you mean 'iban'/);
  assert.match(message(mask('columns: [customers.ssn], with: redact')), /not schema.table.column/);
  assert.match(message(mask('with: redact')), /either columns or detect/);
  assert.match(message(mask('columns: [a.b.c], with: blur')), /with is redact/);
  assert.equal(message(mask('columns: [a.b.c], with: null')), '');
});

test('what a protocol cannot do is refused', () => {
  const able: Capabilities = {
    approval: 'notice',
    masking: 'cells',
    recording: 'statements',
    survivesDenial: true,
  };
  const capabilities = new Map<ProtocolName, Capabilities>([
    ['postgres', { ...able, lifting: true }],
    ['ssh', { ...able, masking: 'text' }],
    ['http', { ...able, approval: 'refuse', masking: 'none' }],
  ]);
  const message = (text: string): readonly string[] => problems(text, { capabilities });
  const hold = (rest: string, match = ''): string =>
    `rules: [{ id: a, then: hold, hold: { reviewers: [group:x]${rest} }${match} }]`;
  const lifts = (protocol: string): string => {
    const lifting = hold(', mayLift: [m]', `, match: { protocols: [${protocol}] }`);
    const mask = `masks: [{ id: m, columns: [a.b.c], with: redact, match: { protocols: [x] } }]`;
    return message(`${lifting}\n${mask.replace('x', 'postgres')}`).join();
  };
  assert.match(lifts('http'), /http cannot lift a mask for one command/);
  assert.equal(lifts('postgres'), '');
  assert.match(message(hold(', mode: wait'))[0] ?? '', /http cannot let a held command wait/);
  assert.deepEqual(message(hold(', mode: wait', ', match: { protocols: [postgres] }')), []);
  assert.deepEqual(message(hold('')), []);
  const mask = (rest: string): string =>
    `rules: [${allow.slice(2)}]\nmasks: [{ id: m, with: redact, ${rest} }]`;
  assert.equal(message(mask('columns: [a.b.c]')).length, 2);
  assert.equal(message(mask('detect: [iban]')).length, 1);
  assert.deepEqual(message(mask('columns: [a.b.c], match: { protocols: [postgres] }')), []);
});

test('templates are checked: name, parameters, words', () => {
  const message = (use: string): string =>
    problems(`rules: [{ id: a, then: deny, use: ${use} }]`)[0] ?? '';
  assert.match(message('destructiv'), /unknown template 'destructiv' \(did you mean 'destructive'/);
  assert.match(message('{ destructive: { effect: [drop] } }'), /did you mean 'effects'/);
  assert.match(message('{ destructive: { effects: [dropp] } }'), /did you mean 'drop'/);
  assert.match(message('{ destructive: { constructor: [drop] } }'), /unknown parameter/);
  assert.match(message('{ destructive: {}, privilege: {} }'), /use names one template/);
  assert.equal(message('{ destructive: { effects: [drop] } }'), '');
});

test('ids are used once, across files and kinds', () => {
  const result = compilePolicies(
    [
      { path: 'b.yaml', text: 'rules: [{ id: x, then: deny }]' },
      {
        path: 'a.yaml',
        text: `rules: [{ id: x, then: allow }, { id: default, then: allow }]
masks: [{ id: x, columns: [a.b.c], with: redact }]`,
      },
    ],
    { sha256Hex },
  );
  assert.ok(!result.ok);
  assert.deepEqual(result.problems.map(formatProblem), [
    "a.yaml:1:39: rules[1].id: 'default' is what a denial without a rule is called",
    "a.yaml:2:15: masks[0].id: 'x' is already used at a.yaml:1",
    "b.yaml:1:15: rules[0].id: 'x' is already used at a.yaml:1",
  ]);
});

test('YAML that says other than it shows is refused', () => {
  const first = (text: string): string => problems(text)[0] ?? '';
  assert.match(first('rules: [{ id: a, then: allow, then: deny }]'), /unique/);
  assert.match(first('a: &x [1]\nrules: *x'), /aliases are not allowed/);
  assert.match(first('rules: [{ id: a, then: allow }'), /p\.yaml:1:/);
  assert.match(first('rules: !!js/function x'), /tag/i);
  assert.match(first(''), /the policy has no rules/);
  assert.match(first('[]'), /expected object/);
  assert.match(first(`rules:\n${allow}\n---\nrules: []`), /document/i);
  assert.match(first('x'.repeat(1024 * 1024 + 1)), /longer than/);
});

test('the expectations and words of tests are checked', () => {
  const first = (rest: string): string =>
    problems(`rules: [${allow.slice(2)}]\ntests: [{ name: t, ${rest} }]`)[0] ?? '';
  assert.match(
    first('command: { facts: { effects: [rad] } }, expect: allow'),
    /did you mean 'read'/,
  );
  assert.match(
    first('command: { facts: {} }, expect: { outcome: allow, rule: b } '),
    /no rule 'b'/,
  );
  assert.match(first('command: {}, expect: allow'), /needs facts, or input/);
});

test('any text is a policy or a list of problems, never an exception', () => {
  const fragments = fc.constantFrom(
    'rules:',
    ' - ',
    'id: a',
    'then: allow',
    'when: ',
    '"',
    "'",
    '{',
    '}',
    '[',
    ']',
    '\n',
    '  ',
    'facts.',
    ', ',
    '*',
    '&x ',
    '|',
    '!!',
    'use: destructive',
    '\u0000',
    '\ud800',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.array(fragments).map((all) => all.join('')),
      ),
      (text) => {
        const result = compilePolicies([{ path: 'p', text }], { sha256Hex });
        assert.ok(result.ok || result.problems.every(({ line, column }) => line > 0 && column > 0));
      },
    ),
    { numRuns: 150 },
  );
});

test('any condition is checked or refused, and evaluates without an exception', () => {
  const facts = fillFacts({ effects: ['read'] });
  const bindings = bind(
    contextValues(plainContext),
    factsValue(factsEntries(facts), unknownHistory(facts)),
    { text: 'x', kind: 'execute', parameters: [] },
    asEpochMs(0),
  );
  const token = fc.constantFrom(
    'facts',
    '.effects',
    '.exists(e, ',
    'e',
    ')',
    '(',
    ' == ',
    ' && ',
    '!',
    '"read"',
    '1',
    ' in ',
    '[',
    ']',
    '?',
    ':',
    'time.hour',
    ' < ',
    '-',
    '{',
    '}',
    'identity.claims',
    '["x"]',
    'size(',
    'null',
    '.all(x, x',
    '/0',
    '%',
  );
  fc.assert(
    fc.property(fc.array(token, { maxLength: 12 }), (tokens) => {
      const result = compileCondition(tokens.join(''));
      if (result.ok)
        assert.ok([true, false, 'error'].includes(result.condition.evaluate(bindings)));
    }),
    { numRuns: 2_000 },
  );
});

test('recorded facts that are not understood count as opaque', () => {
  const facts = fillFacts({
    effects: ['read'],
    columns: [{ name: 'a.b.c', use: 'copy', masked: true }],
  });
  assert.deepEqual(factsFromJson(JSON.stringify(facts)), facts);
  for (const text of [
    '',
    '7',
    '{}',
    '{"effects":["later"],"analysis":"complete"}',
    '{"extra":1}',
  ]) {
    assert.equal(factsFromJson(text).analysis, 'opaque', text);
  }
});
