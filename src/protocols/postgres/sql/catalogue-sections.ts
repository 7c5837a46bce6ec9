/**
 * The SQL that reads a catalogue, in sections that are read again one by one.
 *
 * Invariants: the probe runs under whatever `search_path` the session has, so each of its names and
 * operators is qualified; every other text runs under `pg_catalog, pg_temp` (see the reader), which
 * both keeps hostile objects out and makes the server write names in full. Only what PostgreSQL 14
 * to 18 all have is used. No text takes input from outside.
 */

/** What the probe watches: one digest each, of every row's identity and `xmin`. */
interface Watched {
  readonly table: string;
  /** Columns that identify a row. */
  readonly key: readonly string[];
  /** The column that tells the server's own rows from users', when the two are read apart. */
  readonly split?: string;
  readonly where?: string;
}

const watched = {
  class: { table: 'pg_class', key: ['oid'], split: 'oid' },
  attribute: {
    table: 'pg_attribute',
    key: ['attrelid', 'attnum'],
    split: 'attrelid',
    // System columns are the same everywhere, and a third of the table.
    where: "attnum OPERATOR(pg_catalog.>) '0'",
  },
  proc: { table: 'pg_proc', key: ['oid'], split: 'oid' },
  type: { table: 'pg_type', key: ['oid'], split: 'oid' },
  operator: { table: 'pg_operator', key: ['oid'], split: 'oid' },
  rewrite: { table: 'pg_rewrite', key: ['oid'], split: 'ev_class' },
  attrdef: { table: 'pg_attrdef', key: ['oid'] },
  aggregate: { table: 'pg_aggregate', key: ['aggfnoid'] },
  range: { table: 'pg_range', key: ['rngtypid'] },
  cast: { table: 'pg_cast', key: ['oid'] },
  trigger: { table: 'pg_trigger', key: ['oid'] },
  constraint: { table: 'pg_constraint', key: ['oid'] },
  policy: { table: 'pg_policy', key: ['oid'] },
  index: { table: 'pg_index', key: ['indexrelid'] },
  inherits: { table: 'pg_inherits', key: ['inhrelid', 'inhseqno'] },
  namespace: { table: 'pg_namespace', key: ['oid'] },
  language: { table: 'pg_language', key: ['oid'] },
  extension: { table: 'pg_extension', key: ['oid'] },
  depend: {
    table: 'pg_depend',
    key: ['classid', 'objid', 'refobjid', 'deptype'],
    where: "refclassid OPERATOR(pg_catalog.=) '3079'::pg_catalog.oid",
  },
  eventTrigger: { table: 'pg_event_trigger', key: ['oid'] },
  opclass: { table: 'pg_opclass', key: ['oid'] },
  amproc: { table: 'pg_amproc', key: ['oid'] },
  partitioned: { table: 'pg_partitioned_table', key: ['partrelid'] },
  foreignTable: { table: 'pg_foreign_table', key: ['ftrelid'] },
  foreignServer: { table: 'pg_foreign_server', key: ['oid'] },
  foreignWrapper: { table: 'pg_foreign_data_wrapper', key: ['oid'] },
} as const satisfies Readonly<Record<string, Watched>>;

type WatchedName = keyof typeof watched;

const splits = ["OPERATOR(pg_catalog.<) '16384'", "OPERATOR(pg_catalog.>=) '16384'"] as const;

/**
 * One digest: the number of rows and the exclusive or of a hash of each row's key and `xmin`. A row
 * that is made, changed or removed changes it, whatever the order; and since nothing compares
 * transaction numbers by size, it does not care that they wrap around. Changes in place (statistics
 * of `VACUUM` and `ANALYZE`) leave `xmin` alone, and so the digest, as they should.
 */
function digest(watch: Watched, split: string | undefined): string {
  const columns = [...watch.key, 'xmin'].map((column) => `t.${column}`).join(', ');
  const conditions = [
    ...(watch.where === undefined ? [] : [`t.${watch.where}`]),
    ...(split === undefined ? [] : [`t.${split}`]),
  ];
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
  return `(SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.bit_xor(
    pg_catalog.hash_record_extended(ROW(${columns}), 0)))
    FROM pg_catalog.${watch.table} AS t${where})`;
}

interface ProbeColumn {
  readonly name: string;
  readonly sql: string;
}

