/**
 * What the analyser may know of one database: a snapshot of its system catalogue. Immutable, and
 * read under a `search_path` of `pg_catalog` alone, so that every text in it (view definitions,
 * defaults, conditions) names its objects in full unless they are in `pg_catalog`.
 *
 * A lookup that finds nothing means that the snapshot does not have it, never that it does not
 * exist: what the snapshot does not settle is not `complete`.
 */

/** An object identifier of the server; 0 is "none". */
export type Oid = number;

/** Ids below this were given by `initdb`, so the object came with the server. */
export const firstUserOid: Oid = 16_384;

export interface Catalogue {
  /** Changes with every snapshot; part of every cache key. */
  readonly version: string;
  /** `server_version_num`, for example 180004. */
  readonly serverVersion: number;
  readonly database: string;
  relation(schema: string, name: string): Relation | undefined;
  relationByOid(oid: Oid): Relation | undefined;
  /** Every overload. With `schema` undefined: in every schema; the caller applies the path. */
  functions(schema: string | undefined, name: string): readonly FunctionInfo[];
  functionByOid(oid: Oid): FunctionInfo | undefined;
  /** Every operator of that name in every schema. */
  operators(name: string): readonly OperatorInfo[];
  /** With `schema` undefined: the first in `pg_catalog`, else the only one there is. */
  type(schema: string | undefined, name: string): TypeInfo | undefined;
  typeByOid(oid: Oid): TypeInfo | undefined;
  /** Casts between the two types; an undefined side matches every type. */
  casts(source: Oid | undefined, target: Oid | undefined): readonly CastInfo[];
  readonly schemas: ReadonlyMap<string, SchemaInfo>;
  readonly roles: ReadonlyMap<string, RoleInfo>;
  /** Installed extensions, by name. */
  readonly extensions: ReadonlyMap<string, ExtensionInfo>;
  /** Functions that run when something else happens in the database (DDL, login). */
  readonly eventTriggers: readonly EventTriggerInfo[];
  /** Operator classes that did not come with the server: ordering and hashing call their code. */
  readonly operatorClasses: readonly OperatorClassInfo[];
}

export type RelationKind =
  | 'table'
  | 'view'
  | 'matview'
  | 'partitioned'
  | 'foreign'
  | 'sequence'
  | 'index'
  | 'composite'
  | 'toast';

export interface Relation {
  readonly oid: Oid;
  readonly schema: string;
  readonly name: string;
  readonly kind: RelationKind;
  /** In order of `attnum`, without dropped and system columns. */
  readonly columns: readonly ColumnInfo[];
  /** The composite type of its rows; 0 for indexes and the like. */
  readonly rowTypeOid: Oid;
  /**
   * The query of a view or materialised view. Names in it resolve by `pg_catalog` first; for a view
   * in a temporary schema by that schema next, which is also what `pg_temp` stands for there.
   */
  readonly viewDefinition: string | undefined;
  readonly owner: string;
  /** For views: table rights and policies are those of the caller, not of the owner. */
  readonly securityInvoker: boolean;
  /** Rules on writes; a view's own SELECT rule is not among them. */
  readonly rules: readonly RuleInfo[];
  readonly triggers: readonly TriggerInfo[];
  /** Tables that it inherits from or is a partition of. */
  readonly parentOids: readonly Oid[];
  /** Tables that inherit from it, and its partitions. Reading and writing it reaches them. */
  readonly childOids: readonly Oid[];
  /** Foreign keys of its own. */
  readonly foreignKeys: readonly ForeignKeyInfo[];
  /** Foreign keys of other tables to it: a delete or a key change here acts there. */
  readonly referencedBy: readonly ForeignKeyInfo[];
  readonly rowSecurity: boolean;
  readonly forceRowSecurity: boolean;
  readonly policies: readonly PolicyInfo[];
  /** Expressions of CHECK constraints. */
  readonly checkConstraints: readonly string[];
  /** Expressions and conditions that a write evaluates for its indexes. */
  readonly indexes: readonly IndexInfo[];
  /** `pg_get_partkeydef`, whose expressions a write evaluates. */
  readonly partitionKey: string | undefined;
  /** Foreign tables only. */
  readonly foreign: { readonly server: string; readonly wrapper: string } | undefined;
  /** The extension that it belongs to. */
  readonly extension: string | undefined;
  /** A system relation that holds data, or what users typed (`pg_stats`, `pg_largeobject`). */
  readonly catalogData: boolean;
}

