/**
 * A catalogue over the rows of its sections. Objects are made when they are asked for and kept, so
 * that a session over a large database pays for what its statements touch.
 *
 * Invariant: the snapshot is a pure function of its rows, and `version` is a hash over all of them;
 * two snapshots of one version answer alike, whichever server the rows came from.
 */
import type {
  CastInfo,
  Catalogue,
  EventTriggerInfo,
  ExtensionInfo,
  FunctionInfo,
  Oid,
  OperatorClassInfo,
  OperatorInfo,
  Relation,
  RoleInfo,
  SchemaInfo,
  TypeInfo,
} from './catalogue.ts';
import { readFunction } from './catalogue-functions.ts';
import { readRelation } from './catalogue-relations.ts';
import { flag, maybe, number, oids, type Row, type RowSet, text } from './catalogue-rows.ts';
import type { SectionName } from './catalogue-sections.ts';
import type { Source } from './catalogue-source.ts';
import { readType } from './catalogue-types.ts';

/** The sections of one snapshot: the server's own objects and users', where they are apart. */
export type Parts = ReadonlyMap<SectionName, readonly RowSet[]>;

/** Remembers what `make` made for a key. */
class Memo<Key, Value> {
  readonly #made = new Map<Key, Value>();
  readonly #make: (key: Key) => Value;

  constructor(make: (key: Key) => Value) {
    this.#make = make;
  }

  get(key: Key): Value {
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const value = this.#make(key);
    // Only what exists is kept: names that a client makes up must not fill memory.
    if (value !== undefined) this.#made.set(key, value);
    return value;
  }
}

export interface SnapshotOptions {
  readonly version: string;
  readonly serverVersion: number;
  readonly database: string;
  readonly parts: Parts;
}

/** Makes a catalogue of what the reader read. */
export function makeCatalogue(options: SnapshotOptions): Catalogue {
  return new Snapshot(options);
}

class Snapshot implements Catalogue, Source {
  readonly version: string;
  readonly serverVersion: number;
  readonly database: string;
  readonly schemas: ReadonlyMap<string, SchemaInfo>;
  readonly roles: ReadonlyMap<string, RoleInfo>;
  readonly extensions: ReadonlyMap<string, ExtensionInfo>;
  readonly eventTriggers: readonly EventTriggerInfo[];
  readonly operatorClasses: readonly OperatorClassInfo[];
  readonly #parts: Parts;
  readonly #schemaNames: ReadonlyMap<string, string>;
  readonly #roleNames: ReadonlyMap<string, string>;
  readonly #relations: Memo<Oid, Relation | undefined>;
  readonly #functions: Memo<Oid, FunctionInfo | undefined>;
  readonly #operators: Memo<Oid, OperatorInfo | undefined>;
  readonly #types: Memo<Oid, TypeInfo | undefined>;

