/** XMLTABLE and JSON_TABLE: rows from one document; every column may hold any part of it. */
import type { JsonTable, Node, RangeTableFunc } from 'libpg-query';
import { castTo } from './calls.ts';
import { behaviour, checkVersion, jsonItem, passed } from './json-expression.ts';
import { renameColumns } from './relations.ts';
import { typeNamed } from './resolve-types.ts';
import type { Item, Scope } from './scope.ts';
import { int4Type } from './type-oids.ts';
import { kindOf } from './tree.ts';
import { type Column, clean, derived, rowOf, unknownValue, type Value } from './values.ts';
import type { Walk } from './walk.ts';

/** What such a node brings; undefined when it is another. */
export function tableFunction(walk: Walk, node: Node, scope: Scope): Item | undefined {
  if ('RangeTableFunc' in node) return xmlTable(walk, node.RangeTableFunc, scope);
  if ('JsonTable' in node) return jsonTable(walk, node.JsonTable, scope);
  return undefined;
}

function itemNamed(
  walk: Walk,
  columns: readonly Column[],
  alias: JsonTable['alias'],
  name: string,
): Item {
  const renamed = renameColumns(walk, columns, alias);
  return {
    alias: alias?.aliasname ?? name,
    schema: undefined,
    columns: renamed,
    open: false,
    relation: undefined,
    row: rowOf(0, renamed),
  };
}

function xmlTable(walk: Walk, node: RangeTableFunc, scope: Scope): Item {
  const inner = (one: Node): Value => walk.entries.expression(walk, one, scope);
  const spaces = (node.namespaces ?? []).map((one) =>
    inner('ResTarget' in one && one.ResTarget.val !== undefined ? one.ResTarget.val : one),
  );
  const documents = [node.docexpr, node.rowexpr].filter((one) => one !== undefined).map(inner);
  const from = [...documents, ...spaces];
  for (const value of from) walk.facts.use(value, 'compute');
  const columns = (node.columns ?? []).map((column): Column => {
    if (!('RangeTableFuncCol' in column)) return unknownColumn(walk, column);
    const {
      colname = '',
      typeName,
      for_ordinality,
      colexpr,
      coldefexpr,
    } = column.RangeTableFuncCol;
    if (for_ordinality === true) return { name: colname, value: clean(int4Type) };
    const own = [colexpr, coldefexpr].filter((one) => one !== undefined).map(inner);
    return { name: colname, value: typed(walk, [...from, ...own], typeName) };
  });
  return itemNamed(walk, columns, node.alias, 'xmltable');
}

function jsonTable(walk: Walk, node: JsonTable, scope: Scope): Item {
  checkVersion(walk, 'JsonTable');
  const path = node.pathspec?.string;
  const from = [
    ...jsonItem(walk, node.context_item, scope),
    ...passed(walk, node.passing, scope),
    ...(path === undefined ? [] : [walk.entries.expression(walk, path, scope)]),
    ...behaviour(walk, node.on_error, scope),
  ];
  for (const value of from) walk.facts.use(value, 'compute');
  const columns = jsonColumns(walk, node.columns ?? [], from, scope);
  return itemNamed(walk, columns, node.alias, 'json_table');
}

function jsonColumns(
  walk: Walk,
  nodes: readonly Node[],
  from: readonly Value[],
  scope: Scope,
): readonly Column[] {
  return nodes.flatMap((node): readonly Column[] => {
    if (!('JsonTableColumn' in node)) return [unknownColumn(walk, node)];
    const { coltype, name = '', typeName, columns, on_empty, on_error } = node.JsonTableColumn;
    if (coltype === 'JTC_NESTED') return jsonColumns(walk, columns ?? [], from, scope);
    if (coltype === 'JTC_FOR_ORDINALITY') return [{ name, value: clean(int4Type) }];
    const own = [on_empty, on_error].flatMap((one) => behaviour(walk, one, scope));
    return [{ name, value: typed(walk, [...from, ...own], typeName) }];
  });
}

function typed(
  walk: Walk,
  from: readonly Value[],
  typeName: Parameters<typeof typeNamed>[1] | undefined,
): Value {
  const type = typeName === undefined ? undefined : typeNamed(walk, typeName);
  if (type !== undefined) return castTo(walk, derived(0, from), type.oid);
  walk.facts.partial('a type is not known');
  return unknownValue;
}

function unknownColumn(walk: Walk, node: Node): Column {
  walk.facts.partial(`${kindOf(node)} is not analysed`);
  return { name: '', value: unknownValue };
}
