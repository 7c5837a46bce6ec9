/**
 * INSERT, UPDATE, DELETE and MERGE: which tables they write, from what, and what RETURNING shows.
 * A target is always a relation, never a CTE of its name.
 */
import type {
  DeleteStmt,
  InsertStmt,
  MergeStmt,
  Node,
  OnConflictClause,
  RangeVar,
  ReturningClause,
  UpdateStmt,
} from 'libpg-query';
import { queryRowsMax, rowsMax, unbounded } from './bounds.ts';
import { castTo } from './calls.ts';
import type { Relation } from './catalogue.ts';
import { plainlyFails } from './constraints.ts';
import { plainTruth } from './fold.ts';
import { fromClause, rowItem } from './from.ts';
import { tableColumns, viewColumns } from './labels.ts';
import { openQuery } from './query.ts';
import { relationNamed, writtenName } from './object-names.ts';
import { itemOf, openItem } from './relations.ts';
import {
  beside,
  type Item,
  nested,
  noSources,
  type Scope,
  type Sources,
  sourcesOf,
  withSources,
} from './scope.ts';
import { targetColumns } from './targets.ts';
import { traitsOf } from './traits.ts';
import { unknownType } from './type-oids.ts';
import { kindOf } from './tree.ts';
import { type Column, retyped, settled, unknownValue, type Value, withTaint } from './values.ts';
import { deeper, readLiteral, spend, type Walk } from './walk.ts';
import { withClause } from './with.ts';
import { type WriteKind, writeRelation } from './write-effects.ts';

/** Values that a statement gives to columns of its target, by name. */
type Assigned = Map<string, Value>;

interface Target {
  readonly relation: Relation | undefined;
  readonly item: Item;
  /** As the statement has it. */
  readonly name: string;
}

/** A target, and what was written to it so far. */
interface Writing {
  readonly target: Target;
  readonly assigned: Assigned;
  /** Whether what is written are new rows: then nothing in them stays where it was. */
  readonly fresh?: boolean;
}

/** A statement in WITH, in a rule or in a function: a query, or a write. */
export function statement(walk: Walk, node: Node, scope: Scope): readonly Column[] | undefined {
  spend(walk);
  return deeper(walk, () => {
    if ('SelectStmt' in node) return walk.entries.query(walk, node.SelectStmt, scope);
    if ('InsertStmt' in node) return insert(walk, node.InsertStmt, scope);
    if ('UpdateStmt' in node) return update(walk, node.UpdateStmt, scope);
    if ('DeleteStmt' in node) return remove(walk, node.DeleteStmt, scope);
    if ('MergeStmt' in node) return merge(walk, node.MergeStmt, scope);
    walk.facts.effect('execute-code', 'unknown');
    walk.facts.partial(`${kindOf(node)} inside a function or a rule is not followed`);
    return undefined;
  });
}

function targetOf(walk: Walk, name: RangeVar | undefined): Target {
  if (name === undefined) {
    walk.facts.partial('a write without a target');
    return { relation: undefined, item: openItem(''), name: '?' };
  }
  const relation = relationNamed(walk, name);
  const given = writtenName(name);
  if (relation === undefined) {
    walk.facts.object('table', given, 'write');
    walk.facts.partial(`relation ${given} is not in the catalogue`);
    const item = openItem(name.alias?.aliasname ?? name.relname ?? '');
    return { relation, item, name: given };
  }
  const columns =
    relation.kind === 'view' ? viewColumns(walk, relation) : tableColumns(walk, relation);
  if (columns === undefined) walk.facts.partial(`view ${relation.name} cannot be followed`);
  return { relation, item: itemOf(walk, relation, columns, name), name: given };
}

