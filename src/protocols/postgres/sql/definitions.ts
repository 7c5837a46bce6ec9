/**
 * Statements that define, change or remove what a database is made of: which objects they name, and
 * which expressions in them the server will evaluate over rows that are there already.
 */
import type { Access } from '#core/facts.ts';
import type { Node, RangeVar } from 'libpg-query';
import type { Relation } from './catalogue.ts';
import { heirsOf, tableColumns } from './labels.ts';
import { fullName, isPart, newRelationName, objectNames, relationNamed } from './object-names.ts';
import { cleanScope, objectKind } from './relations.ts';
import { emptyScope } from './scope.ts';
import { traitsOf } from './traits.ts';
import { isTainted } from './values.ts';
import type { Walk } from './walk.ts';
import { checkComputed } from './write-effects.ts';

/** Objects that one statement names; more make it not complete. */
const objectsMax = 1_000;

export interface Definition {
  readonly access: Access;
  /** What the named object is, where the statement has no word for it. */
  readonly kind: string;
  /** True when rows that are there are read or rewritten. */
  readonly touchesRows: boolean;
}

/** Notes what a definition names and evaluates. */
export function define(walk: Walk, node: Node, definition: Definition): void {
  const { facts, env } = walk;
  const { ddlTriggers } = traitsOf(env.catalogue);
  facts.changes.push({ kind: 'catalogue', ownOnly: isTemporary(node) && !ddlTriggers });
  if (ddlTriggers) {
    facts.effect('execute-code');
    facts.partial('event triggers run functions');
  }
  const body: unknown = Object.values(node)[0];
  const relations = noteObjects(walk, body, definition);
  for (const relation of relations) {
    if (isView(relation)) continue;
    if (tableColumns(walk, relation).some((column) => isTainted(column.value))) {
      facts.messagesMayLeak = true;
    }
    if (definition.touchesRows) checkComputed(walk, relation);
  }
  const columns = relations.flatMap((relation) =>
    isView(relation) ? [] : tableColumns(walk, relation),
  );
  const scope = columns.length > 0 ? cleanScope(columns) : emptyScope;
  // Others only keep their expressions; what runs them later is judged then.
  const evaluated = definition.touchesRows ? embedded(body, expressionFields) : [];
  for (const expression of [...evaluated, ...embedded(body, boundFields)]) {
    walk.entries.expression(walk, expression, scope);
  }
}

/** CREATE TEMPORARY TABLE: its name means something to this session alone. */
const isTemporary = (node: Node): boolean =>
  'CreateStmt' in node && node.CreateStmt.relation?.relpersistence === 't';

function isView(relation: Relation): boolean {
  return relation.kind === 'view';
}

/** Records the objects by what the statement calls them; gives the tables among them. */
function noteObjects(walk: Walk, body: unknown, definition: Definition): readonly Relation[] {
  const { facts } = walk;
  const found: Relation[] = [];
  const kind = ofAll(body) ? 'schema' : kindIn(body, definition.kind);
  if (ofAll(body) || renamesSchema(body)) facts.partial('a schema holds what is not named');
  // A trigger, rule or policy changes the table that it is on.
  const own = isPart(definition.kind) ? { ...definition, access: 'alter' as const } : definition;
  let count = 0;
  for (const [key, value] of fieldsOf(body)) {
    const naming = namingFields.get(key);
    // A domain is named by its own field; the type is what it is over.
    if (naming === undefined || (key === 'typeName' && hasField(body, 'domainname'))) continue;
    for (const one of Array.isArray(value) && naming !== 'name' ? value : [value]) {
      count += 1;
      if (count > objectsMax) {
        facts.partial('the statement names too many objects');
        return found;
      }
      const noted = naming === 'object' || naming === 'name' ? kind : naming;
      const relation = noteObject(walk, one, { ...own, kind: noted });
      if (relation !== undefined) found.push(relation);
    }
  }
  for (const key of partFields) {
    const [table] = found;
    const name = wordsOf(fieldOf(body, key)).join('.');
    if (table === undefined || name === '') continue;
    facts.object(definition.kind, `${fullName(table)}.${name}`, definition.access);
  }
  noteOthers(walk, body);
  return found;
}

