/**
 * The seam between the SQL analyser (`sql/`) and the relay. The analyser is told how the server
 * reads text at this moment, and says what each statement can do and where its output comes from.
 */
import type { Facts } from '#core/facts.ts';
import type { MaskSet } from '#core/masking.ts';
import type { Catalogue } from './catalogue.ts';

/** How the server reads a statement now. Everything in it was said by the server, or is pinned. */
export interface SqlState {
  readonly catalogue: Catalogue;
  /** Schemas in order of search, `$user` resolved, `pg_catalog` and temp schema in their place. */
  readonly searchPath: readonly string[];
  /** `current_user` */
  readonly role: string;
  readonly database: string;
  /** False while the state is not known (a setter ran, its result was not read back): not complete. */
  readonly known: boolean;
  /** Text behind a prepared statement's name, once the server has confirmed it. */
  prepared(name: string): SqlStatement | undefined;
  /** The query behind an open cursor. */
  cursor(name: string): SqlStatement | undefined;
}

/** Where one output column's values may come from. */
export interface OutputColumn {
  readonly name: string;
  /** `schema.table.column` of masked columns whose values may reach it; empty when none can. */
  readonly sources: readonly string[];
  /** Set when the value is exactly that column's, unchanged, so that its own transform fits. */
  readonly direct: string | undefined;
  /** True when nothing could be decided: treat as derived from every masked column. */
  readonly unknown: boolean;
  /** Its type, as the analyser resolved it; 0 when it did not. */
  readonly typeOid?: number;
}

/** What the session will be after the statement, once the server confirms it. */
export type SessionChange =
  /** Settings that the relay must read back from the server before the next statement. */
  | { readonly kind: 'settings' }
  /** Names or definitions in the catalogue changed. */
  | {
      readonly kind: 'catalogue';
      /** What is made is seen by this session alone: a temporary table. */
      readonly ownOnly?: boolean;
    }
  | { readonly kind: 'prepare'; readonly name: string; readonly statement: SqlStatement }
  | { readonly kind: 'deallocate'; readonly name: string | undefined }
  | { readonly kind: 'declare'; readonly name: string; readonly statement: SqlStatement }
  | { readonly kind: 'close'; readonly name: string | undefined }
  | { readonly kind: 'transaction'; readonly what: 'begin' | 'end' | 'other' };

export interface SqlStatement {
  /** The statement's own text, without the separator. */
  readonly text: string;
  readonly facts: Facts;
  /** Empty when it returns no rows; undefined when that is not known. */
  readonly output: readonly OutputColumn[] | undefined;
  readonly changes: readonly SessionChange[];
  /** For COPY … TO STDOUT: how the rows are written. */
  readonly copy: CopyFormat | undefined;
  /** Types of its parameters: as declared, `unknown` where not. Undefined when nothing is known. */
  readonly parameterTypes?: readonly number[];
  /** Numbers of the parameters by whose values keys bound how many rows it writes. */
  readonly keyParameters?: readonly number[];
  /** The search path that its names were found by: a cursor keeps to it while it is open. */
  readonly searchPath?: readonly string[];
  /** Whether errors and notices of it may carry masked values, so that their text must go. */
  readonly messagesMayLeak: boolean;
}

export interface CopyFormat {
  readonly format: 'text' | 'csv' | 'binary';
  /** One byte each, as the statement sets them or by PostgreSQL's defaults. */
  readonly delimiter: string;
  readonly nullText: string;
  readonly quote: string;
  readonly escape: string;
  readonly header: boolean;
}

/** All statements of one text. A text that does not parse is one opaque statement. */
export interface SqlAnalysis {
  readonly statements: readonly SqlStatement[];
  /** The server will refuse it: syntax error by its own grammar. Still forwarded only if allowed. */
  readonly syntaxError: string | undefined;
}

export interface SqlAnalyser {
  /**
   * Analyses a text. Synchronous when the answer is cached, which is the usual case.
   *
   * @param text - the exact text that the server will get; no NUL, valid UTF-8 (checked before).
   * @param parameters - for prepared statements: how many the client declared.
   */
  analyse(text: string, state: SqlState, masks: MaskSet): SqlAnalysis | Promise<SqlAnalysis>;
}
