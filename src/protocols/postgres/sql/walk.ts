/**
 * What every part of the analyser is handed: the state that names are resolved by, the facts that
 * are being gathered, the budget that bounds the work, and the entry points for nested parts.
 */
import type { MaskSet } from '#core/masking.ts';
import type { Node, SelectStmt } from 'libpg-query';
import type { Catalogue, FunctionInfo, Oid } from './catalogue.ts';
import type { Collector } from './collector.ts';
import type { Scope } from './scope.ts';
import type { CopyFormat, SqlState, SqlStatement } from './types.ts';
import type { Column, Value } from './values.ts';

/** What does not change while one statement is analysed. */
export interface Environment {
  readonly catalogue: Catalogue;
  readonly state: SqlState;
  readonly masks: MaskSet;
  /** The statement's own text. */
  readonly text: string;
  readonly depthMax: number;
  /** Labels of tables' columns, kept while catalogue and masks are the same. */
  readonly labels: Map<Oid, readonly Column[]>;
  /**
   * What the analysis depended on besides the statement's shape and the catalogue: the value of a
   * literal, the session's search path.
   */
  readonly literalsRead: { any: boolean };
  readonly stateRead: { any: boolean };
  /** Texts of the catalogue that must be parsed before the statement is walked again. */
  readonly pending: ReadonlySet<string>;
  /** What a call may have called, for those who ask afterwards. */
  readonly chosen: WeakMap<object, readonly FunctionInfo[]>;
  /** Names of the first columns of sub-queries, which name the columns that hold them. */
  readonly subqueryNames: WeakMap<object, string>;
  /** Parameters that keys are compared with, where that bounds how many rows are written. */
  readonly keyParameters: Set<number>;
  /** Types that were looked at in this statement. */
  readonly checkedTypes: Set<Oid>;
  readonly orderedTypes: Set<Oid>;
  /**
   * The tree of a text from the catalogue; undefined when it is not parsed yet, and then the
   * statement is walked again once it is. `null` when it cannot be parsed.
   */
  auxiliary(text: string): readonly Node[] | null | undefined;
}

/** Bounds the work on one statement, whatever it is expanded into. */
export interface Budget {
  nodesLeft: number;
  depth: number;
}

/** Nested parts, as functions so that the files need not know each other. */
export interface Entries {
  expression(walk: Walk, node: Node, scope: Scope): Value;
  /** The operator in view under that name, applied. `left` is undefined for a prefix operator. */
  operator(walk: Walk, name: readonly Node[], left: Value | undefined, right: Value): Value;
  /** The result of a query; undefined when its columns are not known. */
  query(walk: Walk, query: SelectStmt, scope: Scope): readonly Column[] | undefined;
  /** A whole statement of any kind. */
  top(walk: Walk, node: Node, scope: Scope): Outcome;
  /** The statement that PREPARE or DECLARE holds, analysed by itself. */
  held(walk: Walk, node: Node, text: string, scope: Scope): SqlStatement;
  /** A query or a data-modifying statement, as in WITH. Undefined: its columns are not known. */
  statement(walk: Walk, node: Node, scope: Scope): readonly Column[] | undefined;
}

export interface Walk {
  readonly env: Environment;
  readonly facts: Collector;
  readonly budget: Budget;
  readonly entries: Entries;
  /** Schemas by which names in the text being walked are found. */
  readonly path: readonly string[];
  /** Schemas by which functions called at run time find theirs: the session's, or a SET clause's. */
  readonly livePath: readonly string[];
  /** Views and functions that lead here; bounded by {@link expansionMax}. */
  readonly expansion: number;
  /** Set in defaults, where taking a number from a sequence is part of the insert. */
  readonly inDefault: boolean;
  /** Whether the sizes of values are told, as EXPLAIN ANALYZE tells them. */
  readonly measured?: boolean;
}

/** What a statement sends back. */
export interface Outcome {
  /** Empty when it returns no rows; undefined when its columns are not known. */
  readonly output: readonly Column[] | undefined;
  readonly copy: CopyFormat | undefined;
}

/** Views in views, functions in functions: deeper is not complete. */
export const expansionMax = 16;

/** Nodes of one statement with everything that it is expanded into: some tens of milliseconds. */
export const nodesMax: number = 100_000;

/** Thrown when a bound is reached; the statement is opaque. Never leaves this folder. */
export class TooMuch extends Error {
  readonly why: string;

  constructor(why: string) {
    super(why);
    this.why = why;
  }
}

/** Notes that the analysis depends on the value of a literal of the statement's own text. */
export function readLiteral(walk: Walk): void {
  // Texts of the catalogue belong to the catalogue's version.
  if (walk.expansion === 0) walk.env.literalsRead.any = true;
}

/** Counts one node. */
export function spend(walk: Walk): void {
  const { budget } = walk;
  budget.nodesLeft -= 1;
  if (budget.nodesLeft < 0) throw new TooMuch('the statement is too large to analyse');
}

/** Runs `inner` one level deeper. */
export function deeper<T>(walk: Walk, inner: () => T): T {
  const { budget, env } = walk;
  if (budget.depth >= env.depthMax) throw new TooMuch('the statement is nested too deep');
  budget.depth += 1;
  const result = inner();
  budget.depth -= 1;
  return result;
}

/** The walk of a text that the catalogue holds, whose names are full except for `pg_catalog`. */
export function expanded(walk: Walk): Walk {
  return { ...walk, path: catalogueTextPath, expansion: walk.expansion + 1 };
}

const catalogueTextPath: readonly string[] = ['pg_catalog'];
