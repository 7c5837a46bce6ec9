/**
 * The facts of commands outside a session, for `policy explain` and `policy simulate`: texts, or the
 * frames of one connection as the corpus writes them. Uses what is known of a catalogue, never asks
 * a server.
 */
import type { MaskSet } from '#core/masking.ts';
import { opaqueFacts } from '#core/facts.ts';
import type { AnalysedCommand, TargetSettings } from '#core/protocol.ts';
import type { Catalogue } from './sql/catalogue.ts';
import type { SqlAnalyser, SqlState } from './sql/types.ts';

export interface OfflineParts {
  readonly analyser: SqlAnalyser;
  readonly catalogues: { known(target: string): Catalogue | undefined };
}

/** What the input says of one text that would be judged. */
interface Text {
  readonly text: string | undefined;
  /** Why there is no text. */
  readonly why: string;
}

const FRAMES_MAX = 10_000;

/** Never throws: what is not understood is an opaque command. */
export async function analyseOffline(
  parts: OfflineParts,
  input: unknown,
  target: TargetSettings,
  masks: MaskSet,
): Promise<readonly AnalysedCommand[]> {
  const catalogue = parts.catalogues.known(target.name);
  const out: AnalysedCommand[] = [];
  for (const { text, why } of textsOf(input)) {
    if (text === undefined || catalogue === undefined) {
      const reason = text === undefined ? why : 'no catalogue of the target is known';
      out.push({ text: text ?? '', facts: opaqueFacts(reason) });
      continue;
    }
    try {
      const { statements } = await parts.analyser.analyse(text, stateOf(catalogue), masks);
      out.push(...statements.map(({ text: own, facts }) => ({ text: own, facts })));
    } catch {
      out.push({ text, facts: opaqueFacts('the analyser failed') });
    }
  }
  return out;
}

const stateOf = (catalogue: Catalogue): SqlState => ({
  catalogue,
  searchPath: ['pg_catalog', 'public'],
  role: '',
  database: catalogue.database,
  known: true,
  prepared: () => undefined,
  cursor: () => undefined,
});

function textsOf(input: unknown): readonly Text[] {
  if (typeof input === 'string') return [{ text: input, why: '' }];
  if (!Array.isArray(input) || input.length > FRAMES_MAX) {
    return [{ text: undefined, why: 'neither a text nor a list of frames' }];
  }
  return input.flatMap((frame: unknown) => frameTexts(frame));
}

/** Frames that run nothing by themselves. */
const harmless: readonly string[] = [
  'bind',
  'describe',
  'execute',
  'close',
  'sync',
  'flush',
  'copy_data',
  'copy_done',
  'copy_fail',
];

function frameTexts(frame: unknown): readonly Text[] {
  if (typeof frame === 'string') return [{ text: frame, why: '' }];
  if (typeof frame !== 'object' || frame === null) return [unreadable];
  if ('query' in frame && typeof frame.query === 'string') return [{ text: frame.query, why: '' }];
  if ('parse' in frame && typeof frame.parse === 'object' && frame.parse !== null) {
    const sql = 'sql' in frame.parse ? frame.parse.sql : undefined;
    return typeof sql === 'string' ? [{ text: sql, why: '' }] : [unreadable];
  }
  if ('query_hex' in frame && typeof frame.query_hex === 'string') {
    const text = fromHex(frame.query_hex);
    return [{ text, why: 'the text has a NUL or is not UTF-8' }];
  }
  if ('query_repeat' in frame) return [repeated(frame.query_repeat)];
  return harmless.some((name) => name in frame) ? [] : [unreadable];
}

const unreadable: Text = { text: undefined, why: 'a frame that is not known' };

function fromHex(hex: string): string | undefined {
  const pairs = hex.match(/../g) ?? [];
  const bytes = Uint8Array.from(pairs, (pair) => Number.parseInt(pair, 16));
  try {
    return bytes.includes(0) ? undefined : new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

const REPEATED_CHARACTERS_MAX = 16 * 1024 * 1024;

function repeated(value: unknown): Text {
  if (typeof value !== 'object' || value === null) return unreadable;
  const part = (name: string): string => {
    const found: unknown = Reflect.get(value, name);
    return typeof found === 'string' ? found : '';
  };
  const times: unknown = Reflect.get(value, 'times');
  if (typeof times !== 'number' || times * part('unit').length > REPEATED_CHARACTERS_MAX) {
    return { text: undefined, why: 'a text above the limit' };
  }
  return { text: `${part('prefix')}${part('unit').repeat(times)}${part('suffix')}`, why: '' };
}
