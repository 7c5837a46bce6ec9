/**
 * Drivers over a table with masked columns, in every way that they have to read rows: in text and
 * binary, prepared, from cursors, in pipelines, by COPY. What names nothing masked must be what the
 * server itself gives; of the rest no masked value may come, in values that the driver can read.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ensurePackages } from '../../support/debian.ts';
import { startGateway } from '../../support/gateway.ts';
import { Psql } from '../../support/psql.ts';
import { startPostgres } from '../../support/postgres.ts';
import { driverPackages } from './drivers.ts';

/** A masked value is one of these, or a part of one; nothing else in the table has such digits. */
const canary = '7391';

export const maskedSchema: string = `
  CREATE TABLE people (id int PRIMARY KEY, name text, ssn text, pay numeric, salary int, born date,
    doc jsonb, tags text[], token uuid, raw bytea, seen timestamptz);
  INSERT INTO people SELECT g, 'name ' || g, '${canary}-' || g || '-${canary}', ${canary}00 + g,
    ${canary}00 + g, date '${canary}-01-01' + g, '{"k": "${canary}"}', '{x,${canary}}',
    '00000000-0000-0000-0000-0000${canary}0000', '${canary}', timestamptz '${canary}-01-01 00:00Z'
    FROM generate_series(1, 8) g;
  INSERT INTO people (id, name) VALUES (9, 'nobody');
  CREATE VIEW shown AS SELECT id, name, ssn AS number FROM people;`;

export const maskedPolicy: string = `
rules:
  - id: all
    then: allow
masks:
  - id: personal
    columns: [${['ssn', 'pay', 'salary', 'born', 'doc', 'tags', 'token', 'raw', 'seen']
      .map((column) => `public.people.${column}`)
      .join(', ')}]
    with: redact
`;

/** By name; those whose name starts with \`clean\` name nothing masked. */
export const queries: Readonly<Record<string, string>> = {
  'clean columns': 'select id, name from people order by id',
  'clean count': 'select count(*), max(id) from people',
  'clean groups': 'select length(name), count(*) from people group by 1 order by 1',
  'clean view': 'select number is null, name from shown order by id',
  'clean types': `select id::int8 as a, id::numeric as b, date '2024-02-29' + id as c,
    array[name, null] as d, to_jsonb(name) as e, id > 3 as f, name::bytea as g
    from people order by people.id`,
  whole: 'select * from people order by id',
  texts: 'select upper(ssn) as up, pay::text, doc->>$$k$$, tags[2] from people order by id',
  types: 'select pay, salary, born, doc, tags, token, raw, seen from people order by id',
  expressions:
    'select pay + 1, salary * 2, born + 1, doc || doc, tags || tags from people order by id',
  row: 'select p, to_jsonb(p) from people p order by id',
  aggregates: 'select string_agg(ssn, $$,$$), array_agg(pay), json_agg(doc) from people',
  view: 'select number, name from shown order by id',
};

