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
import { JsonPlace, KeyTable, notJson, textOf } from './results-json-keys.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
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
  /** The key whose value comes; for a list, its own name. */
  key: string;
}

const decoder = new TextDecoder('utf-8', { fatal: true });
const encoder = new TextEncoder();
const nothing: Uint8Array = new Uint8Array(0);
const redacted = encoder.encode('"[REDACTED]"');

export class JsonMasker implements BodyMasker {
  readonly #fields: FieldMasks;
  readonly #depth: number;
  readonly #levels: Level[] = [];
  readonly #root: JsonPlace;
  readonly #keys: KeyTable;
  /** What a mask makes of every text. */
  readonly #constants = new Map<ColumnMask, Uint8Array>();
  readonly #out = new ByteSink();
  #rest: Uint8Array = nothing;
  #expect: Expect = 'value';
  /** Inside a string that is too long to be looked at: it is passed over. */
  #skipping: 'no' | 'string' | 'escape' = 'no';

  /** @param depth - how many strings of JSON this text is in. */
  constructor(fields: FieldMasks, depth: number = 0) {
    this.#fields = fields;
    this.#depth = depth;
    this.#root = new JsonPlace('$', fields);
    this.#keys = new KeyTable(fields);
  }

  push(bytes: Uint8Array, start: number, end: number): Uint8Array {
    let from = start;
    if (this.#skipping !== 'no') {
      from = this.#skip(bytes, start, end);
      if (from === end) return this.#out.take();
    }
    const piece = bytes.subarray(from, end);
    const all = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    const done = this.#tokens(all, false);
    this.#rest = all.slice(done);
    if (this.#rest.length > httpLimits.unitBytesMax) this.#giveUp();
    return this.#out.take();
  }

  end(): Uint8Array {
    const done = this.#tokens(this.#rest, true);
    if (done < this.#rest.length || this.#levels.length > 0 || this.#skipping !== 'no') {
      throw notJson();
    }
    return this.#out.take();
  }

  /** Takes whole tokens; gives the offset behind the last one. */
  #tokens(bytes: Uint8Array, isLast: boolean): number {
    let at = 0;
    // What was passed since the last replacement.
    let kept = 0;
    while (at < bytes.length) {
      const byte = bytes[at] ?? 0;
      if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) {
        at += 1;
        continue;
      }
      if (isPunctuation(byte)) {
        this.#punctuation(byte);
        at += 1;
        continue;
      }
      const end = byte === QUOTE ? stringEnd(bytes, at + 1) : wordEnd(bytes, at, isLast);
      if (end < 0) break;
      const replacement =
        byte === QUOTE ? this.#string(bytes, at, end) : this.#word(bytes, at, end);
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
    const level = this.#levels.at(-1);
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
        this.#levels.pop();
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
    const parent = this.#levels.at(-1);
    const own = this.#placeBelow(parent);
    this.#levels.push({
      isObject,
      place: isObject ? own : own.elements(),
      mask: this.#maskOf(parent),
      // Elements of a list have the name of the list.
      key: isObject ? '' : (parent?.key ?? ''),
    });
    this.#expect = isObject ? 'key-or-close' : 'value-or-close';
  }

  #placeBelow(parent: Level | undefined): JsonPlace {
    if (parent === undefined || !this.#fields.hasNames) return this.#root;
    return parent.isObject ? parent.place.member(parent.key) : parent.place;
  }

  #maskOf(parent: Level | undefined): ColumnMask | undefined {
    if (parent === undefined) return undefined;
    if (parent.mask !== undefined || !parent.isObject) return parent.mask;
    return this.#fields.hasNames ? parent.place.maskOf(parent.key) : undefined;
  }

  #wantValue(): void {
    if (this.#expect !== 'value' && this.#expect !== 'value-or-close') throw notJson();
  }

  #valueEnds(): void {
    this.#expect = this.#levels.length === 0 ? 'value' : 'comma-or-close';
  }

  #string(bytes: Uint8Array, start: number, end: number): Uint8Array | undefined {
    const level = this.#levels.at(-1);
    if (this.#expect === 'key' || this.#expect === 'key-or-close') {
      if (level === undefined) throw notJson();
      const key = this.#keys.read(bytes, start, end);
      level.key = key.name;
      this.#expect = 'colon';
      return key.replacement;
    }
    this.#wantValue();
    this.#valueEnds();
    const mask = this.#maskOf(level);
    if (mask !== undefined) {
      return this.#maskedText(mask, bytes, start, end);
    }
    return this.#content(bytes, start, end, level?.key ?? '');
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

  #content(bytes: Uint8Array, start: number, end: number, name: string): Uint8Array | undefined {
    const inner = this.#fields.hasNames ? this.#nested(bytes, start, end) : undefined;
    if (inner !== undefined) return inner;
    if (bytes.subarray(start, end).includes(BACKSLASH)) {
      const clean = this.#fields.contentText(name, textOf(bytes, start, end));
      return clean === undefined ? undefined : encoder.encode(JSON.stringify(clean));
    }
    const range = { bytes, start: start + 1, end: end - 1 };
    const clean = this.#fields.content(name, 'text', range);
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
    const level = this.#levels.at(-1);
    const kind = wordKind(bytes, start, end);
    const mask = this.#maskOf(level);
    if (mask !== undefined) {
      if (kind === 'other') return undefined;
      const text = decoder.decode(bytes.subarray(start, end));
      return jsonWord(this.#fields.replace(mask, kind, text));
    }
    if (kind === 'other' || kind === 'boolean') return undefined;
    const clean = this.#fields.content(level?.key ?? '', kind, { bytes, start, end });
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

const isPunctuation = (byte: number): boolean =>
  byte === COMMA ||
  byte === COLON ||
  byte === OPEN_OBJECT ||
  byte === CLOSE_OBJECT ||
  byte === OPEN_LIST ||
  byte === CLOSE_LIST;

/** The offset behind the closing quote; -1 when it has not come. */
function stringEnd(bytes: Uint8Array, from: number): number {
  for (let at = from; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE) return at + 1;
    if (byte === BACKSLASH) at += 1;
    else if (byte < 0x20) throw notJson();
  }
  return -1;
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
