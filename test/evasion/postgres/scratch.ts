/**
 * The server that cases do their worst to, and the databases on it: each a copy of one template,
 * used again only while nothing in it has changed.
 */
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { type PostgresVersion, startPostgres, type TestPostgres } from '../../support/postgres.ts';
import type { Canary } from './canaries.ts';

/** Where cases write files on the server. */
const outDirectory = '/tmp/ev/pg/out';
const template = 'evasion_template';

/** Everything about a database and its server that a case could change, as one word. */
const stateQuery = `select md5(string_agg(x, '|' order by x)) as state from (
  select concat_ws(' ', 'relation', c.oid, relname, relnamespace, relkind, relhasrules,
    relhastriggers, relrowsecurity, relacl, relowner, relpersistence, reloptions)
    from pg_class c join pg_namespace n on n.oid = relnamespace
    where nspname !~ '^pg_(toast|temp)'
  union all select concat_ws(' ', 'column', attrelid, attname, atttypid, attisdropped, attacl)
    from pg_attribute a join pg_class c on c.oid = attrelid where relnamespace <> 99 and attnum > 0
  union all select concat_ws(' ', 'function', oid, proname, md5(prosrc), proacl, proowner)
    from pg_proc where oid >= 16384
  union all select concat_ws(' ', 'role', rolname, rolsuper, rolcreaterole, rolcreatedb,
    rolcanlogin, rolreplication, rolbypassrls, rolpassword, rolconnlimit) from pg_authid
  union all select concat_ws(' ', 'member', roleid, member, admin_option) from pg_auth_members
  union all select concat_ws(' ', 'trigger', tgrelid, tgname, tgenabled) from pg_trigger
  union all select concat_ws(' ', 'rule', rulename, ev_class, ev_enabled) from pg_rewrite
  union all select concat_ws(' ', 'constraint', oid, conname) from pg_constraint
  union all select concat_ws(' ', 'type', oid, typname, typacl) from pg_type where oid >= 16384
  union all select concat_ws(' ', 'comment', objoid, md5(description)) from pg_description
    where objoid >= 16384
  union all select concat_ws(' ', 'extension', extname) from pg_extension
  union all select concat_ws(' ', 'setting', setrole, setconfig) from pg_db_role_setting
  union all select concat_ws(' ', 'more', (select count(*) from pg_publication),
    (select count(*) from pg_policy), (select count(*) from pg_default_acl),
    (select count(*) from pg_cast), (select count(*) from pg_operator),
    (select count(*) from pg_statistic_ext), (select count(*) from pg_event_trigger),
    (select count(*) from pg_foreign_server), (select count(*) from pg_user_mapping),
    (select count(*) from pg_prepared_xacts), (select count(*) from pg_subscription),
    (select count(*) from pg_index where indisclustered))
  union all select concat_ws(' ', 'slot', slot_name) from pg_replication_slots where not temporary
  union all select concat_ws(' ', 'file', name, setting) from pg_file_settings
    where sourcefile like '%auto.conf'
  union all select concat_ws(' ', 'large object', loid, pageno, md5(data)) from pg_largeobject
  union all select concat_ws(' ', 'schema', nspname, nspacl) from pg_namespace
    where nspname !~ '^pg_(toast|temp)'
  union all select concat_ws(' ', 'database', datacl, datdba, datallowconn) from pg_database
    where datname = current_database()
  union all select concat_ws(' ', 'sequence', seqrelid, pg_sequence_last_value(seqrelid))
    from pg_sequence join pg_class on oid = seqrelid where relpersistence <> 't'
  union all select concat_ws(' ', 'rows', c.oid, md5(query_to_xml(
      format('select t::text as x from %s t order by 1', c.oid::regclass), true, true, '')::text))
    from pg_class c where relkind = 'r' and relnamespace = to_regnamespace('public')
) as s(x)`;

const canaryColumns = [
  'customers.ssn',
  'customers.email',
  'payments.card_number',
  'employees.salary',
  'vip.ssn',
] as const;

export class Scratch {
  readonly server: TestPostgres;
  readonly #initial: string;
  #current: string | undefined;
  #made = 0;

  private constructor(server: TestPostgres, initial: string) {
    this.server = server;
    this.#initial = initial;
  }

  /** @param schema - statements that make the template; extensions that are not there are left out. */
  static async start(version: PostgresVersion, schema: string): Promise<Scratch> {
    mkdirSync(outDirectory, { recursive: true });
    chmodSync(outDirectory, 0o777);
    const server = await startPostgres({
      version,
      settings: { wal_level: 'logical', max_prepared_transactions: 10, autovacuum: false },
      hba: ['all', 'replication'].map((what) => `host ${what} all 127.0.0.1/32 trust`),
    });
    try {
      await server.query('create role ev_admin superuser login; create role ev_app login');
      await server.query(`create database ${template}`);
      const there = await server.query('select name from pg_available_extensions');
      const known = new Set(there.map(({ name }) => String(name)));
      const fitting = schema.replaceAll(
        /CREATE EXTENSION (?:IF NOT EXISTS )?(\w+);/g,
        (statement, name: string) => (known.has(name) ? statement : ''),
      );
      await server.query(fitting, template);
      const initial = await stateOf(server, template);
      if (!/^[0-9a-f]{32}$/.test(initial)) throw new Error(initial);
      return new Scratch(server, initial);
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  async canaries(): Promise<readonly Canary[]> {
    const found: Canary[] = [];
    for (const column of canaryColumns) {
      const [table = '', name = ''] = column.split('.');
      const rows = await this.server.query(`select ${name}::text as v from ${table}`, template);
      found.push(...rows.map(({ v }) => ({ column, value: String(v) })));
    }
    return found;
  }

  /** A database that is as the template was. */
  async database(): Promise<string> {
    if (this.#current !== undefined) return this.#current;
    this.#made += 1;
    const name = `evasion_${this.#made}`;
    await this.server.query(`create database ${name} template ${template} strategy file_copy`);
    this.#current = name;
    return name;
  }

  /** Whether the database is still as the template was. */
  async isUnchanged(): Promise<boolean> {
    if (this.#current === undefined) return true;
    // Sessions that have just gone may still be rolling back.
    for (let attempt = 0; attempt < 3; attempt += 1) {
      if ((await stateOf(this.server, this.#current)) === this.#initial) return true;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return false;
  }

  /** Takes the database away, with whoever is in it. */
  async discard(): Promise<void> {
    if (this.#current === undefined) return;
    const name = this.#current;
    this.#current = undefined;
    await this.server.query(`drop database if exists ${name} with (force)`);
  }

  clearFiles(): void {
    rmSync(outDirectory, { recursive: true, force: true });
    mkdirSync(outDirectory, { recursive: true });
    chmodSync(outDirectory, 0o777);
  }

  /** The one value of a query, as text. */
  async value(sql: string, database: string): Promise<string | null> {
    // As the server writes it on the wire: a cast would spell truth values out.
    const wrapped = `select case when v is not null then format('%s', v) end as v
      from (${sql}) as q(v)`;
    const [row = {}] = await this.server.query(wrapped, database);
    const { v } = row;
    return typeof v === 'string' ? v : null;
  }

  stop(): Promise<void> {
    return this.server.stop();
  }
}

async function stateOf(server: TestPostgres, database: string): Promise<string> {
  try {
    const [row] = await server.query(stateQuery, database);
    return String(row?.['state']);
  } catch (error) {
    // What broke the database so far that its state cannot be read did change it.
    return String(error);
  }
}
