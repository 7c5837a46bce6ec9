/** One whole statement: finds its row in the table, and the code that follows its kind. */
import type { AlterTableStmt, CreateFunctionStmt, Node, VacuumStmt } from 'libpg-query';
import { copyStatement } from './copy-statement.ts';
import { define, optionOf, relationsIn } from './definitions.ts';
import { aside, heirsOf, viewColumns } from './labels.ts';
import { fullName, newRelationName, relationNamed, writtenName } from './object-names.ts';
import { objectKind } from './relations.ts';
import type { Scope } from './scope.ts';
import { type StatementRow, statementRow, transactionVerb } from './statements.ts';
import { itemsOf, kindOf, literalText } from './tree.ts';
import {
  createTableAs,
  declare,
  execute,
  explain,
  fetch,
  noRows,
  prepare,
  setVariable,
  show,
  transaction,
} from './utility.ts';
import type { Outcome, Walk } from './walk.ts';
import { checkComputed, writeRelation } from './write-effects.ts';

const notKnown: Outcome = { output: undefined, copy: undefined };

/** Notes everything that a statement does; gives what it sends back. */
export function top(walk: Walk, node: Node, scope: Scope): Outcome {
  const { facts } = walk;
  const row = statementRow(kindOf(node));
  if (row === undefined) {
    facts.effect('unknown');
    facts.opaque(`statement ${kindOf(node)} is not known`);
    return notKnown;
  }
  facts.verbs.push(verbOf(node, row));
  facts.effect(...row.effects);
  switch (row.treatment) {
    case 'walked':
      return query(walk, node, scope) ?? session(walk, node) ?? maintenance(walk, node, row);
    case 'definition':
      define(walk, node, row);
      if (row.partial !== undefined) facts.partial(row.partial);
      return noRows;
    case 'plain':
      return noRows;
    case 'opaque':
      return opaque(walk, node, row);
  }
}

function verbOf(node: Node, row: StatementRow): string {
  if ('TransactionStmt' in node) return transactionVerb(node);
  if ('VariableSetStmt' in node && node.VariableSetStmt.kind?.startsWith('VAR_RESET'))
    return 'RESET';
  if ('VacuumStmt' in node && node.VacuumStmt.is_vacuumcmd !== true) return 'ANALYZE';
  if ('FetchStmt' in node && node.FetchStmt.ismove === true) return 'MOVE';
  if ('GrantStmt' in node && node.GrantStmt.is_grant !== true) return 'REVOKE';
  if ('GrantRoleStmt' in node && node.GrantRoleStmt.is_grant !== true) return 'REVOKE';
  if ('DropStmt' in node) return `DROP ${objectWord(node.DropStmt.removeType)}`;
  return row.verb;
}

function objectWord(type: string | undefined): string {
  return (type ?? '')
    .replace('OBJECT_', '')
    .replace('MATVIEW', 'MATERIALIZED VIEW')
    .replaceAll('_', ' ');
}

function opaque(walk: Walk, node: Node, row: StatementRow): Outcome {
  const { facts } = walk;
  if ('CallStmt' in node) {
    // Its arguments are evaluated before it starts, so what they do is known.
    const call = node.CallStmt.funccall;
    const name = (call?.funcname ?? []).flatMap((one) =>
      'String' in one ? [one.String.sval ?? ''] : [],
    );
    facts.object('procedure', name.join('.'), 'execute');
  }
  facts.changes.push({ kind: 'catalogue' }, { kind: 'settings' });
  facts.opaque(row.partial ?? 'nothing is known of what it runs');
  // DO gives no rows; CALL gives what its procedure says.
  return 'CallStmt' in node ? notKnown : noRows;
}

/** Queries and writes. */
function query(walk: Walk, node: Node, scope: Scope): Outcome | undefined {
  const { facts } = walk;
  if ('SelectStmt' in node) {
    facts.effect('read');
    const columns = walk.entries.query(walk, node.SelectStmt, scope);
    return node.SelectStmt.intoClause === undefined ? { output: columns, copy: undefined } : noRows;
  }
  if ('InsertStmt' in node || 'UpdateStmt' in node || 'DeleteStmt' in node || 'MergeStmt' in node) {
    return { output: walk.entries.statement(walk, node, scope), copy: undefined };
  }
  if ('CopyStmt' in node) return copyStatement(walk, node.CopyStmt, scope);
  if ('ExplainStmt' in node) return explain(walk, node.ExplainStmt);
  if ('CreateTableAsStmt' in node) return createTableAs(walk, node.CreateTableAsStmt);
  return undefined;
}

