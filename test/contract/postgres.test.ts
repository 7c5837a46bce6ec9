/** The contract over PostgreSQL, with a real server and node-postgres. */
import { connect } from 'node:net';
import pg from 'pg';
import { postgres } from '../../src/protocols/postgres/index.ts';
import { startPostgres } from '../support/postgres.ts';
import { type Answer, contract, type ContractClient } from './suite.ts';

const CANARY = '4539578763621486';

async function startTarget() {
  const server = await startPostgres({ version: 18 });
  await server.query(
    `create table public.customers (id int primary key, card text);
     insert into public.customers values (1, '${CANARY}');
     create table public.orders (id int);
     insert into public.orders values (1), (2);`,
  );
  return { host: server.host, port: server.port, stop: () => server.stop() };
}

async function login(port: number, user: string, secret: string): Promise<ContractClient> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user,
    password: secret,
    database: 'postgres',
  });
  client.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => client.once('end', () => resolve()));
  await client.connect();
  const run = async (text: string): Promise<Answer> => {
    try {
      const { rows } = await client.query(text);
      return { ok: true, text: JSON.stringify(rows), code: '' };
    } catch (error) {
      const code = error instanceof pg.DatabaseError ? (error.code ?? '') : 'closed';
      return { ok: false, text: String(error), code };
    }
  };
  return {
    run,
    closed,
    cancel: () => cancelRequest(port, keyOf(client)),
    close: () => void client.end(),
  };
}

/** The key that the gateway gave this client in BackendKeyData. */
function keyOf(client: pg.Client): { readonly pid: number; readonly secret: number } {
  const pid: unknown = Reflect.get(client, 'processID');
  const secret: unknown = Reflect.get(client, 'secretKey');
  return { pid: Number(pid), secret: Number(secret) };
}

function cancelRequest(port: number, key: { pid: number; secret: number }): Promise<void> {
  const request = Buffer.alloc(16);
  request.writeInt32BE(16, 0);
  request.writeInt32BE(80877102, 4);
  request.writeInt32BE(key.pid, 8);
  request.writeInt32BE(key.secret | 0, 12);
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(request));
    socket.resume();
    socket.on('error', () => undefined);
    socket.on('close', () => resolve());
  });
}

const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
};

contract({
  protocol: postgres,
  startTarget,
  login,
  account: 'postgres',
  commands: {
    allowed: { text: "select 'hello' as greeting", answer: 'hello' },
    denied: { text: 'drop table public.customers', bytes: 'drop table' },
    held: { text: 'delete from public.orders', bytes: 'delete from' },
    masked: { text: 'select id, card from public.customers', canary: CANARY },
    slow: 'select pg_sleep(600)',
  },
  codes: { denied: '42501', login: '28P01' },
  garbage: [
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    int32(0xffffffff),
    Buffer.concat([int32(8), int32(0x30000)]),
    Buffer.concat([int32(3), int32(0)]),
    Buffer.concat([int32(80_000), Buffer.alloc(80_000, 0x41)]),
  ],
  policy: `rules:
  - id: reads
    use: { read-only: { effects: [read, session, transaction, lock] } }
    then: allow
  - { id: drops, when: "'drop' in facts.effects", then: deny }
  - id: deletes
    when: "facts.effects.exists(e, e in ['delete', 'delete-all'])"
    then: hold
    hold: { reviewers: ['role:reviewer'], wait: 1m, valid: 1m }
masks:
  - { id: card, columns: [public.customers.card], with: redact }
`,
});
