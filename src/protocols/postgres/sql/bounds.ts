/**
 * How many rows of a write's target its condition can select at most: by a unique key that is
 * compared with values which do not depend on the row, by lists, and by the limits of sub-queries.
 *
 * Never too few: what is not recognised here bounds nothing. It says nothing of rules, triggers and
 * cascades, which `write-effects.ts` adds. A session that writes again and again is not its affair.
 */
import type { A_Expr, ColumnRef, Node, SelectStmt, SubLink } from 'libpg-query';
import type { IndexInfo, Oid, Relation } from './catalogue.ts';
import { aside } from './labels.ts';
import { chooseOperators, operatorsNamed } from './overloads.ts';
import { baseType, typeNamed } from './resolve-types.ts';
import { emptyScope, type Item, type Scope } from './scope.ts';
import { itemsOf, literalText, namesOf } from './tree.ts';
import { int4Type, int8Type, textType, unknownType, varcharType } from './type-oids.ts';
import { readLiteral, type Walk } from './walk.ts';

/** What bounds nothing is bounded by this. */
export const unbounded: number = Number.POSITIVE_INFINITY;

/** Alternatives of one condition that are looked at. */
const alternativesMax = 64;

/** Where a condition stands. */
interface Place {
  readonly walk: Walk;
  /** With the target and everything that it is joined with in view. */
  readonly scope: Scope;
  /** What the target is joined with, by alias; only what takes part in inner joins. */
  readonly joined: ReadonlyMap<string, Node>;
}

/** A column that is equal to few values: to `count` of them, or to those of another item. */
interface Bound {
  readonly item: Item;
  readonly column: string;
  readonly count: number;
  readonly of: string | undefined;
}

/** An operator between a column and something else. */
interface Comparison {
  readonly operator: readonly string[];
  /** Whether the column stands on its right. */
  readonly flipped?: boolean;
}

/** What is written to. */
export interface Written {
  readonly relation: Relation | undefined;
  readonly item: Item;
}

/** The most rows of the target for which all conditions can hold. */
export function rowsMax(
  walk: Walk,
  target: Written,
  conditions: readonly (Node | undefined)[],
  join: { readonly scope: Scope; readonly from: readonly Node[] },
): number {
  // What is in a function or a rule may run any number of times.
  if (walk.expansion > 0 || target.relation === undefined) return unbounded;
  const joined = new Map<string, Node>();
  const all = conditions.flatMap((one) => (one === undefined ? [] : conjuncts(one)));
  for (const node of join.from) all.push(...joinedWith(node, joined));
  const place: Place = { walk: aside(walk), scope: join.scope, joined };
  return rowsOf(place, target.item, all, new Set([target.item.alias]));
}

/** The most rows that a query gives, when it is run once. */
export function queryRowsMax(walk: Walk, query: SelectStmt): number {
  const { valuesLists, fromClause, targetList, limitCount, limitOption } = query;
  const rows = bodyRowsMax(walk, query);
  if (valuesLists !== undefined) return Math.min(rows, valuesLists.length);
  if (limitCount !== undefined && limitOption !== 'LIMIT_OPTION_WITH_TIES') {
    readLiteral(walk);
    const limit = Number(literalText(limitCount) ?? Number.NaN);
    if (Number.isSafeInteger(limit) && limit >= 0) return Math.min(rows, limit);
  }
  const single = query.op === 'SETOP_NONE' && fromClause === undefined;
  return single && !mentions(targetList, callKinds) ? Math.min(rows, 1) : rows;
}

function bodyRowsMax(walk: Walk, { op, larg, rarg }: SelectStmt): number {
  if (larg === undefined || rarg === undefined) return unbounded;
  const left = queryRowsMax(walk, larg);
  if (op === 'SETOP_EXCEPT') return left;
  const right = queryRowsMax(walk, rarg);
  return op === 'SETOP_UNION' ? left + right : Math.min(left, right);
}

/** Notes what an inner join brings; gives its conditions. */
function joinedWith(node: Node, joined: Map<string, Node>): readonly Node[] {
  if ('RangeVar' in node) {
    joined.set(node.RangeVar.alias?.aliasname ?? node.RangeVar.relname ?? '', node);
  } else if ('RangeSubselect' in node && node.RangeSubselect.lateral !== true) {
    joined.set(node.RangeSubselect.alias?.aliasname ?? '', node);
  } else if ('JoinExpr' in node && node.JoinExpr.jointype === 'JOIN_INNER') {
    const { larg, rarg, quals } = node.JoinExpr;
    const sides = [larg, rarg].filter((one) => one !== undefined);
    const inner = sides.flatMap((one) => joinedWith(one, joined));
    return quals === undefined ? inner : [...inner, ...conjuncts(quals)];
  }
  return [];
}