/** Tables that a definition of another one changes too: parents, partitions, what keys point to. */
function noteOthers(walk: Walk, body: unknown): void {
  const waiting: unknown[] = [body];
  for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
    for (const [key, value] of fieldsOf(one)) {
      if (typeof value !== 'object' || value === null) continue;
      waiting.push(value);
      // Parents change alone, by having one heir more.
      if (key === 'inhRelations' || (key === 'def' && hasField(value, 'RangeVar'))) {
        for (const parent of Array.isArray(value) ? value : [value]) {
          noteChanged(walk, parent, true);
        }
      } else if (key === 'pktable') noteChanged(walk, value, false);
      else if (key === 'PartitionCmd') noteChanged(walk, fieldOf(value, 'name'), false);
    }
  }
}

function noteChanged(walk: Walk, value: unknown, alone: boolean): void {
  const name = rangeVar(value);
  const relation = name === undefined ? undefined : relationNamed(walk, name);
  if (relation !== undefined) noteRelation(walk, relation, { access: 'alter', alone });
}

/** What the name of a part of a table stands in. */
const partFields: readonly string[] = ['trigname', 'rulename', 'policy_name'];

/**
 * Fields of statements' nodes that name what they are about: `object` by the statement's own kind,
 * `name` likewise but as a list of the words of one name, or the kind that the field stands for.
 */
const namingFields: ReadonlyMap<string, string> = new Map([
  ...['relation', 'relations', 'object', 'objects', 'view', 'sequence', 'typevar', 'base'].map(
    (key) => [key, 'object'] as const,
  ),
  ['table', 'object'],
  ['func', 'object'],
  ...[
    'funcname',
    'opername',
    'typeName',
    'domainname',
    'defnames',
    'conversion_name',
    'opclassname',
    'opfamilyname',
    'dictname',
    'cfgname',
  ].map((key) => [key, 'name'] as const),
  ['schemaname', 'schema'],
  ['tablespacename', 'tablespace'],
  ...['role', 'roles', 'grantees', 'granted_roles', 'grantee_roles', 'newowner'].map(
    (key) => [key, 'role'] as const,
  ),
  ['dbname', 'database'],
  ['extname', 'extension'],
  ['servername', 'server'],
  ['fdwname', 'foreign-data-wrapper'],
  ['pubname', 'publication'],
  ['subname', 'subscription'],
  ['plname', 'language'],
  ['amname', 'access-method'],
  ['filename', 'file'],
]);

function noteObject(
  walk: Walk,
  value: unknown,
  { kind, access }: Pick<Definition, 'kind' | 'access'>,
): Relation | undefined {
  const { facts } = walk;
  const name = rangeVar(value);
  if (name !== undefined) {
    // Another of that name can be there, in another schema.
    const isNew = access === 'create' && madeRelations.has(kind);
    const relation = isNew ? undefined : relationNamed(walk, name);
    if (relation === undefined) facts.object(kind, newRelationName(walk, name), access);
    else noteRelation(walk, relation, { access, alone: name.inh !== true });
    return relation;
  }
  const words = wordsOf(value);
  if (words.length === 0) return undefined;
  const asRelation = relationKinds.has(kind) ? relationOf(walk, words) : undefined;
  if (asRelation !== undefined) {
    noteRelation(walk, asRelation, { access, alone: asRelation.kind !== 'partitioned' });
    return asRelation;
  }
  for (const one of objectNames(walk, kind, words, access === 'create')) {
    facts.object(kind, one, access);
  }
  const table = isPart(kind) ? relationOf(walk, words.slice(0, -1)) : undefined;
  if (table !== undefined) noteRelation(walk, table, { access: 'alter', alone: false });
  return asRelation;
}

/** A change of a table is one of its heirs and partitions too. */
function noteRelation(
  walk: Walk,
  relation: Relation,
  { access, alone }: { readonly access: Access; readonly alone: boolean },
): void {
  const { facts, env } = walk;
  facts.object(objectKind(relation), fullName(relation), access);
  if (alone || access === 'create' || relation.childOids.length === 0) return;
  for (const heir of heirsOf(env.catalogue, relation)) {
    facts.object(objectKind(heir), fullName(heir), access);
  }
}

/** GRANT ON ALL TABLES IN SCHEMA and the like. */
const ofAll = (body: unknown): boolean => fieldOf(body, 'targtype') === 'ACL_TARGET_ALL_IN_SCHEMA';

const renamesSchema = (body: unknown): boolean => fieldOf(body, 'renameType') === 'OBJECT_SCHEMA';

