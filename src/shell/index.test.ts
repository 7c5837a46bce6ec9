import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shellLimits } from '#core/limits.ts';
import { analyseShell } from './index.ts';

test('what is too long is opaque', () => {
  const options = { shell: 'bash', home: '/home/u', limits: shellLimits } as const;
  const { facts } = analyseShell(`echo ${'x'.repeat(shellLimits.textCharsMax)}`, options);
  assert.equal(facts.analysis, 'opaque');
  assert.deepEqual(facts.reasons, ['too long']);
});
