/**
 * Which function or operator the server will choose, by its own rules (chapter 10 of its manual,
 * `parse_func.c` and `parse_oper.c`). Types that are not settled keep every candidate that could
 * be chosen, and the caller must be able to vouch for each of them.
 */
import type { Catalogue, FunctionInfo, Oid, OperatorInfo } from './catalogue.ts';
import { baseType, categoryOf, couldCoerce, isRowType, schemaNamed } from './resolve-types.ts';
import { polymorphicTypes, unknownType } from './type-oids.ts';
import type { Walk } from './walk.ts';

/** Something that can be called with as many arguments as the call has. */
interface Candidate<T> {
  readonly args: readonly Oid[];
  readonly what: T;
}

const stringCategory = 'S';

/** Functions that are in view under a name, in the order in which the server looks. */
export function functionsNamed(walk: Walk, names: readonly string[]): readonly FunctionInfo[] {
  walk.env.stateRead.any = true;
  const { catalogue } = walk.env;
  const name = names.at(-1);
  if (name === undefined || names.length > 3) return [];
  const qualifier = names.at(-2);
  if (qualifier !== undefined) {
    const schema = schemaNamed(walk, qualifier);
    return schema === undefined ? [] : catalogue.functions(schema, name);
  }
  return byPath(walk, catalogue.functions(undefined, name));
}

/** Operators that are in view under a name. */
export function operatorsNamed(walk: Walk, names: readonly string[]): readonly OperatorInfo[] {
  walk.env.stateRead.any = true;
  const { catalogue } = walk.env;
  const name = names.at(-1);
  if (name === undefined || names.length > 3) return [];
  const all = catalogue.operators(name);
  const qualifier = names.at(-2);
  if (qualifier === undefined) return byPath(walk, all);
  const schema = schemaNamed(walk, qualifier);
  return all.filter((operator) => operator.schema === schema);
}

/** Only what the path reaches, first schema first. Temporary schemas hold no functions for it. */
function byPath<T extends { readonly schema: string }>(
  walk: Walk,
  all: readonly T[],
): readonly T[] {
  if (all.length === 0) return all;
  // The usual case: everything of that name came with the server.
  if (all.every((one) => one.schema === 'pg_catalog') && walk.path.includes('pg_catalog'))
    return all;
  const found: T[] = [];
  for (const schema of walk.path) {
    if (schema.startsWith('pg_temp')) continue;
    for (const one of all) if (one.schema === schema) found.push(one);
  }
  return found;
}

export interface CallShape {
  readonly types: readonly Oid[];
  /** Names of arguments given by name; they are the last ones. */
  readonly named: readonly string[];
  /** Whether VARIADIC was written before the last argument. */
  readonly spread: boolean;
}

/** The functions that the server may choose for a call. */
export function chooseFunctions(
  walk: Walk,
  functions: readonly FunctionInfo[],
  shape: CallShape,
): readonly FunctionInfo[] {
  const candidates: Candidate<FunctionInfo>[] = [];
  for (const what of functions) {
    if (what.kind === 'procedure') continue;
    const args = argumentsFor(what, shape);
    if (args !== undefined) candidates.push({ args, what });
  }
  return choose(walk.env.catalogue, candidates, shape.types);
}

/** The parameter types that a call of that shape meets; undefined when it does not fit. */
function argumentsFor(info: FunctionInfo, shape: CallShape): readonly Oid[] | undefined {
  const count = shape.types.length;
  const declared = info.argTypes.length;
  if (shape.named.length > 0) {
    if (count > declared || shape.named.some((name) => !info.argNames.includes(name))) {
      return undefined;
    }
    const positional = count - shape.named.length;
    const byName = shape.named.map((name) => info.argTypes[info.argNames.indexOf(name)] ?? 0);
    return [...info.argTypes.slice(0, positional), ...byName];
  }
  if (count <= declared && count >= declared - info.defaults) {
    const plain = info.argTypes.slice(0, count);
    if (info.variadic === 0 || shape.spread || count < declared) return plain;
    return [...plain.slice(0, -1), info.variadic];
  }
  if (info.variadic === 0 || shape.spread || count < declared) return undefined;
  const fixed = info.argTypes.slice(0, -1);
  return [...fixed, ...Array<Oid>(count - fixed.length).fill(info.variadic)];
}

/** The operators that the server may choose. `left` is undefined for a prefix operator. */
export function chooseOperators(
  walk: Walk,
  operators: readonly OperatorInfo[],
  left: Oid | undefined,
  right: Oid,
): readonly OperatorInfo[] {
  const candidates: Candidate<OperatorInfo>[] = [];
  for (const what of operators) {
    if ((what.left === 0) !== (left === undefined)) continue;
    candidates.push({ args: left === undefined ? [what.right] : [what.left, what.right], what });
  }
  const { catalogue } = walk.env;
  if (left === undefined) return choose(catalogue, candidates, [right]);
  // A literal is first taken to be of the other side's type.
  if ((left === unknownType) !== (right === unknownType) && left !== 0 && right !== 0) {
    const known = left === unknownType ? right : left;
    for (const type of new Set([known, baseType(catalogue, known)])) {
      const exact = candidates.filter((one) => one.args[0] === type && one.args[1] === type);
      if (exact[0] !== undefined) return [exact[0].what];
    }
  }
  return choose(catalogue, candidates, [left, right]);
}

