import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { RE2JS } from 're2js';
import { GatewayError } from '#core/errors.ts';
import { Detection } from './detect.ts';
import { createMaskSet } from './mask-set.ts';
import { compilePattern, requiredLiteral } from './patterns.ts';

const literal = (pattern: string): string | undefined => {
  const found = requiredLiteral(pattern);
  return found === undefined ? undefined : new TextDecoder().decode(found);
};

describe("the customer's patterns", () => {
  it('are found with the rest', () => {
    const detection = new Detection(['email'], [{ name: 'staff-id', pattern: 'EMP-\\d{6}' }]);
    const found = detection.text('EMP-123456 has j@example.com, é EMP-654321');
    assert.deepEqual(
      found.map(({ entity, start, end }) => [entity, start, end]),
      [
        ['STAFF_ID', 0, 10],
        ['EMAIL', 15, 28],
        ['STAFF_ID', 32, 42],
      ],
    );
  });

  it('can be kept to columns', () => {
    const pattern = { name: 'badge', pattern: '\\d{4}', columns: 'badge no, badge' };
    const detection = new Detection([], [pattern]);
    assert.equal(detection.value('1234', 'empBadgeNo').length, 1);
    assert.equal(detection.value('1234', 'year').length, 0);
    assert.equal(detection.text('1234').length, 0);
  });

  it('are masked by rules that name them', () => {
    const { content } = createMaskSet(
      [{ id: 'm', columns: [], detect: ['staff-id'], transform: { kind: 'redact' } }],
      {
        version: '1',
        hash: () => new Uint8Array(32),
        patterns: [{ name: 'staff-id', pattern: 'EMP-\\d{6}' }],
      },
    );
    const bytes = new TextEncoder().encode('see EMP-123456');
    assert.equal(
      new TextDecoder().decode(content?.cell(bytes, 0, bytes.length, 'text', 0)),
      'see [STAFF_ID]',
    );
  });

  it('are refused when they cannot be honoured', () => {
    for (const bad of [
      { name: 'a-b', pattern: '(' },
      { name: 'a-b', pattern: 'x*' },
      { name: 'a-b', pattern: '(?=x)y' },
      { name: 'A B', pattern: 'x' },
      { name: 'a-b', pattern: 'x', confidence: 2 },
    ]) {
      assert.throws(() => compilePattern(bad), GatewayError);
    }
  });

  it('say what they cannot do without', () => {
    assert.equal(literal('EMP-\\d{6}'), 'EMP-');
    assert.equal(literal('[A-Z]{2}-x\\.y+z'), '-x.y');
    assert.equal(literal('ab?c'), 'a');
    assert.equal(literal('ab{0,2}cd'), 'cd');
    assert.equal(literal('(ab)?cd(ef)'), 'cd');
    assert.equal(literal('a|b'), undefined);
    assert.equal(literal('(?i)abc'), undefined);
    assert.equal(literal('\\d+'), undefined);
    assert.equal(literal('[]a]b'), 'b');
  });

  it('are never passed over for want of what they do without', () => {
    const piece = fc.constantFrom(
      'a',
      'bc',
      '\\d',
      '[xy]',
      '.',
      '(de)',
      '(f[g)]h)',
      '\\.',
      '-',
      '\\w',
      '[^a]',
    );
    const quantifier = fc.constantFrom('', '', '', '?', '*', '+', '{2}', '{0,1}', '{1,}');
    const pattern = fc
      .array(fc.tuple(piece, quantifier), { minLength: 1, maxLength: 6 })
      .map((list) => list.map((pair) => pair.join('')).join(''));
    const text = fc.string({
      unit: fc.constantFrom(...Array.from('abcdefghxy0.-)')),
      maxLength: 24,
    });
    fc.assert(
      fc.property(pattern, text, (source, subject) => {
        const needed = literal(source);
        const match = RE2JS.compile(source).matcher(subject);
        while (match.find()) {
          assert.ok(
            needed === undefined || (match.group() ?? '').includes(needed),
            `${source} ${needed}`,
          );
        }
      }),
      { numRuns: 5_000 },
    );
  });
});
