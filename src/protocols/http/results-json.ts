/**
 * Masks JSON as it passes: one value, or several behind each other (NDJSON). Values are replaced in
 * place by values of their kind; everything else stays byte for byte. Holds back one token.
 *
 * Invariant: what is not JSON ends the answer, because a reader more lenient than this one could
 * find values where this one saw none.
 */
import { GatewayError } from '#core/errors.ts';
import { httpLimits } from '#core/limits.ts';
import type { ColumnMask } from '#core/masking.ts';
import type { BodyMasker } from './dialect.ts';
import { ByteSink } from './byte-sink.ts';
import type { FieldMasks } from './results-fields.ts';
import { type JsonMember, JsonPlace, KeyTable, notJson, textOf } from './results-json-keys.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;

/** Strings of JSON in strings of JSON. */
const NESTED_MAX = 4;

/** What may come next. */
type Expect = 'value' | 'value-or-close' | 'key' | 'key-or-close' | 'colon' | 'comma-or-close';

interface Level {
  readonly isObject: boolean;
  /** Where it is: the object, or the list's elements. */
  readonly place: JsonPlace;
  /** Covers everything below. */
  readonly mask: ColumnMask | undefined;
  /** Whose value comes; for a list, whose value it is itself. */
  member: JsonMember | undefined;
  /** Number of the member that most likely comes next. */
  next: number;
}

/** What a byte is outside of strings. */
const WORD = 0;
const SPACE = 1;
const MARK = 2;
const kinds: Uint8Array = new Uint8Array(256);
for (const space of ' \n\r\t') kinds[space.charCodeAt(0)] = SPACE;
for (const mark of '{}[],:') kinds[mark.charCodeAt(0)] = MARK;

/** Bytes at which the inside of a string is not just passed over. */
const stops: Uint8Array = new Uint8Array(256).fill(1, 0, 0x20);
stops[QUOTE] = 1;
stops[BACKSLASH] = 1;

const decoder = new TextDecoder('utf-8', { fatal: true });
const encoder = new TextEncoder();
const nothing: Uint8Array = new Uint8Array(0);
const redacted = encoder.encode('"[REDACTED]"');

export class JsonMasker implements BodyMasker {
  readonly #fields: FieldMasks;
  readonly #depth: number;
  /** The levels that are open around {@link JsonMasker.#level}. */
  readonly #levels: (Level | undefined)[] = [];
  /** The innermost level. */
  #level: Level | undefined;
  readonly #root: JsonPlace;
  /** What a mask makes of every text. */
  readonly #constants = new Map<ColumnMask, Uint8Array>();
  readonly #out = new ByteSink();
  #rest: Uint8Array = nothing;
  #expect: Expect = 'value';
  /** Whether the last string that was passed has escapes. */
  #hasEscape: boolean = false;
  /** Inside a string that is too long to be looked at: it is passed over. */
  #skipping: 'no' | 'string' | 'escape' = 'no';

  /** @param depth - how many strings of JSON this text is in. */
  constructor(fields: FieldMasks, depth: number = 0) {
    this.#fields = fields;
    this.#depth = depth;
    this.#root = new JsonPlace('$', new KeyTable(fields));
  }

