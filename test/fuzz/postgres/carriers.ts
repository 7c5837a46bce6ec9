/**
 * The ways in which a query reaches the server and its rows come back: in a text, prepared, in
 * pieces, from a cursor, by COPY, out of a view, a function, a table or a write.
 */
import type { Frame } from '../../evasion/postgres/cases.ts';
import type { Dice } from '../dice.ts';
import { type Query, QueryMaker } from './queries.ts';

/** Messages that are sent at once and answered by one ReadyForQuery. */
export type Step = readonly Frame[];

export interface FuzzCase {
  readonly carrier: string;
  readonly clean: boolean;
  /** Whether its rows are the same, but for their order, however the server plans. */
  readonly stable: boolean;
  readonly steps: readonly Step[];
}

interface Making {
  readonly dice: Dice;
  readonly maker: QueryMaker;
  readonly query: () => Query;
}

type Carrier = (making: Making) => readonly Step[];

const say = (query: string): Step => [{ query }];
const inTransaction = (...texts: readonly string[]): readonly Step[] =>
  ['BEGIN', ...texts, 'ROLLBACK'].map(say);

const carriers: Readonly<Record<string, Carrier>> = {
  text: ({ query }) => [say(query().sql)],
  extended: (making) => [extended(making, 0)],
  portal: (making) => [extended(making, 2)],
  prepare: ({ query }) => [
    say(`PREPARE p AS ${query().sql}`),
    say('EXECUTE p'),
    say('EXECUTE p'),
    say('DEALLOCATE p'),
  ],
  cursor: ({ query, dice }) =>
    inTransaction(
      `DECLARE c ${dice.pick(['', 'SCROLL ', 'BINARY '])}CURSOR FOR ${query().sql}`,
      'FETCH 2 FROM c',
      'FETCH ALL FROM c',
      'CLOSE c',
    ),
  copy: ({ query, dice }) => {
    const form = dice.pick(['text', 'csv', 'binary', "csv, DELIMITER '|', FORCE_QUOTE *"]);
    return [say(`COPY (${query().sql}) TO STDOUT (FORMAT ${form})`)];
  },
  explain: ({ query, dice }) => {
    const form = dice.pick(['TEXT', 'JSON', 'XML', 'YAML']);
    const analyze = dice.pick(['', 'ANALYZE, TIMING OFF, SUMMARY OFF, BUFFERS OFF, ']);
    return [say(`EXPLAIN (${analyze}VERBOSE, COSTS OFF, FORMAT ${form}) ${query().sql}`)];
  },
  two: ({ query }) => [say(`${query().sql}; ${query().sql}`)],
  view: ({ query }) =>
    inTransaction(
      `CREATE VIEW made AS ${query().sql}`,
      'SELECT * FROM made',
      'SELECT m, to_jsonb(m) FROM made m',
    ),
  table: ({ query, dice }) =>
    inTransaction(
      `CREATE ${dice.pick(['TEMP TABLE', 'TABLE', 'MATERIALIZED VIEW'])} made AS ${query().sql}`,
      'SELECT * FROM made',
    ),
  function: ({ query, dice }) =>
    inTransaction(
      `CREATE FUNCTION made() RETURNS SETOF text LANGUAGE sql ${dice.pick(['STABLE', ''])} ` +
        `AS $made$SELECT (q)::text FROM (${query().sql}) q$made$`,
      'SELECT * FROM made()',
      'SELECT made()',
    ),
  insert: ({ query }) =>
    inTransaction(
      `INSERT INTO notes (body) SELECT (q)::text FROM (${query().sql}) q RETURNING *`,
      'SELECT body FROM notes',
    ),
  update: ({ maker, dice }) => {
    const [table, column] = dice.pick([
      ['orders', 'note'],
      ['people', 'name'],
      ['places', 'note'],
    ]);
    const from = maker.from([], 1);
    const value = maker.expression('text', from.items, 2);
    const back = maker.expression('text', from.items, 2);
    const made =
      `UPDATE ${table} z SET ${column} = coalesce(${value}, 'none') FROM ${from.sql} ` +
      `WHERE z.id = 1 RETURNING ${back} AS back, z.${column}`;
    return inTransaction(dice.pick([made, `WITH w AS (${made}) SELECT * FROM w`]));
  },
  delete: ({ maker, dice }) => {
    const from = maker.from([], 1);
    const back = maker.expression(dice.pick(['text', 'int', 'json']), from.items, 2);
    const where = maker.expression('boolean', from.items, 1);
    return inTransaction(
      `DELETE FROM badges z USING ${from.sql} WHERE ${where} RETURNING ${back}, z.door`,
    );
  },
  violate: ({ maker, dice }) => {
    const from = maker.from([], 1);
    const value = maker.expression('text', from.items, 2);
    return inTransaction(
      dice.pick([
        `INSERT INTO badges SELECT ${value}, 1 FROM ${from.sql}`,
        `INSERT INTO orders (id, total) SELECT 1, length(${value}) FROM ${from.sql}`,
        `UPDATE people SET name = NULL WHERE EXISTS (SELECT ${value} FROM ${from.sql})`,
        'UPDATE people SET balance = -1',
        'UPDATE people SET id = 2',
        'DELETE FROM people WHERE id = 1',
        `INSERT INTO days SELECT '2030-01-01', ${value} FROM ${from.sql}`,
      ]),
    );
  },
  merge: ({ query }) =>
    inTransaction(
      `MERGE INTO places z USING (${query().sql}) q ON z.id = 1 ` +
        'WHEN MATCHED THEN UPDATE SET note = q::text WHEN NOT MATCHED THEN DO NOTHING',
      'SELECT note FROM places',
    ),
};

