/**
 * Names of objects in full. A definition may leave the schema out; then a new object goes where the
 * session makes new ones, and an old one is looked for where the session looks.
 *
 * Invariant: where the catalogue does not settle which object is meant, each that can be is named.
 */
import type { RangeVar } from 'libpg-query';
import type { Relation } from './catalogue.ts';
import { schemaNamed } from './resolve-types.ts';
import type { Walk } from './walk.ts';

/** The name of a relation in full. */
export function fullName(relation: Relation): string {
  return `${relation.schema}.${relation.name}`;
}

/** The relation that a name means here; undefined when the catalogue does not have it. */
export function relationNamed(walk: Walk, name: RangeVar): Relation | undefined {
  const { catalogue } = walk.env;
  const { catalogname, schemaname, relname = '' } = name;
  // The catalogue itself belongs to the state.
  walk.env.stateRead.any = true;
  if (catalogname !== undefined && catalogname !== catalogue.database) return undefined;
  if (schemaname !== undefined) {
    const schema = schemaNamed(walk, schemaname);
    return schema === undefined ? undefined : catalogue.relation(schema, relname);
  }
  for (const schema of walk.path) {
    const found = catalogue.relation(schema, relname);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A name as it was written, for facts about what the catalogue does not have. */
export function writtenName(name: RangeVar): string {
  return [name.catalogname, name.schemaname, name.relname]
    .filter((one) => one !== undefined)
    .join('.');
}

/** What is in no schema. */
const global: ReadonlySet<string> = new Set([
  'access-method',
  'cast',
  'database',
  'event-trigger',
  'extension',
  'fdw',
  'foreign-data-wrapper',
  'foreign-server',
  'language',
  'largeobject',
  'parameter-acl',
  'publication',
  'role',
  'schema',
  'server',
  'subscription',
  'tablespace',
  'transform',
  'user-mapping',
]);

/** What is part of a table, and named behind it. */
const parts: ReadonlySet<string> = new Set([
  'column',
  'policy',
  'rule',
  'tabconstraint',
  'trigger',
]);

/** Whether objects of the kind belong to a table. */
export const isPart = (kind: string): boolean => parts.has(kind);

/** Where a new relation of that name goes. */
export function newRelationName(walk: Walk, name: RangeVar | undefined): string {
  const relname = name?.relname;
  if (name === undefined || relname === undefined) return '?';
  if (name.schemaname !== undefined) return namesIn(walk, name.schemaname, relname);
  if (name.relpersistence === 't') return namesIn(walk, 'pg_temp', relname);
  const [schema] = ownSchemas(walk);
  return schema === undefined ? relname : `${schema}.${relname}`;
}

/** The names that an object may have in full, where a statement calls it so. */
export function objectNames(
  walk: Walk,
  kind: string,
  words: readonly string[],
  isNew: boolean,
): readonly string[] {
  const [name = '', schema, ...more] = words.toReversed();
  if (global.has(kind) || more.length > 0) return [words.join('.')];
  if (isPart(kind)) return [partName(walk, words)];
  if (schema !== undefined) return [namesIn(walk, schema, name)];
  walk.env.stateRead.any = true;
  const own = ownSchemas(walk);
  if (isNew) return [own[0] === undefined ? name : `${own[0]}.${name}`];
  const { catalogue } = walk.env;
  const known = walk.path.filter(
    (one) => catalogue.functions(one, name).length > 0 || catalogue.type(one, name) !== undefined,
  );
  const possible = known.length > 0 ? known : own;
  return possible.length === 0 ? [name] : possible.map((one) => `${one}.${name}`);
}

/** The relation that a text names, as `nextval` and casts to `regclass` read it. */
export function relationInText(walk: Walk, text: string): string {
  const words = (text.match(/"(?:[^"]|"")*"|[^."]+/g) ?? []).map((word) =>
    word.startsWith('"') ? word.slice(1, -1).replaceAll('""', '"') : word.trim().toLowerCase(),
  );
  const [relname = '', schemaname] = words.toReversed();
  const relation = relationNamed(walk, {
    relname,
    ...(schemaname === undefined ? {} : { schemaname }),
  });
  return relation === undefined ? text : fullName(relation);
}

/** `table.part`, with the table in full. */
function partName(walk: Walk, words: readonly string[]): string {
  const [relname = '', schemaname] = words.slice(0, -1).toReversed();
  if (relname === '') return words.join('.');
  const name = { relname, ...(schemaname === undefined ? {} : { schemaname }) };
  const relation = relationNamed(walk, name);
  const table = relation === undefined ? writtenName(name) : fullName(relation);
  return `${table}.${words.at(-1) ?? ''}`;
}

const namesIn = (walk: Walk, schema: string, name: string): string =>
  `${schemaNamed(walk, schema) ?? schema}.${name}`;

/** The schemas of the search path that people make things in; the first takes what is new. */
const ownSchemas = (walk: Walk): readonly string[] =>
  walk.path.filter((one) => one !== 'pg_catalog' && !one.startsWith('pg_temp_'));
