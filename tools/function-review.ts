/**
 * The review of the server's functions and of the extensions that come with it: what a person
 * decided, by name. `tools/functions.ts` applies it to real servers and writes the table that the
 * analyser uses; what neither a list here nor the rule below covers stays `unknown`.
 *
 * The rule, for functions of `pg_catalog`: what the server itself calls immutable is `pure`, what
 * it calls stable is `read`, unless a list says otherwise; what it calls volatile needs a list.
 */
import type { FunctionEffect, FunctionSafety } from '../src/protocols/postgres/sql/catalogue.ts';

export interface ReviewedClass {
  readonly safety: FunctionSafety;
  readonly effects: readonly FunctionEffect[];
  /** Names, or `name(argument types)` for one overload. */
  readonly names: readonly string[];
}

const words = (text: string): readonly string[] => text.trim().split(/\s+/);

const list = (safety: FunctionSafety, names: string): ReviewedClass => ({
  safety,
  effects: [],
  names: words(names),
});

const effect = (effects: readonly FunctionEffect[], names: string): ReviewedClass => ({
  safety: 'effect',
  effects,
  names: words(names),
});

/** For `pg_catalog`, and the helpers of `information_schema`. The first that fits decides. */
export const serverReview: readonly ReviewedClass[] = [
  // Run SQL that they are given, or read tables that they are given by name.
  effect(
    ['execute-code', 'data-read'],
    `query_to_xml query_to_xml_and_xmlschema query_to_xmlschema cursor_to_xml ts_stat
     table_to_xml table_to_xml_and_xmlschema schema_to_xml schema_to_xml_and_xmlschema
     database_to_xml database_to_xml_and_xmlschema ts_rewrite(tsquery,text)`,
  ),
  // Run the checks of a domain that they are given by oid or by name.
  list(
    'unknown',
    `domain_in domain_recv array_in array_recv record_in record_recv range_in range_recv
     multirange_in multirange_recv pg_input_is_valid pg_input_error_info`,
  ),
  // Internals that nothing but the server calls with what they expect.
  list(
    'unknown',
    `plpgsql_call_handler plpgsql_inline_handler plpgsql_validator fmgr_c_validator
     fmgr_internal_validator fmgr_sql_validator amvalidate currtid2`,
  ),
  effect(['file-read', 'data-read'], 'pg_read_file pg_read_file_old pg_read_binary_file'),
  effect(
    ['file-read'],
    `pg_stat_file pg_ls_dir pg_ls_logdir pg_ls_waldir pg_ls_tmpdir pg_ls_archive_statusdir
     pg_ls_logicalmapdir pg_ls_logicalsnapdir pg_ls_replslotdir pg_ls_summariesdir
     pg_show_all_file_settings pg_hba_file_rules pg_ident_file_mappings
     pg_wal_summary_contents pg_available_wal_summaries`,
  ),
  effect(['file-read', 'write'], 'lo_import'),
  effect(['file-write', 'data-read'], 'lo_export'),
  effect(
    ['write'],
    `nextval setval lo_creat lo_create lo_from_bytea lo_put lo_truncate lo_truncate64 lo_unlink
     lowrite tsvector_update_trigger tsvector_update_trigger_column
     RI_FKey_cascade_del RI_FKey_cascade_upd RI_FKey_setdefault_del RI_FKey_setdefault_upd
     RI_FKey_setnull_del RI_FKey_setnull_upd`,
  ),
  effect(['write', 'admin'], 'pg_logical_emit_message'),
  // Data that no argument carries: large objects, others' statements, changes of others.
  list(
    'data-read',
    `lo_get lo_open loread pg_stat_get_activity pg_stat_get_backend_activity
     pg_cursor pg_prepared_statement`,
  ),
  effect(
    ['admin', 'data-read'],
    `pg_logical_slot_get_binary_changes pg_logical_slot_get_changes
     pg_logical_slot_peek_binary_changes pg_logical_slot_peek_changes`,
  ),
  effect(['settings'], 'set_config'),
  effect(
    ['session'],
    `setseed lo_close lo_lseek lo_lseek64 pg_stat_clear_snapshot pg_stat_force_next_flush
     pg_export_snapshot`,
  ),
  effect(['notify'], 'pg_notify'),
  effect(
    ['lock'],
    `pg_sleep pg_sleep_for pg_sleep_until
     pg_advisory_lock pg_advisory_lock_shared pg_advisory_xact_lock pg_advisory_xact_lock_shared
     pg_try_advisory_lock pg_try_advisory_lock_shared pg_try_advisory_xact_lock
     pg_try_advisory_xact_lock_shared pg_advisory_unlock pg_advisory_unlock_all
     pg_advisory_unlock_shared`,
  ),
  effect(
    ['admin'],
    `pg_cancel_backend pg_terminate_backend pg_log_backend_memory_contexts pg_reload_conf
     pg_rotate_logfile pg_rotate_logfile_old pg_promote pg_wal_replay_pause pg_wal_replay_resume
     pg_backup_start pg_backup_stop pg_switch_wal pg_create_restore_point pg_log_standby_snapshot
     pg_copy_logical_replication_slot pg_copy_physical_replication_slot
     pg_create_logical_replication_slot pg_create_physical_replication_slot
     pg_drop_replication_slot pg_replication_slot_advance pg_sync_replication_slots
     pg_replication_origin_advance pg_replication_origin_create pg_replication_origin_drop
     pg_replication_origin_session_reset pg_replication_origin_session_setup
     pg_replication_origin_xact_reset pg_replication_origin_xact_setup
     pg_stat_reset pg_stat_reset_backend_stats pg_stat_reset_replication_slot
     pg_stat_reset_shared pg_stat_reset_single_function_counters
     pg_stat_reset_single_table_counters pg_stat_reset_slru pg_stat_reset_subscription_stats
     pg_clear_attribute_stats pg_clear_relation_stats pg_restore_attribute_stats
     pg_restore_relation_stats pg_import_system_collations pg_extension_config_dump pg_nextoid
     pg_stop_making_pinned_objects brin_desummarize_range brin_summarize_new_values
     brin_summarize_range gin_clean_pending_list
     binary_upgrade_add_sub_rel_state binary_upgrade_create_empty_extension
     binary_upgrade_logical_slot_has_caught_up binary_upgrade_replorigin_advance
     binary_upgrade_set_missing_value binary_upgrade_set_next_array_pg_type_oid
     binary_upgrade_set_next_heap_pg_class_oid binary_upgrade_set_next_heap_relfilenode
     binary_upgrade_set_next_index_pg_class_oid binary_upgrade_set_next_index_relfilenode
     binary_upgrade_set_next_multirange_array_pg_type_oid
     binary_upgrade_set_next_multirange_pg_type_oid binary_upgrade_set_next_pg_authid_oid
     binary_upgrade_set_next_pg_enum_oid binary_upgrade_set_next_pg_tablespace_oid
     binary_upgrade_set_next_pg_type_oid binary_upgrade_set_next_toast_pg_class_oid
     binary_upgrade_set_next_toast_relfilenode binary_upgrade_set_record_init_privs`,
  ),
  // Called immutable, although they look into the catalogue.
  list(
    'read',
    `cursor_to_xmlschema satisfies_hash_partition pg_partition_root pg_walfile_name
     pg_walfile_name_offset`,
  ),
  // Volatile, and harmless: clocks, chance, positions, sizes, counters, state of the server.
  list(
    'read',
    `clock_timestamp timeofday random random_normal gen_random_uuid uuidv4 uuidv7
     array_sample array_shuffle current_query currval lastval lo_tell lo_tell64
     pg_sequence_last_value pg_get_sequence_data
     pg_database_size pg_indexes_size pg_relation_size pg_table_size pg_tablespace_size
     pg_total_relation_size pg_partition_ancestors pg_partition_tree
     pg_blocking_pids pg_safe_snapshot_blocking_pids pg_isolation_test_session_is_blocked
     pg_lock_status pg_prepared_xact pg_notification_queue_usage pg_current_logfile
     pg_collation_actual_version pg_database_collation_actual_version
     pg_control_checkpoint pg_control_init pg_control_recovery pg_control_system
     pg_current_wal_flush_lsn pg_current_wal_insert_lsn pg_current_wal_lsn pg_is_in_recovery
     pg_is_wal_replay_paused pg_get_wal_replay_pause_state pg_last_committed_xact
     pg_last_wal_receive_lsn pg_last_wal_replay_lsn pg_last_xact_replay_timestamp
     pg_get_aios pg_get_backend_memory_contexts pg_get_loaded_modules pg_get_multixact_members
     pg_get_shmem_allocations pg_get_shmem_allocations_numa pg_get_wait_events
     pg_get_wal_resource_managers pg_get_wal_summarizer_state pg_jit_available
     pg_replication_origin_progress pg_replication_origin_session_is_setup
     pg_replication_origin_session_progress pg_show_replication_origin_status
     pg_stat_get_backend_io pg_stat_get_backend_wal pg_stat_get_io
     pg_stat_get_recovery_prefetch pg_stat_get_xact_blocks_fetched pg_stat_get_xact_blocks_hit
     pg_stat_get_xact_function_calls pg_stat_get_xact_function_self_time
     pg_stat_get_xact_function_total_time pg_stat_get_xact_numscans
     pg_stat_get_xact_tuples_deleted pg_stat_get_xact_tuples_fetched
     pg_stat_get_xact_tuples_hot_updated pg_stat_get_xact_tuples_inserted
     pg_stat_get_xact_tuples_newpage_updated pg_stat_get_xact_tuples_returned
     pg_stat_get_xact_tuples_updated pg_stat_have_stats
     pg_xact_commit_timestamp pg_xact_commit_timestamp_origin pg_xact_status txid_status`,
  ),
  // Volatile, and called by the server itself: access methods, sampling, constraints, dictionaries.
  list(
    'read',
    `brinhandler bthandler ginhandler gisthandler hashhandler spghandler heap_tableam_handler
     bernoulli system dsnowball_init dsnowball_lexize unique_key_recheck
     suppress_redundant_updates_trigger RI_FKey_check_ins RI_FKey_check_upd
     RI_FKey_noaction_del RI_FKey_noaction_upd RI_FKey_restrict_del RI_FKey_restrict_upd`,
  ),
];

