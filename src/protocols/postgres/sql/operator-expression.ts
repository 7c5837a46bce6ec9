/** Operators: by the name that is in view, as the server finds them, never by how they look. */
import type { A_Expr, Node } from 'libpg-query';
import { callAny, checkImplicit } from './calls.ts';
import type { FunctionInfo, Oid, OperatorInfo } from './catalogue.ts';
import { chooseOperators, operatorsNamed } from './overloads.ts';
import { comparisons } from './quiet.ts';
import type { Scope } from './scope.ts';
import { isSafe } from './traits.ts';
import { boolType, polymorphicTypes, recordType, unknownType } from './type-oids.ts';
import { itemsOf, kindOf, namesOf } from './tree.ts';
import { checkOrdering } from './ordering.ts';
import { clean, cleanAny, derived, either, isTainted, unknownValue, type Value } from './values.ts';
import type { Walk } from './walk.ts';

const named = (name: string): readonly Node[] => [{ String: { sval: name } }];
const atLeast = named('>=');
const atMost = named('<=');
const below = named('<');
const above = named('>');
const equality = named('=');

export function operatorExpression(walk: Walk, node: A_Expr, scope: Scope): Value {
  const inner = (one: Node): Value => walk.entries.expression(walk, one, scope);
  const { lexpr, rexpr, name = [] } = node;
  if (rexpr === undefined) return notAnalysed(walk, node);
  const left = lexpr === undefined ? undefined : inner(lexpr);
  switch (node.kind) {
    case 'AEXPR_OP':
    case 'AEXPR_LIKE':
    case 'AEXPR_ILIKE':
    case 'AEXPR_SIMILAR':
      return operator(walk, name, left, inner(rexpr));
    case 'AEXPR_DISTINCT':
    case 'AEXPR_NOT_DISTINCT': {
      const value = operator(walk, name, left, inner(rexpr));
      return derived(boolType, [value]);
    }
    case 'AEXPR_NULLIF': {
      const right = inner(rexpr);
      const compared = operator(walk, name, left, right);
      const kept = left ?? unknownValue;
      // NULL instead of the value tells that they were equal.
      if (isTainted(compared)) return derived(0, [kept, compared]);
      // A literal takes the type that it was compared as.
      return kept.type === unknownType ? cleanAny : kept;
    }
    case 'AEXPR_OP_ANY':
    case 'AEXPR_OP_ALL':
      return overArray(walk, name, left, inner(rexpr));
    case 'AEXPR_IN':
      return amongList(walk, name, left, itemsOf(rexpr).map(inner));
    case 'AEXPR_BETWEEN':
    case 'AEXPR_NOT_BETWEEN':
    case 'AEXPR_BETWEEN_SYM':
    case 'AEXPR_NOT_BETWEEN_SYM':
      return between(walk, node, left, itemsOf(rexpr).map(inner));
    case undefined:
    default:
      return notAnalysed(walk, node);
  }
}

function notAnalysed(walk: Walk, node: A_Expr): Value {
  walk.facts.partial(
    `operator expression ${node.kind ?? kindOf({ A_Expr: node })} is not analysed`,
  );
  return unknownValue;
}

/** `x = ANY (array)`: the operator is applied to the elements. */
function overArray(
  walk: Walk,
  name: readonly Node[],
  left: Value | undefined,
  array: Value,
): Value {
  const info = walk.env.catalogue.typeByOid(array.type);
  const element =
    info?.kind === 'array' ? info.elementOid : array.type === unknownType ? unknownType : 0;
  const one = operator(walk, name, left, derived(element, [array]));
  return derived(boolType, [one]);
}

function amongList(
  walk: Walk,
  name: readonly Node[],
  left: Value | undefined,
  members: readonly Value[],
): Value {
  // Members that are alike are compared alike: a list of a thousand literals is one comparison.
  const results = new Map<Value, Value>();
  // Members under a common type may be compared as values of the left side's type.
  if (left !== undefined) operator(walk, name, left, clean(left.type));
  for (const member of members) {
    if (results.has(member)) continue;
    results.set(member, operator(walk, name, left, member));
  }
  return derived(boolType, [...results.values()]);
}

