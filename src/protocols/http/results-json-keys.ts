/**
 * Names in JSON: documents repeat the same few keys at the same few places, so each is read, looked
 * up and scanned once.
 */
import { GatewayError } from '#core/errors.ts';
import type { ColumnMask } from '#core/masking.ts';
import type { FieldMasks } from './results-fields.ts';

const decoder = new TextDecoder('utf-8', { fatal: true });
const encoder = new TextEncoder();

/** Keys and places that are remembered; others are read anew each time. */
const KNOWN_MAX = 2_000;

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

/** An object, or the elements of a list, by the names that lead to it. */
export class JsonPlace {
  readonly #path: string;
  readonly #fields: FieldMasks;
  readonly #members = new Map<string, JsonPlace>();
  readonly #masks = new Map<string, ColumnMask | undefined>();
  #elements: JsonPlace | undefined;

  constructor(path: string, fields: FieldMasks) {
    this.#path = path;
    this.#fields = fields;
  }

  /** What is under a key. */
  member(key: string): JsonPlace {
    const known = this.#members.get(key);
    if (known !== undefined) return known;
    const place = new JsonPlace(`${this.#path}.${key}`, this.#fields);
    if (this.#members.size < KNOWN_MAX) this.#members.set(key, place);
    return place;
  }

  /** What is in the list that stands here. */
  elements(): JsonPlace {
    this.#elements ??= new JsonPlace(`${this.#path}[]`, this.#fields);
    return this.#elements;
  }

  /** The mask of a key's value. */
  maskOf(key: string): ColumnMask | undefined {
    const known = this.#masks.get(key);
    if (known !== undefined || this.#masks.has(key)) return known;
    const mask = this.#fields.maskOf(this.#path, key);
    if (this.#masks.size < KNOWN_MAX) this.#masks.set(key, mask);
    return mask;
  }
}

interface KnownKey {
  readonly bytes: Uint8Array;
  readonly name: string;
  /** What it becomes, with its quotes: a key can hold a value, too. */
  readonly replacement: Uint8Array | undefined;
}

/** Keys as they are written. */
export class KeyTable {
  readonly #fields: FieldMasks;
  readonly #known = new Map<number, KnownKey>();

  constructor(fields: FieldMasks) {
    this.#fields = fields;
  }

  /** The key in `bytes[start, end)`, with its quotes. */
  read(bytes: Uint8Array, start: number, end: number): KnownKey {
    const hash = hashOf(bytes, start, end);
    const known = this.#known.get(hash);
    if (known !== undefined && isSame(known.bytes, bytes, start, end)) return known;
    const name = textOf(bytes, start, end);
    const clean = this.#fields.contentText('', name);
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

function isSame(known: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (known.length !== end - start) return false;
  for (let at = start; at < end; at += 1) if (known[at - start] !== bytes[at]) return false;
  return true;
}
