/**
 * What happens to each column of a result: nothing, a mask, or a scan by content. Decided once a
 * result, from three sources that are joined so that any of them can add a mask and none can take
 * one away: the row description's own origin (table and attribute number), the analyser's lineage,
 * and the masks of the policy in force.
 *
 * Invariant: where the origin of a value cannot be told while masks exist that it might be under,
 * it is masked.
 */
import { GatewayError, unreachable } from '#core/errors.ts';
import type { ColumnMask, ContentScanner, MaskSet, Transform } from '#core/masking.ts';
import type { FieldDescription, ResultFormats } from './codec/read.ts';
import { textOf } from './codec/read.ts';
import { type CellType, cellType } from './results-types.ts';
import type { Running } from './relay-expected.ts';
import type { Catalogue, Relation } from './sql/catalogue.ts';
import type { OutputColumn, SqlStatement } from './sql/types.ts';

/** A row description as the server sent it. */
export interface Description {
  readonly fields: readonly FieldDescription[];
}

export interface ColumnPlan {
  readonly action: 'pass' | 'mask' | 'scan';
  readonly transform: Transform;
  readonly type: CellType;
  readonly binary: boolean;
  /** The replacement when it is the same for every value; undefined when it is not. */
  readonly constant: Uint8Array | null | undefined;
  /** What the column's name says to the scanner. */
  readonly hint: number;
  /** Whether the constant stands for NULL too: of a computed value, being NULL may be the answer. */
  readonly hidesNull: boolean;
}

export interface RowPlan {
  /** Version of the masks in force that it was made under; another one needs another plan. */
  readonly version: string;
  /** The masks that hold for its cells: those in force without what an approval lifted. */
  readonly masks: MaskSet;
  /** Every cell of every row leaves as it is. */
  readonly passes: boolean;
  readonly columns: readonly ColumnPlan[];
  /** A cell above it that would have to be read is replaced unread. */
  readonly cellBytesMax: number;
}

/** What a plan is made from. */
export interface PlanParts {
  readonly running: Running;
  /** Those in force. */
  readonly masks: MaskSet;
  readonly catalogue: Catalogue;
  readonly cellBytesMax: number;
}

export const redact: Transform = { kind: 'redact' };
const PARENTS_MAX = 32;
const TEXT_OID = 25;
const timestamptzType = 1184;

/** Whether the statement can reach anything that a mask covers. */
export function mayTouchMasked(statement: SqlStatement, masks: MaskSet): boolean {
  if (masks.columns.length === 0) return false;
  const { facts } = statement;
  return facts.analysis !== 'complete' || facts.columns.some((column) => column.masked);
}

/** As {@link mayTouchMasked}; what was found under other masks says nothing. */
const mayReturnMasked = (item: Running, masks: MaskSet): boolean =>
  holds(item, masks) ? mayTouchMasked(item.statement, masks) : masks.columns.length > 0;

const outputOf = (item: Running, masks: MaskSet): SqlStatement['output'] =>
  holds(item, masks) ? item.statement.output : undefined;

/** Whether what was found of a statement is about these masks and the definitions of now. */
const holds = ({ masks: then, isDoubtful }: Running, masks: MaskSet): boolean =>
  then.version === masks.version && !isDoubtful;

/** Whether a description of its columns will be needed; rows that come without one do not leave. */
export const needsDescription = (item: Running, masks: MaskSet): boolean =>
  !masks.empty && outputOf(item, masks)?.length !== 0;

/** Whether COPY data of the statement can leave unread. Nothing but the analyser tells its columns. */
export function copyPasses(item: Running, masks: MaskSet): boolean {
  if (masks.empty) return true;
  const clean = (column: OutputColumn): boolean => !column.unknown && column.sources.length === 0;
  if (masks.content !== undefined || mayReturnMasked(item, masks)) return false;
  return outputOf(item, masks)?.every(clean) ?? true;
}

/** Whether a label may carry a value: one that was not in the text, but made by dynamic SQL. */
export const labelsMayLeak = (item: Running, masks: MaskSet): boolean =>
  !masks.empty && outputOf(item, masks) === undefined && mayReturnMasked(item, masks);

/** A plan that lets everything pass. */
export const passPlan = (masks: MaskSet): RowPlan => ({
  version: masks.version,
  masks,
  passes: true,
  columns: [],
  cellBytesMax: 0,
});

/** The plan of a result whose columns the server described. */
export function planRows(
  parts: PlanParts,
  description: Description,
  formats: ResultFormats | undefined,
): RowPlan {
  const { masks, running } = parts;
  const { fields } = description;
  if (masks.empty) return passPlan(masks);
  const all = outputOf(running, masks);
  // Another number of columns than expected: what the analyser says is not of this result.
  const output = all?.length === fields.length ? all : undefined;
  const left = masksLeft(running, masks);
  const columns = fields.map((field, index) => {
    const one = output?.[index];
    const origin = maskByOrigin(parts, field);
    // An origin is exact: the value is that column's own. Lineage alone may say "derived from".
    const transform = origin ?? maskByLineage(parts, one);
    const computed = origin === undefined && one?.direct === undefined;
    const binary = formatOf(field, formats, index, fields.length) === 1;
    const { name, typeOid } = field;
    const named = { name, type: cellType(typeOid), binary, computed };
    const sample = typeOid === timestamptzType ? epoch : undefined;
    return columnPlan(left, named, transform, sample);
  });
  const passes = columns.every((column) => column.action === 'pass');
  const { cellBytesMax } = parts;
  return { version: masks.version, masks: left, passes, columns, cellBytesMax };
}