function between(
  walk: Walk,
  node: A_Expr,
  left: Value | undefined,
  bounds: readonly Value[],
): Value {
  const [low = unknownValue, high = unknownValue] = bounds;
  const negated = node.kind === 'AEXPR_NOT_BETWEEN' || node.kind === 'AEXPR_NOT_BETWEEN_SYM';
  const symmetric = node.kind?.endsWith('_SYM') === true;
  const first = negated ? below : atLeast;
  const second = negated ? above : atMost;
  const results = [operator(walk, first, left, low), operator(walk, second, left, high)];
  if (symmetric) {
    results.push(operator(walk, first, left, high), operator(walk, second, left, low));
  }
  return derived(boolType, results);
}

/** Applies the operator that is in view under a name. */
export function operator(
  walk: Walk,
  name: readonly Node[],
  left: Value | undefined,
  right: Value,
): Value {
  // `(a, b) = (c, d)` compares field by field.
  const lefts = left?.type === recordType ? left.fields : undefined;
  const rights = right.type === recordType ? right.fields : undefined;
  if (lefts !== undefined && rights !== undefined && lefts.length === rights.length) {
    const results = lefts.map((field, at) =>
      operator(walk, name, field.value, rights[at]?.value ?? unknownValue),
    );
    return results.length === 0 ? clean(boolType) : derived(boolType, results);
  }
  const names = namesOf(name);
  const all = operatorsNamed(walk, names);
  const chosen = chooseOperators(walk, all, left?.type, right.type);
  const args = left === undefined ? [right] : [left, right];
  if (chosen.length === 0) {
    walk.facts.partial(`operator ${names.join('.')} is not known for its operands`);
    return unknownValue;
  }
  for (const arg of args) {
    if (arg.type !== 0) checkOrdering(walk, arg.type);
    else for (const type of operandTypes(chosen)) checkOrdering(walk, type);
  }
  return apply(walk, chosen, args);
}

/** What an operand of any type, such as a parameter, is turned into; 0 where that can be anything. */
function operandTypes(chosen: readonly OperatorInfo[]): ReadonlySet<Oid> {
  const all = chosen.flatMap(({ left, right }) => (left === 0 ? [right] : [left, right]));
  return new Set(all.map((type) => (polymorphicTypes.has(type) ? 0 : type)));
}

function apply(walk: Walk, chosen: readonly OperatorInfo[], args: readonly Value[]): Value {
  const { catalogue } = walk.env;
  for (const one of chosen) {
    for (const oid of one.estimatorOids) {
      const info = catalogue.functionByOid(oid);
      // The planner calls estimators, those of the server itself being part of the planner.
      if (!isSafe(info) && info?.schema !== 'pg_catalog') {
        walk.facts.partial(`operator ${one.schema}.${one.name} has an estimator of its own`);
      }
    }
  }
  if (chosen.every((one) => isQuiet(one))) {
    for (const arg of args) {
      // Wherever a comparison stands, it asks for one bit of what it compares.
      walk.facts.use(arg, 'filter');
      if (!chosen.every((one) => one.left === arg.type || one.right === arg.type)) {
        checkImplicit(walk, arg);
      }
    }
    return derived(boolType, args);
  }
  const functions = new Map<number, FunctionInfo>();
  for (const one of chosen) {
    const info = catalogue.functionByOid(one.functionOid);
    if (info === undefined) {
      walk.facts.partial(`operator ${one.schema}.${one.name} has no known function`);
      return unknownValue;
    }
    functions.set(info.oid, info);
  }
  return either([callAny(walk, [...functions.values()], args)]);
}

/** The server's own comparisons, which every query uses: not worth naming, and they cannot fail. */
function isQuiet(one: OperatorInfo): boolean {
  return one.schema === 'pg_catalog' && one.result === boolType && comparisons.has(one.name);
}

/** The `=` in view, as `IN`, `USING` and `NULLIF` apply it. */
export function equal(walk: Walk, left: Value, right: Value): Value {
  return operator(walk, equality, left, right);
}
