/**
 * Reads the bodies of messages, in place. Every reader accounts for each byte of the body: what is
 * left over, cut short or out of range makes it answer undefined, and the caller refuses the
 * message. Nothing here throws.
 */
import { headerBytes, int16, int32 } from './frames.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** `bytes[start, end)` as text, undefined when it is not valid UTF-8. */
export function textOf(bytes: Uint8Array, start: number, end: number): string | undefined {
  try {
    return utf8.decode(bytes.subarray(start, end));
  } catch {
    return undefined;
  }
}

/** Where the zero byte stands that ends a string beginning at `at`; -1 when none does before `end`. */
export function stringEnd(bytes: Uint8Array, at: number, end: number): number {
  for (let index = at; index < end; index += 1) {
    if (bytes[index] === 0) return index;
  }
  return -1;
}

/** The text of a Query message that stands at `[at, end)`: exactly one zero byte, at the end. */
export function readQuery(bytes: Uint8Array, at: number, end: number): string | undefined {
  const start = at + headerBytes;
  const stop = bytes.indexOf(0, start);
  return stop === end - 1 && stop >= start ? textOf(bytes, start, stop) : undefined;
}

export interface ParseMessage {
  readonly name: string;
  readonly text: string;
  /** Type numbers that the client declared; 0 is "unspecified". */
  readonly types: readonly number[];
}

export function readParse(bytes: Uint8Array, at: number, end: number): ParseMessage | undefined {
  const nameAt = at + headerBytes;
  const nameEnd = stringEnd(bytes, nameAt, end);
  const textEnd = nameEnd < 0 ? -1 : stringEnd(bytes, nameEnd + 1, end);
  if (textEnd < 0 || textEnd + 3 > end) return undefined;
  const count = int16(bytes, textEnd + 1) & 0xffff;
  if (textEnd + 3 + count * 4 !== end) return undefined;
  const name = textOf(bytes, nameAt, nameEnd);
  const text = textOf(bytes, nameEnd + 1, textEnd);
  if (name === undefined || text === undefined) return undefined;
  const types: number[] = [];
  for (let index = 0; index < count; index += 1) {
    types.push(int32(bytes, textEnd + 3 + index * 4) >>> 0);
  }
  return { name, text, types };
}

/** Result formats as a Bind asks for them: none is all text, one is for all, else one a column. */
export type ResultFormats = readonly number[];

export interface BoundParameter {
  readonly format: number;
  /** A view into the message; null is SQL's NULL. */
  readonly bytes: Uint8Array | null;
}

export interface BindMessage {
  readonly portal: string;
  readonly statement: string;
  readonly parameters: readonly BoundParameter[];
  readonly resultFormats: ResultFormats;
}

const NO_FORMATS: readonly number[] = [];
const ALL_BINARY: readonly number[] = [1];

/** `count` format codes from `at`; undefined when one is neither 0 nor 1. Shares common answers. */
function readFormats(bytes: Uint8Array, at: number, count: number): readonly number[] | undefined {
  if (count === 0) return NO_FORMATS;
  const formats: number[] = [];
  let set = 0;
  for (let index = 0; index < count; index += 1) {
    const format = int16(bytes, at + index * 2);
    if (format !== 0 && format !== 1) return undefined;
    set += format;
    formats.push(format);
  }
  if (set === 0) return NO_FORMATS;
  return count === 1 ? ALL_BINARY : formats;
}

export function readBind(bytes: Uint8Array, at: number, end: number): BindMessage | undefined {
  const portalAt = at + headerBytes;
  const portalEnd = stringEnd(bytes, portalAt, end);
  const statementEnd = portalEnd < 0 ? -1 : stringEnd(bytes, portalEnd + 1, end);
  if (statementEnd < 0 || statementEnd + 3 > end) return undefined;
  const formatCount = int16(bytes, statementEnd + 1) & 0xffff;
  const formatsAt = statementEnd + 3;
  let next = formatsAt + formatCount * 2;
  if (next + 2 > end) return undefined;
  const count = int16(bytes, next) & 0xffff;
  next += 2;
  if (formatCount > 1 && formatCount !== count) return undefined;
  const parameters: BoundParameter[] = [];
  for (let index = 0; index < count; index += 1) {
    const formatAt = formatsAt + (formatCount === 1 ? 0 : index * 2);
    const format = formatCount === 0 ? 0 : int16(bytes, formatAt);
    if ((format !== 0 && format !== 1) || next + 4 > end) return undefined;
    const length = int32(bytes, next);
    next += 4;
    if (length < -1 || next + Math.max(length, 0) > end) return undefined;
    const value = length < 0 ? null : bytes.subarray(next, next + length);
    parameters.push({ format, bytes: value });
    next += Math.max(length, 0);
  }
  if (next + 2 > end) return undefined;
  const resultCount = int16(bytes, next) & 0xffff;
  if (next + 2 + resultCount * 2 !== end) return undefined;
  const resultFormats = readFormats(bytes, next + 2, resultCount);
  const portal = textOf(bytes, portalAt, portalEnd);
  const statement = textOf(bytes, portalEnd + 1, statementEnd);
  if (portal === undefined || statement === undefined || resultFormats === undefined) {
    return undefined;
  }
  return { portal, statement, parameters, resultFormats };
}

