/**
 * How many rows a transaction has changed so far, table by table, as the server itself counts them:
 * rows that a cascade, a rule or a trigger changed are among them. Two readings inside of one
 * transaction, before and after, are a statement's own: the server keeps what earlier transactions
 * of the session did in the same counters until it finds time to report it.
 */
import { GatewayError } from '#core/errors.ts';

/** Rows of one table: added, changed, removed. */
export type TableCount = readonly [added: number, changed: number, removed: number];

/** By `schema.table`. */
export type Counts = ReadonlyMap<string, TableCount>;

const counter = (of: string): string => `pg_catalog.pg_stat_get_xact_tuples_${of}(c.oid)`;

/**
 * Reads the counters, as `pg_stat_xact_user_tables` does, without what that joins besides: it is
 * read for every table of the database. Everything is qualified, operators too: the client's search
 * path does not reach it. One row at least, so that the setting is always told. 11 is `pg_catalog`.
 */
export const countsSql: string = `SELECT pg_catalog.current_setting('track_counts'),
  s.nspname, s.relname, s.added, s.changed, s.removed FROM (VALUES (1)) AS one (n) LEFT JOIN (
    SELECT n.nspname, c.relname, ${counter('inserted')} AS added, ${counter('updated')} AS changed,
      ${counter('deleted')} AS removed
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{r,m}'::pg_catalog."char"[])
      AND c.relnamespace OPERATOR(pg_catalog.<>) 11::pg_catalog.oid
      AND (${counter('inserted')} OPERATOR(pg_catalog.>) 0
        OR ${counter('updated')} OPERATOR(pg_catalog.>) 0
        OR ${counter('deleted')} OPERATOR(pg_catalog.>) 0)
  ) AS s ON true`;

/**
 * Decodes an answer to {@link countsSql}; undefined when the server does not count.
 *
 * @throws GatewayError when it is not what was asked for.
 */
export function readCounts(rows: readonly (readonly (string | null)[])[]): Counts | undefined {
  const counts = new Map<string, TableCount>();
  if (rows.length === 0) throw notCounts();
  for (const row of rows) {
    const [isOn, schema, table, ...numbers] = row;
    if (isOn !== 'on') return undefined;
    if (schema === null || schema === undefined) continue;
    const [added = Number.NaN, changed = Number.NaN, removed = Number.NaN] = numbers.map(Number);
    const isValid = [added, changed, removed].every((count) => Number.isSafeInteger(count));
    if (!isValid || typeof table !== 'string') throw notCounts();
    counts.set(`${schema}.${table}`, [added, changed, removed]);
  }
  return counts;
}

const notCounts = (): GatewayError =>
  new GatewayError('SP_TARGET_PROTOCOL', { detail: 'the counters of changed rows' });

const none: TableCount = [0, 0, 0];

/** What happened between two readings; undefined when a counter went back, so that it is not known. */
export function difference(before: Counts, after: Counts): Counts | undefined {
  const changes = new Map<string, TableCount>();
  for (const name of before.keys()) {
    if (!after.has(name)) return undefined;
  }
  for (const [name, now] of after) {
    const then = before.get(name) ?? none;
    const change: TableCount = [now[0] - then[0], now[1] - then[1], now[2] - then[2]];
    if (change.some((count) => count < 0)) return undefined;
    if (rowsOf(change) > 0) changes.set(name, change);
  }
  return changes;
}

/** Rows of one table that were touched in any way. */
export const rowsOf = (count: TableCount): number => count[0] + count[1] + count[2];

/** Rows of all tables. */
export const sumOf = (counts: Counts): number =>
  [...counts.values()].reduce((sum, count) => sum + rowsOf(count), 0);

/** Tables that people are told of; the rest is summed up. */
const TOLD_MAX = 8;

/** `public.orders: 5 removed; public.payments: 5 removed, 1 added`, the largest first. */
export function describeCounts(counts: Counts): string {
  const sorted = [...counts].toSorted((a, b) => rowsOf(b[1]) - rowsOf(a[1]));
  const told = sorted.slice(0, TOLD_MAX).map(([name, [added, changed, removed]]) => {
    const parts = [
      removed > 0 ? `${removed} removed` : '',
      changed > 0 ? `${changed} changed` : '',
      added > 0 ? `${added} added` : '',
    ];
    return `${name}: ${parts.filter((part) => part !== '').join(', ')}`;
  });
  const rest = sorted.slice(TOLD_MAX).reduce((sum, [, count]) => sum + rowsOf(count), 0);
  return [...told, ...(rest > 0 ? [`other tables: ${rest}`] : [])].join('; ');
}