interface Connection {
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

interface Driver {
  readonly name: string;
  readonly run: (to: Connection) => Promise<string>;
}

const scripts = fileURLToPath(new URL('masked', import.meta.url));
const python = '/usr/bin/python3';
const dsn = ({ port, user, password }: Connection): string =>
  `host=127.0.0.1 port=${port} user=${user} password=${password} dbname=postgres sslmode=disable`;
const asked = JSON.stringify(queries);

export const maskedDrivers: readonly Driver[] = [
  { name: 'psql', run: psql },
  script('psycopg2', (to) => [python, `${scripts}/psycopg2_driver.py`, dsn(to), asked]),
  script('psycopg3', (to) => [python, `${scripts}/psycopg3_driver.py`, dsn(to), asked]),
  script('asyncpg', (to) => [python, `${scripts}/asyncpg_driver.py`, ...login(to), asked]),
  script('node-postgres', (to) => [
    process.execPath,
    fileURLToPath(new URL('masked/node_pg_driver.ts', import.meta.url)),
    ...login(to),
    asked,
  ]),
  script('pgjdbc', (to) => [
    'java',
    '-cp',
    '/usr/share/java/postgresql.jar',
    `${scripts}/Pgjdbc.java`,
    `jdbc:postgresql://127.0.0.1:${to.port}/postgres?sslmode=disable`,
    to.user,
    to.password,
    ...Object.entries(queries).flat(),
  ]),
];

function login({ port, user, password }: Connection): readonly [string, string, string] {
  return [String(port), user, password];
}

function script(name: string, command: (to: Connection) => readonly [string, ...string[]]): Driver {
  return {
    name,
    run: (to) => {
      const [program, ...args] = command(to);
      return new Promise((resolve) => {
        execFile(program, args, { encoding: 'utf8', timeout: 120_000 }, (error, stdout, stderr) =>
          resolve(error === null ? stdout : `${stdout}\n${stderr}`),
        );
      });
    },
  };
}

/** As the other drivers: a line a query and way. psql reads with cursors when it fetches by count. */
async function psql(to: Connection): Promise<string> {
  const lines: string[] = [];
  for (const [name, sql] of Object.entries(queries)) {
    for (const [way, args] of [
      ['text', ['-c', sql]],
      ['expanded', ['-x', '-c', sql]],
      ['cursor', ['-v', 'FETCH_COUNT=2', '-c', sql]],
      ['copy', ['-c', `\\copy (${sql.replaceAll('\n', ' ')}) to stdout (format csv)`]],
      ['explain', ['-c', `explain (verbose, costs off) ${sql}`]],
    ] as const) {
      const { stdout, stderr } = await new Psql({ ...to, database: 'postgres' }, args).done();
      lines.push(JSON.stringify([name, way, stdout + stderr]));
    }
  }
  return lines.join('\n');
}

/** What is wrong with what a driver saw; empty when nothing is. */
export function judgeLines(direct: string, through: string): readonly string[] {
  const [own, seen] = [direct, through].map((text) => text.trim().split('\n'));
  const isWhole = own?.every((line) => line.startsWith('["') && !line.includes('ERROR:'));
  if (own === undefined || seen === undefined || own.length !== seen.length || !isWhole) {
    return [`${own?.length} lines directly, ${seen?.length} through:\n${direct}\n${through}`];
  }
  return own.flatMap((line, at) => {
    const other = seen[at] ?? '';
    if (line.startsWith('["clean')) return line === other ? [] : [`${line}\nis not ${other}`];
    const name = /^\["[^"]*", ?"[^"]*"/.exec(line)?.[0] ?? line;
    if (!other.startsWith(name)) return [`${name} is not the name of ${other}`];
    const isPlan = / ?"explain"/.test(name);
    if (!isPlan && !hasCanary(line)) return [`${name} shows nothing that is masked`];
    return hasCanary(other) ? [`a masked value came out: ${other}`] : [];
  });
}

/** As text, or as the bytes of a binary COPY or of a \`bytea\` in hexadecimal. */
const hasCanary = (line: string): boolean =>
  line.includes(canary) || line.includes(Buffer.from(canary).toString('hex'));

/** Plays the matrix and prints a line a driver. */
export async function compareMasked(): Promise<boolean> {
  ensurePackages(driverPackages);
  const server = await startPostgres({ version: 15 });
  await server.query(maskedSchema);
  const gateway = await startGateway({
    targets: [{ name: 'drivers', host: server.host, port: server.port, accounts: ['*'] }],
    policies: { 'policy.yaml': maskedPolicy },
  });
  let good = true;
  try {
    for (const driver of maskedDrivers) {
      const direct = await driver.run({ port: server.port, user: 'postgres', password: 'none' });
      const through = await driver.run({
        port: gateway.port,
        user: 'postgres@drivers',
        password: gateway.credential,
      });
      const wrong = judgeLines(direct, through);
      const steps = direct.trim().split('\n').length;
      console.log(`${driver.name}, masked: ${steps} results, ${wrong.length} wrong`);
      for (const each of wrong) console.log(each);
      good = good && wrong.length === 0;
    }
    return good;
  } finally {
    await gateway.stop();
    await server.stop();
  }
}
