/**
 * What a write to a table sets off besides itself: triggers, rules, foreign keys that cascade, and
 * the expressions of generated columns, defaults, constraints, indexes and policies.
 */
import type { Effect } from '#core/facts.ts';
import type { RuleStmt } from 'libpg-query';
import { unbounded } from './bounds.ts';
import type { ForeignKeyInfo, Relation, TriggerInfo, WriteEvent } from './catalogue.ts';
import { relativesOf, tableColumns } from './labels.ts';
import { fullName, relationNamed } from './object-names.ts';
import { checkPolicies, cleanScope, objectKind } from './relations.ts';
import { emptyScope, type Scope } from './scope.ts';
import { checkPartitionKey } from './partitioning.ts';
import { isSafe } from './traits.ts';
import { walkText } from './texts.ts';
import { checkType } from './type-check.ts';
import { type Column, isTainted } from './values.ts';
import { expanded, expansionMax, type Walk } from './walk.ts';

/** Tables that one write is followed into. */
const cascadeMax = 1_000;

export interface WriteKind {
  readonly event: WriteEvent;
  /** True when it changes every row. */
  readonly all: boolean;
  /** Columns that it sets; undefined when they are not known. */
  readonly columns: readonly string[] | undefined;
  /** Whether columns may take their defaults. */
  readonly defaults: boolean;
  /** The most rows that it changes or removes; not known when absent. */
  readonly rows?: number;
  /** True for a TRUNCATE without CASCADE, which fails rather than reach other tables. */
  readonly alone?: boolean;
}

/** Notes everything that a write to a relation does. */
export function writeRelation(walk: Walk, relation: Relation, kind: WriteKind): void {
  new Cascade(walk).write(relation, kind, 0);
}

const effects: Readonly<Record<WriteEvent, readonly [Effect, Effect]>> = {
  insert: ['insert', 'insert'],
  update: ['update', 'update-all'],
  delete: ['delete', 'delete-all'],
  truncate: ['truncate', 'truncate'],
};

class Cascade {
  readonly #walk: Walk;
  readonly #seen = new Set<string>();
  readonly #tables = new Set<number>();

  constructor(walk: Walk) {
    this.#walk = walk;
  }

  write(relation: Relation, kind: WriteKind, depth: number): void {
    const { facts, env } = this.#walk;
    const { rows = unbounded } = kind;
    const key = [relation.oid, kind.event, kind.all, rows, kind.columns?.join()].join(' ');
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    this.#tables.add(relation.oid);
    if (kind.event !== 'insert') facts.rowsChanged(rows);
    if (this.#seen.size > cascadeMax || depth > expansionMax) {
      facts.partial('a write reaches too many tables');
      return;
    }
    facts.effect(effects[kind.event][kind.all ? 1 : 0]);
    this.#rules(relation, kind);
    if (relation.kind === 'view') this.#view(relation, kind, depth);
    // Catalogue tables are the catalogue: to write them is to do what DDL and GRANT do.
    if (relation.schema === 'pg_catalog' || relation.schema.startsWith('pg_toast')) {
      facts.effect('admin', 'grant', 'alter');
      facts.partial(`${fullName(relation)} says what other objects are`);
    }
    for (const one of relativesOf(env.catalogue, relation)) {
      facts.object(objectKind(one), fullName(one), 'write');
      this.#table(one, kind, depth);
    }
  }

