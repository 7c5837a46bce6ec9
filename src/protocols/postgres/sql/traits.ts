/**
 * What a whole database has that can make code run without a name for it in the statement: casts
 * that the server makes by itself, ordering and hashing of types, triggers on DDL. Computed once a
 * catalogue.
 */
import type { CastInfo, Catalogue, FunctionInfo, Oid, TypeInfo } from './catalogue.ts';
import { unknownType } from './type-oids.ts';

export interface Traits {
  /** Types that an implicit cast with unreviewed code starts from. */
  readonly implicitSources: ReadonlySet<Oid>;
  /** Casts with unreviewed code that a write to a column makes. */
  readonly assignments: readonly CastInfo[];
  /** Types whose ordering or hashing runs unreviewed code, and that code. */
  readonly orderings: ReadonlyMap<Oid, readonly FunctionInfo[]>;
  /** Whether DDL runs functions. */
  readonly ddlTriggers: boolean;
}

const known = new WeakMap<Catalogue, Traits>();

export function traitsOf(catalogue: Catalogue): Traits {
  const before = known.get(catalogue);
  if (before !== undefined) return before;
  const casts = catalogue
    .casts(undefined, undefined)
    .filter((cast) => !isSafeCast(catalogue, cast));
  const traits: Traits = {
    implicitSources: new Set(
      casts.filter((cast) => cast.context === 'implicit').map((cast) => cast.source),
    ),
    assignments: casts.filter((cast) => cast.context !== 'explicit'),
    orderings: unsafeOrderings(catalogue),
    ddlTriggers: catalogue.eventTriggers.some((trigger) => trigger.enabled),
  };
  known.set(catalogue, traits);
  return traits;
}

/**
 * Sorting and hashing use operator classes of these two methods; one that is not the default can be
 * chosen too, when it has the operator that is compared by.
 */
function unsafeOrderings(catalogue: Catalogue): ReadonlyMap<Oid, readonly FunctionInfo[]> {
  const found = new Map<Oid, FunctionInfo[]>();
  for (const { method, typeOid, functionOids } of catalogue.operatorClasses) {
    if (method !== 'btree' && method !== 'hash') continue;
    const unsafe = functionOids.flatMap((oid) => {
      const info = catalogue.functionByOid(oid);
      return info === undefined || isSafe(info) ? [] : [info];
    });
    if (unsafe.length === 0) continue;
    found.set(typeOid, [...(found.get(typeOid) ?? []), ...unsafe]);
  }
  return found;
}

/** Whether running it does nothing but give a result. */
export function isSafe(info: FunctionInfo | undefined): boolean {
  return info !== undefined && (info.safety === 'pure' || info.safety === 'read');
}

/** Whether the conversion runs nothing but reviewed code. */
export function isSafeCast(catalogue: Catalogue, cast: CastInfo): boolean {
  switch (cast.method) {
    case 'binary':
      return true;
    case 'function':
      return isSafe(catalogue.functionByOid(cast.functionOid));
    case 'inout':
      return hasSafeText(catalogue, cast.source) && hasSafeText(catalogue, cast.target);
    default:
      return false;
  }
}

/** Whether reading and writing values of the type as text runs nothing but reviewed code. */
export function hasSafeText(catalogue: Catalogue, type: Oid): boolean {
  return unsafeType(catalogue, type, new Set()) === undefined;
}

/** The type in `type` whose text form runs unreviewed code, or undefined when there is none. */
export function unsafeType(catalogue: Catalogue, type: Oid, seen: Set<Oid>): string | undefined {
  if (seen.has(type) || type === 0) return undefined;
  seen.add(type);
  const info = catalogue.typeByOid(type);
  if (info === undefined) return `${type}`;
  return innerTypes(catalogue, info, seen) ?? ownFunctions(catalogue, info);
}

function innerTypes(catalogue: Catalogue, info: TypeInfo, seen: Set<Oid>): string | undefined {
  switch (info.kind) {
    case 'array':
      return unsafeType(catalogue, info.elementOid, seen);
    case 'domain':
      return unsafeType(catalogue, info.baseOid, seen);
    case 'range':
    case 'multirange':
      return unsafeType(catalogue, info.rangeSubtypeOid, seen);
    case 'composite': {
      for (const column of catalogue.relationByOid(info.relationOid)?.columns ?? []) {
        const inner = unsafeType(catalogue, column.typeOid, seen);
        if (inner !== undefined) return inner;
      }
      return undefined;
    }
    case 'base':
    case 'enum':
    case 'pseudo':
      return undefined;
  }
}

function ownFunctions(catalogue: Catalogue, info: TypeInfo): string | undefined {
  const oids = [
    info.inputOid,
    info.outputOid,
    ...info.otherFunctionOids,
    ...info.rangeFunctionOids,
  ].filter((oid) => oid !== 0);
  const safe = oids.every((oid) => {
    const one = catalogue.functionByOid(oid);
    // What came with the server is reviewed as a whole; its input functions run nothing else.
    return isSafe(one) || (one?.schema === 'pg_catalog' && one.language === 'internal');
  });
  return safe ? undefined : `${info.schema}.${info.name}`;
}

/** The unreviewed code that comparing or hashing values of the type may run. */
export function unsafeOrdering(catalogue: Catalogue, type: Oid): readonly FunctionInfo[] {
  const { orderings } = traitsOf(catalogue);
  if (orderings.size === 0 || type === unknownType) return [];
  if (type === 0) return [...orderings.values()].flat();
  const reached = new Set<Oid>();
  reach(catalogue, type, reached);
  return [...reached].flatMap((oid) => orderings.get(oid) ?? []);
}

/** The type and all types in it. */
function reach(catalogue: Catalogue, type: Oid, reached: Set<Oid>): void {
  if (type === 0 || reached.has(type)) return;
  reached.add(type);
  const info = catalogue.typeByOid(type);
  if (info === undefined) return;
  reach(catalogue, info.elementOid, reached);
  reach(catalogue, info.rangeSubtypeOid, reached);
  reach(catalogue, info.baseOid, reached);
  if (info.kind !== 'composite') return;
  for (const column of catalogue.relationByOid(info.relationOid)?.columns ?? []) {
    reach(catalogue, column.typeOid, reached);
  }
}
