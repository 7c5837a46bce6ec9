/** Runs random calls and looks for one that was understood whole and ran what must not run. */
import { systemClock } from '#core/clock.ts';
import { defaultLimits } from '#core/limits.ts';
import { createSqlAnalyser } from '#protocols/postgres/sql/analyser.ts';
import { CatalogueCache } from '#protocols/postgres/sql/catalogue-cache.ts';
import { type PostgresVersion, startPostgres } from '../../support/postgres.ts';
import { noMasks } from '../../support/relay.ts';
import { usualState } from '../../support/sql-shop.ts';
import { Dice } from '../dice.ts';
import { Connection } from '../facts/connection.ts';
import { alarm, baseSql, callSql, definitions, searchPaths } from './definitions.ts';

export interface CallCounts {
  calls: number;
  /** Ran without an error. */
  ran: number;
  complete: number;
  /** Ran one that raises the alarm. */
  unsafe: number;
}

export interface CallResult {
  readonly counts: CallCounts;
  /** Complete, and ran one nevertheless. */
  readonly holes: readonly string[];
}

export interface CallOptions {
  readonly version: PostgresVersion;
  /** Sets of definitions, and calls of each. */
  readonly rounds: number;
  readonly calls: number;
  readonly seed: number;
  /** Believes that everything is complete, to see that it is noticed. */
  readonly credulous?: boolean;
}

export async function judgeCalls(options: CallOptions): Promise<CallResult> {
  const { version, rounds, calls, seed, credulous = false } = options;
  const server = await startPostgres({ version });
  const analyser = await createSqlAnalyser({ clock: systemClock, limits: defaultLimits });
  const counts: CallCounts = { calls: 0, ran: 0, complete: 0, unsafe: 0 };
  const holes: string[] = [];
  try {
    for (let round = 0; round < rounds; round += 1) {
      const dice = Dice.seeded(seed + round);
      await server.query(`CREATE DATABASE round${round}`);
      const connection = await Connection.open(server.port, `round${round}`);
      await connection.rows(baseSql);
      for (const sql of definitions(dice)) await connection.run(sql);
      const catalogues = new CatalogueCache({ clock: systemClock, limits: defaultLimits });
      const query = (sql: string) => connection.rows(sql);
      const state = usualState(await catalogues.current('calls', query, 'session'));
      for (let at = 0; at < calls; at += 1) {
        const sql = callSql(dice);
        const searchPath = dice.pick(searchPaths);
        const analysis = await analyser.analyse(sql, { ...state, searchPath }, noMasks);
        await connection.run(`SET search_path = ${searchPath.join(', ')}`);
        const { error, message = '' } = await connection.run(sql);
        const isUnsafe = message.includes(alarm);
        const isComplete = credulous || analysis.statements[0]?.facts.analysis === 'complete';
        counts.calls += 1;
        if (error === undefined) counts.ran += 1;
        if (isComplete && error === undefined) counts.complete += 1;
        if (isUnsafe) counts.unsafe += 1;
        if (isUnsafe && isComplete)
          holes.push(`seed ${seed + round}, ${searchPath.join()}: ${sql}`);
      }
      connection.close();
    }
  } finally {
    await analyser.close();
    await server.stop();
  }
  return { counts, holes };
}
