/**
 * What a statement really changed, as the server tells: rows of tables, the system's own included,
 * from the counters of the transaction; objects from the catalogue; sequences and settings from
 * their values.
 */
import type { Connection } from './connection.ts';

/** Rows of one table that were inserted, updated and deleted. */
export interface RowChange {
  /** `schema.table` */
  readonly table: string;
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
}

export interface ObjectChange {
  readonly how: 'created' | 'altered' | 'dropped';
  readonly kind: string;
  readonly name: string;
  /** The table that it belongs to, and goes with; empty for most. */
  readonly owner: string;
}

export interface Changes {
  readonly rows: readonly RowChange[];
  readonly objects: readonly ObjectChange[];
  /** Sequences that moved, with the tables that they belong to. */
  readonly sequences: readonly Pick<ObjectChange, 'name' | 'owner'>[];
  /** Whether a setting of the session did. */
  readonly settings: boolean;
}

interface Counters {
  /** By the number of the table. */
  readonly rows: ReadonlyMap<string, TableCounters>;
  readonly sequences: ReadonlyMap<string, string>;
  readonly settings: string;
}

interface TableCounters {
  readonly name: string;
  readonly counts: readonly [inserted: number, updated: number, deleted: number];
}

interface Known {
  readonly kind: string;
  readonly name: string;
  readonly owner: string;
  readonly version: string;
}

const countersSql = `
  SELECT 'rows', schemaname || '.' || relname, n_tup_ins::text, n_tup_upd::text,
      n_tup_del::text, relid
    FROM pg_catalog.pg_stat_xact_all_tables
    WHERE n_tup_ins + n_tup_upd + n_tup_del > 0 AND schemaname !~ '^pg_toast'
  UNION ALL SELECT 'sequence', schemaname || '.' || sequencename, last_value::text, '', '', 0
    FROM pg_catalog.pg_sequences WHERE last_value IS NOT NULL
  UNION ALL SELECT 'settings', '', md5(string_agg(name || '=' || setting, ',' ORDER BY name)),
      '', '', 0
    FROM pg_catalog.pg_settings WHERE name !~ '^transaction_'`;

/** Objects that people make. Indexes, row types and toast tables come and go with their tables. */
const objectsSql = `
  SELECT 'relation', c.oid, n.nspname || '.' || c.relname, coalesce((
      SELECT min(rn.nspname || '.' || r.relname) FROM pg_depend d
        JOIN pg_class r ON r.oid = d.refobjid JOIN pg_namespace rn ON rn.oid = r.relnamespace
      WHERE c.relkind = 'S' AND d.objid = c.oid AND d.classid = 'pg_class'::regclass
        AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')), ''), c.xmin
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND n.nspname !~ '^pg_toast'
      AND c.oid >= 16384
  UNION ALL SELECT 'function', p.oid, n.nspname || '.' || proname, coalesce((
      SELECT min(tn.nspname || '.' || coalesce(rt.typname, t.typname)) FROM pg_depend d
        JOIN pg_type t ON t.oid = d.refobjid JOIN pg_namespace tn ON tn.oid = t.typnamespace
        LEFT JOIN pg_range r ON r.rngmultitypid = t.oid LEFT JOIN pg_type rt ON rt.oid = r.rngtypid
      WHERE d.objid = p.oid AND d.classid = 'pg_proc'::regclass
        AND d.refclassid = 'pg_type'::regclass AND d.deptype = 'i'), ''), p.xmin
    FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE p.oid >= 16384
  UNION ALL SELECT 'type', t.oid, n.nspname || '.' || typname, '', t.xmin
    FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace
    WHERE t.oid >= 16384 AND typtype IN ('e', 'd', 'r')
  UNION ALL SELECT 'schema', oid, nspname, '', xmin
    FROM pg_namespace WHERE oid >= 16384 AND nspname !~ '^pg_(toast_)?temp_'
  UNION ALL SELECT 'role', oid, rolname, '', xmin FROM pg_authid WHERE oid >= 16384
  UNION ALL SELECT 'trigger',
      t.oid, n.nspname || '.' || relname, n.nspname || '.' || relname, t.xmin
    FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid JOIN pg_namespace n
      ON n.oid = relnamespace WHERE NOT tgisinternal
  UNION ALL SELECT 'rule',
      r.oid, n.nspname || '.' || relname, n.nspname || '.' || relname, r.xmin
    FROM pg_rewrite r JOIN pg_class c ON c.oid = ev_class JOIN pg_namespace n
      ON n.oid = relnamespace WHERE r.oid >= 16384 AND rulename <> '_RETURN'
  UNION ALL SELECT 'policy',
      p.oid, n.nspname || '.' || relname, n.nspname || '.' || relname, p.xmin
    FROM pg_policy p JOIN pg_class c ON c.oid = polrelid
      JOIN pg_namespace n ON n.oid = relnamespace`;