function conjuncts(node: Node): readonly Node[] {
  const isAnd = 'BoolExpr' in node && node.BoolExpr.boolop === 'AND_EXPR';
  return isAnd ? (node.BoolExpr.args ?? []).flatMap(conjuncts) : [node];
}

function rowsOf(
  place: Place,
  item: Item,
  conditions: readonly Node[],
  seen: ReadonlySet<string>,
): number {
  let rows = byKeys(place, item, conditions, seen);
  for (const node of conditions) {
    if (!('BoolExpr' in node) || node.BoolExpr.boolop !== 'OR_EXPR') continue;
    const alternatives = node.BoolExpr.args ?? [];
    if (alternatives.length > alternativesMax) continue;
    const others = conditions.filter((one) => one !== node && !('BoolExpr' in one));
    const sum = alternatives.reduce(
      (total, one) => total + rowsOf(place, item, [...others, ...conjuncts(one)], seen),
      0,
    );
    rows = Math.min(rows, sum);
  }
  return rows;
}

/** By the unique key that leaves the fewest rows. */
function byKeys(
  place: Place,
  item: Item,
  conditions: readonly Node[],
  seen: ReadonlySet<string>,
): number {
  const { relation } = item;
  // A key of a table says nothing of the tables that inherit from it; that of partitions does.
  const whole = relation?.kind === 'table' && relation.childOids.length === 0;
  if (relation === undefined || (!whole && relation.kind !== 'partitioned')) return unbounded;
  const bounds = conditions.flatMap((node) => boundsIn(place, node));
  const mine = bounds.filter((bound) => bound.item === item);
  let rows = unbounded;
  for (const index of relation.indexes) {
    if (!isKey(index)) continue;
    const names = index.columns.map((attnum) => nameOf(item, relation, attnum));
    rows = Math.min(rows, keyRows(place, mine, names, { conditions, seen }));
  }
  return rows;
}

const isKey = ({ unique, columns, expressions, predicate }: IndexInfo): boolean =>
  unique && expressions === undefined && predicate === undefined && columns.length > 0;

/** The name of a column as the item has it, which an alias may have changed. */
function nameOf(item: Item, relation: Relation, attnum: number): string | undefined {
  return item.columns[relation.columns.findIndex((column) => column.attnum === attnum)]?.name;
}

/** The product of what bounds each column of a key; other items count once each. */
function keyRows(
  place: Place,
  bounds: readonly Bound[],
  names: readonly (string | undefined)[],
  rest: { readonly conditions: readonly Node[]; readonly seen: ReadonlySet<string> },
): number {
  let rows = 1;
  const others = new Map<string, number>();
  for (const name of names) {
    const mine = bounds.filter((bound) => bound.column === name);
    const fixed = mine.flatMap(({ count, of }) => (of === undefined ? [count] : []));
    if (fixed.length > 0) {
      rows *= Math.min(...fixed);
      continue;
    }
    const aliases = mine.flatMap(({ of }) => (of === undefined ? [] : [of]));
    const joined = aliases.map(
      (alias) => [alias, joinedRows(place, alias, rest.conditions, rest.seen)] as const,
    );
    const [best] = joined.sort(([, a], [, b]) => a - b);
    if (best === undefined) return unbounded;
    others.set(...best);
  }
  return [...others.values()].reduce((product, count) => product * count, rows);
}

/** The most rows of something that the target is joined with. */
function joinedRows(
  place: Place,
  alias: string,
  conditions: readonly Node[],
  seen: ReadonlySet<string>,
): number {
  const node = place.joined.get(alias);
  if (node === undefined || seen.has(alias)) return unbounded;
  if ('RangeSubselect' in node) return subqueryRows(place, node.RangeSubselect.subquery);
  const item = place.scope.sources.items.find((one) => one.alias === alias);
  return item === undefined
    ? unbounded
    : rowsOf(place, item, conditions, new Set([...seen, alias]));
}

/**
 * The most values that a sub-query gives over the whole statement. It must give the same each time:
 * the server may run it again for every row.
 */
function subqueryRows({ walk, scope }: Place, node: Node | undefined): number {
  if (node === undefined || !('SelectStmt' in node)) return unbounded;
  const trial = aside(walk);
  // Without what is around it in view: what looks at a row of the target is not understood.
  trial.entries.query(trial, node.SelectStmt, { ...emptyScope, ctes: scope.ctes });
  const { analysis, effects, functions } = trial.facts.build('');
  const steady = functions.length === 0 && effects.every((effect) => effect === 'read');
  return analysis === 'complete' && steady ? queryRowsMax(walk, node.SelectStmt) : unbounded;
}

