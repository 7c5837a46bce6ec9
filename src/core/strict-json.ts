/**
 * JSON as a judge has to read it. `JSON.parse` takes the last of two equal keys, other readers the
 * first: what was judged would not be what the target reads. So a text with equal keys is not read
 * at all, nor one that is deeper than the reader's own stack should be trusted with (RFC 8259,
 * section 4; RFC 7493, section 2.3).
 */

/** A value as `JSON.parse` gives it. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

export type StrictJson =
  | { readonly ok: true; readonly value: Json }
  | { readonly ok: false; readonly reason: 'not JSON' | 'a key stands twice' | 'nested too deep' };

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const COLON = 0x3a;

/** Reads a text of JSON that means the same to every reader. Never throws. */
export function strictJson(text: string, depthMax: number): StrictJson {
  // Structure first: a text that is not JSON may pass this, and is then stopped by the parser.
  const fault = faultOf(text, depthMax);
  if (fault !== undefined) return { ok: false, reason: fault };
  try {
    const value: Json = JSON.parse(text);
    return { ok: true, value };
  } catch {
    return { ok: false, reason: 'not JSON' };
  }
}

/** Whether a value is an object, and not null or a list. */
export const isJsonObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function faultOf(
  text: string,
  depthMax: number,
): 'a key stands twice' | 'nested too deep' | undefined {
  /** Keys of each object that is open; undefined for a list. */
  const open: (Set<string> | undefined)[] = [];
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === OPEN_OBJECT || code === OPEN_LIST) {
      if (open.length >= depthMax) return 'nested too deep';
      open.push(code === OPEN_OBJECT ? new Set() : undefined);
    } else if (code === CLOSE_OBJECT || code === CLOSE_LIST) {
      open.pop();
    } else if (code === QUOTE) {
      const end = endOfString(text, at);
      const keys = open.at(-1);
      if (keys !== undefined && isKey(text, end + 1)) {
        const key = keyOf(text, at, end + 1);
        if (keys.has(key)) return 'a key stands twice';
        keys.add(key);
      }
      at = end;
    }
  }
  return undefined;
}

/** Index of the closing quote, or of the text's end. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  for (; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === BACKSLASH) at += 1;
    else if (code === QUOTE) return at;
  }
  return at;
}

function isKey(text: string, from: number): boolean {
  let at = from;
  while (' \t\r\n'.includes(text.charAt(at)) && at < text.length) at += 1;
  return text.charCodeAt(at) === COLON;
}

/** A key without its escapes, for `"a"` and `"\u0061"` are one. */
function keyOf(text: string, start: number, end: number): string {
  const quoted = text.slice(start, end);
  if (!quoted.includes('\\')) return quoted;
  try {
    return JSON.stringify(JSON.parse(quoted));
  } catch {
    return quoted;
  }
}
