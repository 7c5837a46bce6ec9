/**
 * `npm run fuzz -- facts [--statements N] [--seed S] [--writes] [script …]`: random writes on 18
 * and 15, and, unless `--writes` is given, the statements of PostgreSQL's regression suite. Prints
 * how many were understood whole, and what any of those did that had not been said.
 */
import { parseArgs } from 'node:util';
import { startSuiteServer } from '../../conformance/postgres/regress.ts';
import { regressionSuite } from '../../conformance/postgres/suite.ts';
import { Connection } from './connection.ts';
import { type FactCounts, type FactResult, judgeSuite, judgeWrites } from './oracle.ts';

export async function main(args: readonly string[]): Promise<boolean> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      statements: { type: 'string', default: '3000' },
      seed: { type: 'string', default: '1' },
      writes: { type: 'boolean', default: false },
    },
  });
  let good = true;
  if (positionals.length === 0) {
    for (const version of [18, 15] as const) {
      const statements = Number(values.statements);
      const result = await judgeWrites({ version, statements, seed: Number(values.seed) });
      good = report(`writes, PostgreSQL ${version}`, result) && good;
    }
  }
  return values.writes ? good : (await regression(positionals)) && good;
}

async function regression(only: readonly string[]): Promise<boolean> {
  const suite = regressionSuite();
  const server = await startSuiteServer(suite);
  try {
    const admin = await Connection.open(server.port, 'postgres');
    await admin.rows('CREATE DATABASE regression TEMPLATE template0');
    // As the suite's own runner sets them.
    for (const setting of [
      "lc_messages = 'C'",
      "bytea_output = 'hex'",
      "timezone = 'PST8PDT'",
      "datestyle = 'Postgres, MDY'",
    ]) {
      await admin.rows(`ALTER DATABASE regression SET ${setting}`);
    }
    admin.close();
    const onScript = (name: string, { counts, misses }: FactResult): void => {
      console.error(`${name}: ${lineOf(counts)}; ${misses.length} misses so far`);
    };
    const result = await judgeSuite({ suite, port: server.port, only, onScript });
    return report(`regression suite, PostgreSQL ${suite.version}`, result);
  } finally {
    await server.stop();
  }
}

function report(title: string, { counts, misses }: FactResult): boolean {
  console.log(`${title}: ${lineOf(counts)}; ${misses.length} misses`);
  for (const { where, text, misses: missed, told } of misses) {
    console.log(
      `MISSED ${where}: ${text.slice(0, 500)}\n  did: ${missed.join('; ')}\n  told: ${told}`,
    );
  }
  return misses.length === 0 && counts.statements > 0;
}

function lineOf({ statements, complete, changed, skipped }: FactCounts): string {
  const judged = statements - skipped;
  const share = judged === 0 ? 0 : (100 * complete) / judged;
  return (
    `${statements} statements, ${skipped} of them failed or controlled a transaction; of the ` +
    `others ${complete} complete (${share.toFixed(1)} %), of which ${changed} changed something`
  );
}