/**
 * The masks that hold for a statement's cells. What an approval lifted it lifted from the masks of
 * then; under others nothing is lifted.
 */
export const masksLeft = ({ lifted, masks: then }: Running, masks: MaskSet): MaskSet =>
  lifted.length > 0 && then.version === masks.version ? masks.without(lifted) : masks;

/** The plans of a COPY's columns, which the server names nowhere: from the analyser alone. */
export function planCopy(
  parts: PlanParts,
  columns: number,
  binary: boolean,
): readonly ColumnPlan[] {
  const { masks, running } = parts;
  const left = masksLeft(running, masks);
  const all = outputOf(running, masks);
  const output = all?.length === columns ? all : undefined;
  return Array.from({ length: columns }, (_, index) => {
    const column = output?.[index];
    const type = copyType(parts, column, binary);
    const computed = column?.direct === undefined;
    const named = { name: column?.name ?? '', type, binary, computed };
    return columnPlan(left, named, maskByLineage(parts, column));
  });
}

/**
 * Lines have no types: the analyser's, where it has seen through the statement; otherwise what
 * passes is text to the scanner, and what is masked may become NULL.
 */
function copyType(parts: PlanParts, column: OutputColumn | undefined, binary: boolean): CellType {
  const [schema = '', table = '', name] = (column?.direct ?? '').split('.');
  const found = parts.catalogue.relation(schema, table)?.columns.find((each) => each.name === name);
  if (found !== undefined) return cellType(found.typeOid);
  const isMasked = column === undefined || column.unknown || column.sources.length > 0;
  if (binary || isMasked) return cellType(0);
  const isSure = parts.running.statement.facts.analysis === 'complete';
  return cellType(isSure ? column.typeOid || TEXT_OID : TEXT_OID);
}

function formatOf(
  field: FieldDescription,
  formats: ResultFormats | undefined,
  index: number,
  count: number,
): number {
  if (formats === undefined) return field.format;
  if (formats.length <= 1) return formats[0] ?? 0;
  if (formats.length !== count) {
    throw new GatewayError('SP_TARGET_PROTOCOL', { detail: 'formats that fit no column' });
  }
  return formats[index] ?? 0;
}

/** A column of a result. */
interface Named {
  readonly name: string;
  readonly type: CellType;
  readonly binary: boolean;
  /** Whether its values are anything else than those of one column as they are. */
  readonly computed: boolean;
}

/** For the form of the values that stand for a computed one: with a zone. */
const epoch = '1970-01-01 00:00:00+00';

/**
 * The plan of one column, `transform` undefined when no mask covers it.
 *
 * @param sample - a value that has the form of the column's own.
 */
function columnPlan(
  masks: MaskSet,
  { name, type, binary, computed }: Named,
  transform: Transform | undefined,
  sample?: string,
): ColumnPlan {
  if (transform !== undefined) {
    // What was computed says nothing at all: not whether it is NULL, nor in which zone or family.
    const constant =
      computed || isConstant(transform, type)
        ? encodeCell(type, binary, replacement(masks, transform, type, sample))
        : undefined;
    return { action: 'mask', transform, type, binary, constant, hint: 0, hidesNull: computed };
  }
  const hint = masks.content?.hint(name) ?? 0;
  const action = masks.content !== undefined && isScanned(type, hint) ? 'scan' : 'pass';
  const constant = undefined;
  return { action, transform: redact, type, binary, constant, hint, hidesNull: false };
}

/** Numbers, dates and the like hold no personal data that can be told, unless the name says so. */
function isScanned(type: CellType, hint: number): boolean {
  switch (type.kind) {
    case 'text':
    case 'json':
    case 'bytes':
    case 'other':
      return true;
    case 'integer':
    case 'decimal':
    case 'inet':
      return hint !== 0;
    case 'float':
    case 'boolean':
    case 'date':
    case 'time':
    case 'timestamp':
    case 'interval':
    case 'uuid':
    case 'macaddr':
      return false;
    default:
      return unreachable(type.kind);
  }
}

/** Whether the replacement is the same for every value. Zones and families of addresses are kept. */
const isConstant = (transform: Transform, type: CellType): boolean =>
  transform.kind === 'null' ||
  transform.kind === 'fixed' ||
  type.elementOid !== 0 ||
  (transform.kind === 'redact' && type.kind !== 'timestamp' && type.kind !== 'inet');

function replacement(
  masks: MaskSet,
  transform: Transform,
  type: CellType,
  text: string | undefined,
): string | null {
  // An array is emptied, whatever the mask: that is valid for every element type.
  if (type.elementOid !== 0) return transform.kind === 'null' ? null : '{}';
  return masks.replace(transform, type.kind, text);
}

