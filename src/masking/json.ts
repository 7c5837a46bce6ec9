/**
 * Where the strings and numbers of a JSON text are. Masking splices into tokens and never writes a
 * document anew: the order of keys, duplicate keys, large and odd numbers stay as they were.
 */

/** A piece of a string, without its quotes, or a whole number. */
export interface JsonPlace {
  readonly start: number;
  readonly end: number;
  readonly isString: boolean;
}

/** The tokens of one JSON text. */
export interface JsonPlaces {
  /** The parts of tokens that lie between two offsets; numbers are taken whole. */
  within(start: number, end: number): JsonPlace[];
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Finds the tokens of `bytes[start, end)`. One pass, no recursion, so depth costs nothing.
 *
 * @returns undefined when a string does not end: then it is no JSON.
 */
export function jsonPlaces(bytes: Uint8Array, start: number, end: number): JsonPlaces | undefined {
  const tokens: JsonPlace[] = [];
  let at = start;
  while (at < end) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE) {
      const close = stringEnd(bytes, at + 1, end);
      if (close < 0) return undefined;
      tokens.push({ start: at + 1, end: close, isString: true });
      at = close + 1;
    } else if (isNumberByte(byte)) {
      const from = at;
      while (at < end && isNumberByte(bytes[at] ?? 0)) at += 1;
      tokens.push({ start: from, end: at, isString: false });
    } else at += 1;
  }
  let last = 0;
  return {
    // Findings come in order, so the search goes on where it was.
    within(from, to) {
      while (last > 0 && (tokens[last - 1]?.end ?? 0) > from) last -= 1;
      while (last < tokens.length && (tokens[last]?.end ?? 0) <= from) last += 1;
      const found: JsonPlace[] = [];
      for (let index = last; index < tokens.length; index += 1) {
        const token = tokens[index];
        if (token === undefined || token.start >= to) break;
        found.push(
          token.isString
            ? { start: Math.max(from, token.start), end: Math.min(to, token.end), isString: true }
            : token,
        );
      }
      return found;
    },
  };
}

function stringEnd(bytes: Uint8Array, from: number, end: number): number {
  for (let at = from; at < end; at += 1) {
    if (bytes[at] === QUOTE) return at;
    if (bytes[at] === BACKSLASH) at += 1;
  }
  return -1;
}

/** `true`, `null` and their like have no digits and no sign, but an `e`. */
function isNumberByte(byte: number): boolean {
  return (byte >= 48 && byte <= 57) || byte === 45 || byte === 43 || byte === 46;
}
