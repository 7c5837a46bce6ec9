/**
 * What a whole database has that can make code run without a name for it in the statement: casts
 * that the server makes by itself, ordering and hashing of types, triggers on DDL. Computed once a
 * catalogue.
 */
import type { CastInfo, Catalogue, FunctionInfo, Oid, TypeInfo } from './catalogue.ts';
import { baseType } from './resolve-types.ts';

export interface Traits {
  /** Types that an implicit cast with unreviewed code starts from. */
  readonly implicitSources: ReadonlySet<Oid>;
  /** Casts with unreviewed code that a write to a column makes. */
  readonly assignments: readonly CastInfo[];
  /** Types whose ordering or hashing runs unreviewed code. */
  readonly orderings: ReadonlySet<Oid>;
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
  const classes = catalogue.operatorClasses.filter(
    (one) => !one.functionOids.every((oid) => isSafe(catalogue.functionByOid(oid))),
  );
  const traits: Traits = {
    implicitSources: new Set(
      casts.filter((cast) => cast.context === 'implicit').map((cast) => cast.source),
    ),
    assignments: casts.filter((cast) => cast.context !== 'explicit'),
    orderings: new Set(classes.map((one) => one.typeOid)),
    ddlTriggers: catalogue.eventTriggers.some((trigger) => trigger.enabled),
  };
  known.set(catalogue, traits);
  return traits;
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
    default:
      return undefined;
  }
}

function ownFunctions(catalogue: Catalogue, info: TypeInfo): string | undefined {
  const oids = [info.inputOid, info.outputOid, ...info.rangeFunctionOids].filter(
    (oid) => oid !== 0,
  );
  const safe = oids.every((oid) => {
    const one = catalogue.functionByOid(oid);
    // What came with the server is reviewed as a whole; its input functions run nothing else.
    return isSafe(one) || (one?.schema === 'pg_catalog' && one.language === 'internal');
  });
  return safe ? undefined : `${info.schema}.${info.name}`;
}

/** Whether comparing or hashing values of the type may run unreviewed code. */
export function hasUnsafeOrdering(catalogue: Catalogue, type: Oid): boolean {
  const { orderings } = traitsOf(catalogue);
  if (orderings.size === 0) return false;
  if (type === 0) return true;
  return reaches(catalogue, type, orderings, new Set());
}

function reaches(
  catalogue: Catalogue,
  type: Oid,
  wanted: ReadonlySet<Oid>,
  seen: Set<Oid>,
): boolean {
  if (wanted.has(type)) return true;
  if (seen.has(type)) return false;
  seen.add(type);
  const info = catalogue.typeByOid(type);
  if (info === undefined) return type !== 705;
  const inner = [info.elementOid, info.rangeSubtypeOid].filter((oid) => oid !== 0);
  if (info.kind === 'domain') inner.push(baseType(catalogue, type));
  if (info.kind === 'composite') {
    inner.push(...(catalogue.relationByOid(info.relationOid)?.columns ?? []).map((c) => c.typeOid));
  }
  return inner.some((oid) => reaches(catalogue, oid, wanted, seen));
}