function insert(walk: Walk, node: InsertStmt, outer: Scope): readonly Column[] | undefined {
  const scope = node.withClause === undefined ? outer : withClause(walk, node.withClause, outer);
  const target = targetOf(walk, node.relation);
  const names = insertedNames(walk, node, target);
  const assigned: Assigned = new Map();
  const writing: Writing = { target, assigned, fresh: true };
  const source = node.selectStmt;
  if (source !== undefined) {
    const columns =
      'SelectStmt' in source ? openQuery(walk, source.SelectStmt, nested(scope)) : undefined;
    if (columns === undefined) {
      walk.facts.partial('what is inserted is not known');
      for (const name of names) assign(walk, writing, name, unknownValue);
    }
    if (columns !== undefined && columns.length > names.length && target.relation !== undefined) {
      walk.facts.partial('more is inserted than there are columns');
    }
    for (const [at, column] of (columns ?? []).entries()) {
      assign(walk, writing, names[at] ?? '?', column.value);
    }
  }
  done(walk, target, {
    event: 'insert',
    all: false,
    columns: [...writing.assigned.keys()],
    defaults: true,
  });
  const conflict = node.onConflictClause;
  if (conflict !== undefined) probe(walk, conflict, target);
  if (conflict?.action === 'ONCONFLICT_UPDATE' || conflict?.infer !== undefined) {
    const excluded = rowItem('excluded', written(writing));
    const inside = withSources(scope, bothItems(target.item, excluded));
    for (const element of conflict.infer?.indexElems ?? []) {
      if ('IndexElem' in element && element.IndexElem.expr !== undefined) {
        walk.entries.expression(walk, element.IndexElem.expr, inside);
      }
    }
    const condition = conflict.infer?.whereClause;
    if (condition !== undefined) walk.entries.expression(walk, condition, inside);
    if (conflict.action === 'ONCONFLICT_UPDATE') {
      setColumns(walk, conflict.targetList ?? [], { target, assigned }, inside);
      filter(walk, conflict.whereClause, inside);
      const given = source !== undefined && 'SelectStmt' in source ? source.SelectStmt : undefined;
      done(walk, target, {
        event: 'update',
        all: false,
        rows: given === undefined || walk.expansion > 0 ? unbounded : queryRowsMax(walk, given),
        columns: [...targetNames(conflict.targetList)],
        defaults: takesDefault(conflict.targetList),
      });
    }
  }
  return returning(walk, node.returningClause, { ...writing, from: noSources }, scope);
}

/** ON CONFLICT tells whether a key is there: it compares with every key that it could meet. */
function probe(walk: Walk, conflict: OnConflictClause, target: Target): void {
  const { infer } = conflict;
  const named = (infer?.indexElems ?? []).flatMap((element) =>
    'IndexElem' in element && element.IndexElem.name !== undefined ? [element.IndexElem.name] : [],
  );
  const { relation, item } = target;
  const keys = (relation?.indexes ?? []).filter((index) => index.unique);
  const all = keys.flatMap(({ columns }) =>
    columns.flatMap((attnum) => relation?.columns.find((one) => one.attnum === attnum)?.name ?? []),
  );
  const compared = new Set(infer === undefined || infer.conname !== undefined ? all : named);
  for (const { name, value } of item.columns) {
    if (compared.has(name)) walk.facts.use({ ...value, unknown: false }, 'filter');
  }
}

/** The columns that are given values, in order. */
function insertedNames(walk: Walk, node: InsertStmt, target: Target): readonly string[] {
  if (node.cols === undefined) return target.relation?.columns.map((column) => column.name) ?? [];
  for (const column of node.cols) {
    if ('ResTarget' in column && column.ResTarget.indirection !== undefined) {
      for (const step of column.ResTarget.indirection)
        subscript(walk, step, withSources(emptyOf(target), noSources));
    }
  }
  return [...targetNames(node.cols)];
}

function emptyOf(target: Target): Scope {
  return { parent: undefined, sources: sourcesOf(target.item), ctes: undefined, args: undefined };
}

function targetNames(nodes: readonly Node[] | undefined): readonly string[] {
  return (nodes ?? []).flatMap((node) => ('ResTarget' in node ? [node.ResTarget.name ?? ''] : []));
}

function update(walk: Walk, node: UpdateStmt, outer: Scope): readonly Column[] | undefined {
  const scope = node.withClause === undefined ? outer : withClause(walk, node.withClause, outer);
  const target = targetOf(walk, node.relation);
  const from = fromClause(walk, node.fromClause ?? [], scope);
  const inside = withSources(scope, beside(sourcesOf(target.item), from));
  const writing: Writing = { target, assigned: new Map() };
  setColumns(walk, node.targetList ?? [], writing, inside);
  filter(walk, node.whereClause, inside);
  done(walk, target, {
    event: 'update',
    ...selected(walk, target, [node.whereClause], { scope: inside, from: node.fromClause }),
    columns: [...targetNames(node.targetList)],
    defaults: takesDefault(node.targetList),
  });
  return returning(walk, node.returningClause, { ...writing, from }, scope);
}

function remove(walk: Walk, node: DeleteStmt, outer: Scope): readonly Column[] | undefined {
  const scope = node.withClause === undefined ? outer : withClause(walk, node.withClause, outer);
  const target = targetOf(walk, node.relation);
  const using = fromClause(walk, node.usingClause ?? [], scope);
  const inside = withSources(scope, beside(sourcesOf(target.item), using));
  filter(walk, node.whereClause, inside);
  done(walk, target, {
    event: 'delete',
    ...selected(walk, target, [node.whereClause], { scope: inside, from: node.usingClause }),
    columns: undefined,
    defaults: false,
  });
  const writing: Writing = { target, assigned: new Map() };
  return returning(walk, node.returningClause, { ...writing, from: using }, scope);
}

