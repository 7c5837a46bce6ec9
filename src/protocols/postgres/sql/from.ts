/**
 * FROM: what each thing in it brings, in the order of `*`, and what may see what. A sub-query sees
 * what stands to its left only when it is LATERAL; functions always do.
 */
import type { JoinExpr, Node, RangeFunction, RangeSubselect, RangeVar } from 'libpg-query';
import { castTo } from './calls.ts';
import type { Oid } from './catalogue.ts';
import { equal } from './operator-expression.ts';
import { openItem, readRelation, renameColumns } from './relations.ts';
import { isRowType, typeNamed } from './resolve-types.ts';
import {
  beside,
  findColumn,
  findCte,
  type Item,
  nested,
  noSources,
  type Scope,
  type Sources,
  sourcesOf,
  withSources,
} from './scope.ts';
import { tableFunction } from './table-function.ts';
import { int8Type, polymorphicTypes } from './type-oids.ts';
import { itemsOf, kindOf, namesOf } from './tree.ts';
import { type Column, clean, either, retyped, rowOf, unknownValue, type Value } from './values.ts';
import { deeper, spend, type Walk } from './walk.ts';

/** Everything in a FROM list. `scope` is that of the query, with nothing of its own in view yet. */
export function fromClause(walk: Walk, nodes: readonly Node[], scope: Scope): Sources {
  let all = noSources;
  for (const node of nodes) {
    all = beside(all, fromItem(walk, node, scope, all));
  }
  return all;
}

/** One thing in FROM. `left` is what stands before it and LATERAL may see. */
export function fromItem(walk: Walk, node: Node, scope: Scope, left: Sources): Sources {
  spend(walk);
  return deeper(walk, () => {
    if ('RangeVar' in node) return sourcesOf(named(walk, node.RangeVar, scope));
    if ('JoinExpr' in node) return joined(walk, node.JoinExpr, scope, left);
    if ('RangeSubselect' in node) return subselect(walk, node.RangeSubselect, scope, left);
    const seeing = withSources(scope, left);
    if ('RangeFunction' in node) return functions(walk, node.RangeFunction, seeing);
    if ('RangeTableSample' in node) {
      const { relation, method, args = [], repeatable } = node.RangeTableSample;
      const sampler = namesOf(method).at(-1) ?? '';
      if (sampler !== 'system' && sampler !== 'bernoulli') {
        walk.facts.partial(`sampling by ${sampler} is not reviewed`);
      }
      for (const arg of repeatable === undefined ? args : [...args, repeatable]) {
        walk.facts.use(walk.entries.expression(walk, arg, seeing), 'filter');
      }
      if (relation !== undefined) return fromItem(walk, relation, scope, left);
    }
    const table = tableFunction(walk, node, seeing);
    if (table !== undefined) return sourcesOf(table);
    walk.facts.partial(`${kindOf(node)} in FROM is not analysed`);
    return sourcesOf(openItem(''));
  });
}

/** A CTE when there is one of that name, else a relation. */
function named(walk: Walk, name: RangeVar, scope: Scope): Item {
  const { relname = '', alias } = name;
  const plain = name.schemaname === undefined && name.catalogname === undefined;
  const cte = plain ? findCte(scope, relname) : undefined;
  if (cte === undefined) return readRelation(walk, name);
  cte.resolve();
  const shown = alias?.aliasname ?? relname;
  if (cte.columns === undefined) return openItem(shown);
  return rowItem(shown, renameColumns(walk, cte.columns, alias));
}

/** Something in FROM that is no relation of the catalogue. */
export function rowItem(alias: string, columns: readonly Column[]): Item {
  return {
    alias,
    schema: undefined,
    columns,
    open: false,
    relation: undefined,
    row: rowOf(0, columns),
  };
}

function subselect(walk: Walk, node: RangeSubselect, scope: Scope, left: Sources): Sources {
  const { subquery, alias, lateral } = node;
  if (subquery === undefined || !('SelectStmt' in subquery)) {
    walk.facts.partial('a sub-query in FROM is not analysed');
    return sourcesOf(openItem(alias?.aliasname ?? ''));
  }
  const outer = lateral === true ? withSources(scope, left) : withSources(scope, noSources);
  const columns = walk.entries.query(walk, subquery.SelectStmt, nested(outer));
  const shown = alias?.aliasname ?? '';
  if (columns === undefined) return sourcesOf(openItem(shown));
  return sourcesOf(rowItem(shown, renameColumns(walk, columns, alias)));
}

function joined(walk: Walk, node: JoinExpr, scope: Scope, before: Sources): Sources {
  const { larg, rarg, quals, alias } = node;
  if (larg === undefined || rarg === undefined) {
    walk.facts.partial('a join is not analysed');
    return sourcesOf(openItem(''));
  }
  const left = fromItem(walk, larg, scope, before);
  const right = fromItem(walk, rarg, scope, beside(before, left));
  const both = beside(left, right);
  if (quals !== undefined) {
    const condition = walk.entries.expression(walk, quals, withSources(scope, both));
    walk.facts.use(condition, 'filter');
  }
  const names = joinNames(walk, node, left, right);
  const merged = names.map((name): Column => mergedColumn(walk, name, left, right));
  const rest = (columns: readonly Column[]): readonly Column[] =>
    names.length === 0 ? columns : columns.filter((column) => !names.includes(column.name));
  const visible = [...merged, ...rest(left.visible), ...rest(right.visible)];
  const shared = node.join_using_alias?.aliasname;
  if (alias !== undefined) {
    const item = rowItem(alias.aliasname ?? '', renameColumns(walk, visible, alias));
    return { items: [item], visible: item.columns, open: both.open };
  }
  const items = shared === undefined ? both.items : [...both.items, rowItem(shared, merged)];
  return { items, visible, open: both.open };
}

