/**
 * Statements about statements and about the session: EXPLAIN, PREPARE and EXECUTE, cursors,
 * settings, transactions.
 */
import type {
  CreateTableAsStmt,
  DeclareCursorStmt,
  DefElem,
  ExecuteStmt,
  ExplainStmt,
  FetchStmt,
  Node,
  PrepareStmt,
  TransactionStmt,
  VariableSetStmt,
} from 'libpg-query';
import { castTo } from './calls.ts';
import { anyColumn } from './collector.ts';
import { isOn } from './copy-statement.ts';
import { newRelationName } from './object-names.ts';
import { typeNamed } from './resolve-types.ts';
import { emptyScope, type Scope } from './scope.ts';
import { settingChange } from './settings.ts';
import { checkType } from './type-check.ts';
import { textType, unknownType } from './type-oids.ts';
import { traitsOf } from './traits.ts';
import { literalText, sameTree } from './tree.ts';
import type { SessionChange, SqlStatement } from './types.ts';
import { type Column, clean, cleanAny, type Value } from './values.ts';
import { type Outcome, readLiteral, type Walk } from './walk.ts';

export const noRows: Outcome = { output: [], copy: undefined };
const notKnown: Outcome = { output: undefined, copy: undefined };

/** EXPLAIN plans, and the planner runs functions that claim to be immutable; ANALYZE runs it all. */
export function explain(walk: Walk, node: ExplainStmt): Outcome {
  const { facts } = walk;
  readLiteral(walk);
  let runs = false;
  for (const option of node.options ?? []) {
    if (!('DefElem' in option)) runs = true;
    // Repeated options: the last one wins.
    else if (option.DefElem.defname === 'analyze') runs = isOn(option.DefElem);
    else if (!explainOptions.has(option.DefElem.defname ?? '')) {
      facts.partial(`option ${option.DefElem.defname} of EXPLAIN is not analysed`);
    }
  }
  if (node.query === undefined) {
    facts.partial('EXPLAIN of nothing');
    return notKnown;
  }
  const before = facts.changes.length;
  walk.entries.top(runs ? { ...walk, measured: true } : walk, node.query, emptyScope);
  // It opens no cursor and keeps no name.
  const kept = facts.changes.splice(before).filter((change) => change.kind !== 'declare');
  facts.changes.push(...(runs ? kept : []));
  if (!runs) facts.withoutWrites();
  // Plans hold constants that the planner computed, and estimates and counts of what was compared.
  const sources = facts
    .usesOf('filter', 'order', 'group', 'compute', 'copy', 'write')
    .filter((name) => name !== anyColumn);
  const value: Value = {
    // Text, XML or JSON, as the options say.
    type: 0,
    sources,
    direct: undefined,
    unknown: facts.sawUnknown,
    fields: undefined,
  };
  return { output: [{ name: 'QUERY PLAN', value }], copy: undefined };
}

const explainOptions: ReadonlySet<string> = new Set([
  'verbose',
  'costs',
  'settings',
  'generic_plan',
  'buffers',
  'serialize',
  'wal',
  'timing',
  'summary',
  'memory',
  'format',
]);

/** PREPARE: nothing runs, and its facts are those of what it prepares. */
export function prepare(walk: Walk, node: PrepareStmt): Outcome {
  const values = (node.argtypes ?? []).map((type): Value => {
    const info = 'TypeName' in type ? typeNamed(walk, type.TypeName) : undefined;
    if (info === undefined) {
      walk.facts.partial('a type of a parameter is not known');
      return cleanAny;
    }
    checkType(walk, info.oid);
    return clean(info.oid);
  });
  const args = { functionName: '', names: [], values };
  const statement = hold(walk, node.query, 'AS', { ...emptyScope, args });
  if (statement === undefined) return notKnown;
  const typed = { ...statement, parameterTypes: values.map(({ type }) => type) };
  walk.facts.changes.push({ kind: 'prepare', name: node.name ?? '', statement: typed });
  return noRows;
}

/** DECLARE: the query runs when rows are fetched, or at the end of the transaction. */
export function declare(walk: Walk, node: DeclareCursorStmt): Outcome {
  const statement = hold(walk, node.query, 'FOR', emptyScope);
  if (statement === undefined) return notKnown;
  walk.facts.changes.push({ kind: 'declare', name: node.portalname ?? '', statement });
  return noRows;
}

