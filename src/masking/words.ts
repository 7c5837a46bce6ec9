/** What starts with a known beginning: prefixed secrets, IBANs, PEM blocks, phrases, commands. */
import { ascii, classOf, hasFolded, isDigit, isHigh, isLetter, isSpace, isWord } from './bytes.ts';
import { iban97 } from './checksums.ts';
import { isPassword } from './credentials.ts';
import { ibanLength } from './detectors/financial.ts';
import { detectors } from './detectors/table.ts';
import { addressEnd, nameEnd } from './people.ts';
import { indexOf, type WordEntry, wordKey } from './plan.ts';
import type { Scan } from './scan.ts';
import { matchShape } from './shape.ts';
import type { TokenFinder } from './tokens.ts';
import { dateEnd, valueKind } from './values.ts';

const iban = indexOf('iban');
const person = indexOf('person');
const address = indexOf('address');
const password = indexOf('password');
const birth = indexOf('date-of-birth');
const privateKey = indexOf('private-key');
/** Addresses that are secrets as a whole. */
const webhooks: ReadonlySet<number> = new Set(
  detectors.flatMap(({ name }, index) => (name.endsWith('-webhook') ? [index] : [])),
);

const IBAN_MAX = 34;
const SPACE = 32;
const DASH = 45;
const UNDERSCORE = 95;
/** Bytes of the longest name of an option. */
const FLAG_BYTES_MAX = 48;
const EXAMPLE: Uint8Array = ascii('example');
const LESS = 60;
const GREATER = 62;
/** A private key of 16,384 bits with its headers. */
const PEM_BYTES_MAX = 32 * 1024;
const HONORIFICS: ReadonlySet<string> = new Set(['mr', 'mrs', 'ms', 'mx', 'herr', 'frau']);
const decoder = new TextDecoder();

/** Finds what words start; one per scanner. */
export class WordFinder {
  readonly #compact: Uint8Array = new Uint8Array(IBAN_MAX);
  /** Up to where a private key has been found: what is in it begins none. */
  #keyEnd: number = 0;

  reset(): void {
    this.#keyEnd = 0;
  }

  /** Looks at the token that starts at `at`. */
  find(scan: Scan, at: number, tokens: TokenFinder): void {
    const key = wordKey(scan.byte(at), scan.byte(at + 1), scan.byte(at + 2));
    const entries = scan.plan.byWord.get(key);
    if (entries === undefined) return;
    for (const entry of entries) {
      // Many phrases begin alike; they seldom end alike.
      if (entry.kind === 'phrase' && (scan.byte(at + entry.bytes.length - 1) | 32) !== entry.last)
        continue;
      scan.spend(4);
      this.#try(scan, at, entry, tokens);
    }
  }

  #try(scan: Scan, at: number, entry: WordEntry, tokens: TokenFinder): void {
    switch (entry.kind) {
      case 'shape':
        findShape(scan, at - entry.lead, entry);
        return;
      case 'phrase':
        findAfterPhrase(scan, at, entry, tokens);
        return;
      case 'iban':
        this.#findIban(scan, at);
        return;
      case 'private-key':
        if (at >= this.#keyEnd) this.#keyEnd = findPrivateKey(scan, at);
        return;
      case 'pgpass':
        findPgpass(scan, at);
        return;
      case 'command':
        findCommandPassword(scan, at);
        return;
      case 'flag':
        findFlag(scan, at, tokens);
        return;
    }
  }

  #findIban(scan: Scan, at: number): void {
    const length = ibanLength(scan.byte(at) & 0xdf, scan.byte(at + 1) & 0xdf);
    const compact = this.#compact;
    let count = 0;
    let here = at;
    if (length === 0 || (classOf(scan.bytes, at + 3) & isDigit) === 0) return;
    while (count < length && here < scan.end) {
      const kind = classOf(scan.bytes, here);
      const byte = scan.byte(here);
      if ((kind & (isLetter | isDigit)) !== 0) {
        compact[count] = (kind & isLetter) !== 0 ? byte & 0xdf : byte;
        count += 1;
      } else if ((byte !== 32 && byte !== 45 && byte !== 46) || scan.isEnd(here + 1)) return;
      // Hyphens stand after every fourth; otherwise they are those of a UUID.
      else if (byte === 45 && count % 4 !== 0) return;
      here += 1;
    }
    scan.spend(here - at);
    if (count === length && count > 0 && scan.isEnd(here) && iban97(compact, length)) {
      scan.add(at, here, iban, 0.99);
    }
  }
}