/** Statements about the session. */
function session(walk: Walk, node: Node): Outcome | undefined {
  const { facts } = walk;
  if ('PrepareStmt' in node) return prepare(walk, node.PrepareStmt);
  if ('ExecuteStmt' in node) return execute(walk, node.ExecuteStmt);
  if ('DeclareCursorStmt' in node) return declare(walk, node.DeclareCursorStmt);
  if ('FetchStmt' in node) return fetch(walk, node.FetchStmt);
  if ('VariableSetStmt' in node) return setVariable(walk, node.VariableSetStmt);
  if ('VariableShowStmt' in node) return show(node.VariableShowStmt.name ?? '');
  if ('TransactionStmt' in node) return transaction(walk, node.TransactionStmt);
  if ('DeallocateStmt' in node) {
    facts.effect('session');
    facts.changes.push({ kind: 'deallocate', name: node.DeallocateStmt.name });
    return noRows;
  }
  if ('ClosePortalStmt' in node) {
    facts.effect('session');
    facts.changes.push({ kind: 'close', name: node.ClosePortalStmt.portalname });
    return noRows;
  }
  if ('DiscardStmt' in node) {
    discard(walk, node.DiscardStmt.target ?? 'DISCARD_ALL');
    return noRows;
  }
  if ('LockStmt' in node) {
    facts.effect('lock');
    for (const name of relationsIn(node.LockStmt.relations)) {
      const relation = relationNamed(walk, name);
      facts.object(
        relation === undefined ? 'table' : objectKind(relation),
        relation === undefined ? writtenName(name) : fullName(relation),
        'read',
      );
    }
    return noRows;
  }
  return undefined;
}

function discard(walk: Walk, target: string): void {
  const { facts } = walk;
  facts.effect('session');
  // The tables of this session go, which no other session can read; which they are is not followed.
  if (target === 'DISCARD_ALL' || target === 'DISCARD_TEMP') {
    facts.object('schema', 'pg_temp', 'drop');
  }
  if (target === 'DISCARD_ALL') {
    // It undoes SET ROLE and SET SESSION AUTHORIZATION, and what the gateway has set.
    facts.effect('grant');
    facts.changes.push(
      { kind: 'settings' },
      { kind: 'catalogue' },
      { kind: 'deallocate', name: undefined },
      { kind: 'close', name: undefined },
    );
  } else if (target === 'DISCARD_TEMP') facts.changes.push({ kind: 'catalogue' });
}

/** What changes or keeps up tables. */
function maintenance(walk: Walk, node: Node, row: StatementRow): Outcome {
  const { facts } = walk;
  if ('TruncateStmt' in node) {
    facts.effect('truncate');
    const alone = node.TruncateStmt.behavior !== 'DROP_CASCADE';
    for (const name of relationsIn(node.TruncateStmt.relations)) {
      const relation = relationNamed(walk, name);
      if (relation === undefined) {
        facts.object('table', writtenName(name), 'write');
        facts.partial(`relation ${writtenName(name)} is not in the catalogue`);
      } else
        writeRelation(walk, relation, {
          event: 'truncate',
          all: true,
          columns: undefined,
          defaults: false,
          alone,
        });
    }
  } else if ('DropStmt' in node) {
    facts.effect('drop');
    define(walk, node, { access: 'drop', kind: 'object', touchesRows: false });
    if (node.DropStmt.behavior === 'DROP_CASCADE')
      facts.partial('CASCADE reaches what is not named');
    if (node.DropStmt.removeType === 'OBJECT_SCHEMA')
      facts.partial('a schema holds what is not named');
  } else if ('AlterTableStmt' in node) alterTable(walk, node, node.AlterTableStmt);
  else if ('ViewStmt' in node) createView(walk, node);
  else if ('CreateFunctionStmt' in node) createFunction(walk, node.CreateFunctionStmt);
  else if ('CreateSchemaStmt' in node) {
    facts.effect('create');
    define(
      walk,
      { CreateSchemaStmt: { ...node.CreateSchemaStmt, schemaElts: [] } },
      {
        access: 'create',
        kind: 'schema',
        touchesRows: false,
      },
    );
    const { schemaname, schemaElts = [] } = node.CreateSchemaStmt;
    if (schemaname === undefined) facts.partial('the schema is named after a role');
    // What stands in it goes into it.
    const path = schemaname === undefined ? walk.path : [schemaname, ...walk.path];
    for (const inner of schemaElts) walk.entries.top({ ...walk, path }, inner, topScope);
  } else if ('RefreshMatViewStmt' in node) refresh(walk, node);
  else if ('VacuumStmt' in node) vacuum(walk, node.VacuumStmt);
  else if ('ClusterStmt' in node) rewrite(walk, node.ClusterStmt.relation);
  else if ('ReindexStmt' in node) rewrite(walk, node.ReindexStmt.relation);
  else facts.opaque(`${row.verb} is not analysed`);
  return noRows;
}

