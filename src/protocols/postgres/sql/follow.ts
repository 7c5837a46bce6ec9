/**
 * Into the body of a SQL function: its statements are walked as if they stood in the query, with
 * its arguments in place. Bounded in depth; what cannot be followed is the caller's to refuse.
 */
import type { Node } from 'libpg-query';
import type { FunctionInfo } from './catalogue.ts';
import type { Scope } from './scope.ts';
import { keepsReading } from './settings.ts';
import { polymorphicTypes } from './type-oids.ts';
import { itemsOf } from './tree.ts';
import { type Column, derived, retyped, type Value } from './values.ts';
import { expansionMax, spend, type Walk } from './walk.ts';

/**
 * The columns of its last statement, after everything that its statements do went into the facts;
 * undefined when it cannot be followed.
 */
export function followFunction(
  walk: Walk,
  info: FunctionInfo,
  args: readonly Value[],
): readonly Column[] | undefined {
  spend(walk);
  if (walk.expansion >= expansionMax) return undefined;
  const livePath = livePathOf(walk, info);
  if (livePath === undefined) return undefined;
  const statements = bodyOf(walk, info);
  if (statements === undefined) return undefined;
  const inner: Walk = {
    ...walk,
    livePath,
    // A SQL-standard body was bound when it was made; its text names everything in full.
    path: info.sqlBody ? ['pg_catalog'] : livePath,
    expansion: walk.expansion + 1,
    inDefault: false,
  };
  const scope = scopeOf(info, args);
  let last: readonly Column[] | undefined = [];
  for (const statement of statements) last = inner.entries.statement(inner, statement, scope);
  return last;
}

function scopeOf(info: FunctionInfo, args: readonly Value[]): Scope {
  return {
    parent: undefined,
    sources: { items: [], visible: [], open: false },
    ctes: undefined,
    args: {
      functionName: info.name,
      names: info.argNames,
      // In the body an argument has the parameter's type, whatever was given.
      values: collected(info, args).map((value, at) => {
        const type = info.argTypes[at] ?? 0;
        return polymorphicTypes.has(type) ? value : retyped(value, type);
      }),
    },
  };
}

/** The arguments as the body sees them: those for VARIADIC as one array. */
function collected(info: FunctionInfo, args: readonly Value[]): readonly Value[] {
  if (info.variadic === 0) return args;
  const fixed = info.argTypes.length - 1;
  return [...args.slice(0, fixed), derived(0, args.slice(fixed))];
}

function bodyOf(walk: Walk, info: FunctionInfo): readonly Node[] | undefined {
  if (!info.sqlBody) return walk.env.auxiliary(info.source) ?? undefined;
  const [tree] = walk.env.auxiliary(`CREATE FUNCTION f() RETURNS int ${info.source}`) ?? [];
  if (tree === undefined || !('CreateFunctionStmt' in tree)) return undefined;
  const body = tree.CreateFunctionStmt.sql_body;
  if (body === undefined) return undefined;
  if ('ReturnStmt' in body) {
    const value = body.ReturnStmt.returnval;
    if (value === undefined) return undefined;
    return [{ SelectStmt: { targetList: [{ ResTarget: { val: value } }], op: 'SETOP_NONE' } }];
  }
  // BEGIN ATOMIC: a list with one list of statements.
  return itemsOf(body).flatMap((inner) => itemsOf(inner));
}

/** The search path inside; undefined when its settings change how the body is read. */
function livePathOf(walk: Walk, info: FunctionInfo): readonly string[] | undefined {
  let path = walk.livePath;
  for (const setting of info.settings) {
    const at = setting.indexOf('=');
    const name = setting.slice(0, at);
    if (at < 0 || !keepsReading(name)) return undefined;
    if (name.toLowerCase() === 'search_path') path = pathOf(walk, setting.slice(at + 1));
  }
  return path;
}

/** A `search_path` value as the server resolves it. */
function pathOf(walk: Walk, value: string): readonly string[] {
  const temporary = walk.livePath.find((schema) => schema.startsWith('pg_temp_'));
  const path: string[] = [];
  for (const part of value.split(',')) {
    const raw = part.trim();
    const name = raw.startsWith('"') ? raw.slice(1, -1).replaceAll('""', '"') : raw.toLowerCase();
    if (name === '$user') path.push(walk.env.state.role);
    else if (name === 'pg_temp') path.push(...(temporary === undefined ? [] : [temporary]));
    else if (name !== '') path.push(name);
  }
  if (!path.includes('pg_catalog')) path.unshift('pg_catalog');
  if (temporary !== undefined && !path.includes(temporary)) path.unshift(temporary);
  return path;
}
