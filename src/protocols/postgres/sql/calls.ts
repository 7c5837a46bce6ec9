/**
 * What calling a function, an operator or a cast does, and what its result may carry. A function
 * is known by its review, or by its body when that is SQL; nothing else is trusted, whatever its
 * author has declared it to be.
 */
import type { Effect } from '#core/facts.ts';
import type { CastInfo, FunctionEffect, FunctionInfo, Oid } from './catalogue.ts';
import { followFunction } from './follow.ts';
import { relationInText } from './object-names.ts';
import { isQuietCall, isQuietCast } from './quiet.ts';
import { baseType, commonType, isRowType } from './resolve-types.ts';
import { settingChange } from './settings.ts';
import { emptyScope } from './scope.ts';
import { walkText } from './texts.ts';
import { isSafe, isSafeCast, traitsOf } from './traits.ts';
import { checkType } from './type-check.ts';
import {
  anyArrayType,
  anyCompatibleArrayType,
  anyCompatibleNonArrayType,
  anyCompatibleType,
  anyElementType,
  anyNonArrayType,
  boolType,
  polymorphicTypes,
  recordType,
  textTypes,
  unknownType,
} from './type-oids.ts';
import {
  type Column,
  clean,
  derived,
  either,
  fromAnywhere,
  isTainted,
  retyped,
  rowOf,
  unknownValue,
  type Value,
} from './values.ts';
import { readLiteral, type Walk } from './walk.ts';

/** What is known of the arguments besides their values. */
export interface CallDetail {
  /** Text of the arguments that are literals. */
  readonly literals: readonly (string | undefined)[];
  /** Whether the arrays among them have as many elements as are written down. */
  readonly fixedLength: boolean;
}

const noDetail: CallDetail = { literals: [], fixedLength: false };

/** Whether a value may be NULL where no column is. A row never is, whatever its fields are. */
const isComputed = ({ direct, fields }: Value): boolean =>
  direct === undefined && fields === undefined;

/** Results that say nothing of what their arguments hold. */
const blind: ReadonlySet<string> = new Set(['count', 'pg_typeof']);

/** Calls every function that the server may have chosen; the result is any of theirs. */
export function callAny(
  walk: Walk,
  functions: readonly FunctionInfo[],
  args: readonly Value[],
  detail: CallDetail = noDetail,
): Value {
  const only = functions[0];
  if (only === undefined) {
    walk.facts.partial('a function is called that the catalogue does not have');
    return unknownValue;
  }
  if (functions.length === 1) return call(walk, only, args, detail);
  return either(functions.map((info) => call(walk, info, args, detail)));
}

function call(walk: Walk, info: FunctionInfo, args: readonly Value[], detail: CallDetail): Value {
  const { facts } = walk;
  facts.function(`${info.schema}.${info.name}`);
  checkImplicitCasts(walk, info.argTypes, args);
  checkType(walk, info.returnType);
  for (const type of info.argTypes) checkType(walk, type);
  // Only a user's function has defaults that need a look: the server's own are constants.
  if (args.length < info.argTypes.length && info.schema !== 'pg_catalog') checkDefaults(walk, info);
  switch (info.safety) {
    case 'pure':
    case 'read':
      return reviewedResult(walk, info, args, detail);
    case 'data-read':
      facts.effect('read');
      return fromAnywhere(reviewedResult(walk, info, args, detail));
    case 'effect':
      return runEffects(walk, info, args, detail);
    case 'unknown':
      return unreviewed(walk, info, args);
  }
}

/** Arguments that are left out are computed by expressions of the function's owner. */
function checkDefaults(walk: Walk, info: FunctionInfo): void {
  if (info.defaultExpressions === undefined) return;
  walkText(walk, info.defaultExpressions, emptyScope);
}

