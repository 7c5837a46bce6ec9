/**
 * Row data for the masking benchmark: 24 kinds of columns of six table shapes, about one cell in
 * twenty with personal data or a secret. Made from a seed; nothing in it belongs to anybody.
 */
import type { CellKind } from '../src/core/masking.ts';

/** Cells in one buffer, each behind its length, as PostgreSQL's rows have them. */
export interface Cells {
  readonly bytes: Uint8Array;
  /** Bytes of all cells, without what is between them. */
  readonly cellBytes: number;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly columns: readonly string[];
  /** By column. */
  readonly kinds: readonly CellKind[];
  /** The column of each cell. */
  readonly columnOf: Uint8Array;
}

type Pick = (count: number) => number;

/** Mulberry32: the same cells in every run. */
function generator(seed: number): Pick {
  let state = seed;
  return (count) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % count;
  };
}

const WORDS: readonly string[] =
  'lorem ipsum dolor sit amet consectetur adipiscing elit order shipped pending customer asked about the invoice and wants a refund for item which arrived late in blue cotton handmade ergonomic steel chair table lamp garden'.split(
    ' ',
  );
const NAMES: readonly string[] = 'anna bernd carla dmitri elena farid grace hiro ines jonas'.split(
  ' ',
);

const digits = (pick: Pick, count: number): string =>
  Array.from({ length: count }, () => String(pick(10))).join('');
const hex = (pick: Pick, count: number): string =>
  Array.from({ length: count }, () => pick(16).toString(16)).join('');
const base62 = (pick: Pick, count: number): string =>
  Array.from(
    { length: count },
    () => '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'[pick(62)],
  ).join('');
const words = (pick: Pick, count: number): string =>
  Array.from({ length: count }, () => WORDS[pick(WORDS.length)]).join(' ');
const two = (value: number): string => String(value).padStart(2, '0');
const uuid = (pick: Pick): string => [8, 4, 4, 4, 12].map((length) => hex(pick, length)).join('-');
const timestamp = (pick: Pick): string =>
  `20${two(10 + pick(16))}-${two(1 + pick(12))}-${two(1 + pick(28))} ${two(pick(24))}:${two(pick(60))}:${two(pick(60))}.${digits(pick, 3)}+00`;

function card(pick: Pick): string {
  const body = `4${digits(pick, 14)}`;
  let sum = 0;
  Array.from(body).forEach((digit, at) => {
    const value = Number(digit) * (at % 2 === 0 ? 2 : 1);
    sum += value > 9 ? value - 9 : value;
  });
  return body + String((10 - (sum % 10)) % 10);
}

/** Personal data and secrets, as cells of text columns have them now and then. */
const SENSITIVE: readonly ((pick: Pick) => string)[] = [
  (pick) => `${NAMES[pick(10)]}.${NAMES[pick(10)]}${pick(99)}@example${pick(99)}.com`,
  card,
  (pick) => `+1 ${200 + pick(700)} ${200 + pick(700)} ${digits(pick, 4)}`,
  (pick) => `please call ${NAMES[pick(10)]}@mail${pick(99)}.org back`,
  (pick) => `${100 + pick(500)}-${10 + pick(80)}-${1000 + pick(8000)}`,
  (pick) => `ghp_${base62(pick, 36)}`,
  (pick) => `${11 + pick(80)}.${1 + pick(250)}.${1 + pick(250)}.${1 + pick(250)}`,
  (pick) => `db_password=${base62(pick, 16)} host=db`,
];

interface Column {
  readonly name: string;
  readonly kind: CellKind;
  readonly make: (pick: Pick) => string;
}

