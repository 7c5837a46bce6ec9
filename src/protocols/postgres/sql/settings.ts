/**
 * What setting a parameter of the session does. A parameter that is not listed is not known to be
 * harmless: extensions bring their own, and some of the server's reach files, logs and rights.
 */
import type { Effect } from '#core/facts.ts';

/** Change how values look, how plans are made, or how long things may take; nothing else. */
const harmless: ReadonlySet<string> = new Set([
  'application_name',
  'backend_flush_after',
  'bytea_output',
  'check_function_bodies',
  'commit_delay',
  'commit_siblings',
  'constraint_exclusion',
  'cpu_index_tuple_cost',
  'cpu_operator_cost',
  'cpu_tuple_cost',
  'cursor_tuple_fraction',
  'datestyle',
  'deadlock_timeout',
  'default_statistics_target',
  'default_text_search_config',
  'default_transaction_deferrable',
  'default_transaction_isolation',
  'default_transaction_read_only',
  'effective_cache_size',
  'effective_io_concurrency',
  'enable_async_append',
  'enable_bitmapscan',
  'enable_distinct_reordering',
  'enable_gathermerge',
  'enable_group_by_reordering',
  'enable_hashagg',
  'enable_hashjoin',
  'enable_incremental_sort',
  'enable_indexonlyscan',
  'enable_indexscan',
  'enable_material',
  'enable_memoize',
  'enable_mergejoin',
  'enable_nestloop',
  'enable_parallel_append',
  'enable_parallel_hash',
  'enable_partition_pruning',
  'enable_partitionwise_aggregate',
  'enable_partitionwise_join',
  'enable_presorted_aggregate',
  'enable_self_join_elimination',
  'enable_seqscan',
  'enable_sort',
  'enable_tidscan',
  'escape_string_warning',
  'exit_on_error',
  'extra_float_digits',
  'from_collapse_limit',
  'geqo',
  'geqo_effort',
  'geqo_generations',
  'geqo_pool_size',
  'geqo_seed',
  'geqo_selection_bias',
  'geqo_threshold',
  'gin_fuzzy_search_limit',
  'gin_pending_list_limit',
  'hash_mem_multiplier',
  'idle_in_transaction_session_timeout',
  'idle_session_timeout',
  'intervalstyle',
  'jit',
  'jit_above_cost',
  'jit_inline_above_cost',
  'jit_optimize_above_cost',
  'join_collapse_limit',
  'lc_monetary',
  'lc_numeric',
  'lc_time',
  'lock_timeout',
  'logical_decoding_work_mem',
  'maintenance_io_concurrency',
  'maintenance_work_mem',
  'max_parallel_maintenance_workers',
  'max_parallel_workers',
  'max_parallel_workers_per_gather',
  'max_stack_depth',
  'min_parallel_index_scan_size',
  'min_parallel_table_scan_size',
  'parallel_leader_participation',
  'parallel_setup_cost',
  'parallel_tuple_cost',
  'plan_cache_mode',
  'quote_all_identifiers',
  'random_page_cost',
  'recursive_worktable_factor',
  'seed',
  'seq_page_cost',
  'statement_timeout',
  'synchronize_seqscans',
  'synchronous_commit',
  'tcp_keepalives_count',
  'tcp_keepalives_idle',
  'tcp_keepalives_interval',
  'tcp_user_timeout',
  'temp_buffers',
  'timezone',
  'transaction_deferrable',
  'transaction_isolation',
  'transaction_read_only',
  'transaction_timeout',
  'vacuum_cost_delay',
  'vacuum_cost_limit',
  'work_mem',
  'xmlbinary',
  'xmloption',
]);

/** Change what names mean; the relay reads them back, so that they are followed. */
const followed: ReadonlySet<string> = new Set(['search_path']);

/** Change who the session is. */
const identity: ReadonlySet<string> = new Set(['role', 'session_authorization']);

/** Harmless at these values only; spelling as the server compares it. */
const harmlessValues: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['standard_conforming_strings', new Set(['on', 'true', 'yes', '1', 't', 'y'])],
  ['backslash_quote', new Set(['safe_encoding', 'off', 'false', 'no', '0'])],
  ['client_encoding', new Set(['utf8', 'utf-8', 'unicode'])],
  ['client_min_messages', new Set(['notice', 'warning', 'error'])],
  ['row_security', new Set(['on', 'true', 'yes', '1', 'off', 'false', 'no', '0'])],
  ['default_table_access_method', new Set(['heap'])],
  ['session_replication_role', new Set(['origin'])],
  ['transform_null_equals', new Set(['off', 'false', 'no', '0'])],
  ['array_nulls', new Set(['on', 'true', 'yes', '1'])],
  ['password_encryption', new Set(['scram-sha-256'])],
]);

export interface SettingChange {
  readonly effects: readonly Effect[];
  /** Set when statements after it may mean something else than before. */
  readonly changesMeaning: boolean;
  /** Set when statements after it cannot be read as before. */
  readonly breaksReading: boolean;
}

/**
 * What setting `name` does.
 *
 * @param value - what it is set to; undefined when that is not a literal, or for RESET.
 */
export function settingChange(name: string, value: string | undefined): SettingChange {
  const setting = name.toLowerCase();
  if (harmless.has(setting)) return plain;
  if (followed.has(setting)) return { ...plain, changesMeaning: true };
  if (identity.has(setting)) {
    return { effects: ['session', 'grant'], changesMeaning: true, breaksReading: false };
  }
  const allowed = harmlessValues.get(setting);
  if (allowed !== undefined && value !== undefined && allowed.has(value.trim().toLowerCase())) {
    return plain;
  }
  const breaksReading = lexical.has(setting);
  return { effects: ['session', 'admin'], changesMeaning: true, breaksReading };
}

const plain: SettingChange = {
  effects: ['session'],
  changesMeaning: false,
  breaksReading: false,
};

/** Decide where a string ends. */
const lexical: ReadonlySet<string> = new Set([
  'standard_conforming_strings',
  'client_encoding',
  'backslash_quote',
]);

/** Whether a SET clause of a function leaves the reading of its body as it is. */
export function keepsReading(name: string): boolean {
  const setting = name.toLowerCase();
  return harmless.has(setting) || followed.has(setting);
}
