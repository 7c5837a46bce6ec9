/**
 * Whether a condition is plainly always true: constants, a thing compared with itself, a column
 * that is never NULL. Only the obvious; whether others select every row is not decidable, and is
 * left to counting the rows that were changed.
 */
import type { A_Const, A_Expr, Node } from 'libpg-query';
import { namesOf, sameTree } from './tree.ts';

/** Conditions nested deeper than this are taken as they are. */
const depthMax = 64;

const always: ReadonlySet<string> = new Set(['=', '<=', '>=', '~~', '~~*']);
const never: ReadonlySet<string> = new Set(['<>', '<', '>', '!~~', '!~~*']);

/** What a condition is judged by besides itself. */
export interface FoldContext {
  /** Whether a column can never be NULL. */
  readonly neverNull: (names: readonly string[]) => boolean;
  /** Told when the answer depends on the value of a literal. */
  readonly literalRead: () => void;
}

/** True, false, or undefined when that is not plain. NULL counts as false. */
export function plainTruth(node: Node, context: FoldContext, depth = 0): boolean | undefined {
  if (depth > depthMax) return undefined;
  const inner = (one: Node): boolean | undefined => plainTruth(one, context, depth + 1);
  if ('A_Const' in node) {
    context.literalRead();
    return constantTruth(node.A_Const);
  }
  if ('TypeCast' in node && node.TypeCast.arg !== undefined) return inner(node.TypeCast.arg);
  if ('BoolExpr' in node) {
    const truths = (node.BoolExpr.args ?? []).map(inner);
    switch (node.BoolExpr.boolop) {
      case 'AND_EXPR':
        if (truths.includes(false)) return false;
        return truths.includes(undefined) ? undefined : true;
      case 'OR_EXPR':
        if (truths.includes(true)) return true;
        return truths.includes(undefined)
          ? excludedMiddle(node.BoolExpr.args ?? [], context)
          : false;
      case 'NOT_EXPR':
        return truths[0] === undefined ? notBoth(node.BoolExpr.args?.[0], context) : !truths[0];
      case undefined:
      default:
        return undefined;
    }
  }
  if ('NullTest' in node && node.NullTest.arg !== undefined) {
    const present = isNeverNull(node.NullTest.arg, context);
    if (!present) return undefined;
    return node.NullTest.nulltesttype === 'IS_NOT_NULL';
  }
  if ('BooleanTest' in node && node.BooleanTest.arg !== undefined) {
    const truth = inner(node.BooleanTest.arg);
    if (truth === undefined) return undefined;
    return booleanTest(node.BooleanTest.booltesttype ?? '', truth);
  }
  if ('A_Expr' in node) return comparisonTruth(node.A_Expr, context);
  if ('SubLink' in node) return existsTruth(node);
  return undefined;
}

/** `EXISTS (SELECT 1)`: one row, always. */
function existsTruth(node: Node): boolean | undefined {
  if (!('SubLink' in node) || node.SubLink.subLinkType !== 'EXISTS_SUBLINK') return undefined;
  const query = node.SubLink.subselect;
  if (query === undefined || !('SelectStmt' in query)) return undefined;
  const { fromClause, whereClause, valuesLists, limitCount, limitOffset, op } = query.SelectStmt;
  const bare = [fromClause, whereClause, valuesLists, limitCount, limitOffset];
  return op === 'SETOP_NONE' && bare.every((one) => one === undefined) ? true : undefined;
}

function booleanTest(kind: string, truth: boolean): boolean | undefined {
  if (kind === 'IS_TRUE' || kind === 'IS_NOT_FALSE') return truth;
  if (kind === 'IS_FALSE' || kind === 'IS_NOT_TRUE') return !truth;
  return kind === 'IS_NOT_UNKNOWN' ? true : undefined;
}

function constantTruth(constant: A_Const): boolean | undefined {
  if (constant.boolval !== undefined) return constant.boolval.boolval ?? false;
  if (constant.isnull === true) return false;
  const text = constant.sval?.sval?.trim().toLowerCase();
  if (text === undefined) return undefined;
  if (['t', 'true', 'y', 'yes', 'on', '1'].includes(text)) return true;
  return ['f', 'false', 'n', 'no', 'off', '0'].includes(text) ? false : undefined;
}