  constructor(options: SnapshotOptions) {
    this.version = options.version;
    this.serverVersion = options.serverVersion;
    this.database = options.database;
    this.#parts = options.parts;
    const nameOf = (row: Row): [string, string] => [text(row, 0), text(row, 1)];
    this.#schemaNames = new Map(this.#rows('schemas').map(nameOf));
    this.#roleNames = new Map(this.#rows('roles').map(nameOf));
    this.schemas = new Map(this.#rows('schemas').map((row) => [text(row, 1), this.#schema(row)]));
    this.roles = new Map(this.#rows('roles').map((row) => [text(row, 1), readRole(row)]));
    this.extensions = new Map(
      this.#rows('extensions').map((row) => [text(row, 1), readExtension(row)]),
    );
    this.eventTriggers = this.#rows('eventTriggers').map(readEventTrigger);
    this.operatorClasses = this.#rows('operatorClasses').map((row) => this.#operatorClass(row));
    this.#relations = new Memo((oid) => readRelation(this, oid));
    this.#functions = new Memo((oid) => readFunction(this, oid));
    this.#operators = new Memo((oid) => this.#operator(oid));
    this.#types = new Memo((oid) => readType(this, oid));
  }

  relation(schema: string, name: string): Relation | undefined {
    const oid = this.#find('relations', schema, name)[0];
    return oid === undefined ? undefined : this.#relations.get(oid);
  }

  relationByOid(oid: Oid): Relation | undefined {
    return this.#relations.get(oid);
  }

  functions(schema: string | undefined, name: string): readonly FunctionInfo[] {
    return present(this.#find('functions', schema, name).map((oid) => this.#functions.get(oid)));
  }

  functionByOid(oid: Oid): FunctionInfo | undefined {
    return this.#functions.get(oid);
  }

  operators(name: string): readonly OperatorInfo[] {
    const found = this.#find('operators', undefined, name);
    return present(found.map((oid) => this.#operators.get(oid)));
  }

  type(schema: string | undefined, name: string): TypeInfo | undefined {
    const found = this.#find('types', schema ?? 'pg_catalog', name);
    if (found[0] !== undefined) return this.#types.get(found[0]);
    if (schema !== undefined) return undefined;
    const anywhere = this.#find('types', undefined, name);
    const only = anywhere.length === 1 ? anywhere[0] : undefined;
    return only === undefined ? undefined : this.#types.get(only);
  }

  typeByOid(oid: Oid): TypeInfo | undefined {
    return this.#types.get(oid);
  }

  casts(source: Oid | undefined, target: Oid | undefined): readonly CastInfo[] {
    const rows =
      source !== undefined
        ? this.keyed('casts', source)
        : target !== undefined
          ? this.named('casts', String(target))
          : this.#rows('casts');
    return rows.map(readCast).filter((cast) => target === undefined || cast.target === target);
  }

  keyed(section: SectionName, key: Oid): readonly Row[] {
    const sets = this.#parts.get(section) ?? [];
    const wanted = String(key);
    if (sets.length === 1) return sets[0]?.keyed(wanted) ?? [];
    return sets.flatMap((set) => set.keyed(wanted));
  }

  named(section: SectionName, name: string): readonly Row[] {
    return (this.#parts.get(section) ?? []).flatMap((set) => set.named(name));
  }

  schemaName(oid: Oid): string {
    return this.#schemaNames.get(String(oid)) ?? '';
  }

  roleName(oid: Oid): string {
    return this.#roleNames.get(String(oid)) ?? '';
  }

  languageName(oid: Oid): string {
    const row = this.keyed('languages', oid)[0];
    return row === undefined ? '' : text(row, 1);
  }

  extensionOf(catalog: Oid, oid: Oid): string | undefined {
    const row = this.keyed('members', oid).find((member) => number(member, 1) === catalog);
    return row === undefined ? undefined : text(row, 2);
  }

  #rows(section: SectionName): readonly Row[] {
    return (this.#parts.get(section) ?? []).flatMap((set) => set.rows);
  }

  /** Oids of a section whose third column is the schema. */
  #find(section: SectionName, schema: string | undefined, name: string): readonly Oid[] {
    const found = this.named(section, name);
    const wanted =
      schema === undefined
        ? found
        : found.filter((row) => this.#schemaNames.get(text(row, 2)) === schema);
    return wanted.map((row) => number(row, 0));
  }

  #schema(row: Row): SchemaInfo {
    return { oid: number(row, 0), name: text(row, 1), owner: this.roleName(number(row, 2)) };
  }

  #operator(oid: Oid): OperatorInfo | undefined {
    const row = this.keyed('operators', oid)[0];
    if (row === undefined) return undefined;
    return {
      oid,
      schema: this.schemaName(number(row, 2)),
      name: text(row, 1),
      left: number(row, 3),
      right: number(row, 4),
      result: number(row, 5),
      functionOid: number(row, 6),
      estimatorOids: oids(row, 7),
    };
  }

  #operatorClass(row: Row): OperatorClassInfo {
    return {
      oid: number(row, 0),
      name: text(row, 1),
      schema: this.schemaName(number(row, 2)),
      method: text(row, 3),
      typeOid: number(row, 4),
      isDefault: flag(row, 5),
      functionOids: oids(row, 6),
    };
  }
}

function present<T>(values: readonly (T | undefined)[]): readonly T[] {
  return values.filter((value) => value !== undefined);
}

function readRole(row: Row): RoleInfo {
  return {
    oid: number(row, 0),
    name: text(row, 1),
    superuser: flag(row, 2),
    bypassRowSecurity: flag(row, 3),
  };
}

function readExtension(row: Row): ExtensionInfo {
  return { name: text(row, 1), version: maybe(row, 2) ?? '', schema: text(row, 3) };
}

function readEventTrigger(row: Row): EventTriggerInfo {
  return {
    name: text(row, 1),
    event: text(row, 2),
    functionOid: number(row, 3),
    enabled: text(row, 4) !== 'D',
  };
}

function readCast(row: Row): CastInfo {
  const context = text(row, 2);
  const method = text(row, 3);
  return {
    source: number(row, 0),
    target: number(row, 1),
    context: context === 'i' ? 'implicit' : context === 'a' ? 'assignment' : 'explicit',
    method: method === 'b' ? 'binary' : method === 'i' ? 'inout' : 'function',
    functionOid: number(row, 4),
  };
}
