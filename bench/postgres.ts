/**
 * PostgreSQL through the gateway, beside a direct connection and PgBouncer (session pooling), all
 * in
 * one run: rounds in which every variant has its turn, medians over the rounds, ratios pair by
 * pair.
 *
 * `policy` judges and records every statement; `masked` adds masks by source and detection by
 * content. Small queries by pgbench, bulk by psql's COPY to /dev/null. `--only copy` runs the loads
 * whose names have that in them; `--megabytes` is the size of what bulk carries.
 */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { ensurePackages } from '../test/support/debian.ts';
import { allowEverything, startGateway, type TestGateway } from '../test/support/gateway.ts';
import { startPostgres, type TestPostgres } from '../test/support/postgres.ts';
import { cpuSeconds, residentKilobytes } from './process.ts';
import { median, medianRatio, table } from './table.ts';

/** Not the blocking form: the issuer of the gateways' tokens is in this process. */
const execute = promisify(execFile);
const PSQL_BIN = '/usr/lib/postgresql/15/bin';
/** Bytes of a row in the text of COPY, about; the same for every variant. */
const ROW_BYTES = 170;
const SAMPLE_MS = 50;

interface Variant {
  readonly name: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** Whose CPU time counts; undefined for the direct connection. */
  readonly pid: number | undefined;
}

interface Done {
  readonly units: number;
  readonly seconds: number;
}

interface Load {
  readonly name: string;
  /** Runs once; answers units (transactions or bytes) done and seconds used. */
  readonly run: (variant: Variant) => Promise<Done>;
}

interface Sample {
  readonly rate: number;
  readonly cpuSecondsPerUnit: number;
  /** The most memory that was in use meanwhile. */
  readonly megabytes: number;
}

export async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '3' },
      only: { type: 'string', default: '' },
      megabytes: { type: 'string', default: '170' },
    },
  });
  ensurePackages(['postgresql-15', 'pgbouncer']);
  const server = await startPostgres({ version: 15 });
  const stops: (() => Promise<void> | void)[] = [() => server.stop()];
  try {
    const rows = Math.ceil((Number(values.megabytes) * 1e6) / ROW_BYTES);
    await fill(server, rows);
    const variants: Variant[] = [direct(server)];
    const bouncer = await startPgBouncer(server);
    stops.unshift(bouncer.stop);
    variants.push(bouncer.variant);
    for (const [name, masks] of [
      ['policy', ''],
      ['masked', MASKS],
    ] as const) {
      const gateway = await startGateway({
        targets: [{ name: 'bench', host: server.host, port: server.port, accounts: ['*'] }],
        bind: 'bench',
        policies: { 'policy.yaml': allowEverything + masks },
      });
      stops.unshift(() => gateway.stop());
      variants.push(gatewayVariant(name, gateway));
    }
    const wanted = loads(Number(values.seconds), rows).filter(({ name }) =>
      name.toLowerCase().includes(values.only.toLowerCase()),
    );
    const results = await measure(variants, wanted, Number(values.rounds));
    print(variants, results);
  } finally {
    for (const stop of stops) await stop();
  }
}

const MASKS = `
masks:
  - id: filler
    match: {protocols: [postgres]}
    columns: [public.bulk.email]
    with: redact
  - id: content
    match: {protocols: [postgres]}
    detect: [email, credit-card, iban, us-ssn, phone, secret]
    with: redact
`;

function direct(server: TestPostgres): Variant {
  return { name: 'direct', port: server.port, user: 'postgres', password: '', pid: undefined };
}

function gatewayVariant(name: string, gateway: TestGateway): Variant {
  return {
    name,
    port: gateway.port,
    user: 'postgres',
    password: gateway.credential,
    pid: gateway.pid,
  };
}

async function fill(server: TestPostgres, rows: number): Promise<void> {
  const options = ['-h', server.host, '-p', String(server.port), '-U', 'postgres'];
  execFileSync(join(PSQL_BIN, 'pgbench'), [...options, '-i', '-s', '5', '-q', 'postgres'], {
    stdio: 'ignore',
  });
  await server.query(
    `create table public.bulk as select g as id, md5(g::text) as hash,
       'user' || g || '@example.com' as email, now() as at, repeat('lorem ', 12) as note
     from generate_series(1, ${rows}) g`,
    'postgres',
  );
}

async function startPgBouncer(
  server: TestPostgres,
): Promise<{ readonly variant: Variant; readonly stop: () => void }> {
  const port = server.port + 1 > 65_000 ? server.port - 1 : server.port + 1;
  const users = join(server.dir, 'users.txt');
  const ini = join(server.dir, 'pgbouncer.ini');
  writeFileSync(users, '"postgres" ""\n', { mode: 0o644 });
  writeFileSync(
    ini,
    `[databases]\n* = host=${server.host} port=${server.port}\n[pgbouncer]\n` +
      `listen_addr = 127.0.0.1\nlisten_port = ${port}\nauth_type = any\nauth_file = ${users}\n` +
      `pool_mode = session\nunix_socket_dir =\nmax_client_conn = 200\ndefault_pool_size = 100\n` +
      `ignore_startup_parameters = extra_float_digits\n` +
      `[databases]\npostgres = host=${server.host} port=${server.port} user=postgres\n`,
    { mode: 0o644 },
  );
  const child = spawn('/usr/sbin/pgbouncer', ['-q', ...(isRoot() ? ['-u', 'postgres'] : []), ini], {
    stdio: 'ignore',
  });
  await new Promise((resolve) => setTimeout(resolve, 500));
  const pid = child.pid ?? 0;
  return {
    variant: { name: 'pgbouncer', port, user: 'postgres', password: '', pid },
    stop: () => void child.kill('SIGKILL'),
  };
}

