/**
 * Expressions: what evaluating one may do, and which masked columns its value may carry. Closed
 * world: a node that has no case here makes the statement not complete and its value unknown.
 */
import type { A_Const, A_Indices, CaseExpr, ColumnRef, Node, SubLink, TypeCast } from 'libpg-query';
import { callExpression } from './call-expression.ts';
import { castTo, checkImplicit } from './calls.ts';
import { checkVersion, jsonExpression } from './json-expression.ts';
import { fieldOf, findItem, referenced } from './lookup.ts';
import { operatorExpression } from './operator-expression.ts';
import { baseType, commonType, typeNamed } from './resolve-types.ts';
import { nested, type Scope } from './scope.ts';
import {
  bitType,
  boolType,
  dateType,
  int4Type,
  int8Type,
  nameType,
  numericType,
  recordType,
  textType,
  unknownType,
  timestamptzType,
  timestampType,
  timetzType,
  timeType,
  xmlType,
} from './type-oids.ts';
import { kindOf } from './tree.ts';
import { checkOrdering } from './ordering.ts';
import {
  type Column,
  clean,
  cleanAny,
  derived,
  either,
  retyped,
  rowOf,
  unknownValue,
  untyped,
  type Value,
} from './values.ts';
import { deeper, spend, type Walk } from './walk.ts';

const trueOrFalse = clean(boolType);

/** The value of an expression; its effects go into the facts. */
export function expression(walk: Walk, node: Node, scope: Scope): Value {
  spend(walk);
  if ('A_Const' in node) return constant(node.A_Const);
  if ('ColumnRef' in node) return columnReference(walk, node.ColumnRef, scope);
  return deeper(walk, () => compound(walk, node, scope));
}

function compound(walk: Walk, node: Node, scope: Scope): Value {
  const inner = (one: Node): Value => walk.entries.expression(walk, one, scope);
  if ('A_Expr' in node) return operatorExpression(walk, node.A_Expr, scope);
  if ('BoolExpr' in node) return derived(boolType, (node.BoolExpr.args ?? []).map(inner));
  if ('TypeCast' in node) return cast(walk, node.TypeCast, scope);
  if ('FuncCall' in node) return callExpression(walk, node.FuncCall, scope);
  if ('NullTest' in node) return nullTest(inner, node.NullTest.arg);
  if ('ParamRef' in node) return parameter(scope, node.ParamRef.number ?? 0);
  if ('SubLink' in node) return subLink(walk, node.SubLink, scope);
  if ('CaseExpr' in node) return caseExpression(walk, node.CaseExpr, scope);
  if ('CoalesceExpr' in node) return commonValue(walk, (node.CoalesceExpr.args ?? []).map(inner));
  if ('MinMaxExpr' in node) {
    const value = commonValue(walk, (node.MinMaxExpr.args ?? []).map(inner));
    checkOrdering(walk, value.type);
    return value;
  }
  if ('BooleanTest' in node) {
    return derived(
      boolType,
      node.BooleanTest.arg === undefined ? [] : [inner(node.BooleanTest.arg)],
    );
  }
  if ('A_Indirection' in node) return indirection(walk, node.A_Indirection, scope);
  if ('A_ArrayExpr' in node) return arrayOf(walk, (node.A_ArrayExpr.elements ?? []).map(inner));
  if ('RowExpr' in node) return rowOf(recordType, rowFields(walk, node.RowExpr.args ?? [], scope));
  if ('CollateClause' in node) {
    // A collation decides order, not content, and only the server makes collations.
    return node.CollateClause.arg === undefined ? unknownValue : inner(node.CollateClause.arg);
  }
  if ('NamedArgExpr' in node && node.NamedArgExpr.arg !== undefined) {
    return inner(node.NamedArgExpr.arg);
  }
  return rarer(walk, node, scope);
}

function rarer(walk: Walk, node: Node, scope: Scope): Value {
  const inner = (one: Node): Value => walk.entries.expression(walk, one, scope);
  if ('SQLValueFunction' in node) return valueFunction(node.SQLValueFunction.op ?? '');
  if ('GroupingFunc' in node) return clean(int4Type);
  if ('MergeSupportFunc' in node) {
    checkVersion(walk, 'MergeSupportFunc');
    return clean(textType);
  }
  if ('CurrentOfExpr' in node) return trueOrFalse;
  if ('SetToDefault' in node) return untyped;
  if ('MultiAssignRef' in node) {
    return node.MultiAssignRef.source === undefined
      ? unknownValue
      : inner(node.MultiAssignRef.source);
  }
  if ('XmlExpr' in node) {
    const { args = [], named_args: named = [], op } = node.XmlExpr;
    const values = [...args, ...named].map((one) =>
      inner('ResTarget' in one && one.ResTarget.val !== undefined ? one.ResTarget.val : one),
    );
    for (const value of values) walk.facts.use(value, 'compute');
    return derived(op === 'IS_DOCUMENT' ? boolType : xmlType, values);
  }
  if ('XmlSerialize' in node) {
    const { expr, typeName } = node.XmlSerialize;
    if (expr === undefined || typeName === undefined) return unknownValue;
    const type = typeNamed(walk, typeName);
    if (type === undefined) return unsettled(walk, 'a type is not known');
    return castTo(walk, derived(xmlType, [inner(expr)]), type.oid);
  }
  if ('List' in node) return rowOf(recordType, rowFields(walk, node.List.items ?? [], scope));
  const json = jsonExpression(walk, node, scope);
  if (json !== undefined) return json;
  return unsettled(walk, `${kindOf(node)} is not analysed`);
}

