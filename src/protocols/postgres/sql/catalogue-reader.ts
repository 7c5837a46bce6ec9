/**
 * Reads a catalogue over a connection to its server: first a cheap probe that says which sections
 * changed, then those sections, then the probe again, until nothing changed in between.
 *
 * Invariants: nothing of the session outlives the reading (a transaction or a savepoint of its own,
 * always rolled back), and no name in it can be taken over by an object that a user made.
 */
import { createHash } from 'node:crypto';
import { GatewayError } from '#core/errors.ts';
import type { Limits } from '#core/limits.ts';
import type { ServerQuery } from '../types.ts';
import type { Catalogue } from './catalogue.ts';
import { number, RowSet, type Row, text } from './catalogue-rows.ts';
import {
  probeNames,
  probeSql,
  type Section,
  type SectionName,
  sections,
} from './catalogue-sections.ts';
import { makeCatalogue } from './catalogue-snapshot.ts';

/** Over these a catalogue is refused, since a part of one settles nothing. */
export type CatalogueLimits = Pick<Limits, 'catalogueRowsMax' | 'catalogueCharactersMax'>;

/** What the server says of its catalogue at this moment. */
export interface Probe {
  readonly serverVersion: number;
  readonly database: string;
  /**
   * Whether the answer is what every other session sees too. Not so inside a transaction that has
   * written, and inside one whose snapshot is older than this moment.
   */
  readonly shared: boolean;
  /** Digests by name; equal digests mean equal rows. */
  readonly digests: ReadonlyMap<string, string>;
}

/** One section as it was read. */
interface Loaded {
  /** The digests that it was read under. */
  readonly key: string;
  readonly rows: RowSet;
}

/** A catalogue with what a later reading can take over from it. */
export interface Reading {
  readonly catalogue: Catalogue;
  readonly probe: Probe;
  /** By section and part. */
  readonly loaded: ReadonlyMap<string, Loaded>;
}

/** Keeps one copy of what many databases have in common. */
export interface RowSetPool {
  /** The set of the same content that is known already, or this one. */
  intern(set: RowSet): RowSet;
}

const roundsMax = 4;

/** Asks the server which digests hold now. */
export async function readProbe(query: ServerQuery): Promise<Probe> {
  const rows = await query(probeSql);
  const row = rows[0];
  if (row === undefined || rows.length !== 1 || row.length !== probeNames.length) {
    throw new GatewayError('SP_TARGET_PROTOCOL', { detail: 'the catalogue probe' });
  }
  const digests = new Map<string, string>();
  for (const [at, name] of probeNames.entries()) digests.set(name, row[at] ?? '');
  const head: Row = ['version', 'database'].map((name) => digests.get(name) ?? null);
  return {
    serverVersion: number(head, 0),
    database: text(head, 1),
    shared: digests.get('isolation') === 'read committed' && digests.get('transaction') === '',
    digests,
  };
}

/** Whether a catalogue that was read under `known` still says everything that `now` does. */
export function isCurrent(known: Probe, now: Probe): boolean {
  return (
    known.serverVersion === now.serverVersion &&
    known.database === now.database &&
    sections.every((section) => keyOf(section, known) === keyOf(section, now))
  );
}

function keyOf(section: Section, probe: Probe): string {
  return section.watches.map((name) => probe.digests.get(name) ?? '?').join(' ');
}

export interface ReadOptions {
  readonly query: ServerQuery;
  /** Whether the connection is inside a transaction block of its user. */
  readonly transaction: 'none' | 'open';
  /** What was read before of the same database. */
  readonly before: Reading | undefined;
  /** What the server said just before. */
  readonly probe: Probe;
  readonly limits: CatalogueLimits;
  readonly pool: RowSetPool;
}

/**
 * Reads what changed since `before`.
 *
 * @throws GatewayError when the server does not answer as it must, or the catalogue is over the
 * bounds, or it changes faster than it can be read.
 */
export async function readCatalogue(options: ReadOptions): Promise<Reading> {
  const { query } = options;
  const [open, close] =
    options.transaction === 'none'
      ? [['BEGIN TRANSACTION ISOLATION LEVEL READ COMMITTED READ ONLY'], ['ROLLBACK']]
      : [
          ['SAVEPOINT sallyport_catalogue'],
          // Gives back the locks and the setting; an error inside has not failed the transaction.
          ['ROLLBACK TO SAVEPOINT sallyport_catalogue', 'RELEASE SAVEPOINT sallyport_catalogue'],
        ];
  for (const sql of open) await query(sql);
  try {
    // The temporary schema comes last, or its types and tables would come first.
    await query('SET LOCAL search_path = pg_catalog, pg_temp');
    // Definitions of views and rules are read under locks on their tables. Below the time after
    // which the server looks for deadlocks, so that no client's statement is ended for our sake.
    await query("SET LOCAL lock_timeout = '500ms'");
    // The client's own limit on its statements is not for ours.
    await query('SET LOCAL statement_timeout = 0');
    return await readStable(options);
  } finally {
    for (const sql of close) await query(sql);
  }
}

async function readStable(options: ReadOptions): Promise<Reading> {
  const loaded = new Map(options.before?.loaded);
  let { probe } = options;
  for (let round = 0; round < roundsMax; round += 1) {
    for (const section of sections) {
      const id = `${section.name}.${section.part}`;
      const key = keyOf(section, probe);
      if (loaded.get(id)?.key === key) continue;
      const rows = await options.query(section.sql);
      const set = new RowSet(rows);
      loaded.set(id, { key, rows: section.part === 'base' ? options.pool.intern(set) : set });
      checkBounds(loaded, options.limits);
    }
    const after = await readProbe(options.query);
    if (isCurrent(probe, after)) {
      const catalogue = assemble(after, loaded, options.before?.catalogue);
      return { catalogue, probe: after, loaded };
    }
    probe = after;
  }
  throw new GatewayError('SP_NOT_UNDERSTOOD', { detail: 'the catalogue changes while it is read' });
}

function checkBounds(loaded: ReadonlyMap<string, Loaded>, limits: CatalogueLimits): void {
  let rows = 0;
  let characters = 0;
  for (const part of loaded.values()) {
    rows += part.rows.rows.length;
    characters += part.rows.characters;
  }
  if (rows > limits.catalogueRowsMax || characters > limits.catalogueCharactersMax) {
    throw new GatewayError('SP_NOT_UNDERSTOOD', { detail: 'the catalogue is over the limit' });
  }
}

/** The catalogue of what was loaded; the one before, with all it has made, if nothing differs. */
function assemble(
  probe: Probe,
  loaded: ReadonlyMap<string, Loaded>,
  before: Catalogue | undefined,
): Catalogue {
  const parts = new Map<SectionName, readonly RowSet[]>();
  // Made by the gateway from what it got, never from what the server claims: a server that lies
  // about its digests cannot make its catalogue pass for another's.
  const hash = createHash('sha256').update(`${probe.serverVersion} ${probe.database}\n`);
  for (const { name, part } of sections) {
    const found = loaded.get(`${name}.${part}`)?.rows;
    if (found === undefined) continue;
    parts.set(name, [...(parts.get(name) ?? []), found]);
    hash.update(`${name}.${part} ${found.hash}\n`);
  }
  const version = hash.digest('base64url').slice(0, 22);
  if (before?.version === version) return before;
  return makeCatalogue({
    version,
    serverVersion: probe.serverVersion,
    database: probe.database,
    parts,
  });
}