function probeColumns(): readonly ProbeColumn[] {
  const columns: ProbeColumn[] = [
    { name: 'version', sql: "pg_catalog.current_setting('server_version_num')" },
    { name: 'database', sql: 'pg_catalog.current_database()' },
    { name: 'isolation', sql: "pg_catalog.current_setting('transaction_isolation')" },
    // Null unless the transaction has written something, which DDL always does.
    { name: 'transaction', sql: 'pg_catalog.pg_current_xact_id_if_assigned()' },
    // `pg_authid` is not for everyone to read, and its view has no `xmin`: so, the content.
    {
      name: 'roles',
      sql: `(SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.bit_xor(
        pg_catalog.hash_record_extended(ROW(oid, rolname, rolsuper, rolbypassrls), 0)))
        FROM pg_catalog.pg_roles)`,
    },
  ];
  for (const [name, watch] of Object.entries<Watched>(watched)) {
    if (watch.split === undefined) {
      columns.push({ name, sql: digest(watch, undefined) });
    } else {
      columns.push({ name: `${name}.base`, sql: digest(watch, `${watch.split} ${splits[0]}`) });
      columns.push({ name: `${name}.user`, sql: digest(watch, `${watch.split} ${splits[1]}`) });
    }
  }
  return columns;
}

const columns = probeColumns();

/** Names of the probe's columns, in their order. */
export const probeNames: readonly string[] = columns.map((column) => column.name);

/** Says in one row which parts of the catalogue changed; some 3 ms of the server's time. */
export const probeSql: string = `SELECT ${columns.map((column) => column.sql).join(',\n ')}`;

export type SectionName =
  | 'schemas'
  | 'roles'
  | 'languages'
  | 'relations'
  | 'columns'
  | 'columnTexts'
  | 'partitionKeys'
  | 'functions'
  | 'functionTexts'
  | 'types'
  | 'domains'
  | 'operators'
  | 'casts'
  | 'rules'
  | 'triggers'
  | 'foreignKeys'
  | 'checks'
  | 'policies'
  | 'indexes'
  | 'inherits'
  | 'extensions'
  | 'members'
  | 'eventTriggers'
  | 'operatorClasses';

/** One query. Its first column is the key of the row, its second a name or a second key. */
export interface Section {
  readonly name: SectionName;
  /** `base`: objects that came with the server. Read once, and shared by equal content. */
  readonly part: 'all' | 'base' | 'user';
  /** Digests of the probe whose change makes it necessary to read again. */
  readonly watches: readonly string[];
  readonly sql: string;
}

interface Draft {
  readonly name: SectionName;
  readonly watches: readonly (WatchedName | 'roles')[];
  readonly sql: string;
}

/**
 * Whatever the server writes out as an expression holds the names that things have at that moment,
 * so it is stale when anything is renamed, although the row that it was written from is the same.
 */
const names = ['class', 'attribute', 'proc', 'type', 'operator', 'namespace'] as const;

