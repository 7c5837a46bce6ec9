/**
 * Every kind of statement that PostgreSQL's grammar has, with what is known of it. A kind without a
 * row is opaque; a test fails when the grammar has one that the table lacks.
 */
import type { Access, Effect } from '#core/facts.ts';
import type { Node } from 'libpg-query';

/**
 * How a statement is looked at. `walked`: its own code follows it into everything. `definition`: it
 * names objects, and its expressions are followed. `plain`: its effects say it all. `opaque`:
 * nothing can be said of what it runs.
 */
export type Treatment = 'walked' | 'definition' | 'plain' | 'opaque';

export interface StatementRow {
  readonly verb: string;
  readonly treatment: Treatment;
  readonly effects: readonly Effect[];
  readonly access: Access;
  /** What the named object is, where the statement has no word for it. */
  readonly kind: string;
  /** True for a definition that reads or rewrites rows that are there. */
  readonly touchesRows: boolean;
  /** Why the analysis is not complete, if it never is. */
  readonly partial: string | undefined;
}

interface Details {
  readonly access?: Access;
  readonly kind?: string;
  readonly touchesRows?: boolean;
  readonly partial?: string;
}

function row(
  verb: string,
  treatment: Treatment,
  effects: readonly Effect[],
  details: Details = {},
): StatementRow {
  const { access = 'alter', kind = 'object', touchesRows = false, partial } = details;
  return { verb, treatment, effects, access, kind, touchesRows, partial };
}

const walked = (verb: string): StatementRow => row(verb, 'walked', []);
const creates = (kind: string, ...more: readonly Effect[]): StatementRow =>
  row(`CREATE ${kind.toUpperCase().replaceAll('-', ' ')}`, 'definition', ['create', ...more], {
    access: 'create',
    kind,
  });
const alters = (kind: string, ...more: readonly Effect[]): StatementRow =>
  row(`ALTER ${kind.toUpperCase().replaceAll('-', ' ')}`, 'definition', ['alter', ...more], {
    kind,
  });
const drops = (kind: string, ...more: readonly Effect[]): StatementRow =>
  row(`DROP ${kind.toUpperCase().replaceAll('-', ' ')}`, 'definition', ['drop', ...more], {
    access: 'drop',
    kind,
  });

const elsewhere = 'it reaches outside this server';
const runsCode = 'it runs code that is not seen';

