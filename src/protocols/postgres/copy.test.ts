/**
 * COPY data under masks, however it is cut: what leaves is what masking each value by itself gives,
 * and what no mask changes leaves as it was written.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { opaqueFacts } from '#core/facts.ts';
import { createMaskSet } from '#masking/mask-set.ts';
import { FakeWire } from '../../../test/support/fake-wire.ts';
import { putInt32 } from './codec/frames.ts';
import { CopyOut } from './copy.ts';
import { running } from './relay-expected.ts';
import { Outlet } from './relay-outlet.ts';
import { maskedCell, planCopy } from './results.ts';
import { emptyCatalogue } from './sql/catalogue-empty.ts';
import type { CopyFormat, OutputColumn, SqlStatement } from './sql/types.ts';

const masks = createMaskSet(
  [
    { id: 'source', columns: ['public.t.ssn'], detect: [], transform: { kind: 'redact' } },
    {
      id: 'partial',
      columns: ['public.t.code'],
      detect: [],
      transform: { kind: 'partial', keepStart: 1, keepEnd: 1, keepDomain: false },
    },
    { id: 'content', columns: [], detect: ['pii', 'secret'], transform: { kind: 'redact' } },
  ],
  { version: '1', hash: () => new Uint8Array(32) },
);

const plain = (name: string, typeOid: number): OutputColumn => ({
  name,
  sources: [],
  direct: undefined,
  unknown: false,
  typeOid,
});
const masked = (name: string): OutputColumn => {
  const column = `public.t.${name}`;
  return { name, sources: [column], direct: column, unknown: false, typeOid: 25 };
};
const output: readonly OutputColumn[] = [
  plain('id', 23),
  plain('note', 25),
  masked('ssn'),
  plain('email', 25),
  masked('code'),
  plain('made', 1184),
  plain('tail', 25),
];

const formats: readonly CopyFormat[] = [
  { format: 'text', delimiter: '\t', nullText: '\\N', quote: '', escape: '', header: false },
  { format: 'text', delimiter: '|', nullText: 'nil', quote: '', escape: '', header: true },
  { format: 'csv', delimiter: ',', nullText: '', quote: '"', escape: '"', header: false },
  { format: 'csv', delimiter: ';', nullText: 'nil', quote: "'", escape: '\\', header: true },
];

function partsFor(copy: CopyFormat): ConstructorParameters<typeof CopyOut>[0] {
  const statement: SqlStatement = {
    text: '',
    facts: { ...opaqueFacts(''), analysis: 'complete' },
    output,
    changes: [],
    copy,
    messagesMayLeak: false,
  };
  return {
    running: running(statement, { masks }),
    masks,
    catalogue: emptyCatalogue,
    cellBytesMax: 1_000,
  };
}

/** A value as the server writes it in that format. */
function written(value: string | null, { format, delimiter, ...more }: CopyFormat): string {
  if (value === null) return more.nullText;
  if (format === 'text') {
    return value
      .replaceAll('\\', '\\\\')
      .replaceAll('\n', '\\n')
      .replaceAll('\r', '\\r')
      .replaceAll('\t', delimiter === '\t' ? '\\\t' : '\t')
      .replaceAll(delimiter === '\t' ? '\0' : delimiter, `\\${delimiter}`);
  }
  const { quote, escape } = more;
  const isQuoted =
    value === more.nullText || [delimiter, quote, '\n', '\r'].some((sign) => value.includes(sign));
  if (!isQuoted) return value;
  const inside = Array.from(value, (sign) =>
    sign === quote || sign === escape ? escape + sign : sign,
  );
  return quote + inside.join('') + quote;
}

