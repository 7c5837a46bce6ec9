/** WITH: queries and writes by name, in view of what the server lets them see. */
import type { CommonTableExpr, Node, WithClause } from 'libpg-query';
import { renameColumns } from './relations.ts';
import { type Cte, type CteFrame, noSources, nested, type Scope, withSources } from './scope.ts';
import { boolType } from './type-oids.ts';
import { kindOf } from './tree.ts';
import { type Column, derived, either, type Value } from './values.ts';
import type { Walk } from './walk.ts';

/** A recursive query that says something new more often than this is not decided. */
const roundsMax = 16;

/** The scope in which the queries of a WITH clause can be named; all of them have been walked. */
export function withClause(walk: Walk, clause: WithClause, scope: Scope): Scope {
  const nodes = (clause.ctes ?? []).flatMap((node) => {
    if ('CommonTableExpr' in node) return [node.CommonTableExpr];
    walk.facts.partial(`${kindOf(node)} in WITH is not analysed`);
    return [];
  });
  return clause.recursive === true
    ? recursiveFrame(walk, nodes, scope)
    : nodes.reduce((outer, node) => plainFrame(walk, node, outer), scope);
}

/** Each sees those before it. */
function plainFrame(walk: Walk, node: CommonTableExpr, scope: Scope): Scope {
  const columns = walkBody(walk, node.ctequery, scope);
  const cte: Cte = {
    columns: withAdded(node, named(walk, node, columns)),
    state: 'done',
    resolve: () => undefined,
  };
  return inFrame(scope, new Map([[node.ctename ?? '', cte]]));
}

function inFrame(scope: Scope, ctes: ReadonlyMap<string, Cte>): Scope {
  const frame: CteFrame = { parent: scope.ctes, ctes };
  return { ...scope, ctes: frame };
}

/** Each sees all, itself too. They are walked in the order in which they ask for each other. */
function recursiveFrame(walk: Walk, nodes: readonly CommonTableExpr[], scope: Scope): Scope {
  const ctes = new Map<string, Cte>();
  const inside = inFrame(scope, ctes);
  for (const node of nodes) {
    const cte: Cte = {
      columns: undefined,
      state: 'waiting',
      resolve: () => {
        if (cte.state !== 'waiting') {
          if (cte.columns === undefined) walk.facts.partial('a recursive query is not decided');
          return;
        }
        cte.state = 'walking';
        cte.columns = withAdded(node, fixedPoint(walk, node, cte, inside));
        cte.state = 'done';
      },
    };
    ctes.set(node.ctename ?? '', cte);
  }
  for (const cte of ctes.values()) cte.resolve();
  return inside;
}

/** Walks a query that may read itself until its columns carry nothing new. */
function fixedPoint(
  walk: Walk,
  node: CommonTableExpr,
  cte: Cte,
  scope: Scope,
): readonly Column[] | undefined {
  const body = node.ctequery;
  const start = body !== undefined && 'SelectStmt' in body ? body.SelectStmt.larg : undefined;
  if (start !== undefined) {
    cte.columns = named(walk, node, walkBody(walk, { SelectStmt: start }, scope));
  }
  for (let round = 0; round < roundsMax; round += 1) {
    const before = cte.columns;
    const after = named(walk, node, walkBody(walk, body, scope));
    if (after === undefined) return undefined;
    const joined = before === undefined ? after : withBoth(before, after);
    if (before !== undefined && sameTaint(before, joined)) return joined;
    // One that does not read itself is done with one walk.
    if (start === undefined) return joined;
    cte.columns = joined;
  }
  walk.facts.partial('a recursive query is not decided');
  return undefined;
}

function withBoth(before: readonly Column[], after: readonly Column[]): readonly Column[] {
  return after.map(({ name, value }, at) => {
    const old = before[at]?.value;
    return { name, value: old === undefined ? value : either([value, old]) };
  });
}

function sameTaint(left: readonly Column[], right: readonly Column[]): boolean {
  return (
    left.length === right.length &&
    left.every(({ value }, at) => {
      const other = right[at]?.value;
      return (
        other !== undefined &&
        value.unknown === other.unknown &&
        value.direct === other.direct &&
        value.type === other.type &&
        value.sources.join() === other.sources.join()
      );
    })
  );
}

function walkBody(walk: Walk, node: Node | undefined, scope: Scope): readonly Column[] | undefined {
  if (node === undefined) return undefined;
  // It sees the queries around the one that it stands in, but none of its tables.
  return walk.entries.statement(walk, node, nested(withSources(scope, noSources)));
}

/** Its columns under the names that the clause gives them. */
function named(
  walk: Walk,
  node: CommonTableExpr,
  columns: readonly Column[] | undefined,
): readonly Column[] | undefined {
  if (columns === undefined || node.aliascolnames === undefined) return columns;
  return renameColumns(walk, columns, { colnames: node.aliascolnames });
}

/** What SEARCH and CYCLE add, for those who read it from outside. */
function withAdded(
  node: CommonTableExpr,
  columns: readonly Column[] | undefined,
): readonly Column[] | undefined {
  const { search_clause: search, cycle_clause: cycle } = node;
  if (columns === undefined || (search === undefined && cycle === undefined)) return columns;
  const all: readonly Value[] = columns.map((column) => column.value);
  const added: Column[] = [];
  if (search !== undefined) {
    added.push({ name: search.search_seq_column ?? '', value: derived(0, all) });
  }
  if (cycle !== undefined) {
    // True and false unless the clause says otherwise, and then their type is not worked out.
    const mark = cycle.cycle_mark_value;
    const isPlain = mark !== undefined && 'A_Const' in mark && mark.A_Const.boolval !== undefined;
    const type = isPlain ? boolType : 0;
    added.push({ name: cycle.cycle_mark_column ?? '', value: derived(type, all) });
    added.push({ name: cycle.cycle_path_column ?? '', value: derived(0, all) });
  }
  return [...columns, ...added];
}