export const statementTable: Readonly<Record<string, StatementRow>> = {
  // Queries and writes.
  SelectStmt: walked('SELECT'),
  InsertStmt: walked('INSERT'),
  UpdateStmt: walked('UPDATE'),
  DeleteStmt: walked('DELETE'),
  MergeStmt: walked('MERGE'),
  CopyStmt: walked('COPY'),
  TruncateStmt: walked('TRUNCATE'),
  CreateTableAsStmt: walked('CREATE TABLE AS'),
  ViewStmt: walked('CREATE VIEW'),
  RefreshMatViewStmt: walked('REFRESH MATERIALIZED VIEW'),
  ExplainStmt: walked('EXPLAIN'),
  // The session.
  PrepareStmt: walked('PREPARE'),
  ExecuteStmt: walked('EXECUTE'),
  DeallocateStmt: walked('DEALLOCATE'),
  DeclareCursorStmt: walked('DECLARE'),
  FetchStmt: walked('FETCH'),
  ClosePortalStmt: walked('CLOSE'),
  VariableSetStmt: walked('SET'),
  VariableShowStmt: walked('SHOW'),
  DiscardStmt: walked('DISCARD'),
  TransactionStmt: walked('TRANSACTION'),
  ConstraintsSetStmt: row('SET CONSTRAINTS', 'plain', ['session']),
  LockStmt: walked('LOCK'),
  ListenStmt: row('LISTEN', 'plain', ['listen']),
  UnlistenStmt: row('UNLISTEN', 'plain', ['listen']),
  NotifyStmt: row('NOTIFY', 'plain', ['notify']),
  // Code.
  DoStmt: row('DO', 'opaque', ['execute-code', 'unknown'], { partial: runsCode }),
  CallStmt: row('CALL', 'opaque', ['execute-code', 'unknown'], { partial: runsCode }),
  LoadStmt: row('LOAD', 'opaque', ['execute-code', 'file-read'], { partial: runsCode }),
  CreateFunctionStmt: walked('CREATE FUNCTION'),
  AlterFunctionStmt: alters('function', 'grant'),
  CreatePLangStmt: creates('language', 'execute-code', 'grant'),
  CreateTransformStmt: creates('transform', 'execute-code'),
  CreateCastStmt: creates('cast', 'execute-code'),
  CreateConversionStmt: creates('conversion', 'execute-code'),
  CreateAmStmt: creates('access-method', 'execute-code'),
  CreateOpClassStmt: creates('operator-class', 'execute-code'),
  CreateOpFamilyStmt: creates('operator-family'),
  AlterOpFamilyStmt: alters('operator-family', 'execute-code'),
  AlterOperatorStmt: alters('operator'),
  DefineStmt: creates('object', 'execute-code'),
  CreateTrigStmt: creates('trigger', 'alter'),
  CreateEventTrigStmt: creates('event-trigger', 'admin'),
  AlterEventTrigStmt: alters('event-trigger', 'admin'),
  RuleStmt: creates('rule', 'alter'),
  CreateExtensionStmt: row('CREATE EXTENSION', 'opaque', ['create', 'execute-code'], {
    partial: runsCode,
  }),
  AlterExtensionStmt: row('ALTER EXTENSION', 'opaque', ['alter', 'execute-code'], {
    partial: runsCode,
  }),
  AlterExtensionContentsStmt: alters('extension'),
  // Tables and what belongs to them.
  CreateStmt: creates('table'),
  AlterTableStmt: walked('ALTER TABLE'),
  AlterTableMoveAllStmt: row('ALTER TABLE', 'definition', ['alter', 'lock', 'admin'], {
    partial: 'it moves every table of a tablespace',
  }),
  IndexStmt: row('CREATE INDEX', 'definition', ['create', 'lock'], {
    kind: 'table',
    touchesRows: true,
  }),
  CreateSeqStmt: creates('sequence'),
  AlterSeqStmt: alters('sequence'),
  CreateStatsStmt: creates('statistics'),
  AlterStatsStmt: alters('statistics'),
  CreateDomainStmt: creates('domain'),
  AlterDomainStmt: row('ALTER DOMAIN', 'definition', ['alter'], {
    kind: 'domain',
    partial: 'it checks the columns of that domain',
  }),
  CompositeTypeStmt: creates('type'),
  CreateEnumStmt: creates('type'),
  CreateRangeStmt: creates('type'),
  AlterEnumStmt: alters('type'),
  AlterTypeStmt: row('ALTER TYPE', 'definition', ['alter'], {
    kind: 'type',
    partial: 'it changes the domains over that type too',
  }),
  CreateSchemaStmt: walked('CREATE SCHEMA'),
  DropStmt: walked('DROP'),
  RenameStmt: row('ALTER … RENAME', 'definition', ['alter']),
  AlterObjectSchemaStmt: row('ALTER … SET SCHEMA', 'definition', ['alter']),
  AlterObjectDependsStmt: row('ALTER … DEPENDS', 'definition', ['alter']),
  CommentStmt: row('COMMENT', 'definition', ['alter']),
  AlterCollationStmt: alters('collation'),
  AlterTSDictionaryStmt: alters('text-search-dictionary'),
  AlterTSConfigurationStmt: alters('text-search-configuration'),
  // Rights.
  GrantStmt: row('GRANT', 'definition', ['grant']),
  GrantRoleStmt: row('GRANT', 'definition', ['grant'], { kind: 'role' }),
  AlterDefaultPrivilegesStmt: row('ALTER DEFAULT PRIVILEGES', 'definition', ['grant']),
  AlterOwnerStmt: row('ALTER … OWNER', 'definition', ['alter', 'grant']),
  CreateRoleStmt: creates('role', 'grant'),
  AlterRoleStmt: alters('role', 'grant'),
  AlterRoleSetStmt: alters('role', 'grant', 'admin'),
  DropRoleStmt: drops('role', 'grant'),
  DropOwnedStmt: row('DROP OWNED', 'definition', ['drop', 'grant'], {
    access: 'drop',
    kind: 'role',
    partial: 'it drops everything that a role owns',
  }),
  ReassignOwnedStmt: row('REASSIGN OWNED', 'definition', ['alter', 'grant'], {
    kind: 'role',
    partial: 'it changes everything that a role owns',
  }),
  CreatePolicyStmt: creates('policy', 'grant'),
  AlterPolicyStmt: alters('policy', 'grant'),
  SecLabelStmt: row('SECURITY LABEL', 'definition', ['alter', 'grant']),
  // The outside.
  CreateFdwStmt: creates('foreign-data-wrapper', 'execute-code', 'network'),
  AlterFdwStmt: alters('foreign-data-wrapper', 'execute-code', 'network'),
  CreateForeignServerStmt: creates('server', 'network'),
  AlterForeignServerStmt: alters('server', 'network'),
  CreateForeignTableStmt: creates('foreign-table', 'network', 'file-read'),
  CreateUserMappingStmt: creates('user-mapping', 'grant', 'network'),
  AlterUserMappingStmt: alters('user-mapping', 'grant', 'network'),
  DropUserMappingStmt: drops('user-mapping', 'grant'),
  ImportForeignSchemaStmt: row('IMPORT FOREIGN SCHEMA', 'definition', ['create', 'network'], {
    kind: 'schema',
    partial: elsewhere,
  }),
  CreatePublicationStmt: creates('publication', 'network', 'admin'),
  AlterPublicationStmt: alters('publication', 'network', 'admin'),
  CreateSubscriptionStmt: row('CREATE SUBSCRIPTION', 'definition', ['create', 'network', 'admin'], {
    access: 'create',
    kind: 'subscription',
    partial: elsewhere,
  }),
  AlterSubscriptionStmt: row('ALTER SUBSCRIPTION', 'definition', ['alter', 'network', 'admin'], {
    kind: 'subscription',
    partial: elsewhere,
  }),
  DropSubscriptionStmt: row('DROP SUBSCRIPTION', 'definition', ['drop', 'network', 'admin'], {
    access: 'drop',
    kind: 'subscription',
    partial: elsewhere,
  }),
  // The server.
  CreatedbStmt: creates('database', 'admin'),
  AlterDatabaseStmt: alters('database', 'admin'),
  AlterDatabaseSetStmt: alters('database', 'admin'),
  AlterDatabaseRefreshCollStmt: alters('database', 'admin'),
  DropdbStmt: drops('database', 'admin'),
  CreateTableSpaceStmt: creates('tablespace', 'admin', 'file-write'),
  DropTableSpaceStmt: drops('tablespace', 'admin', 'file-write'),
  AlterTableSpaceOptionsStmt: alters('tablespace', 'admin'),
  AlterSystemStmt: row('ALTER SYSTEM', 'plain', ['admin', 'file-write']),
  CheckPointStmt: row('CHECKPOINT', 'plain', ['admin']),
  VacuumStmt: walked('VACUUM'),
  ClusterStmt: walked('CLUSTER'),
  ReindexStmt: walked('REINDEX'),
};

/** The row of a statement; undefined for what is no statement, or is not known. */
export function statementRow(kind: string): StatementRow | undefined {
  return Object.hasOwn(statementTable, kind) ? statementTable[kind] : undefined;
}

/**
 * @internal
 * Nodes whose names end in `Stmt` but that no text starts with: parts of others, and what only
 * PL/pgSQL's parser makes.
 */
export const notStatements: readonly string[] = [
  'RawStmt',
  'SetOperationStmt',
  'ReturnStmt',
  'PLAssignStmt',
  'ReplicaIdentityStmt',
];

/** Which word a transaction statement starts with. */
export function transactionVerb(node: Node): string {
  if (!('TransactionStmt' in node)) return 'TRANSACTION';
  const kind = node.TransactionStmt.kind ?? '';
  return kind.replace('TRANS_STMT_', '').replaceAll('_', ' ');
}
