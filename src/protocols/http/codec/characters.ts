/** Which characters may stand where in a head (RFC 9110 section 5.6, RFC 3986). */

const table = (characters: string): Uint8Array => {
  const set = new Uint8Array(128);
  for (const character of characters) set[character.charCodeAt(0)] = 1;
  return set;
};

const letters = 'abcdefghijklmnopqrstuvwxyz';
const alphanumeric = `${letters}${letters.toUpperCase()}0123456789`;

const tokenSet = table(`${alphanumeric}!#$%&'*+-.^_\`|~`);
/** What a path may have as it is: unreserved, sub-delims, `:`, `@`; but no `;`. */
const pathSet = table(`${alphanumeric}-._~!$&'()*+,=:@`);
const hostSet = table(`${alphanumeric}-._:[]`);

const isIn = (set: Uint8Array, text: string): boolean => {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code > 127 || set[code] === 0) return false;
  }
  return text.length > 0;
};

/** A `token`: methods and field names. */
export const isToken = (text: string): boolean => isIn(tokenSet, text);

/** A host, with a port or without; checked for its characters alone. */
export const isHost = (text: string): boolean => isIn(hostSet, text);

/** Whether a byte of a path needs no percent-encoding. */
export const isPathByte = (byte: number): boolean => byte < 128 && pathSet[byte] === 1;

/** Visible ASCII without spaces: all that a request target may hold. */
export function isVisible(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code <= 0x20 || code >= 0x7f) return false;
  }
  return text.length > 0;
}

/** A field value: no control characters but the tab. */
export function isFieldValue(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if ((code < 0x20 && code !== 0x09) || code === 0x7f) return false;
  }
  return true;
}

/** Digits alone, at most 15 of them, so that the number is exact. */
export function parseDecimal(text: string): number | undefined {
  if (text.length === 0 || text.length > 15) return undefined;
  let value = 0;
  for (let at = 0; at < text.length; at += 1) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return value;
}

/** The value of a hexadecimal digit, -1 for any other byte. */
export function hexValue(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte | 0x20;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}