function reviewedResult(
  walk: Walk,
  info: FunctionInfo,
  args: readonly Value[],
  detail: CallDetail,
): Value {
  if (info.schema === 'pg_catalog' && blind.has(info.name)) {
    // How many values are not NULL says something of what computes them, and nothing of a column.
    const computed = info.name === 'count' ? args.filter(isComputed) : [];
    for (const arg of computed) walk.facts.use(arg, 'filter');
    return clean(info.returnType);
  }
  const result = resultOf(walk, info, args);
  if (isTainted(result)) {
    for (const arg of args) {
      if (walk.measured === true || !isQuietCall(info)) walk.facts.use(arg, 'compute');
      // How many rows it gives tells of what it was given.
      if (info.returnsSet && !detail.fixedLength) walk.facts.use(arg, 'filter');
      // A truth value cannot be masked by one that looks like it: it is a question, not a value.
      if (result.type === boolType) walk.facts.use(arg, 'filter');
    }
  }
  return result;
}

/** A value, or a row of its OUT columns, that carries what the arguments carry. */
function resultOf(walk: Walk, info: FunctionInfo, args: readonly Value[]): Value {
  const type = resultType(walk, info, args);
  const columns = resultColumns(walk, info, type);
  if (columns === undefined) return derived(type, args);
  const fields = columns.map(({ name, type: one }) => ({ name, value: derived(one, args) }));
  return rowOf(type, fields);
}

/** Names and types of the columns of a result that is a row; undefined when it is none. */
export function resultColumns(
  walk: Walk,
  info: FunctionInfo,
  type: Oid,
): readonly { readonly name: string; readonly type: Oid }[] | undefined {
  if (
    info.outColumns.length > 1 ||
    (info.outColumns.length === 1 && info.returnType === recordType)
  ) {
    return info.outColumns.map((one, at) => ({
      name: one.name === '' ? `column${at + 1}` : one.name,
      type: polymorphicTypes.has(one.typeOid) ? 0 : one.typeOid,
    }));
  }
  const { catalogue } = walk.env;
  const row = catalogue.typeByOid(baseType(catalogue, type));
  if (row?.kind !== 'composite') return undefined;
  const relation = catalogue.relationByOid(row.relationOid);
  return relation?.columns.map((column) => ({ name: column.name, type: column.typeOid }));
}

/** Parameters whose argument is the one thing that a polymorphic result is made of. */
const elementTypes: ReadonlySet<Oid> = new Set([
  anyElementType,
  anyNonArrayType,
  anyCompatibleType,
  anyCompatibleNonArrayType,
]);

/** The type that a call gives; 0 when that depends on what is not settled. */
function resultType(walk: Walk, info: FunctionInfo, args: readonly Value[]): Oid {
  const declared = info.returnType;
  if (!polymorphicTypes.has(declared)) return declared;
  const { catalogue } = walk.env;
  const elements = new Set<Oid>();
  for (const [at, arg] of args.entries()) {
    const parameter = info.argTypes[Math.min(at, info.argTypes.length - 1)] ?? 0;
    if (elementTypes.has(parameter)) {
      if (arg.type === unknownType) continue;
      elements.add(arg.type);
    } else if (parameter === anyArrayType || parameter === anyCompatibleArrayType) {
      if (arg.type === unknownType) continue;
      elements.add(catalogue.typeByOid(baseType(catalogue, arg.type))?.elementOid ?? 0);
    } else if (polymorphicTypes.has(parameter)) return 0;
  }
  const isCompatible = declared === anyCompatibleType || declared === anyCompatibleArrayType;
  if (elements.size === 0 || (elements.size > 1 && !isCompatible)) return 0;
  const element = commonType(catalogue, [...elements]);
  if (declared === anyElementType || declared === anyCompatibleType) return element;
  if (declared !== anyArrayType && declared !== anyCompatibleArrayType) return 0;
  return catalogue.typeByOid(element)?.arrayOid ?? 0;
}

const plainEffects: Readonly<Record<FunctionEffect, readonly Effect[]>> = {
  'execute-code': ['execute-code'],
  'file-read': ['file-read'],
  'file-write': ['file-write'],
  network: ['network'],
  admin: ['admin'],
  lock: ['lock'],
  settings: ['session', 'admin'],
  session: ['session'],
  notify: ['notify'],
  // Sequences and large objects: no row count tells how much of them changed.
  write: ['alter'],
  'data-read': ['read'],
};

/** Reviewed functions whose result comes from where the statement does not say. */
const revealing: ReadonlySet<FunctionEffect> = new Set([
  'execute-code',
  'file-read',
  'network',
  'data-read',
]);

