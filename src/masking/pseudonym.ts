/**
 * Replaces a value by one that only the same value gives, so that joins, groups and counts still
 * work: keyed, so that no dictionary undoes it, and scoped, so that two scopes cannot be joined.
 *
 * Text becomes `tok_` and 20 characters (100 bits). Typed values become valid values of their type
 * in ranges that real data does not use where the type has such a range (10/8, fd00::/8, locally
 * administered MACs, UUID version 8). Equality shows by design; order and length do not.
 */
import type { CellKind } from '#core/masking.ts';
import { hasOffset } from './validity.ts';

/** HMAC-SHA-256 under the key of a scope. Given from outside: keys are none of this room's business. */
export type KeyedHash = (scope: string, bytes: Uint8Array) => Uint8Array;

const tokenShape = /^tok_[a-z2-7]{20}$/;
const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';
const encoder = new TextEncoder();

/** Whether `text` is a token of {@link pseudonym}; such a value is never masked again. */
export function isToken(text: string): boolean {
  return tokenShape.test(text);
}

/** The pseudonym of a value within a scope, undefined when the kind has none. */
export function pseudonym(
  scope: string,
  kind: CellKind,
  text: string,
  hash: KeyedHash,
): string | undefined {
  if (kind === 'text' && isToken(text)) return text;
  const digest = hash(scope, encoder.encode(canonical(kind, text)));
  switch (kind) {
    case 'text':
      return `tok_${base32(digest, 20)}`;
    case 'json':
      return `"tok_${base32(digest, 20)}"`;
    case 'integer':
      return integer(text, digest);
    case 'decimal':
    case 'float':
      return integer(/^-?\d{1,15}/.exec(text)?.[0] ?? '0', digest);
    case 'date':
      return date(digest);
    case 'time':
      return time(digest);
    case 'timestamp':
      return `${date(digest)} ${time(digest)}${hasOffset(text) ? '+00' : ''}`;
    case 'uuid':
      return uuid(digest);
    case 'inet':
      return inet(text.includes(':'), digest);
    case 'macaddr':
      return ['02', ...hexBytes(digest, 5)].join(':');
    case 'bytes':
      return `\\x${hexBytes(digest, 16).join('')}`;
    case 'boolean':
    case 'interval':
    case 'other':
      return undefined;
  }
}

/** What two spellings of one value have in common. */
function canonical(kind: CellKind, text: string): string {
  if (kind !== 'text') return text.trim().toLowerCase();
  const trimmed = text.normalize('NFC').trim();
  return trimmed.includes('@') ? trimmed.toLowerCase() : trimmed;
}

function base32(digest: Uint8Array, length: number): string {
  let out = '';
  let bits = 0;
  let held = 0;
  for (let at = 0; out.length < length; at += 1) {
    held = ((held << 8) | (digest[at] ?? 0)) & 0xffff;
    bits += 8;
    while (bits >= 5 && out.length < length) {
      bits -= 5;
      out += alphabet[(held >> bits) & 31] ?? '';
    }
  }
  return out;
}

function number(digest: Uint8Array): bigint {
  let value = 0n;
  for (const byte of digest.subarray(0, 8)) value = (value << 8n) | BigInt(byte);
  return value;
}

/** Stays within the smallest integer type that the value itself needs. */
function integer(text: string, digest: Uint8Array): string | undefined {
  if (!/^-?\d{1,19}$/.test(text)) return undefined;
  const size = BigInt(text) < 0n ? -BigInt(text) : BigInt(text);
  const top = size < 1n << 15n ? 1n << 15n : size < 1n << 31n ? 1n << 31n : 1n << 63n;
  return String(number(digest) % top);
}

const two = (value: number): string => String(value).padStart(2, '0');

function date(digest: Uint8Array): string {
  const [a = 0, b = 0, c = 0] = digest;
  // Days 1 to 28 exist in every month.
  return `${1900 + (a % 200)}-${two(1 + (b % 12))}-${two(1 + (c % 28))}`;
}

function time(digest: Uint8Array): string {
  const [a = 0, b = 0, c = 0] = digest.subarray(3);
  return `${two(a % 24)}:${two(b % 60)}:${two(c % 60)}`;
}

function hexBytes(digest: Uint8Array, count: number): string[] {
  return [...digest.subarray(0, count)].map((byte) => byte.toString(16).padStart(2, '0'));
}

/** RFC 9562 version 8, for vendor-defined content. */
function uuid(digest: Uint8Array): string {
  const hex = hexBytes(digest, 16).join('');
  const variant = ((Number.parseInt(hex[16] ?? '0', 16) & 3) | 8).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20),
  ].join('-');
}

function inet(wide: boolean, digest: Uint8Array): string {
  if (!wide) return `10.${[...digest.subarray(0, 3)].join('.')}`;
  const hex = hexBytes(digest, 15).join('');
  return `fd${hex.slice(0, 2)}:${hex.slice(2, 30).match(/.{4}/g)?.join(':') ?? ''}`;
}
