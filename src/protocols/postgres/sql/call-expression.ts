/** Function calls as they are written: overloads, aggregates, windows, calls that are casts. */
import type { FuncCall, Node, WindowDef } from 'libpg-query';
import { callAny, castTo } from './calls.ts';
import { aside } from './labels.ts';
import { fieldOf } from './lookup.ts';
import { chooseFunctions, functionsNamed } from './overloads.ts';
import { isRowType, typeByNames } from './resolve-types.ts';
import { findColumn, type Scope } from './scope.ts';
import { literalText, namesOf } from './tree.ts';
import { checkOrdering } from './ordering.ts';
import { derived, unknownValue, type Value } from './values.ts';
import type { Walk } from './walk.ts';

export function callExpression(walk: Walk, node: FuncCall, scope: Scope): Value {
  const names = namesOf(node.funcname);
  const given = node.args ?? [];
  const args = given.map((arg) => walk.entries.expression(walk, arg, scope));
  const order = (node.agg_order ?? []).map((sort) => sortKey(walk, sort, scope));
  if (node.agg_within_group === true) args.push(...order);
  for (const value of order) walk.facts.use(value, 'order');
  if (node.agg_filter !== undefined) {
    walk.facts.use(walk.entries.expression(walk, node.agg_filter, scope), 'filter');
  }
  if (node.agg_distinct === true) {
    for (const value of args) {
      walk.facts.use(value, 'group');
      checkOrdering(walk, value.type);
    }
  }
  if (node.over !== undefined) windowUses(walk, node.over, scope);
  const projected = projection(node, names, args);
  if (projected !== undefined) return projected;
  const named = given.flatMap((arg) =>
    'NamedArgExpr' in arg ? [arg.NamedArgExpr.name ?? ''] : [],
  );
  const chosen = chooseFunctions(walk, functionsNamed(walk, names), {
    types: args.map((value) => value.type),
    named,
    spread: node.func_variadic === true,
  });
  walk.env.chosen.set(node, chosen);
  const detail = {
    literals: named.length === 0 ? given.map((arg) => literalText(arg)) : [],
    fixedLength: names.at(-1) === 'unnest' && given.every((arg) => hasLength(walk, arg, scope)),
  };
  // By name the order differs from the declared one; then any argument may be any parameter.
  const all = derived(0, args);
  const passed = named.length === 0 ? args : (chosen[0]?.argTypes.map(() => all) ?? args);
  const called = chosen.length === 0 ? undefined : callAny(walk, chosen, passed, detail);
  const converted = conversion(walk, names, args);
  if (called !== undefined && converted !== undefined) {
    return derived(called.type === converted.type ? called.type : 0, [called, converted]);
  }
  return called ?? converted ?? unknownCall(walk, names, args);
}

/** An array whose length nothing masked decides: as written, or by a sub-query's rows. */
function hasLength(walk: Walk, node: Node, scope: Scope): boolean {
  if ('SubLink' in node && node.SubLink.subLinkType === 'ARRAY_SUBLINK') return true;
  if (!('A_ArrayExpr' in node)) return false;
  const { catalogue } = walk.env;
  return (node.A_ArrayExpr.elements ?? []).every((element) => {
    const { type } = walk.entries.expression(aside(walk), element, scope);
    // Arrays in an array come apart as well.
    return type !== 0 && catalogue.typeByOid(type)?.kind !== 'array';
  });
}

/** `column(row)` is the column, when the row has it; the server looks for that first. */
function projection(
  node: FuncCall,
  names: readonly string[],
  args: readonly Value[],
): Value | undefined {
  const [row] = args;
  if (args.length !== 1 || names.length !== 1 || node.agg_star === true) return undefined;
  return row?.fields === undefined ? undefined : findColumn(row.fields, names[0] ?? '');
}

/** `type(value)` is a cast where no function fits better; both are looked at. */
function conversion(
  walk: Walk,
  names: readonly string[],
  args: readonly Value[],
): Value | undefined {
  const [value] = args;
  if (args.length !== 1 || value === undefined) return undefined;
  const type = typeByNames(walk, names);
  return type === undefined ? undefined : castTo(walk, value, type.oid);
}

function unknownCall(walk: Walk, names: readonly string[], args: readonly Value[]): Value {
  const [row] = args;
  const name = names[0] ?? '';
  const { catalogue } = walk.env;
  if (
    args.length === 1 &&
    names.length === 1 &&
    row !== undefined &&
    isRowType(catalogue, row.type)
  ) {
    return fieldOf(walk, row, name);
  }
  walk.facts.function(names.join('.'));
  walk.facts.effect('unknown');
  walk.facts.partial(`function ${names.join('.')} is not known for its arguments`);
  for (const arg of args) walk.facts.use(arg, 'copy');
  return unknownValue;
}

/** The value of one sort key; `USING operator` is looked at as the comparison that it is. */
export function sortKey(walk: Walk, node: Node, scope: Scope): Value {
  if (!('SortBy' in node) || node.SortBy.node === undefined) {
    walk.facts.partial('a sort key is not analysed');
    return unknownValue;
  }
  const value = walk.entries.expression(walk, node.SortBy.node, scope);
  sortUses(walk, node, value);
  return value;
}

/** Notes what sorting by a value does. */
export function sortUses(walk: Walk, node: Node, value: Value): void {
  checkOrdering(walk, value.type);
  if ('SortBy' in node && node.SortBy.useOp !== undefined) {
    walk.entries.operator(walk, node.SortBy.useOp, value, value);
  }
}

/** What a window is cut and ordered by. */
export function windowUses(walk: Walk, window: WindowDef, scope: Scope): void {
  for (const node of window.partitionClause ?? []) {
    const value = walk.entries.expression(walk, node, scope);
    walk.facts.use(value, 'group');
    checkOrdering(walk, value.type);
  }
  for (const node of window.orderClause ?? []) {
    walk.facts.use(sortKey(walk, node, scope), 'order');
  }
  for (const node of [window.startOffset, window.endOffset]) {
    if (node !== undefined) {
      walk.facts.use(walk.entries.expression(walk, node, scope), 'filter');
    }
  }
}
