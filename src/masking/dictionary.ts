/**
 * What names say: of columns, of keys, and words before a value. One dictionary of phrases in many
 * languages, made from the table of detectors; it answers for identifiers (`custTaxFileNumber`)
 * and for text (`tax file number: …`).
 *
 * Invariant: the longest phrase wins over those inside it, so that `ip_address` is no address and
 * `card_security_code` no card, whichever of them a policy asks for.
 */
import { detectors } from './detectors/table.ts';

/** One thing that a name hints at. */
export interface Hint {
  /** Number of the detector. */
  readonly detector: number;
  /** The name is ambiguous: the value's check digits must hold. */
  readonly weak: boolean;
}

/** What one name says. */
export interface NameHints {
  readonly hints: readonly Hint[];
  /** Dotted numbers under it are versions. */
  readonly isVersion: boolean;
  /** Identifiers under it are random by nature, so a UUID is no secret. */
  readonly isSession: boolean;
}

export const noHints: NameHints = { hints: [], isVersion: false, isSession: false };

interface Phrase extends Hint {
  /** Must end the name. */
  readonly isHead: boolean;
  /** Must be all of the name but for its owner. */
  readonly isWhole: boolean;
  /** Must not be all of it. */
  readonly isOwned: boolean;
}

/** Words that say whose a value is, not what. */
const OWNERS: ReadonlySet<string> = new Set(
  'usr user cust customer client emp employee empl pri primary sec secondary acc acct account patient person contact member owner author guest student tenant applicant insured holder driver home work billing db stg src tbl my the a of'.split(
    ' ',
  ),
);
/** Words that may follow what a name is about without changing it. */
const TAILS: ReadonlySet<string> = new Set(
  'old new current prod production dev test live encrypted enc crypted plain plaintext value val txt text str string raw b64 base64 hex masked full primary secondary backup default main'.split(
    ' ',
  ),
);
const VERSIONS: ReadonlySet<string> = new Set(
  'version versions ver build firmware release semver assembly revision rev netmask subnet cidr'.split(
    ' ',
  ),
);
/** Names that end as those of secrets do, and name none. */
const HARMLESS =
  'public key, primary key, foreign key, cache key, partition key, sort key, shard key, row key, hash key, range key, object key, bucket key, file key, s3 key, index key, unique key, natural key, business key, surrogate key, candidate key, composite key, routing key, message key, event key, idempotency key, dedup key, lookup key, translation key, i18n key, locale key, message group key, config key, setting key, feature key, flag key, project key, issue key, license key, licence key, product key, map key, json key, redis key, topic key, metric key, group key, join key, order key, item key, publishable key, site key, host key, host public key, verification key, public signing key, page token, next page token, next token, continuation token, cursor token, sync token, next sync token, continue token, pagination token, key id, access key name, token type, secret name, password policy, password hint'.split(
    ', ',
  );
const SESSIONS: ReadonlySet<string> = new Set(
  'token session sessionid sid csrf xsrf id idempotency'.split(' '),
);
const WORDS_MAX = 5;
/** Letters of the longest owner, and of the shortest word that may stand behind one unseparated. */
const OWNER_MAX = 9;
const OWNED_MIN = 3;
/** Whatever stands before these, it is a secret: `rootpassword`. */
const SECRET_ENDINGS =
  'password passwd passphrase apikey secretkey accesskey authtoken accesstoken clientsecret'.split(
    ' ',
  );

/** Lower case without accents, as the phrases are kept. */
export function foldName(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replaceAll('ß', 'ss')
    .replaceAll('ø', 'o')
    .replaceAll('æ', 'ae')
    .replaceAll('å', 'a')
    .replaceAll('ł', 'l')
    .replaceAll('ı', 'i');
}

const FNV_START = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** One step of FNV-1a. */
export const hashStep = (hash: number, byte: number): number => Math.imul(hash ^ byte, FNV_PRIME);
/** Where {@link hashStep} starts. */
export const hashStart: number = FNV_START;

/** The hash of a folded phrase; bytes of other scripts count as they are. */
export function hashOf(text: string): number {
  let hash = FNV_START;
  for (const byte of new TextEncoder().encode(text)) hash = hashStep(hash, byte);
  return hash;
}

const phrases: ReadonlyMap<string, readonly Phrase[]> = collect();
/** Words in the longest phrase. */
const longest: number = WORDS_MAX;

function collect(): Map<string, Phrase[]> {
  const all = new Map<string, Phrase[]>();
  detectors.forEach((detector, index) => {
    for (const written of detector.names?.split(', ') ?? []) {
      const isWhole = written.startsWith('=');
      const isHead = written.endsWith('$');
      const isOwned = written.startsWith('+');
      // `name` alone may be a product's.
      const weak = /\?\$?$/.test(written) || isWhole;
      const key = foldName(written.replace(/^[=+]|[$?]+$/g, '')).replaceAll(' ', '');
      const list = all.get(key) ?? [];
      list.push({ detector: index, weak, isHead, isWhole, isOwned });
      all.set(key, list);
    }
  });
  // A phrase without hints covers its words, so that a shorter one in it says nothing.
  for (const phrase of HARMLESS) all.set(phrase.replaceAll(' ', ''), []);
  return all;
}

/** The words of an identifier: split at signs, at changes of case, and after digits. */
export function wordsOf(name: string): string[] {
  return name
    .slice(0, 128)
    .replace(/([\p{Ll}\d])(\p{Lu})/gu, '$1 $2')
    .replace(/(\p{Lu})(\p{Lu}\p{Ll})/gu, '$1 $2')
    .split(/[^\p{L}\p{N}\p{M}]+/u)
    .filter((word) => word !== '')
    .slice(-12)
    .map(foldName);
}