function merge(walk: Walk, node: MergeStmt, outer: Scope): readonly Column[] | undefined {
  const scope = node.withClause === undefined ? outer : withClause(walk, node.withClause, outer);
  const target = targetOf(walk, node.relation);
  const from = node.sourceRelation === undefined ? [] : [node.sourceRelation];
  const source = fromClause(walk, from, scope);
  const inside = withSources(scope, beside(sourcesOf(target.item), source));
  filter(walk, node.joinCondition, inside);
  const everyRow = isEveryRow(walk, node.joinCondition, target);
  const writing: Writing = { target, assigned: new Map() };
  for (const one of node.mergeWhenClauses ?? []) {
    if (!('MergeWhenClause' in one)) {
      walk.facts.partial(`${kindOf(one)} in MERGE is not analysed`);
      continue;
    }
    const { commandType, matchKind, condition, targetList, values } = one.MergeWhenClause;
    filter(walk, condition, inside);
    const unmatched = matchKind === 'MERGE_WHEN_NOT_MATCHED_BY_SOURCE';
    const all = (everyRow || unmatched) && isEveryRow(walk, condition, target);
    // Rows without a match are those for which the condition of the join does not hold.
    const conditions = [unmatched ? undefined : node.joinCondition, condition];
    const rows = all ? unbounded : rowsMax(walk, target, conditions, { scope: inside, from });
    const columns = [...targetNames(targetList)];
    if (commandType === 'CMD_UPDATE') {
      setColumns(walk, targetList ?? [], writing, inside);
      done(walk, target, {
        event: 'update',
        all,
        rows,
        columns,
        defaults: takesDefault(targetList),
      });
    } else if (commandType === 'CMD_DELETE') {
      done(walk, target, { event: 'delete', all, rows, columns: undefined, defaults: false });
    } else if (commandType === 'CMD_INSERT') {
      const names =
        columns.length > 0 ? columns : (target.relation?.columns.map((c) => c.name) ?? []);
      for (const [at, value] of (values ?? []).entries()) {
        const given = walk.entries.expression(walk, value, inside);
        assign(walk, { ...writing, fresh: true }, names[at] ?? '?', given);
      }
      done(walk, target, {
        event: 'insert',
        all: false,
        columns: names.slice(0, values?.length ?? 0),
        defaults: true,
      });
    } else if (commandType !== 'CMD_NOTHING') {
      walk.facts.partial('an action of MERGE is not analysed');
    }
  }
  return returning(
    walk,
    node.returningClause,
    { ...writing, from: source, fromFirst: true },
    scope,
  );
}

/** Whether a list of assignments has DEFAULT in it. */
function takesDefault(nodes: readonly Node[] | undefined): boolean {
  return (nodes ?? []).some((node) => {
    const value = 'ResTarget' in node ? node.ResTarget.val : undefined;
    const source =
      value !== undefined && 'MultiAssignRef' in value ? value.MultiAssignRef.source : value;
    if (source === undefined) return false;
    if ('RowExpr' in source)
      return source.RowExpr.args?.some((one) => 'SetToDefault' in one) === true;
    return 'SetToDefault' in source;
  });
}

/** Notes the write, with everything that it sets off. */
function done(walk: Walk, { relation, name }: Target, kind: WriteKind): void {
  if (relation !== undefined) return writeRelation(walk, relation, kind);
  const { event } = kind;
  const all = kind.all && (event === 'update' || event === 'delete');
  walk.facts.effect(all ? `${event}-all` : event);
  walk.facts.object('table', name, 'write');
}

function filter(walk: Walk, condition: Node | undefined, scope: Scope): void {
  if (condition !== undefined) {
    walk.facts.use(walk.entries.expression(walk, condition, scope), 'filter');
  }
}

/** Which rows an UPDATE or DELETE reaches: all of them, or at most so many. */
function selected(
  walk: Walk,
  target: Target,
  conditions: readonly (Node | undefined)[],
  join: { readonly scope: Scope; readonly from: readonly Node[] | undefined },
): { readonly all: boolean; readonly rows: number } {
  if (conditions.every((one) => isEveryRow(walk, one, target))) {
    return { all: true, rows: unbounded };
  }
  const { scope, from = [] } = join;
  return { all: false, rows: rowsMax(walk, target, conditions, { scope, from }) };
}

function isEveryRow(walk: Walk, condition: Node | undefined, target: Target): boolean {
  if (condition === undefined) return true;
  const { relation, item } = target;
  const neverNull = (names: readonly string[]): boolean => {
    const name = names.at(-1) ?? '';
    if (names.length > 1 && names.at(-2) !== item.alias) return false;
    if (name === 'ctid' || name === 'tableoid' || name === 'xmin') return true;
    return relation?.columns.find((column) => column.name === name)?.notNull ?? false;
  };
  const literalRead = (): void => {
    readLiteral(walk);
  };
  return plainTruth(condition, { neverNull, literalRead }) === true;
}

