/**
 * A part of the evasions of Kubernetes in every test run: the project's own cases, thinned out
 * evenly. All of them, and the labelled corpus, run with `npm run evasion -- kubernetes`.
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ownCases, runCases } from './main.ts';

/** One case of so many. */
const share = 6;

it('does not let a sample of evasions of Kubernetes through, and lets their look-alikes', async () => {
  const sample = ownCases().filter((_, index) => index % share === 0);
  assert.ok(sample.length >= 25, 'the sample is too small to show anything');
  assert.ok(await runCases(sample, { only: undefined, direct: false, list: false }));
});