function findShape(scan: Scan, start: number, entry: Extract<WordEntry, { kind: 'shape' }>): void {
  if (start < scan.start) return;
  const { shape, detector } = entry.entry;
  const end = matchShape(shape, scan.bytes, start, scan.end);
  if (end < 0 || !scan.isEnd(end)) return;
  scan.spend(end - start);
  if (detectors[detector]?.groups.includes('secret') === true && isWordy(scan, start, end)) return;
  const exact = detectors[detector]?.checkExact;
  if (exact !== undefined && !exact(scan.bytes, start, end)) return;
  scan.add(
    beginning(scan, start, detector),
    trimmed(scan, end),
    detector,
    detectors[detector]?.confidence ?? 0.9,
  );
}

/** Some secrets have a part in front of what makes them known. */
function beginning(scan: Scan, start: number, detector: number): number {
  let from = start;
  if (scan.byte(start) === 46) {
    while (from > scan.start && start - from < 32 && !scan.isStart(from)) from -= 1;
  } else if (webhooks.has(detector)) {
    while (start - from < 64 && isHostByte(scan, from - 1)) from -= 1;
    if (scan.byte(from - 1) !== 47 || scan.byte(from - 3) !== 58) return from;
    from -= 3;
    while (from > scan.start && start - from < 80 && !scan.isStart(from)) from -= 1;
  }
  return from;
}

function isHostByte(scan: Scan, at: number): boolean {
  const byte = scan.byte(at);
  return byte === 46 || byte === 45 || (classOf(scan.bytes, at) & (isLetter | isDigit)) !== 0;
}

/** A dot or hyphen at the end is of the sentence. */
function trimmed(scan: Scan, end: number): number {
  const last = scan.byte(end - 1);
  return last === 46 || last === 44 ? end - 1 : end;
}

/** Words in small letters, one letter many times, or `…EXAMPLE`: no secret. */
function isWordy(scan: Scan, start: number, end: number): boolean {
  if (hasFolded(scan.bytes, end - EXAMPLE.length, EXAMPLE)) return true;
  let varied = false;
  let same = 0;
  for (let at = Math.max(start, end - 16); at < end; at += 1) {
    const kind = classOf(scan.bytes, at);
    const byte = scan.byte(at);
    if ((kind & isDigit) !== 0 || (byte >= 65 && byte <= 90)) varied = true;
    if (byte === scan.byte(end - 1)) same += 1;
  }
  return !varied || same > 12;
}

