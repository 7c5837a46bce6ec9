/**
 * Which columns of system relations hold users' data, or what users typed. A relation that the
 * catalogue marks and that has no row here holds it in every column.
 */
import type { Relation } from './catalogue.ts';

const columnsByRelation: Readonly<Record<string, readonly string[]>> = {
  pg_statistic: ['stavalues1', 'stavalues2', 'stavalues3', 'stavalues4', 'stavalues5'],
  pg_stats: [
    'most_common_vals',
    'histogram_bounds',
    'most_common_elems',
    'range_length_histogram',
    'range_bounds_histogram',
  ],
  pg_statistic_ext_data: ['stxdmcv', 'stxdexpr'],
  pg_stats_ext: ['most_common_vals'],
  pg_stats_ext_exprs: ['most_common_vals', 'histogram_bounds', 'most_common_elems'],
  pg_stat_activity: ['query'],
  // What this session itself has typed or set. Putting masked data there is a copy, and noted.
  pg_prepared_statements: [],
  pg_cursors: [],
  pg_settings: [],
  pg_db_role_setting: [],
  pg_sequences: [],
  pg_replication_origin_status: [],
  pg_authid: ['rolpassword'],
  pg_shadow: ['passwd'],
  pg_user_mapping: ['umoptions'],
  pg_user_mappings: ['umoptions'],
  pg_subscription: ['subconninfo'],
  pg_foreign_server: ['srvoptions'],
};

const none: ReadonlySet<string> = new Set();
const known: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  Object.entries(columnsByRelation).map(([name, columns]) => [name, new Set(columns)]),
);

/** The columns that hold data besides what the policy masks; `all` when it may be any. */
export function dataColumns(relation: Relation): ReadonlySet<string> | 'all' {
  if (!relation.catalogData) return none;
  return (relation.schema === 'pg_catalog' ? known.get(relation.name) : undefined) ?? 'all';
}

/** System views that read files of the server. */
export const fileViews: ReadonlySet<string> = new Set([
  'pg_hba_file_rules',
  'pg_ident_file_mappings',
  'pg_file_settings',
]);
