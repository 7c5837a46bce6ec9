/** Classes of bytes, as tables: one load a byte on the paths that look at every byte. */

/** Bits of {@link classOf}. */
export const isDigit = 1;
export const isLower = 2;
export const isUpper = 4;
/** Bytes of other scripts count as letters: they continue a word. */
export const isHigh = 8;
export const isSpace = 16;
export const isHex = 32;
/** Characters of an e-mail address before the at sign. */
export const isLocal = 64;
/** What separates groups of one number: space, hyphen, dot, slash. */
export const isJoint = 128;
export const isLetter: number = isLower | isUpper;
/** Letters of any script and digits: what tokens are made of. */
export const isWord: number = isDigit | isLower | isUpper | isHigh;

/** The classes of each byte, for loops in which a call is too much. */
export const classes: Uint8Array = new Uint8Array(256);
for (let byte = 0; byte < 256; byte += 1) {
  const character = String.fromCharCode(byte);
  let bits = 0;
  if (/[0-9]/.test(character)) bits |= isDigit;
  if (/[a-z]/.test(character)) bits |= isLower;
  if (/[A-Z]/.test(character)) bits |= isUpper;
  if (byte >= 0x80) bits |= isHigh;
  if (/[ \t\r\n]/.test(character)) bits |= isSpace;
  if (/[0-9a-fA-F]/.test(character)) bits |= isHex;
  if (/[0-9a-zA-Z.!#$%&'+/=?^_`{|}~-]/.test(character) || byte >= 0x80) bits |= isLocal;
  if (/[ ./-]/.test(character)) bits |= isJoint;
  classes[byte] = bits;
}

/** The classes of the byte at `at`; 0 outside of the array. */
export function classOf(bytes: Uint8Array, at: number): number {
  return classes[bytes[at] ?? 0] ?? 0;
}

/** A text's bytes, for tables that are written as strings. ASCII only. */
export function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Whether `text` (lower case) stands at `at`, in any case. */
export function hasFolded(bytes: Uint8Array, at: number, text: Uint8Array): boolean {
  for (let i = 0; i < text.length; i += 1) {
    const byte = bytes[at + i] ?? 0;
    const folded = byte >= 65 && byte <= 90 ? byte | 0x20 : byte;
    if (folded !== text[i]) return false;
  }
  return true;
}
