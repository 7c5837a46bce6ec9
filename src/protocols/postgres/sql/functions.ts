/**
 * What the reviewed table says of a function.
 *
 * Invariant: a review holds for what runs, not for a name. A function has a class only when it came
 * with the server or belongs to a reviewed extension, and its code is the code that was reviewed:
 * the same C symbol (in the same library), or the same SQL. Everything else is `unknown`.
 */
import { createHash } from 'node:crypto';
import type { FunctionEffect, FunctionInfo, FunctionSafety } from './catalogue.ts';
import { firstUserOid } from './catalogue.ts';
import { functionTable } from './functions.generated.ts';

/** Everything known of a function before its review is looked up. */
export type FunctionIdentity = Omit<FunctionInfo, 'safety' | 'effects'>;

export type Review = Pick<FunctionInfo, 'safety' | 'effects'>;

interface Entry {
  readonly review: Review;
  readonly symbols: readonly string[];
}

const unreviewed: Review = { safety: 'unknown', effects: [] };
const safeties: ReadonlySet<string> = new Set<FunctionSafety>(['pure', 'read', 'data-read']);
const effects: ReadonlySet<string> = new Set<FunctionEffect>([
  'execute-code',
  'file-read',
  'file-write',
  'network',
  'admin',
  'lock',
  'settings',
  'session',
  'notify',
  'write',
  'data-read',
]);

const isSafety = (name: string): name is FunctionSafety => safeties.has(name);
const isEffect = (name: string): name is FunctionEffect => effects.has(name);

let table: ReadonlyMap<string, Entry> | undefined;

/**
 * The review of a function.
 *
 * @param typeNames - of the input arguments.
 * @param library - `probin`, for functions in C.
 */
export function reviewOf(
  info: FunctionIdentity,
  typeNames: readonly string[],
  library: string | undefined,
): Review {
  const scope = scopeOf(info);
  if (scope === undefined) return unreviewed;
  table ??= readTable();
  const entry = table.get(`${scope} ${info.name}(${typeNames.join(',')})`);
  if (entry === undefined) return unreviewed;
  return entry.symbols.includes(symbolOf(info, library)) ? entry.review : unreviewed;
}

/** `-` for the server's own, the name of an extension, or undefined for a user's. */
function scopeOf(info: FunctionIdentity): string | undefined {
  if (info.extension !== undefined && info.extension !== 'plpgsql') return info.extension;
  if (info.oid >= firstUserOid) return undefined;
  if (info.schema !== 'pg_catalog' && info.schema !== 'information_schema') return undefined;
  // An aggregate is what it is made of.
  return info.supportOids.every((oid) => oid < firstUserOid) ? '-' : undefined;
}

/** What runs, as `tools/functions.ts` writes it. */
function symbolOf(info: FunctionIdentity, library: string | undefined): string {
  if (info.language === 'internal') return info.source;
  if (info.language === 'c') {
    const path = library ?? '';
    return `${path.slice(path.lastIndexOf('/') + 1)}:${info.source}`;
  }
  const hash = createHash('sha256').update(info.source).digest('hex').slice(0, 12);
  return `${info.language}:${hash}`;
}

function readTable(): ReadonlyMap<string, Entry> {
  const entries = new Map<string, Entry>();
  const reviews = new Map<string, Review>();
  for (const line of functionTable.split('\n')) {
    const [name = '', scope, signature, symbols] = line.split(' ');
    if (scope === undefined || signature === undefined || symbols === undefined) continue;
    const review = reviews.get(name) ?? readReview(name);
    reviews.set(name, review);
    entries.set(`${scope} ${signature}`, { review, symbols: symbols.split('|') });
  }
  return entries;
}

function readReview(name: string): Review {
  if (isSafety(name)) return { safety: name, effects: [] };
  const parts = name.split('+');
  const known = parts.filter(isEffect);
  // A word that nobody knows must not make a function look better than it is.
  return known.length === parts.length ? { safety: 'effect', effects: known } : unreviewed;
}
