/**
 * `npm run fuzz -- calls [--rounds N] [--calls N] [--seed S]`: calls of functions, operators and
 * casts that are hard to tell apart, half of which must not run.
 */
import { parseArgs } from 'node:util';
import { judgeCalls } from './oracle.ts';

export async function main(args: readonly string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string', default: '20' },
      calls: { type: 'string', default: '400' },
      seed: { type: 'string', default: '1' },
    },
  });
  let good = true;
  for (const version of [18, 15] as const) {
    const { counts, holes } = await judgeCalls({
      version,
      rounds: Number(values.rounds),
      calls: Number(values.calls),
      seed: Number(values.seed),
    });
    console.log(
      `PostgreSQL ${version}: ${counts.calls} calls, ${counts.ran} ran, ` +
        `${counts.complete} of them understood whole, ${counts.unsafe} ran what must not run; ` +
        `${holes.length} of those were understood whole`,
    );
    for (const hole of holes.slice(0, 20)) console.log(`HOLE ${hole}`);
    good = good && holes.length === 0 && counts.unsafe > 0;
  }
  return good;
}
