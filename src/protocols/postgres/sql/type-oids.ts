/** Object identifiers of types that are the same in every PostgreSQL (`pg_type.dat`). */
import type { Oid } from './catalogue.ts';

export const boolType: Oid = 16;
export const nameType: Oid = 19;
export const int8Type: Oid = 20;
export const int4Type: Oid = 23;
export const textType: Oid = 25;
export const oidType: Oid = 26;
export const tidType: Oid = 27;
export const xidType: Oid = 28;
export const cidType: Oid = 29;
export const jsonType: Oid = 114;
export const xmlType: Oid = 142;
export const unknownType: Oid = 705;
export const bpcharType: Oid = 1042;
export const varcharType: Oid = 1043;
export const dateType: Oid = 1082;
export const timeType: Oid = 1083;
export const timestampType: Oid = 1114;
export const timestamptzType: Oid = 1184;
export const timetzType: Oid = 1266;
export const bitType: Oid = 1560;
export const numericType: Oid = 1700;
export const recordType: Oid = 2249;
export const anyType: Oid = 2276;
export const anyArrayType: Oid = 2277;
export const anyElementType: Oid = 2283;
export const anyNonArrayType: Oid = 2776;
export const anyEnumType: Oid = 3500;
export const anyRangeType: Oid = 3831;
export const anyMultirangeType: Oid = 4537;
export const anyCompatibleMultirangeType: Oid = 4538;
export const anyCompatibleType: Oid = 5077;
export const anyCompatibleArrayType: Oid = 5078;
export const anyCompatibleNonArrayType: Oid = 5079;
export const anyCompatibleRangeType: Oid = 5080;

/** Types that stand for any argument; what they are is decided at the call. */
export const polymorphicTypes: ReadonlySet<Oid> = new Set([
  anyType,
  anyArrayType,
  anyElementType,
  anyNonArrayType,
  anyEnumType,
  anyRangeType,
  anyMultirangeType,
  anyCompatibleMultirangeType,
  anyCompatibleType,
  anyCompatibleArrayType,
  anyCompatibleNonArrayType,
  anyCompatibleRangeType,
]);

/** Types whose text is the value itself, so that a cast between them keeps it and cannot fail. */
export const textTypes: ReadonlySet<Oid> = new Set([
  textType,
  varcharType,
  bpcharType,
  unknownType,
]);
