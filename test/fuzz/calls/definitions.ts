/**
 * Random functions, operators and casts that are hard to tell apart, in three schemas. Half of them
 * say so when they run; an expression that may call one of those must not be understood whole.
 */
import type { Dice } from '../dice.ts';

/** What an unsafe one says. */
export const alarm = 'UNSAFE';

export const schemas = ['public', 's1', 's2'] as const;

/** A table with a column of every kind of type that overloads are chosen by. */
export const baseSql: string = `
  CREATE DOMAIN small AS int; CREATE DOMAIN words AS text;
  CREATE TYPE size AS ENUM ('s', 'm'); CREATE TYPE pair AS (x text, y int);
  CREATE SCHEMA s1; CREATE SCHEMA s2;
  CREATE TABLE v (c_int2 int2, c_int4 int4, c_int8 int8, c_num numeric, c_f8 float8, c_text text,
    c_vc varchar(10), c_bp char(5), c_name name, c_date date, c_tz timestamptz, c_jb jsonb,
    c_ta text[], c_ia int[], c_small small, c_size size, c_pair pair, c_bool bool,
    c_rng int4range, c_iv interval, c_ch "char", c_oid oid, c_words words);
  INSERT INTO v VALUES (1, 2, 3, 4, 5, 'a', 'b', 'c', 'd', '2020-01-01', '2020-01-01', '{}',
    '{a}', '{1}', 1, 's', ROW('a', 1), true, '[1,2)', '1 day', 'x', 1, 'q');`;

const columns = (
  'c_int2 c_int4 c_int8 c_num c_f8 c_text c_vc c_bp c_name c_date c_tz c_jb c_ta c_ia c_small ' +
  'c_size c_pair c_bool c_rng c_iv c_ch c_oid c_words'
).split(' ');

const concrete = (
  'int2 int4 int8 numeric float8 text varchar bpchar name date timestamptz jsonb text[] int[] ' +
  'small size pair bool int4range interval "char" oid words'
).split(' ');
const polymorphic = ['anyelement', 'anyarray', 'anynonarray', 'anycompatible', 'record'];

const functionNames = ['ff', 'ff', 'ff', 'lower', 'length', 'abs'] as const;
const operatorNames = ['@#@', '@#@', '=', '<', '||', '+', '->', '>='] as const;

/** One of a list that is not empty. */
const one = (dice: Dice, items: readonly string[]): string =>
  dice.pick([items[0] ?? '', ...items.slice(1)]);

/** Statements that may fail: the server takes those that make sense. */
export function definitions(dice: Dice): readonly string[] {
  const made = Array.from({ length: 40 }, () => functionSql(dice));
  for (let at = 0; at < 40; at += 1) made.push(operatorSql(dice, at));
  if (dice.chance(40)) made.push(castSql(dice));
  return made;
}

const body = (unsafe: boolean, safe: string): string =>
  unsafe
    ? `LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION '${alarm}'; END$$`
    : `LANGUAGE sql AS $$SELECT ${safe}$$`;

function functionSql(dice: Dice): string {
  const types = Array.from({ length: 1 + dice.below(2) }, () =>
    one(dice, [...concrete, ...polymorphic]),
  );
  const parameters = dice.chance(12)
    ? [...types.slice(0, -1), `VARIADIC ${one(dice, ['int[]', 'text[]', 'numeric[]'])}`]
    : dice.chance(15)
      ? [...types, `${one(dice, ['int4', 'text', 'numeric'])} DEFAULT NULL`]
      : types;
  const unsafe = dice.chance(50) || types.includes('record');
  const name = `${dice.pick(schemas)}.${dice.pick(functionNames)}`;
  return `CREATE FUNCTION ${name}(${parameters.join(', ')}) RETURNS text ${body(unsafe, "'ok'::text")}`;
}

function operatorSql(dice: Dice, at: number): string {
  const name = dice.pick(operatorNames);
  const left = one(dice, [...concrete, 'anyelement', 'anyarray']);
  const right = one(dice, [...concrete, 'anyelement']);
  const isTest = /^[=<>]/.test(name);
  const code = body(dice.chance(60), isTest ? 'true' : "'ok'::text");
  const place = dice.pick(schemas);
  return (
    `CREATE FUNCTION ${place}.op${at}(${left}, ${right}) RETURNS ${isTest ? 'bool' : 'text'} ${code};` +
    ` CREATE OPERATOR ${place}.${name} (LEFTARG = ${left}, RIGHTARG = ${right},` +
    ` FUNCTION = ${place}.op${at})`
  );
}

function castSql(dice: Dice): string {
  const context = dice.pick(['AS IMPLICIT', 'AS ASSIGNMENT', '']);
  return (
    `CREATE FUNCTION as_pair(text) RETURNS pair ${body(true, '')};` +
    ` CREATE CAST (text AS pair) WITH FUNCTION as_pair(text) ${context}`
  );
}

/** An expression over the table that calls what may be one of several things. */
export function callSql(dice: Dice): string {
  const arg = (): string => argument(dice);
  const forms: readonly [string, ...string[]] = [
    'CALL',
    'CALL',
    'A OP A',
    'A OP A',
    'A IN (A, A)',
    'A = ANY (c_ta)',
    'A = ANY (ARRAY[1, 2])',
    'A BETWEEN A AND A',
    'nullif(A, A)',
    'CASE A WHEN A THEN 1 END',
    'A IS DISTINCT FROM A',
    '(A, A) = (A, A)',
    'A IN (SELECT A FROM v)',
    'v.ff',
    '(c_pair).ff',
    'A::pair',
    'greatest(A, A)',
  ];
  const expression = dice
    .pick(forms)
    .replaceAll('CALL', () => {
      const name = dice.pick([...functionNames, 'public.ff', 's1.ff']);
      return `${name}(${Array.from({ length: 1 + dice.below(3) }, () => 'A').join(', ')})`;
    })
    .replaceAll('OP', () => dice.pick([...operatorNames, 'OPERATOR(public.@#@)']))
    .replaceAll(/\bA\b/g, arg);
  return `SELECT ${expression} FROM v`;
}

const plainArguments: readonly [string, ...string[]] = [
  "'1'",
  'NULL',
  '5',
  '5.5',
  "'{1}'",
  '3000000000',
  'true',
  "'s'",
  "'2020-01-01'",
  "ROW('a', 1)",
  'v',
  "lower('X')",
  '(1 + c_int2)',
  'now()',
  '(c_pair).x',
  'c_ta[1]',
  'c_small + 1',
  "nullif('1', c_text)",
  'ARRAY[1, c_int4]',
  "ARRAY['x', c_text]",
  "(SELECT '1')",
  'CASE WHEN c_bool THEN c_int8 ELSE c_num END',
  "coalesce('1', c_vc)",
  'coalesce(NULL, c_int2)',
  'greatest(c_int2, c_int8)',
];

function argument(dice: Dice): string {
  if (dice.chance(50)) return one(dice, columns);
  if (dice.chance(25)) return `'1'::${one(dice, ['int2', 'int8', 'text', 'varchar', 'numeric'])}`;
  return dice.pick(plainArguments);
}

/** Search paths under which the same names mean other things. */
export const searchPaths: readonly [readonly string[], ...(readonly string[])[]] = [
  ['pg_catalog', 'public'],
  ['public', 'pg_catalog'],
  ['s1', 'pg_catalog', 'public'],
  ['pg_catalog', 's1', 's2'],
  ['s2', 's1', 'pg_catalog'],
  ['s1', 'public', 'pg_catalog', 's2'],
];