/** `SET column = …`, which may be `SET (a, b) = (…)` or `SET field[1] = …`. */
function setColumns(walk: Walk, nodes: readonly Node[], writing: Writing, scope: Scope): void {
  for (const node of nodes) {
    if (!('ResTarget' in node)) {
      walk.facts.partial(`${kindOf(node)} in SET is not analysed`);
      continue;
    }
    const { name = '', val, indirection = [] } = node.ResTarget;
    for (const step of indirection) subscript(walk, step, scope);
    if (val === undefined) continue;
    const { relation, item } = writing.target;
    if (relation !== undefined && plainlyFails(walk, relation, name, val)) {
      for (const one of item.columns) walk.facts.use({ ...one.value, unknown: false }, 'compute');
    }
    let value = walk.entries.expression(walk, val, scope);
    if ('MultiAssignRef' in val) {
      const at = (val.MultiAssignRef.colno ?? 1) - 1;
      value = value.fields?.[at]?.value ?? value;
    }
    if (indirection.length > 0)
      value = retyped({ ...value, fields: undefined, direct: undefined }, 0);
    assign(walk, writing, name, value);
  }
}

function subscript(walk: Walk, step: Node, scope: Scope): void {
  if (!('A_Indices' in step)) return;
  for (const bound of [step.A_Indices.lidx, step.A_Indices.uidx]) {
    if (bound !== undefined) walk.entries.expression(walk, bound, scope);
  }
}

/** Gives a column a value: what it carries is copied there. */
function assign(walk: Walk, writing: Writing, name: string, value: Value): void {
  const { target, assigned, fresh = false } = writing;
  const column = target.item.columns.find((one) => one.name === name);
  if (column === undefined && target.relation !== undefined) {
    walk.facts.partial(`column ${name} of ${target.relation.name} is not known`);
  }
  const label = column?.value ?? unknownValue;
  // A masked column that is given its own value, or that of the same mask, hides it as before.
  const kept = !fresh && value.direct !== undefined && value.direct === label.direct;
  if (!kept) walk.facts.use(value, 'copy');
  walk.facts.use({ ...label, unknown: false }, 'write');
  checkAssignment(walk, value, label.type);
  if (label.type !== 0 && value.type !== label.type) castTo(walk, value, label.type);
  const before = assigned.get(name);
  assigned.set(name, before === undefined ? value : withTaint(value, [before]));
}

/** Assignment uses casts that expressions would have to ask for. */
function checkAssignment(walk: Walk, value: Value, target: number): void {
  const { assignments } = traitsOf(walk.env.catalogue);
  if (value.type === target || value.type === unknownType) return;
  const found = assignments.some(
    (cast) => (value.type === 0 || cast.source === value.type) && cast.target === target,
  );
  if (found) walk.facts.partial('an assignment runs a cast that is not reviewed');
}

/** The target's columns as they are after the write: by their labels, and by what was written. */
function written({ target, assigned }: Writing): readonly Column[] {
  return target.item.columns.map(({ name, value }) => {
    const given = assigned.get(name);
    return { name, value: given === undefined ? value : withTaint(value, [given]) };
  });
}

function bothItems(target: Item, other: Item): Sources {
  return { items: [target, other], visible: target.columns, open: target.open };
}

/** What RETURNING can see. */
interface Returned extends Writing {
  readonly from: Sources;
  /** MERGE shows its source before its target. */
  readonly fromFirst?: boolean;
}

function returning(
  walk: Walk,
  clause: ReturningClause | undefined,
  { target, assigned, from, fromFirst }: Returned,
  scope: Scope,
): readonly Column[] | undefined {
  if (clause === undefined) return [];
  const now: Item = { ...target.item, columns: written({ target, assigned }) };
  const item: Item = {
    ...now,
    row: { ...withTaint(target.item.row, [...assigned.values()]), fields: now.columns },
  };
  const names = { old: 'old', new: 'new' };
  for (const option of clause.options ?? []) {
    if (!('ReturningOption' in option)) continue;
    const which = option.ReturningOption.option === 'RETURNING_OPTION_OLD' ? 'old' : 'new';
    names[which] = option.ReturningOption.value ?? which;
  }
  // OLD and NEW give way to a table of that name.
  const shown = fromFirst === true ? beside(from, sourcesOf(item)) : beside(sourcesOf(item), from);
  const taken = new Set(shown.items.map((one) => one.alias));
  const extra = [names.old, names.new]
    .filter((name) => !taken.has(name))
    .map((alias): Item => ({ ...item, alias, schema: undefined }));
  const sources: Sources = { ...shown, items: [...shown.items, ...extra] };
  const columns = targetColumns(walk, clause.exprs ?? [], withSources(scope, sources));
  return columns === undefined ? undefined : settled(columns);
}
