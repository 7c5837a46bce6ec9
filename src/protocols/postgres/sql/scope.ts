/**
 * What names mean at one place of a query, as the server looks them up: the tables and columns in
 * FROM, those of the queries around it, CTEs, and the arguments of a SQL function.
 */
import type { Relation } from './catalogue.ts';
import { type Column, either, type Value } from './values.ts';

/** One thing in FROM, by the name that qualifies its columns. */
export interface Item {
  readonly alias: string;
  /** The schema that may qualify the name; undefined behind an alias. */
  readonly schema: string | undefined;
  readonly columns: readonly Column[];
  /** True when it may have columns that are not known. */
  readonly open: boolean;
  /** Set for tables and views: system columns can be asked for. */
  readonly relation: Relation | undefined;
  /** The value of the whole row. */
  readonly row: Value;
}

/** What a FROM clause, or a part of one, brings. */
export interface Sources {
  readonly items: readonly Item[];
  /** Columns that can be named without a qualifier, in the order of `*`. */
  readonly visible: readonly Column[];
  readonly open: boolean;
}

export const noSources: Sources = { items: [], visible: [], open: false };

/** A common table expression. `columns` grows while a recursive one is walked. */
export interface Cte {
  columns: readonly Column[] | undefined;
  state: 'waiting' | 'walking' | 'done';
  /** Walks it, unless that was done or is being done. */
  readonly resolve: () => void;
}

export interface CteFrame {
  readonly parent: CteFrame | undefined;
  readonly ctes: ReadonlyMap<string, Cte>;
}

/** Arguments of the SQL function whose body is walked. */
export interface Arguments {
  readonly functionName: string;
  readonly names: readonly string[];
  readonly values: readonly Value[];
}

export interface Scope {
  readonly parent: Scope | undefined;
  readonly sources: Sources;
  readonly ctes: CteFrame | undefined;
  readonly args: Arguments | undefined;
}

/** The scope of a text that stands alone. */
export const emptyScope: Scope = {
  parent: undefined,
  sources: noSources,
  ctes: undefined,
  args: undefined,
};

/** The same place with other tables in view. */
export function withSources(scope: Scope, sources: Sources): Scope {
  return { ...scope, sources };
}

/** The scope that a query nested at `scope` starts from. */
export function nested(scope: Scope): Scope {
  return { parent: scope, sources: noSources, ctes: scope.ctes, args: scope.args };
}

/** Both sides, without any merging of columns. */
export function beside(left: Sources, right: Sources): Sources {
  if (left.items.length === 0 && left.visible.length === 0 && !left.open) return right;
  return {
    items: [...left.items, ...right.items],
    visible: [...left.visible, ...right.visible],
    open: left.open || right.open,
  };
}

export function sourcesOf(item: Item): Sources {
  return { items: [item], visible: item.columns, open: item.open };
}

/** The column of that name, or the union of all that have it (which the server will refuse). */
export function findColumn(columns: readonly Column[], name: string): Value | undefined {
  let found: Value | undefined;
  for (const column of columns) {
    if (column.name !== name) continue;
    found = found === undefined ? column.value : either([found, column.value]);
  }
  return found;
}

/** The CTE of that name that is nearest. */
export function findCte(scope: Scope, name: string): Cte | undefined {
  for (let frame = scope.ctes; frame !== undefined; frame = frame.parent) {
    const cte = frame.ctes.get(name);
    if (cte !== undefined) return cte;
  }
  return undefined;
}
