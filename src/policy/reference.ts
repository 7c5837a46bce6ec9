/**
 * Generates `docs/reference/policy.md` from the tables that the checker itself uses, so that the
 * page cannot say anything else than the code. A test compares the file with this text.
 */
import { functions } from './functions.ts';
import { columnUses, effects, type Fields, type InputType, inputs } from './inputs.ts';
import { type Template, templates } from './templates.ts';

const header = `# Policy reference

Generated from \`src/policy\`; \`UPDATE_GOLDEN=1 npm test\` rewrites it.

A policy is one or more YAML files with \`rules\`, \`masks\` and \`tests\`. Every rule whose \`match\` and
conditions fit a command counts; the most restrictive outcome wins: \`deny\`, then \`hold\`, then
\`allow\`. What no rule allows is denied, by the rule \`default\`. A condition that cannot be evaluated
(a label that is missing, say) makes a \`deny\` or \`hold\` rule match and an \`allow\` rule not match.

## A rule

| key | meaning |
|---|---|
| \`id\` | unique; lower-case letters, digits, \`.\`, \`_\`, \`-\` |
| \`match\` | \`identities\`, \`targets\`, \`protocols\`, \`accounts\`; all that are given must fit |
| \`when\` | a condition in CEL over the inputs below |
| \`use\` | a template, \`name\` or \`{ name: { parameter: [words] } }\`; with \`when\`, both must hold |
| \`then\` | \`allow\`, \`hold\` or \`deny\` |
| \`hold\` | for \`then: hold\`: \`reviewers\` (at least one of \`group:…\`, \`role:…\`, \`identity:…\`), \`approvals\` (distinct people, 1), \`wait\` (10m), \`valid\` (15m, how long an approval can be used), \`mode\` (\`wait\` or \`refuse\`; as the client asks when absent) |
| \`reason\` | one sentence for whoever is refused |
| \`mode\` | \`enforce\`, or \`observe\`: reports what it would have said and decides nothing |

When several hold rules match, the reviewers of each are needed, and the shortest times count.

\`identities\`: \`identity:<issuer>/<subject>\` (\`*\` stands for any characters), \`group:…\`, \`role:…\`,
\`kind:workload\`, \`kind:human\`, \`issuer:…\`, \`owner:…\`. \`targets\`: a name (with \`*\`), labels such as
\`{ env: prod, tier: [1, 2] }\` that must all fit, or a list of those of which one must fit.

## A mask

| key | meaning |
|---|---|
| \`id\` | unique |
| \`columns\` | \`schema.table.column\`, each part may be \`*\`; or |
| \`detect\` | names of detectors: by content, wherever it stands |
| \`with\` | \`redact\`, \`null\`, \`hash\`, \`generalise\`, \`{ partial: { keepStart, keepEnd, keepDomain } }\`, \`{ hash: { scope } }\`, \`{ generalise: { bucket } }\`, \`{ fixed: text }\` |
| \`match\`, \`unless\` | for whom and where, as in rules without \`accounts\` |

## A test

\`\`\`yaml
tests:
  - name: a delete of every row is held
    command: { target: { name: orders, labels: { env: prod } }, facts: { effects: [delete-all] } }
    expect: { outcome: hold, rule: destructive }
\`\`\`

\`command\` takes \`protocol\`, \`target\`, \`account\`, \`namespace\`, \`identity\`, \`kind\`, \`text\`, \`at\`, and
\`facts\` or \`input\` (a statement that the protocol's analyser reads).
`;

/** The whole page. */
export function policyReference(): string {
  return [
    header,
    '## Inputs of conditions\n',
    'A word that an input can never have is refused when the policy loads, and so is an unknown name.\n',
    '| input | type | meaning |\n|---|---|---|',
    ...inputRows(inputs, ''),
    '\n### Effects\n',
    '| effect | meaning |\n|---|---|',
    ...Object.entries(effects).map(([name, doc]) => `| \`${name}\` | ${doc} |`),
    '\n### Uses of a column\n',
    '| use | meaning |\n|---|---|',
    ...Object.entries(columnUses).map(([name, doc]) => `| \`${name}\` | ${doc} |`),
    '\n## Functions\n',
    'Operators and the macros `has`, `all`, `exists`, `exists_one`, `map`, `filter` are those of CEL.\n',
    '| function | meaning |\n|---|---|',
    ...functionRows(),
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

function functionRows(): readonly string[] {
  return [...functions].flatMap(([name, forms]) =>
    forms.map(({ receiver, arguments: [least, most], doc }) => {
      const args = least === most ? '…'.repeat(Math.min(1, most)) : '[…]';
      const call = receiver === undefined ? `${name}(${args})` : `value.${name}(${args})`;
      return `| \`${call}\` | ${doc} |`;
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
