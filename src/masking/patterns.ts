/**
 * The customer's own patterns: RE2 syntax, matched in linear time whatever the pattern. A text is
 * given to the matcher only if it holds what the pattern cannot do without, so a pattern with a
 * literal in it costs next to nothing where it does not occur.
 */
import { RE2JS } from 're2js';
import { GatewayError } from '#core/errors.ts';
import { foldName, wordsOf } from './dictionary.ts';
import type { Scan } from './scan.ts';

/** A pattern as the configuration has it. */
export interface CustomPattern {
  /** As policies name it under `detect`; lower case with hyphens. */
  readonly name: string;
  /** RE2 syntax; not anchored unless it says so. */
  readonly pattern: string;
  /** Names of columns, comma separated; when given, the pattern counts only under them. */
  readonly columns?: string;
  /** 0 to 1; 0.9 when not given. */
  readonly confidence?: number;
}

/** A pattern that is ready. */
export interface CompiledPattern {
  readonly name: string;
  readonly entity: string;
  readonly confidence: number;
  readonly expression: RE2JS;
  /** What every match has in it, undefined when nothing is certain. */
  readonly literal: Uint8Array | undefined;
  readonly columns: readonly string[];
}

const PATTERN_CHARS_MAX = 1_000;
/** Above this a matcher of the slowest kind would hold the event loop up. */
const TEXT_BYTES_MAX = 256 * 1024;

/**
 * Compiles a pattern.
 *
 * @throws GatewayError `SP_CONFIG` when its name or syntax is not valid, or it matches nothing at all.
 */
export function compilePattern(custom: CustomPattern): CompiledPattern {
  const fail = (detail: string): never => {
    throw new GatewayError('SP_CONFIG', { detail: `pattern ${custom.name}: ${detail}` });
  };
  if (!/^[a-z][a-z0-9-]{1,62}$/.test(custom.name)) fail('its name is not lower case with hyphens');
  if (custom.pattern.length > PATTERN_CHARS_MAX) fail('it is too long');
  const confidence = custom.confidence ?? 0.9;
  if (!(confidence > 0 && confidence <= 1)) fail('its confidence is not between 0 and 1');
  let expression: RE2JS;
  try {
    expression = RE2JS.compile(custom.pattern);
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
  if (expression.matcher('').find()) fail('it matches the empty text');
  return {
    name: custom.name,
    entity: custom.name.toUpperCase().replaceAll('-', '_'),
    confidence,
    expression,
    literal: requiredLiteral(custom.pattern),
    columns: (custom.columns ?? '')
      .split(',')
      .map((phrase) => foldName(phrase.trim()).replaceAll(' ', ''))
      .filter((phrase) => phrase !== ''),
  };
}

/** Whether a column of that name is one of the pattern's. */
export function isColumnOf(pattern: CompiledPattern, name: string): boolean {
  const words = wordsOf(name);
  return words.some((_, from) =>
    words
      .slice(from)
      .some((_word, length) =>
        pattern.columns.includes(words.slice(from, from + length + 1).join('')),
      ),
  );
}

/** Adds what `pattern`, which is detector `number`, matches in the text. */
export function findPattern(scan: Scan, pattern: CompiledPattern, number: number): void {
  const { bytes, start, end } = scan;
  if (pattern.literal !== undefined && !holds(bytes, start, end, pattern.literal)) return;
  if (end - start > TEXT_BYTES_MAX) {
    scan.exhausted = true;
    return;
  }
  const matcher = pattern.expression.matcher(bytes.subarray(start, end));
  while (!scan.exhausted && matcher.find()) {
    scan.add(start + matcher.start(), start + matcher.end(), number, pattern.confidence);
  }
}

function holds(bytes: Uint8Array, start: number, end: number, literal: Uint8Array): boolean {
  const first = literal[0] ?? 0;
  const last = end - literal.length;
  for (let at = start; at <= last; at += 1) {
    if (bytes[at] !== first) continue;
    let length = 1;
    while (length < literal.length && bytes[at + length] === literal[length]) length += 1;
    if (length === literal.length) return true;
  }
  return false;
}

/**
 * The longest text that every match must contain, as far as it can be told without understanding
 * the whole pattern: plain characters outside of groups, classes and alternatives.
 */
export function requiredLiteral(pattern: string): Uint8Array | undefined {
  // Flags change what a character stands for, and an alternative makes everything optional.
  if (pattern.includes('(?') || pattern.includes('|') || pattern.includes('\\Q')) return undefined;
  let best = '';
  let run = '';
  const close = (): void => {
    if (run.length > best.length) best = run;
    run = '';
  };
  for (let at = 0; at < pattern.length; ) {
    const token =
      /^(?:\\.[^\\]?|\[\^?\]?(?:\\.|[^\]])*\]|[\s\S])/.exec(pattern.slice(at))?.[0] ?? '';
    const piece = token.startsWith('\\') ? token.slice(0, 2) : token;
    const quantifier =
      /^(?:[*+?]|\{\d+(?:,\d*)?\})/.exec(pattern.slice(at + piece.length))?.[0] ?? '';
    at += piece.length;
    if (piece === '(') {
      close();
      at = groupEnd(pattern, at);
      continue;
    }
    const character =
      piece.length === 1 ? piece : /^\\[^\w\s]$/.test(piece) ? (piece[1] ?? '') : '';
    const isPlain = character !== '' && !(piece.length === 1 && '.^$[]*+?{}()'.includes(character));
    const isOptional = /^[*?]|^\{0/.test(quantifier);
    if (!isPlain || isOptional) close();
    else run += character;
    if (quantifier !== '') close();
    at += quantifier.length;
  }
  close();
  return best === '' ? undefined : new TextEncoder().encode(best);
}

/** The end of the group that was opened before `from`, with its quantifier. */
function groupEnd(pattern: string, from: number): number {
  let depth = 1;
  let at = from;
  for (; at < pattern.length && depth > 0; at += 1) {
    const character = pattern[at];
    if (character === '\\') at += 1;
    else if (character === '[') {
      const length = /^\[\^?\]?(?:\\.|[^\]])*\]/.exec(pattern.slice(at))?.[0].length ?? 1;
      at += length - 1;
    } else if (character === '(') depth += 1;
    else if (character === ')') depth -= 1;
  }
  return at + (/^(?:[*+?]|\{\d+(?:,\d*)?\})\??/.exec(pattern.slice(at))?.[0].length ?? 0);
}