export interface ExtensionReview {
  readonly name: string;
  /**
   * Whether the rule for `pg_catalog` holds for its C functions too, with volatile ones as `read`:
   * an extension whose functions compute on their arguments. Otherwise only the lists count.
   */
  readonly computes: boolean;
  readonly lists: readonly ReviewedClass[];
}

const computing = (name: string, ...lists: readonly ReviewedClass[]): ExtensionReview => ({
  name,
  computes: true,
  lists,
});

const other = (name: string, ...lists: readonly ReviewedClass[]): ExtensionReview => ({
  name,
  computes: false,
  lists,
});

/** Extensions of PostgreSQL's own `contrib`. Whatever is not here is unknown. */
export const extensionReview: readonly ExtensionReview[] = [
  computing('btree_gin'),
  computing('btree_gist'),
  computing('citext'),
  computing('cube'),
  computing('dict_int'),
  // Its dictionary reads a file of the server when it is made.
  computing('dict_xsyn'),
  computing('earthdistance'),
  computing('fuzzystrmatch'),
  computing('hstore'),
  computing('intarray'),
  computing('isn', effect(['session'], 'isn_weak')),
  computing('ltree'),
  computing('pg_trgm', effect(['settings'], 'set_limit')),
  computing('pgcrypto'),
  computing('seg'),
  computing('tsm_system_rows'),
  computing('tsm_system_time'),
  computing('unaccent'),
  computing('uuid-ossp'),
  computing('sslinfo'),
  computing('bloom'),
  other(
    'tablefunc',
    effect(
      ['execute-code', 'data-read'],
      'crosstab crosstab2 crosstab3 crosstab4 crosstabN connectby',
    ),
    list('read', 'normal_rand'),
  ),
  other(
    'xml2',
    effect(['execute-code', 'data-read'], 'xpath_table'),
    // Style sheets can name documents to load.
    effect(['file-read', 'network'], 'xslt_process'),
    list('pure', 'xml_encode_special_chars xpath_bool xpath_list xpath_nodeset xpath_number'),
    list('pure', 'xpath_string xml_valid'),
  ),
  other(
    'dblink',
    effect(
      ['network', 'execute-code', 'data-read'],
      `dblink dblink_exec dblink_open dblink_fetch dblink_send_query dblink_get_result
       dblink_connect dblink_connect_u dblink_close dblink_disconnect dblink_is_busy
       dblink_cancel_query dblink_error_message dblink_get_notify dblink_get_connections
       dblink_fdw_validator dblink_build_sql_insert dblink_build_sql_update
       dblink_build_sql_delete dblink_get_pkey dblink_current_query`,
    ),
  ),
  other(
    'postgres_fdw',
    effect(['network'], 'postgres_fdw_disconnect postgres_fdw_disconnect_all'),
    list('read', 'postgres_fdw_get_connections'),
  ),
  other(
    'adminpack',
    effect(['file-write'], 'pg_file_write pg_file_rename pg_file_unlink pg_file_sync'),
    effect(['file-read'], 'pg_logdir_ls pg_file_read pg_file_length'),
    effect(['admin'], 'pg_logfile_rotate'),
  ),
  other('lo', effect(['write'], 'lo_manage')),
  other('tcn', effect(['notify'], 'triggered_change_notification')),
  other('pgrowlocks', list('data-read', 'pgrowlocks')),
  other(
    'pgstattuple',
    list('read', 'pgstattuple pgstatindex pg_relpages pgstatginindex pgstathashindex'),
    list('read', 'pgstattuple_approx'),
  ),
  other(
    'pg_buffercache',
    list('read', 'pg_buffercache_pages pg_buffercache_summary pg_buffercache_usage_counts'),
    list('read', 'pg_buffercache_numa_pages'),
    effect(
      ['admin'],
      'pg_buffercache_evict pg_buffercache_evict_all pg_buffercache_evict_relation',
    ),
  ),
  other('pg_freespacemap', list('read', 'pg_freespace')),
  other(
    'pg_prewarm',
    effect(['admin'], 'pg_prewarm autoprewarm_start_worker autoprewarm_dump_now'),
  ),
  other(
    'pg_stat_statements',
    list('data-read', 'pg_stat_statements'),
    list('read', 'pg_stat_statements_info'),
    effect(['admin'], 'pg_stat_statements_reset'),
  ),
  other('pg_surgery', effect(['admin', 'write'], 'heap_force_kill heap_force_freeze')),
  other(
    'pg_visibility',
    list('read', 'pg_visibility pg_visibility_map pg_visibility_map_summary'),
    effect(['admin'], 'pg_truncate_visibility_map pg_check_frozen pg_check_visible'),
  ),
  other(
    'pg_walinspect',
    list(
      'data-read',
      `pg_get_wal_block_info pg_get_wal_record_info pg_get_wal_records_info
       pg_get_wal_records_info_till_end_of_wal`,
    ),
    list('read', 'pg_get_wal_stats pg_get_wal_stats_till_end_of_wal'),
  ),
  other(
    'amcheck',
    effect(['admin', 'lock'], 'bt_index_check bt_index_parent_check gin_index_check verify_heapam'),
  ),
  other('old_snapshot', list('read', 'pg_old_snapshot_time_mapping')),
];
