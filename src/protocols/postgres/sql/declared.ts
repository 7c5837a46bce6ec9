/**
 * Types that a client declares for the parameters of a statement. They stand beside the text: an
 * analysis of the text alone takes each parameter for what the text makes of it. What a declared
 * type changes is added here: reading a value of it may run code (a domain's check), and comparing
 * with it may find several values of a key equal.
 */
import type { Catalogue, Oid } from './catalogue.ts';
import { unsafeType } from './traits.ts';
import {
  boolType,
  dateType,
  int4Type,
  int8Type,
  nameType,
  numericType,
  oidType,
  textType,
  timestampType,
  timestamptzType,
  unknownType,
  varcharType,
} from './type-oids.ts';
import type { SqlStatement } from './types.ts';

const smallintType: Oid = 21;
const byteaType: Oid = 17;
const uuidType: Oid = 2950;

/** A key is equal to one of their values at most, whichever of them the key is. */
const exact: ReadonlySet<Oid> = new Set([
  boolType,
  byteaType,
  dateType,
  smallintType,
  int4Type,
  int8Type,
  nameType,
  numericType,
  oidType,
  textType,
  timestampType,
  timestamptzType,
  unknownType,
  uuidType,
  varcharType,
]);

/**
 * A statement with the declared types of its parameters.
 *
 * @param types - in order; 0 for what the server is to find out.
 */
export function withDeclared(
  statement: SqlStatement,
  types: readonly Oid[],
  catalogue: Catalogue,
): SqlStatement {
  const parameterTypes = types.map((type) => (type === 0 ? unknownType : type));
  const typed: SqlStatement = { ...statement, parameterTypes };
  const code = parameterTypes.find((type) => runsCode(catalogue, type));
  const { rowsChangedMax, ...facts } = statement.facts;
  const keys = statement.keyParameters ?? types.map((_, at) => at + 1);
  const isBound =
    rowsChangedMax !== undefined &&
    keys.every((number) => exact.has(parameterTypes[number - 1] ?? unknownType));
  const bounded = isBound ? statement.facts : facts;
  if (code === undefined) return { ...typed, facts: bounded };
  return {
    ...typed,
    messagesMayLeak: true,
    facts: {
      ...bounded,
      effects: [...new Set([...facts.effects, 'execute-code', 'unknown'] as const)],
      analysis: facts.analysis === 'opaque' ? 'opaque' : 'partial',
      reasons: [...facts.reasons, `reading a parameter of type ${code} runs code`],
    },
  };
}

/** Whether reading a value of the type runs code that is not reviewed, or a constraint. */
function runsCode(catalogue: Catalogue, type: Oid): boolean {
  const reached = new Set<Oid>();
  if (unsafeType(catalogue, type, reached) !== undefined) return true;
  return [...reached].some((one) => (catalogue.typeByOid(one)?.constraints.length ?? 0) > 0);
}
