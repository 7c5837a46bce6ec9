/**
 * A short run of what `npm run fuzz -- postgres` does at length; and holes in the analyser, each of
 * which such a run has to find.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { SqlStatement } from '#protocols/postgres/sql/types.ts';
import { fuzzMasks } from './masks.ts';
import type { Hole } from './world.ts';

/** The analysis of statements that call a function, as if its result came from nowhere. */
const forgets =
  (name: string): Hole =>
  (statement: SqlStatement) =>
    statement.facts.functions.includes(`pg_catalog.${name}`)
      ? { ...statement, output: statement.output?.map((one) => ({ ...one, sources: [] })) }
      : statement;

describe('random queries', () => {
  for (const [version, queries] of [
    [18, 1_200],
    [15, 300],
  ] as const) {
    it(`bring no masked value out of PostgreSQL ${version}`, async () => {
      const { counts, failures } = await fuzzMasks({ version, queries, seed: 20_000 });
      assert.deepEqual(failures, []);
      assert.equal(counts.queries, queries);
      // Too few of a kind would prove nothing.
      for (const kind of ['masked', 'untouched', 'exact', 'compared'] as const) {
        assert.ok(counts[kind] > queries / 6, `${kind}: ${JSON.stringify(counts)}`);
      }
      assert.ok(counts.refused > 0 && counts.failed < queries / 4, JSON.stringify(counts));
    });
  }

  it('find a rule of lineage that is missing, and make the query small', async () => {
    const hole = forgets('concat');
    const { failures } = await fuzzMasks({ version: 18, queries: 3_000, seed: 1, hole });
    const [failure] = failures;
    assert.match(failure?.problem ?? '', /^a (canary came out|value that is not masked)/);
    assert.match(failure?.text ?? '', /concat\(/);
    assert.ok((failure?.text.length ?? 0) < 400, failure?.text);
  });

  it('find text of errors that should have gone', async () => {
    const hole: Hole = (statement) => ({ ...statement, messagesMayLeak: false });
    const { failures } = await fuzzMasks({ version: 18, queries: 3_000, seed: 1, hole });
    assert.match(failures[0]?.problem ?? '', /^a canary came out/);
  });
});