function unsettled(walk: Walk, reason: string): Value {
  walk.facts.partial(reason);
  return unknownValue;
}

function constant(value: A_Const): Value {
  if (value.ival !== undefined) return clean(int4Type);
  if (value.sval !== undefined || value.isnull === true) return untyped;
  if (value.boolval !== undefined) return trueOrFalse;
  if (value.bsval !== undefined) return clean(bitType);
  const digits = value.fval?.fval ?? '';
  if (/[.eE]/.test(digits)) return clean(/^0[xX]/.test(digits) ? 0 : numericType);
  // Small enough it is an int8; at the border, and in other notations, it is not worked out.
  return clean(/^-?\d{1,18}$/.test(digits) ? int8Type : 0);
}

function columnReference(walk: Walk, node: ColumnRef, scope: Scope): Value {
  const names: string[] = [];
  for (const field of node.fields ?? []) {
    if ('String' in field) names.push(field.String.sval ?? '');
    // `t.*` where one value is wanted is the whole row.
    else if (!('A_Star' in field) || names.length === 0) return unsettled(walk, 'a misplaced *');
    else {
      const item = findItem(scope, names.at(-2), names.at(-1) ?? '');
      return item?.row ?? unsettled(walk, `${names.join('.')}.* is not known`);
    }
  }
  return referenced(walk, names, scope);
}

function cast(walk: Walk, node: TypeCast, scope: Scope): Value {
  const { arg, typeName } = node;
  if (arg === undefined || typeName === undefined) return unknownValue;
  const value = walk.entries.expression(walk, arg, scope);
  const type = typeNamed(walk, typeName);
  if (type === undefined) {
    return { ...unsettled(walk, 'a cast to a type that the catalogue does not have') };
  }
  return castTo(walk, value, type.oid);
}

/** Whether a value is there says nothing of what it is. */
function nullTest(inner: (node: Node) => Value, arg: Node | undefined): Value {
  if (arg !== undefined) {
    const value = inner(arg);
    if (value.unknown) return { ...unknownValue, type: boolType };
    // Of a row it says whether each field is there, and of an expression what it made of its input.
    if (value.direct === undefined && value.sources.length > 0) return derived(boolType, [value]);
  }
  return trueOrFalse;
}

/** `$1`: an argument of the function whose body it stands in, or of the prepared statement. */
function parameter(scope: Scope, number: number): Value {
  // Of any type: the client may declare one.
  return scope.args?.values[number - 1] ?? cleanAny;
}

const equality: readonly Node[] = [{ String: { sval: '=' } }];

function caseExpression(walk: Walk, node: CaseExpr, scope: Scope): Value {
  const inner = (one: Node): Value => walk.entries.expression(walk, one, scope);
  // A literal in this place is a text, whatever it is compared with.
  const subject = node.arg === undefined ? undefined : settledType(inner(node.arg));
  const conditions: Value[] = subject === undefined ? [] : [subject];
  const results: Value[] = [];
  for (const when of node.args ?? []) {
    if (!('CaseWhen' in when)) return unsettled(walk, `${kindOf(when)} is not analysed`);
    const { expr, result } = when.CaseWhen;
    if (expr !== undefined) {
      const value = inner(expr);
      // `CASE x WHEN y` compares with the `=` that is in view.
      conditions.push(
        subject === undefined ? value : walk.entries.operator(walk, equality, subject, value),
      );
    }
    if (result !== undefined) results.push(inner(result));
  }
  results.push(node.defresult === undefined ? untyped : inner(node.defresult));
  for (const condition of conditions) walk.facts.use(condition, 'filter');
  const value = commonValue(walk, results);
  // Which branch was taken tells of the conditions.
  const all = derived(value.type, [value, ...conditions]);
  const controlled = conditions.some((one) => one.unknown || one.sources.length > 0);
  return controlled ? all : value;
}

function settledType(value: Value): Value {
  return value.type === unknownType ? retyped(value, textType) : value;
}

/**
 * One of several values under their common type. When all are literals that is text, unless their
 * type is left `open` to where they go.
 */
export function commonValue(walk: Walk, values: readonly Value[], literals?: 'open'): Value {
  const types = values.map((one) => one.type);
  const common = commonType(walk.env.catalogue, types);
  const isText = common === unknownType && literals === undefined;
  const value = retyped(either(values), isText ? textType : common);
  for (const one of values) if (one.type !== value.type) checkImplicit(walk, one);
  return value;
}

