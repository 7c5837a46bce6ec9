/**
 * Generates `docs/reference/policy.md` from the tables that the checker itself uses, so that the
 * page cannot say anything else than the code. A test compares the file with this text.
 */
import { functions } from '../../src/policy/functions.ts';
import {
  columnUses,
  effects,
  type Fields,
  type InputType,
  inputs,
} from '../../src/policy/inputs.ts';
import { type Template, templates } from '../../src/policy/templates.ts';

type Rows = readonly (readonly [name: string, meaning: string])[];

const ruleKeys: Rows = [
  ['id', 'unique; lower-case letters, digits, `.`, `_`, `-`'],
  [
    'match',
    '`identities`, `targets`, `protocols`, `accounts`, `purposes`; all that are given must fit',
  ],
  ['when', 'a condition in CEL over the inputs below'],
  ['use', 'a template, `name` or `{ name: { parameter: [words] } }`; with `when`, both must hold'],
  ['then', '`allow`, `hold` or `deny`'],
  [
    'limits',
    'for `then: allow`, what binds the command while it runs: `rowsReturned`, `bytes` (such as ' +
      '`10MiB`), `time` (such as `30s`), `rowsAffected`, `rowsAffectedTotal`; see ' +
      '[limits](../operate/limits.md)',
  ],
  [
    'hold',
    'for `then: hold`: `reviewers` (at least one of `group:…`, `role:…`, `identity:…`), ' +
      '`approvals` (distinct people, 1), `wait` (10m), `valid` (15m, how long an approval can be ' +
      'used), `mode` (`wait` or `refuse`; as the client asks when absent), `mayLift` (ids of masks ' +
      'that an approval may lift for the one command; those that everybody who approves names are). ' +
      'For `then: allow` with `rowsAffected` or `rowsAffectedTotal`: who may let through what is above',
  ],
  [
    'budget',
    'for `then: hold` or `deny`: the rule matches only a command that asks about masked values, once ' +
      '`maskedFilters` such commands ran within the last `per` (at most 24h)',
  ],
  ['reason', 'one sentence for whoever is refused'],
  ['mode', '`enforce`, or `observe`: reports what it would have said and decides nothing'],
];

const maskKeys: Rows = [
  ['id', 'unique'],
  ['columns', '`schema.table.column`, each part may be `*`; or'],
  ['detect', 'names of detectors: by content, wherever it stands'],
  [
    'with',
    '`redact`, `null`, `hash`, `generalise`, `{ partial: { keepStart, keepEnd, keepDomain } }`, ' +
      '`{ hash: { scope } }`, `{ generalise: { bucket } }`, `{ fixed: text }`',
  ],
  ['match', 'for whom and where, as in rules, without `accounts`'],
  ['unless', 'whom and where to spare, in the same form'],
];

const introduction = `# Policy reference

Generated from \`src/policy\`; \`UPDATE_GOLDEN=1 npm test\` rewrites it.

A policy is one or more YAML files with \`rules\`, \`masks\` and \`tests\`. Every rule whose
\`match\` and conditions fit a command counts; the most restrictive outcome wins: \`deny\`, then
\`hold\`, then \`allow\`. What no rule allows is denied, by the rule \`default\`. A condition that
cannot be evaluated (a label that is missing, say) makes a \`deny\` or \`hold\` rule match and an
\`allow\` rule not match. A policy with any mistake is refused whole; the one in force stays.
`;

const matching = `
When several hold rules match, the reviewers of each are needed, and the shortest times count.
When several rules allow a command, the smallest limit of each kind binds it, whichever they are in.

\`identities\`: \`identity:<issuer>/<subject>\` (\`*\` stands for any characters), \`group:…\`,
\`role:…\`, \`kind:workload\`, \`kind:human\`, \`issuer:…\`, \`owner:…\`. \`targets\`: a name
(with \`*\`), labels such as \`{ env: prod, tier: ["1", "2"] }\` that must all fit, or a list of
those of which one must fit.
`;

const testing = `
## A test

\`\`\`yaml
tests:
  - name: a delete of every row is held
    command: { target: { name: orders, labels: { env: prod } }, facts: { effects: [delete-all] } }
    expect: { outcome: hold, rule: destructive }
\`\`\`

\`command\` takes \`protocol\`, \`target\`, \`account\`, \`namespace\`, \`identity\`, \`kind\`,
\`text\`, \`at\`, and \`facts\` or \`input\` (a statement that the protocol's analyser reads).
`;

/** A table with two columns. */
const table = (head: string, rows: Rows): string =>
  [`| ${head} | meaning |`, '|---|---|', ...rows.map(([a, b]) => `| \`${a}\` | ${b} |`)].join('\n');

/** The whole page. */
export function policyReference(): string {
  return [
    introduction,
    '## A rule\n',
    table('key', ruleKeys),
    matching,
    '## A mask\n',
    table('key', maskKeys),
    testing,
    '## Inputs of conditions\n',
    'Words that an input can never have, and unknown names, are refused when the policy loads.\n',
    '| input | type | meaning |\n|---|---|---|',
    ...inputRows(inputs, ''),
    '\n### Effects\n',
    table('effect', Object.entries(effects)),
    '\n### Uses of a column\n',
    table('use', Object.entries(columnUses)),
    '\n## Functions\n',
    'Operators and the macros `has`, `all`, `exists`, `exists_one`, `map`, `filter` are of CEL.\n',
    table('function', functionRows()),
    '\n## Templates\n',
    ...[...templates].map(([name, template]) => templateSection(name, template)),
  ]
    .join('\n')
    .trimEnd()
    .concat('\n');
}

function inputRows(fields: Fields, prefix: string): readonly string[] {
  return [...fields].flatMap(([name, { type, doc }]) => {
    const path = `${prefix}${name}`;
    const row = `| \`${path}\` | ${typeText(type)} | ${doc} |`;
    if (type.kind === 'object') return [row, ...inputRows(type.fields, `${path}.`)];
    if (type.kind === 'list' && type.of.kind === 'object') {
      return [row, ...inputRows(type.of.fields, `${path}[].`)];
    }
    return [row];
  });
}

function typeText(type: InputType): string {
  if (type.kind === 'list') return `list of ${typeText(type.of)}`;
  if (type.kind === 'map') return `map to ${typeText(type.of)}`;
  if (type.kind !== 'string' || type.values === undefined) return type.kind;
  // The long set has a table of its own.
  return type.values.length > 12 ? 'effect' : type.values.map((value) => `\`${value}\``).join(' ');
}

function functionRows(): Rows {
  return [...functions].flatMap(([name, forms]) =>
    forms.map(({ receiver, arguments: [least, most], doc }): Rows[number] => {
      const args = least === most ? '…'.repeat(Math.min(1, most)) : '[…]';
      return [receiver === undefined ? `${name}(${args})` : `value.${name}(${args})`, doc];
    }),
  );
}

function templateSection(name: string, template: Template): string {
  const parameters = Object.entries(template.parameters).map(
    ([key, { default: words, doc }]) => `- \`${key}\`: ${doc}; default \`[${words.join(', ')}]\``,
  );
  return [
    `### ${name}\n`,
    `${template.doc}\n`,
    `\`\`\`cel\n${template.when}\n\`\`\`\n`,
    ...(parameters.length > 0 ? [`${parameters.join('\n')}\n`] : []),
  ].join('\n');
}
