/**
 * What a client would send, as JSON says it: a text, a list of frames of one connection (each an
 * object with one key, as `docs/operate/policy.md` lists them), or `{ startup, input }` with
 * start-up parameters. What is not understood becomes a frame that says so.
 */

export type Frame =
  | { readonly kind: 'query'; readonly text: string }
  | {
      readonly kind: 'parse';
      readonly name: string;
      readonly text: string;
      /** Types of its parameters, as numbers; 0 for what the server finds out. */
      readonly types: readonly number[];
    }
  | { readonly kind: 'bind'; readonly portal: string; readonly statement: string }
  | { readonly kind: 'execute'; readonly portal: string }
  | { readonly kind: 'close'; readonly what: 'statement' | 'portal'; readonly name: string }
  /** Runs nothing and names nothing. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'unreadable'; readonly why: string };

export interface FramesInput {
  readonly startup: ReadonlyMap<string, string> | undefined;
  readonly frames: readonly Frame[];
}

const FRAMES_MAX = 10_000;
const REPEATED_CHARACTERS_MAX = 16 * 1024 * 1024;

const unreadable = (why: string): Frame => ({ kind: 'unreadable', why });

const unknown: Frame = unreadable('a frame that is not known');

/** Reads an input. Never throws. */
export function readFrames(input: unknown): FramesInput {
  const startup = partOf(input, 'startup');
  if (!isObject(startup)) return { startup: undefined, frames: framesOf(input) };
  const parameters = Object.entries(startup).map(([name, value]): [string, string] => [
    name,
    String(value),
  ]);
  return { startup: new Map(parameters), frames: framesOf(partOf(input, 'input')) };
}

function framesOf(input: unknown): readonly Frame[] {
  if (typeof input === 'string') return [{ kind: 'query', text: input }];
  if (!Array.isArray(input)) return [unreadable('neither a text nor a list of frames')];
  if (input.length > FRAMES_MAX) return [unreadable('more frames than the limit')];
  return input.map((frame: unknown) => frameOf(frame));
}

function frameOf(frame: unknown): Frame {
  if (typeof frame === 'string') return { kind: 'query', text: frame };
  const [key = '', ...more] = isObject(frame) ? Object.keys(frame) : [];
  const value = partOf(frame, key);
  if (more.length > 0) return unknown;
  switch (key) {
    case 'query':
      return queryOf(value);
    case 'query_hex':
      return queryOf(typeof value === 'string' ? fromHex(value) : undefined);
    case 'query_repeat':
      return repeated(value);
    case 'parse':
      return parseOf(value);
    case 'bind': {
      const portal = textOf(value, 'portal');
      return { kind: 'bind', portal, statement: textOf(value, 'statement') };
    }
    case 'execute':
      return { kind: 'execute', portal: textOf(value, 'portal') };
    case 'close':
      return closeOf(value);
    case 'describe':
    case 'sync':
    case 'flush':
    case 'copy_data':
    case 'copy_done':
    case 'copy_fail':
      return { kind: 'nothing' };
    case 'function_call':
      return unreadable('a function is called by its number');
    default:
      return unknown;
  }
}

const queryOf = (text: unknown): Frame =>
  typeof text === 'string'
    ? { kind: 'query', text }
    : unreadable('a query whose text is none, or not UTF-8');

function parseOf(value: unknown): Frame {
  const text = partOf(value, 'sql');
  if (typeof text !== 'string') return unreadable('a parse without a text');
  const types = partOf(value, 'types') ?? [];
  if (!isNumbers(types)) return unreadable('types that are not numbers');
  return { kind: 'parse', name: textOf(value, 'name'), text, types };
}

function closeOf(value: unknown): Frame {
  const what = partOf(value, 'kind') === 'P' ? 'portal' : 'statement';
  return { kind: 'close', what, name: textOf(value, 'name') };
}

/** Text of hex digits; undefined when it is not UTF-8. */
function fromHex(hex: string): string | undefined {
  if (!/^(?:[0-9a-f]{2})*$/i.test(hex)) return undefined;
  const pairs = hex.match(/../g) ?? [];
  const bytes = Uint8Array.from(pairs, (pair) => Number.parseInt(pair, 16));
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function repeated(value: unknown): Frame {
  const times = partOf(value, 'times');
  const unit = textOf(value, 'unit');
  if (typeof times !== 'number' || !Number.isInteger(times) || times < 0) {
    return unreadable('a repetition without a count');
  }
  if (times * unit.length > REPEATED_CHARACTERS_MAX) return unreadable('a text above the limit');
  const text = `${textOf(value, 'prefix')}${unit.repeat(times)}${textOf(value, 'suffix')}`;
  return { kind: 'query', text };
}

const isNumbers = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every((one) => typeof one === 'number');

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The own property of an object; undefined when there is none. */
function partOf(value: unknown, key: string): unknown {
  if (!isObject(value)) return undefined;
  return Object.getOwnPropertyDescriptor(value, key)?.value;
}

function textOf(value: unknown, key: string): string {
  const found = partOf(value, key);
  return typeof found === 'string' ? found : '';
}