const encoder = new TextEncoder();

function encodeCell(type: CellType, binary: boolean, text: string | null): Uint8Array | null {
  if (text === null) return null;
  // Never text in a typed binary cell: what has no binary form becomes NULL.
  return binary ? (type.encode(text) ?? null) : encoder.encode(text);
}

/**
 * What leaves in place of the value at `[start, end)`; undefined when it leaves as it is, null for
 * SQL's NULL.
 */
export function maskedCell(
  plan: ColumnPlan,
  masks: MaskSet,
  bytes: Uint8Array,
  start: number,
  end: number,
): Uint8Array | null | undefined {
  if (plan.action === 'mask') {
    if (plan.constant !== undefined) return plan.constant;
    const { type, binary, transform } = plan;
    const text = binary ? type.decode(bytes, start, end) : textOf(bytes, start, end);
    return encodeCell(type, binary, replacement(masks, transform, type, text));
  }
  if (plan.action === 'scan' && masks.content !== undefined) {
    const { type, binary, hint } = plan;
    const isText = !binary || type.kind === 'text' || type.kind === 'bytes';
    if (isText) return masks.content.cell(bytes, start, end, type.kind, hint);
    return scannedBinary(plan, masks, masks.content, bytes.subarray(start, end));
  }
  return undefined;
}

/** As {@link maskedCell} for a value whose binary form is not its text. */
function scannedBinary(
  plan: ColumnPlan,
  masks: MaskSet,
  scanner: ContentScanner,
  cell: Uint8Array,
): Uint8Array | null | undefined {
  const { type, binary, hint } = plan;
  const { kind } = type;
  if (kind === 'other') {
    // A hit inside a structure of lengths cannot be cut out of it.
    return scanner.cell(cell, 0, cell.length, 'text', hint) === undefined ? undefined : null;
  }
  const text = type.decode(cell, 0, cell.length);
  if (text === undefined) return null;
  const value = encoder.encode(text);
  const found = scanner.cell(value, 0, value.length, kind, hint);
  if (found === undefined) return undefined;
  const masked = type.encode(textOf(found, 0, found.length) ?? '');
  return masked ?? encodeCell(type, binary, replacement(masks, redact, type, undefined));
}

/** What a cell above the limit leaves as, unread. */
export const oversizeCell = (plan: ColumnPlan, masks: MaskSet): Uint8Array | null =>
  encodeCell(plan.type, plan.binary, replacement(masks, redact, plan.type, undefined));

function maskByLineage(parts: PlanParts, output: OutputColumn | undefined): Transform | undefined {
  const { masks } = parts;
  if (output === undefined) return mayReturnMasked(parts.running, masks) ? redact : undefined;
  if (output.unknown) return masks.columns.length > 0 ? redact : undefined;
  const left = masksLeft(parts.running, masks);
  const held =
    left === masks
      ? output.sources
      : output.sources.filter((source) => !isLifted(masks, left, source));
  if (held.length === 0) return undefined;
  const direct = output.direct === undefined ? undefined : maskOf(left, output.direct);
  return held.length === 1 && direct !== undefined ? direct.transform : redact;
}

/** Whether a mask was on the column and none is left. One that cannot be looked up stays. */
const isLifted = (masks: MaskSet, left: MaskSet, column: string): boolean =>
  maskOf(masks, column) !== undefined && maskOf(left, column) === undefined;

function maskOf(masks: MaskSet, name: string): ColumnMask | undefined {
  const [schema = '', table = '', column, ...more] = name.split('.');
  // A name with a point in a part cannot be taken apart; without its mask the value is redacted.
  return column === undefined || more.length > 0 ? undefined : masks.column(schema, table, column);
}

/** The mask on the column that the row description names, through tables it inherits from. */
function maskByOrigin(parts: PlanParts, field: FieldDescription): Transform | undefined {
  const { masks, catalogue } = parts;
  if (field.tableOid === 0 || masks.columns.length === 0) return undefined;
  const relation = catalogue.relationByOid(field.tableOid);
  // System columns (negative numbers) hold nothing that a mask can be on.
  if (relation !== undefined && field.attnum < 0) return undefined;
  // A whole row has the number 0, and every column in it.
  const isRow = field.attnum === 0;
  const columns = relation?.columns.filter((each) => isRow || each.attnum === field.attnum) ?? [];
  if (relation === undefined || (columns.length === 0 && !isRow)) return redact;
  const left = masksLeft(parts.running, masks);
  let seen = 0;
  const queue: Relation[] = [relation];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    for (const column of columns) {
      const mask = left.column(next.schema, next.name, column.name);
      if (mask !== undefined) return isRow ? redact : mask.transform;
    }
    seen += 1;
    if (seen > PARENTS_MAX) return redact;
    for (const oid of next.parentOids) {
      const parent = catalogue.relationByOid(oid);
      if (parent === undefined) return redact;
      queue.push(parent);
    }
  }
  return undefined;
}