/** `$split` stands for the comparison that tells the server's own objects from users'. */
const drafts: readonly Draft[] = [
  {
    name: 'schemas',
    watches: ['namespace'],
    sql: 'SELECT oid, nspname, nspowner FROM pg_catalog.pg_namespace',
  },
  {
    name: 'roles',
    watches: ['roles'],
    sql: 'SELECT oid, rolname, rolsuper, rolbypassrls FROM pg_catalog.pg_roles',
  },
  {
    name: 'languages',
    watches: ['language'],
    sql: 'SELECT oid, lanname FROM pg_catalog.pg_language',
  },
  {
    name: 'relations',
    watches: ['class', 'foreignTable', 'foreignServer', 'foreignWrapper'],
    sql: `SELECT c.oid, c.relname, c.relnamespace, c.relkind, c.reltype, c.relowner,
        c.relrowsecurity, c.relforcerowsecurity,
        (SELECT o.option_value FROM pg_catalog.pg_options_to_table(c.reloptions) AS o
          WHERE o.option_name = 'security_invoker'),
        s.srvname, w.fdwname
      FROM pg_catalog.pg_class AS c
      LEFT JOIN pg_catalog.pg_foreign_table AS f ON f.ftrelid = c.oid
      LEFT JOIN pg_catalog.pg_foreign_server AS s ON s.oid = f.ftserver
      LEFT JOIN pg_catalog.pg_foreign_data_wrapper AS w ON w.oid = s.srvfdw
      WHERE c.oid $split`,
  },
  {
    name: 'columns',
    watches: ['attribute'],
    sql: `SELECT a.attrelid, a.attname, a.attnum, a.atttypid, a.atttypmod, a.attnotnull,
        a.attgenerated, a.attidentity
      FROM pg_catalog.pg_attribute AS a
      JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
      WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind NOT IN ('i', 'I', 't')
        AND a.attrelid $split
      ORDER BY a.attrelid, a.attnum`,
  },
  {
    name: 'columnTexts',
    watches: ['attrdef', ...names],
    sql: `SELECT d.adrelid, d.adnum, pg_catalog.pg_get_expr(d.adbin, d.adrelid)
      FROM pg_catalog.pg_attrdef AS d`,
  },
  {
    name: 'partitionKeys',
    watches: ['partitioned', ...names],
    sql: `SELECT p.partrelid, '', pg_catalog.pg_get_partkeydef(p.partrelid)
      FROM pg_catalog.pg_partitioned_table AS p`,
  },
  {
    name: 'functions',
    watches: ['proc', 'aggregate'],
    sql: `SELECT p.oid, p.proname, p.pronamespace, p.prokind, p.prolang, p.provolatile,
        p.prosecdef, p.proisstrict, p.proargtypes,
        pg_catalog.array_to_string(p.proallargtypes, ' '),
        pg_catalog.array_to_string(p.proargmodes, ''), pg_catalog.array_to_json(p.proargnames),
        p.pronargdefaults, p.provariadic, p.proretset, p.prorettype,
        CASE WHEN p.prosqlbody IS NULL THEN p.prosrc END,
        pg_catalog.array_to_json(p.proconfig), p.proowner, p.probin,
        pg_catalog.concat_ws(' ', a.aggtransfn::pg_catalog.oid, a.aggfinalfn::pg_catalog.oid,
          a.aggcombinefn::pg_catalog.oid, a.aggserialfn::pg_catalog.oid,
          a.aggdeserialfn::pg_catalog.oid, a.aggmtransfn::pg_catalog.oid,
          a.aggminvtransfn::pg_catalog.oid, a.aggmfinalfn::pg_catalog.oid)
      FROM pg_catalog.pg_proc AS p
      LEFT JOIN pg_catalog.pg_aggregate AS a ON a.aggfnoid::pg_catalog.oid = p.oid
      WHERE p.oid $split`,
  },
  {
    name: 'functionTexts',
    watches: names,
    sql: `SELECT p.oid, p.proname, pg_catalog.pg_get_expr(p.proargdefaults, 0),
        pg_catalog.pg_get_function_sqlbody(p.oid)
      FROM pg_catalog.pg_proc AS p
      WHERE (p.proargdefaults IS NOT NULL OR p.prosqlbody IS NOT NULL) AND p.oid $split`,
  },
  {
    name: 'types',
    watches: ['range', ...names],
    sql: `SELECT t.oid, t.typname, t.typnamespace, t.typtype, t.typcategory, t.typispreferred,
        t.typlen, t.typelem, t.typarray, t.typbasetype, t.typtypmod, t.typrelid, r.rngsubtype,
        pg_catalog.concat_ws(' ', r.rngcanonical::pg_catalog.oid, r.rngsubdiff::pg_catalog.oid),
        t.typinput::pg_catalog.oid, t.typoutput::pg_catalog.oid,
        pg_catalog.concat_ws(' ', t.typreceive::pg_catalog.oid, t.typsend::pg_catalog.oid,
          t.typmodin::pg_catalog.oid, t.typmodout::pg_catalog.oid, t.typanalyze::pg_catalog.oid,
          t.typsubscript::pg_catalog.oid),
        pg_catalog.pg_get_expr(t.typdefaultbin, 0), t.typowner
      FROM pg_catalog.pg_type AS t
      LEFT JOIN pg_catalog.pg_range AS r ON r.rngtypid = t.oid OR r.rngmultitypid = t.oid
      WHERE t.oid $split`,
  },
  {
    name: 'domains',
    watches: ['constraint', ...names],
    sql: `SELECT c.contypid, c.conname, pg_catalog.pg_get_expr(c.conbin, 0)
      FROM pg_catalog.pg_constraint AS c WHERE c.contypid <> 0 AND c.contype = 'c'`,
  },
  {
    name: 'operators',
    watches: ['operator'],
    sql: `SELECT o.oid, o.oprname, o.oprnamespace, o.oprleft, o.oprright, o.oprresult,
        o.oprcode::pg_catalog.oid,
        pg_catalog.concat_ws(' ', o.oprrest::pg_catalog.oid, o.oprjoin::pg_catalog.oid)
      FROM pg_catalog.pg_operator AS o WHERE o.oid $split`,
  },
  {
    name: 'casts',
    watches: ['cast'],
    sql: 'SELECT castsource, casttarget, castcontext, castmethod, castfunc FROM pg_catalog.pg_cast',
  },
  {
    name: 'rules',
    watches: ['rewrite', ...names],
    sql: `SELECT r.ev_class, r.rulename, r.ev_type, r.is_instead,
        CASE WHEN r.ev_type = '1' THEN pg_catalog.pg_get_viewdef(r.ev_class)
          ELSE pg_catalog.pg_get_ruledef(r.oid) END
      FROM pg_catalog.pg_rewrite AS r WHERE r.ev_class $split`,
  },
  {
    name: 'triggers',
    watches: ['trigger', ...names],
    sql: `SELECT t.tgrelid, t.tgname, t.tgfoid, t.tgtype, t.tgisinternal, t.tgenabled,
        pg_catalog.pg_get_triggerdef(t.oid)
      FROM pg_catalog.pg_trigger AS t`,
  },
  {
    name: 'foreignKeys',
    watches: ['constraint'],
    sql: `SELECT c.conrelid, c.confrelid, c.conname, pg_catalog.array_to_string(c.conkey, ' '),
        pg_catalog.array_to_string(c.confkey, ' '), c.confdeltype, c.confupdtype
      FROM pg_catalog.pg_constraint AS c WHERE c.contype = 'f'`,
  },
  {
    name: 'checks',
    watches: ['constraint', ...names],
    sql: `SELECT c.conrelid, c.conname, pg_catalog.pg_get_expr(c.conbin, c.conrelid)
      FROM pg_catalog.pg_constraint AS c WHERE c.conrelid <> 0 AND c.contype = 'c'`,
  },
  {
    name: 'policies',
    watches: ['policy', ...names],
    sql: `SELECT p.polrelid, p.polname, pg_catalog.pg_get_expr(p.polqual, p.polrelid),
        pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)
      FROM pg_catalog.pg_policy AS p`,
  },
  {
    name: 'indexes',
    watches: ['index', ...names],
    // Unique is what keeps rows apart at any time, as the columns' own equality does: a deferrable
    // constraint, an index whose making failed, or one of another collation does not.
    sql: `SELECT i.indrelid, i.indexrelid, i.indisunique AND i.indimmediate AND i.indisvalid
          AND NOT EXISTS (
            SELECT FROM unnest(i.indkey::int2[], i.indcollation::oid[]) AS k (num, coll)
            JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.num
            WHERE k.coll <> a.attcollation),
        i.indkey,
        pg_catalog.pg_get_expr(i.indexprs, i.indrelid),
        pg_catalog.pg_get_expr(i.indpred, i.indrelid)
      FROM pg_catalog.pg_index AS i WHERE i.indrelid >= 16384`,
  },
  {
    name: 'inherits',
    watches: ['inherits'],
    sql: 'SELECT inhrelid, inhparent FROM pg_catalog.pg_inherits',
  },
  {
    name: 'extensions',
    watches: ['extension', 'namespace'],
    sql: `SELECT e.oid, e.extname, e.extversion, n.nspname
      FROM pg_catalog.pg_extension AS e
      JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace`,
  },
  {
    name: 'members',
    watches: ['depend', 'extension'],
    // 1247 pg_type, 1255 pg_proc, 1259 pg_class, 3079 pg_extension: fixed for all versions.
    sql: `SELECT d.objid, d.classid, e.extname
      FROM pg_catalog.pg_depend AS d JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid
      WHERE d.refclassid = 3079 AND d.deptype = 'e' AND d.classid IN (1247, 1255, 1259)`,
  },
  {
    name: 'eventTriggers',
    watches: ['eventTrigger'],
    sql: 'SELECT oid, evtname, evtevent, evtfoid, evtenabled FROM pg_catalog.pg_event_trigger',
  },
  {
    name: 'operatorClasses',
    watches: ['opclass', 'amproc'],
    sql: `SELECT o.oid, o.opcname, o.opcnamespace, m.amname, o.opcintype, o.opcdefault,
        pg_catalog.array_to_string(ARRAY(SELECT DISTINCT p.amproc::pg_catalog.oid
          FROM pg_catalog.pg_amproc AS p WHERE p.amprocfamily = o.opcfamily), ' ')
      FROM pg_catalog.pg_opclass AS o JOIN pg_catalog.pg_am AS m ON m.oid = o.opcmethod
      WHERE o.oid >= 16384`,
  },
];

function isSplit(name: WatchedName | 'roles'): boolean {
  return name !== 'roles' && 'split' in watched[name];
}

function sectionsOf(draft: Draft): readonly Section[] {
  const { name, sql } = draft;
  if (!sql.includes('$split')) {
    const watches = draft.watches.flatMap((watch) =>
      isSplit(watch) ? [`${watch}.base`, `${watch}.user`] : [watch],
    );
    return [{ name, part: 'all', watches, sql }];
  }
  const watches = (part: string): readonly string[] =>
    draft.watches.map((watch) => (isSplit(watch) ? `${watch}.${part}` : watch));
  return [
    { name, part: 'base', watches: watches('base'), sql: sql.replace('$split', '< 16384') },
    { name, part: 'user', watches: watches('user'), sql: sql.replace('$split', '>= 16384') },
  ];
}

/** Every section, in the order in which they are read. */
export const sections: readonly Section[] = drafts.flatMap(sectionsOf);
