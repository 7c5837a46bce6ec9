/**
 * SSH through the gateway, beside a direct connection and OpenSSH as a jump host (`ssh -J`), all in
 * one run: rounds in which every variant has its turn, ratios pair by pair, medians of the rounds.
 *
 * The clients are OpenSSH's, the host is a real sshd, and the gateway judges and records all of it.
 * All variants use aes128-gcm, which OpenSSH does fastest, and curve25519. The client proves itself
 * by key to OpenSSH and by token to the gateway, for which it starts a shell.
 */
import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { allowEverything, startGateway, type TestGateway } from '../test/support/gateway.ts';
import { clientEnvironment, sshTarget, startSshd, type TestHost } from '../test/support/openssh.ts';
import { cpuSeconds } from './process.ts';
import { idleKilobytes } from './ssh-idle.ts';
import { download, keystrokes, type Route, sessions, upload } from './ssh-loads.ts';
import { median, medianRatio, table } from './table.ts';

const LINE = '2026-11-23T09:12:44 app-17 GET /orders/4711 200 0.031 "Mozilla/5.0" cache=miss\n';
const SESSIONS_OPEN = 500;

export async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string', default: '5' },
      megabytes: { type: 'string', default: '256' },
      only: { type: 'string', default: 'bulk,keys,sessions,idle' },
    },
  });
  const host = await startSshd();
  const stops: (() => Promise<void> | void)[] = [() => host.stop()];
  try {
    const gateway = await startVariant(host);
    stops.unshift(() => gateway.stop());
    const bytes = Number(values.megabytes) * 1e6;
    writeFileSync(join(host.work, 'bulk.txt'), LINE.repeat(Math.ceil(bytes / LINE.length)));
    const routes = await openRoutes(host, gateway, stops);
    const bench = new Bench(routes, gateway.pid, Number(values.rounds));
    const only = new Set(values.only.split(','));
    if (only.has('bulk')) await bench.bulk(join(host.work, 'bulk.txt'), bytes);
    if (only.has('keys')) await bench.keys();
    if (only.has('sessions')) await bench.sessions();
    if (only.has('idle')) {
      const access = { port: gateway.ports['ssh'] ?? 0, secret: gateway.credential };
      const each = await idleKilobytes({ ...access, pid: gateway.pid, count: SESSIONS_OPEN });
      bench.goal(`${SESSIONS_OPEN} idle sessions <= 300 KB each`, each <= 300, `${each} KB`);
    }
    bench.print();
  } finally {
    for (const stop of stops) await stop();
  }
}

const startVariant = (host: TestHost): Promise<TestGateway> =>
  startGateway({
    targets: [sshTarget('web', host)],
    policies: { 'policy.yaml': allowEverything },
    features: ['pty'],
  });