const TABLES: readonly (readonly Column[])[] = [
  [
    { name: 'id', kind: 'integer', make: (pick) => String(pick(1e9)) },
    { name: 'order_ref', kind: 'text', make: (pick) => `ORD-${digits(pick, 8)}` },
    { name: 'status', kind: 'text', make: (pick) => ['PENDING', 'SHIPPED', 'DONE'][pick(3)] ?? '' },
    { name: 'total', kind: 'decimal', make: (pick) => `${pick(99999)}.${two(pick(100))}` },
    { name: 'created_at', kind: 'timestamp', make: timestamp },
  ],
  [
    { name: 'event_id', kind: 'uuid', make: uuid },
    { name: 'trace_id', kind: 'text', make: uuid },
    { name: 'kind', kind: 'text', make: (pick) => `${words(pick, 1)}.${words(pick, 1)}` },
    {
      name: 'payload',
      kind: 'json',
      make: (pick) =>
        `{"a":${pick(99)},"ok":true,"items":["${digits(pick, 5)}","${words(pick, 1)}"],"size":{"w":${pick(999)}}}`,
    },
  ],
  [
    { name: 'sku', kind: 'text', make: (pick) => base62(pick, 10).toUpperCase() },
    { name: 'title', kind: 'text', make: (pick) => words(pick, 4) },
    { name: 'description', kind: 'text', make: (pick) => words(pick, 14) },
    {
      name: 'url',
      kind: 'text',
      make: (pick) =>
        `https://${words(pick, 1)}${pick(99)}.com/${words(pick, 1)}/${pick(9999)}?page=${pick(20)}&sort=asc`,
    },
    { name: 'in_stock', kind: 'boolean', make: (pick) => (pick(2) === 0 ? 't' : 'f') },
  ],
  [
    { name: 'ts', kind: 'text', make: timestamp },
    {
      name: 'line',
      kind: 'text',
      make: (pick) =>
        `level=info ts=${timestamp(pick).slice(0, 19)} caller=${words(pick, 1)}.go:${pick(999)} msg="${words(pick, 5)}" duration=${pick(999)}ms`,
    },
    {
      name: 'user_agent',
      kind: 'text',
      make: (pick) =>
        `Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${100 + pick(40)}.0.${pick(9999)}.${pick(200)} Safari/537.36`,
    },
    { name: 'sha', kind: 'text', make: (pick) => hex(pick, 40) },
  ],
  [
    { name: 'qty', kind: 'integer', make: (pick) => String(pick(1000)) },
    { name: 'score', kind: 'float', make: (pick) => `0.${digits(pick, 8)}` },
    {
      name: 'city',
      kind: 'text',
      make: (pick) => ['Berlin', 'Madrid', 'Osaka', 'Austin'][pick(4)] ?? '',
    },
    { name: 'notes', kind: 'text', make: (pick) => words(pick, 8) },
  ],
  [
    { name: 'tracking', kind: 'text', make: (pick) => digits(pick, 12) },
    { name: 'version', kind: 'text', make: (pick) => `${pick(20)}.${pick(40)}.${pick(99)}` },
    { name: 'comment', kind: 'text', make: (pick) => words(pick, 6) },
  ],
];

/** Makes about `size` bytes of cells. */
export function makeCells(size: number, seed: number): Cells {
  const pick = generator(seed);
  const columns = TABLES.flat();
  const out = Buffer.alloc(2 * size + 4_096);
  const starts: number[] = [];
  const ends: number[] = [];
  const columnOf: number[] = [];
  let at = 0;
  let cellBytes = 0;
  while (cellBytes < size) {
    const shape = TABLES[pick(TABLES.length)] ?? [];
    // DataRow: 'D', length, count of columns.
    const row = at;
    at += 7;
    for (const column of shape) {
      const isText = column.kind === 'text';
      const make = isText && pick(14) === 0 ? SENSITIVE[pick(SENSITIVE.length)] : column.make;
      const text = make?.(pick) ?? '';
      out.writeInt32BE(text.length, at);
      at += 4;
      starts.push(at);
      at += out.write(text, at, 'latin1');
      ends.push(at);
      columnOf.push(columns.indexOf(column));
      cellBytes += text.length;
    }
    out.write('D', row, 'latin1');
    out.writeInt32BE(at - row - 1, row + 1);
    out.writeInt16BE(shape.length, row + 5);
  }
  return {
    bytes: new Uint8Array(out.subarray(0, at)),
    cellBytes,
    starts: Int32Array.from(starts),
    ends: Int32Array.from(ends),
    columns: columns.map(({ name }) => name),
    kinds: columns.map(({ kind }) => kind),
    columnOf: Uint8Array.from(columnOf),
  };
}

/** Cells of a megabyte that ask the recognisers for as much work as can be. */
export function hostileCells(): { readonly name: string; readonly bytes: Uint8Array }[] {
  const size = 1_000_000;
  const repeat = (unit: string): Uint8Array =>
    new TextEncoder().encode(unit.repeat(Math.ceil(size / unit.length)).slice(0, size));
  return [
    ['a', '1', '@', 'a@', 'a@a.', 'a@b.c ', '1 ', '1-', '12 34 ', '123-45-6789 ', '1.1.1.1 '],
    ['4111 1111 1111 1112 ', 'DE89 ', 'DE12 3704 0044 0532 0130 00 ', '+1 202 555 0123 '],
    [
      'password=',
      'password: ',
      '"ssn":"',
      '"ssn":["x",',
      '"full_name":["A B",',
      'a=',
      'ssn 123456789 ',
      'Aa Bb Cc Dd ',
      'Dr. Aa ',
    ],
    [
      '-----BEGIN PRIVATE KEY-----',
      'eyJhbGciOi',
      'ghp_',
      'sk-',
      '://a:b',
      'http://a:b@c/',
      ':::',
      'a:b:',
    ],
    [
      '1a',
      '1a2b3c4d5e6f7a8b ',
      'iban DE',
      '\u001b[1m1',
      '\u00a01',
      '０',
      '\\u0040',
      'passport 1',
      'mbi ',
    ],
    [
      'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.',
      '~',
      'Q~',
      '[',
      '{"a":',
      '"',
      "'",
      '<',
      'lives at ',
      'mysql -p',
    ],
  ]
    .flat()
    .map((unit) => ({ name: JSON.stringify(unit), bytes: repeat(unit) }));
}
