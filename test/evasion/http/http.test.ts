/** The project's own cases for HTTP in every test run; `npm run evasion -- http` plays all. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ownCases } from './main.ts';
import { play } from './run.ts';

it('lets no evasion of HTTP through, and lets the look-alikes', async () => {
  const cases = ownCases();
  assert.ok(cases.length >= 20, 'too few to show anything');
  const outcomes = await play(cases, false);
  assert.deepEqual(
    outcomes.filter(({ good }) => !good),
    [],
  );
});