export interface ColumnInfo {
  readonly name: string;
  readonly attnum: number;
  readonly typeOid: Oid;
  readonly typmod: number;
  readonly notNull: boolean;
  /** The expression of a generated column (stored or virtual). */
  readonly generated: string | undefined;
  /** Generated when it is read, not when it is written (from version 18 on). */
  readonly isVirtual: boolean;
  /** The expression of its default. */
  readonly default: string | undefined;
  /** Its values come from a sequence. */
  readonly identity: boolean;
}

export type WriteEvent = 'insert' | 'update' | 'delete' | 'truncate';

export interface RuleInfo {
  readonly name: string;
  readonly event: WriteEvent;
  readonly instead: boolean;
  /** `pg_get_ruledef` */
  readonly definition: string;
}

export interface TriggerInfo {
  readonly name: string;
  readonly functionOid: Oid;
  readonly events: readonly WriteEvent[];
  /** Made by the server for a constraint (foreign keys). */
  readonly internal: boolean;
  /** False when disabled for every session; one that is enabled for replicas alone counts. */
  readonly enabled: boolean;
  /** `pg_get_triggerdef`, with the WHEN condition. */
  readonly definition: string;
}

export type ReferentialAction = 'none' | 'restrict' | 'cascade' | 'set-null' | 'set-default';

export interface ForeignKeyInfo {
  readonly name: string;
  /** The table that has the key. */
  readonly fromOid: Oid;
  /** The table that is referenced. */
  readonly toOid: Oid;
  readonly fromColumns: readonly number[];
  readonly toColumns: readonly number[];
  readonly onDelete: ReferentialAction;
  readonly onUpdate: ReferentialAction;
}

export interface PolicyInfo {
  readonly name: string;
  readonly using: string | undefined;
  readonly check: string | undefined;
}

export interface IndexInfo {
  readonly oid: Oid;
  /** Whether no two rows have equal values in its columns, at any time. */
  readonly unique: boolean;
  /** Attribute numbers; 0 stands for an expression. */
  readonly columns: readonly number[];
  /** Comma-separated expressions, as `pg_get_expr` writes them. */
  readonly expressions: string | undefined;
  readonly predicate: string | undefined;
}

export type FunctionKind = 'function' | 'procedure' | 'aggregate' | 'window';

/**
 * What running a function can do.
 * `pure`: nothing, and its result depends on its arguments alone.
 * `read`: nothing; its result also depends on the session, the clock or the catalogue.
 * `data-read`: it reads users' data, or what users typed, that its arguments do not carry.
 * `effect`: what its `effects` say.
 * `unknown`: nobody has vouched for it.
 */
export type FunctionSafety = 'pure' | 'read' | 'data-read' | 'effect' | 'unknown';

/** What a reviewed function of class `effect` does. The analyser maps them to facts. */
export type FunctionEffect =
  /** Runs SQL text, or calls something that it is given by name. */
  | 'execute-code'
  | 'file-read'
  | 'file-write'
  | 'network'
  /** Server settings, processes, replication, maintenance, statistics. */
  | 'admin'
  /** Takes a lock or waits. */
  | 'lock'
  /** Changes settings of this session, or of this transaction. */
  | 'settings'
  /** Changes state of the session that carries no meaning for later statements. */
  | 'session'
  | 'notify'
  /** Changes data: sequences, large objects. */
  | 'write'
  /** Reads data that its arguments do not carry. */
  | 'data-read';

