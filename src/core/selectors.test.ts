import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseDurationMs } from './duration.ts';
import { parseIdentitySelector, selectsName } from './selectors.ts';

describe('selectors', () => {
  it('read kind and value, and nothing that only looks like it', () => {
    assert.deepEqual(parseIdentitySelector('group:dba'), { kind: 'group', value: 'dba' });
    assert.deepEqual(parseIdentitySelector('identity:ci/a:b'), {
      kind: 'identity',
      value: 'ci/a:b',
    });
    for (const word of ['dba', ':dba', 'group:', 'Group:dba', 'toString:x', '']) {
      assert.equal(parseIdentitySelector(word), undefined, word);
    }
  });

  it('match names as a whole', () => {
    const cases: readonly (readonly [string, string, boolean])[] = [
      ['a', 'a', true],
      ['a', 'ab', false],
      ['*', '', true],
      ['a*', 'a', true],
      ['a*a', 'a', false],
      ['a*b*c', 'aXbYc', true],
      ['a*b*c', 'acb', false],
      ['*x*', 'axb', true],
      ['**', 'q', true],
    ];
    for (const [pattern, name, expected] of cases) {
      assert.equal(selectsName(pattern, name), expected, `${pattern} ${name}`);
    }
  });

  it('match names as the same regular expression would', () => {
    const piece = fc.stringMatching(/^[ab*]{0,8}$/);
    fc.assert(
      fc.property(piece, fc.stringMatching(/^[ab]{0,10}$/), (pattern, name) => {
        const oracle = new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(name);
        assert.equal(selectsName(pattern, name), oracle, `${pattern} ${name}`);
      }),
    );
  });
});

describe('durations', () => {
  it('are numbers with a unit', () => {
    assert.equal(parseDurationMs('250ms'), 250);
    assert.equal(parseDurationMs('15m'), 900_000);
    assert.equal(parseDurationMs('7d'), 604_800_000);
    for (const text of ['', '15', 'm', '1.5h', '-1s', '1 h', '1h ', '99999999999999d', '1w']) {
      assert.equal(parseDurationMs(text), undefined, text);
    }
  });
});