/** The columns that a condition bounds. */
function boundsIn(place: Place, node: Node): readonly Bound[] {
  if ('SubLink' in node) return bySubquery(place, node.SubLink);
  if (!('A_Expr' in node)) return [];
  const { kind, lexpr, rexpr } = node.A_Expr;
  if (lexpr === undefined || rexpr === undefined) return [];
  const by: Comparison = { operator: namesOf(node.A_Expr.name) };
  if (kind === 'AEXPR_OP') {
    const flipped = equals(place, rexpr, lexpr, { ...by, flipped: true });
    return [...equals(place, lexpr, rexpr, by), ...flipped];
  }
  if (kind === 'AEXPR_IN') return among(place, lexpr, itemsOf(rexpr), by);
  if (kind === 'AEXPR_OP_ANY') return amongArray(place, lexpr, rexpr, by);
  return kind === 'AEXPR_BETWEEN' ? inRange(place, node.A_Expr) : [];
}

/** `column = value`, `column = other.column`. */
function equals(place: Place, side: Node, other: Node, by: Comparison): readonly Bound[] {
  const found = columnIn(place, side);
  if (found === undefined || by.operator.at(-1) !== '=') return [];
  const { item, column, type } = found;
  const against = columnIn(place, other);
  if (against !== undefined) {
    if (against.item === item || !isEquality(place, by, type, against.type)) return [];
    return [{ item, column, count: 1, of: against.item.alias }];
  }
  const fixed = fixedType(place, other);
  if (fixed === undefined || !isEquality(place, by, type, fixed)) return [];
  return [{ item, column, count: 1, of: undefined }];
}

/** `column IN (value, …)`. */
function among(
  place: Place,
  side: Node,
  members: readonly Node[],
  by: Comparison,
): readonly Bound[] {
  const found = columnIn(place, side);
  if (found === undefined) return [];
  const fits = members.every((member) => {
    const type = fixedType(place, member);
    return type !== undefined && isEquality(place, by, found.type, type);
  });
  return fits ? [{ ...found, count: members.length, of: undefined }] : [];
}

/** `column = ANY (ARRAY[value, …])`, `column = ANY ('{…}')`. */
function amongArray(place: Place, side: Node, array: Node, by: Comparison): readonly Bound[] {
  if ('A_ArrayExpr' in array) return among(place, side, array.A_ArrayExpr.elements ?? [], by);
  const found = columnIn(place, side);
  const text = literalText(array);
  const type = fixedType(place, array);
  if (found === undefined || text === undefined || type === undefined) return [];
  readLiteral(place.walk);
  const info = place.walk.env.catalogue.typeByOid(type);
  const element = type === unknownType ? unknownType : (info?.elementOid ?? 0);
  // Commas inside of an element only make it seem to be more of them.
  const count = text.split(',').length;
  return isEquality(place, by, found.type, element) ? [{ ...found, count, of: undefined }] : [];
}

/** `column BETWEEN 1 AND 3`, for whole numbers. */
function inRange(place: Place, { lexpr, rexpr }: A_Expr): readonly Bound[] {
  const found = lexpr === undefined ? undefined : columnIn(place, lexpr);
  const [low, high] = itemsOf(rexpr);
  if (found === undefined || (found.type !== int4Type && found.type !== int8Type)) return [];
  const limits = [low, high].map((one) => {
    const whole = one !== undefined && fixedType(place, one) === int4Type;
    return whole ? Number(literalText(one)) : Number.NaN;
  });
  readLiteral(place.walk);
  const [from = Number.NaN, to = Number.NaN] = limits;
  const comparable =
    isBuiltin(place, { operator: ['>='] }, found.type, int4Type) &&
    isBuiltin(place, { operator: ['<='] }, found.type, int4Type);
  if (!comparable || !Number.isSafeInteger(to - from)) return [];
  return [{ ...found, count: Math.max(0, to - from + 1), of: undefined }];
}

/** `column IN (SELECT …)`. */
function bySubquery(place: Place, node: SubLink): readonly Bound[] {
  const { testexpr, subLinkType, operName, subselect } = node;
  if (subLinkType !== 'ANY_SUBLINK' || testexpr === undefined) return [];
  const found = columnIn(place, testexpr);
  if (found === undefined) return [];
  const type = onlyColumn(place, subselect);
  const operator = operName === undefined ? ['='] : namesOf(operName);
  if (type === undefined || !isEquality(place, { operator }, found.type, type)) return [];
  return [{ ...found, count: subqueryRows(place, subselect), of: undefined }];
}

