/**
 * Statements that define, change or remove what a database is made of: which objects they name, and
 * which expressions in them the server will evaluate over rows that are there already.
 */
import type { Access } from '#core/facts.ts';
import type { Node, RangeVar } from 'libpg-query';
import type { Relation } from './catalogue.ts';
import { tableColumns } from './labels.ts';
import { cleanScope, fullName, objectKind, relationNamed, writtenName } from './relations.ts';
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
  let count = 0;
  for (const [key, value] of fieldsOf(body)) {
    if (!namingFields.has(key)) continue;
    for (const one of Array.isArray(value) ? value : [value]) {
      count += 1;
      if (count > objectsMax) {
        facts.partial('the statement names too many objects');
        return found;
      }
      const relation = noteObject(walk, one, kindIn(body, definition.kind), definition.access);
      if (relation !== undefined) found.push(relation);
    }
  }
  return found;
}

/** Fields of statements' nodes that name what they are about. */
const namingFields: ReadonlySet<string> = new Set([
  'relation',
  'relations',
  'object',
  'objects',
  'view',
  'sequence',
  'typevar',
  'base',
  'func',
  'funcname',
  'opername',
  'typeName',
  'domainname',
  'defnames',
  'schemaname',
  'tablespacename',
  'role',
  'roles',
  'dbname',
  'extname',
  'servername',
  'fdwname',
  'pubname',
  'subname',
  'conversion_name',
  'opclassname',
  'opfamilyname',
  'plname',
  'amname',
  'policy_name',
  'trigname',
  'rulename',
  'dictname',
  'cfgname',
  'grantees',
  'granted_roles',
  'grantee_roles',
  'newowner',
  'filename',
]);

function noteObject(
  walk: Walk,
  value: unknown,
  kind: string,
  access: Access,
): Relation | undefined {
  const { facts } = walk;
  const name = rangeVar(value);
  if (name !== undefined) {
    const relation = relationNamed(walk, name);
    if (relation === undefined) facts.object(kind, writtenName(name), access);
    else facts.object(objectKind(relation), fullName(relation), access);
    return relation;
  }
  const words = wordsOf(value);
  if (words.length === 0) return undefined;
  const asRelation = relationKinds.has(kind) ? relationOf(walk, words) : undefined;
  if (asRelation === undefined) facts.object(kind, words.join('.'), access);
  else facts.object(objectKind(asRelation), fullName(asRelation), access);
  return asRelation;
}

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
  return {
    relname,
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
