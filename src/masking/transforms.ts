/**
 * Replaces one value by another that is valid for its kind. Works on the text form of the kind;
 * the protocol turns that into its wire form.
 *
 * Invariant: what comes out is null or parses as the kind that went in, and holds nothing of the
 * value beyond what the transform says it keeps. A value that cannot be read as its kind is
 * redacted, whatever the transform.
 */
import type { CellKind, Transform } from '#core/masking.ts';
import { generalise } from './generalise.ts';
import { partial } from './partial.ts';
import { type KeyedHash, pseudonym } from './pseudonym.ts';
import { hasOffset, isValid } from './validity.ts';

/** What a text value becomes when nothing of it may be kept. */
export const REDACTED = '[REDACTED]';

/** Longer values are redacted rather than read: transforms need the whole value as a string. */
const TRANSFORM_CHARS_MAX = 64 * 1024;

/**
 * The replacement of one value, in the text form of its kind; null for SQL's NULL.
 *
 * @param text - the value, undefined when the protocol could not decode it.
 */
export function replaceValue(
  transform: Transform,
  kind: CellKind,
  text: string | undefined,
  hash: KeyedHash,
): string | null {
  if (transform.kind === 'null') return null;
  if (transform.kind === 'fixed') {
    return isValid(kind, transform.value) ? transform.value : null;
  }
  if (text === undefined || text.length > TRANSFORM_CHARS_MAX) return redacted(kind, text);
  const changed = changeValue(transform, kind, text, hash);
  // The belt to every transform's braces: an invalid result would break the client or, worse,
  // be read as a different value.
  if (changed !== undefined && isValid(kind, changed)) return changed;
  return redacted(kind, text);
}

function changeValue(
  transform: Transform,
  kind: CellKind,
  text: string,
  hash: KeyedHash,
): string | undefined {
  switch (transform.kind) {
    case 'partial':
      return partial(transform, kind, text);
    case 'hash':
      return pseudonym(transform.scope, kind, text, hash);
    case 'generalise':
      return generalise(transform.bucket, kind, text);
    case 'fixed':
    case 'null':
    case 'redact':
      return undefined;
  }
}

/**
 * The value of a kind that says nothing. Not null where a zero exists: many drivers decode into
 * types that cannot be null, because the column itself cannot.
 */
function redacted(kind: CellKind, text: string | undefined): string | null {
  switch (kind) {
    case 'text':
      return REDACTED;
    case 'integer':
    case 'decimal':
    case 'float':
      return '0';
    case 'date':
      return '1970-01-01';
    case 'time':
    case 'interval':
      return '00:00:00';
    case 'timestamp':
      return `1970-01-01 00:00:00${text !== undefined && hasOffset(text) ? '+00' : ''}`;
    case 'uuid':
      return '00000000-0000-0000-0000-000000000000';
    case 'inet':
      return text?.includes(':') === true ? '::' : '0.0.0.0';
    case 'macaddr':
      return '00:00:00:00:00:00';
    case 'json':
      return 'null';
    case 'bytes':
      return '\\x';
    // A boolean and a member of an unknown set have no value that says nothing.
    case 'boolean':
    case 'other':
      return null;
  }
}
