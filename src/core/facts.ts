/**
 * What the analyser says of a command. Policies speak about these and nothing else, so everything
 * here is documented, and protocol-neutral where it can be.
 */

/** What a command may do. `unknown` means: something that the analyser cannot vouch for. */
export type Effect =
  | 'read'
  | 'insert'
  | 'update'
  /** An update of every row, by having no condition or one that is always true. */
  | 'update-all'
  | 'delete'
  | 'delete-all'
  | 'truncate'
  | 'drop'
  | 'alter'
  | 'create'
  /** Rights, roles, ownership. */
  | 'grant'
  /** Code that the analyser does not see through: DO, CALL, dynamic text, foreign languages. */
  | 'execute-code'
  | 'file-read'
  | 'file-write'
  | 'network'
  /** Changes only how this session behaves, in a way known to be harmless. */
  | 'session'
  | 'transaction'
  /** Takes a lock, or waits, in a way that can hold others up. */
  | 'lock'
  | 'listen'
  | 'notify'
  /** Leaves the target as a bulk copy. */
  | 'copy-out'
  | 'copy-in'
  /** Server settings, processes, replication, maintenance. */
  | 'admin'
  /** Runs something as another user of the host, or with other rights than the account's. */
  | 'privilege'
  /** Starts, stops or changes services. */
  | 'service'
  /** Installs, changes or removes packages. */
  | 'package'
  /** Starts a container; its image is an object of kind `image`. */
  | 'container-start'
  /** Signals, traces or re-prioritises processes. */
  | 'process'
  /** Stops or restarts the host. */
  | 'shutdown'
  | 'unknown';

export type Access = 'read' | 'write' | 'create' | 'alter' | 'drop' | 'execute';

/** One thing that the command touches. */
export interface ObjectFact {
  /** `table`, `view`, `function`, `schema`, `role`, `file`, `host`, `image` … in lower case. */
  readonly kind: string;
  /** Fully qualified, for example `public.customers`. */
  readonly name: string;
  readonly access: Access;
}

/** How a command uses a column. */
export type ColumnUse =
  | 'return'
  /** Decides which rows count, or is compared with something, which tells one bit of it. */
  | 'filter'
  | 'order'
  | 'group'
  /** Goes where it can be read later: another table, a setting, a message, a large object. */
  | 'copy'
  | 'write'
  /** Goes into an expression, which may fail and then tell what it was given. */
  | 'compute';

export interface ColumnFact {
  /** `schema.table.column` */
  readonly name: string;
  readonly use: ColumnUse;
  /** Whether a mask of the policy in force covers it for this identity. */
  readonly masked: boolean;
}

/** A value that a command carries under a name: a parameter, a field of a body. */
export interface FieldFact {
  /** Where it stands and its name, for example `query.page` or `body.customer.name`. */
  readonly name: string;
  /** Its text; empty for an object or a list. */
  readonly value: string;
}

/**
 * `complete`: the facts cover everything that the command can do. `partial`: some of it is not
 * settled. `opaque`: nothing can be said. To say `complete` wrongly is the one unforgivable result.
 */
export type Analysis = 'complete' | 'partial' | 'opaque';

export interface Facts {
  readonly effects: readonly Effect[];
  readonly objects: readonly ObjectFact[];
  readonly columns: readonly ColumnFact[];
  /** Fully qualified functions that run, for example `pg_catalog.lower`. */
  readonly functions: readonly string[];
  /** Statement verbs, upper case, for example `SELECT` or `ALTER TABLE`; methods, argv[0] …. */
  readonly verbs: readonly string[];
  /** Named values that the command carries. Absent where the protocol has none. */
  readonly fields?: readonly FieldFact[];
  readonly analysis: Analysis;
  /**
   * The most rows that it can change or remove, where keys and limits bound them. Absent when
   * nothing does, which is as dangerous as every row.
   */
  readonly rowsChangedMax?: number;
  /** Why the analysis is not complete, in words for a person. */
  readonly reasons: readonly string[];
  /** The same for commands of the same shape, whatever their literals. */
  readonly fingerprint: string;
}

/** The facts of what does nothing, all of it understood. */
export const noFacts: Facts = {
  effects: [],
  objects: [],
  columns: [],
  functions: [],
  verbs: [],
  analysis: 'complete',
  reasons: [],
  fingerprint: '',
};

/** The facts of a command about which nothing could be learned. */
export function opaqueFacts(reason: string): Facts {
  return {
    effects: ['unknown'],
    objects: [],
    columns: [],
    functions: [],
    verbs: [],
    analysis: 'opaque',
    reasons: [reason],
    fingerprint: '',
  };
}
