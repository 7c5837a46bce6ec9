/**
 * What goes wrong around a gateway: it fails closed, says so in the protocol's words, keeps its
 * memory, and serves everyone else.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { evidenceOf } from '../support/evidence.ts';
import {
  allowEverything,
  type GatewayOptions,
  startGateway,
  type TestGateway,
} from '../support/gateway.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';

const MiB = 1024 * 1024;
let server: TestPostgres;
before(async () => {
  server = await startPostgres({ version: 18 });
});
after(() => server.stop());

async function withGateway(
  options: Partial<GatewayOptions>,
  run: (gateway: TestGateway) => Promise<void>,
): Promise<void> {
  const gateway = await startGateway({
    targets: [{ name: 'db', host: server.host, port: server.port, accounts: ['*'] }],
    policies: { 'policy.yaml': allowEverything },
    ...options,
  });
  try {
    await run(gateway);
  } finally {
    await gateway.stop();
  }
}

async function login(gateway: TestGateway, socket = new Socket()): Promise<pg.Client> {
  const client = new pg.Client({
    stream: () => socket,
    host: '127.0.0.1',
    port: gateway.port,
    user: 'postgres@db',
    password: gateway.credential,
    database: 'postgres',
  });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** The error of a promise that must fail. */
async function failure(promise: Promise<unknown>): Promise<pg.DatabaseError> {
  const error: unknown = await promise.then(
    () => assert.fail('it went well'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof pg.DatabaseError, String(error));
  return error;
}

const ready = async (gateway: TestGateway): Promise<number> =>
  (await fetch(`${gateway.api}/readyz`)).status;

describe('evidence that cannot be kept', () => {
  it('lets nobody in when the disk has less than the reserve', async () => {
    const recordings = { reserve: '1000000GiB' };
    await withGateway({ config: { recordings } }, async (gateway) => {
      const error = await failure(login(gateway));
      assert.equal(error.severity, 'FATAL');
      assert.equal(error.code, '53100');
      assert.match(error.message, /too little disk for recordings/);
      assert.match(error.detail ?? '', /SP_RECORDING_SPACE/);
      assert.equal(await ready(gateway), 503);
      assert.equal(server.log().match(/connection authorized/g), null);
    });
  });

  it('does not start, and says why, when events cannot be written', async () => {
    const home = mkdtempSync(join(tmpdir(), 'sp-events-'));
    mkdirSync(join(home, 'events.ndjson'));
    try {
      await assert.rejects(
        withGateway({ home }, async () => assert.fail('it started')),
        {
          message: /the gateway ended with 1:[^]*SP_STORE/,
        },
      );
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  });
});

describe('a start that cannot succeed', () => {
  it('says what is wrong, and leaves nothing running', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const bound = taken.address();
    assert.ok(typeof bound === 'object' && bound !== null);
    const address = `127.0.0.1:${bound.port}`;
    const broken: readonly [Partial<GatewayOptions>, RegExp][] = [
      [{ listener: { address } }, /is taken by another process/],
      [{ config: { api: { address } } }, /cannot listen on 127\.0\.0\.1/],
      [{ policies: { 'policy.yaml': 'rules: [' } }, /policy\.yaml:1:/],
      [{ config: { storage: {} } }, /storage/],
    ];
    try {
      for (const [options, message] of broken) {
        const started = withGateway(options, async () => assert.fail('it started'));
        await assert.rejects(started, (error: Error) => {
          assert.match(error.message, /^the gateway ended with 1:/);
          assert.match(error.message, message);
          return true;
        });
      }
    } finally {
      taken.close();
    }
  });
});

describe('targets that fail', () => {
  /** A server that answers nothing. */
  async function silent(): Promise<{ port: number; stop: () => void }> {
    const sockets = new Set<Socket>();
    const listening: Server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
    });
    await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
    const address = listening.address();
    assert.ok(typeof address === 'object' && address !== null);
    return {
      port: address.port,
      stop: () => {
        for (const socket of sockets) socket.destroy();
        listening.close();
      },
    };
  }

  it('says so in the words of the protocol when the target is down or says nothing', async () => {
    const hangs = await silent();
    const down = await silent();
    down.stop();
    const target = (port: number) => [{ name: 'db', host: '127.0.0.1', port, accounts: ['*'] }];
    try {
      for (const { port } of [down, hangs]) {
        const options = { targets: target(port), config: { limits: { dialMsMax: 1_000 } } };
        await withGateway(options, async (gateway) => {
          const error = await failure(login(gateway));
          assert.equal(error.code, '08001');
          assert.match(error.message, /the target cannot be reached/);
          assert.equal(await ready(gateway), 200);
          const open = (): string[] =>
            readdirSync(join(gateway.home, 'recordings')).filter((name) => name.endsWith('.open'));
          while (open().length > 0) await new Promise((resolve) => setTimeout(resolve, 25));
          const [report] = await evidenceOf(gateway.home).verify();
          assert.equal(report?.verdict, 'verified');
        });
      }
    } finally {
      hangs.stop();
    }
  });

  it('ends the session, and nothing else, when its target dies in the middle', async () => {
    const mortal = await startPostgres({ version: 18 });
    const targets = [
      { name: 'db', host: server.host, port: server.port, accounts: ['*'] },
      { name: 'mortal', host: mortal.host, port: mortal.port, accounts: ['*'] },
    ];
    await withGateway({ targets }, async (gateway) => {
      const other = await login(gateway);
      const client = new pg.Client({
        host: '127.0.0.1',
        port: gateway.port,
        user: 'postgres@mortal',
        password: gateway.credential,
        database: 'postgres',
      });
      client.on('error', () => undefined);
      await client.connect();
      const ended = new Promise<void>((resolve) => client.once('end', () => resolve()));
      const running = client.query('select pg_sleep(600)');
      running.catch(() => undefined);
      await mortal.stop();
      await assert.rejects(running);
      await ended;
      assert.equal((await other.query('select 1 as one')).rows[0]?.one, 1);
      await other.end();
    });
  });

  it('does not believe a token whose issuer cannot be asked, and lets sessions go on', async () => {
    await withGateway({}, async (gateway) => {
      const inside = await login(gateway);
      const token = await gateway.job('later');
      await gateway.issuers.workloads.rotateKeys();
      const unknown = await gateway.job('with a new key');
      await gateway.issuers.workloads.stop();
      for (const password of [unknown, `${token.slice(0, -4)}AAAA`]) {
        const error = await failure(login({ ...gateway, credential: password }));
        assert.equal(error.code, '28P01');
      }
      assert.equal((await inside.query('select 1 as one')).rows[0]?.one, 1);
      await inside.end();
    });
  });
});