const isRoot = (): boolean => process.getuid?.() === 0;

function loads(seconds: number, rows: number): readonly Load[] {
  const megabytes = (rows * ROW_BYTES) / 1e6;
  const list: Load[] = [];
  for (const mode of ['simple', 'prepared']) {
    for (const clients of [1, 8, 32]) {
      list.push({ name: `${mode} c${clients}`, run: (v) => pgbench(v, mode, clients, seconds) });
    }
  }
  const copy = ['-c', 'copy public.bulk to stdout'];
  list.push({ name: 'COPY out', run: (v) => bulk(v, megabytes, copy) });
  const select = ['-A', '-t', '-v', 'FETCH_COUNT=10000', '-c', 'select * from public.bulk'];
  list.push({ name: 'SELECT', run: (v) => bulk(v, megabytes, select) });
  return list;
}

function connection(variant: Variant): { args: string[]; env: NodeJS.ProcessEnv } {
  return {
    args: ['-h', '127.0.0.1', '-p', String(variant.port), '-U', variant.user],
    env: {
      ...process.env,
      PGPASSWORD: variant.password,
      PGSSLMODE: 'disable',
      PGGSSENCMODE: 'disable',
    },
  };
}

async function pgbench(
  variant: Variant,
  mode: string,
  clients: number,
  seconds: number,
): Promise<Done> {
  const { args, env } = connection(variant);
  const shape = ['-n', '-S', '-M', mode, '-c', String(clients), '-T', String(seconds)];
  const { stdout: out } = await execute(
    join(PSQL_BIN, 'pgbench'),
    [...args, ...shape, 'postgres'],
    { env },
  );
  const done = Number(/actually processed: (\d+)/.exec(out)?.[1] ?? Number.NaN);
  const rate = Number(/tps = ([\d.]+)/.exec(out)?.[1] ?? Number.NaN);
  return { units: done, seconds: done / rate };
}

async function bulk(
  variant: Variant,
  megabytes: number,
  command: readonly string[],
): Promise<Done> {
  const { args, env } = connection(variant);
  const started = performance.now();
  await execute(
    join(PSQL_BIN, 'psql'),
    [...args, '-q', '-o', '/dev/null', ...command, 'postgres'],
    { env },
  );
  return { units: megabytes, seconds: (performance.now() - started) / 1000 };
}

const cpuOf = ({ pid }: Variant): number => (pid === undefined ? 0 : cpuSeconds(pid));

async function measure(
  variants: readonly Variant[],
  all: readonly Load[],
  rounds: number,
): Promise<Map<string, Map<string, Sample[]>>> {
  const results = new Map<string, Map<string, Sample[]>>();
  for (const load of all) {
    const byVariant = new Map<string, Sample[]>(variants.map(({ name }) => [name, []]));
    results.set(load.name, byVariant);
    for (let round = 0; round < rounds; round += 1) {
      for (const variant of variants) {
        byVariant.get(variant.name)?.push(await sample(variant, load));
      }
    }
    process.stderr.write(`${load.name} done\n`);
  }
  return results;
}

async function sample(variant: Variant, load: Load): Promise<Sample> {
  const { pid } = variant;
  let megabytes = 0;
  const watch = setInterval(() => {
    if (pid !== undefined) megabytes = Math.max(megabytes, residentKilobytes(pid) / 1024);
  }, SAMPLE_MS);
  const before = cpuOf(variant);
  const { units, seconds } = await load.run(variant);
  const cpuSecondsPerUnit = (cpuOf(variant) - before) / units;
  clearInterval(watch);
  return { rate: units / seconds, cpuSecondsPerUnit, megabytes };
}

function print(variants: readonly Variant[], results: Map<string, Map<string, Sample[]>>): void {
  const rows: string[][] = [];
  for (const [load, byVariant] of results) {
    const rates = (name: string): number[] => (byVariant.get(name) ?? []).map(({ rate }) => rate);
    for (const { name } of variants) {
      const samples = byVariant.get(name) ?? [];
      const cpu = median(samples.map((sample) => sample.cpuSecondsPerUnit));
      rows.push([
        load,
        name,
        median(rates(name)).toFixed(0),
        medianRatio(rates(name), rates('direct')).toFixed(2),
        medianRatio(rates(name), rates('pgbouncer')).toFixed(2),
        name === 'direct' ? '' : (cpu * 1e6).toFixed(0),
        name === 'direct' ? '' : Math.max(...samples.map(({ megabytes }) => megabytes)).toFixed(0),
      ]);
    }
  }
  const ratios = ['of direct', 'of pgbouncer'];
  const header = ['load', 'through', 'tps or MB/s', ...ratios, 'CPU µs a unit', 'MB at most'];
  console.log(table(header, rows));
}
