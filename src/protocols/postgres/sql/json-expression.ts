/**
 * SQL/JSON expressions. Before the version that brought one, the same words were an ordinary
 * function call, which could be anybody's function: then the node is not complete.
 */
import type {
  JsonAggConstructor,
  JsonBehavior,
  JsonOutput,
  JsonValueExpr,
  Node,
} from 'libpg-query';
import { castTo } from './calls.ts';
import { sortKey, windowUses } from './call-expression.ts';
import { typeNamed } from './resolve-types.ts';
import { nested, type Scope } from './scope.ts';
import { boolType, jsonType, textType } from './type-oids.ts';
import { kindOf } from './tree.ts';
import { derived, unknownValue, type Value } from './values.ts';
import type { Walk } from './walk.ts';

/** The version that brought a node, as `server_version_num`. */
const since: Readonly<Record<string, number>> = {
  JsonObjectConstructor: 160_000,
  JsonArrayConstructor: 160_000,
  JsonArrayQueryConstructor: 160_000,
  JsonObjectAgg: 160_000,
  JsonArrayAgg: 160_000,
  JsonIsPredicate: 160_000,
  JsonParseExpr: 170_000,
  JsonScalarExpr: 170_000,
  JsonSerializeExpr: 170_000,
  JsonFuncExpr: 170_000,
  JsonTable: 170_000,
  MergeSupportFunc: 170_000,
};

/** Notes when the server is older than the node. */
export function checkVersion(walk: Walk, kind: string): void {
  if (walk.env.catalogue.serverVersion < (since[kind] ?? 0)) {
    walk.facts.partial(`${kind} is a function call for this server's version`);
  }
}

/** The value of a SQL/JSON expression; undefined when the node is none. */
export function jsonExpression(walk: Walk, node: Node, scope: Scope): Value | undefined {
  const from = jsonInputs(walk, node, scope);
  if (from === undefined) return undefined;
  checkVersion(walk, kindOf(node));
  for (const value of from) walk.facts.use(value, 'compute');
  return typedAs(walk, from, outputOf(node), defaultType(node));
}

function jsonInputs(walk: Walk, node: Node, scope: Scope): readonly Value[] | undefined {
  const inner = (one: Node): Value => walk.entries.expression(walk, one, scope);
  const item = (one: JsonValueExpr | undefined): readonly Value[] => jsonItem(walk, one, scope);
  const each = (nodes: readonly Node[] | undefined): readonly Value[] =>
    (nodes ?? []).flatMap((one) => keyOrValue(walk, one, scope));
  if ('JsonObjectConstructor' in node) return each(node.JsonObjectConstructor.exprs);
  if ('JsonArrayConstructor' in node) return each(node.JsonArrayConstructor.exprs);
  if ('JsonParseExpr' in node) return item(node.JsonParseExpr.expr);
  if ('JsonSerializeExpr' in node) return item(node.JsonSerializeExpr.expr);
  if ('JsonScalarExpr' in node) {
    return node.JsonScalarExpr.expr === undefined ? [] : [inner(node.JsonScalarExpr.expr)];
  }
  if ('JsonIsPredicate' in node) {
    return node.JsonIsPredicate.expr === undefined ? [] : [inner(node.JsonIsPredicate.expr)];
  }
  if ('JsonArrayQueryConstructor' in node) {
    const { query } = node.JsonArrayQueryConstructor;
    if (query === undefined || !('SelectStmt' in query)) return [unknownValue];
    const columns = walk.entries.query(walk, query.SelectStmt, nested(scope));
    return columns?.map((column) => column.value) ?? [unknownValue];
  }
  if ('JsonObjectAgg' in node) {
    const { constructor: how, arg } = node.JsonObjectAgg;
    const key = arg?.key === undefined ? [] : [inner(arg.key)];
    return [...aggregate(walk, how, scope), ...key, ...item(arg?.value)];
  }
  if ('JsonArrayAgg' in node) {
    const { constructor: how, arg } = node.JsonArrayAgg;
    return [...aggregate(walk, how, scope), ...item(arg)];
  }
  if ('JsonFuncExpr' in node) {
    const { context_item, pathspec, passing, on_empty, on_error } = node.JsonFuncExpr;
    const path = pathspec === undefined ? [] : [inner(pathspec)];
    const fallbacks = [on_empty, on_error].flatMap((one) => behaviour(walk, one, scope));
    return [...item(context_item), ...path, ...passed(walk, passing, scope), ...fallbacks];
  }
  return undefined;
}

