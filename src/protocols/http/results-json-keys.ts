/**
 * Names in JSON: documents repeat the same few keys at the same few places in the same order, so
 * each is read, looked up and scanned once, and is mostly known before it has been read.
 */
import { GatewayError } from '#core/errors.ts';
import type { ColumnMask } from '#core/masking.ts';
import type { FieldMasks } from './results-fields.ts';

const decoder = new TextDecoder('utf-8', { fatal: true });
const encoder = new TextEncoder();

/** Keys, and members of all places together, that are remembered; others are read anew each time. */
const KNOWN_MAX = 4_000;

/** What ends an answer that says it is JSON and is not. */
export const notJson = (): GatewayError =>
  new GatewayError('SP_MASK_UNSOUND', { detail: 'not JSON' });

/** The text of a string with its quotes. */
export function textOf(bytes: Uint8Array, start: number, end: number): string {
  try {
    const text = decoder.decode(bytes.subarray(start, end));
    const value: unknown = text.includes('\\') ? JSON.parse(text) : text.slice(1, -1);
    if (typeof value === 'string') return value;
  } catch {
    throw notJson();
  }
  throw notJson();
}

/** A key as it is written. */
interface KnownKey {
  /** With its quotes. */
  readonly bytes: Uint8Array;
  readonly name: string;
  /** What it becomes, with its quotes: a key can hold a value, too. */
  readonly replacement: Uint8Array | undefined;
}

/** What is known of the values under one key at one place. */
export class JsonMember {
  readonly key: KnownKey;
  /** The mask of the value. */
  readonly mask: ColumnMask | undefined;
  /** What the name says of the value's content, see {@link FieldMasks.hint}. */
  readonly hint: number;
  readonly #path: string;
  readonly #keys: KeyTable;
  #place: JsonPlace | undefined;

  constructor(key: KnownKey, path: string, keys: KeyTable) {
    this.key = key;
    this.mask = keys.fields.maskOf(path, key.name);
    this.hint = keys.fields.hint(key.name);
    this.#path = path;
    this.#keys = keys;
  }

  /** What is in the object or list that is the value. */
  get place(): JsonPlace {
    this.#place ??= new JsonPlace(`${this.#path}.${this.key.name}`, this.#keys);
    return this.#place;
  }
}

/** An object, or the elements of a list, by the names that lead to it. */
export class JsonPlace {
  readonly #path: string;
  readonly #keys: KeyTable;
  /** In the order in which they came first. */
  readonly #members: JsonMember[] = [];
  readonly #numbers = new Map<string, number>();
  #elements: JsonPlace | undefined;

  constructor(path: string, keys: KeyTable) {
    this.#path = path;
    this.#keys = keys;
  }

  /** Member `number` if it is its key that stands at `at`. */
  foreseen(number: number, bytes: Uint8Array, at: number): JsonMember | undefined {
    const member = this.#members[number];
    return member !== undefined && startsWith(bytes, at, member.key.bytes) ? member : undefined;
  }

  /** The member whose key is `bytes[start, end)`, with its quotes. */
  member(bytes: Uint8Array, start: number, end: number): JsonMember {
    const key = this.#keys.read(bytes, start, end);
    const number = this.#numbers.get(key.name);
    const known = number === undefined ? undefined : this.#members[number];
    if (known !== undefined) return known;
    const member = new JsonMember(key, this.#path, this.#keys);
    if (this.#keys.mayKeep()) {
      this.#numbers.set(key.name, this.#members.length);
      this.#members.push(member);
    }
    return member;
  }

  /** Which member most likely follows one. */
  after({ key }: JsonMember): number {
    return (this.#numbers.get(key.name) ?? -1) + 1;
  }

  /** What is in the list that stands here. */
  elements(): JsonPlace {
    this.#elements ??= new JsonPlace(`${this.#path}[]`, this.#keys);
    return this.#elements;
  }
}

/** The keys of one document, wherever they are. */
export class KeyTable {
  readonly fields: FieldMasks;
  readonly #known = new Map<number, KnownKey>();
  #membersLeft: number = KNOWN_MAX;

  constructor(fields: FieldMasks) {
    this.fields = fields;
  }

  /** Whether one member more may be kept. */
  mayKeep(): boolean {
    this.#membersLeft -= 1;
    return this.#membersLeft >= 0;
  }

  /** The key in `bytes[start, end)`, with its quotes. */
  read(bytes: Uint8Array, start: number, end: number): KnownKey {
    const hash = hashOf(bytes, start, end);
    const known = this.#known.get(hash);
    if (known?.bytes.length === end - start && startsWith(bytes, start, known.bytes)) return known;
    const name = textOf(bytes, start, end);
    const clean = this.fields.contentText('', name);
    const key = {
      bytes: bytes.slice(start, end),
      name,
      replacement: clean === undefined ? undefined : encoder.encode(JSON.stringify(clean)),
    };
    if (this.#known.size < KNOWN_MAX) this.#known.set(hash, key);
    return key;
  }
}

/** FNV-1a. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at += 1) {
    hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193);
  }
  return hash;
}

function startsWith(bytes: Uint8Array, at: number, known: Uint8Array): boolean {
  const { length } = known;
  if (at + length > bytes.length) return false;
  for (let index = 0; index < length; index += 1) {
    if (known[index] !== bytes[at + index]) return false;
  }
  return true;
}
