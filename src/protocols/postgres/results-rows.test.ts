/**
 * Rows under masks: what leaves is what masking each cell by itself gives, whether the row lies
 * whole in a chunk among others or is too large to be held.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { opaqueFacts } from '#core/facts.ts';
import { createMaskSet } from '#masking/mask-set.ts';
import { FakeWire } from '../../../test/support/fake-wire.ts';
import { type Cell, dataRow } from '../../../test/support/server-stream.ts';
import { headerBytes } from './codec/frames.ts';
import { running } from './relay-expected.ts';
import { Outlet } from './relay-outlet.ts';
import { maskedCell, planRows, type RowPlan } from './results.ts';
import { LargeRow, maskRow } from './results-rows.ts';
import { cellType } from './results-types.ts';
import { emptyCatalogue } from './sql/catalogue-empty.ts';
import type { OutputColumn, SqlStatement } from './sql/types.ts';

const masks = createMaskSet(
  [
    { id: 'source', columns: ['public.t.ssn'], detect: [], transform: { kind: 'redact' } },
    { id: 'null', columns: ['public.t.gone'], detect: [], transform: { kind: 'null' } },
    { id: 'content', columns: [], detect: ['pii', 'secret'], transform: { kind: 'redact' } },
  ],
  { version: '1', hash: () => new Uint8Array(32) },
);

interface Shape {
  readonly name: string;
  readonly oid: number;
  readonly binary: boolean;
  readonly source: string | undefined;
}

const shapes: readonly Shape[] = [
  { name: 'note', oid: 25, binary: false, source: undefined },
  { name: 'email', oid: 1043, binary: true, source: undefined },
  { name: 'phone', oid: 20, binary: false, source: undefined },
  { name: 'phone', oid: 20, binary: true, source: undefined },
  { name: 'doc', oid: 3802, binary: false, source: undefined },
  { name: 'doc', oid: 3802, binary: true, source: undefined },
  { name: 'born', oid: 1082, binary: true, source: undefined },
  { name: 'blob', oid: 17, binary: false, source: undefined },
  { name: 'odd', oid: 600_000, binary: true, source: undefined },
  { name: 'ssn', oid: 25, binary: false, source: 'public.t.ssn' },
  { name: 'ssn', oid: 23, binary: true, source: 'public.t.ssn' },
  { name: 'gone', oid: 1184, binary: false, source: 'public.t.gone' },
];

function planFor(columns: readonly Shape[]): RowPlan {
  const output = columns.map(({ name, source, oid }): OutputColumn => {
    const sources = source === undefined ? [] : [source];
    return { name, sources, direct: source, unknown: false, typeOid: oid };
  });
  const statement: SqlStatement = {
    text: '',
    facts: { ...opaqueFacts(''), analysis: 'complete' },
    output,
    changes: [],
    copy: undefined,
    messagesMayLeak: false,
  };
  const parts = {
    running: running(statement, { masks }),
    masks,
    catalogue: emptyCatalogue,
    cellBytesMax: 1_000,
  };
  const fields = columns.map(({ name, oid, binary }) => ({
    name,
    tableOid: 0,
    attnum: 0,
    typeOid: oid,
    typeBytes: -1,
    typmod: -1,
    format: binary ? 1 : 0,
  }));
  return planRows(parts, { fields }, undefined);
}

const texts: readonly string[] = [
  'jane.doe@example.com',
  'card 4111 1111 1111 1111 and 078-05-1120',
  '{"email":"jane@example.com","n":[1,"+1 202 555 0123"]}',
  '{"a":1}',
  '2025550123',
  '\\x6a616e65406578616d706c652e636f6d',
  '1980-02-29',
  'password=hunter2x!',
  'Zoë wrote to zoe@example.com\u0000',
  '',
  'lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod',
];

const text = fc.oneof(
  fc.constantFrom(...texts),
  fc.string({ unit: 'grapheme', maxLength: 30 }),
  fc.string({ unit: fc.constantFrom(...Array.from('ab@.1 -{}":,\\')), maxLength: 40 }),
);

/** A value of the column as the server may send it, and now and then one that it would not. */
const cellOf = ({ oid, binary }: Shape): fc.Arbitrary<Cell> => {
  const { encode } = cellType(oid);
  const typed = text.map((value) => (binary ? encode(value) : undefined) ?? value);
  return fc.option(fc.oneof(typed, fc.uint8Array({ maxLength: 12 })), { freq: 6 });
};

const table = fc
  .array(fc.constantFrom(...shapes), { minLength: 1, maxLength: 6 })
  .chain((columns) =>
    fc.record({
      columns: fc.constant(columns),
      rows: fc.array(fc.tuple(...columns.map(cellOf)), { minLength: 1, maxLength: 5 }),
      cut: fc.integer({ min: 1, max: 60 }),
    }),
  );

/** Each cell by itself, in memory of its own. */
function expected(plan: RowPlan, row: readonly Cell[]): Uint8Array {
  const cells = row.map((cell, index) => {
    const column = plan.columns[index];
    assert.ok(column !== undefined);
    if (cell === null) return null;
    const bytes = typeof cell === 'string' ? new TextEncoder().encode(cell) : cell;
    const masked = maskedCell(column, masks, bytes, 0, bytes.length);
    return masked === undefined ? bytes : masked;
  });
  return dataRow(cells);
}

describe('rows', () => {
  it('leave as their cells would by themselves, whole or in pieces', () => {
    fc.assert(
      fc.property(table, ({ columns, rows, cut }) => {
        const plan = planFor(columns);
        const wanted = rows.map((row) => expected(plan, row));
        const wire = new FakeWire();
        const outlet = new Outlet(wire);
        const chunk = new Uint8Array(Buffer.concat(rows.map(dataRow)));
        outlet.open(chunk, 0);
        let at = 0;
        for (const row of rows) {
          const end = at + dataRow(row).length;
          maskRow(plan, outlet, chunk, at, end);
          at = end;
        }
        outlet.close(at);
        assert.deepEqual(wire.output, Buffer.concat(wanted));
        for (const [index, row] of rows.entries()) {
          const message = dataRow(row);
          const large = new LargeRow(plan, 1_000_000, message.length);
          for (let from = headerBytes; from < message.length; from += cut) {
            large.feed(message, from, Math.min(message.length, from + cut));
          }
          assert.deepEqual(large.message(), new Uint8Array(wanted[index] ?? []));
        }
      }),
      { numRuns: 400 },
    );
  });
});