/** What CREATE makes under the name of a relation. */
const madeRelations: ReadonlySet<string> = new Set(['table', 'sequence', 'type', 'foreign-table']);

const relationKinds: ReadonlySet<string> = new Set([
  'table',
  'view',
  'matview',
  'sequence',
  'index',
  'foreign-table',
]);

function relationOf(walk: Walk, words: readonly string[]): Relation | undefined {
  const [relname = '', schemaname] = words.toReversed();
  return relationNamed(walk, schemaname === undefined ? { relname } : { relname, schemaname });
}

/** `OBJECT_TABLE` and the like, in the words of the facts. */
function kindIn(body: unknown, fallback: string): string {
  for (const key of ['removeType', 'objtype', 'renameType', 'objectType', 'kind']) {
    const value = fieldOf(body, key);
    if (typeof value === 'string' && value.startsWith('OBJECT_')) {
      return value.slice('OBJECT_'.length).toLowerCase().replaceAll('_', '-');
    }
  }
  return fallback;
}

function rangeVar(value: unknown): RangeVar | undefined {
  const inner = fieldOf(value, 'RangeVar') ?? fieldOf(value, 'relation') ?? value;
  const relname = fieldOf(inner, 'relname');
  if (typeof relname !== 'string') return undefined;
  const schemaname = fieldOf(inner, 'schemaname');
  const catalogname = fieldOf(inner, 'catalogname');
  const relpersistence = fieldOf(inner, 'relpersistence');
  return {
    relname,
    inh: fieldOf(inner, 'inh') === true,
    ...(typeof relpersistence === 'string' ? { relpersistence } : {}),
    ...(typeof schemaname === 'string' ? { schemaname } : {}),
    ...(typeof catalogname === 'string' ? { catalogname } : {}),
  };
}

/** The words of a name, however the grammar packs it. */
function wordsOf(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  if (Array.isArray(value)) return value.flatMap((one) => wordsOf(one));
  for (const key of ['sval', 'rolename', 'objname', 'names']) {
    const inner = fieldOf(value, key);
    if (inner !== undefined) return wordsOf(inner);
  }
  for (const kind of ['String', 'List', 'TypeName', 'ObjectWithArgs', 'RoleSpec', 'AccessPriv']) {
    const inner = fieldOf(value, kind);
    if (inner !== undefined) return wordsOf(kind === 'List' ? fieldOf(inner, 'items') : inner);
  }
  return [];
}

function fieldOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && key in value
    ? Reflect.get(value, key)
    : undefined;
}

const hasField = (value: unknown, key: string): boolean => fieldOf(value, key) !== undefined;

function fieldsOf(value: unknown): readonly [string, unknown][] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}

/** Fields that hold an expression which is evaluated, or will be for every row. */
const expressionFields: ReadonlySet<string> = new Set([
  'raw_default',
  'raw_expr',
  'where_clause',
  'whereClause',
  'whenClause',
  'qual',
  'with_check',
  'expr',
  'defexpr',
]);

/** Bounds of partitions are computed when they are given. */
const boundFields: ReadonlySet<string> = new Set(['listdatums', 'value']);

/** Expressions in fields of these names, anywhere in a definition. */
function embedded(body: unknown, wanted: ReadonlySet<string>): readonly Node[] {
  const found: Node[] = [];
  const waiting: unknown[] = [body];
  for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
    for (const [key, value] of fieldsOf(one)) {
      const nodes = wanted.has(key) ? (Array.isArray(value) ? value : [value]) : [];
      const own = nodes.filter(isNode);
      if (own.length > 0) found.push(...own);
      else if (typeof value === 'object' && value !== null) waiting.push(value);
    }
  }
  return found;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 1;
}

/** The names in a list of relations, as LOCK and TRUNCATE have it. */
export function relationsIn(nodes: readonly Node[] | undefined): readonly RangeVar[] {
  return (nodes ?? []).flatMap((node) => {
    if ('RangeVar' in node) return [node.RangeVar];
    if ('VacuumRelation' in node && node.VacuumRelation.relation !== undefined) {
      return [node.VacuumRelation.relation];
    }
    return [];
  });
}

/** The first words of a function's options: `language sql`, `security definer`. */
export function optionOf(options: readonly Node[] | undefined, name: string): Node | undefined {
  for (const option of options ?? []) {
    if ('DefElem' in option && option.DefElem.defname === name) return option.DefElem.arg;
  }
  return undefined;
}