/** What may stand between a phrase and its value. */
const FILLERS =
  /^(?:\s|[:=#.,"'(]|\b(?:number|num|no|nr|nummer|numero|id|is|was|of|on|am|le|el|il|em|card|code|der|es)\b\.?){0,8}/i;

function findAfterPhrase(
  scan: Scan,
  at: number,
  entry: Extract<WordEntry, { kind: 'phrase' }>,
  tokens: TokenFinder,
): void {
  const end = at + entry.bytes.length;
  if (!hasFolded(scan.bytes, at, entry.bytes) || end >= scan.end || !scan.isEnd(end)) return;
  const isElement = scan.byte(end) === GREATER;
  if ((scan.byte(at - 1) === 95 && !isElement) || scan.byte(end) === 95) return;
  scan.spend(64);
  if (entry.detector === person) findPersonAfter(scan, end, entry.words);
  else if (entry.detector === address) {
    const start = skipSpaces(scan, end);
    const stop = addressEnd(scan, start);
    if (/\d/.test(scan.latin1(start, stop))) scan.add(start, stop, address, 0.65);
  } else if (entry.detector === password) findPasswordAfter(scan, end);
  else if (entry.detector === birth) findDateAfter(scan, end);
  else findValueAfter(scan, end, entry.detector, tokens);
}

function skipSpaces(scan: Scan, at: number): number {
  let here = at;
  while (here < scan.end && here - at < 4 && [32, 58, 44].includes(scan.byte(here))) here += 1;
  return here;
}

function findPersonAfter(scan: Scan, at: number, words: string): void {
  let start = skipSpaces(scan, scan.byte(at) === 46 ? at + 1 : at);
  // A signature stands in a line of its own.
  if (words.endsWith('regards')) while (isLineEnd(scan.byte(start))) start += 1;
  if (start === at) return;
  const end = nameEnd(scan, start, HONORIFICS.has(words) || words.includes(' ') ? 1 : 2);
  if (end > start) scan.add(start, end, person, 0.75);
}

const isLineEnd = (byte: number): boolean => byte === 10 || byte === 13;

/** `requirepass x`, `IDENTIFIED BY 'x'`, `password x` of .netrc; `password: x` is a key. */
function findPasswordAfter(scan: Scan, at: number): void {
  if (scan.byte(at) === GREATER) {
    findElement(scan, at + 1);
    return;
  }
  const text = scan.latin1(at, Math.min(scan.end, at + 96));
  const start = at + (BEFORE_PASSWORD.exec(text)?.[0].length ?? 0);
  if (start === at) return;
  findPassword(scan, start);
}

/** What stands between the word and a password: spaces, `is`, `for 'app'@'%' =`. */
const BEFORE_PASSWORD = /^[ \t]{1,4}(?:(?:is|was|to|now)[: ]{1,2}|for [^\s=]{1,64} ?= ?)?/i;

function findPassword(scan: Scan, at: number): void {
  let start = at;
  const quote = scan.byte(start);
  const isQuoted = quote === 39 || quote === 34;
  if (isQuoted) start += 1;
  let end = start;
  while (end < scan.end && end - start < 256) {
    const byte = scan.byte(end);
    if (
      isQuoted
        ? byte === quote || byte === 10
        : (classOf(scan.bytes, end) & isSpace) !== 0 || byte === 59
    )
      break;
    end += 1;
  }
  // A comma or a stop at the end is of the sentence.
  if (!isQuoted) while (scan.byte(end - 1) === 44 || scan.byte(end - 1) === 46) end -= 1;
  const text = decoder.decode(scan.bytes.subarray(start, end));
  // In prose the next word follows: only what mixes kinds of characters is taken for a password.
  const isMixed = /\d/.test(text) && /[A-Za-z]/.test(text) && text.length >= 6;
  if (isPassword(text, isQuoted) && (isQuoted || isMixed)) scan.add(start, end, password, 0.85);
}

/** `<password>x</password>`. */
function findElement(scan: Scan, start: number): void {
  let end = start;
  while (end < scan.end && end - start < 256 && scan.byte(end) !== LESS) end += 1;
  scan.spend(end - start);
  const text = decoder.decode(scan.bytes.subarray(start, end));
  if (scan.byte(end + 1) === 47 && isPassword(text, true)) scan.add(start, end, password, 0.9);
}

/** `.pgpass`: host:port:database:user:password, at the port. */
function findPgpass(scan: Scan, at: number): void {
  if (scan.byte(at - 1) !== 58) return;
  const line = scan.latin1(at, Math.min(scan.end, at + 320));
  scan.spend(line.length);
  const match = /^\d{4,5}:[^:\s]{1,64}:[^:\s]{1,64}:((?:\\.|[^\s\\])+)/.exec(line);
  const value = match?.[1];
  if (match === null || value === undefined || !isPassword(value, true)) return;
  const end = at + match[0].length;
  scan.add(end - value.length, end, password, 0.9);
}

function findDateAfter(scan: Scan, at: number): void {
  const text = scan.latin1(at, Math.min(scan.end, at + 24));
  const start = at + (FILLERS.exec(text)?.[0].length ?? 0);
  const end = dateEnd(scan, start);
  if (start > at && end > start) scan.add(start, end, birth, 0.8);
}

function findValueAfter(scan: Scan, at: number, detector: number, tokens: TokenFinder): void {
  const text = scan.latin1(at, Math.min(scan.end, at + 48));
  const start = at + (FILLERS.exec(text)?.[0].length ?? 0);
  if (start === at) return;
  let end = start;
  // The value may be of two groups: a postcode.
  for (let groups = 0; groups < 3; groups += 1) {
    while (end < scan.end && ((classOf(scan.bytes, end) & isWord) !== 0 || scan.byte(end) === 45))
      end += 1;
    const hints = { hints: [{ detector, weak: true }], isVersion: false, isSession: false };
    if (
      end > start &&
      valueKind(scan, hints, { start, end, isSure: false, isColumn: false }, tokens) >= 0
    ) {
      if (/\d/.test(scan.latin1(start, end))) scan.add(start, end, detector, 0.8);
      return;
    }
    if (scan.byte(end) !== 32) return;
    end += 1;
  }
}

/** Adds the PEM block whose `BEGIN` is at `at`, to its end or as far as it is one; gives its end. */
function findPrivateKey(scan: Scan, at: number): number {
  const start = at - 5;
  if (scan.latin1(start, at) !== '-----') return 0;
  const label = /^BEGIN [A-Z0-9 ]{0,24}PRIVATE KEY(?: BLOCK)?-----/.exec(
    scan.latin1(at, Math.min(scan.end, at + 64)),
  );
  if (label === null) return 0;
  let end = at + label[0].length;
  const stop = Math.min(scan.end, end + PEM_BYTES_MAX);
  for (; end < stop; end += 1) {
    const byte = scan.byte(end);
    if (byte === 45 && scan.latin1(end, end + 9) === '-----END ') {
      const tail = /^-----END [A-Z0-9 ]{0,40}-----/.exec(
        scan.latin1(end, Math.min(stop, end + 64)),
      );
      end += tail?.[0].length ?? 9;
      break;
    }
    if (!isPemByte(scan, end, byte)) break;
  }
  scan.spend(end - start);
  scan.add(start, end, privateKey, 0.99);
  return end;
}

/** Base64, line ends (also escaped ones), and what headers are made of. */
function isPemByte(scan: Scan, at: number, byte: number): boolean {
  const kind = classOf(scan.bytes, at);
  if ((kind & (isLetter | isDigit | isSpace)) !== 0) return (kind & isHigh) === 0;
  return [43, 47, 61, 92, 58, 44, 45, 46, 40, 41, 62].includes(byte);
}

/** `--db-password x`, `ENV DB_PASSWORD x`, `<api_key>x<`; the name's last word is at `at`. */
function findFlag(scan: Scan, at: number, tokens: TokenFinder): void {
  const sign = scan.byte(at - 1);
  if (sign !== DASH && sign !== UNDERSCORE && sign !== SPACE && sign !== LESS) return;
  let start = at;
  while (at - start < FLAG_BYTES_MAX && isNameByte(scan, start - 1)) start -= 1;
  const isOption = scan.byte(start) === DASH && scan.byte(start + 1) === DASH;
  const isElement = scan.byte(start - 1) === LESS;
  if (!isOption && !isElement && !isAfterEnv(scan, start)) return;
  let end = at;
  while (end - at < FLAG_BYTES_MAX && isNameByte(scan, end)) end += 1;
  if (scan.byte(end) !== (isElement ? GREATER : SPACE)) return;
  const hint = scan.plan.hint(scan.latin1(start, end));
  let value = end + 1;
  if (scan.byte(value) === 34 || scan.byte(value) === 39) value += 1;
  let stop = value;
  while (stop < scan.end && stop - value < 256) {
    const byte = scan.byte(stop);
    if ((classOf(scan.bytes, stop) & isSpace) !== 0) break;
    if (byte === 34 || byte === 39 || byte === LESS) break;
    stop += 1;
  }
  scan.spend(stop - start);
  if (hint === 0) return;
  const place = { start: value, end: stop, isSure: false, isColumn: false };
  const kind = valueKind(scan, scan.plan.hints(hint), place, tokens);
  if (kind >= 0) scan.add(value, stop, kind, 0.85);
}

/** The instruction of a Dockerfile. */
const isAfterEnv = (scan: Scan, at: number): boolean =>
  scan.byte(at - 1) === SPACE && scan.latin1(at - 4, at - 1) === 'ENV';

function isNameByte(scan: Scan, at: number): boolean {
  const byte = scan.byte(at);
  return byte === DASH || byte === UNDERSCORE || (classOf(scan.bytes, at) & isWord) !== 0;
}

const COMMAND_PASSWORD =
  /^(?:sshpass\s+-p\s*|(?:mysql|mariadb)\w*\s(?:[^\n|;]{0,120}?\s)?(?:-p|--password=)|redis-cli\s(?:[^\n|;]{0,120}?\s)?(?:-a\s+|--pass\s+)|curl\s(?:[^\n|;]{0,160}?\s)?(?:-u\s*|--user\s+)["']?[^\s:"']{1,64}:|mongosh?\s(?:[^\n|;]{0,120}?\s)?(?:-p\s+|--password\s+)|(?:ldapsearch|ldapmodify)\s(?:[^\n|;]{0,120}?\s)?-w\s+|(?:docker|podman)\s(?:[^\n|;]{0,40}?\s)?login\s(?:[^\n|;]{0,120}?\s)?-p\s+|htpasswd\s+-\w{0,3}b\w{0,3}\s+\S{1,80}\s+\S{1,64}\s+|openssl\s(?:[^\n|;]{0,160}?\s)?(?:-k\s+|-pass(?:in|out)?\s+pass:)|sqlcmd\s(?:[^\n|;]{0,120}?\s)?-P\s*|rabbitmqctl\s+(?:add_user|change_password)\s+\S{1,64}\s+|vault\s+login\s+|snmpwalk\s(?:[^\n|;]{0,80}?\s)?-c\s+)["']?([^\s"']{1,128})/;

/** Passwords on command lines. */
function findCommandPassword(scan: Scan, at: number): void {
  const line = scan.latin1(at, Math.min(scan.end, at + 320));
  scan.spend(line.length);
  const match = COMMAND_PASSWORD.exec(line);
  const value = match?.[1];
  if (match === null || value === undefined || !isPassword(value, true)) return;
  const end = at + match[0].length;
  scan.add(end - value.length, end, password, 0.9);
}
