/**
 * Queries: SELECT, VALUES, set operations, WITH. The result is its columns with what each may
 * carry; conditions, grouping and order go into the facts as uses of the columns that they look at.
 */
import type { Node, SelectStmt } from 'libpg-query';
import { sortUses, windowUses } from './call-expression.ts';
import { commonValue } from './expression.ts';
import { fromClause } from './from.ts';
import { fullName, newRelationName } from './object-names.ts';
import { objectKind } from './relations.ts';
import { findColumn, type Scope, withSources } from './scope.ts';
import { starColumns, targetColumns } from './targets.ts';
import { itemsOf, kindOf } from './tree.ts';
import { checkOrdering } from './ordering.ts';
import { type Column, settled, unknownValue, type Value } from './values.ts';
import { deeper, readLiteral, spend, type Walk } from './walk.ts';
import { withClause } from './with.ts';

/** The result of a query; undefined when its columns are not known. */
export function query(walk: Walk, select: SelectStmt, scope: Scope): readonly Column[] | undefined {
  const columns = openQuery(walk, select, scope);
  return columns === undefined ? undefined : settled(columns);
}

/** The same, with literals that take their type from where the result goes. */
export function openQuery(
  walk: Walk,
  select: SelectStmt,
  scope: Scope,
): readonly Column[] | undefined {
  spend(walk);
  return deeper(walk, () => {
    const own =
      select.withClause === undefined ? scope : withClause(walk, select.withClause, scope);
    const columns = body(walk, select, own);
    if (select.intoClause !== undefined) {
      const { rel } = select.intoClause;
      walk.facts.effect('create');
      walk.facts.object('table', newRelationName(walk, rel), 'create');
      walk.facts.changes.push({ kind: 'catalogue' });
      for (const column of columns ?? []) walk.facts.use(column.value, 'copy');
    }
    return columns;
  });
}

function body(walk: Walk, select: SelectStmt, scope: Scope): readonly Column[] | undefined {
  if (select.op !== undefined && select.op !== 'SETOP_NONE')
    return setOperation(walk, select, scope);
  if (select.valuesLists !== undefined) {
    const columns = values(walk, select.valuesLists, scope);
    tail(walk, select, columns, withSources(scope, scope.sources));
    return columns;
  }
  const sources = fromClause(walk, select.fromClause ?? [], scope);
  const inside = withSources(scope, sources);
  if (select.whereClause !== undefined) {
    walk.facts.use(walk.entries.expression(walk, select.whereClause, inside), 'filter');
  }
  const columns = targetColumns(walk, select.targetList ?? [], inside);
  for (const node of select.groupClause ?? []) grouped(walk, node, columns ?? [], inside);
  if (select.havingClause !== undefined) {
    walk.facts.use(walk.entries.expression(walk, select.havingClause, inside), 'filter');
  }
  for (const node of select.windowClause ?? []) {
    if ('WindowDef' in node) windowUses(walk, node.WindowDef, inside);
    else walk.facts.partial(`${kindOf(node)} is not analysed`);
  }
  for (const node of select.distinctClause ?? []) distinct(walk, node, columns ?? [], inside);
  tail(walk, select, columns, inside);
  if (select.lockingClause !== undefined) locked(walk, select, inside);
  return columns;
}

/** ORDER BY, LIMIT and OFFSET. */
function tail(
  walk: Walk,
  select: SelectStmt,
  columns: readonly Column[] | undefined,
  scope: Scope,
): void {
  for (const node of select.sortClause ?? []) {
    const key = 'SortBy' in node ? node.SortBy.node : undefined;
    if (key === undefined) {
      walk.facts.partial('a sort key is not analysed');
      continue;
    }
    const value = byOutput(walk, key, columns ?? []) ?? walk.entries.expression(walk, key, scope);
    sortUses(walk, node, value);
    walk.facts.use(value, 'order');
  }
  for (const node of [select.limitCount, select.limitOffset]) {
    if (node !== undefined) walk.facts.use(walk.entries.expression(walk, node, scope), 'filter');
  }
}

/** What a number or a bare name in ORDER BY or DISTINCT ON means first: an output column. */
function byOutput(walk: Walk, node: Node, columns: readonly Column[]): Value | undefined {
  const position = positionOf(walk, node);
  if (position !== undefined) return columns[position - 1]?.value ?? unknownValue;
  const name = bareName(node);
  return name === undefined ? undefined : findColumn(columns, name);
}

function positionOf(walk: Walk, node: Node): number | undefined {
  if (!('A_Const' in node) || node.A_Const.ival === undefined) return undefined;
  readLiteral(walk);
  return node.A_Const.ival.ival ?? 0;
}

function bareName(node: Node): string | undefined {
  if (!('ColumnRef' in node) || node.ColumnRef.fields?.length !== 1) return undefined;
  const [field] = node.ColumnRef.fields;
  return field !== undefined && 'String' in field ? field.String.sval : undefined;
}

