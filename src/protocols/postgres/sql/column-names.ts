/** The name that the server gives to a column without an alias (`FigureColname` in its source). */
import type { Node } from 'libpg-query';
import { valueFunctionName } from './from.ts';
import { namesOf } from './tree.ts';
import type { Walk } from './walk.ts';

interface Guess {
  readonly name: string;
  /** 2 for a name of its own, 1 for one that a better one replaces. */
  readonly strength: 1 | 2;
}

/** `?column?` when nothing gives a name. */
export function columnName(walk: Walk, node: Node): string {
  return guess(walk, node)?.name ?? '?column?';
}

function guess(walk: Walk, node: Node): Guess | undefined {
  let weak: string | undefined;
  let at: Node | undefined = node;
  // Only the outermost type of nested casts can name the column.
  while (at !== undefined) {
    const found: Guess | Node | undefined = step(walk, at);
    if (found !== undefined && 'strength' in found)
      return weak === undefined || found.strength === 2 ? found : named(weak);
    if ('TypeCast' in at) weak ??= namesOf(at.TypeCast.typeName?.names).at(-1);
    if ('CaseExpr' in at) weak ??= 'case';
    at = found;
  }
  return weak === undefined ? undefined : named(weak);
}

function named(name: string): Guess {
  return { name, strength: 1 };
}

/** The name that a node gives, or the node inside it to ask. */
function step(walk: Walk, node: Node): Guess | Node | undefined {
  const strong = (name: string): Guess => ({ name, strength: 2 });
  if ('ColumnRef' in node) {
    const names = (node.ColumnRef.fields ?? []).flatMap((field) =>
      'String' in field ? [field.String.sval ?? ''] : [],
    );
    const last = names.at(-1);
    return last === undefined ? undefined : strong(last);
  }
  if ('A_Indirection' in node) {
    const names = (node.A_Indirection.indirection ?? []).flatMap((one) =>
      'String' in one ? [one.String.sval ?? ''] : [],
    );
    const last = names.at(-1);
    return last === undefined ? node.A_Indirection.arg : strong(last);
  }
  if ('FuncCall' in node) return strong(namesOf(node.FuncCall.funcname).at(-1) ?? '');
  if ('TypeCast' in node) return node.TypeCast.arg;
  if ('CollateClause' in node) return node.CollateClause.arg;
  if ('CaseExpr' in node) return node.CaseExpr.defresult;
  if ('SubLink' in node) {
    const { subLinkType, subselect } = node.SubLink;
    if (subLinkType === 'EXISTS_SUBLINK') return strong('exists');
    if (subLinkType === 'ARRAY_SUBLINK') return strong('array');
    if (subLinkType !== 'EXPR_SUBLINK' || subselect === undefined) return undefined;
    const query = 'SelectStmt' in subselect ? subselect.SelectStmt : undefined;
    return query === undefined ? undefined : strong(walk.env.subqueryNames.get(query) ?? '');
  }
  if ('A_Expr' in node) return node.A_Expr.kind === 'AEXPR_NULLIF' ? strong('nullif') : undefined;
  if ('SQLValueFunction' in node) return strong(valueFunctionName(node.SQLValueFunction.op ?? ''));
  if ('MinMaxExpr' in node) {
    return strong(node.MinMaxExpr.op === 'IS_GREATEST' ? 'greatest' : 'least');
  }
  if ('XmlExpr' in node) {
    const { op = '' } = node.XmlExpr;
    return op === 'IS_DOCUMENT' ? undefined : strong(op.replace(/^IS_/, '').toLowerCase());
  }
  if ('JsonFuncExpr' in node) return strong(jsonNames[node.JsonFuncExpr.op ?? ''] ?? '');
  for (const kind in node) {
    const name = fixedNames[kind];
    if (name !== undefined) return strong(name);
  }
  return undefined;
}

const jsonNames: Readonly<Record<string, string>> = {
  JSON_EXISTS_OP: 'json_exists',
  JSON_QUERY_OP: 'json_query',
  JSON_VALUE_OP: 'json_value',
};

const fixedNames: Readonly<Record<string, string>> = {
  GroupingFunc: 'grouping',
  MergeSupportFunc: 'merge_action',
  A_ArrayExpr: 'array',
  RowExpr: 'row',
  CoalesceExpr: 'coalesce',
  XmlSerialize: 'xmlserialize',
  JsonParseExpr: 'json',
  JsonScalarExpr: 'json_scalar',
  JsonSerializeExpr: 'json_serialize',
  JsonObjectConstructor: 'json_object',
  JsonArrayConstructor: 'json_array',
  JsonArrayQueryConstructor: 'json_array',
  JsonObjectAgg: 'json_objectagg',
  JsonArrayAgg: 'json_arrayagg',
};
