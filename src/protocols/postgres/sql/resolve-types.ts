/**
 * Names of types, and which conversions the server may make by itself. Where the catalogue does
 * not settle a question the answer is "it might", so that no candidate is dropped that the server
 * could choose.
 */
import type { TypeName } from 'libpg-query';
import type { Catalogue, Oid, TypeInfo } from './catalogue.ts';
import {
  anyArrayType,
  anyCompatibleArrayType,
  anyCompatibleMultirangeType,
  anyCompatibleNonArrayType,
  anyCompatibleRangeType,
  anyEnumType,
  anyMultirangeType,
  anyNonArrayType,
  anyRangeType,
  polymorphicTypes,
  recordType,
  unknownType,
} from './type-oids.ts';
import { namesOf } from './tree.ts';
import type { Walk } from './walk.ts';

/** Domains over domains, arrays of composites and so on: deeper is not followed. */
const typeDepthMax = 32;

/** The schema that a qualifier means; `pg_temp` is the session's own, if it has one yet. */
export function schemaNamed(walk: Walk, schema: string): string | undefined {
  if (schema !== 'pg_temp') return schema;
  return walk.livePath.find((name) => name.startsWith('pg_temp_'));
}

/** The type that a name means here; undefined when the catalogue does not have it. */
export function typeNamed(walk: Walk, typeName: TypeName): TypeInfo | undefined {
  // `table.column%TYPE` stands only where functions are created.
  if (typeName.pct_type === true) return undefined;
  const found = typeByNames(walk, namesOf(typeName.names));
  if ((typeName.arrayBounds?.length ?? 0) === 0) return found;
  return found === undefined ? undefined : walk.env.catalogue.typeByOid(found.arrayOid);
}

/** The same for bare names, as in `name(value)`. */
export function typeByNames(walk: Walk, names: readonly string[]): TypeInfo | undefined {
  const { catalogue, stateRead } = walk.env;
  stateRead.any = true;
  const name = names.at(-1);
  if (name === undefined || names.length > 3) return undefined;
  const qualifier = names.at(-2);
  if (qualifier !== undefined) {
    const schema = schemaNamed(walk, qualifier);
    return schema === undefined ? undefined : catalogue.type(schema, name);
  }
  for (const schema of walk.path) {
    const found = catalogue.type(schema, name);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What a domain is over, through all layers; the type itself when it is none. */
export function baseType(catalogue: Catalogue, type: Oid): Oid {
  let base = type;
  for (let depth = 0; depth < typeDepthMax; depth += 1) {
    const info = catalogue.typeByOid(base);
    if (info?.kind !== 'domain') return base;
    base = info.baseOid;
  }
  return 0;
}

/** Whether the server might turn `source` into `target` without being asked. */
export function couldCoerce(catalogue: Catalogue, source: Oid, target: Oid, depth = 0): boolean {
  if (source === 0 || source === unknownType || source === target) return true;
  if (depth > typeDepthMax) return true;
  const from = catalogue.typeByOid(baseType(catalogue, source));
  if (from === undefined) return true;
  if (polymorphicTypes.has(target)) return fitsPolymorphic(from, target);
  const to = catalogue.typeByOid(baseType(catalogue, target));
  if (to === undefined || to.oid === from.oid) return true;
  if (isRow(from) && isRow(to)) return true;
  if (catalogue.casts(from.oid, to.oid).some((cast) => cast.context === 'implicit')) return true;
  if (isArray(from) && isArray(to)) {
    return couldCoerce(catalogue, from.elementOid, to.elementOid, depth + 1);
  }
  return false;
}

/**
 * The type under which values of several types are taken together (`select_common_type`); 0 where
 * that is not settled, `unknown` when all are literals.
 */
export function commonType(catalogue: Catalogue, types: readonly Oid[]): Oid {
  const [first = unknownType] = types;
  if (types.every((type) => type === first)) return first;
  let common = unknownType;
  for (const type of types) {
    if (type === 0 || isRowType(catalogue, type)) return 0;
    const next = type === unknownType ? type : baseType(catalogue, type);
    if (next === unknownType || next === common) continue;
    if (common === unknownType) {
      common = next;
      continue;
    }
    const now = categoryOf(catalogue, common);
    if (now.category !== categoryOf(catalogue, next).category) return 0;
    const widens = couldCoerce(catalogue, common, next) && !couldCoerce(catalogue, next, common);
    if (!now.preferred && widens) common = next;
  }
  return common;
}

/** Whether values of the type are rows. */
export function isRowType(catalogue: Catalogue, type: Oid): boolean {
  const info = catalogue.typeByOid(baseType(catalogue, type));
  return info !== undefined && isRow(info);
}

function isRow(type: TypeInfo): boolean {
  return type.kind === 'composite' || type.oid === recordType;
}

function isArray(type: TypeInfo): boolean {
  return type.kind === 'array';
}

function fitsPolymorphic(from: TypeInfo, target: Oid): boolean {
  switch (target) {
    case anyArrayType:
    case anyCompatibleArrayType:
      // `int2vector` and its like are arrays here, and base types elsewhere.
      return isArray(from) || from.elementOid !== 0 || from.oid === anyArrayType;
    case anyNonArrayType:
    case anyCompatibleNonArrayType:
      return !isArray(from);
    case anyEnumType:
      return from.kind === 'enum';
    case anyRangeType:
    case anyCompatibleRangeType:
      return from.kind === 'range';
    case anyMultirangeType:
    case anyCompatibleMultirangeType:
      return from.kind === 'multirange';
    default:
      return true;
  }
}

/** `pg_type.typcategory` of what is behind a domain; `X` for what is not known yet. */
export function categoryOf(
  catalogue: Catalogue,
  type: Oid,
): { category: string; preferred: boolean } {
  if (type === unknownType) return { category: 'X', preferred: false };
  const info = catalogue.typeByOid(type);
  return { category: info?.category ?? 'U', preferred: info?.preferred ?? false };
}
