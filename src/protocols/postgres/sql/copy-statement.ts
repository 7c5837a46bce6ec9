/** COPY: which way the data goes, through what, and in what format its rows are written. */
import type { CopyStmt, DefElem, Node } from 'libpg-query';
import { tableColumns } from './labels.ts';
import { relationNamed, writtenName } from './object-names.ts';
import { readRelation } from './relations.ts';
import { findColumn, type Scope, sourcesOf, withSources } from './scope.ts';
import { itemsOf, literalText, namesOf } from './tree.ts';
import type { CopyFormat } from './types.ts';
import type { Column } from './values.ts';
import { type Outcome, readLiteral, type Walk } from './walk.ts';
import { writeRelation } from './write-effects.ts';

export function copyStatement(walk: Walk, node: CopyStmt, scope: Scope): Outcome {
  const { facts } = walk;
  readLiteral(walk);
  const format = copyFormat(walk, node.options ?? []);
  if (node.is_from === true) return copyIn(walk, node, scope);
  const columns =
    node.query === undefined
      ? copiedTable(walk, node)
      : walk.entries.statement(walk, node.query, scope);
  if (node.filename === undefined && node.is_program !== true) {
    facts.effect('copy-out');
    return { output: columns, copy: format };
  }
  elsewhere(walk, node);
  for (const column of columns ?? []) facts.use(column.value, 'copy');
  return { output: [], copy: undefined };
}

function elsewhere(walk: Walk, node: CopyStmt): void {
  const { facts } = walk;
  const write = node.is_from !== true;
  if (node.is_program === true) {
    facts.effect('execute-code', write ? 'file-write' : 'file-read');
    facts.partial('a program runs on the server');
  } else facts.effect(write ? 'file-write' : 'file-read');
  facts.object(
    node.is_program === true ? 'program' : 'file',
    node.filename ?? '?',
    write ? 'write' : 'read',
  );
}

function copyIn(walk: Walk, node: CopyStmt, scope: Scope): Outcome {
  const { facts } = walk;
  if (node.filename === undefined && node.is_program !== true) facts.effect('copy-in');
  else elsewhere(walk, node);
  const name = node.relation;
  const relation = name === undefined ? undefined : relationNamed(walk, name);
  if (relation === undefined) {
    facts.effect('insert');
    facts.object('table', name === undefined ? '?' : writtenName(name), 'write');
    facts.partial('the target of COPY is not in the catalogue');
    return { output: [], copy: undefined };
  }
  const columns = namesOf(node.attlist);
  writeRelation(walk, relation, {
    event: 'insert',
    all: false,
    defaults: true,
    columns: columns.length > 0 ? columns : relation.columns.map((column) => column.name),
  });
  if (node.whereClause !== undefined) {
    // What is looked at is what the client sends, so nothing of the table shows.
    const item = {
      alias: relation.name,
      schema: relation.schema,
      columns: tableColumns(walk, relation),
      open: false,
      relation,
      row: { type: 0, sources: [], direct: undefined, unknown: false, fields: undefined },
    };
    walk.entries.expression(walk, node.whereClause, withSources(scope, sourcesOf(item)));
  }
  return { output: [], copy: undefined };
}

/** The columns that COPY of a table writes: all but the generated ones, or those that are named. */
function copiedTable(walk: Walk, node: CopyStmt): readonly Column[] | undefined {
  const name = node.relation;
  if (name === undefined) return undefined;
  const relation = relationNamed(walk, name);
  const item = readRelation(walk, name);
  if (item.open || relation === undefined) return undefined;
  const wanted = namesOf(node.attlist);
  if (wanted.length > 0) {
    const found = wanted.flatMap((one) => {
      const value = findColumn(item.columns, one);
      return value === undefined ? [] : [{ name: one, value }];
    });
    if (found.length === wanted.length) return found;
    walk.facts.partial('a column of COPY is not known');
    return undefined;
  }
  return item.columns.filter((_, at) => relation.columns[at]?.generated === undefined);
}

/** The format that the options ask for; what is not known makes the statement not complete. */
function copyFormat(walk: Walk, options: readonly Node[]): CopyFormat {
  const given = new Map<string, DefElem>();
  for (const option of options) {
    if ('DefElem' in option) given.set(option.DefElem.defname ?? '', option.DefElem);
    else walk.facts.partial('an option of COPY is not analysed');
  }
  for (const name of given.keys()) {
    if (!knownOptions.has(name)) walk.facts.partial(`option ${name} of COPY is not analysed`);
  }
  const text = (name: string): string | undefined => {
    const option = given.get(name);
    return option === undefined ? undefined : literalText(option.arg);
  };
  const format = text('format') ?? 'text';
  if (format !== 'text' && format !== 'csv' && format !== 'binary') {
    walk.facts.partial(`format ${format} of COPY is not known`);
  }
  const encoding = text('encoding');
  if (encoding !== undefined && !['utf8', 'utf-8'].includes(encoding.toLowerCase())) {
    walk.facts.partial(`COPY in encoding ${encoding} is not followed`);
  }
  const csv = format === 'csv';
  const quote = text('quote') ?? '"';
  const header = given.get('header');
  return {
    format: csv ? 'csv' : format === 'binary' ? 'binary' : 'text',
    delimiter: text('delimiter') ?? (csv ? ',' : '\t'),
    nullText: text('null') ?? (csv ? '' : '\\N'),
    quote,
    escape: text('escape') ?? quote,
    header: header !== undefined && isOn(header),
  };
}

const knownOptions: ReadonlySet<string> = new Set([
  'format',
  'freeze',
  'delimiter',
  'null',
  'default',
  'header',
  'quote',
  'escape',
  'force_quote',
  'force_not_null',
  'force_null',
  'encoding',
  'on_error',
  'reject_limit',
  'log_verbosity',
]);

/** Whether a boolean option is on, as the server reads it; a value that it refuses counts as on. */
export function isOn(option: DefElem): boolean {
  const [arg] = itemsOf(option.arg);
  if (arg === undefined) return true;
  const value = literalText(arg)?.toLowerCase();
  return value === undefined || !['0', 'false', 'off'].includes(value);
}
