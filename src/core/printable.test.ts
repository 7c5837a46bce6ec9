import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { printable, printableLine } from './printable.ts';

describe('printable', () => {
  it('keeps text of any language, line feeds and tabs', () => {
    const text = 'Grüße, 世界\n\t🙂 — ok';
    assert.equal(printable(text), text);
  });

  it('shows what would act on a terminal', () => {
    assert.equal(printable('a\u001b[2Jb\rc\u009bd\u0000'), 'a\\u{1b}[2Jb\\u{d}c\\u{9b}d\\u{0}');
  });

  it('shows what would reverse or hide text', () => {
    assert.equal(
      printable('a\u202eb\u200bc\u2066d\ufeff'),
      'a\\u{202e}b\\u{200b}c\\u{2066}d\\u{feff}',
    );
    assert.equal(printable('a\u2028b'), 'a\\u{2028}b');
  });

  it('makes one line', () => {
    assert.equal(printableLine('a\nb\tc'), 'a\\nb\\tc');
  });
});
