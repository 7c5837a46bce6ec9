/**
 * The path of a request, made canonical once: what is judged is what is forwarded. Percent-encoding
 * is undone, dot segments are followed, slashes in a row are one. Whatever different servers read
 * differently is refused.
 */
import { GatewayError } from '#core/errors.ts';
import { hexValue, isPathByte } from './characters.ts';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

const SLASH = 0x2f;
const DOT = 0x2e;

const malformed = (detail: string): GatewayError =>
  new GatewayError('SP_FRAME_MALFORMED', { detail });

/** Bytes that no path may hold, written plainly or encoded: `%`, `/`, `\`, `;`, `?`, `#`. */
const refused: ReadonlySet<number> = new Set([0x25, 0x2f, 0x5c, 0x3b, 0x3f, 0x23]);

/**
 * The decoded path, beginning with a slash.
 *
 * @param raw - the path as it was sent: visible ASCII, without the query.
 * @throws GatewayError `SP_FRAME_MALFORMED`
 */
export function decodePath(raw: string): string {
  if (!raw.startsWith('/')) throw malformed('a path begins with a slash');
  if (isCanonical(raw)) return raw;
  const bytes = new Uint8Array(raw.length);
  let length = 0;
  for (let at = 0; at < raw.length; at += 1) {
    let byte = raw.charCodeAt(at);
    if (byte === 0x25) {
      const high = hexValue(raw.charCodeAt(at + 1));
      const low = hexValue(raw.charCodeAt(at + 2));
      if (high < 0 || low < 0) throw malformed('percent-encoding in the path');
      byte = (high << 4) | low;
      if (refused.has(byte)) throw malformed('an encoded character that changes the path');
      at += 2;
    } else if (byte !== 0x2f && refused.has(byte)) {
      throw malformed('a character that servers read differently in a path');
    }
    if (byte < 0x20 || byte === 0x7f) throw malformed('a control character in the path');
    bytes[length] = byte;
    length += 1;
  }
  return withoutDots(textOf(bytes.subarray(0, length)));
}

/** Whether nothing in a path is encoded, refused, repeated or could be a dot segment. */
function isCanonical(path: string): boolean {
  let isSegmentStart = false;
  for (let at = 0; at < path.length; at += 1) {
    const code = path.charCodeAt(at);
    if (isSegmentStart && (code === SLASH || code === DOT)) return false;
    if (code !== SLASH && !isPathByte(code)) return false;
    isSegmentStart = code === SLASH;
  }
  return true;
}

function textOf(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new GatewayError('SP_FRAME_MALFORMED', { detail: 'a path that is not UTF-8', cause });
  }
}

/** RFC 3986 section 5.2.4, but to climb out of the root is an error. */
function withoutDots(path: string): string {
  const segments = path.split('/');
  const kept: string[] = [];
  for (const segment of segments) {
    if (segment === '..') {
      if (kept.pop() === undefined) throw malformed('a path that climbs out of its root');
    } else if (segment !== '' && segment !== '.') kept.push(segment);
  }
  const last = segments.at(-1) ?? '';
  const isFolder = last === '' || last === '.' || last === '..';
  return kept.length === 0 ? '/' : `/${kept.join('/')}${isFolder ? '/' : ''}`;
}

/** The one way to write a decoded path. */
export function encodePath(path: string): string {
  let isPlain = true;
  for (let at = 0; at < path.length && isPlain; at += 1) {
    const code = path.charCodeAt(at);
    isPlain = code === 0x2f || isPathByte(code);
  }
  if (isPlain) return path;
  let text = '';
  for (const byte of encoder.encode(path)) {
    text +=
      byte === 0x2f || isPathByte(byte)
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return text;
}