/** The type of what a sub-query gives, if that is one column. */
function onlyColumn({ walk, scope }: Place, node: Node | undefined): Oid | undefined {
  if (node === undefined || !('SelectStmt' in node)) return undefined;
  const trial = aside(walk);
  const columns = trial.entries.query(trial, node.SelectStmt, { ...emptyScope, ctes: scope.ctes });
  return columns?.length === 1 ? columns[0]?.value.type : undefined;
}

interface FoundColumn {
  readonly item: Item;
  readonly column: string;
  readonly type: Oid;
}

/** The column that a bare name means, when only one thing in view can have it. */
function columnIn(place: Place, node: Node): FoundColumn | undefined {
  if (!('ColumnRef' in node)) return undefined;
  const names = plainNames(node.ColumnRef);
  const [column] = names.slice(-1);
  const { items, open } = place.scope.sources;
  if (column === undefined || names.length > 3 || open) return undefined;
  // `schema.table.column` is of a table without an alias.
  const [qualifier, schema] = names.slice(0, -1).toReversed();
  const having = items.filter(
    (item) =>
      (qualifier === undefined || item.alias === qualifier) &&
      (schema === undefined || item.schema === schema) &&
      item.columns.some((one) => one.name === column),
  );
  const [item] = having;
  if (item === undefined || having.length > 1) return undefined;
  const value = item.columns.find((one) => one.name === column)?.value;
  return { item, column, type: baseType(place.walk.env.catalogue, value?.type ?? 0) };
}

function plainNames(node: ColumnRef): readonly string[] {
  const fields = node.fields ?? [];
  return fields.every((field) => 'String' in field) ? namesOf(fields) : [];
}

/** The type of a value that is the same for every row; undefined for any other expression. */
function fixedType(place: Place, node: Node): Oid | undefined {
  const { walk } = place;
  if ('ParamRef' in node) {
    const given = place.scope.args?.values[(node.ParamRef.number ?? 0) - 1];
    // Without a type it takes that of what it is compared with, as an untyped literal does.
    if (given === undefined) {
      walk.env.keyParameters.add(node.ParamRef.number ?? 0);
      return unknownType;
    }
    return given.type === 0 ? undefined : given.type;
  }
  if ('A_Const' in node) return walk.entries.expression(walk, node, emptyScope).type;
  if ('TypeCast' in node && node.TypeCast.arg !== undefined) {
    const { arg, typeName } = node.TypeCast;
    if (fixedType(place, arg) === undefined || typeName === undefined) return undefined;
    const type = typeNamed(walk, typeName);
    // A domain may bring a collation that tells fewer values apart.
    return type?.schema === 'pg_catalog' ? type.oid : undefined;
  }
  if ('SubLink' in node && node.SubLink.subLinkType === 'EXPR_SUBLINK') {
    // Run once for the statement, since it looks at nothing of the row.
    const trial = aside(walk);
    const type = onlyColumn({ ...place, walk: trial }, node.SubLink.subselect);
    return isAlone(place, node.SubLink.subselect) ? type : undefined;
  }
  return undefined;
}

/** Whether a query is understood without anything around it. */
function isAlone({ walk, scope }: Place, node: Node | undefined): boolean {
  if (node === undefined || !('SelectStmt' in node)) return false;
  const trial = aside(walk);
  trial.entries.query(trial, node.SelectStmt, { ...emptyScope, ctes: scope.ctes });
  return trial.facts.analysis === 'complete';
}

/**
 * Whether the operator in view is the server's own equality of the column's type: one that would
 * convert the column first can find several of its values equal.
 */
function isEquality(place: Place, by: Comparison, column: Oid, other: Oid): boolean {
  return by.operator.at(-1) === '=' && isBuiltin(place, by, column, other);
}

function isBuiltin({ walk }: Place, by: Comparison, column: Oid, other: Oid): boolean {
  const { operator, flipped = false } = by;
  const all = operatorsNamed(walk, operator);
  const [left, right] = flipped ? [other, column] : [column, other];
  const chosen = chooseOperators(walk, all, left, right);
  return (
    chosen.length > 0 &&
    chosen.every((one) => {
      const side = flipped ? one.right : one.left;
      const same = side === column || (column === varcharType && side === textType);
      return one.schema === 'pg_catalog' && same;
    })
  );
}

const callKinds: ReadonlySet<string> = new Set(['FuncCall']);

/** Whether a tree holds a node of one of those kinds. */
function mentions(tree: unknown, kinds: ReadonlySet<string>): boolean {
  const waiting: unknown[] = [tree];
  for (let at = 0; at < waiting.length; at += 1) {
    const node = waiting[at];
    if (typeof node !== 'object' || node === null) continue;
    for (const [key, inner] of Object.entries(node)) {
      if (kinds.has(key)) return true;
      waiting.push(inner);
    }
  }
  return false;
}
