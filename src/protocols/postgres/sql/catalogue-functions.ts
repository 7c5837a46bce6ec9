/** Makes a function of the rows that speak of it, with what the reviewed lists say of it. */
import type { FunctionInfo, FunctionKind, Oid } from './catalogue.ts';
import { flag, maybe, number, numbers, oids, type Row, strings, text } from './catalogue-rows.ts';
import { functionCatalog, type Source } from './catalogue-source.ts';
import { reviewOf } from './functions.ts';

const kinds: ReadonlyMap<string, FunctionKind> = new Map([
  ['f', 'function'],
  ['p', 'procedure'],
  ['a', 'aggregate'],
  ['w', 'window'],
]);

export function readFunction(source: Source, oid: Oid): FunctionInfo | undefined {
  const row = source.keyed('functions', oid)[0];
  const kind = row === undefined ? undefined : kinds.get(text(row, 3));
  if (row === undefined || kind === undefined) return undefined;
  const texts = source.keyed('functionTexts', oid)[0];
  const sqlBody = texts === undefined ? undefined : maybe(texts, 3);
  const argTypes = numbers(row, 8);
  const volatility = text(row, 5);
  const symbol = maybe(row, 16) ?? '';
  const info = {
    oid,
    schema: source.schemaName(number(row, 2)),
    name: text(row, 1),
    kind,
    language: source.languageName(number(row, 4)),
    volatility:
      volatility === 'i' ? 'immutable' : volatility === 's' ? 'stable' : ('volatile' as const),
    securityDefiner: flag(row, 6),
    strict: flag(row, 7),
    argTypes,
    ...namesOf(row, argTypes.length),
    defaults: number(row, 12),
    defaultExpressions: texts === undefined ? undefined : maybe(texts, 2),
    variadic: number(row, 13),
    returnsSet: flag(row, 14),
    returnType: number(row, 15),
    source: sqlBody ?? symbol,
    sqlBody: sqlBody !== undefined,
    settings: strings(row, 17),
    owner: source.roleName(number(row, 18)),
    extension: source.extensionOf(functionCatalog, oid),
    supportOids: oids(row, 20),
  } satisfies Omit<FunctionInfo, 'safety' | 'effects'>;
  const typeNames = argTypes.map((type) => typeName(source, type));
  return { ...info, ...reviewOf(info, typeNames, maybe(row, 19)) };
}

function typeName(source: Source, oid: Oid): string {
  const row = source.keyed('types', oid)[0];
  return row === undefined ? '?' : text(row, 1);
}

/** Names of the input arguments, and the OUT, INOUT and TABLE columns. */
function namesOf(row: Row, inputs: number): Pick<FunctionInfo, 'argNames' | 'outColumns'> {
  const names = strings(row, 11);
  const modes = maybe(row, 10);
  if (modes === undefined) {
    return { argNames: Array.from({ length: inputs }, (_, at) => names[at] ?? ''), outColumns: [] };
  }
  const types = numbers(row, 9);
  const argNames: string[] = [];
  const outColumns: { name: string; typeOid: Oid }[] = [];
  for (const [at, mode] of modes.split('').entries()) {
    const name = names[at] ?? '';
    if (mode === 'i' || mode === 'b' || mode === 'v') argNames.push(name);
    if (mode === 'o' || mode === 'b' || mode === 't') {
      outColumns.push({ name, typeOid: types[at] ?? 0 });
    }
  }
  return { argNames, outColumns };
}