/** Watches one connection; a statement runs between `before` and `after`. */
export class Witness {
  readonly #connection: Connection;
  #objects: ReadonlyMap<string, Known> | undefined;
  #objectsBefore: ReadonlyMap<string, Known> | undefined;
  #counters: Counters | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** What the connection did was not watched, or was undone. */
  forget(): void {
    this.#objects = undefined;
  }

  /** What was seen last was taken back. */
  restore(): void {
    this.#objects = this.#objectsBefore;
  }

  async before(): Promise<void> {
    this.#objects ??= await this.#readObjects();
    this.#objectsBefore = this.#objects;
    this.#counters = await this.#readCounters();
  }

  async after(): Promise<Changes> {
    const before = this.#counters;
    const known = this.#objects;
    if (before === undefined || known === undefined) throw new Error('nothing was watched');
    const now = await this.#readCounters();
    const rows: RowChange[] = [];
    for (const [oid, { name, counts }] of now.rows) {
      const [i, u, d] = before.rows.get(oid)?.counts ?? [0, 0, 0];
      // Under the name that it had.
      const table = known.get(`relation ${oid}`)?.name ?? name;
      const [inserted, updated, deleted] = [counts[0] - i, counts[1] - u, counts[2] - d];
      if (inserted + updated + deleted > 0) rows.push({ table, inserted, updated, deleted });
    }
    const moved = [...now.sequences].filter(
      ([name, value]) => before.sequences.get(name) !== value,
    );
    const touched = rows.some(({ table }) => table.startsWith('pg_catalog.'));
    const objects = touched ? await this.#readObjects() : known;
    this.#objects = objects;
    return {
      rows,
      objects: differences(known, objects),
      sequences: moved.map(([name]) => formerly(name, known, objects)),
      settings: now.settings !== before.settings,
    };
  }

  /** For what cannot run in a transaction, whose counters nobody can read: the objects alone. */
  async afterAlone(): Promise<Changes> {
    const known = this.#objects ?? new Map<string, Known>();
    this.#objects = await this.#readObjects();
    const objects = differences(known, this.#objects);
    return { rows: [], objects, sequences: [], settings: false };
  }

  async #readObjects(): Promise<ReadonlyMap<string, Known>> {
    const rows = await this.#connection.rows(objectsSql);
    return new Map(
      rows.map(([kind, oid, name, owner, version]): [string, Known] => [
        `${kind} ${oid}`,
        { kind: kind ?? '', name: name ?? '', owner: owner ?? '', version: version ?? '' },
      ]),
    );
  }

  async #readCounters(): Promise<Counters> {
    const rows = new Map<string, TableCounters>();
    const sequences = new Map<string, string>();
    let settings = '';
    for (const [what, name, a, b, c, oid] of await this.#connection.rows(countersSql)) {
      const counts = [Number(a), Number(b), Number(c)] as const;
      if (what === 'rows') rows.set(oid ?? '', { name: name ?? '', counts });
      else if (what === 'sequence') sequences.set(name ?? '', a ?? '');
      else settings = a ?? '';
    }
    return { rows, sequences, settings };
  }
}

/** A sequence under the name that it had. */
function formerly(
  name: string,
  before: ReadonlyMap<string, Known>,
  after: ReadonlyMap<string, Known>,
): Pick<ObjectChange, 'name' | 'owner'> {
  for (const [key, now] of after) {
    if (now.name === name && key.startsWith('relation ')) return before.get(key) ?? now;
  }
  return { name, owner: '' };
}

function differences(
  before: ReadonlyMap<string, Known>,
  after: ReadonlyMap<string, Known>,
): readonly ObjectChange[] {
  const changes: ObjectChange[] = [];
  const add = (how: ObjectChange['how'], { kind, name, owner }: Known): void => {
    changes.push({ how, kind, name, owner });
  };
  for (const [key, now] of after) {
    const then = before.get(key);
    if (then === undefined) add('created', now);
    else if (then.version !== now.version) add('altered', then);
  }
  for (const [key, then] of before) if (!after.has(key)) add('dropped', then);
  return changes;
}
