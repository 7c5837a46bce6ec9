import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { CellKind, Transform } from '#core/masking.ts';
import type { KeyedHash } from './pseudonym.ts';
import { replaceValue } from './transforms.ts';
import { isValid } from './validity.ts';

const hash: KeyedHash = (scope, bytes) => createHmac('sha256', scope).update(bytes).digest();
const partial = (keepStart: number, keepEnd: number, keepDomain = false): Transform => ({
  kind: 'partial',
  keepStart,
  keepEnd,
  keepDomain,
});
const token: Transform = { kind: 'hash', scope: 'k' };
const coarse = (bucket?: number): Transform => ({ kind: 'generalise', bucket });

function check(
  transform: Transform,
  kind: CellKind,
  text: string | undefined,
  expected: unknown,
): void {
  assert.equal(replaceValue(transform, kind, text, hash), expected);
}

const day = fc.date({
  min: new Date('1900-01-01'),
  max: new Date('2100-01-01'),
  noInvalidDate: true,
});
/** Values of each kind as the target writes them. */
const values: Readonly<Record<CellKind, fc.Arbitrary<string>>> = {
  text: fc.string({ unit: 'grapheme' }),
  integer: fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }).map(String),
  decimal: fc
    .tuple(fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }), fc.nat(9999))
    .map(([a, b]) => `${a}.${b}`),
  float: fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  boolean: fc.constantFrom('t', 'f'),
  date: day.map((date) => date.toISOString().slice(0, 10)),
  time: day.map((date) => date.toISOString().slice(11, 19)),
  timestamp: day.map((date) => date.toISOString().replace('T', ' ').replace('Z', '+00')),
  interval: fc.constantFrom('1 day', '3 years 2 mons', '04:05:06', '-1 days 02:03:04.5'),
  uuid: fc.uuid(),
  inet: fc.oneof(
    fc.ipV4(),
    fc.ipV6().filter((ip) => !ip.includes('.')),
  ),
  macaddr: fc.constantFrom('08:00:2b:01:02:03', 'aa-bb-cc-dd-ee-ff'),
  json: fc.json(),
  bytes: fc.constantFrom('\\x', '\\x00ff', '\\xdeadbeef'),
  other: fc.constantFrom('sad', 'ok'),
};
const transforms: readonly Transform[] = [
  { kind: 'redact' },
  { kind: 'null' },
  partial(0, 4),
  partial(1, 0, true),
  token,
  coarse(),
  coarse(10),
  { kind: 'fixed', value: 'x' },
];

describe('replaceValue', () => {
  it('gives null or a value of the kind, and the same when asked again of its own answer', () => {
    for (const [kind, value] of Object.entries(values)) {
      if (!isKind(kind)) continue;
      for (const transform of transforms) {
        fc.assert(
          fc.property(value, (text) => {
            const once = replaceValue(transform, kind, text, hash);
            assert.ok(once === null || isValid(kind, once), `${kind} ${transform.kind}: ${once}`);
            // A pseudonym of a typed value cannot be told from a value.
            if (transform.kind === 'hash' && kind !== 'text') return;
            if (once !== null) assert.equal(replaceValue(transform, kind, once, hash), once);
          }),
          { numRuns: 60 },
        );
      }
    }
  });

  it('keeps nothing but what a partial mask keeps', () => {
    check(partial(0, 4), 'text', '4111-1111-1111-1234', '****-****-****-1234');
    check(partial(1, 0, true), 'text', 'jane.doe@example.com', 'j***.***@example.com');
    check(partial(2, 2), 'text', 'abc', '***');
    check(partial(1, 0), 'text', '😀é😀ñü', '😀****');
    check(partial(0, 4), 'integer', '123456789', '100006789');
    check(partial(0, 4), 'integer', '1234', '1000');
  });

  it('gives one value one token within a scope, and none across scopes', () => {
    const of = (scope: string, text: string): string | null =>
      replaceValue({ kind: 'hash', scope }, 'text', text, hash);
    assert.match(of('a', 'jane') ?? '', /^tok_[a-z2-7]{20}$/);
    assert.equal(of('a', 'Jane@Example.com'), of('a', 'jane@example.com '));
    assert.notEqual(of('a', 'jane'), of('b', 'jane'));
    assert.notEqual(of('a', 'jane'), of('a', 'john'));
  });

  it('keeps a hashed integer within the type that holds the value', () => {
    for (const [text, top] of [
      ['12', 32_767],
      ['40000', 2_147_483_647],
    ] as const) {
      assert.ok(Number(replaceValue(token, 'integer', text, hash)) <= top);
    }
  });

  it('makes values coarser', () => {
    check(coarse(), 'date', '1980-02-29', '1980-01-01');
    check(coarse(), 'timestamp', '2025-04-08 01:39:02.2+02', '2025-04-08 00:00:00+00');
    check(coarse(30), 'timestamp', '2025-04-08 01:39:02', '2025-04-01 00:00:00');
    check(coarse(), 'inet', '8.8.4.4', '8.8.4.0');
    check(coarse(), 'inet', '2a02:c6f9:3d37:1::17de', '2a02:c6f9:3d37::');
    check(coarse(10), 'integer', '47', '40');
    check(coarse(10), 'integer', '-47', '-50');
    check(coarse(), 'integer', '47123', '40000');
    check(coarse(), 'time', '12:34:56', '12:00:00');
  });

  it('gives a fixed value only where it is one of the kind', () => {
    check({ kind: 'fixed', value: '7' }, 'integer', '1', '7');
    check({ kind: 'fixed', value: 'seven' }, 'integer', '1', null);
    check({ kind: 'fixed', value: '2025-02-30' }, 'date', '2025-01-01', null);
  });

  it('redacts what the protocol could not decode', () => {
    check(partial(0, 4), 'integer', undefined, '0');
    check(token, 'uuid', undefined, '00000000-0000-0000-0000-000000000000');
  });
});

function isKind(kind: string): kind is CellKind {
  return Object.hasOwn(values, kind);
}
