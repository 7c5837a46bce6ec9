/**
 * What the analyser knows of a value before it exists: its type, and which masked columns may have
 * gone into it. A value with no sources that is not `unknown` is proved to be independent of every
 * masked column; everything else is masked. Immutable, and shared where nothing is known to matter.
 */
import type { Oid } from './catalogue.ts';
import { textType, unknownType } from './type-oids.ts';

export interface Value {
  /** 0 when it is not settled, `unknown` (705) for a literal or parameter without a type. */
  readonly type: Oid;
  /** `schema.table.column` of masked columns, sorted, each once. For a row: of all its fields. */
  readonly sources: readonly string[];
  /** The masked column whose value it is, unchanged. */
  readonly direct: string | undefined;
  /** True when it may come from anything. */
  readonly unknown: boolean;
  /** The fields of a row, where they are known. */
  readonly fields: readonly Column[] | undefined;
}

/** A named value: a column of a table, of a result, a field of a row. */
export interface Column {
  readonly name: string;
  readonly value: Value;
}

const noSources: readonly string[] = [];
const cleanByType = new Map<Oid, Value>();

/** A value that no masked column reaches. */
export function clean(type: Oid): Value {
  const known = cleanByType.get(type);
  if (known !== undefined) return known;
  const value = { type, sources: noSources, direct: undefined, unknown: false, fields: undefined };
  // Types come from catalogues, which are bounded; a full table only costs an allocation.
  if (cleanByType.size < 4096) cleanByType.set(type, value);
  return value;
}

/** Of any type: the result of what needs no type. */
export const cleanAny: Value = clean(0);

/** A literal or a parameter to which the server gives a type later. */
export const untyped: Value = clean(unknownType);

/** A value of which nothing could be decided. */
export const unknownValue: Value = {
  type: 0,
  sources: noSources,
  direct: undefined,
  unknown: true,
  fields: undefined,
};

/** Whether a masked column may reach the value. */
export function isTainted(value: Value): boolean {
  return value.unknown || value.sources.length > 0;
}

/** Two sorted lists as one. */
export function union(left: readonly string[], right: readonly string[]): readonly string[] {
  if (right.length === 0 || left === right) return left;
  if (left.length === 0) return right;
  const all = new Set(left);
  for (const source of right) all.add(source);
  return all.size === left.length ? left : [...all].sort();
}

/** A value computed from others: it may carry what any of them carries, and is none of them. */
export function derived(type: Oid, from: readonly Value[]): Value {
  let sources = noSources;
  let unknown = false;
  for (const value of from) {
    if (value.sources.length > 0) sources = union(sources, value.sources);
    if (value.unknown) unknown = true;
  }
  if (sources.length === 0 && !unknown) return clean(type);
  return { type, sources, direct: undefined, unknown, fields: undefined };
}

/** A value that is one of others (CASE, COALESCE, set operations): unchanged, but which is open. */
export function either(from: readonly Value[]): Value {
  const [first, ...rest] = from;
  if (first === undefined) return cleanAny;
  if (rest.every((value) => value === first)) return first;
  const type = commonType(from);
  const value = derived(type, from);
  const direct = from.every((one) => one.direct === first.direct) ? first.direct : undefined;
  const fields = eitherFields(from);
  if (direct === undefined && fields === undefined) return value;
  return { ...value, direct, fields };
}

/** The type that all have; a literal takes the others' type, as the server resolves it. */
function commonType(from: readonly Value[]): Oid {
  let type: Oid = unknownType;
  for (const value of from) {
    if (value.type === unknownType || value.type === type) continue;
    if (type !== unknownType) return 0;
    type = value.type;
  }
  return type;
}

function eitherFields(from: readonly Value[]): readonly Column[] | undefined {
  const first = from[0]?.fields;
  if (first === undefined) return undefined;
  for (const { fields } of from) {
    if (fields?.length !== first.length) return undefined;
    if (fields.some((field, at) => field.name !== first[at]?.name)) return undefined;
  }
  return first.map(({ name }, at) => ({
    name,
    value: either(from.map((value) => value.fields?.[at]?.value ?? unknownValue)),
  }));
}

/** Columns of a sub-query as the query around it sees them: what is still a literal is text there. */
export function settled(columns: readonly Column[]): readonly Column[] {
  if (columns.every((column) => column.value.type !== unknownType)) return columns;
  return columns.map(({ name, value }) => ({
    name,
    value: value.type === unknownType ? retyped(value, textType) : value,
  }));
}

/** The same value, and each of its fields, as one that may come from anything. */
export function fromAnywhere(value: Value): Value {
  const fields = value.fields?.map((field) => ({
    name: field.name,
    value: { ...field.value, direct: undefined, unknown: true },
  }));
  return { ...value, direct: undefined, unknown: true, fields };
}

/** A row of the given fields. */
export function rowOf(type: Oid, fields: readonly Column[]): Value {
  const values = fields.map((field) => field.value);
  return { ...derived(type, values), fields };
}

/** The same value under another type, when the conversion keeps what it says. */
export function retyped(value: Value, type: Oid): Value {
  if (value.type === type) return value;
  return value.sources.length === 0 && !value.unknown && value.fields === undefined
    ? clean(type)
    : { ...value, type };
}

/** The same value with more that may have gone into it. */
export function withTaint(value: Value, from: readonly Value[]): Value {
  if (!from.some(isTainted)) return value;
  const all = derived(value.type, [value, ...from]);
  const same = from.every((one) => !isTainted(one) || one.direct === value.direct);
  return same ? { ...all, direct: value.direct } : all;
}
