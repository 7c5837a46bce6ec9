/**
 * A short run of what `npm run fuzz -- facts` does at length: what statements change, beside what
 * had been said of them; and facts with something left out, which have to be noticed.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Facts } from '#core/facts.ts';
import type { SqlAnalyser, SqlAnalysis } from '#protocols/postgres/sql/types.ts';
import { type Blinding, judgeWrites } from './oracle.ts';

/** An analyser whose facts are changed before anybody sees them. */
const blinded =
  (change: (facts: Facts) => Facts): Blinding =>
  (inner): SqlAnalyser => {
    const blind = (analysis: SqlAnalysis): SqlAnalysis => ({
      ...analysis,
      statements: analysis.statements.map((one) => ({ ...one, facts: change(one.facts) })),
    });
    return {
      analyse(text, state, masks) {
        const found = inner.analyse(text, state, masks);
        return found instanceof Promise ? found.then(blind) : blind(found);
      },
    };
  };

describe('facts', () => {
  for (const [version, statements] of [
    [18, 500],
    [15, 200],
  ] as const) {
    it(`tell all that statements change, on PostgreSQL ${version}`, async () => {
      const { counts, misses } = await judgeWrites({ version, statements, seed: 7_000 });
      assert.deepEqual(misses, []);
      assert.equal(counts.statements, statements);
      // Facts that are never complete could not be wrong.
      assert.ok(counts.complete > 0.7 * statements, JSON.stringify(counts));
      assert.ok(counts.changed > 0.5 * statements, JSON.stringify(counts));
    });
  }

  it('are found out when they leave something out', async () => {
    const options = { version: 18, statements: 150, seed: 1 } as const;
    const noHeirs = blinded((facts) => ({
      ...facts,
      objects: facts.objects.filter(({ name }) => name !== 'public.cascades'),
    }));
    const missed = await judgeWrites({ ...options, blinding: noHeirs });
    assert.ok(missed.misses.length > 0);
    assert.ok(missed.misses.every(({ misses }) => misses.join().includes('cascades')));
    const harmless = blinded((facts) => ({ ...facts, effects: ['read'] }));
    assert.ok((await judgeWrites({ ...options, blinding: harmless })).misses.length > 25);
  });
});