/** GROUP BY: a name is a column of the tables first, then of the output. */
function grouped(walk: Walk, node: Node, columns: readonly Column[], scope: Scope): void {
  if ('GroupingSet' in node) {
    for (const inner of node.GroupingSet.content ?? []) grouped(walk, inner, columns, scope);
    return;
  }
  if ('RowExpr' in node && node.RowExpr.row_format === 'COERCE_IMPLICIT_CAST') {
    for (const inner of node.RowExpr.args ?? []) grouped(walk, inner, columns, scope);
    return;
  }
  const position = positionOf(walk, node);
  const name = bareName(node);
  const input = name === undefined ? undefined : findColumn(scope.sources.visible, name);
  const output = name === undefined ? undefined : findColumn(columns, name);
  const value =
    (position === undefined ? undefined : (columns[position - 1]?.value ?? unknownValue)) ??
    input ??
    output ??
    walk.entries.expression(walk, node, scope);
  walk.facts.use(value, 'group');
  checkOrdering(walk, value.type);
}

/** DISTINCT compares all columns, DISTINCT ON those that it names. */
function distinct(walk: Walk, node: Node, columns: readonly Column[], scope: Scope): void {
  // A plain DISTINCT is a list with an empty node.
  const all = kindOf(node) === '';
  const compared = all
    ? columns.map((column) => column.value)
    : [byOutput(walk, node, columns) ?? walk.entries.expression(walk, node, scope)];
  for (const value of compared) {
    walk.facts.use(value, 'group');
    checkOrdering(walk, value.type);
  }
}

function values(walk: Walk, lists: readonly Node[], scope: Scope): readonly Column[] | undefined {
  const perColumn: Set<Value>[] = [];
  for (const list of lists) {
    const row = itemsOf(list).flatMap((node): readonly (Value | undefined)[] => {
      const star = starColumns(walk, node, scope);
      if (star === 'no star') return [walk.entries.expression(walk, node, scope)];
      return star?.map((column) => column.value) ?? [undefined];
    });
    for (const [at, value] of row.entries()) {
      if (value === undefined) return undefined;
      const seen = perColumn[at];
      if (seen === undefined) perColumn.push(new Set([value]));
      else seen.add(value);
    }
  }
  return perColumn.map((seen, at) => ({
    name: `column${at + 1}`,
    value: commonValue(walk, [...seen], 'open'),
  }));
}

/** UNION, INTERSECT, EXCEPT, column by column. Long chains lean to the left: no recursion there. */
function setOperation(walk: Walk, select: SelectStmt, scope: Scope): readonly Column[] | undefined {
  const arms: { readonly operation: SelectStmt; readonly right: SelectStmt | undefined }[] = [];
  let left: SelectStmt | undefined = select;
  while (left !== undefined && isPlainOperation(left, select)) {
    arms.push({ operation: left, right: left.rarg });
    left = left.larg;
  }
  let columns = left === undefined ? undefined : openQuery(walk, left, scope);
  for (const { operation, right } of arms.reverse()) {
    const other = right === undefined ? undefined : openQuery(walk, right, scope);
    columns = combined(walk, operation, columns, other);
  }
  tail(walk, select, columns, scope);
  return columns;
}

/** A set operation without clauses of its own, unless it is the outermost. */
function isPlainOperation(select: SelectStmt, outermost: SelectStmt): boolean {
  if (select.op === undefined || select.op === 'SETOP_NONE') return false;
  if (select === outermost) return true;
  const { sortClause, limitCount, limitOffset, withClause: own, lockingClause } = select;
  return [sortClause, limitCount, limitOffset, own, lockingClause].every(
    (one) => one === undefined,
  );
}

function combined(
  walk: Walk,
  operation: SelectStmt,
  left: readonly Column[] | undefined,
  right: readonly Column[] | undefined,
): readonly Column[] | undefined {
  if (left === undefined || right?.length !== left.length) {
    walk.facts.partial('the columns of a set operation are not known');
    return undefined;
  }
  const columns = left.map(({ name, value }, at) => ({
    name,
    value: commonValue(walk, [value, right[at]?.value ?? unknownValue]),
  }));
  const union = operation.op === 'SETOP_UNION';
  if (!union || operation.all !== true) {
    for (const { value } of columns) {
      walk.facts.use(value, union ? 'group' : 'filter');
      checkOrdering(walk, value.type);
    }
  }
  return columns;
}

/**
 * FOR UPDATE and its like: the rows are locked as by an UPDATE, and it needs the right to update.
 * Without a condition or a limit it holds up everyone.
 */
function locked(walk: Walk, select: SelectStmt, scope: Scope): void {
  walk.facts.effect('update');
  if (select.whereClause === undefined && select.limitCount === undefined)
    walk.facts.effect('lock');
  for (const { relation } of scope.sources.items) {
    if (relation !== undefined)
      walk.facts.object(objectKind(relation), fullName(relation), 'write');
  }
}