/** The value of `expression FORMAT …`. */
export function jsonItem(
  walk: Walk,
  item: JsonValueExpr | undefined,
  scope: Scope,
): readonly Value[] {
  const node = item?.raw_expr ?? item?.formatted_expr;
  return node === undefined ? [] : [walk.entries.expression(walk, node, scope)];
}

/** The values of PASSING. */
export function passed(
  walk: Walk,
  nodes: readonly Node[] | undefined,
  scope: Scope,
): readonly Value[] {
  return (nodes ?? []).flatMap((node) =>
    'JsonArgument' in node ? jsonItem(walk, node.JsonArgument.val, scope) : [unknownValue],
  );
}

/** The value of ON EMPTY and ON ERROR. */
export function behaviour(
  walk: Walk,
  how: JsonBehavior | undefined,
  scope: Scope,
): readonly Value[] {
  return how?.expr === undefined ? [] : [walk.entries.expression(walk, how.expr, scope)];
}

function keyOrValue(walk: Walk, node: Node, scope: Scope): readonly Value[] {
  if ('JsonKeyValue' in node) {
    const { key, value } = node.JsonKeyValue;
    const name = key === undefined ? [] : [walk.entries.expression(walk, key, scope)];
    return [...name, ...jsonItem(walk, value, scope)];
  }
  if ('JsonValueExpr' in node) return jsonItem(walk, node.JsonValueExpr, scope);
  return [walk.entries.expression(walk, node, scope)];
}

function aggregate(
  walk: Walk,
  how: JsonAggConstructor | undefined,
  scope: Scope,
): readonly Value[] {
  const { agg_filter: filter, agg_order: order = [], over } = how ?? {};
  if (filter !== undefined) {
    walk.facts.use(walk.entries.expression(walk, filter, scope), 'filter');
  }
  for (const sort of order) walk.facts.use(sortKey(walk, sort, scope), 'order');
  if (over !== undefined) windowUses(walk, over, scope);
  return [];
}

function outputOf(node: Node): JsonOutput | undefined {
  if ('JsonObjectConstructor' in node) return node.JsonObjectConstructor.output;
  if ('JsonArrayConstructor' in node) return node.JsonArrayConstructor.output;
  if ('JsonArrayQueryConstructor' in node) return node.JsonArrayQueryConstructor.output;
  if ('JsonParseExpr' in node) return node.JsonParseExpr.output;
  if ('JsonScalarExpr' in node) return node.JsonScalarExpr.output;
  if ('JsonSerializeExpr' in node) return node.JsonSerializeExpr.output;
  if ('JsonFuncExpr' in node) return node.JsonFuncExpr.output;
  if ('JsonObjectAgg' in node) return node.JsonObjectAgg.constructor?.output;
  if ('JsonArrayAgg' in node) return node.JsonArrayAgg.constructor?.output;
  return undefined;
}

function defaultType(node: Node): number {
  if ('JsonIsPredicate' in node) return boolType;
  if ('JsonSerializeExpr' in node) return textType;
  if ('JsonFuncExpr' in node) {
    if (node.JsonFuncExpr.op === 'JSON_EXISTS_OP') return boolType;
    return node.JsonFuncExpr.op === 'JSON_VALUE_OP' ? textType : 0;
  }
  return jsonType;
}

function typedAs(
  walk: Walk,
  from: readonly Value[],
  output: JsonOutput | undefined,
  type: number,
): Value {
  if (output?.typeName === undefined) return derived(type, from);
  const wanted = typeNamed(walk, output.typeName);
  if (wanted !== undefined) return castTo(walk, derived(0, from), wanted.oid);
  walk.facts.partial('a type is not known');
  return unknownValue;
}