/** Analyses the statement behind `keyword`, and takes over its facts. */
function hold(
  walk: Walk,
  query: Node | undefined,
  keyword: 'AS' | 'FOR',
  scope: Scope,
): SqlStatement | undefined {
  const inner = query === undefined ? undefined : innerText(walk, query, keyword);
  if (query === undefined || inner === undefined) {
    walk.facts.partial('the text of the statement inside was not found');
    return undefined;
  }
  const statement = walk.entries.held(walk, query, inner, scope);
  walk.facts.adopt(statement.facts);
  walk.facts.effect('session');
  if (statement.messagesMayLeak) walk.facts.messagesMayLeak = true;
  return statement;
}

/** Places where the keyword may stand that are tried. */
const triesMax = 8;

/**
 * The text of the statement that stands behind a keyword: the first place from where the rest has
 * the very same tree. What is found is proved by the parser, not by how the text looks.
 */
function innerText(walk: Walk, query: Node, keyword: 'AS' | 'FOR'): string | undefined {
  const { text } = walk.env;
  const words = keyword === 'AS' ? /\bAS\b/gi : /\bFOR\b/gi;
  let tries = 0;
  for (const match of text.matchAll(words)) {
    tries += 1;
    if (tries > triesMax) return undefined;
    const rest = text.slice(match.index + keyword.length).trimStart();
    const tree = walk.env.auxiliary(rest);
    // Not parsed yet: this walk is done again.
    if (tree === undefined) return rest;
    if (tree?.length === 1 && sameTree(tree[0], query)) return rest;
  }
  return undefined;
}

/** EXECUTE: what was prepared, as it would be read now. */
export function execute(walk: Walk, node: ExecuteStmt): Outcome {
  const { env } = walk;
  env.stateRead.any = true;
  const values = (node.params ?? []).map((one) => walk.entries.expression(walk, one, emptyScope));
  const prepared = env.state.prepared(node.name ?? '');
  if (prepared === undefined) return unseen(walk, `prepared statement ${node.name ?? ''}`);
  const types = prepared.parameterTypes;
  for (const type of types ?? []) checkType(walk, type);
  const given = values.map((value, at): Value => {
    const type = types === undefined ? 0 : (types[at] ?? unknownType);
    // As a write to a column of that type converts it.
    if (type !== 0 && type !== unknownType) return { ...castTo(walk, value, type), type };
    return { ...value, type };
  });
  const args = { functionName: '', names: [], values: given };
  return again(walk, prepared, { ...emptyScope, args });
}

/** FETCH and MOVE: the query of the cursor runs. */
export function fetch(walk: Walk, node: FetchStmt): Outcome {
  const { env, facts } = walk;
  env.stateRead.any = true;
  const name = node.portalname ?? '';
  const cursor = env.state.cursor(name);
  if (cursor === undefined) return unseen(walk, `cursor ${name}`);
  // It means what its names meant when it was declared.
  const path = cursor.searchPath ?? walk.path;
  const before = facts.changes.length;
  const outcome = again({ ...walk, path, livePath: path }, cursor, emptyScope);
  facts.changes.splice(before);
  return node.ismove === true ? noRows : outcome;
}

function unseen(walk: Walk, what: string): Outcome {
  walk.facts.effect('execute-code', 'unknown');
  walk.facts.opaque(`${what} was not seen to be made`);
  return notKnown;
}

function again(walk: Walk, statement: SqlStatement, scope: Scope): Outcome {
  const tree = walk.env.auxiliary(statement.text);
  if (tree === undefined) return notKnown;
  const only = tree?.[0];
  if (only === undefined || tree?.length !== 1) return unseen(walk, 'a statement');
  return walk.entries.top({ ...walk, env: { ...walk.env, text: statement.text } }, only, scope);
}

/** CREATE TABLE AS, CREATE MATERIALIZED VIEW, SELECT INTO: a copy of what the query gives. */
export function createTableAs(walk: Walk, node: CreateTableAsStmt): Outcome {
  const { facts } = walk;
  const view = node.objtype === 'OBJECT_MATVIEW';
  facts.effect('create');
  const name = node.into?.rel;
  facts.object(view ? 'materialized-view' : 'table', newRelationName(walk, name), 'create');
  const outcome =
    node.query === undefined ? notKnown : walk.entries.top(walk, node.query, emptyScope);
  if (outcome.output === undefined) facts.partial('what is copied is not known');
  for (const column of outcome.output ?? []) facts.use(column.value, 'copy');
  const ownOnly = name?.relpersistence === 't' && !traitsOf(walk.env.catalogue).ddlTriggers;
  facts.changes.push({ kind: 'catalogue', ownOnly });
  return noRows;
}

