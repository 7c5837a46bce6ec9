/** The list of columns behind SELECT and RETURNING, with `*` written out. */
import type { Node } from 'libpg-query';
import { columnName } from './column-names.ts';
import { findItem } from './lookup.ts';
import type { Scope } from './scope.ts';
import { kindOf } from './tree.ts';
import { checkType } from './type-check.ts';
import type { Column, Value } from './values.ts';
import type { Walk } from './walk.ts';

/** The columns that a target list gives; undefined when a `*` in it is not known. */
export function targetColumns(
  walk: Walk,
  targets: readonly Node[],
  scope: Scope,
): readonly Column[] | undefined {
  const columns: Column[] = [];
  let known = true;
  for (const target of targets) {
    if (!('ResTarget' in target) || target.ResTarget.val === undefined) {
      walk.facts.partial(`${kindOf(target)} in a target list is not analysed`);
      known = false;
      continue;
    }
    const { name, val } = target.ResTarget;
    const made = starColumns(walk, val, scope);
    if (made === 'no star') {
      const value = walk.entries.expression(walk, val, scope);
      columns.push({ name: name ?? columnName(walk, val), value });
    } else if (made === undefined) known = false;
    else {
      for (const column of made) checkType(walk, column.value.type);
      columns.push(...made);
    }
  }
  return known ? columns : undefined;
}

/**
 * The columns of `*`, `t.*` or `(row).*`; undefined when they are not known, `no star` for what is
 * one value.
 */
export function starColumns(
  walk: Walk,
  node: Node,
  scope: Scope,
): readonly Column[] | undefined | 'no star' {
  if ('ColumnRef' in node) {
    const fields = node.ColumnRef.fields ?? [];
    const last = fields.at(-1);
    if (last === undefined || !('A_Star' in last)) return 'no star';
    const names = fields.flatMap((field) => ('String' in field ? [field.String.sval ?? ''] : []));
    return starOf(walk, names, scope);
  }
  if ('A_Indirection' in node) {
    const steps = node.A_Indirection.indirection ?? [];
    const last = steps.at(-1);
    if (last === undefined || !('A_Star' in last)) return 'no star';
    const row = walk.entries.expression(walk, node, scope);
    return fieldsOf(walk, row, 'a row');
  }
  return 'no star';
}

function starOf(walk: Walk, names: readonly string[], scope: Scope): readonly Column[] | undefined {
  if (names.length === 0) {
    if (!scope.sources.open) return scope.sources.visible;
    walk.facts.partial('the columns behind * are not known');
    return undefined;
  }
  const item =
    names.length === 3 && names[0] !== walk.env.catalogue.database
      ? undefined
      : findItem(scope, names.at(-2), names.at(-1) ?? '');
  if (item !== undefined && !item.open) return item.columns;
  if (item === undefined && names.length > 0) {
    // `column.*` of a composite column, or of an argument.
    const row = walk.entries.expression(
      walk,
      { ColumnRef: { fields: names.map((name) => ({ String: { sval: name } })) } },
      scope,
    );
    return fieldsOf(walk, row, names.join('.'));
  }
  walk.facts.partial(`the columns of ${names.join('.')} are not known`);
  return undefined;
}

function fieldsOf(walk: Walk, row: Value, what: string): readonly Column[] | undefined {
  if (row.fields !== undefined) return row.fields;
  const { catalogue } = walk.env;
  const info = row.type === 0 ? undefined : catalogue.typeByOid(row.type);
  const relation =
    info?.kind === 'composite' ? catalogue.relationByOid(info.relationOid) : undefined;
  if (relation !== undefined) {
    return relation.columns.map(({ name, typeOid }) => ({
      name,
      value: { ...row, type: typeOid, direct: undefined },
    }));
  }
  walk.facts.partial(`the fields of ${what} are not known`);
  return undefined;
}
