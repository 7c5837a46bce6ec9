/**
 * Analyses by text and by shape, kept while everything that they depend on is the same: the
 * catalogue's version, the search path, role and database, and the masks. Bounded by entries and by
 * characters; the oldest go first.
 */
import type { MaskSet } from '#core/masking.ts';
import type { Column } from './values.ts';
import type { Oid } from './catalogue.ts';
import type { SqlAnalysis, SqlState } from './types.ts';

const basesMax = 256;
const entriesMax = 20_000;
const charactersMax = 32 * 1024 * 1024;

/** One set of circumstances, and what was found under it. */
export interface Basis {
  readonly catalogue: string;
  readonly searchPath: readonly string[];
  readonly role: string;
  readonly database: string;
  readonly masks: string;
  readonly found: Map<string, SqlAnalysis>;
  /** Labels of tables' columns under these masks. */
  readonly labels: Map<Oid, readonly Column[]>;
}

export class AnalysisCache {
  /** The one used last is the last. */
  readonly #bases: Basis[] = [];
  #entries = 0;
  #characters = 0;

  /** The circumstances of a statement; the same object as long as they are the same. */
  basis(state: SqlState, masks: MaskSet): Basis {
    const bases = this.#bases;
    for (let at = bases.length - 1; at >= 0; at -= 1) {
      const basis = bases[at];
      if (basis === undefined || !isBasis(basis, state, masks)) continue;
      if (at !== bases.length - 1) {
        bases.splice(at, 1);
        bases.push(basis);
      }
      return basis;
    }
    const basis: Basis = {
      catalogue: state.catalogue.version,
      searchPath: state.searchPath,
      role: state.role,
      database: state.database,
      masks: masks.version,
      found: new Map(),
      labels: new Map(),
    };
    bases.push(basis);
    if (bases.length > basesMax) this.#drop(bases.shift());
    return basis;
  }

  keep(basis: Basis, key: string, analysis: SqlAnalysis): void {
    if (basis.found.has(key)) return;
    basis.found.set(key, analysis);
    this.#entries += 1;
    this.#characters += key.length;
    while (this.#entries > entriesMax || this.#characters > charactersMax) this.#forgetOldest();
  }

  /** Of the least recently used circumstances the first that was found. */
  #forgetOldest(): void {
    for (const basis of this.#bases) {
      for (const key of basis.found.keys()) {
        basis.found.delete(key);
        this.#entries -= 1;
        this.#characters -= key.length;
        return;
      }
    }
    this.#entries = 0;
    this.#characters = 0;
  }

  #drop(basis: Basis | undefined): void {
    for (const key of basis?.found.keys() ?? []) {
      this.#entries -= 1;
      this.#characters -= key.length;
    }
  }
}

function isBasis(basis: Basis, state: SqlState, masks: MaskSet): boolean {
  return (
    basis.catalogue === state.catalogue.version &&
    basis.masks === masks.version &&
    basis.role === state.role &&
    basis.database === state.database &&
    (basis.searchPath === state.searchPath || samePath(basis.searchPath, state.searchPath))
  );
}

function samePath(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((schema, at) => schema === right[at]);
}