/** The ways to the host, each with a connection that is open already for loads that need one. */
async function openRoutes(
  host: TestHost,
  gateway: TestGateway,
  stops: (() => Promise<void> | void)[],
): Promise<readonly Route[]> {
  const { directory } = host;
  const port = gateway.ports['ssh'] ?? 0;
  const config = join(directory, 'bench_config');
  writeFileSync(config, clientConfig(host, port));
  const access = { port, user: 'deploy@web', secret: gateway.credential, directory };
  const env = clientEnvironment(access);
  const routes = ['direct', 'jump', 'gateway'].map((name) => ({
    name,
    args: ['-F', config],
    socket: join(directory, `${name}.sock`),
    env,
  }));
  for (const { name, args, socket } of routes) {
    const master = spawn('ssh', [...args, '-M', '-S', socket, '-N', name], {
      env,
      stdio: 'ignore',
    });
    stops.unshift(() => void master.kill('SIGTERM'));
    while (!existsSync(socket)) {
      if (master.exitCode !== null) throw new Error(`no connection: ${name}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  return routes;
}

const clientConfig = (
  { directory, port, username, userKey }: TestHost,
  gateway: number,
): string => `
Host direct jump hop
  Port ${port}
  User ${username}
  IdentityFile ${userKey}
Host jump
  ProxyJump hop
Host gateway
  Port ${gateway}
  User deploy@web
  IdentityFile none
Host *
  HostName 127.0.0.1
  UserKnownHostsFile ${directory}/known_hosts
  StrictHostKeyChecking accept-new
  IdentityAgent none
  LogLevel ERROR
  Ciphers aes128-gcm@openssh.com
  KexAlgorithms curve25519-sha256
`;

/** Runs loads over all routes, and keeps rows and goals for the end. */
class Bench {
  readonly #routes: readonly Route[];
  readonly #pid: number;
  readonly #rounds: number;
  readonly #rows: string[][] = [];
  readonly #goals: string[] = [];

  constructor(routes: readonly Route[], pid: number, rounds: number) {
    this.#routes = routes;
    this.#pid = pid;
    this.#rounds = rounds;
  }

  async bulk(file: string, bytes: number): Promise<void> {
    for (const [name, load] of [
      ['download', download],
      ['upload', upload],
    ] as const) {
      const { rates, cpu } = await this.#measure(
        async (route) => bytes / 1e6 / (await load(route, file)),
      );
      const ofDirect = this.#row(name, 'MB/s', rates, `${(cpu / (bytes / 1e9)).toFixed(1)} s/GB`);
      this.goal(`${name} >= 0.40 of direct`, ofDirect >= 0.4, ofDirect.toFixed(2));
    }
  }

  async keys(): Promise<void> {
    const samples = new Map<string, { readonly p50: number; readonly p99: number }[]>();
    const { rates, cpu } = await this.#measure(async (route) => {
      const { p50, p99, count } = await keystrokes(route);
      samples.set(route.name, [...(samples.get(route.name) ?? []), { p50, p99 }]);
      return count;
    });
    const perKey = (cpu * 1e6) / median(rates.get('gateway') ?? []);
    const added = (which: 'p50' | 'p99', name: string): number =>
      median(
        (samples.get(name) ?? []).map(
          (sample, round) => sample[which] - (samples.get('direct')?.[round]?.[which] ?? 0),
        ),
      );
    for (const { name } of this.#routes) {
      const of = samples.get(name) ?? [];
      const values = (['p50', 'p99'] as const).map((which) => median(of.map((s) => s[which])));
      const [p50 = 0, p99 = 0] = values;
      const figures = `${p50.toFixed(2)} / ${p99.toFixed(2)} ms`;
      const more = name === 'gateway' ? `${perKey.toFixed(0)} us a key` : '';
      this.#rows.push(['keystroke p50 / p99', name, figures, '', '', more]);
    }
    const [p50, p99] = [added('p50', 'gateway'), added('p99', 'gateway')];
    this.goal('keystroke adds <= 0.5 ms, p50', p50 <= 0.5, `${p50.toFixed(2)} ms`);
    this.goal('keystroke adds <= 5 ms, p99', p99 <= 5, `${p99.toFixed(2)} ms`);
  }

  async sessions(): Promise<void> {
    let count = 1;
    const { rates, cpu } = await this.#measure(async (route) => {
      const done = await sessions(route);
      ({ count } = done);
      return count / done.seconds;
    });
    this.#row('new sessions', '/s', rates, `${((cpu * 1e3) / count).toFixed(1)} ms each`);
    const ratio = medianRatio(rates.get('gateway') ?? [], rates.get('jump') ?? []);
    this.goal('new sessions >= 0.50 of the jump host', ratio >= 0.5, ratio.toFixed(2));
  }

  goal(name: string, good: boolean, seen: string): void {
    this.#goals.push(`${good ? 'ok    ' : 'MISSED'} ${name}: ${seen}`);
  }

  print(): void {
    const header = ['load', 'route', 'median', 'of direct', 'of jump', "gateway's CPU"];
    console.log(`${table(header, this.#rows)}\n\n${this.#goals.join('\n')}`);
  }

  /** Rates of each route round by round, and the median CPU seconds of the gateway in a round. */
  async #measure(
    run: (route: Route) => Promise<number>,
  ): Promise<{ readonly rates: ReadonlyMap<string, readonly number[]>; readonly cpu: number }> {
    const rates = new Map<string, number[]>(this.#routes.map(({ name }) => [name, []]));
    const cpu: number[] = [];
    for (let round = 0; round < this.#rounds; round += 1) {
      for (const route of this.#routes) {
        const before = cpuSeconds(this.#pid);
        rates.get(route.name)?.push(await run(route));
        if (route.name === 'gateway') cpu.push(cpuSeconds(this.#pid) - before);
      }
    }
    return { rates, cpu: median(cpu) };
  }

  /** Adds the rows of a load; answers the gateway's ratio to direct. */
  #row(
    load: string,
    unit: string,
    rates: ReadonlyMap<string, readonly number[]>,
    cpu: string,
  ): number {
    const of = (name: string): readonly number[] => rates.get(name) ?? [];
    for (const { name } of this.#routes) {
      const ratios = ['direct', 'jump'].map((peer) => medianRatio(of(name), of(peer)).toFixed(2));
      const rate = `${median(of(name)).toPrecision(3)} ${unit}`;
      this.#rows.push([load, name, rate, ...ratios, name === 'gateway' ? cpu : '']);
    }
    return medianRatio(of('gateway'), of('direct'));
  }
}
