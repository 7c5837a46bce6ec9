/**
 * Writes `functions.generated.ts`: every function of the server and of its extensions with the
 * class that the review gives it, from the catalogues of real servers.
 *
 *     node tools/functions.ts
 *
 * Functions that the review does not cover are listed at the end and make it fail.
 */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import {
  extensionReview,
  type ExtensionReview,
  type ReviewedClass,
  serverReview,
} from './function-review.ts';
import { startPostgres, type TestPostgres } from '../test/support/postgres.ts';

const output = new URL('../src/protocols/postgres/sql/functions.generated.ts', import.meta.url);

/** A function as the catalogue has it. */
export interface Listed {
  readonly oid: number;
  /** `''` for the server's own, else the extension. */
  readonly scope: string;
  readonly schema: string;
  readonly name: string;
  /** Type names of the input arguments. */
  readonly args: string;
  readonly volatility: string;
  readonly kind: string;
  readonly language: string;
  readonly symbol: string;
}

const listSql = `SELECT p.oid::int AS oid, coalesce(e.extname, '') AS scope, n.nspname AS schema,
    p.proname AS name, p.provolatile AS volatility, p.prokind AS kind, l.lanname AS language,
    (SELECT coalesce(string_agg(t.typname, ',' ORDER BY a.at), '')
      FROM unnest(p.proargtypes) WITH ORDINALITY AS a(type, at)
      JOIN pg_type AS t ON t.oid = a.type) AS args,
    CASE WHEN p.prosqlbody IS NULL THEN p.prosrc ELSE pg_get_function_sqlbody(p.oid) END AS source,
    coalesce(p.probin, '') AS library
  FROM pg_proc AS p
  JOIN pg_namespace AS n ON n.oid = p.pronamespace
  JOIN pg_language AS l ON l.oid = p.prolang
  LEFT JOIN pg_depend AS d ON d.classid = 1255 AND d.objid = p.oid AND d.refclassid = 3079
    AND d.deptype = 'e'
  LEFT JOIN pg_extension AS e ON e.oid = d.refobjid
  ORDER BY 2, 4, 8`;

/** Every function of a server, after making the extensions that the review names. */
export async function listFunctions(server: TestPostgres): Promise<readonly Listed[]> {
  const available = await server.query('SELECT name FROM pg_available_extensions');
  const names = new Set(available.map((row) => String(row['name'])));
  await server.query(
    `SET client_min_messages = error; ${extensionReview
      .filter(({ name }) => names.has(name))
      .map(({ name }) => `CREATE EXTENSION IF NOT EXISTS "${name}" CASCADE;`)
      .join(' ')}`,
  );
  // What functions are written as must not depend on what is in the search path.
  const rows = await server.query(`SET search_path = pg_catalog, pg_temp; ${listSql}`);
  const cell = (row: Record<string, unknown>, name: string): string => String(row[name]);
  return rows.map((row) => ({
    oid: Number(row['oid']),
    // The one extension that `initdb` makes itself.
    scope: cell(row, 'scope') === 'plpgsql' ? '' : cell(row, 'scope'),
    schema: cell(row, 'schema'),
    name: cell(row, 'name'),
    args: cell(row, 'args'),
    volatility: cell(row, 'volatility'),
    kind: cell(row, 'kind'),
    language: cell(row, 'language'),
    symbol: symbolOf(cell(row, 'language'), cell(row, 'source'), cell(row, 'library')),
  }));
}

/** What runs: a C symbol, with its library, or a hash of the SQL. */
function symbolOf(language: string, source: string, library: string): string {
  if (language === 'internal') return source;
  if (language === 'c') return `${library.slice(library.lastIndexOf('/') + 1)}:${source}`;
  return `${language}:${createHash('sha256').update(source).digest('hex').slice(0, 12)}`;
}

const fits = (one: ReviewedClass, listed: Listed): boolean =>
  one.names.includes(listed.name) || one.names.includes(`${listed.name}(${listed.args})`);

const written = (one: ReviewedClass): string =>
  one.safety === 'effect' ? one.effects.join('+') : one.safety;

/** The class of a function; undefined when nobody has reviewed it. */
export function classOf(listed: Listed): string | undefined {
  const extension = extensionReview.find(({ name }) => name === listed.scope);
  if (listed.scope !== '') return extension === undefined ? undefined : extended(extension, listed);
  const reviewed = serverReview.find((one) => fits(one, listed));
  if (reviewed !== undefined) return written(reviewed);
  return { i: 'pure', s: 'read' }[listed.volatility];
}

function extended(extension: ExtensionReview, listed: Listed): string {
  const reviewed = extension.lists.find((one) => fits(one, listed));
  if (reviewed !== undefined) return written(reviewed);
  // Functions in SQL are followed, and aggregates are judged by what does their work.
  const compiled = listed.language === 'c' || listed.language === 'internal';
  if (!extension.computes || !compiled || listed.kind === 'a') return 'unknown';
  return listed.volatility === 'i' ? 'pure' : 'read';
}

/** From harmless to not; where versions differ, the worse holds. */
const ranks = ['pure', 'read', 'data-read'];
const rank = (name: string): number =>
  (ranks.indexOf(name) + ranks.length + 1) % (ranks.length + 1);

async function main(): Promise<void> {
  const classes = new Map<string, { name: string; symbols: Set<string> }>();
  const unreviewed = new Set<string>();
  for (const version of [15, 18] as const) {
    const server = await startPostgres({ version });
    try {
      for (const listed of await listFunctions(server)) {
        const key = `${listed.scope === '' ? '-' : listed.scope} ${listed.name}(${listed.args})`;
        const name = classOf(listed);
        if (name === undefined) unreviewed.add(key);
        const known = classes.get(key) ?? { name: 'pure', symbols: new Set<string>() };
        if (rank(name ?? 'unknown') > rank(known.name)) known.name = name ?? 'unknown';
        known.symbols.add(listed.symbol);
        classes.set(key, known);
      }
    } finally {
      await server.stop();
    }
  }
  const lines = [...classes].map(([key, { name, symbols }]) => {
    return `${name} ${key} ${[...symbols].join('|')}`;
  });
  writeFileSync(
    output,
    `/**
 * Made by \`tools/functions.ts\` from PostgreSQL 15 and 18 and from \`tools/function-review.ts\`.
 * One function a line: class (or effects), extension or \`-\`, name and argument types, and what it
 * runs: a C symbol, or the hash of SQL.
 */
export const functionTable: string = \`
${lines.sort().join('\n')}
\`;
`,
  );
  if (unreviewed.size > 0) {
    process.stderr.write(`not reviewed:\n${[...unreviewed].join('\n')}\n`);
    process.exitCode = 1;
  }
}

if (import.meta.main) await main();
