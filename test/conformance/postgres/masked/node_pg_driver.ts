/**
 * Runs queries in every way that node-postgres has and prints what came, a line of JSON a query and
 * way. Usage: node_pg_driver.ts PORT USER PASSWORD QUERIES, a JSON object of texts by name.
 */
import pg from 'pg';

const [port = '', user = '', password = '', queries = '{}'] = process.argv.slice(2);
const client = new pg.Client({
  host: '127.0.0.1',
  port: Number(port),
  user,
  password,
  database: 'postgres',
});
await client.connect();
for (const [name, text] of Object.entries<string>(JSON.parse(queries))) {
  const tell = (way: string, value: unknown): void => {
    console.log(JSON.stringify([name, way, value]));
  };
  tell('simple', (await client.query(text)).rows);
  tell('extended', (await client.query({ text, values: [] })).rows);
  // What the types do not know of: results in binary.
  const binary = { text, binary: true };
  tell('binary', (await client.query(binary)).rows);
  for (let at = 0; at < 2; at += 1) tell(`named ${at}`, (await client.query({ text, name })).rows);
  await client.query('BEGIN');
  await client.query(`DECLARE c CURSOR FOR ${text}`);
  const rest = { text: 'FETCH ALL FROM c', binary: true };
  const { rows } = await client.query('FETCH 3 FROM c');
  tell('cursor', [rows, (await client.query(rest)).rows]);
  await client.query('COMMIT');
}
await client.end();
