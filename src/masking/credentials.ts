/**
 * What can be a password or a token under a name that says so, and what is only a reference,
 * a placeholder or a word of prose in its place.
 */

const REFERENCE =
  /^(?:\$[A-Za-z_][\w.]*$|\$\{[\w.]+(?::?[?+][^}]*)?\}?$|\$\(|\{\{|<%|%\w+%$|<[^>]*>?$|!\w+|process\.env|os\.|env\(|getenv|secrets?\.|vars?\.|var\.|\*+$|[x•*#.-]{3,}$)/i;
/** A call, an index, or a path of names: code, not a value. */
const CODE =
  /^[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*\s*[([]|^[a-z_]+(?:\.[a-z_]+){1,}$|^(?:new|await|function|return)\b/i;
const WORDS: ReadonlySet<string> = new Set(
  'true false null none nil undefined yes no on off required optional empty redacted masked hidden secret password token string text bearer basic digest unknown changed expired invalid valid missing set unset default todo tbd n/a na bool boolean number object varchar char reset'.split(
    ' ',
  ),
);

/** Whether a value stands for no value: empty, masked already, a tag or token of ours. */
export function isPlaceholder(text: string): boolean {
  const value = text.trim();
  return (
    value === '' ||
    /^(?:n\/?a|null|none|nil|tbd|tba|unknown|undefined|not (?:set|provided|available)|missing|empty|-+|\.+|\?+|0+)$/i.test(
      value,
    ) ||
    /^\[[A-Z][A-Z0-9_ -]*\]$/.test(value) ||
    /^tok_[a-z2-7]{20}$/.test(value) ||
    isMasked(value)
  );
}

/** `XXXX-XXXX-XXXX-0946`, `****1268`, `j***@example.com`. */
function isMasked(value: string): boolean {
  if (!/[*•]{2,}|^[xX#]{2,}|[xX#]{4,}/.test(value)) return false;
  const hidden = value.replace(/[^*•#xX]/g, '').length;
  return hidden >= value.replace(/[^\p{L}\p{N}*•#]/gu, '').length / 4;
}

/**
 * Whether `value` can be a password.
 *
 * @param isSure - the place says so by itself (a column, a quoted value): words of prose count.
 */
export function isPassword(value: string, isSure: boolean): boolean {
  if (value.length < (isSure ? 3 : 4) || value.length > 512) return false;
  if (isPlaceholder(value) || REFERENCE.test(value) || WORDS.has(value.toLowerCase())) return false;
  if (isSure) return true;
  if (CODE.test(value) || /\s/.test(value)) return false;
  return !/^[A-Za-z]+$/.test(value) || (value.length >= 14 && bitsPerCharacter(value) > 3);
}

/** Whether `value` looks random enough to be a token under a name such as `api_key`. */
export function isRandom(value: string): boolean {
  if (value.length < 12 || value.length > 4_096) return false;
  if (isPlaceholder(value) || REFERENCE.test(value) || CODE.test(value)) return false;
  if (!/^[\w+/=.~:%!@#$^&*-]+$/.test(value) || /^[a-z]+:\/\//i.test(value)) return false;
  const kinds =
    Number(/[a-z]/.test(value)) + Number(/[A-Z]/.test(value)) + Number(/\d/.test(value));
  if (kinds < 2) return false;
  // Words joined by signs, file names, dates and versions are not random.
  if (/^[\d.:TZ+-]+$/.test(value) || /^[A-Za-z]+(?:[-_.][A-Za-z]+)+\d{0,3}$/.test(value))
    return false;
  return bitsPerCharacter(value) >= 2.4;
}

/** The same under a name as vague as `key`: long, of letters and digits, and no identifier. */
export function isRandomKey(value: string): boolean {
  return /^[\w+=-]{20,}$/.test(value) && /\d/.test(value) && !isUuid(value) && isRandom(value);
}

/** Whether `value` is the words of a wallet (BIP 39). */
export function isSeedPhrase(value: string): boolean {
  return /^(?:[a-z]{3,8} ){11,23}[a-z]{3,8}$/.test(value);
}

/** Whether `value` is a UUID: an identifier, unless its name says otherwise. */
export function isUuid(value: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value);
}

/** Shannon entropy of the characters. */
export function bitsPerCharacter(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values())
    bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}