/** The columns that USING or NATURAL join by. */
function joinNames(walk: Walk, node: JoinExpr, left: Sources, right: Sources): readonly string[] {
  if (node.isNatural !== true) return namesOf(node.usingClause);
  if (left.open || right.open) walk.facts.partial('the columns of a natural join are not known');
  const names = left.visible
    .map((column) => column.name)
    .filter((name) => right.visible.some((column) => column.name === name));
  return [...new Set(names)];
}

function mergedColumn(walk: Walk, name: string, left: Sources, right: Sources): Column {
  const sides = [findColumn(left.visible, name), findColumn(right.visible, name)];
  const [first = unknownValue, second = unknownValue] = sides;
  if (sides.includes(undefined) && !left.open && !right.open) {
    walk.facts.partial(`column ${name} of a join is not known`);
  }
  walk.facts.use(equal(walk, first, second), 'filter');
  // The two are equal, so either says what the other holds.
  return { name, value: either([first, second]) };
}

/** The server reads `unnest(a, b)` as one call of its own function for each of them. */
function single(call: Node): readonly Node[] {
  if (!('FuncCall' in call)) return [call];
  const { funcname = [], args = [], func_variadic: spread } = call.FuncCall;
  const isPlain = spread !== true && call.FuncCall.agg_order === undefined;
  if (namesOf(funcname).join('.') !== 'unnest' || args.length < 2 || !isPlain) return [call];
  const own = ['pg_catalog', 'unnest'].map((sval) => ({ String: { sval } }));
  return args.map((arg) => ({ FuncCall: { ...call.FuncCall, funcname: own, args: [arg] } }));
}

/** `f(…)`, `ROWS FROM (…)`, WITH ORDINALITY. */
function functions(walk: Walk, node: RangeFunction, scope: Scope): Sources {
  const alias = node.alias?.aliasname;
  const columns: Column[] = [];
  let open = false;
  let only: Value | undefined;
  const calls = (node.functions ?? []).flatMap((entry) => {
    const [call, definitions] = itemsOf(entry);
    return call === undefined ? [] : single(call).map((one) => [one, definitions] as const);
  });
  for (const [call, definitions] of calls) {
    const value = walk.entries.expression(walk, call, scope);
    only = value;
    const listed = [...itemsOf(definitions), ...(node.coldeflist ?? [])].filter(
      (one) => 'ColumnDef' in one,
    );
    const made = listed.length > 0 ? defined(walk, value, listed) : value.fields;
    const shape =
      made === undefined
        ? scalarName(walk, call, value, calls.length === 1 ? alias : undefined)
        : undefined;
    if (made !== undefined) columns.push(...made);
    else if (shape === undefined) open = true;
    else columns.push({ name: shape, value });
  }
  const scalar = calls.length === 1 && columns.length === 1 && only?.fields === undefined;
  if (node.ordinality === true) columns.push({ name: 'ordinality', value: clean(int8Type) });
  const name = alias ?? functionName(calls[0]?.[0]);
  if (open) {
    walk.facts.partial('the columns of a function are not known');
    return sourcesOf(openItem(name));
  }
  const item = rowItem(name, renameColumns(walk, columns, node.alias));
  // The "row" of a function that gives single values is the value.
  return sourcesOf(scalar && only !== undefined ? { ...item, row: only } : item);
}

/** Columns that the query itself declares: `AS t(a int, b text)`. */
function defined(walk: Walk, value: Value, definitions: readonly Node[]): readonly Column[] {
  return definitions.flatMap((node, at): readonly Column[] => {
    if (!('ColumnDef' in node)) return [];
    const { colname = '', typeName } = node.ColumnDef;
    const type = typeName === undefined ? undefined : typeNamed(walk, typeName);
    if (type === undefined) {
      walk.facts.partial('a type is not known');
      return [{ name: colname, value: unknownValue }];
    }
    const field = value.fields?.length === definitions.length ? value.fields[at]?.value : undefined;
    const source = field ?? { ...value, fields: undefined, direct: undefined };
    return [{ name: colname, value: castTo(walk, retyped(source, type.oid), type.oid) }];
  });
}

function functionName(entry: Node | undefined): string {
  const [call] = itemsOf(entry);
  if (call === undefined) return '';
  if ('FuncCall' in call) return namesOf(call.FuncCall.funcname).at(-1) ?? '';
  if ('SQLValueFunction' in call) return valueFunctionName(call.SQLValueFunction.op ?? '');
  if ('CoalesceExpr' in call) return 'coalesce';
  return '';
}

/**
 * The name of the column of a function that gives single values: its one OUT column, else the
 * alias, else the function. Undefined when it may give rows, or when overloads differ.
 */
function scalarName(
  walk: Walk,
  call: Node,
  value: Value,
  alias: string | undefined,
): string | undefined {
  const plain = alias ?? functionName(call);
  if (!('FuncCall' in call)) return plain;
  const chosen = walk.env.chosen.get(call.FuncCall) ?? [];
  const found = new Set<string>();
  for (const info of chosen) {
    // Rows whose fields are known never come here.
    if (mayBeRow(walk, polymorphicTypes.has(info.returnType) ? value.type : info.returnType)) {
      return undefined;
    }
    const [column] = info.outColumns;
    found.add(info.outColumns.length === 1 && column?.name ? column.name : plain);
  }
  return found.size === 1 ? [...found][0] : undefined;
}

function mayBeRow(walk: Walk, type: Oid): boolean {
  return type === 0 || isRowType(walk.env.catalogue, type);
}

/** `current_date` and the like, as the server names their columns. */
export function valueFunctionName(op: string): string {
  return op
    .replace(/^SVFOP_/, '')
    .replace(/_N$/, '')
    .toLowerCase();
}