const topScope: Scope = {
  parent: undefined,
  sources: { items: [], visible: [], open: false },
  ctes: undefined,
  args: undefined,
};

function alterTable(walk: Walk, node: Node, statement: AlterTableStmt): void {
  const { facts } = walk;
  facts.effect('alter', 'lock');
  for (const command of statement.cmds ?? []) {
    const kind = 'AlterTableCmd' in command ? (command.AlterTableCmd.subtype ?? '') : '';
    if (kind === 'AT_DropColumn' || kind === 'AT_DropConstraint') facts.effect('drop');
    if (kind === 'AT_ChangeOwner') facts.effect('grant');
    if (kind.includes('RowSecurity')) facts.effect('grant');
    if ('AlterTableCmd' in command && command.AlterTableCmd.behavior === 'DROP_CASCADE') {
      facts.partial('CASCADE reaches what is not named');
    }
  }
  define(walk, node, { access: 'alter', kind: 'table', touchesRows: true });
}

/** A view runs nothing when it is made; what it would show is noted as a copy. */
function createView(walk: Walk, node: Node): void {
  if (!('ViewStmt' in node)) return;
  const { facts } = walk;
  const { view, query } = node.ViewStmt;
  facts.effect('create');
  if (node.ViewStmt.replace === true) facts.effect('alter');
  facts.changes.push({ kind: 'catalogue' });
  const columns = query === undefined ? undefined : walk.entries.statement(walk, query, topScope);
  // What looks at a temporary table is temporary.
  const isTemporary = view?.schemaname === undefined && facts.namesTemporary;
  facts.object(
    'view',
    newRelationName(walk, isTemporary ? { ...view, relpersistence: 't' } : view),
    'create',
  );
  for (const column of columns ?? []) facts.use(column.value, 'copy');
  if (columns === undefined) facts.partial('what the view shows is not known');
}

/** Languages whose functions can do no more than their caller could with statements. */
const trustedLanguages: ReadonlySet<string> = new Set(['sql', 'plpgsql']);

function createFunction(walk: Walk, statement: CreateFunctionStmt): void {
  const { facts } = walk;
  facts.effect('create');
  if (statement.replace === true) facts.effect('alter');
  const language = literalText(optionOf(statement.options, 'language'))?.toLowerCase() ?? 'sql';
  // Making one in another language can load a library, which runs its code.
  if (!trustedLanguages.has(language)) {
    facts.effect('execute-code', 'file-read');
    facts.partial(`functions in ${language} can do anything`);
  }
  const [definer] = itemsOf(optionOf(statement.options, 'security'));
  if (literalText(definer) === 'true') facts.effect('grant');
  const { sql_body: _body, ...head } = statement;
  define(
    walk,
    { CreateFunctionStmt: { ...head, parameters: [] } },
    {
      access: 'create',
      kind: statement.is_procedure === true ? 'procedure' : 'function',
      touchesRows: false,
    },
  );
}

/** Runs the view's query as its owner, and keeps what it gives. */
function refresh(walk: Walk, node: Node): void {
  if (!('RefreshMatViewStmt' in node)) return;
  const { facts } = walk;
  const name = node.RefreshMatViewStmt.relation;
  const relation = name === undefined ? undefined : relationNamed(walk, name);
  facts.effect('update', 'lock');
  if (relation === undefined) {
    facts.object('materialized-view', name === undefined ? '?' : writtenName(name), 'write');
    facts.partial('the view is not in the catalogue');
    return;
  }
  facts.object(objectKind(relation), fullName(relation), 'write');
  // Labels of what it holds are found by its query, so nothing is copied out of sight.
  const trial = aside(walk);
  viewColumns(trial, relation);
  if (trial.facts.analysis !== 'complete') {
    facts.effect('execute-code', 'unknown');
    facts.partial(`the query of ${fullName(relation)} runs code that is not reviewed`);
  }
  checkComputed(walk, relation);
}

function vacuum(walk: Walk, statement: VacuumStmt): void {
  const { facts } = walk;
  facts.effect('admin');
  const names = relationsIn(statement.rels);
  if (names.length === 0) facts.partial('it goes through every table');
  for (const name of names) rewrite(walk, name);
}

function rewrite(walk: Walk, name: Parameters<typeof writtenName>[0] | undefined): void {
  const { facts } = walk;
  facts.effect('admin', 'lock');
  const relation = name === undefined ? undefined : relationNamed(walk, name);
  if (relation === undefined) {
    facts.object('table', name === undefined ? '?' : writtenName(name), 'alter');
    facts.partial('what it goes through is not known');
    return;
  }
  for (const one of [relation, ...heirsOf(walk.env.catalogue, relation)]) {
    facts.object(objectKind(one), fullName(one), 'alter');
  }
  checkComputed(walk, relation);
}
