/**
 * The server's built-in types as a mask sees them: what kind of value, and how its binary form
 * turns into text and back. A type that is not here is `other`: the only replacement that is valid
 * for it in every format is NULL.
 *
 * Invariant: what an encoder gives is a valid binary value of its type, or undefined.
 */
import type { CellKind } from '#core/masking.ts';
import { int16, int32, putInt16, putInt32 } from './codec/frames.ts';
import { textOf } from './codec/read.ts';
import * as time from './results-times.ts';
import { decodeNumeric, encodeNumeric } from './results-numeric.ts';

/** Text of a binary value; undefined when the bytes are not a value of the type. */
export type Decode = (bytes: Uint8Array, start: number, end: number) => string | undefined;
/** Binary form of a text; undefined when the text is not a value of the type. */
export type Encode = (text: string) => Uint8Array | undefined;

export interface CellType {
  readonly kind: CellKind;
  /** The type number of the elements when it is an array, else 0. */
  readonly elementOid: number;
  readonly decode: Decode;
  readonly encode: Encode;
}

const encoder = new TextEncoder();
const utf8: Encode = (text) => encoder.encode(text);

const integer = (bytes: number): readonly [Decode, Encode] => [
  (value, start, end) => {
    if (end - start !== bytes) return undefined;
    if (bytes === 2) return String(int16(value, start));
    if (bytes === 4) return String(int32(value, start));
    return String((BigInt(int32(value, start)) << 32n) | BigInt(int32(value, start + 4) >>> 0));
  },
  (text) => {
    if (!/^-?[0-9]{1,19}$/.test(text)) return undefined;
    const value = BigInt(text);
    if (BigInt.asIntN(bytes * 8, value) !== value) return undefined;
    const out = new Uint8Array(bytes);
    for (let index = 0; index < bytes; index += 1) {
      out[index] = Number((value >> BigInt((bytes - 1 - index) * 8)) & 0xffn);
    }
    return out;
  },
];

const oid: readonly [Decode, Encode] = [
  (value, start, end) => (end - start === 4 ? String(int32(value, start) >>> 0) : undefined),
  (text) => {
    if (!/^[0-9]{1,10}$/.test(text) || Number(text) > 0xffffffff) return undefined;
    const out = new Uint8Array(4);
    putInt32(out, 0, Number(text) | 0);
    return out;
  },
];

const float = (bytes: 4 | 8): readonly [Decode, Encode] => [
  (value, start, end) => {
    if (end - start !== bytes) return undefined;
    const view = new DataView(value.buffer, value.byteOffset + start, bytes);
    return String(bytes === 4 ? view.getFloat32(0) : view.getFloat64(0));
  },
  (text) => {
    const number = Number(text);
    if (text.trim() === '' || Number.isNaN(number)) return undefined;
    const out = new Uint8Array(bytes);
    const view = new DataView(out.buffer);
    if (bytes === 4) view.setFloat32(0, number);
    else view.setFloat64(0, number);
    return out;
  },
];

const boolean: readonly [Decode, Encode] = [
  (value, start, end) => (end - start === 1 ? (value[start] === 0 ? 'f' : 't') : undefined),
  (text) => (text === 't' || text === 'f' ? Uint8Array.of(text === 't' ? 1 : 0) : undefined),
];

const hex = (value: Uint8Array, start: number, end: number): string => {
  let out = '';
  for (let at = start; at < end; at += 1) out += (value[at] ?? 0).toString(16).padStart(2, '0');
  return out;
};

function unhex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) return undefined;
  const out = new Uint8Array(text.length / 2);
  for (let index = 0; index < out.length; index += 1) {
    out[index] = Number.parseInt(text.slice(index * 2, index * 2 + 2), 16);
  }
  return out;
}

const uuid: readonly [Decode, Encode] = [
  (value, start, end) => {
    if (end - start !== 16) return undefined;
    return hex(value, start, end).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  },
  (text) => (text.length === 36 ? unhex(text.replaceAll('-', '')) : undefined),
];

const macaddr: readonly [Decode, Encode] = [
  (value, start, end) => {
    if (end - start !== 6) return undefined;
    return hex(value, start, end).replace(/(..)(?!$)/g, '$1:');
  },
  (text) => (text.length === 17 ? unhex(text.replaceAll(':', '')) : undefined),
];

const bytea: readonly [Decode, Encode] = [
  (value, start, end) => `\\x${hex(value, start, end)}`,
  (text) => (text.startsWith('\\x') ? unhex(text.slice(2)) : undefined),
];

const jsonb: readonly [Decode, Encode] = [
  (value, start, end) =>
    end > start && value[start] === 1 ? textOf(value, start + 1, end) : undefined,
  (text) => {
    const body = encoder.encode(text);
    const out = new Uint8Array(body.length + 1);
    out[0] = 1;
    out.set(body, 1);
    return out;
  },
];

const FAMILY_V4 = 2;
const FAMILY_V6 = 3;

