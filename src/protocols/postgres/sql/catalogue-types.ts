/** Makes a type of the rows that speak of it. */
import type { Oid, TypeInfo, TypeKind } from './catalogue.ts';
import { flag, maybe, number, numberOrZero, oids, type Row, text } from './catalogue-rows.ts';
import { type Source, typeCatalog } from './catalogue-source.ts';

const kinds: ReadonlyMap<string, TypeKind> = new Map([
  ['b', 'base'],
  ['c', 'composite'],
  ['d', 'domain'],
  ['e', 'enum'],
  ['p', 'pseudo'],
  ['r', 'range'],
  ['m', 'multirange'],
]);

export function readType(source: Source, oid: Oid): TypeInfo | undefined {
  const row = source.keyed('types', oid)[0];
  const kind = row === undefined ? undefined : kinds.get(text(row, 3));
  if (row === undefined || kind === undefined) return undefined;
  return {
    oid,
    schema: source.schemaName(number(row, 2)),
    name: text(row, 1),
    kind: kind === 'base' && isArray(row) ? 'array' : kind,
    category: text(row, 4),
    preferred: flag(row, 5),
    elementOid: number(row, 7),
    arrayOid: number(row, 8),
    baseOid: number(row, 9),
    typmod: number(row, 10),
    relationOid: number(row, 11),
    rangeSubtypeOid: numberOrZero(row, 12),
    rangeFunctionOids: oids(row, 13),
    inputOid: number(row, 14),
    outputOid: number(row, 15),
    otherFunctionOids: oids(row, 16),
    constraints: source.keyed('domains', oid).map((check) => maybe(check, 2) ?? ''),
    default: maybe(row, 17),
    owner: source.roleName(number(row, 18)),
    extension: source.extensionOf(typeCatalog, oid),
  };
}

/** Variable length, category A, with elements: `point` and `name` have elements, but a length. */
function isArray(row: Row): boolean {
  return text(row, 4) === 'A' && number(row, 6) === -1 && number(row, 7) !== 0;
}
