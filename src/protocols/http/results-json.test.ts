import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createMaskSet } from '../../masking/mask-set.ts';
import { FieldMasks } from './results-fields.ts';
import { JsonMasker } from './results-json.ts';

const masks = createMaskSet(
  [
    { id: 'ssn', columns: ['json.*.ssn'], detect: [], transform: { kind: 'redact' } },
    { id: 'deep', columns: ['json."$.a[]".b'], detect: [], transform: { kind: 'null' } },
    { id: 'cards', columns: [], detect: ['credit-card'], transform: { kind: 'redact' } },
  ],
  { version: '1', hash: () => new Uint8Array(32) },
);

const CARD = '4539578763621486';

/** What is left of a text that comes in pieces of one size. */
function mask(text: string, size: number = text.length): string {
  const bytes = Buffer.from(text);
  const masker = new JsonMasker(new FieldMasks(masks, 'json', new Map()));
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    pieces.push(masker.push(bytes, at, Math.min(bytes.length, at + size)));
  }
  pieces.push(masker.end());
  return Buffer.concat(pieces).toString('utf8');
}

/** The same by the plainest means: every text at and below `ssn` is replaced. */
function hidden(value: unknown, isHidden: boolean): unknown {
  if (Array.isArray(value)) return value.map((element) => hidden(element, isHidden));
  if (typeof value !== 'object' || value === null) return isHidden ? '[REDACTED]' : value;
  return Object.fromEntries(
    Object.entries(value).map(([key, own]) => [key, hidden(own, isHidden || key === 'ssn')]),
  );
}

describe('JSON under masks', () => {
  it('keeps every byte that no mask covers', () => {
    const text = ' {"a" : [1.50, -0, 1e+9, true , null,"x\\u00e9\\n"],\n"b":{}, "b":[]}\r\n';
    assert.equal(mask(text), text);
  });

  it('masks by name at every depth, and by path', () => {
    assert.equal(mask('{"ssn":"1","x":[{"ssn":2}]}'), '{"ssn":"[REDACTED]","x":[{"ssn":0}]}');
    assert.equal(
      mask('{"ssn":["1",{"y":"2"},true,null]}'),
      '{"ssn":["[REDACTED]",{"y":"[REDACTED]"},null,null]}',
    );
    assert.equal(mask('{"a":[{"b":"1"}],"b":"2"}'), '{"a":[{"b":null}],"b":"2"}');
    assert.equal(mask('{"a":{"b":"1"}}'), '{"a":{"b":"1"}}');
    assert.equal(mask('{"s\\u0073n":"1"}'), '{"s\\u0073n":"[REDACTED]"}');
  });

  it('masks by content: values, names and texts of JSON in strings', () => {
    assert.equal(mask(`["card ${CARD}."]`), '["card [CREDIT_CARD]."]');
    assert.ok(!mask(`{"${CARD}":1}`).includes(CARD));
    assert.equal(mask('{"v":"{\\"ssn\\":\\"1\\"}"}'), '{"v":"{\\"ssn\\":\\"[REDACTED]\\"}"}');
    assert.equal(mask('{"v":"[not JSON"}'), '{"v":"[not JSON"}');
  });

  it('refuses what is not JSON', () => {
    for (const text of [
      '{',
      '[1',
      '{"a"}',
      '{"a":}',
      '{a:1}',
      "{'a':1}",
      '[1,]',
      '{"a":1,}',
      '[01]',
      '[1.]',
      '[.5]',
      '[+1]',
      '[1e]',
      '[nul]',
      '[tru e]',
      '["\t"]',
      '["\\x"]',
      '[1 2]',
      '}',
      '{"a":1]',
      '/**/1',
      '"open',
      'NaN',
      '[\0]',
    ]) {
      // A string without an escape or a mask is passed as it is, so its escapes are looked at.
      assert.throws(() => mask(text), { code: 'SP_MASK_UNSOUND' }, text);
    }
  });

  it('is the same however it is cut, and stays JSON', () => {
    const key = fc.constantFrom('ssn', 'a', 'b', 'x"y', 'é');
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        fc.constantFrom<unknown>(1, -2.5e-7, true, null, 'x', CARD, '"q"', '{"ssn":"1"}', '€'),
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(key, tie('value'), { maxKeys: 4 }),
      ),
    }));
    fc.assert(
      fc.property(value, fc.integer({ min: 1, max: 9 }), (any, size) => {
        const text = JSON.stringify(any);
        const whole = mask(text);
        assert.equal(mask(text, size), whole);
        assert.ok(!whole.includes(CARD));
        JSON.parse(whole);
      }),
    );
  });

  it('masks by name whatever the order in which names come and go', () => {
    const key = fc.constantFrom('ssn', 'ss', 'ssn2', 'a', 'x"y', 'é');
    const { value } = fc.letrec<{ readonly value: unknown }>((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        fc.constant('x'),
        fc.array(tie('value'), { maxLength: 6 }),
        fc.dictionary(key, tie('value'), { maxKeys: 5 }),
      ),
    }));
    fc.assert(
      fc.property(value, fc.integer({ min: 1, max: 9 }), (any, size) => {
        assert.deepEqual(JSON.parse(mask(JSON.stringify(any), size)), hidden(any, false));
      }),
    );
  });

  it('replaces a string that is too long to be looked at', () => {
    const long = `{"v":"${'x\\"'.repeat(600_000)}","w":1}`;
    assert.equal(mask(long, 65_536), '{"v":"[REDACTED]","w":1}');
  });
});
