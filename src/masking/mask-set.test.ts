import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayError } from '#core/errors.ts';
import type { MaskRule, MaskSet, Transform } from '#core/masking.ts';
import { createMaskSet } from './mask-set.ts';

const redact: Transform = { kind: 'redact' };
const rule = (id: string, columns: readonly string[], transform: Transform = redact): MaskRule => ({
  id,
  columns,
  detect: [],
  transform,
});
const compile = (...rules: MaskRule[]): MaskSet =>
  createMaskSet(rules, { version: '7', hash: () => new Uint8Array(32) });

describe('a mask set', () => {
  it('finds columns by their exact names', () => {
    const masks = compile(rule('a', ['public.customers.ssn', 'public."odd.table"."*"']));
    assert.equal(masks.column('public', 'customers', 'ssn')?.id, 'a');
    assert.equal(masks.column('public', 'odd.table', '*')?.id, 'a');
    for (const column of ['SSN', 'ssn2', 'id']) {
      assert.equal(masks.column('public', 'customers', column), undefined);
    }
    assert.equal(masks.version, '7');
    assert.equal(masks.empty, false);
  });

  it('finds columns by patterns', () => {
    const masks = compile(rule('a', ['*.customers.*', 'hr.*.pay_*_eur']));
    assert.equal(masks.column('x', 'customers', 'y')?.id, 'a');
    assert.equal(masks.column('hr', 'staff', 'pay_base_eur')?.id, 'a');
    assert.equal(masks.column('hr', 'staff', 'pay_eur'), undefined);
    assert.equal(masks.column('hr', 'staff', 'pay_base_usd'), undefined);
  });

  it('lets the rule win that hides more', () => {
    const partial: Transform = { kind: 'partial', keepStart: 0, keepEnd: 4, keepDomain: false };
    const masks = compile(
      rule('some', ['public.t.*'], partial),
      rule('most', ['public.t.ssn'], redact),
      rule('less', ['*.*.ssn'], { kind: 'hash', scope: 's' }),
    );
    assert.equal(masks.column('public', 't', 'ssn')?.id, 'most');
    assert.equal(masks.column('public', 't', 'name')?.id, 'some');
    assert.equal(masks.column('public', 'u', 'ssn')?.id, 'less');
  });

  it('without a rule, leaves what other rules cover as it was', () => {
    const cards: MaskRule = {
      id: 'cards',
      columns: [],
      detect: ['credit-card'],
      transform: redact,
    };
    const ssns: MaskRule = { id: 'ssns', columns: [], detect: ['us-ssn'], transform: redact };
    const masks = compile(
      rule('ssn', ['public.t.ssn']),
      rule('all', ['public.t.*'], { kind: 'null' }),
      cards,
      ssns,
    );
    const left = masks.without(['ssn']);
    assert.equal(left.column('public', 't', 'ssn')?.id, 'all');
    assert.equal(left.content, masks.content);
    assert.notEqual(left.version, masks.version);
    assert.equal(masks.without(['ssn']), left);
    const bare = masks.without(['all', 'ssn', 'nobody']);
    assert.equal(bare.column('public', 't', 'ssn'), undefined);
    const text = new TextEncoder().encode('card 4111 1111 1111 1111, ssn 536-22-8726');
    const scan = (set: MaskSet): string => {
      const found = set.content?.cell(text, 0, text.length, 'text', 0);
      return new TextDecoder().decode(found ?? text);
    };
    assert.doesNotMatch(scan(masks), /4111|8726/);
    assert.match(scan(masks.without(['ssns'])), /^card \[\S+\], ssn 536-22-8726$/);
    assert.equal(masks.without(['ssn', 'all', 'cards', 'ssns']).empty, true);
    assert.equal(masks.without([]), masks);
  });

  it('is empty without rules', () => {
    const masks = compile();
    assert.equal(masks.empty, true);
    assert.equal(masks.content, undefined);
  });

  it('refuses what it cannot honour', () => {
    const bad: readonly MaskRule[] = [
      rule('a', ['customers.ssn']),
      rule('a', ['public.customers.']),
      rule('a', ['a.b."c']),
      { id: 'a', columns: [], detect: ['credit-cards'], transform: redact },
    ];
    for (const one of bad) {
      assert.throws(
        () => compile(one),
        (error) => error instanceof GatewayError && error.code === 'SP_CONFIG',
      );
    }
  });

  it('takes single detectors and groups, each with its transform', () => {
    const masks = createMaskSet(
      [
        { id: 'a', columns: [], detect: ['contact'], transform: { kind: 'fixed', value: '-' } },
        { id: 'b', columns: [], detect: ['email'], transform: redact },
      ],
      { version: '1', hash: () => new Uint8Array(32) },
    );
    const bytes = new TextEncoder().encode('j@example.com +1 202 555 0123 4111111111111111');
    const out = masks.content?.cell(bytes, 0, bytes.length, 'text', 0);
    assert.equal(new TextDecoder().decode(out), '[EMAIL] - 4111111111111111');
  });
});
