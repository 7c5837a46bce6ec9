/**
 * Runs statements and counts how many were said to be understood whole, and of those how many did
 * something that had not been said: that number must be 0.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '#core/clock.ts';
import { defaultLimits } from '#core/limits.ts';
import { createSqlAnalyser } from '#protocols/postgres/sql/analyser.ts';
import { createSqlParser } from '#protocols/postgres/sql/parser.ts';
import type { SqlAnalyser } from '#protocols/postgres/sql/types.ts';
import type { RegressionSuite } from '../../conformance/postgres/suite.ts';
import { type PostgresVersion, startPostgres, type TestPostgres } from '../../support/postgres.ts';
import { Dice } from '../dice.ts';
import { type Judged, JudgedSession } from './judged.ts';
import { statementsOf } from './script.ts';
import { makeWrite, writesSchema } from './writes.ts';

export interface FactCounts {
  statements: number;
  complete: number;
  /** Complete, and changed something. */
  changed: number;
  /** Not run to an end, by the server's word, or in control of transactions. */
  skipped: number;
}

export interface Miss {
  readonly where: string;
  readonly text: string;
  readonly misses: readonly string[];
  readonly told: string;
}

export interface FactResult {
  readonly counts: FactCounts;
  readonly misses: readonly Miss[];
}

/** Wraps the analyser, to see whether something that it leaves out is found. */
export type Blinding = (analyser: SqlAnalyser) => SqlAnalyser;

export interface WriteOptions {
  readonly version: PostgresVersion;
  readonly statements: number;
  readonly seed: number;
  readonly blinding?: Blinding;
}

const missesMax = 200;

class Tally implements FactResult {
  readonly counts: FactCounts = { statements: 0, complete: 0, changed: 0, skipped: 0 };
  readonly misses: Miss[] = [];

  add(where: string, text: string, { kind, facts, misses, changed }: Judged): void {
    this.counts.statements += 1;
    if (kind === 'skipped') this.counts.skipped += 1;
    if (kind === 'complete') this.counts.complete += 1;
    if (changed) this.counts.changed += 1;
    if (misses.length === 0 || facts === undefined || this.misses.length >= missesMax) return;
    const objects = facts.objects.map(({ name, access }) => `${access} ${name}`);
    const told = [...facts.effects, ...objects].join(', ');
    this.misses.push({ where, text, misses, told });
  }
}

/** Random statements over a database where writes reach far; each is taken back. */
export async function judgeWrites(options: WriteOptions): Promise<FactResult> {
  const { version, statements, seed } = options;
  const tally = new Tally();
  await withServer(version, async (server, analyser) => {
    await server.query('CREATE DATABASE writes');
    await server.query(writesSchema, 'writes');
    const judging = options.blinding?.(analyser) ?? analyser;
    const place = { port: server.port, database: 'writes', undoes: true };
    let session = await JudgedSession.open(place, judging);
    for (let at = 0; at < statements; at += 1) {
      if (session.closed) session = await JudgedSession.open(place, judging);
      const text = makeWrite(Dice.seeded(seed + at));
      tally.add(`seed ${seed + at}`, text, await session.run(text));
    }
    session.close();
  });
  return tally;
}

export interface SuiteOptions {
  readonly suite: RegressionSuite;
  readonly port: number;
  /** Names of scripts; those of the schedule when empty. */
  readonly only: readonly string[];
  readonly onScript: (name: string, tally: FactResult) => void;
}

/** Scripts about psql, or about what needs more than one session. */
const leftOut: ReadonlySet<string> = new Set(['psql', 'psql_crosstab', 'tablespace', 'stats']);

/** Every statement of the server's own regression suite, in the order of its schedule. */
export async function judgeSuite({ suite, port, only, onScript }: SuiteOptions): Promise<Tally> {
  const tally = new Tally();
  const schedule = readFileSync(join(suite.regress, 'parallel_schedule'), 'utf8');
  const scheduled = schedule
    .split('\n')
    .flatMap((line) => (line.startsWith('test:') ? line.slice(5).trim().split(/\s+/) : []))
    .filter((name) => !leftOut.has(name));
  const parser = await createSqlParser({ clock: systemClock, limits: defaultLimits });
  const analyser = await createSqlAnalyser({ clock: systemClock, limits: defaultLimits });
  const variables = new Map([
    ['PG_ABS_SRCDIR', suite.regress],
    ['PG_ABS_BUILDDIR', suite.libraries],
    ['PG_LIBDIR', suite.libraries],
    ['PG_DLSUFFIX', '.so'],
  ]);
  try {
    for (const name of only.length > 0 ? only : scheduled) {
      const script = readFileSync(join(suite.regress, 'sql', `${name}.sql`), 'utf8');
      const place = { port, database: 'regression' };
      let session = await JudgedSession.open(place, analyser);
      for await (const text of statementsOf(script, parser, variables)) {
        if (session.closed) session = await JudgedSession.open(place, analyser);
        tally.add(name, text, await judged(session, text));
      }
      session.close();
      onScript(name, tally);
    }
  } finally {
    await parser.close();
    await analyser.close();
  }
  return tally;
}

/** A statement can take the session with it, or make its catalogue one that cannot be read. */
async function judged(session: JudgedSession, text: string): Promise<Judged> {
  try {
    return await session.run(text);
  } catch {
    session.close();
    return { facts: undefined, kind: 'skipped', misses: [], changed: false };
  }
}

async function withServer(
  version: PostgresVersion,
  use: (server: TestPostgres, analyser: SqlAnalyser) => Promise<void>,
): Promise<void> {
  const server = await startPostgres({ version, settings: { autovacuum: false } });
  const analyser = await createSqlAnalyser({ clock: systemClock, limits: defaultLimits });
  try {
    await use(server, analyser);
  } finally {
    await analyser.close();
    await server.stop();
  }
}