/** SET and RESET. */
export function setVariable(walk: Walk, node: VariableSetStmt): Outcome {
  const { facts } = walk;
  const { kind, name = '', args = [] } = node;
  facts.object('setting', name === '' ? '*' : name.toLowerCase(), 'write');
  if (kind === 'VAR_RESET_ALL') {
    facts.effect('session');
    facts.changes.push({ kind: 'settings' });
    return noRows;
  }
  if (kind === 'VAR_SET_MULTI') {
    for (const arg of args) {
      const option = 'DefElem' in arg ? arg.DefElem : undefined;
      setOne(walk, option?.defname ?? name, literalText(option?.arg));
    }
    if (args.length === 0) facts.partial(`SET ${name} is not analysed`);
    return noRows;
  }
  // Only a list of schemas has more than one value.
  const value = args.length === 1 && kind === 'VAR_SET_VALUE' ? literalText(args[0]) : undefined;
  setOne(walk, name, value);
  return noRows;
}

function setOne(walk: Walk, name: string, value: string | undefined): void {
  const { facts } = walk;
  // Importing a snapshot changes which rows are seen, not what is done with them.
  if (name.toLowerCase() === 'transaction snapshot') {
    facts.effect('transaction');
    return;
  }
  const change = settingChange(name, value);
  facts.effect(...change.effects);
  if (change.changesMeaning) facts.changes.push({ kind: 'settings' });
  if (change.breaksReading) facts.partial(`${name} decides how the server reads text`);
}

/** BEGIN to ROLLBACK PREPARED. */
export function transaction(walk: Walk, node: TransactionStmt): Outcome {
  const { facts } = walk;
  const { kind = '', options = [] } = node;
  facts.effect('transaction');
  const what = transactionKinds[kind] ?? 'other';
  facts.changes.push({ kind: 'transaction', what });
  if (kind.endsWith('PREPARED') || kind === 'TRANS_STMT_PREPARE') facts.effect('admin');
  if (!Object.hasOwn(transactionKinds, kind)) facts.partial(`${kind} is not analysed`);
  for (const option of options) {
    const one: DefElem | undefined = 'DefElem' in option ? option.DefElem : undefined;
    if (!transactionOptions.has(one?.defname ?? '')) {
      facts.partial(`option ${one?.defname ?? ''} of a transaction is not analysed`);
    }
  }
  return noRows;
}

type TransactionChange = Extract<SessionChange, { kind: 'transaction' }>['what'];

const transactionKinds: Readonly<Record<string, TransactionChange>> = {
  TRANS_STMT_BEGIN: 'begin',
  TRANS_STMT_START: 'begin',
  TRANS_STMT_COMMIT: 'end',
  TRANS_STMT_ROLLBACK: 'end',
  TRANS_STMT_SAVEPOINT: 'other',
  TRANS_STMT_RELEASE: 'other',
  TRANS_STMT_ROLLBACK_TO: 'other',
  TRANS_STMT_PREPARE: 'end',
  TRANS_STMT_COMMIT_PREPARED: 'other',
  TRANS_STMT_ROLLBACK_PREPARED: 'other',
};

const transactionOptions: ReadonlySet<string> = new Set([
  'transaction_isolation',
  'transaction_read_only',
  'transaction_deferrable',
]);

/** Settings that the server writes with capitals. */
const displayNames: Readonly<Record<string, string>> = {
  timezone: 'TimeZone',
  datestyle: 'DateStyle',
  intervalstyle: 'IntervalStyle',
};

/** SHOW: values of settings, which are text. */
export function show(name: string): Outcome {
  const column = (one: string): Column => ({ name: one, value: clean(textType) });
  const shown = displayNames[name.toLowerCase()] ?? name;
  const columns = name === 'all' ? ['name', 'setting', 'description'] : [shown];
  return { output: columns.map(column), copy: undefined };
}