function choose<T>(
  catalogue: Catalogue,
  all: readonly Candidate<T>[],
  types: readonly Oid[],
): readonly T[] {
  const settled = types.every((type) => type !== 0 && type !== unknownType);
  if (settled) {
    const exact = all.find((one) => one.args.every((arg, at) => arg === types[at]));
    if (exact !== undefined) {
      // Two of one schema (with and without VARIADIC) can have the same arguments: keep both.
      return sameArguments(all, exact);
    }
  }
  const possible = withoutHidden(all).filter((one) =>
    one.args.every((arg, at) => couldCoerce(catalogue, types[at] ?? 0, arg)),
  );
  if (possible.length < 2 || types.includes(0)) return possible.map((one) => one.what);
  // What a polymorphic parameter accepts depends on the other arguments, and what a row can be
  // turned into on its fields: no guessing.
  const guess = types.some((type) => isRowType(catalogue, type));
  if (guess || possible.some((one) => one.args.some((arg) => polymorphicTypes.has(arg)))) {
    return possible.map((one) => one.what);
  }
  return (bestOf(catalogue, possible, types) ?? possible).map((one) => one.what);
}

function sameArguments<T>(all: readonly Candidate<T>[], like: Candidate<T>): readonly T[] {
  const schema = schemaOf(like.what);
  return all
    .filter((one) => schemaOf(one.what) === schema && sameTypes(one.args, like.args))
    .map((one) => one.what);
}

function schemaOf(what: unknown): unknown {
  return typeof what === 'object' && what !== null && 'schema' in what ? what.schema : undefined;
}

function sameTypes(left: readonly Oid[], right: readonly Oid[]): boolean {
  return left.length === right.length && left.every((type, at) => type === right[at]);
}

/** Without those that an earlier schema hides by the very same arguments. */
function withoutHidden<T>(all: readonly Candidate<T>[]): readonly Candidate<T>[] {
  const first = schemaOf(all[0]?.what);
  if (all.every((one) => schemaOf(one.what) === first)) return all;
  const seen = new Map<string, unknown>();
  return all.filter((one) => {
    const key = one.args.join();
    const schema = schemaOf(one.what);
    if (!seen.has(key)) seen.set(key, schema);
    return seen.get(key) === schema;
  });
}

/** `func_select_candidate`: undefined when it does not come to one answer. */
function bestOf<T>(
  catalogue: Catalogue,
  possible: readonly Candidate<T>[],
  types: readonly Oid[],
): readonly Candidate<T>[] | undefined {
  const bases = types.map((type) => (type === unknownType ? type : baseType(catalogue, type)));
  let left = mostMatches(possible, (arg, at) => arg === bases[at] && arg !== unknownType);
  if (left.length === 1) return left;
  const slots = bases.map((base) => categoryOf(catalogue, base).category);
  left = mostMatches(left, (arg, at) => {
    if (bases[at] === unknownType) return false;
    if (arg === bases[at]) return true;
    const { category, preferred } = categoryOf(catalogue, arg);
    return preferred && category === slots[at];
  });
  if (left.length === 1) return left;
  if (!bases.includes(unknownType)) return undefined;
  left = byCategory(catalogue, left, bases) ?? left;
  if (left.length === 1) return left;
  const known = new Set(bases.filter((base) => base !== unknownType));
  const only = [...known][0];
  if (known.size !== 1 || only === undefined) return undefined;
  const fits = left.filter((one) => one.args.every((arg) => couldCoerce(catalogue, only, arg)));
  return fits.length === 1 ? fits : undefined;
}

function mostMatches<T>(
  all: readonly Candidate<T>[],
  matches: (arg: Oid, at: number) => boolean,
): readonly Candidate<T>[] {
  const counts = all.map((one) => one.args.filter(matches).length);
  const best = Math.max(...counts);
  return all.filter((_, at) => counts[at] === best);
}

/** Literals take the category that the candidates agree on, or text where one accepts it. */
function byCategory<T>(
  catalogue: Catalogue,
  all: readonly Candidate<T>[],
  bases: readonly Oid[],
): readonly Candidate<T>[] | undefined {
  const wanted = new Map<number, { readonly category: string; readonly preferred: boolean }>();
  for (const [at, base] of bases.entries()) {
    if (base !== unknownType) continue;
    const kinds = all.map((one) => categoryOf(catalogue, one.args[at] ?? 0));
    const first = kinds[0]?.category ?? '';
    const text = kinds.some((kind) => kind.category === stringCategory);
    const category = text ? stringCategory : first;
    if (!text && kinds.some((kind) => kind.category !== first)) return undefined;
    const preferred = kinds.some((kind) => kind.category === category && kind.preferred);
    wanted.set(at, { category, preferred });
  }
  const left = all.filter((one) =>
    [...wanted].every(([at, want]) => {
      const kind = categoryOf(catalogue, one.args[at] ?? 0);
      return kind.category === want.category && (!want.preferred || kind.preferred);
    }),
  );
  return left.length > 0 ? left : undefined;
}