function arrayOf(walk: Walk, values: readonly Value[]): Value {
  const element = commonValue(walk, values);
  const info = walk.env.catalogue.typeByOid(element.type);
  // An array of arrays is one of more dimensions, except where there is a type for it.
  const more = info?.kind === 'array' ? info.oid : 0;
  const type = info === undefined || info.arrayOid === 0 ? more : info.arrayOid;
  return derived(type, values);
}

/** The fields of ROW(…), where `t.*` stands for all of its columns. */
function rowFields(walk: Walk, nodes: readonly Node[], scope: Scope): readonly Column[] {
  const fields: Column[] = [];
  for (const node of nodes) {
    const value = walk.entries.expression(walk, node, scope);
    const star = 'ColumnRef' in node && node.ColumnRef.fields?.some((field) => 'A_Star' in field);
    if (star === true && value.fields !== undefined) {
      for (const field of value.fields) fields.push({ ...field, name: `f${fields.length + 1}` });
    } else fields.push({ name: `f${fields.length + 1}`, value });
  }
  return fields;
}

function indirection(
  walk: Walk,
  node: { readonly arg?: Node; readonly indirection?: Node[] },
  scope: Scope,
): Value {
  if (node.arg === undefined) return unknownValue;
  let value = walk.entries.expression(walk, node.arg, scope);
  let subscripts: A_Indices[] = [];
  for (const step of node.indirection ?? []) {
    if ('A_Indices' in step) {
      subscripts.push(step.A_Indices);
      continue;
    }
    value = subscripted(walk, value, subscripts, scope);
    subscripts = [];
    if ('String' in step) value = fieldOf(walk, value, step.String.sval ?? '');
    else if (!('A_Star' in step)) return unsettled(walk, `${kindOf(step)} is not analysed`);
  }
  return subscripted(walk, value, subscripts, scope);
}

/** `value[1][2:3]`: subscripts that stand together are one, and one slice among them makes it one. */
function subscripted(
  walk: Walk,
  value: Value,
  subscripts: readonly A_Indices[],
  scope: Scope,
): Value {
  if (subscripts.length === 0) return value;
  const bounds = subscripts.flatMap(({ lidx, uidx }) => [lidx, uidx]);
  const used = bounds.flatMap((one) =>
    one === undefined ? [] : [walk.entries.expression(walk, one, scope)],
  );
  const { catalogue } = walk.env;
  const info = catalogue.typeByOid(baseType(catalogue, value.type));
  const slice = subscripts.some((one) => one.is_slice === true);
  const array = info?.kind === 'array' ? info : undefined;
  return derived((slice ? array?.oid : array?.elementOid) ?? 0, [value, ...used]);
}

function subLink(walk: Walk, node: SubLink, scope: Scope): Value {
  const query = node.subselect;
  if (query === undefined || !('SelectStmt' in query)) return unsettled(walk, 'a sub-query');
  const columns = walk.entries.query(walk, query.SelectStmt, nested(scope));
  const only = columns?.length === 1 ? columns[0]?.value : undefined;
  walk.env.subqueryNames.set(query.SelectStmt, columns?.[0]?.name ?? '?column?');
  const all = columns === undefined ? [unknownValue] : columns.map((column) => column.value);
  switch (node.subLinkType) {
    case 'EXISTS_SUBLINK':
      return trueOrFalse;
    case 'EXPR_SUBLINK':
      return only ?? (columns === undefined ? unknownValue : rowOf(recordType, columns));
    case 'ARRAY_SUBLINK':
      return arrayOf(walk, all);
    case 'ANY_SUBLINK':
    case 'ALL_SUBLINK':
      return comparison(walk, node, all, scope);
    case 'ROWCOMPARE_SUBLINK':
    case 'MULTIEXPR_SUBLINK':
    case 'CTE_SUBLINK':
    case undefined:
    default:
      return unsettled(walk, 'a sub-query of an unknown kind');
  }
}

/** `x IN (SELECT …)`, `x < ALL (SELECT …)`. */
function comparison(walk: Walk, node: SubLink, inner: readonly Value[], scope: Scope): Value {
  const test = node.testexpr;
  const outer = test === undefined ? cleanAny : walk.entries.expression(walk, test, scope);
  const lefts = outer.fields?.length === inner.length ? outer.fields.map((f) => f.value) : [outer];
  const name = node.operName ?? equality;
  const results = inner.map((right, at) =>
    walk.entries.operator(walk, name, lefts[at] ?? outer, right),
  );
  return derived(boolType, results);
}

function valueFunction(op: string): Value {
  switch (op) {
    case 'SVFOP_CURRENT_TIMESTAMP':
    case 'SVFOP_CURRENT_TIMESTAMP_N':
      return clean(timestamptzType);
    case 'SVFOP_CURRENT_DATE':
      return clean(dateType);
    case 'SVFOP_LOCALTIME':
    case 'SVFOP_LOCALTIME_N':
      return clean(timeType);
    case 'SVFOP_LOCALTIMESTAMP':
    case 'SVFOP_LOCALTIMESTAMP_N':
      return clean(timestampType);
    case 'SVFOP_CURRENT_TIME':
    case 'SVFOP_CURRENT_TIME_N':
      return clean(timetzType);
    default:
      return clean(nameType);
  }
}