export interface NamedMessage {
  readonly what: 'statement' | 'portal';
  readonly name: string;
}

/** A Describe or a Close. */
export function readNamed(bytes: Uint8Array, at: number, end: number): NamedMessage | undefined {
  const kind = bytes[at + headerBytes];
  const nameAt = at + headerBytes + 1;
  if ((kind !== 0x53 && kind !== 0x50) || stringEnd(bytes, nameAt, end) !== end - 1) {
    return undefined;
  }
  const name = textOf(bytes, nameAt, end - 1);
  return name === undefined ? undefined : { what: kind === 0x53 ? 'statement' : 'portal', name };
}

/** The portal's name of an Execute; the row limit is the server's business. */
export function readExecute(bytes: Uint8Array, at: number, end: number): string | undefined {
  const nameAt = at + headerBytes;
  const nameEnd = stringEnd(bytes, nameAt, end);
  return nameEnd < 0 || nameEnd + 5 !== end ? undefined : textOf(bytes, nameAt, nameEnd);
}

/** One column of a row description. */
export interface FieldDescription {
  readonly name: string;
  /** The relation that the column comes from, 0 for an expression. */
  readonly tableOid: number;
  /** Its number there, 0 for an expression or a whole row. */
  readonly attnum: number;
  readonly typeOid: number;
  /** `pg_type.typlen`; negative for a length that varies. */
  readonly typeBytes: number;
  readonly typmod: number;
  readonly format: number;
}

export function readRowDescription(
  bytes: Uint8Array,
  at: number,
  end: number,
): readonly FieldDescription[] | undefined {
  let next = at + headerBytes + 2;
  if (next > end) return undefined;
  const count = int16(bytes, next - 2) & 0xffff;
  const fields: FieldDescription[] = [];
  for (let index = 0; index < count; index += 1) {
    const nameEnd = stringEnd(bytes, next, end);
    if (nameEnd < 0 || nameEnd + 19 > end) return undefined;
    fields.push({
      name: textOf(bytes, next, nameEnd) ?? '',
      tableOid: int32(bytes, nameEnd + 1) >>> 0,
      attnum: int16(bytes, nameEnd + 5),
      typeOid: int32(bytes, nameEnd + 7) >>> 0,
      typeBytes: int16(bytes, nameEnd + 11),
      typmod: int32(bytes, nameEnd + 13),
      format: int16(bytes, nameEnd + 17),
    });
    next = nameEnd + 19;
  }
  return next === end ? fields : undefined;
}

/** The type numbers of a ParameterDescription. */
export function readParameterTypes(
  bytes: Uint8Array,
  at: number,
  end: number,
): readonly number[] | undefined {
  const first = at + headerBytes + 2;
  if (first > end) return undefined;
  const count = int16(bytes, first - 2) & 0xffff;
  if (first + count * 4 !== end) return undefined;
  const types: number[] = [];
  for (let index = 0; index < count; index += 1) types.push(int32(bytes, first + index * 4) >>> 0);
  return types;
}

/** One field of an ErrorResponse or NoticeResponse; `[start, end)` is its text in the message. */
export interface NoticeField {
  readonly code: string;
  readonly start: number;
  readonly end: number;
}

export function readNoticeFields(
  bytes: Uint8Array,
  at: number,
  end: number,
): readonly NoticeField[] | undefined {
  const fields: NoticeField[] = [];
  let next = at + headerBytes;
  while (next < end && bytes[next] !== 0) {
    const stop = stringEnd(bytes, next + 1, end);
    if (stop < 0) return undefined;
    fields.push({ code: String.fromCharCode(bytes[next] ?? 0), start: next + 1, end: stop });
    next = stop + 1;
  }
  return next === end - 1 ? fields : undefined;
}

/** Name and value of a ParameterStatus. */
export function readParameterStatus(
  bytes: Uint8Array,
  at: number,
  end: number,
): readonly [name: string, value: string] | undefined {
  const nameAt = at + headerBytes;
  const nameEnd = stringEnd(bytes, nameAt, end);
  if (nameEnd < 0 || stringEnd(bytes, nameEnd + 1, end) !== end - 1) return undefined;
  const name = textOf(bytes, nameAt, nameEnd);
  const value = textOf(bytes, nameEnd + 1, end - 1);
  return name === undefined || value === undefined ? undefined : [name, value];
}