  push(bytes: Uint8Array, start: number, end: number): Uint8Array {
    let from = start;
    if (this.#skipping !== 'no') {
      from = this.#skip(bytes, start, end);
      if (from === end) return this.#out.take();
    }
    const all = joined(this.#rest, bytes.subarray(from, end));
    const done = this.#tokens(all, false);
    this.#rest = all.slice(done);
    if (this.#rest.length > httpLimits.unitBytesMax) this.#giveUp();
    return this.#out.take();
  }

  end(): Uint8Array {
    const done = this.#tokens(this.#rest, true);
    if (done < this.#rest.length || this.#level !== undefined || this.#skipping !== 'no') {
      throw notJson();
    }
    return this.#out.take();
  }

  /** Takes whole tokens; gives the offset behind the last one. */
  #tokens(bytes: Uint8Array, isLast: boolean): number {
    const { length } = bytes;
    let at = 0;
    // What was passed since the last replacement.
    let kept = 0;
    while (at < length) {
      const byte = bytes[at] ?? 0;
      const kind = kinds[byte];
      if (kind !== WORD) {
        if (kind === MARK) this.#punctuation(byte);
        at += 1;
        continue;
      }
      const isKey = this.#expect === 'key' || this.#expect === 'key-or-close';
      const end =
        byte !== QUOTE
          ? wordEnd(bytes, at, isLast)
          : isKey
            ? this.#keyEnd(bytes, at)
            : this.#stringEnd(bytes, at + 1);
      if (end < 0) break;
      const replacement =
        byte !== QUOTE
          ? this.#word(bytes, at, end)
          : isKey
            ? this.#key()
            : this.#string(bytes, at, end);
      if (replacement !== undefined) {
        this.#out.put(bytes, kept, at);
        this.#out.put(replacement, 0, replacement.length);
        kept = end;
      }
      at = end;
    }
    this.#out.put(bytes, kept, at);
    return at;
  }

  #punctuation(byte: number): void {
    const level = this.#level;
    switch (byte) {
      case OPEN_OBJECT:
      case OPEN_LIST:
        return this.#open(byte === OPEN_OBJECT);
      case CLOSE_OBJECT:
      case CLOSE_LIST: {
        const isObject = byte === CLOSE_OBJECT;
        const mayClose = this.#expect === (isObject ? 'key-or-close' : 'value-or-close');
        if (level?.isObject !== isObject || !(mayClose || this.#expect === 'comma-or-close')) {
          throw notJson();
        }
        this.#level = this.#levels.pop();
        return this.#valueEnds();
      }
      case COLON:
        if (this.#expect !== 'colon') throw notJson();
        this.#expect = 'value';
        return;
      default:
        if (this.#expect !== 'comma-or-close' || level === undefined) throw notJson();
        this.#expect = level.isObject ? 'key' : 'value';
    }
  }

  #open(isObject: boolean): void {
    this.#wantValue();
    if (this.#levels.length >= httpLimits.depthMax) throw notJson();
    const parent = this.#level;
    const own = this.#placeBelow(parent);
    this.#levels.push(parent);
    this.#level = {
      isObject,
      place: isObject ? own : own.elements(),
      mask: maskOf(parent),
      // Elements of a list have the name of the list.
      member: isObject ? undefined : parent?.member,
      next: 0,
    };
    this.#expect = isObject ? 'key-or-close' : 'value-or-close';
  }

  #placeBelow(parent: Level | undefined): JsonPlace {
    if (parent === undefined) return this.#root;
    return parent.isObject ? (parent.member?.place ?? this.#root) : parent.place;
  }

  #wantValue(): void {
    if (this.#expect !== 'value' && this.#expect !== 'value-or-close') throw notJson();
  }

  #valueEnds(): void {
    this.#expect = this.#level === undefined ? 'value' : 'comma-or-close';
  }

  /** Reads a key; gives the offset behind it, -1 when it is not whole. */
  #keyEnd(bytes: Uint8Array, start: number): number {
    const level = this.#level;
    if (level === undefined) throw notJson();
    const foreseen = level.place.foreseen(level.next, bytes, start);
    if (foreseen !== undefined) {
      level.member = foreseen;
      level.next += 1;
      return start + foreseen.key.bytes.length;
    }
    const end = this.#stringEnd(bytes, start + 1);
    if (end < 0) return -1;
    level.member = level.place.member(bytes, start, end);
    level.next = level.place.after(level.member);
    return end;
  }

