/** What came of a case, and whether that is what it asks for. */
import type { Case } from './cases.ts';
import type { Answer } from './client.ts';
import { CANARY } from './world.ts';

/** What came of a case. */
export interface Played {
  readonly namespace: string;
  readonly answers: readonly Answer[];
  /** What the kubelet was asked. */
  readonly asked: readonly string[];
  /** What the administrator finds to be another than before. */
  readonly changed: readonly string[];
}

export interface Verdict {
  readonly good: boolean;
  readonly note: string;
  /** Whether the gateway said no to something. */
  readonly isRefused: boolean;
}

const textOf = ({ answers }: Played): string =>
  answers.map(({ fields, body }) => `${fields}\n${body.toString('latin1')}`).join('\n');

const refusals = (played: Played): readonly string[] =>
  [...textOf(played).matchAll(/\((SP_\w+)/g)].map(([, code = '']) => code);

/** What must be blocked has no effect, and what must pass is as it is without a gateway. */
export function judge(one: Case, played: Played, direct: Played | undefined): Verdict {
  const codes = refusals(played);
  const isRefused = codes.length > 0 || played.answers.some(({ status }) => status === 400);
  const verdict = (good: boolean, note: string): Verdict => ({ good, note, isRefused });
  const changes = [...played.changed, ...played.asked.map((path) => `the kubelet: ${path}`)];
  switch (one.must) {
    case 'block': {
      if (changes.length > 0) return verdict(false, `it happened: ${changes.join(', ')}`);
      if (shows(one.proof?.out, played)) return verdict(false, 'it came out');
      return verdict(isRefused, isRefused ? codes.join(' ') : 'it went to the server');
    }
    case 'mask': {
      const form = leak(played);
      return verdict(form === undefined, form === undefined ? codes.join(' ') : `leaked: ${form}`);
    }
    case 'allow': {
      if (isRefused) return verdict(false, `over-blocked: ${codes.join(' ')}`);
      const where = direct === undefined ? 'nothing to compare' : difference(played, direct);
      return verdict(where === undefined, where === undefined ? '' : `not the same: ${where}`);
    }
  }
}

/** Without a gateway every intent has to show, where a case says how. */
export function judgeDirect(one: Case, played: Played): Verdict {
  const verdict = (good: boolean, note: string): Verdict => ({ good, note, isRefused: false });
  const { proof } = one;
  if (one.must === 'mask') return verdict(leak(played) !== undefined, leak(played) ?? 'not there');
  if (one.must === 'allow') {
    const isServed = played.answers.every(({ status }) => status > 0 && status < 400);
    return verdict(isServed || proof?.elsewhere !== undefined, isServed ? '' : 'not served');
  }
  const what = [...played.changed, ...played.asked];
  const isProof =
    (proof?.changed === undefined || played.changed.length > 0) &&
    (proof?.reached === undefined || played.asked.length > 0) &&
    (proof?.out === undefined || shows(proof.out, played));
  // The labelled corpus does not say how it shows.
  const isKnown = proof === undefined || Object.keys(proof).length > 0;
  return verdict(isProof && isKnown, what.join(', '));
}

const shows = (pattern: string | undefined, played: Played): boolean =>
  pattern !== undefined && new RegExp(pattern).test(textOf(played));

/** In which form the value came out. */
function leak(played: Played): string | undefined {
  const raw = textOf(played);
  // As JSON and YAML may write it, and cut by white space.
  const plain = raw.replaceAll(/\\u00([0-9a-fA-F]{2})/g, (_all, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  const told = `${raw}\n${plain}\n${plain.replaceAll(/\s/g, '')}`;
  const bytes = Buffer.from(CANARY);
  const forms = new Map([
    ['as it is', CANARY],
    ['reversed', Array.from(CANARY).toReversed().join('')],
    ['in hexadecimal', bytes.toString('hex')],
    ['in base64', bytes.toString('base64').replace(/=+$/, '')],
    ['in base64, twice', Buffer.from(bytes.toString('base64')).toString('base64').slice(0, -4)],
    ['in base64, behind a byte', aligned(bytes, 1)],
    ['in base64, behind two bytes', aligned(bytes, 2)],
  ]);
  return [...forms].find(([, text]) => told.includes(text))?.[0];
}

/** The characters of base64 that no neighbour decides. */
const aligned = (bytes: Buffer, pad: number): string =>
  Buffer.concat([Buffer.alloc(pad), bytes])
    .toString('base64')
    .slice(4, Math.floor((bytes.length + pad) / 3) * 4);

/** Differ from one time to the next. */
const changing: ReadonlySet<string> = new Set([
  // Of a table: ages.
  'cells',
  'continue',
  'controller-uid',
  'creationTimestamp',
  'deletionTimestamp',
  'managedFields',
  'message',
  'reason',
  'remainingItemCount',
  'resourceVersion',
  'status',
  // Of a node that is not heard of.
  'taints',
  'uid',
]);

/** Where an answer is another than without a gateway; undefined when it is the same. */
function difference(here: Played, there: Played): string | undefined {
  for (const [index, answer] of here.answers.entries()) {
    const other = there.answers[index];
    if (other === undefined || answer.status !== other.status) return `status ${other?.status}`;
    const [mine, its] = [valueOf(answer, here), valueOf(other, there)];
    const where = differenceOf(mine, its, '');
    if (where !== undefined) return where;
  }
  return undefined;
}

/** The body as a value, with one name for the namespace and for what was named by chance. */
function valueOf({ body }: Answer, { namespace }: Played): unknown {
  const text = body
    .toString()
    .replaceAll(new RegExp(`\\b${namespace}\\b`, 'g'), 'app')
    .replaceAll(/-token-\w{5}\b/g, '-token');
  try {
    return JSON.parse(text);
  } catch {
    return text === '' ? '' : 'text';
  }
}

function differenceOf(mine: unknown, its: unknown, path: string): string | undefined {
  // Masked, as it must be.
  if (typeof its === 'string' && its.includes(CANARY)) return undefined;
  if (typeof mine !== 'object' || typeof its !== 'object' || mine === null || its === null) {
    return mine === its ? undefined : `${path}: ${JSON.stringify(its)}`;
  }
  const [left, right] = [fieldsOf(mine), fieldsOf(its)];
  for (const name of new Set([...left.keys(), ...right.keys()])) {
    if (changing.has(name)) continue;
    const where = differenceOf(left.get(name), right.get(name), `${path}/${name}`);
    if (where !== undefined) return where;
  }
  return undefined;
}

/** Fields of an object; elements of a list by their names, without what controllers make. */
function fieldsOf(value: object): ReadonlyMap<string, unknown> {
  if (!Array.isArray(value)) return new Map(Object.entries(value));
  return new Map(
    value.flatMap((item: Element | null, index) => {
      const { metadata, involvedObject, regarding }: Element = item ?? {};
      const isMade = (metadata?.ownerReferences ?? involvedObject ?? regarding) !== undefined;
      return isMade ? [] : [[metadata?.name ?? String(index), item] as const];
    }),
  );
}

interface Element {
  readonly metadata?: { readonly name?: string; readonly ownerReferences?: unknown };
  /** Of an event: what it is about. */
  readonly involvedObject?: unknown;
  readonly regarding?: unknown;
}