/** `inet` and `cidr`: family, bits of the mask, is_cidr, length, address. */
const inet = (isCidr: 0 | 1): readonly [Decode, Encode] => [
  (value, start, end) => {
    const length = value[start + 3] ?? 0;
    const family = value[start] ?? 0;
    if (end - start !== 4 + length || length !== (family === FAMILY_V4 ? 4 : 16)) return undefined;
    const bits = value[start + 1] ?? 0;
    const from = start + 4;
    const address =
      family === FAMILY_V4
        ? value.subarray(from, end).join('.')
        : hex(value, from, end).replace(/(.{4})(?!$)/g, '$1:');
    return bits === length * 8 && isCidr === 0 ? address : `${address}/${bits}`;
  },
  (text) => {
    const [address = '', mask] = text.split('/');
    const bytes = address.includes(':') ? addressV6(address) : addressV4(address);
    if (bytes === undefined) return undefined;
    const bits = mask === undefined ? bytes.length * 8 : Number(mask);
    if (!Number.isInteger(bits) || bits < 0 || bits > bytes.length * 8) return undefined;
    const out = new Uint8Array(4 + bytes.length);
    out.set([bytes.length === 4 ? FAMILY_V4 : FAMILY_V6, bits, isCidr, bytes.length]);
    out.set(bytes, 4);
    return out;
  },
];

function addressV4(text: string): Uint8Array | undefined {
  const parts = text.split('.');
  const fits = parts.length === 4 && parts.every((part) => /^[0-9]{1,3}$/.test(part));
  const numbers = parts.map(Number);
  return fits && numbers.every((part) => part < 256) ? Uint8Array.from(numbers) : undefined;
}

function addressV6(text: string): Uint8Array | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')));
  const [head = [], tail = []] = groups;
  const gap = 8 - head.length - tail.length;
  if (halves.length === 2 ? gap < 1 : gap !== 0) return undefined;
  const zeros = Array.from({ length: halves.length === 2 ? gap : 0 }, () => '0');
  const all = [...head, ...zeros, ...tail];
  if (!all.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  const out = new Uint8Array(16);
  all.forEach((group, index) => putInt16(out, index * 2, Number.parseInt(group, 16)));
  return out;
}

/** An array of no elements is a valid value of every array type. */
const emptyArray = (elementOid: number): readonly [Decode, Encode] => [
  () => undefined,
  (text) => {
    if (text !== '{}') return undefined;
    const out = new Uint8Array(12);
    putInt32(out, 8, elementOid);
    return out;
  },
];

const none: readonly [Decode, Encode] = [() => undefined, () => undefined];
const text: readonly [Decode, Encode] = [textOf, utf8];

type Row = readonly [
  oid: number,
  arrayOid: number,
  kind: CellKind,
  codec: readonly [Decode, Encode],
];

/** From `pg_type.dat`; the numbers are fixed for all versions. */
const builtIn: readonly Row[] = [
  [25, 1009, 'text', text], // text
  [1043, 1015, 'text', text], // varchar
  [1042, 1014, 'text', text], // bpchar
  [19, 1003, 'text', text], // name
  [705, 0, 'text', text], // unknown
  [2275, 1263, 'text', text], // cstring
  [142, 143, 'text', text], // xml
  [21, 1005, 'integer', integer(2)], // int2
  [23, 1007, 'integer', integer(4)], // int4
  [20, 1016, 'integer', integer(8)], // int8
  [26, 1028, 'integer', oid], // oid
  [700, 1021, 'float', float(4)], // float4
  [701, 1022, 'float', float(8)], // float8
  [1700, 1231, 'decimal', [decodeNumeric, encodeNumeric]], // numeric
  [16, 1000, 'boolean', boolean], // bool
  [1082, 1182, 'date', [time.decodeDate, time.encodeDate]], // date
  [1083, 1183, 'time', [time.decodeTime, time.encodeTime]], // time
  [1266, 1270, 'time', [time.decodeTimeTz, time.encodeTimeTz]], // timetz
  [1114, 1115, 'timestamp', [time.decodeTimestamp, time.encodeTimestamp]], // timestamp
  [1184, 1185, 'timestamp', [time.decodeTimestampTz, time.encodeTimestamp]], // timestamptz
  [1186, 1187, 'interval', [time.decodeInterval, time.encodeInterval]], // interval
  [2950, 2951, 'uuid', uuid], // uuid
  [869, 1041, 'inet', inet(0)], // inet
  [650, 651, 'inet', inet(1)], // cidr
  [829, 1040, 'macaddr', macaddr], // macaddr
  [114, 199, 'json', text], // json
  [3802, 3807, 'json', jsonb], // jsonb
  [17, 1001, 'bytes', bytea], // bytea
];

const otherType: CellType = { kind: 'other', elementOid: 0, decode: none[0], encode: none[1] };

const types: ReadonlyMap<number, CellType> = new Map(
  builtIn.flatMap(([number, arrayOid, kind, [decode, encode]]): [number, CellType][] => {
    const [decodeArray, encodeArray] = emptyArray(number);
    return [
      [number, { kind, elementOid: 0, decode, encode }],
      [arrayOid, { kind: 'other', elementOid: number, decode: decodeArray, encode: encodeArray }],
    ];
  }),
);

/** The type behind a number of `pg_type`. */
export function cellType(typeOid: number): CellType {
  return (typeOid === 0 ? undefined : types.get(typeOid)) ?? otherType;
}

/** @internal Numbers of the types that the table has, for its test. */
export const knownTypes: readonly number[] = [...types.keys()].filter((number) => number !== 0);