  #key(): Uint8Array | undefined {
    this.#expect = 'colon';
    return this.#level?.member?.key.replacement;
  }

  #string(bytes: Uint8Array, start: number, end: number): Uint8Array | undefined {
    this.#wantValue();
    this.#valueEnds();
    const level = this.#level;
    const mask = maskOf(level);
    if (mask !== undefined) return this.#maskedText(mask, bytes, start, end);
    return this.#content(bytes, start, end, level?.member);
  }

  /** The offset behind the closing quote; -1 when it has not come. */
  #stringEnd(bytes: Uint8Array, from: number): number {
    this.#hasEscape = false;
    for (let at = from; at < bytes.length; at += 1) {
      const byte = bytes[at] ?? 0;
      if (stops[byte] === 0) continue;
      if (byte === QUOTE) return at + 1;
      if (byte !== BACKSLASH) throw notJson();
      this.#hasEscape = true;
      at += 1;
    }
    return -1;
  }

  #maskedText(mask: ColumnMask, bytes: Uint8Array, start: number, end: number): Uint8Array {
    const known = this.#constants.get(mask);
    if (known !== undefined) return known;
    const text = this.#fields.replace(mask, 'text', textOf(bytes, start, end));
    const replacement = encoder.encode(JSON.stringify(text));
    const { kind } = mask.transform;
    if (kind === 'redact' || kind === 'null' || kind === 'fixed') {
      this.#constants.set(mask, replacement);
    }
    return replacement;
  }

  #content(
    bytes: Uint8Array,
    start: number,
    end: number,
    member: JsonMember | undefined,
  ): Uint8Array | undefined {
    const hasEscape = this.#hasEscape;
    const inner = this.#fields.hasNames ? this.#nested(bytes, start, end) : undefined;
    if (inner !== undefined) return inner;
    if (hasEscape) {
      const text = textOf(bytes, start, end);
      const clean = this.#fields.contentText(member?.key.name ?? '', text);
      return clean === undefined ? undefined : encoder.encode(JSON.stringify(clean));
    }
    const clean = this.#fields.content(bytes, start + 1, end - 1, 'text', member?.hint ?? 0);
    return clean === undefined ? undefined : encoder.encode(JSON.stringify(decoder.decode(clean)));
  }

  /** A string that is a text of JSON itself; undefined when it is none. */
  #nested(bytes: Uint8Array, start: number, end: number): Uint8Array | undefined {
    const first = bytes[start + 1];
    if (first !== OPEN_OBJECT && first !== OPEN_LIST) return undefined;
    if (this.#depth >= NESTED_MAX) throw notJson();
    const inner = encoder.encode(textOf(bytes, start, end));
    try {
      const masker = new JsonMasker(this.#fields, this.#depth + 1);
      const clean = Buffer.concat([masker.push(inner, 0, inner.length), masker.end()]);
      return encoder.encode(JSON.stringify(decoder.decode(clean)));
    } catch {
      // Text with a bracket, as in a message.
      return undefined;
    }
  }

  /** A number, or `true`, `false`, `null`. */
  #word(bytes: Uint8Array, start: number, end: number): Uint8Array | undefined {
    this.#wantValue();
    this.#valueEnds();
    const level = this.#level;
    const kind = wordKind(bytes, start, end);
    const mask = maskOf(level);
    if (mask !== undefined) {
      if (kind === 'other') return undefined;
      const text = decoder.decode(bytes.subarray(start, end));
      return jsonWord(this.#fields.replace(mask, kind, text));
    }
    if (kind === 'other' || kind === 'boolean') return undefined;
    const clean = this.#fields.content(bytes, start, end, kind, level?.member?.hint ?? 0);
    return clean === undefined ? undefined : jsonWord(decoder.decode(clean));
  }

  /** A string that is longer than what can be held: nobody sees it. */
  #giveUp(): void {
    if (this.#rest[0] !== QUOTE || this.#expect === 'key' || this.#expect === 'key-or-close') {
      throw new GatewayError('SP_MASK_UNSOUND', { detail: 'a token above the limit' });
    }
    this.#wantValue();
    this.#valueEnds();
    this.#out.put(redacted, 0, redacted.length);
    const rest = this.#rest;
    this.#rest = nothing;
    this.#skipping = 'string';
    this.#skip(rest, 1, rest.length);
  }

  #skip(bytes: Uint8Array, start: number, end: number): number {
    for (let at = start; at < end; at += 1) {
      if (this.#skipping === 'escape') this.#skipping = 'string';
      else if (bytes[at] === BACKSLASH) this.#skipping = 'escape';
      else if (bytes[at] === QUOTE) {
        this.#skipping = 'no';
        return at + 1;
      }
    }
    return end;
  }
}

/** The mask of the value that comes next in a level. */
function maskOf(level: Level | undefined): ColumnMask | undefined {
  if (level === undefined || level.mask !== undefined || !level.isObject) return level?.mask;
  return level.member?.mask;
}

/** Both pieces in a row; the first is mostly empty. */
function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.length === 0) return second;
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}

/** The offset behind a number or a word; -1 when more of it may come. */
function wordEnd(bytes: Uint8Array, from: number, isLast: boolean): number {
  for (let at = from; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    const isPart =
      (byte >= 48 && byte <= 57) ||
      (byte >= 97 && byte <= 122) ||
      byte === 0x2d ||
      byte === 0x2b ||
      byte === 0x2e ||
      byte === 0x45;
    if (!isPart) {
      if (at === from) throw notJson();
      return at;
    }
  }
  return isLast ? bytes.length : -1;
}

/** What a word is; `other` is null. By the grammar of RFC 8259. */
function wordKind(
  bytes: Uint8Array,
  start: number,
  end: number,
): 'integer' | 'float' | 'boolean' | 'other' {
  const first = bytes[start] ?? 0;
  if (first >= 97) {
    const word = decoder.decode(bytes.subarray(start, end));
    if (word === 'null') return 'other';
    if (word === 'true' || word === 'false') return 'boolean';
    throw notJson();
  }
  const digits = first === 0x2d ? start + 1 : start;
  const whole = digitsEnd(bytes, digits, end);
  const hasZero = bytes[digits] === 0x30 && whole > digits + 1;
  if (whole === digits || hasZero) throw notJson();
  let at = whole;
  if (bytes[at] === 0x2e && at < end) {
    at = digitsEnd(bytes, at + 1, end);
    if (at === whole + 1) throw notJson();
  }
  if (at < end && ((bytes[at] ?? 0) | 0x20) === 0x65) {
    const sign = bytes[at + 1] === 0x2b || bytes[at + 1] === 0x2d ? 2 : 1;
    const from = at + sign;
    at = digitsEnd(bytes, from, end);
    if (at === from) throw notJson();
  }
  if (at !== end) throw notJson();
  return at === whole ? 'integer' : 'float';
}

function digitsEnd(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && (bytes[at] ?? 0) >= 48 && (bytes[at] ?? 0) <= 57) at += 1;
  return at;
}

/** A replacement as a number where it is one, else null. */
function jsonWord(text: string | null): Uint8Array {
  const isNumber = text !== null && /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text);
  return encoder.encode(isNumber ? text : 'null');
}