/** What a field must leave as: {@link maskedCell} of its value, written anew when it changed. */
function expected(value: string | null, index: number, copy: CopyFormat): string {
  const column = planCopy(partsFor(copy), output.length, false)[index];
  assert.ok(column !== undefined);
  const asIs = written(value, copy);
  // A word that may be a value is masked as one.
  const isNull = value === null && (copy.format === 'csv' || copy.nullText === '\\N');
  if (column.action === 'pass' || isNull) return asIs;
  const bytes = new TextEncoder().encode(value ?? copy.nullText);
  const made = maskedCell(column, masks, bytes, 0, bytes.length);
  if (made === undefined) return asIs;
  if (made === null) return copy.nullText;
  const text = new TextDecoder().decode(made);
  if (copy.format === 'text') return written(text, copy);
  const { quote, escape } = copy;
  const inside = Array.from(text, (sign) =>
    sign === quote || sign === escape ? escape + sign : sign,
  );
  return quote + inside.join('') + quote;
}

/** Sends the data in messages of the given sizes, and gives the payloads that leave. */
function leaves(data: Uint8Array, sizes: readonly number[], copy: CopyFormat): string {
  const wire = new FakeWire();
  const outlet = new Outlet(wire);
  const reader = new CopyOut(partsFor(copy), output.length);
  let at = 0;
  for (let turn = 0; at < data.length; turn += 1) {
    const body = data.subarray(at, at + (sizes[turn % sizes.length] ?? data.length));
    const message = new Uint8Array(5 + body.length);
    message[0] = 0x64;
    putInt32(message, 1, 4 + body.length);
    message.set(body, 5);
    outlet.open(message, 0);
    reader.whole(outlet, message, 0, message.length);
    outlet.close(message.length);
    at += body.length;
  }
  reader.end();
  const bytes = wire.output;
  const out: Uint8Array[] = [];
  for (let from = 0; from < bytes.length; ) {
    const view = new DataView(bytes.buffer, bytes.byteOffset + from);
    const length = view.getInt32(1);
    assert.equal(bytes[from], 0x64);
    out.push(bytes.subarray(from + 5, from + 1 + length));
    from += 1 + length;
  }
  return Buffer.concat(out).toString();
}

const signs = Array.from('ab@.1 \t\n\r\\"\',;|é-');
const value = fc.oneof(
  fc.constantFrom(
    'jane.doe@example.com',
    '4111 1111 1111 1111',
    '078-05-1120',
    'password=hunter2x',
    'Ünïcode jane@example.com',
    'call +1 202 555 0123, please',
    'nil',
    '',
    '\\',
    '\\N',
    "it's",
    'a,b;c|d',
  ),
  fc.string({ unit: fc.constantFrom(...signs), maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 12 }),
);
const cell = fc.option(value, { freq: 6 });

describe('COPY data', () => {
  it('leaves as its values would by themselves, however it is cut', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...formats),
        fc.array(fc.array(cell, { minLength: output.length, maxLength: output.length }), {
          minLength: 1,
          maxLength: 6,
        }),
        fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 8 }),
        (copy, rows, sizes) => {
          const line = (fields: readonly string[]): string => `${fields.join(copy.delimiter)}\n`;
          const header = copy.header ? line(output.map(({ name }) => name)) : '';
          const data =
            header + rows.map((row) => line(row.map((each) => written(each, copy)))).join('');
          const wanted =
            header +
            rows.map((row) => line(row.map((each, index) => expected(each, index, copy)))).join('');
          const bytes = new TextEncoder().encode(data);
          assert.equal(leaves(bytes, sizes, copy), wanted);
          assert.equal(leaves(bytes, [bytes.length], copy), wanted);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('does not look at what the analyser knows to be a number or a time', () => {
    const [copy] = formats;
    assert.ok(copy !== undefined);
    const actions = planCopy(partsFor(copy), output.length, false).map(({ action }) => action);
    assert.deepEqual(actions, ['pass', 'scan', 'mask', 'scan', 'mask', 'pass', 'scan']);
    const { running: item, ...rest } = partsFor(copy);
    const facts = { ...item.statement.facts, analysis: 'partial' as const };
    const doubtful = { ...rest, running: running({ ...item.statement, facts }, { masks }) };
    const all = planCopy(doubtful, output.length, false).map(({ action }) => action);
    assert.deepEqual(all, ['scan', 'scan', 'mask', 'scan', 'mask', 'scan', 'scan']);
  });
});
