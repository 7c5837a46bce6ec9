/** Relations by name, and what reading one does. */
import type { Alias, Node, RangeVar } from 'libpg-query';
import type { Relation, RelationKind } from './catalogue.ts';
import { aside, isSystem, relativesOf, tableColumns, viewColumns } from './labels.ts';
import { fullName, relationNamed, writtenName } from './object-names.ts';
import { checkPartitionKey } from './partitioning.ts';
import { emptyScope, type Item, type Scope } from './scope.ts';
import { fileViews } from './system-data.ts';
import { walkText } from './texts.ts';
import { namesOf } from './tree.ts';
import { type Column, clean, isTainted, rowOf, unknownValue } from './values.ts';
import { expanded, type Walk } from './walk.ts';

/** Versions up to this one had their system views reviewed; those of later ones are walked. */
const reviewedVersionMax = 190_000;

const kinds: Readonly<Record<RelationKind, string>> = {
  table: 'table',
  partitioned: 'table',
  view: 'view',
  matview: 'materialized-view',
  foreign: 'foreign-table',
  sequence: 'sequence',
  index: 'index',
  composite: 'type',
  toast: 'table',
};

/** What the facts call a relation of that kind. */
export function objectKind(relation: Relation): string {
  return kinds[relation.kind];
}

/** What FROM has under a name that is no CTE, after what reading it does went into the facts. */
export function readRelation(walk: Walk, name: RangeVar): Item {
  const relation = relationNamed(walk, name);
  walk.facts.effect('read');
  if (relation === undefined) {
    walk.facts.object('table', writtenName(name), 'read');
    walk.facts.partial(`relation ${writtenName(name)} is not in the catalogue`);
    return openItem(name.alias?.aliasname ?? name.relname ?? '');
  }
  walk.facts.object(objectKind(relation), fullName(relation), 'read');
  return itemOf(walk, relation, readColumns(walk, relation), name);
}

/** Something of which nothing is known but its name. */
export function openItem(alias: string): Item {
  return {
    alias,
    schema: undefined,
    columns: [],
    open: true,
    relation: undefined,
    row: unknownValue,
  };
}

/** A relation as FROM has it, under its alias. */
export function itemOf(
  walk: Walk,
  relation: Relation,
  columns: readonly Column[] | undefined,
  name: RangeVar,
): Item {
  const { alias } = name;
  if (columns === undefined) return openItem(alias?.aliasname ?? relation.name);
  const renamed = renameColumns(walk, columns, alias);
  return {
    alias: alias?.aliasname ?? relation.name,
    schema: alias === undefined ? relation.schema : undefined,
    columns: renamed,
    open: false,
    relation,
    row: rowOf(relation.rowTypeOid, columns),
  };
}

/** Columns under the names that an alias gives them. */
export function renameColumns(
  walk: Walk,
  columns: readonly Column[],
  alias: Alias | undefined,
): readonly Column[] {
  const names = namesOf(alias?.colnames);
  if (names.length === 0) return columns;
  if (names.length > columns.length)
    walk.facts.partial('an alias names more columns than there are');
  return columns.map((column, at) => {
    const name = names[at];
    return name === undefined ? column : { name, value: column.value };
  });
}

function readColumns(walk: Walk, relation: Relation): readonly Column[] | undefined {
  const { facts, env } = walk;
  switch (relation.kind) {
    case 'view':
      return readView(walk, relation);
    case 'toast':
    case 'index':
    case 'composite':
      facts.partial(`${fullName(relation)} is read as it is stored`);
      break;
    case 'table':
    case 'partitioned':
    case 'foreign':
    case 'matview':
    case 'sequence':
      break;
  }
  for (const one of relativesOf(env.catalogue, relation)) readForeign(walk, one);
  const columns = tableColumns(walk, relation);
  checkPolicies(walk, relation, columns);
  checkFolding(walk, relation);
  if (relation.partitionKey !== undefined) {
    checkPartitionKey(walk, relation.partitionKey, cleanScope(columns));
  }
  const computed = relation.columns.some(
    (column, at) => column.isVirtual && isTainted(columns[at]?.value ?? unknownValue),
  );
  if (computed) facts.messagesMayLeak = true;
  return columns;
}

function readView(walk: Walk, relation: Relation): readonly Column[] | undefined {
  const { facts, env } = walk;
  if (isSystem(relation) && env.catalogue.serverVersion < reviewedVersionMax) {
    if (relation.schema === 'pg_catalog' && fileViews.has(relation.name)) facts.effect('file-read');
    return tableColumns(walk, relation);
  }
  const columns = viewColumns(walk, relation);
  if (columns === undefined) facts.partial(`view ${fullName(relation)} cannot be followed`);
  return columns;
}

function readForeign(walk: Walk, relation: Relation): void {
  if (relation.kind !== 'foreign') return;
  const wrapper = relation.foreign?.wrapper ?? '';
  walk.facts.effect(wrapper === 'file_fdw' ? 'file-read' : 'network');
  walk.facts.partial(`${fullName(relation)} lies outside this server (${wrapper})`);
}

/** Policies of row security run with every read and write. What they filter by is not the user's. */
export function checkPolicies(walk: Walk, relation: Relation, columns: readonly Column[]): void {
  if (!relation.rowSecurity) return;
  const scope = cleanScope(columns);
  for (const { using, check } of relation.policies) {
    for (const text of [using, check]) if (text !== undefined) walkText(walk, text, scope);
  }
}

/** A scope with the columns of one relation, without what they carry. */
export function cleanScope(columns: readonly Column[]): Scope {
  const visible = columns.map(({ name, value }) => ({ name, value: clean(value.type) }));
  return { ...emptyScope, sources: { items: [], visible, open: false } };
}

/**
 * The planner computes what is constant in the expressions of indexes and constraints: calls in
 * them that look at no column run even for EXPLAIN.
 */
function checkFolding(walk: Walk, relation: Relation): void {
  for (const text of relation.checkConstraints) foldText(walk, text);
  for (const { expressions, predicate } of relation.indexes) {
    if (expressions !== undefined) foldText(walk, expressions);
    if (predicate !== undefined) foldText(walk, predicate);
  }
}

function foldText(walk: Walk, text: string): void {
  const tree = walk.env.auxiliary(`SELECT ${text}`);
  if (tree === undefined) return;
  if (tree === null) {
    walk.facts.partial('an expression of the catalogue was not understood');
    return;
  }
  const inner = expanded(walk);
  for (const call of constantCalls(tree)) {
    // Only what it may do counts; the statement does not ask for it.
    const trial = aside(inner);
    trial.entries.expression(trial, call, emptyScope);
    if (trial.facts.analysis !== 'complete') {
      walk.facts.partial('planning runs code of an index or a constraint');
    }
  }
}

/** Calls without a column below them. */
function constantCalls(tree: readonly Node[]): readonly Node[] {
  const found: Node[] = [];
  const waiting: unknown[] = [...tree];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    if (typeof node !== 'object' || node === null) continue;
    if (Array.isArray(node)) {
      waiting.push(...node);
      continue;
    }
    if (isCall(node) && !mentionsColumn(node)) found.push(node);
    else waiting.push(...Object.values(node));
  }
  return found;
}

function isCall(node: object): node is Node {
  return 'FuncCall' in node || 'A_Expr' in node || 'TypeCast' in node;
}

function mentionsColumn(node: unknown): boolean {
  const waiting: unknown[] = [node];
  for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
    if (typeof one !== 'object' || one === null) continue;
    if ('ColumnRef' in one) return true;
    waiting.push(...Object.values(one));
  }
  return false;
}
