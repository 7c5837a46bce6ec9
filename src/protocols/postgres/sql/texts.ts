/** Expressions that the catalogue holds as text: defaults, conditions of policies, indexes. */
import type { Scope } from './scope.ts';
import { derived, unknownValue, type Value } from './values.ts';
import { expanded, expansionMax, type Walk } from './walk.ts';

/** Walks comma-separated expressions in `scope`; the result carries what any of them carries. */
export function walkText(walk: Walk, text: string, scope: Scope): Value {
  if (walk.expansion >= expansionMax) {
    walk.facts.partial('views, functions and expressions are nested too deep');
    return unknownValue;
  }
  const tree = walk.env.auxiliary(`SELECT ${text}`);
  const only = tree?.[0];
  if (tree?.length !== 1 || only === undefined || !('SelectStmt' in only)) {
    // Undefined only means: not parsed yet, and this walk is thrown away.
    if (tree !== undefined) walk.facts.partial('an expression of the catalogue was not understood');
    return unknownValue;
  }
  const inner = expanded(walk);
  const values: Value[] = [];
  for (const target of only.SelectStmt.targetList ?? []) {
    if ('ResTarget' in target && target.ResTarget.val !== undefined) {
      values.push(inner.entries.expression(inner, target.ResTarget.val, scope));
    }
  }
  const first = values[0];
  return values.length === 1 && first !== undefined ? first : derived(0, values);
}
