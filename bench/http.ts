/**
 * HTTP through the gateway, beside a direct connection, nginx `proxy_pass` and HAProxy, all in one
 * run: rounds in which every way has its turn, medians over the rounds, ratios pair by pair.
 *
 * `policy` judges every request by ten rules and records it; `masked` adds a mask by field and
 * detection by content. Small answers by wrk, bulk by curl to /dev/null.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensurePackages } from '../test/support/debian.ts';
import { kilobytesOfWaves, oneBody, smallAnswers } from './http-loads.ts';
import { JSON_BYTES, MiB, type Route, startRoutes, type World } from './http-routes.ts';
import { cpuSeconds, residentKilobytes } from './process.ts';
import { median, medianRatio, table } from './table.ts';

const CONNECTIONS_OPEN = 1_000;
const WAVES = 5;
const SAMPLE_MS = 20;
/** Memory that a gateway may need more than before while a large body passes. */
const GROWTH_MIB_MAX = 64;

/** One turn of one way. */
interface Sample {
  readonly rate: number;
  readonly cpuSecondsPerUnit: number;
  readonly p50Ms: number;
  readonly growthMiB: number;
}

/** What a load did. */
interface Done {
  readonly units: number;
  readonly rate: number;
  readonly p50Ms?: number;
}

export async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '3' },
      bulk: { type: 'string', default: '1024' },
    },
  });
  ensurePackages(['nginx', 'haproxy', 'wrk', 'curl']);
  const home = mkdtempSync(join(tmpdir(), 'sp-bench-http-'));
  const world: World = { home, stops: [() => rmSync(home, { recursive: true })] };
  try {
    const bulk = Number(values.bulk);
    const routes = await startRoutes(world, bulk * MiB);
    const bench = new Bench(routes, Number(values.rounds));
    await bench.small(Number(values.seconds));
    await bench.latency(Number(values.seconds));
    await bench.bulk(`${bulk} MiB body`);
    await bench.json();
    await bench.idle();
    bench.print();
  } finally {
    for (const stop of world.stops.reverse()) await stop();
  }
}

class Bench {
  readonly #routes: readonly Route[];
  readonly #rounds: number;
  readonly #rows: string[][] = [];
  readonly #goals: string[] = [];

  constructor(routes: readonly Route[], rounds: number) {
    this.#routes = routes;
    this.#rounds = rounds;
  }

