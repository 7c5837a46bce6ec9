/** A short run of what `npm run fuzz -- calls` does at length, and an analyser that believes all. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { judgeCalls } from './oracle.ts';

describe('calls', () => {
  for (const version of [18, 15] as const) {
    it(`that may run code which nobody knows are not complete, on PostgreSQL ${version}`, async () => {
      const { counts, holes } = await judgeCalls({ version, rounds: 2, calls: 300, seed: 1 });
      assert.deepEqual(holes, []);
      assert.ok(counts.unsafe > 10, JSON.stringify(counts));
      assert.ok(counts.complete > 20, JSON.stringify(counts));
    });
  }

  it('are found out when they are believed', async () => {
    const options = { version: 18, rounds: 1, calls: 200, seed: 1, credulous: true } as const;
    assert.ok((await judgeCalls(options)).holes.length > 0);
  });
});