  #table(relation: Relation, kind: WriteKind, depth: number): void {
    const walk = this.#walk;
    const { facts } = walk;
    if (relation.kind === 'foreign') {
      facts.effect('network');
      facts.partial(`${fullName(relation)} lies outside this server`);
    }
    for (const trigger of relation.triggers) this.#trigger(relation, trigger, kind);
    if (relation.kind === 'view') return;
    const columns = tableColumns(walk, relation);
    // A constraint that fails prints the row that it failed for.
    if (columns.some((column) => isTainted(column.value))) facts.messagesMayLeak = true;
    if (kind.event !== 'truncate') checkPolicies(walk, relation, columns);
    if (kind.event === 'insert' || kind.event === 'update') computed(walk, relation, kind, columns);
    for (const key of relation.referencedBy) this.#reference(relation, key, kind, depth);
  }

  #trigger(relation: Relation, trigger: TriggerInfo, kind: WriteKind): void {
    if (trigger.internal || !trigger.enabled || !fires(relation, trigger, kind.event)) return;
    const { facts, env } = this.#walk;
    const info = env.catalogue.functionByOid(trigger.functionOid);
    const name = info === undefined ? '?' : `${info.schema}.${info.name}`;
    facts.function(name);
    if (isSafe(info)) return;
    facts.effect('execute-code', 'unknown');
    facts.object('trigger', `${fullName(relation)}.${trigger.name}`, 'execute');
    facts.partial(`trigger ${trigger.name} of ${fullName(relation)} runs ${name}, not reviewed`);
    facts.messagesMayLeak = true;
  }

  #reference(relation: Relation, key: ForeignKeyInfo, kind: WriteKind, depth: number): void {
    const child = this.#walk.env.catalogue.relationByOid(key.fromOid);
    if (kind.event === 'insert' || kind.alone === true) return;
    const action =
      kind.event === 'truncate' ? 'cascade' : kind.event === 'delete' ? key.onDelete : key.onUpdate;
    if (action === 'none' || action === 'restrict') return;
    if (kind.event === 'update' && !touchesKey(relation, key, kind.columns)) return;
    if (child === undefined) {
      this.#walk.facts.partial(`foreign key ${key.name} comes from an unknown table`);
      return;
    }
    if (action === 'cascade' && kind.event !== 'update') {
      const { event, all } = kind;
      this.write(child, { event, all, columns: undefined, defaults: false }, depth + 1);
      return;
    }
    const columns = child.columns
      .filter((column) => key.fromColumns.includes(column.attnum))
      .map((column) => column.name);
    const defaults = action === 'set-default';
    this.write(child, { event: 'update', all: kind.all, columns, defaults }, depth + 1);
  }

  /** A write to a view is a write to what it is over, if it is not done by a rule or a trigger. */
  #view(relation: Relation, kind: WriteKind, depth: number): void {
    const walk = this.#walk;
    const text = relation.viewDefinition;
    const query = text === undefined ? null : walk.env.auxiliary(text);
    const only = query?.[0];
    if (query === undefined) return;
    if (only === undefined || !('SelectStmt' in only)) {
      walk.facts.partial(`view ${fullName(relation)} cannot be followed`);
      return;
    }
    const inner = expanded(walk);
    for (const node of only.SelectStmt.fromClause ?? []) {
      if (!('RangeVar' in node)) continue;
      const base = relationNamed(inner, node.RangeVar);
      if (base === undefined) walk.facts.partial(`view ${fullName(relation)} cannot be followed`);
      // Which of its columns the view sets is not followed: any may be.
      else this.write(base, { ...kind, columns: undefined }, depth + 1);
    }
  }

  #rules(relation: Relation, kind: WriteKind): void {
    const walk = this.#walk;
    for (const rule of relation.rules) {
      if (rule.event !== kind.event) continue;
      walk.facts.object('rule', `${fullName(relation)}.${rule.name}`, 'execute');
      const tree = walk.env.auxiliary(rule.definition);
      if (tree === undefined) continue;
      const only = tree?.[0];
      if (only === undefined || !('RuleStmt' in only) || walk.expansion >= expansionMax) {
        walk.facts.partial(`rule ${rule.name} of ${fullName(relation)} cannot be followed`);
        continue;
      }
      runRule(walk, relation, only.RuleStmt);
    }
  }
}

/** Notes what the server evaluates when it writes a table's rows anew. */
export function checkComputed(walk: Walk, relation: Relation): void {
  const kind: WriteKind = { event: 'update', all: true, columns: undefined, defaults: true };
  computed(walk, relation, kind, tableColumns(walk, relation));
}

/** Expressions that the server evaluates for a new row. */
function computed(
  walk: Walk,
  relation: Relation,
  kind: WriteKind,
  columns: readonly Column[],
): void {
  const scope = cleanScope(columns);
  for (const text of relation.checkConstraints) walkText(walk, text, scope);
  for (const { expressions, predicate } of relation.indexes) {
    if (expressions !== undefined) walkText(walk, expressions, scope);
    if (predicate !== undefined) walkText(walk, predicate, scope);
  }
  for (const column of relation.columns) {
    checkType(walk, column.typeOid);
    if (column.generated !== undefined) walkText(walk, column.generated, scope);
    else if (kind.defaults) {
      const text = column.default ?? walk.env.catalogue.typeByOid(column.typeOid)?.default;
      if (text !== undefined) walkText({ ...walk, inDefault: true }, text, scope);
    }
  }
  if (relation.partitionKey !== undefined) checkPartitionKey(walk, relation.partitionKey, scope);
}

/** The actions of a rule, with OLD and NEW standing for rows of the table. */
function runRule(walk: Walk, relation: Relation, rule: RuleStmt): void {
  const inner = expanded(walk);
  const columns =
    relation.kind === 'view'
      ? relation.columns.map(({ name, typeOid }) => ({
          name,
          value: {
            type: typeOid,
            sources: [],
            direct: undefined,
            unknown: true,
            fields: undefined,
          },
        }))
      : tableColumns(walk, relation);
  const item = (alias: string): Scope['sources']['items'][number] => ({
    alias,
    schema: undefined,
    columns,
    open: false,
    relation,
    row: {
      type: relation.rowTypeOid,
      sources: [],
      direct: undefined,
      unknown: true,
      fields: columns,
    },
  });
  const scope: Scope = {
    ...emptyScope,
    sources: { items: [item('old'), item('new')], visible: [], open: false },
  };
  if (rule.whereClause !== undefined) {
    inner.entries.expression(inner, rule.whereClause, scope);
  }
  for (const action of rule.actions ?? []) {
    // The rows of a rule's query come back as if the statement had asked for them.
    if ('SelectStmt' in action) {
      walk.facts.returnsOthersRows = true;
      walk.facts.partial(`rule ${rule.rulename ?? ''} sends back rows`);
    }
    inner.entries.statement(inner, action, { ...emptyScope, parent: scope });
  }
}

/** An update of a partitioned table can move a row: a delete in one partition, an insert in another. */
function fires(relation: Relation, trigger: TriggerInfo, event: WriteEvent): boolean {
  if (trigger.events.includes(event)) return true;
  const moves = relation.partitionKey !== undefined || relation.parentOids.length > 0;
  return event === 'update' && moves && trigger.events.some((one) => one !== 'truncate');
}

function touchesKey(
  relation: Relation,
  key: ForeignKeyInfo,
  columns: readonly string[] | undefined,
): boolean {
  if (columns === undefined) return true;
  return relation.columns.some(
    (column) => key.toColumns.includes(column.attnum) && columns.includes(column.name),
  );
}
