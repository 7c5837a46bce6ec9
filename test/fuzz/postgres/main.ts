/**
 * `npm run fuzz -- postgres [--queries N] [--seed S] [--minutes M] [--version 15|18]`: random
 * queries over a database with canaries, through the relay. Prints what came of them, and the
 * smallest query that shows what is wrong. The same seed makes the same queries.
 */
import { parseArgs } from 'node:util';
import { type Counts, fuzzMasks } from './masks.ts';

export async function main(args: readonly string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      queries: { type: 'string', default: '10000' },
      seed: { type: 'string', default: '1' },
      minutes: { type: 'string' },
      version: { type: 'string' },
      failures: { type: 'string', default: '1' },
    },
  });
  const versions = values.version === undefined ? ([18, 15] as const) : [Number(values.version)];
  let good = true;
  for (const version of versions) {
    if (version !== 15 && version !== 18) throw new Error(`no PostgreSQL ${version}: 15 or 18`);
    const started = performance.now();
    const { counts, failures } = await fuzzMasks({
      version,
      queries: Number(values.queries),
      seed: Number(values.seed),
      failuresMax: Number(values.failures),
      ...(values.minutes === undefined ? {} : { minutesMax: Number(values.minutes) }),
      onProgress: (so) => console.error(lineOf(so)),
    });
    const seconds = ((performance.now() - started) / 1_000).toFixed(0);
    console.log(`PostgreSQL ${version}: ${lineOf(counts)}, in ${seconds} s`);
    for (const { seed, problem, text } of failures) {
      console.log(`FAILED with --seed ${seed} --queries 1: ${problem}\n${text}\n`);
    }
    good = good && failures.length === 0 && counts.queries > 0;
  }
  return good;
}

const lineOf = (counts: Counts): string =>
  `${counts.queries} queries: ${counts.masked} masked, ${counts.untouched} untouched, ` +
  `${counts.refused} refused, ${counts.failed} failed at the server; ` +
  `${counts.exact} as by the server, ${counts.compared} steps compared over two databases`;