export interface FunctionInfo {
  readonly oid: Oid;
  readonly schema: string;
  readonly name: string;
  readonly kind: FunctionKind;
  readonly language: string;
  readonly volatility: 'immutable' | 'stable' | 'volatile';
  readonly securityDefiner: boolean;
  readonly strict: boolean;
  /** Input arguments (IN, INOUT, VARIADIC), as calls are resolved by. */
  readonly argTypes: readonly Oid[];
  /** Names of the input arguments, `''` where it has none. */
  readonly argNames: readonly string[];
  /** How many of the last arguments may be left out. */
  readonly defaults: number;
  /** The expressions of those, comma-separated, as `pg_get_expr` writes them. */
  readonly defaultExpressions: string | undefined;
  /** Element type of the VARIADIC argument, which is the last; 0 when there is none. */
  readonly variadic: Oid;
  readonly returnsSet: boolean;
  readonly returnType: Oid;
  /** OUT, INOUT and TABLE columns. Empty when the return type says it all. */
  readonly outColumns: readonly { readonly name: string; readonly typeOid: Oid }[];
  /** The body: text, or what `pg_get_function_sqlbody` gives for a SQL-standard body. */
  readonly source: string;
  /** True when `source` is a SQL-standard body: its names were bound when it was created. */
  readonly sqlBody: boolean;
  /** `SET` clauses, `name=value`; they decide how `source` is read. */
  readonly settings: readonly string[];
  readonly owner: string;
  /** The extension that it belongs to. */
  readonly extension: string | undefined;
  /** For aggregates: the functions that do its work. */
  readonly supportOids: readonly Oid[];
  readonly safety: FunctionSafety;
  /** Empty unless `safety` is `effect`. */
  readonly effects: readonly FunctionEffect[];
}

export interface OperatorInfo {
  readonly oid: Oid;
  readonly schema: string;
  readonly name: string;
  /** 0 for a prefix operator. */
  readonly left: Oid;
  readonly right: Oid;
  readonly result: Oid;
  readonly functionOid: Oid;
  /** Selectivity estimators; the planner calls them. 0 when there are none. */
  readonly estimatorOids: readonly Oid[];
}

export type TypeKind =
  | 'base'
  | 'array'
  | 'domain'
  | 'enum'
  | 'composite'
  | 'range'
  | 'multirange'
  | 'pseudo';

export interface TypeInfo {
  readonly oid: Oid;
  readonly schema: string;
  readonly name: string;
  readonly kind: TypeKind;
  /** `typcategory`, for the resolution of overloads. */
  readonly category: string;
  readonly preferred: boolean;
  /** Element of an array, or what subscripting gives (`point`, `name`); 0 when there is none. */
  readonly elementOid: Oid;
  /** The array type over it. */
  readonly arrayOid: Oid;
  /** What a domain is over. */
  readonly baseOid: Oid;
  readonly typmod: number;
  /** The relation behind a composite type. */
  readonly relationOid: Oid;
  /** For ranges and multiranges: the type of their bounds. */
  readonly rangeSubtypeOid: Oid;
  /** For ranges: the functions that its making may call (canonical, subtype difference). */
  readonly rangeFunctionOids: readonly Oid[];
  readonly inputOid: Oid;
  readonly outputOid: Oid;
  /** receive, send, typmod input and output, analyse, subscript: those that exist. */
  readonly otherFunctionOids: readonly Oid[];
  /** Expressions of a domain's CHECK constraints. */
  readonly constraints: readonly string[];
  /** The expression of a domain's default. */
  readonly default: string | undefined;
  readonly owner: string;
  readonly extension: string | undefined;
}

export interface CastInfo {
  readonly source: Oid;
  readonly target: Oid;
  readonly context: 'implicit' | 'assignment' | 'explicit';
  readonly method: 'function' | 'inout' | 'binary';
  /** 0 unless the method is `function`. */
  readonly functionOid: Oid;
}

export interface SchemaInfo {
  readonly oid: Oid;
  readonly name: string;
  readonly owner: string;
}

export interface RoleInfo {
  readonly oid: Oid;
  readonly name: string;
  readonly superuser: boolean;
  readonly bypassRowSecurity: boolean;
}

export interface ExtensionInfo {
  readonly name: string;
  readonly version: string;
  readonly schema: string;
}

export interface EventTriggerInfo {
  readonly name: string;
  readonly event: string;
  readonly functionOid: Oid;
  readonly enabled: boolean;
}

export interface OperatorClassInfo {
  readonly oid: Oid;
  readonly schema: string;
  readonly name: string;
  readonly method: string;
  readonly typeOid: Oid;
  readonly isDefault: boolean;
  /** Comparison, hashing and the other support functions. */
  readonly functionOids: readonly Oid[];
}
