/**
 * HTTP through the gateway, beside a direct connection, nginx `proxy_pass` and HAProxy, all in one
 * run: rounds in which every variant has its turn, medians over the rounds, ratios pair by pair.
 *
 * `policy` judges every request by ten rules and records it; `masked` adds a mask by field and
 * detection by content. Small answers by wrk, bulk by curl to /dev/null.
 */
import { execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { ensurePackages } from '../test/support/debian.ts';
import { startGateway } from '../test/support/gateway.ts';
import { median, medianRatio, table } from './table.ts';

const execute = promisify(execFile);
const MiB = 1024 * 1024;
const BULK_BYTES = 256 * MiB;
const JSON_BYTES = 32 * MiB;

interface Variant {
  readonly name: string;
  readonly port: number;
  readonly authorization: string;
  /** Whose memory counts; undefined where nobody asks. */
  readonly pid: number | undefined;
}

interface Load {
  readonly name: string;
  readonly unit: string;
  /** Variants that it makes sense for. */
  readonly fits: (name: string) => boolean;
  /** Units a second. */
  readonly run: (variant: Variant) => Promise<number>;
}

export async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '3' },
    },
  });
  ensurePackages(['nginx', 'haproxy', 'wrk', 'curl']);
  const home = mkdtempSync(join(tmpdir(), 'sp-bench-http-'));
  const stops: (() => Promise<void> | void)[] = [() => rmSync(home, { recursive: true })];
  try {
    const origin = await startServer(home, stops);
    const variants = [
      { name: 'direct', port: origin, authorization: '', pid: undefined },
      await startPeer('nginx', home, origin, stops),
      await startPeer('haproxy', home, origin, stops),
      await startVariant('policy', '', origin, stops),
      await startVariant('masked', MASKS, origin, stops),
    ];
    const loads = loadsOf(Number(values.seconds));
    const results = new Map<string, number[]>();
    for (let round = 0; round < Number(values.rounds); round += 1) {
      for (const load of loads) {
        for (const variant of variants.filter(({ name }) => load.fits(name))) {
          const key = `${load.name} ${variant.name}`;
          results.set(key, [...(results.get(key) ?? []), await load.run(variant)]);
        }
      }
    }
    print(variants, loads, results);
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

const MASKS = `
masks:
  - { id: ssn, columns: ['json.*.ssn'], with: redact }
  - { id: found, detect: [credit-card, secret], with: redact }
`;

/** Nine rules that look at the request and do not fit, and one that lets it pass. */
const rules = [
  ...Array.from(
    { length: 9 },
    (_, index) =>
      `  - { id: r${index}, when: "facts.objects.exists(o, o.name == '/admin/${index}')", then: deny }`,
  ),
  '  - { id: all, when: "facts.analysis == \'complete\'", then: allow }',
];

async function startVariant(
  name: string,
  masks: string,
  origin: number,
  stops: (() => Promise<void> | void)[],
): Promise<Variant> {
  const gateway = await startGateway({
    targets: [{ name: 'site', host: '127.0.0.1', port: origin, accounts: ['robot'] }],
    policies: { 'policy.yaml': `rules:\n${rules.join('\n')}\n${masks}` },
    config: {
      listeners: [{ name: 'pg', protocol: 'http', address: '127.0.0.1:0', target: 'site' }],
      targets: [
        {
          name: 'site',
          protocol: 'http',
          address: `127.0.0.1:${origin}`,
          tls: { mode: 'disable' },
          accounts: [{ name: 'robot' }],
          settings: { textUnderMasks: 'content' },
        },
      ],
    },
  });
  stops.push(() => gateway.stop());
  const authorization = `Basic ${Buffer.from(`robot:${gateway.credential}`).toString('base64')}`;
  return { name, port: gateway.port, authorization, pid: gateway.pid };
}

/** nginx with one small answer, a large file and a large document. */
async function startServer(home: string, stops: (() => Promise<void> | void)[]): Promise<number> {
  mkdirSync(join(home, 'files'));
  writeFileSync(join(home, 'files', 'small.txt'), 'x'.repeat(1024));
  writeFileSync(join(home, 'files', 'bulk.txt'), Buffer.alloc(BULK_BYTES, 'abcdefgh 1234\n'));
  const row =
    '{"id":1,"name":"Ada Byron","email":"ada@example.com","ssn":"078-05-1120","n":12.5},\n';
  const rows = row.repeat(Math.ceil(JSON_BYTES / row.length));
  writeFileSync(join(home, 'files', 'rows.json'), `[${rows}{}]`);
  return startNginx(
    home,
    'origin',
    stops,
    (port) =>
      `types { text/plain txt; application/json json; } sendfile on; keepalive_requests 100000000;
     server { listen 127.0.0.1:${port}; root ${home}/files; }`,
  );
}

async function startPeer(
  name: 'nginx' | 'haproxy',
  home: string,
  origin: number,
  stops: (() => Promise<void> | void)[],
): Promise<Variant> {
  const made =
    name === 'nginx'
      ? await startNginx(
          home,
          'proxy',
          stops,
          (port) =>
            `keepalive_requests 100000000;
           upstream o { server 127.0.0.1:${origin}; keepalive 64; keepalive_requests 100000000; }
           server { listen 127.0.0.1:${port}; location / { proxy_pass http://o; proxy_buffering on;
           proxy_http_version 1.1; proxy_set_header Connection ""; } }`,
        )
      : await startHaproxy(home, origin, stops);
  return { name, port: made, authorization: '', pid: undefined };
}

async function startNginx(
  home: string,
  name: string,
  stops: (() => Promise<void> | void)[],
  http: (port: number) => string,
): Promise<number> {
  const port = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((each) => `${each}_temp_path ${home}/${name}-${each};`)
    .join(' ');
  const file = join(home, `${name}.conf`);
  writeFileSync(
    file,
    `user root; daemon off; worker_processes 1; pid ${home}/${name}.pid; error_log ${home}/${name}.log;
     events { worker_connections 1024; } http { access_log off; ${temporary} ${http(port)} }`,
  );
  run('nginx', ['-c', file, '-p', home], stops);
  await listening(port);
  return port;
}

async function startHaproxy(
  home: string,
  origin: number,
  stops: (() => Promise<void> | void)[],
): Promise<number> {
  const port = await freePort();
  const file = join(home, 'haproxy.cfg');
  writeFileSync(
    file,
    `global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend f
  bind 127.0.0.1:${port}
  default_backend b
backend b
  http-reuse always
  server o 127.0.0.1:${origin}
`,
  );
  run('haproxy', ['-f', file, '-db'], stops);
  await listening(port);
  return port;
}

function run(
  program: string,
  args: readonly string[],
  stops: (() => Promise<void> | void)[],
): void {
  const child = spawn(program, [...args], { stdio: 'ignore' });
  stops.push(async () => {
    if (child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await gone;
  });
}

function loadsOf(seconds: number): readonly Load[] {
  const curl = async ({ port, authorization }: Variant, path: string): Promise<number> => {
    const header = authorization === '' ? [] : ['-H', `Authorization: ${authorization}`];
    const url = `http://127.0.0.1:${port}${path}`;
    const form = '%{size_download} %{time_total} %{http_code}';
    const { stdout } = await execute('curl', [
      '-sS',
      ...header,
      '-o',
      '/dev/null',
      '-w',
      form,
      url,
    ]);
    const [bytes = 0, time = 1, status] = stdout.split(' ').map(Number);
    if (status !== 200) throw new Error(`${url}: ${status}`);
    return bytes / time / 1e6;
  };
  return [
    {
      name: '1 KB answers, 32 connections',
      unit: 'requests/s',
      fits: () => true,
      run: async ({ port, authorization }) => {
        const header = authorization === '' ? [] : ['-H', `Authorization: ${authorization}`];
        const url = `http://127.0.0.1:${port}/small.txt`;
        const wrk = ['-t1', '-c32', `-d${seconds}s`, ...header, url];
        const { stdout } = await execute('wrk', wrk);
        if (/Non-2xx/.test(stdout)) throw new Error(stdout);
        return Number(/Requests\/sec: *([\d.]+)/.exec(stdout)?.[1]);
      },
    },
    {
      name: 'p50 of 1 KB answers, 1 connection',
      unit: 'ms',
      fits: () => true,
      run: async ({ port, authorization }) => {
        const header = authorization === '' ? [] : ['-H', `Authorization: ${authorization}`];
        const url = `http://127.0.0.1:${port}/small.txt`;
        const wrk = ['-t1', '-c1', '--latency', `-d${seconds}s`, ...header, url];
        const { stdout } = await execute('wrk', wrk);
        const [, number, unit] = /50% +([\d.]+)(us|ms)/.exec(stdout) ?? [];
        return Number(number) / (unit === 'us' ? 1_000 : 1);
      },
    },
    {
      name: `${BULK_BYTES / MiB} MiB body`,
      unit: 'MB/s',
      fits: (name) => name !== 'masked',
      run: (variant) => curl(variant, '/bulk.txt'),
    },
    {
      name: `${JSON_BYTES / MiB} MiB of JSON`,
      unit: 'MB/s',
      fits: () => true,
      run: (variant) => curl(variant, '/rows.json'),
    },
  ];
}

function print(
  variants: readonly Variant[],
  loads: readonly Load[],
  results: ReadonlyMap<string, readonly number[]>,
): void {
  const rows: string[][] = [];
  for (const load of loads) {
    const of = (name: string): readonly number[] => results.get(`${load.name} ${name}`) ?? [];
    for (const { name } of variants.filter((variant) => load.fits(variant.name))) {
      rows.push([
        load.name,
        name,
        `${median(of(name)).toPrecision(4)} ${load.unit}`,
        medianRatio(of(name), of('nginx')).toFixed(2),
        medianRatio(of(name), of('haproxy')).toFixed(2),
      ]);
    }
  }
  console.log(table(['load', 'variant', 'median', 'of nginx', 'of haproxy'], rows));
  for (const { name, pid } of variants) {
    if (pid === undefined) continue;
    const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    console.log(`${name}: at most ${Math.round(Number(peak) / 1024)} MiB of memory`);
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function listening(port: number): Promise<void> {
  for (let count = 0; count < 100; count += 1) {
    const isUp = await fetch(`http://127.0.0.1:${port}/small.txt`).then(
      () => true,
      () => false,
    );
    if (isUp) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nothing listens on ${port}`);
}
