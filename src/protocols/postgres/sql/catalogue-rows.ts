/**
 * Rows of text as a server sent them, indexed when somebody asks, and read with the checks that
 * bytes from outside need: a row that is not as the query must give it fails the whole catalogue.
 */
import { createHash } from 'node:crypto';
import { GatewayError } from '#core/errors.ts';

export type Row = readonly (string | null)[];
export type Rows = readonly Row[];

const none: Rows = [];
const hashChunk = 65_536;

/** The rows of one section: by the first column (a key) and by the second (a name). */
export class RowSet {
  readonly rows: Rows;
  /** SHA-256 over every cell. */
  readonly hash: string;
  /** Length of all cells together, more or less. */
  readonly characters: number;
  #byKey: ReadonlyMap<string, Rows> | undefined;
  #byName: ReadonlyMap<string, Rows> | undefined;

  constructor(rows: Rows) {
    this.rows = rows;
    const { hash, characters } = measure(rows);
    this.hash = hash;
    this.characters = characters;
  }

  /** Rows whose first column is `key`, in their order. */
  keyed(key: string): Rows {
    this.#byKey ??= group(this.rows, 0);
    return this.#byKey.get(key) ?? none;
  }

  /** Rows whose second column is `name`, in their order. */
  named(name: string): Rows {
    this.#byName ??= group(this.rows, 1);
    return this.#byName.get(name) ?? none;
  }
}

/** Hashes each cell behind its length, so that no two different results give the same bytes. */
function measure(rows: Rows): { readonly hash: string; readonly characters: number } {
  const hash = createHash('sha256');
  let pending = '';
  let characters = 0;
  for (const row of rows) {
    pending += `${row.length}`;
    for (const cell of row) pending += cell === null ? ' -' : ` ${cell.length}:${cell}`;
    if (pending.length > hashChunk) {
      characters += pending.length;
      hash.update(pending);
      pending = '';
    }
  }
  characters += pending.length;
  return { hash: hash.update(pending).digest('base64url'), characters };
}

function group(rows: Rows, column: number): ReadonlyMap<string, Rows> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const key = row[column] ?? '';
    const found = groups.get(key);
    if (found === undefined) groups.set(key, [row]);
    else found.push(row);
  }
  return groups;
}

function malformed(): GatewayError {
  return new GatewayError('SP_TARGET_PROTOCOL', { detail: 'a catalogue row is not as expected' });
}

/** A cell that cannot be NULL. */
export function text(row: Row, column: number): string {
  const cell = row[column];
  if (cell === undefined || cell === null) throw malformed();
  return cell;
}

/** A cell that can be NULL. */
export function maybe(row: Row, column: number): string | undefined {
  const cell = row[column];
  if (cell === undefined) throw malformed();
  return cell ?? undefined;
}

/** A whole number: an oid, an attribute number, a count. */
export function number(row: Row, column: number): number {
  return toNumber(text(row, column));
}

/** A whole number, 0 when NULL. */
export function numberOrZero(row: Row, column: number): number {
  const cell = maybe(row, column);
  return cell === undefined ? 0 : toNumber(cell);
}

function toNumber(cell: string): number {
  const value = Number(cell);
  if (cell === '' || !Number.isSafeInteger(value)) throw malformed();
  return value;
}

export function flag(row: Row, column: number): boolean {
  const cell = text(row, column);
  if (cell !== 't' && cell !== 'f') throw malformed();
  return cell === 't';
}

/** Numbers with a space between them, as `oidvector` and our own queries write them. */
export function numbers(row: Row, column: number): readonly number[] {
  const cell = maybe(row, column);
  return cell === undefined || cell === '' ? [] : cell.split(' ').map(toNumber);
}

/** As {@link numbers}, without the zeros that stand for "none". */
export function oids(row: Row, column: number): readonly number[] {
  return numbers(row, column).filter((oid) => oid !== 0);
}

/** A JSON array of strings; empty when NULL. */
export function strings(row: Row, column: number): readonly string[] {
  const cell = maybe(row, column);
  if (cell === undefined) return [];
  try {
    const value: unknown = JSON.parse(cell);
    if (Array.isArray(value)) return value.map((item) => (typeof item === 'string' ? item : ''));
  } catch (cause) {
    throw new GatewayError('SP_TARGET_PROTOCOL', { detail: 'a catalogue array', cause });
  }
  throw malformed();
}