function runEffects(
  walk: Walk,
  info: FunctionInfo,
  args: readonly Value[],
  detail: CallDetail,
): Value {
  const { facts } = walk;
  const name = `${info.schema}.${info.name}`;
  facts.object('function', name, 'execute');
  for (const arg of args) {
    // What it is given can be read elsewhere afterwards.
    facts.use(arg, 'copy');
    facts.use(arg, 'compute');
  }
  for (const effect of info.effects) {
    if (effect === 'settings') changeSetting(walk, detail);
    else if (effect === 'write' && sequenceWriters.has(info.name)) {
      writeSequence(walk, detail);
      if (info.name === 'setval') facts.effect('alter');
      else if (!walk.inDefault) facts.effect('update');
    } else facts.effect(...plainEffects[effect]);
    if (effect === 'execute-code') {
      facts.partial(`${name} runs SQL text, or code, that is not followed`);
    }
  }
  const result = resultOf(walk, info, args);
  return info.effects.some((effect) => revealing.has(effect)) ? fromAnywhere(result) : result;
}

const sequenceWriters: ReadonlySet<string> = new Set(['nextval', 'setval']);

function writeSequence(walk: Walk, { literals: [name] }: CallDetail): void {
  readLiteral(walk);
  if (name === undefined) walk.facts.partial('a sequence is moved whose name is not a literal');
  else walk.facts.object('sequence', relationInText(walk, name), 'write');
}

/** `set_config(name, value, local)`. */
function changeSetting(walk: Walk, detail: CallDetail): void {
  const { facts } = walk;
  const [name, value] = detail.literals;
  readLiteral(walk);
  if (name === undefined) {
    facts.changes.push({ kind: 'settings' });
    facts.effect('session', 'admin', 'grant');
    facts.partial('a setting is changed whose name is not a literal');
    return;
  }
  const change = settingChange(name, value);
  if (change.changesMeaning) facts.changes.push({ kind: 'settings' });
  facts.effect(...change.effects);
  facts.object('setting', name.toLowerCase(), 'write');
  if (change.breaksReading) facts.partial(`${name} decides how the server reads text`);
}

function unreviewed(walk: Walk, info: FunctionInfo, args: readonly Value[]): Value {
  const { facts, env } = walk;
  facts.object('function', `${info.schema}.${info.name}`, 'execute');
  if (info.kind === 'aggregate' && info.supportOids.length > 0) {
    const support = info.supportOids.map((oid) => env.catalogue.functionByOid(oid));
    if (support.every(isSafe)) return reviewedResult(walk, info, args, noDetail);
  }
  if (info.language === 'sql' && info.kind === 'function') {
    const followed = followFunction(walk, info, args);
    if (followed !== undefined) {
      const result = shaped(walk, info, followed);
      // The planner may run it and put what it gives into the plan.
      walk.facts.use(result, 'compute');
      return result;
    }
  }
  for (const arg of args) facts.use(arg, 'copy');
  facts.effect('execute-code', 'unknown');
  facts.partial(`function ${info.schema}.${info.name} (${info.language}) is not reviewed`);
  facts.messagesMayLeak = true;
  const columns = resultColumns(walk, info, info.returnType);
  if (columns === undefined) return { ...unknownValue, type: resultType(walk, info, args) };
  const fields = columns.map(({ name, type }) => ({ name, value: { ...unknownValue, type } }));
  return rowOf(info.returnType, fields);
}

/** The result of a SQL function, from the columns of its last statement. */
function shaped(walk: Walk, info: FunctionInfo, columns: readonly Column[]): Value {
  const wanted = resultColumns(walk, info, info.returnType);
  const values = columns.map((column) => column.value);
  const only = values[0];
  if (wanted === undefined) {
    if (only === undefined) return clean(info.returnType);
    if (columns.length === 1) return retyped(only, resultTypeOf(info, only));
    // `RETURNS SETOF record`: the call names the columns.
    return info.returnType === recordType ? rowOf(recordType, columns) : derived(0, values);
  }
  if (columns.length === wanted.length) {
    const fields = wanted.map(({ name, type }, at) => ({
      name,
      value: retyped(values[at] ?? unknownValue, type),
    }));
    return rowOf(info.returnType, fields);
  }
  // A body may select one row instead of its fields.
  const inner = columns.length === 1 ? only?.fields : undefined;
  const all = derived(0, values);
  const fields = wanted.map(({ name, type }, at) => ({
    name,
    value: retyped(inner?.length === wanted.length ? (inner[at]?.value ?? all) : all, type),
  }));
  return rowOf(info.returnType, fields);
}

