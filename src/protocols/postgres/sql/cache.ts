/**
 * Analyses kept for statements to come: by exact text, and by shape where the analysis did not look
 * at the value of any literal.
 *
 * Invariants: an analysis is found only under the same catalogue, masks, search path, role and
 * database that it was made under; what depends on anything else is not kept; the cache is bounded
 * in entries and bytes, and what is in use stays.
 */
import type { Limits } from '#core/limits.ts';
import { shapeOf } from './normalise.ts';
import type { SqlAnalysis, SqlState, SqlStatement } from './types.ts';

/** The part of a session's state that analyses depend on. */
export type CacheState = Pick<SqlState, 'catalogue' | 'searchPath' | 'role' | 'database' | 'known'>;

/**
 * For what else an analysis holds.
 * `shape`: for every text of the same shape, since no literal's value was looked at.
 * `text`: for the same text.
 * `never`: for nothing; it also depends on prepared statements, cursors or the like.
 */
export type Reuse = 'shape' | 'text' | 'never';

export interface AnalysisCacheOptions {
  readonly limits: Pick<Limits, 'analysisEntriesMax' | 'analysisBytesMax'>;
}

/** UTF-16 units of the longest text that is kept. */
const textMax = 64 * 1024;
/** Combinations of catalogue, masks, path, role and database. */
const scopesMax = 4_096;
const verbsWithShape: ReadonlySet<string> = new Set([
  'SELECT',
  'INSERT',
  'UPDATE',
  'DELETE',
  'MERGE',
]);

export class AnalysisCache {
  readonly #analyses: Generations;
  readonly #scopes = new Map<string, Scope>();
  #last: { state: Omit<CacheState, 'known'>; masks: string; scope: Scope } | undefined;
  #scopeCount = 0;

  constructor(options: AnalysisCacheOptions) {
    const { analysisEntriesMax, analysisBytesMax } = options.limits;
    this.#analyses = new Generations(analysisEntriesMax, analysisBytesMax);
  }

  /** What was kept for this text, or for one of its shape. */
  find(text: string, state: CacheState, masks: string): SqlAnalysis | undefined {
    if (!state.known || text.length > textMax) return undefined;
    const scope = this.#scopeOf(state, masks);
    const exact = this.#analyses.get(scope.texts, text);
    if (exact !== undefined) return exact;
    const shape = shapeOf(text);
    if (shape === undefined) return undefined;
    const found = this.#analyses.get(scope.shapes, shape.key);
    const statement = found?.statements[0];
    if (statement === undefined) return undefined;
    const own: SqlStatement = { ...statement, text: text.slice(shape.start, shape.end) };
    return { statements: [own], syntaxError: undefined };
  }

  /** Keeps an analysis. */
  keep(text: string, state: CacheState, masks: string, made: Made): void {
    const { analysis, reuse } = made;
    if (!state.known || reuse === 'never' || text.length > textMax) return;
    const scope = this.#scopeOf(state, masks);
    this.#analyses.set(scope.texts, text, { analysis, bytes: sizeOf(text, analysis) });
    if (reuse !== 'shape' || !hasShape(analysis)) return;
    const shape = shapeOf(text);
    if (shape === undefined) return;
    this.#analyses.set(scope.shapes, shape.key, { analysis, bytes: sizeOf(shape.key, analysis) });
  }

  #scopeOf(state: CacheState, masks: string): Scope {
    const last = this.#last;
    if (
      last !== undefined &&
      last.masks === masks &&
      last.state.catalogue.version === state.catalogue.version &&
      last.state.searchPath === state.searchPath &&
      last.state.role === state.role &&
      last.state.database === state.database
    ) {
      return last.scope;
    }
    const { catalogue, searchPath, role, database } = state;
    const key = JSON.stringify([catalogue.version, masks, role, database, ...searchPath]);
    let scope = this.#scopes.get(key);
    if (scope === undefined) {
      // Numbers are never given twice, so that what is left of a forgotten scope is never found.
      if (this.#scopes.size >= scopesMax) this.#scopes.clear();
      this.#scopeCount += 1;
      scope = { texts: `${this.#scopeCount} texts`, shapes: `${this.#scopeCount} shapes` };
      this.#scopes.set(key, scope);
    }
    // A copy of the fields: the state itself may change under the reference.
    this.#last = { state: { catalogue, searchPath, role, database }, masks, scope };
    return scope;
  }
}

/** Names of what is kept under one catalogue, mask set, path, role and database. */
interface Scope {
  readonly texts: string;
  readonly shapes: string;
}

/** An analysis, and for what it holds. */
export interface Made {
  readonly analysis: SqlAnalysis;
  readonly reuse: Reuse;
}

/**
 * Whether an analysis can stand for other texts at all: one statement that reads or writes rows and
 * changes nothing else. Of everything else too much is in its literals.
 */
function hasShape({ statements, syntaxError }: SqlAnalysis): boolean {
  const [statement] = statements;
  return (
    syntaxError === undefined &&
    statement !== undefined &&
    statements.length === 1 &&
    statement.changes.length === 0 &&
    statement.copy === undefined &&
    statement.facts.verbs.every((verb) => verbsWithShape.has(verb))
  );
}

/** About how many bytes an entry takes. */
function sizeOf(key: string, analysis: SqlAnalysis): number {
  let size = 256 + 2 * key.length;
  for (const { text, facts, output } of analysis.statements) {
    const { objects, columns, functions, reasons } = facts;
    const parts = objects.length + columns.length + functions.length + reasons.length;
    size += 512 + 2 * text.length + 128 * (parts + (output?.length ?? 0));
  }
  return size;
}

/**
 * Two generations: what is asked for moves to the young one, and when that is full it becomes the
 * old one, and the old one goes. As good as an exact order of use here, at a fraction of its cost.
 */
class Generations {
  readonly #entriesMax: number;
  readonly #bytesMax: number;
  #young = new Generation();
  #old = new Generation();

  constructor(entriesMax: number, bytesMax: number) {
    this.#entriesMax = Math.floor(entriesMax / 2);
    this.#bytesMax = Math.floor(bytesMax / 2);
  }

  get(scope: string, key: string): SqlAnalysis | undefined {
    const young = this.#young.get(scope, key);
    if (young !== undefined) return young.analysis;
    const old = this.#old.get(scope, key);
    if (old !== undefined) this.set(scope, key, old);
    return old?.analysis;
  }

  set(scope: string, key: string, kept: Kept): void {
    if (kept.bytes > this.#bytesMax) return;
    const { entries, bytes } = this.#young;
    if (entries >= this.#entriesMax || bytes + kept.bytes > this.#bytesMax) {
      this.#old = this.#young;
      this.#young = new Generation();
    }
    this.#young.set(scope, key, kept);
  }
}

class Generation {
  entries = 0;
  bytes = 0;
  readonly #scopes = new Map<string, Map<string, Kept>>();

  get(scope: string, key: string): Kept | undefined {
    return this.#scopes.get(scope)?.get(key);
  }

  set(scope: string, key: string, kept: Kept): void {
    let found = this.#scopes.get(scope);
    if (found === undefined) {
      found = new Map();
      this.#scopes.set(scope, found);
    }
    const before = found.get(key);
    if (before === undefined) this.entries += 1;
    this.bytes += kept.bytes - (before?.bytes ?? 0);
    found.set(key, kept);
  }
}

interface Kept {
  readonly analysis: SqlAnalysis;
  readonly bytes: number;
}