  async small(seconds: number): Promise<void> {
    const name = '1 KB answers, 32 connections';
    const samples = await this.#measure(this.#routes, async (route) => {
      const { count, perSecond } = await smallAnswers(route, 32, seconds);
      return { units: count, rate: perSecond };
    });
    this.#report(name, 'requests/s', samples);
    const ratio = ratioOf(samples, 'policy');
    this.#goal(`${name} >= 0.30 of nginx`, ratio >= 0.3, ratio.toFixed(2));
    const cpu = medianRatio(costs(samples, 'policy'), costs(samples, 'nginx'));
    this.#goals.push(`       CPU time of a request, in nginx's: ${cpu.toFixed(1)}`);
  }

  async latency(seconds: number): Promise<void> {
    const name = '1 KB answers, 1 connection';
    const samples = await this.#measure(this.#routes, async (route) => {
      const { count, perSecond, p50Ms } = await smallAnswers(route, 1, seconds);
      return { units: count, rate: perSecond, p50Ms };
    });
    this.#report(name, 'requests/s', samples);
    const times = (way: string): number[] => (samples.get(way) ?? []).map(({ p50Ms }) => p50Ms);
    const direct = times('direct');
    const added = median(times('policy').map((time, round) => time - (direct[round] ?? 0)));
    this.#goal('added p50 <= 0.5 ms', added <= 0.5, `${added.toFixed(2)} ms`);
  }

  async bulk(name: string): Promise<void> {
    const routes = this.#routes.filter((route) => route.name !== 'masked');
    const samples = await this.#measure(routes, (route) => body(route, '/bulk.txt'));
    this.#report(name, 'MB/s', samples);
    const ratio = ratioOf(samples, 'policy');
    this.#goal(`${name} >= 0.50 of nginx`, ratio >= 0.5, ratio.toFixed(2));
    const growth = median((samples.get('policy') ?? []).map(({ growthMiB }) => growthMiB));
    const bound = `memory grows by <= ${GROWTH_MIB_MAX} MiB meanwhile`;
    this.#goal(bound, growth <= GROWTH_MIB_MAX, `${growth.toFixed(0)} MiB`);
  }

  async json(): Promise<void> {
    const name = `${JSON_BYTES / MiB} MiB of JSON`;
    const samples = await this.#measure(this.#routes, (route) => body(route, '/rows.json'));
    this.#report(name, 'MB/s', samples);
    const perCore = 1 / median(costs(samples, 'masked'));
    this.#goal('JSON masking >= 60 MB/s a core', perCore >= 60, `${perCore.toFixed(0)} MB/s`);
  }

  async idle(): Promise<void> {
    const [route] = this.#routes.filter(({ name }) => name === 'policy');
    if (route === undefined) return;
    const { before, behind } = await kilobytesOfWaves(route, CONNECTIONS_OPEN, WAVES);
    const [first = 0] = behind;
    const each = (first - before) / CONNECTIONS_OPEN;
    const growth = ((behind.at(-1) ?? 0) - first) / 1024;
    const name = `${CONNECTIONS_OPEN} connections that stay open`;
    this.#goal(`${name} <= 300 KB each`, each <= 300, `${each.toFixed(0)} KB`);
    const bound = `${WAVES - 1} more requests on each: memory grows by <= ${GROWTH_MIB_MAX} MiB`;
    this.#goal(bound, growth <= GROWTH_MIB_MAX, `${growth.toFixed(0)} MiB`);
  }

  print(): void {
    const header = ['load', 'way', 'median', 'of nginx', 'of haproxy', 'CPU us a unit'];
    console.log(`${table(header, this.#rows)}\n\n${this.#goals.join('\n')}`);
  }

  async #measure(routes: readonly Route[], run: (route: Route) => Promise<Done>): Promise<Samples> {
    const samples = new Map<string, Sample[]>(routes.map(({ name }) => [name, []]));
    // Nobody's first turn counts: code is compiled, files come into the page cache.
    for (const route of routes) await run(route);
    for (let round = 0; round < this.#rounds; round += 1) {
      for (const route of routes) samples.get(route.name)?.push(await sample(route, run));
    }
    return samples;
  }

  #report(load: string, unit: string, samples: Samples): void {
    for (const way of samples.keys()) {
      this.#rows.push([
        load,
        way,
        `${median(rates(samples, way)).toPrecision(4)} ${unit}`,
        ratioOf(samples, way).toFixed(2),
        medianRatio(rates(samples, way), rates(samples, 'haproxy')).toFixed(2),
        (1e6 * median(costs(samples, way))).toPrecision(3),
      ]);
    }
  }

  #goal(name: string, good: boolean, seen: string): void {
    this.#goals.push(`${good ? 'ok    ' : 'MISSED'} ${name}: ${seen}`);
  }
}

type Samples = ReadonlyMap<string, Sample[]>;

const rates = (samples: Samples, way: string): number[] =>
  (samples.get(way) ?? []).map(({ rate }) => rate);

const costs = (samples: Samples, way: string): number[] =>
  (samples.get(way) ?? []).map(({ cpuSecondsPerUnit }) => cpuSecondsPerUnit);

const ratioOf = (samples: Samples, way: string): number =>
  medianRatio(rates(samples, way), rates(samples, 'nginx'));

async function body(route: Route, path: string): Promise<Done> {
  const { megabytes, seconds } = await oneBody(route, path);
  return { units: megabytes, rate: megabytes / seconds };
}

async function sample(route: Route, run: (route: Route) => Promise<Done>): Promise<Sample> {
  const { pid } = route;
  const before = residentKilobytes(pid);
  let most = before;
  const watch = setInterval(() => {
    most = Math.max(most, residentKilobytes(pid));
  }, SAMPLE_MS);
  const cpuBefore = cpuSeconds(pid);
  const { units, rate, p50Ms = 0 } = await run(route);
  const cpuSecondsPerUnit = (cpuSeconds(pid) - cpuBefore) / units;
  clearInterval(watch);
  return { rate, cpuSecondsPerUnit, p50Ms, growthMiB: (most - before) / 1024 };
}