function resultTypeOf(info: FunctionInfo, value: Value): Oid {
  return polymorphicTypes.has(info.returnType) ? value.type : info.returnType;
}

/** Converts a value as `CAST` does, or as a write to a column of that type does. */
export function castTo(walk: Walk, value: Value, target: Oid): Value {
  const { catalogue } = walk.env;
  checkType(walk, target);
  const casts = userCasts(walk, value.type, target);
  for (const cast of casts) {
    const info = catalogue.functionByOid(cast.functionOid);
    if (cast.method === 'function' && info !== undefined) call(walk, info, [value], noDetail);
    else walk.facts.partial('a cast runs code that is not reviewed');
  }
  if (value.type === target) return value;
  const harmless =
    (textTypes.has(value.type) && textTypes.has(target)) ||
    isQuietCast(catalogue, value.type, target);
  if (!harmless && isTainted(value)) walk.facts.use(value, 'compute');
  const fields = value.fields;
  const columns = isRowType(catalogue, target) ? rowColumns(walk, target) : undefined;
  if (fields !== undefined && columns?.length === fields.length) {
    return rowOf(
      target,
      columns.map(({ name, type }, at) => ({
        name,
        value: retyped(fields[at]?.value ?? unknownValue, type),
      })),
    );
  }
  return { ...derived(target, [value]) };
}

function rowColumns(
  walk: Walk,
  type: Oid,
): readonly { readonly name: string; readonly type: Oid }[] | undefined {
  const { catalogue } = walk.env;
  const info = catalogue.typeByOid(baseType(catalogue, type));
  const relation = info === undefined ? undefined : catalogue.relationByOid(info.relationOid);
  return relation?.columns.map((column) => ({ name: column.name, type: column.typeOid }));
}

/** Casts with unreviewed code that may be made between the types, through arrays and domains. */
function userCasts(walk: Walk, source: Oid, target: Oid): readonly CastInfo[] {
  const { catalogue } = walk.env;
  if (source === target || source === unknownType) return [];
  const found: CastInfo[] = [];
  let from = source === 0 ? 0 : baseType(catalogue, source);
  let to = baseType(catalogue, target);
  for (let depth = 0; depth < 4; depth += 1) {
    found.push(...catalogue.casts(from === 0 ? undefined : from, to));
    const elementTo = arrayElement(walk, to);
    const elementFrom = from === 0 ? 0 : arrayElement(walk, from);
    if (elementTo === undefined || elementFrom === undefined) break;
    to = elementTo;
    from = elementFrom;
  }
  return found.filter((cast) => !isSafeCast(catalogue, cast));
}

function arrayElement(walk: Walk, type: Oid): Oid | undefined {
  const info = walk.env.catalogue.typeByOid(type);
  return info?.kind === 'array' ? info.elementOid : undefined;
}

/** Where a parameter is of another type than its argument, the server may call a cast. */
function checkImplicitCasts(walk: Walk, parameters: readonly Oid[], args: readonly Value[]): void {
  const { implicitSources } = traitsOf(walk.env.catalogue);
  if (implicitSources.size === 0) return;
  for (const [at, arg] of args.entries()) {
    const parameter = parameters[Math.min(at, parameters.length - 1)] ?? 0;
    if (parameter === arg.type || polymorphicTypes.has(parameter)) continue;
    checkImplicit(walk, arg);
  }
}

/** The same for a place that takes a common type of several values. */
export function checkImplicit(walk: Walk, value: Value): void {
  const { catalogue } = walk.env;
  const { implicitSources } = traitsOf(catalogue);
  if (implicitSources.size === 0 || value.type === unknownType) return;
  if (value.type === 0 || implicitSources.has(baseType(catalogue, value.type))) {
    walk.facts.partial('an implicit cast of this database runs code that is not reviewed');
  }
}
