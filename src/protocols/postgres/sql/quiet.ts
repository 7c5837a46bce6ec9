/**
 * Computations on a value that cannot end in an error which tells of the value: they accept every
 * value of their type, and what they refuse (a negative length, a number out of range) they refuse
 * without printing it. Everything else may print what it was given, as `ssn::int` does.
 */
import type { CastInfo, Catalogue, FunctionInfo, Oid } from './catalogue.ts';
import { categoryOf } from './resolve-types.ts';

/** Functions of `pg_catalog`, with all of their overloads. */
const functions: ReadonlySet<string> = new Set(
  [
    ['lower', 'upper', 'initcap', 'length', 'char_length', 'character_length', 'octet_length'],
    ['bit_length', 'substr', 'substring', 'left', 'right', 'reverse', 'repeat', 'replace'],
    ['translate', 'btrim', 'ltrim', 'rtrim', 'lpad', 'rpad', 'overlay', 'position', 'strpos'],
    ['split_part', 'starts_with', 'concat', 'concat_ws', 'quote_literal', 'quote_nullable'],
    ['ascii', 'md5', 'sha224', 'sha256', 'sha384', 'sha512', 'hashtext', 'hashtextextended'],
    ['textcat', 'textanycat', 'anytextcat', 'text', 'varchar', 'bpchar', 'name', 'pg_column_size'],
    ['count', 'min', 'max', 'string_agg', 'array_agg', 'json_agg', 'jsonb_agg', 'any_value'],
    ['first_value', 'last_value', 'nth_value', 'lag', 'lead', 'mode', 'array_append'],
    ['array_prepend', 'array_cat', 'array_to_string', 'unnest', 'cardinality', 'array_length'],
    ['to_json', 'to_jsonb', 'row_to_json', 'array_to_json', 'json_build_array'],
    ['jsonb_build_array', 'num_nulls', 'num_nonnulls', 'textlike', 'textnlike'],
  ].flat(),
);

/** Operators of `pg_catalog` that only compare. */
export const comparisons: ReadonlySet<string> = new Set(
  '= <> < <= > >= ~~ !~~ ~~* !~~* ~ ~* !~ !~* ^@'.split(' '),
);

/** Whether a call cannot print its arguments in an error. */
export function isQuietCall(info: FunctionInfo): boolean {
  return info.schema === 'pg_catalog' && functions.has(info.name);
}

/** Numbers, booleans, dates and spans of time: converted by computing, never by reading text. */
const computed: ReadonlySet<string> = new Set(['N', 'B', 'D', 'T']);

/** Whether a conversion cannot print its argument in an error. */
export function isQuietCast(catalogue: Catalogue, source: Oid, target: Oid): boolean {
  if (source === 0 || !computed.has(categoryOf(catalogue, source).category)) return false;
  if (categoryOf(catalogue, target).category === 'S') return true;
  const casts: readonly CastInfo[] = catalogue.casts(source, target);
  return casts.some((cast) => cast.method !== 'inout');
}
