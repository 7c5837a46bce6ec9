/**
 * `npm start`: a gateway on this machine, a real PostgreSQL with a small shop behind it, a policy,
 * and a page that says what to try. Stays in the foreground; Ctrl-C drains.
 */
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import { systemClock } from '#core/clock.ts';
import { GatewayError } from '#core/errors.ts';
import { asEpochMs, asId } from '#core/ids.ts';
import { type Gateway, startGateway } from '../src/main/gateway.ts';
import { loadGatewayConfig } from '../src/main/load.ts';
import { untilSignal } from '../src/main/signals.ts';
import { createLog } from '../src/ops/log.ts';
import { startPostgres, type TestPostgres } from '../test/support/postgres.ts';
import { configText } from './files.ts';
import { rightsSql, roleSql, shopSql } from './shop.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const HOURS_12 = 12 * 60 * 60 * 1_000;

interface Options {
  readonly home: string;
  readonly pgPort: number;
  readonly apiPort: number;
  readonly demoPort: number;
}

function options(): Options {
  const { values } = parseArgs({
    options: {
      home: { type: 'string', default: process.env['SALLYPORT_HOME'] ?? '.sallyport' },
      'pg-port': { type: 'string', default: '6432' },
      'api-port': { type: 'string', default: '7080' },
      'demo-port': { type: 'string', default: '16432' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(
      'npm start -- [--home DIR] [--pg-port 6432] [--api-port 7080] [--demo-port 16432]\n' +
        'The ports are written into the configuration on the first start; edit them there later.',
    );
    process.exit(0);
  }
  const port = (name: 'pg-port' | 'api-port' | 'demo-port'): number => {
    const value = Number(values[name]);
    if (Number.isInteger(value) && value > 0 && value < 65_536) return value;
    throw new GatewayError('SP_CONFIG', { detail: `--${name} ${values[name]} is not a port` });
  };
  return {
    home: resolve(values.home),
    pgPort: port('pg-port'),
    apiPort: port('api-port'),
    demoPort: port('demo-port'),
  };
}

function writeSecret(path: string, value: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(path, value, { mode: 0o600 });
  chmodSync(path, 0o600);
}

/** The value in a secret file, made on the first start. */
function secret(path: string, make: () => string): string {
  if (!existsSync(path)) writeSecret(path, make());
  return readFileSync(path, 'utf8');
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Writes what is not there yet; what is there may have been edited, and stays. */
function prepare({ home, ...ports }: Options): string {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const config = join(home, 'sallyport.yaml');
  const id = secret(join(home, 'credentials/reviewer.id'), () => randomBytes(16).toString('hex'));
  const token = secret(
    join(home, 'credentials/reviewer'),
    () => `sp_${id}_${randomBytes(32).toString('base64url')}`,
  );
  if (!existsSync(config)) {
    writeFileSync(config, configText({ ...ports, reviewer: { id, sha256: sha256(token) } }), {
      mode: 0o600,
    });
  }
  mkdirSync(join(home, 'policies'), { recursive: true });
  const policy = join(home, 'policies', 'default.yaml');
  if (!existsSync(policy)) copyFileSync(join(root, 'policies', 'default.yaml'), policy);
  return config;
}

/** Fails with a sentence when something else listens on a port. */
async function assertFree(port: number, what: string, option: string): Promise<void> {
  await new Promise<void>((done, fail) => {
    const probe = createServer();
    probe.once('error', () =>
      fail(
        new GatewayError('SP_CONFIG', {
          detail:
            `port ${port} (${what}) is taken by another program; stop it, or choose another port` +
            ` with --${option} on a new home, or in sallyport.yaml`,
        }),
      ),
    );
    probe.listen(port, '127.0.0.1', () => probe.close(() => done()));
  });
}

/** Ports as the configuration has them by now. */
function portsOf(config: string): { pg: number; api: number; demo: number } {
  const document = parse(readFileSync(config, 'utf8'));
  const port = (address: unknown): number => Number(String(address).split(':').at(-1));
  return {
    pg: port(document?.listeners?.[0]?.address),
    api: port(document?.api?.address ?? '127.0.0.1:7080'),
    demo: port(document?.targets?.find((each: { name?: string }) => each.name === 'demo')?.address),
  };
}

/** The shop, made anew at each start. */
async function startShop(home: string, port: number): Promise<TestPostgres> {
  const server = await startPostgres({
    version: 18,
    port,
    hba: ['host all all 127.0.0.1/32 scram-sha-256'],
  });
  await server.query('create database shop');
  for (const role of ['app', 'readonly']) {
    const password = secret(join(home, 'secrets', role), () =>
      randomBytes(24).toString('base64url'),
    );
    await server.query(roleSql(role, password));
  }
  await server.query(shopSql + rightsSql, 'shop');
  return server;
}

async function issueAgent(gateway: Gateway, home: string): Promise<void> {
  const expiresAt = asEpochMs(systemClock.now() + HOURS_12);
  const { token } = await gateway.credentials.issue({
    identity: {
      id: asId('quickstart/agent'),
      kind: 'workload',
      issuer: 'quickstart',
      subject: 'agent',
      displayName: 'demo agent',
      groups: [],
      roles: ['member'],
      owner: 'people/olga',
      onBehalfOf: undefined,
      claims: {},
      expiresAt,
    },
    scope: { targets: ['demo'], accounts: [] },
    expiresAt,
  });
  writeSecret(join(home, 'credentials', 'agent'), token.reveal());
}

function page(home: string, ports: { pg: number; api: number }): string {
  const where = relative(process.cwd(), home) || '.';
  const shown = where.startsWith('..') ? home : where;
  const cli = 'npm run -s sallyport --';
  const named = shown === '.sallyport' ? '' : `\n  export SALLYPORT_HOME=${shown}`;
  const api = ports.api === 7080 ? '' : `\n  export SALLYPORT_API=http://127.0.0.1:${ports.api}`;
  return `
Sallyport is up. Leave this running and open another terminal here.${named}${api}

Connect as the agent, with any PostgreSQL client:
  export PGPASSWORD=$(cat ${shown}/credentials/agent)
  psql "host=127.0.0.1 port=${ports.pg} user=app@demo dbname=shop"

Try there:
  select name, email, phone, card, ssn from customers limit 5;   comes back masked
  drop table customers;                                          denied, with the reason
  delete from orders where status = 'cancelled';                 runs: it has a condition
  delete from orders;                                            held: waits for a person

Be that person, in a third terminal:
  ${cli} approvals list
  ${cli} approvals approve ID

Ask which rule decides a statement, and why, without running it:
  ${cli} policy explain --target demo --identity quickstart/agent "select ssn from customers"

See and prove what happened:
  ${cli} recordings list
  ${cli} recordings show ID
  ${cli} recordings verify ID

Stop the agent wherever it is:
  ${cli} lock add identity quickstart/agent --reason "offboarded"

Configuration: ${shown}/sallyport.yaml   Policy: ${shown}/policies/   Recordings: ${shown}/recordings/
Ctrl-C stops the gateway; the demo database goes with it.
`;
}

async function main(): Promise<void> {
  const chosen = options();
  const config = prepare(chosen);
  const ports = portsOf(config);
  await assertFree(ports.pg, 'the gateway', 'pg-port');
  await assertFree(ports.api, 'the API', 'api-port');
  await assertFree(ports.demo, 'the demo database', 'demo-port');
  console.log('Starting the demo database …');
  const shop = await startShop(chosen.home, ports.demo);
  try {
    const gateway = await startGateway(loadGatewayConfig(config), createLog());
    await issueAgent(gateway, chosen.home);
    console.log(page(chosen.home, ports));
    await untilSignal(gateway);
  } finally {
    await shop.stop();
  }
}

try {
  await main();
} catch (thrown) {
  console.error(`sallyport: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
  process.exitCode = 1;
}
