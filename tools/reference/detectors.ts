/**
 * Writes `docs/reference/detectors.md` from the table of detectors. `node tools/detectors.ts`
 * rewrites the page; a test compares it.
 */
import type { Detector } from '../../src/masking/detectors/detector.ts';
import { detectors } from '../../src/masking/detectors/table.ts';

const INTRODUCTION = `# Detectors

Made from the table in \`src/masking/detectors/\`; do not edit.

\`detect:\` in a mask rule takes the name of a detector or of a group: \`pii\` (all personal data but
the special categories), \`secret\`, \`financial\`, \`contact\`, \`national-id\`, \`health\`,
\`device\`, \`special-category\`. A name that is not on this page is refused when the policy loads.

**Needs** says what a detector goes by. *Nothing*: its shape and check digits are enough anywhere.
*A name*: only a column, a key or the words before a value that name it make it one; check digits
must hold as well, except in a column with a clear name. **Confidence** is what a finding without a
name is given; a name adds to it.

In shapes \`#\` is a digit, \`@\` a letter, \`*\` either, \`&\` a hexadecimal digit, \`[…]\` one of
a set, \`{n}\` and \`{n,m}\` how many, \`?\` at most one; everything else stands for itself.

What rules do not find: names and addresses in running text that nothing announces, values that
are split over rows or columns, and whatever the query encoded before it arrived.
`;

const cell = (text: string): string => text.replaceAll('|', '\\|');
const code = (text: string): string => (text === '' ? '' : `\`${cell(text)}\``);

function needs(detector: Detector): string {
  if (detector.free !== undefined)
    return detector.near === undefined ? 'nothing' : 'nothing, or a name for more shapes';
  if (detector.near !== undefined) return 'a name';
  if (detector.recogniser === 'anything') return 'a column name';
  return detector.names === undefined ||
    ['email', 'ip', 'mac', 'phone', 'private-key'].includes(detector.recogniser ?? '')
    ? 'nothing'
    : 'a name';
}

function shapes(detector: Detector): string {
  const all = [...(detector.free ?? []), ...(detector.near ?? [])];
  return all.map(code).join('<br>');
}

function rows(list: readonly Detector[]): string {
  const head = ['Name', 'Reported as', 'Finds', 'Needs', 'Check', 'Shapes', 'Confidence'];
  const body = list.map((detector) => [
    code(detector.name),
    code(detector.entity),
    `${cell(detector.about)}${detector.groups.includes('secret') || detector.example === '' ? '' : ` Example: ${code(detector.example)}`}`,
    needs(detector),
    detector.check !== undefined || detector.checkExact !== undefined ? 'yes' : '',
    shapes(detector),
    detector.confidence.toFixed(2),
  ]);
  return [head, head.map(() => '---'), ...body].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

/** The text of the page. */
export function detectorReference(): string {
  const sections: readonly [string, (detector: Detector) => boolean][] = [
    [
      'Contact, persons and places',
      ({ groups }) => groups.includes('contact') || groups.length === 1,
    ],
    ['Finance', ({ groups }) => groups.includes('financial')],
    ['Devices, networks, vehicles', ({ groups }) => groups.includes('device')],
    [
      'National and health identifiers',
      ({ groups }) => groups.includes('national-id') || groups.includes('health'),
    ],
  ];
  const personal = detectors.filter(({ groups }) => groups.includes('pii'));
  const secrets = detectors.filter(({ groups }) => groups.includes('secret'));
  const special = detectors.filter(({ groups }) => groups.includes('special-category'));
  return [
    INTRODUCTION,
    `## Personal data (${personal.length})\n`,
    ...sections.map(([title, belongs]) => `### ${title}\n\n${rows(personal.filter(belongs))}\n`),
    `## Secrets (${secrets.length})\n`,
    'All are reported as `SECRET`, with the name of the detector.\n',
    `${rows(secrets)}\n`,
    `## Special categories (${special.length})\n`,
    'By the name of a column alone, whatever the value. In no group but `special-category`.\n',
    `${rows(special)}\n`,
  ].join('\n');
}