/** Those whose results are of types and tables that they make. */
export const makesObjects: ReadonlySet<string> = new Set(['view', 'table', 'function']);

/**
 * Those that show a plan, or some rows of those that it finds: of several rows that an UPDATE or a
 * DELETE joins with one of its own, the server takes whichever comes first.
 */
const hangsOnPlan: ReadonlySet<string> = new Set([
  'explain',
  'cursor',
  'portal',
  'update',
  'delete',
]);

/** How often each way is taken; the rare ones change the catalogue, which is read again then. */
const shares: readonly (readonly [string, number])[] = [
  ['text', 40],
  ['extended', 22],
  ['portal', 5],
  ['prepare', 5],
  ['cursor', 5],
  ['copy', 7],
  ['explain', 3],
  ['two', 2],
  ['update', 3],
  ['delete', 1],
  ['insert', 2],
  ['violate', 2],
  ['merge', 1],
  ['view', 2],
  ['function', 1],
  ['table', 1],
];

/** Makes a case; a third of them name nothing that is masked. */
export function makeCase(dice: Dice): FuzzCase {
  const carrier = chooseCarrier(dice);
  // A plan shows what the views in it compute, of masked columns too.
  const clean = dice.chance(33) && carrier !== 'explain';
  const parameters = carrier === 'extended' || carrier === 'portal';
  const maker = new QueryMaker(dice, { clean, parameters });
  const steps = carriers[carrier]?.({ dice, maker, query: () => maker.statement() }) ?? [];
  return { carrier, clean, stable: !maker.isUnstable && !hangsOnPlan.has(carrier), steps };
}

function chooseCarrier(dice: Dice): string {
  let left = dice.below(shares.reduce((sum, [, share]) => sum + share, 0));
  for (const [name, share] of shares) {
    left -= share;
    if (left < 0) return name;
  }
  return 'text';
}

/** Parse, Bind, Describe, Execute: results in text or binary, all at once or some rows a time. */
function extended({ dice, maker, query }: Making, rows: number): Step {
  const { sql } = query();
  const binary = dice.chance(60);
  const execute: Frame = { execute: { max_rows: rows } };
  return [
    { parse: { sql } },
    { bind: { params: [...maker.parameters], result_formats: [binary ? 1 : 0] } },
    { describe: { kind: 'P' } },
    ...Array.from({ length: rows === 0 ? 1 : 4 }, () => execute),
    { sync: true },
  ];
}

/** The case as text, for a person. */
export const textOf = ({ steps }: FuzzCase): string =>
  steps
    .map((step) =>
      step.map((frame) => ('query' in frame ? frame.query : JSON.stringify(frame))).join('\n  '),
    )
    .join(';\n');
