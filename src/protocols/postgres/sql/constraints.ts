/**
 * Updates that plainly break a constraint: the server then prints the whole row that it would have
 * made, masked columns too. Only constants are looked at. What else may fail is not said here; the
 * relay takes the text out of the server's messages in any case.
 */
import type { A_Const, Node } from 'libpg-query';
import type { Relation } from './catalogue.ts';
import { plainTruth } from './fold.ts';
import { namesOf } from './tree.ts';
import { readLiteral, type Walk } from './walk.ts';

/** Nodes of one constraint that are looked at. */
const nodesMax = 200;

/** Whether an assignment of a constant to a column fails for every row. */
export function plainlyFails(walk: Walk, relation: Relation, column: string, value: Node): boolean {
  const constant = constantOf(value);
  if (constant === undefined) return false;
  if (constant.isnull === true) {
    return relation.columns.some(({ name, notNull }) => name === column && notNull);
  }
  if (relation.checkConstraints.length === 0) return false;
  readLiteral(walk);
  return relation.checkConstraints.some((text) => {
    const only = walk.env.auxiliary(`SELECT ${text}`)?.[0];
    if (only === undefined || !('SelectStmt' in only)) return false;
    const target = only.SelectStmt.targetList?.[0];
    if (target === undefined || !('ResTarget' in target)) return false;
    const { val } = target.ResTarget;
    const budget = { left: nodesMax };
    const filled = val === undefined ? undefined : fill(val, column, constant, budget);
    if (filled === undefined || budget.left <= 0) return false;
    const truth = plainTruth(filled, { neverNull: () => false, literalRead: () => undefined });
    return truth === false;
  });
}

/** A constant, without the types that it is given. */
function constantOf(node: Node): A_Const | undefined {
  if ('A_Const' in node) return node.A_Const;
  const inner = 'TypeCast' in node ? node.TypeCast.arg : undefined;
  return inner !== undefined && 'A_Const' in inner ? inner.A_Const : undefined;
}

/** A condition with a constant in place of a column; comparisons and what joins them. */
function fill(node: Node, column: string, value: A_Const, budget: { left: number }): Node {
  budget.left -= 1;
  if (budget.left <= 0) return node;
  if ('ColumnRef' in node) {
    return namesOf(node.ColumnRef.fields).at(-1) === column ? { A_Const: value } : node;
  }
  if ('A_Expr' in node) {
    const { lexpr, rexpr } = node.A_Expr;
    if (lexpr === undefined || rexpr === undefined) return node;
    const sides = [lexpr, rexpr].map((side) => fill(side, column, value, budget));
    return { A_Expr: { ...node.A_Expr, lexpr: sides[0] ?? lexpr, rexpr: sides[1] ?? rexpr } };
  }
  if ('BoolExpr' in node) {
    const args = (node.BoolExpr.args ?? []).map((arg) => fill(arg, column, value, budget));
    return { BoolExpr: { ...node.BoolExpr, args } };
  }
  const constant = constantOf(node);
  return constant === undefined ? node : { A_Const: constant };
}