describe('memory and strangers', () => {
  const rssOf = (pid: number): number =>
    Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;

  it('takes no more from the server than a slow reader takes from it', async () => {
    await withGateway({}, async (gateway) => {
      const warm = await login(gateway);
      await warm.query("select repeat('x', 1000) from generate_series(1, 20000)");
      const before = rssOf(gateway.pid);
      const socket = new Socket();
      const client = await login(gateway, socket);
      const bytes = 2_048 * MiB;
      const copy = client.query(
        `select repeat('x', 1000) from generate_series(1, ${bytes / 1000})`,
      );
      copy.catch(() => undefined);
      socket.pause();
      // The server waits for the gateway, which waits for the client.
      const waiting = "select from pg_stat_activity where wait_event = 'ClientWrite'";
      while ((await server.query(waiting)).length === 0) {
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
      const grown = rssOf(gateway.pid) - before;
      // Buffers, and a heap that was not collected yet: a tenth of the result at most.
      assert.ok(grown < 200 * MiB, `the gateway has grown by ${grown} bytes`);
      assert.equal((await warm.query('select 1 as one')).rows[0]?.one, 1);
      client.end().catch(() => undefined);
      socket.destroy();
      await warm.end();
    });
  });

  it('lets people in while 200 strangers sit in front of the door and say nothing', async () => {
    await withGateway({}, async (gateway) => {
      const strangers = Array.from({ length: 200 }, () =>
        connect({ port: gateway.port, host: '127.0.0.1', localAddress: '127.0.0.2' }),
      );
      for (const socket of strangers) socket.on('error', () => undefined);
      await Promise.all(
        strangers.map((socket) => new Promise((resolve) => socket.once('connect', resolve))),
      );
      const client = await login(gateway);
      assert.equal((await client.query('select 1 as one')).rows[0]?.one, 1);
      await client.end();
      for (const socket of strangers) socket.destroy();
    });
  });
});

describe('a drain', () => {
  it('ends sessions with 57P01, seals what was recorded, and exits with 0', async () => {
    const home = mkdtempSync(join(tmpdir(), 'sp-drain-'));
    try {
      await withGateway({ home, config: { limits: { drainMsMax: 500 } } }, async (gateway) => {
        const client = await login(gateway);
        const told = new Promise<pg.DatabaseError>((resolve) => client.once('error', resolve));
        const ended = gateway.kill('SIGTERM');
        const error = await told;
        assert.equal(error.code, '57P01');
        assert.match(error.message, /shutting down/);
        await ended;
        assert.equal(gateway.exitCode, 0);
        const evidence = evidenceOf(home);
        assert.deepEqual(
          (await evidence.verify()).map(({ verdict }) => verdict),
          ['verified'],
        );
        assert.equal(evidence.events().at(-1)?.type, 'gateway.stopped');
      });
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  });
});