function comparisonTruth(node: A_Expr, context: FoldContext): boolean | undefined {
  const { kind, lexpr, rexpr } = node;
  if (lexpr === undefined || rexpr === undefined) return undefined;
  // A column compared with anything else than columns says nothing, whatever the literals are.
  if (!('ColumnRef' in lexpr) || kind === 'AEXPR_LIKE' || kind === 'AEXPR_ILIKE') {
    context.literalRead();
  }
  const operator = namesOf(node.name).at(-1) ?? '';
  const same = sameTree(lexpr, rexpr);
  switch (kind) {
    case 'AEXPR_OP':
      if (same) return always.has(operator) ? true : never.has(operator) ? false : undefined;
      return constantComparison(operator, lexpr, rexpr);
    case 'AEXPR_LIKE':
    case 'AEXPR_ILIKE':
      return matchesAll(rexpr) ? always.has(operator) : undefined;
    case 'AEXPR_DISTINCT':
      return same ? false : undefined;
    case 'AEXPR_NOT_DISTINCT':
      return same ? true : undefined;
    case 'AEXPR_IN': {
      const members = 'List' in rexpr ? (rexpr.List.items ?? []) : [];
      return operator === '=' && members.some((one) => sameTree(lexpr, one)) ? true : undefined;
    }
    case 'AEXPR_BETWEEN':
    case 'AEXPR_BETWEEN_SYM':
    case 'AEXPR_NOT_BETWEEN':
    case 'AEXPR_NOT_BETWEEN_SYM':
    case 'AEXPR_NULLIF':
    case 'AEXPR_OP_ALL':
    case 'AEXPR_OP_ANY':
    case 'AEXPR_SIMILAR':
    case undefined:
    default:
      return undefined;
  }
}

/** A pattern of nothing but `%`. */
function matchesAll(node: Node): boolean {
  if (!('A_Const' in node)) return false;
  return /^%+$/.test(node.A_Const.sval?.sval ?? '');
}

function constantComparison(operator: string, left: Node, right: Node): boolean | undefined {
  const a = constantValue(left);
  const b = constantValue(right);
  if (a === undefined || b === undefined || typeof a !== typeof b) return undefined;
  if (operator === '=') return a === b;
  if (operator === '<>') return a !== b;
  // How texts are ordered is the collation's affair.
  if (typeof a !== 'number' || typeof b !== 'number') return undefined;
  switch (operator) {
    case '<':
      return a < b;
    case '>':
      return a > b;
    case '<=':
      return a <= b;
    case '>=':
      return a >= b;
    default:
      return undefined;
  }
}

function constantValue(node: Node): number | string | undefined {
  if ('TypeCast' in node) return undefined;
  if (!('A_Const' in node)) return undefined;
  const { ival, fval, sval } = node.A_Const;
  if (ival !== undefined) return ival.ival ?? 0;
  if (fval?.fval !== undefined) return Number(fval.fval);
  return sval === undefined ? undefined : (sval.sval ?? '');
}

/** `x OR NOT x`. */
function excludedMiddle(args: readonly Node[], context: FoldContext): boolean | undefined {
  context.literalRead();
  for (const arg of args) {
    if (!('BoolExpr' in arg) || arg.BoolExpr.boolop !== 'NOT_EXPR') continue;
    const negated = arg.BoolExpr.args?.[0];
    if (args.some((other) => sameTree(other, negated))) return true;
  }
  return undefined;
}

/** `NOT (x = 1 AND x = 2)`: two different constants cannot both be equal to one thing. */
function notBoth(node: Node | undefined, context: FoldContext): boolean | undefined {
  context.literalRead();
  if (node === undefined || !('BoolExpr' in node) || node.BoolExpr.boolop !== 'AND_EXPR') {
    return undefined;
  }
  const equalities = (node.BoolExpr.args ?? []).flatMap((arg) =>
    'A_Expr' in arg && arg.A_Expr.kind === 'AEXPR_OP' && namesOf(arg.A_Expr.name).at(-1) === '='
      ? [arg.A_Expr]
      : [],
  );
  for (const [at, one] of equalities.entries()) {
    for (const other of equalities.slice(at + 1)) {
      if (!sameTree(one.lexpr, other.lexpr)) continue;
      if (one.rexpr === undefined || other.rexpr === undefined) continue;
      if (constantComparison('=', one.rexpr, other.rexpr) === false) return true;
    }
  }
  return undefined;
}

function isNeverNull(node: Node, context: FoldContext): boolean {
  if ('A_Const' in node) return node.A_Const.isnull !== true;
  if (!('ColumnRef' in node)) return false;
  const names = (node.ColumnRef.fields ?? []).flatMap((field) =>
    'String' in field ? [field.String.sval ?? ''] : [],
  );
  return names.length > 0 && context.neverNull(names);
}
