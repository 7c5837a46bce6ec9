/**
 * Which system relations hold users' data, or what users typed, rather than definitions: reading
 * them can give away what a mask covers.
 */
import type { RelationKind } from './catalogue.ts';

/** Of `pg_catalog`. */
const dataRelations: ReadonlySet<string> = new Set([
  // Samples of columns' values.
  'pg_statistic',
  'pg_statistic_ext_data',
  'pg_stats',
  'pg_stats_ext',
  'pg_stats_ext_exprs',
  // Large objects' content.
  'pg_largeobject',
  // Texts of statements, with their literals.
  'pg_stat_activity',
  'pg_prepared_statements',
  'pg_cursors',
  // Settings can be given any value, data included; comments and labels as well.
  'pg_settings',
  'pg_db_role_setting',
  'pg_file_settings',
  // Values of columns, at the edges: bounds, defaults of columns that were added later.
  'pg_sequences',
  // Secrets.
  'pg_authid',
  'pg_shadow',
  'pg_user_mapping',
  'pg_user_mappings',
  'pg_subscription',
  'pg_foreign_server',
  'pg_stat_wal_receiver',
  'pg_hba_file_rules',
  'pg_ident_file_mappings',
  // Messages and positions of replication, which carry data.
  'pg_replication_origin_status',
]);

/** Of `information_schema`. */
const informationRelations: ReadonlySet<string> = new Set([
  '_pg_user_mappings',
  '_pg_foreign_servers',
  'user_mapping_options',
  'foreign_server_options',
]);

export interface RelationIdentity {
  readonly builtIn: boolean;
  readonly schema: string;
  readonly name: string;
  readonly kind: RelationKind;
  readonly extension: string | undefined;
}

/** True for a system relation that holds data; a user's own relation is not a system relation. */
export function holdsData(relation: RelationIdentity): boolean {
  // The overflow storage of a table holds its large values.
  if (relation.kind === 'toast') return true;
  // Views of an extension over the server's insides: `pg_stat_statements` and whatever comes.
  if (relation.extension !== undefined && relation.kind === 'view') return true;
  if (!relation.builtIn) return false;
  if (relation.schema === 'pg_catalog') return dataRelations.has(relation.name);
  if (relation.schema === 'information_schema') return informationRelations.has(relation.name);
  return true;
}