/** What an identifier says of the values under it. */
export function hintsOfName(name: string): NameHints {
  const words = wordsOf(name);
  const isVersion = words.some((word) => VERSIONS.has(word));
  // Numbers and words such as `old` at the end say nothing.
  let end = words.length;
  while (end > 1 && (/^\d+$/.test(words[end - 1] ?? '') || TAILS.has(words[end - 1] ?? '')))
    end -= 1;
  const isSession = SESSIONS.has(words[end - 1] ?? '');
  const found = new Map<number, boolean>();
  // From the end: in `user_email_address` the last words say what it is.
  const covered = new Uint8Array(words.length);
  for (let size = Math.min(longest, words.length); size > 0; size -= 1) {
    for (let from = words.length - size; from >= 0; from -= 1) {
      const to = from + size;
      if (isCovered(covered, from, to)) continue;
      const matches = lookUp(words, from, to);
      if (matches === undefined) continue;
      covered.fill(1, from, to);
      for (const phrase of matches) {
        if (phrase.isHead && to < end) continue;
        if (phrase.isOwned && from === 0) continue;
        if (phrase.isWhole && !isWhole(words, from, to, end)) continue;
        found.set(phrase.detector, (found.get(phrase.detector) ?? true) && phrase.weak);
      }
    }
  }
  if (found.size === 0 && !isVersion) return noHints;
  const hints = [...found].map(([detector, weak]): Hint => ({ detector, weak }));
  return { hints, isVersion, isSession };
}

function isCovered(covered: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) if (covered[at] === 1) return true;
  return false;
}

function isWhole(words: readonly string[], from: number, to: number, end: number): boolean {
  return to >= end && words.slice(0, from).every((word) => OWNERS.has(word));
}

function lookUp(words: readonly string[], from: number, to: number): readonly Phrase[] | undefined {
  const joined = words.slice(from, to).join('');
  const plain = joined.replace(/\d+$/, '');
  const found = phrases.get(joined) ?? phrases.get(plain) ?? phrases.get(plain.replace(/s$/, ''));
  return found ?? (to - from === 1 ? lookUpOwned(plain) : undefined);
}

/** `custpassportno`: an owner, and what is owned, written as one word. */
function lookUpOwned(word: string): readonly Phrase[] | undefined {
  const ending = SECRET_ENDINGS.find((end) => word.endsWith(end));
  if (ending !== undefined) return phrases.get(ending);
  for (let length = 2; length <= OWNER_MAX && word.length - length >= OWNED_MIN; length += 1) {
    const isOwner = OWNERS.has(word.slice(0, length));
    const owned = isOwner ? phrases.get(word.slice(length)) : undefined;
    if (owned !== undefined) return owned;
  }
  return undefined;
}

/** Phrases as the scan of text wants them: by the hash of their letters. */
export const phrasesByHash: ReadonlyMap<number, readonly Hint[]> = new Map(
  [...phrases].map(([key, list]) => [
    hashOf(key),
    list.filter((phrase) => !phrase.isWhole).map(({ detector, weak }) => ({ detector, weak })),
  ]),
);

const ENDINGS = 8 * 1024;
/** One bit for the hash of every word, or words written as one, with which a phrase can end. */
const endings: Uint8Array = new Uint8Array(ENDINGS);
for (const detector of detectors) {
  for (const written of detector.names?.split(', ') ?? []) {
    const words = foldName(written.replace(/^[=+]|[$?]+$/g, '')).split(' ');
    words.forEach((_, from) => {
      endings[hashOf(words.slice(from).join('')) & (ENDINGS - 1)] = 1;
    });
  }
}

/** Whether a phrase may end with the word of this hash. Seldom true of other words. */
export const mayEndPhrase = (hash: number): boolean => endings[hash & (ENDINGS - 1)] === 1;

/** Three bytes, or four. */
type KeyEnding = readonly [number, number, number, number?];

/** The last bytes of every key that says something, as the kernel wants them. */
export const keyEndings: readonly KeyEnding[] = collectEndings();

function collectEndings(): KeyEnding[] {
  const words = new Set<string>(TAILS);
  for (const word of VERSIONS) words.add(word);
  for (const detector of detectors) {
    for (const written of detector.names?.split(', ') ?? []) {
      words.add(foldName(written.replace(/^[=+]|[$?]+$/g, '')).replaceAll(' ', ''));
    }
  }
  return [...words].flatMap((word) => {
    // A key of two letters ends with what stands before it; these are the usual signs.
    const padded =
      word.length > 2
        ? [word, `${word}s`]
        : Array.from(' "\'_.,{[(&?;\n\0-').map((sign) => sign + word);
    return padded.map((text): KeyEnding => {
      const bytes = new TextEncoder().encode(text);
      const [a = 0, b = 0, c = 0, d = 0] = bytes.slice(-4);
      return bytes.length > 3 ? [a, b, c, d] : [a, b, c];
    });
  });
}

/** Phrases of the detectors whose names are anchors, as written. */
export function followPhrases(): readonly { readonly words: string; readonly detector: number }[] {
  return detectors.flatMap((detector, index) =>
    detector.follow === true
      ? (detector.names ?? '').split(', ').map((written) => ({
          words: foldName(written.replace(/^[=+]|[$?]+$/g, '')),
          detector: index,
        }))
      : [],
  );
}

/** Latin letters with accents (U+00C0 to U+017F) by their base letter; 0 for none. */
export const baseLetters: Uint8Array = Uint8Array.from({ length: 0x180 }, (_, code) => {
  if (code < 0xc0) return 0;
  const base = foldName(String.fromCharCode(code));
  return /^[a-z]/.test(base) ? base.charCodeAt(0) : 0;
});
