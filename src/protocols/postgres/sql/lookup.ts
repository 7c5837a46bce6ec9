/**
 * What a name in an expression refers to: a column, a whole row, a field, an argument of the
 * function around it, or, since the server allows it, a function called in attribute notation
 * (`o.wipe` runs `wipe(o)`). What is not found is not complete.
 */
import type { Catalogue } from './catalogue.ts';
import { callAny } from './calls.ts';
import { chooseFunctions, functionsNamed } from './overloads.ts';
import { findColumn, type Item, type Scope } from './scope.ts';
import { cidType, oidType, tidType, xidType } from './type-oids.ts';
import { clean, unknownValue, type Value } from './values.ts';
import type { Walk } from './walk.ts';

/** Columns that every table has besides its own; they hold no data. */
const systemColumns: ReadonlyMap<string, Value> = new Map([
  ['ctid', clean(tidType)],
  ['xmin', clean(xidType)],
  ['xmax', clean(xidType)],
  ['cmin', clean(cidType)],
  ['cmax', clean(cidType)],
  ['tableoid', clean(oidType)],
]);

/** The value that a column reference stands for. */
export function referenced(walk: Walk, names: readonly string[], scope: Scope): Value {
  const found = lookUp(walk, names, scope);
  if (found !== undefined) return found;
  walk.facts.partial(`${names.join('.')} is not known`);
  return unknownValue;
}

function lookUp(walk: Walk, names: readonly string[], scope: Scope): Value | undefined {
  const [first = '', second = '', third = '', fourth] = names;
  switch (names.length) {
    case 1:
      return unqualified(first, scope) ?? wholeRow(scope, first) ?? argument(scope, [first]);
    case 2:
      return (
        columnOf(walk, findItem(scope, undefined, first), second) ??
        argumentField(walk, scope, first, second)
      );
    case 3: {
      const item = findItem(scope, first, second);
      return item === undefined ? lookUpField(walk, names, scope) : columnOf(walk, item, third);
    }
    case 4:
      if (first !== walk.env.catalogue.database) return undefined;
      return columnOf(walk, findItem(scope, second, third), fourth ?? '');
    default:
      return undefined;
  }
}

/** `function.argument.field`, the only other thing that three names can be. */
function lookUpField(walk: Walk, names: readonly string[], scope: Scope): Value | undefined {
  const [first = '', second = '', third = ''] = names;
  const value = argument(scope, [first, second]);
  return value === undefined ? undefined : fieldOf(walk, value, third);
}

function unqualified(name: string, scope: Scope): Value | undefined {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    const found = findColumn(at.sources.visible, name);
    if (found !== undefined) return found;
    const system = systemColumns.get(name);
    if (system !== undefined && at.sources.items.some((item) => item.relation !== undefined)) {
      return system;
    }
    // It may be a column of what is not known; that was noted when it was met.
    if (at.sources.open) return unknownValue;
  }
  return undefined;
}

/** The nearest thing in FROM of that name. */
export function findItem(scope: Scope, schema: string | undefined, name: string): Item | undefined {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    for (const item of at.sources.items) {
      if (item.alias === name && (schema === undefined || item.schema === schema)) return item;
    }
  }
  return undefined;
}

function wholeRow(scope: Scope, name: string): Value | undefined {
  return findItem(scope, undefined, name)?.row;
}

function columnOf(walk: Walk, item: Item | undefined, name: string): Value | undefined {
  if (item === undefined) return undefined;
  const column = findColumn(item.columns, name);
  if (column !== undefined) return column;
  const system = systemColumns.get(name);
  if (system !== undefined && item.relation !== undefined) return system;
  if (item.open) return unknownValue;
  return attributeCall(walk, item.row, name);
}

/** The field of a row, or what the server runs when there is no such field. */
export function fieldOf(walk: Walk, row: Value, name: string): Value {
  const field = row.fields === undefined ? undefined : findColumn(row.fields, name);
  if (field !== undefined) return field;
  const declared = declaredField(walk.env.catalogue, row, name);
  if (declared !== undefined) return declared;
  const called = attributeCall(walk, row, name);
  if (called !== undefined) return called;
  if (row.fields !== undefined || row.type === 0) walk.facts.partial(`field ${name} is not known`);
  else walk.facts.partial(`${name} is no field of a known type`);
  return unknownValue;
}

/** A field that the type of the row has, though the row's own fields were not followed. */
function declaredField(catalogue: Catalogue, row: Value, name: string): Value | undefined {
  if (row.fields !== undefined || row.type === 0) return undefined;
  const type = catalogue.typeByOid(row.type);
  const relation =
    type?.kind === 'composite' ? catalogue.relationByOid(type.relationOid) : undefined;
  const column = relation?.columns.find((one) => one.name === name);
  if (column === undefined) return undefined;
  return { ...row, type: column.typeOid, direct: undefined };
}

/** `row.name` as the call `name(row)`; undefined when no such function is in view. */
function attributeCall(walk: Walk, row: Value, name: string): Value | undefined {
  const named = functionsNamed(walk, [name]);
  const chosen = chooseFunctions(walk, named, { types: [row.type], named: [], spread: false });
  return chosen.length === 0 ? undefined : callAny(walk, chosen, [row]);
}

/** `argument`, or `function.argument`. */
function argument(scope: Scope, names: readonly string[]): Value | undefined {
  const { args } = scope;
  if (args === undefined) return undefined;
  if (names.length === 2 && names[0] !== args.functionName) return undefined;
  const name = names.at(-1) ?? '';
  const at = name === '' ? -1 : args.names.indexOf(name);
  return at < 0 ? undefined : args.values[at];
}

function argumentField(walk: Walk, scope: Scope, first: string, second: string): Value | undefined {
  const whole = argument(scope, [first, second]);
  if (whole !== undefined) return whole;
  const row = argument(scope, [first]);
  return row === undefined ? undefined : fieldOf(walk, row, second);
}
