/**
 * A part of the evasion suite in every test run: the project's own cases, thinned out evenly. All
 * of them, and the labelled corpus, run with `npm run evasion -- postgres`.
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ownCases } from './postgres/main.ts';
import { runCollection } from './postgres/run.ts';

/** One case of so many. */
const share = 9;

it('does not let a sample of evasions through, and lets their look-alikes', async () => {
  const { name, cases, schema } = ownCases();
  const quick = cases.filter(({ input, ms, tier }) => {
    const waits = typeof input !== 'string' && input.some((frame) => 'wait_ms' in frame);
    return !waits && ms === undefined && tier !== 'ambiguous';
  });
  const sample = quick.filter((_, index) => index % share === 0);
  assert.ok(sample.length >= 50, 'the sample is too small to show anything');
  const options = {
    version: 18,
    only: undefined,
    direct: false,
    explain: false,
    lenient: false,
    list: false,
  } as const;
  assert.ok(await runCollection({ name, cases: sample, schema }, options));
});
