/**
 * The catalogues of the targets in use: one current snapshot for each target and database, shared
 * by its sessions, and checked against the server by a probe that costs some milliseconds.
 *
 * Invariants: a bounded number of targets is kept; a snapshot that saw what only its own session
 * can see is returned and not kept; a probe that began before a change never vouches for after it.
 */
import type { Clock } from '#core/clock.ts';
import type { Limits } from '#core/limits.ts';
import type { ServerQuery } from '../types.ts';
import type { Catalogue } from './catalogue.ts';
import { CatalogueChanges } from './catalogue-changes.ts';
import {
  isCurrent,
  readCatalogue,
  type Reading,
  readProbe,
  type RowSetPool,
} from './catalogue-reader.ts';
import type { RowSet } from './catalogue-rows.ts';

export interface CatalogueCacheOptions {
  readonly clock: Clock;
  readonly limits: Pick<
    Limits,
    'catalogueTargetsMax' | 'catalogueRowsMax' | 'catalogueCharactersMax'
  >;
  /** For how long an answer of the probe is good for a new session of the same target. */
  readonly freshMsMax?: number;
}

/**
 * `session`: a session begins, or its timer says that others may have changed something.
 * `changed`: a statement of this session changed the catalogue, or ended a transaction that had.
 */
export type CatalogueReason = 'session' | 'changed';

interface Entry {
  reading: Reading;
  /** {@link CatalogueChanges.generation} when the probe that vouches for it began. */
  generation: number;
  /** On the clock's monotonic scale: when the probe that vouches for it began. */
  provenAt: number;
}

export class CatalogueCache {
  readonly #clock: Clock;
  readonly #limits: CatalogueCacheOptions['limits'];
  readonly #freshMsMax: number;
  /** In order of use, the latest last. */
  readonly #entries = new Map<string, Entry>();
  /** Readings under way that a new session may wait for. */
  readonly #pending = new Map<string, { reading: Promise<Reading>; generation: number }>();
  /** One for each database that a session has logged in to, so there are no more than exist. */
  readonly #changes = new Map<string, CatalogueChanges>();
  readonly #pool: RowSetPool;

  constructor(options: CatalogueCacheOptions) {
    this.#clock = options.clock;
    this.#limits = options.limits;
    this.#freshMsMax = options.freshMsMax ?? 1_000;
    this.#pool = rowSetPool(this.#limits.catalogueTargetsMax * 8);
  }

  /** What sessions are doing to a catalogue. The same object for the same key. */
  changes(targetKey: string): CatalogueChanges {
    const known = this.#changes.get(targetKey);
    if (known !== undefined) return known;
    const made = new CatalogueChanges();
    this.#changes.set(targetKey, made);
    return made;
  }

  /**
   * The catalogue as the session behind `query` sees it now.
   *
   * `transaction` says whether that session is inside a transaction block. Then the reading happens
   * within a savepoint, and when the transaction has written, or sees an older state than other
   * sessions do, the snapshot is for this session alone. Call again with `changed` when the
   * transaction ends.
   *
   * Reading inside a transaction fixes its snapshot: a later `SET TRANSACTION ISOLATION LEVEL`
   * of the client would fail. So ask only after the transaction has run a statement of its own.
   *
   * @param targetKey - names target and database; sessions of one key share what is shared.
   * @throws GatewayError when the catalogue cannot be read; nothing can be judged without it.
   */
  async current(
    targetKey: string,
    query: ServerQuery,
    why: CatalogueReason,
    transaction: 'none' | 'open' = 'none',
  ): Promise<Catalogue> {
    const entry = this.#entries.get(targetKey);
    const now = this.#clock.monotonicMs();
    const { generation } = this.changes(targetKey);
    if (why === 'session' && transaction === 'none') {
      const isFresh = entry !== undefined && now - entry.provenAt < this.#freshMsMax;
      if (isFresh && entry.generation === generation) {
        return this.#use(targetKey, entry).reading.catalogue;
      }
      const pending = this.#pending.get(targetKey);
      if (pending?.generation === generation) {
        // Another session's connection may die under its reading; that must not fail this one.
        const shared = await pending.reading.catch(() => undefined);
        if (shared !== undefined) return shared.catalogue;
      }
    }
    const reading = this.#read(targetKey, query, transaction);
    if (transaction === 'none') this.#announce(targetKey, reading, generation);
    return (await reading).catalogue;
  }

  /** Lets new sessions wait for this reading instead of making their own. */
  #announce(targetKey: string, reading: Promise<Reading>, generation: number): void {
    this.#pending.set(targetKey, { reading, generation });
    const done = (): void => {
      if (this.#pending.get(targetKey)?.reading === reading) this.#pending.delete(targetKey);
    };
    reading.then(done, done);
  }

  async #read(
    targetKey: string,
    query: ServerQuery,
    transaction: 'none' | 'open',
  ): Promise<Reading> {
    const began = this.#clock.monotonicMs();
    const { generation } = this.changes(targetKey);
    const before = this.#entries.get(targetKey)?.reading;
    const probe = await readProbe(query);
    const reading =
      before !== undefined && isCurrent(before.probe, probe)
        ? before
        : await readCatalogue({
            query,
            transaction,
            before,
            probe,
            limits: this.#limits,
            pool: this.#pool,
          });
    if (probe.shared && reading.probe.shared) {
      this.#keep(targetKey, { reading, provenAt: began, generation });
    }
    return reading;
  }

  #keep(targetKey: string, read: Entry): void {
    const entry = this.#entries.get(targetKey);
    // A slow reading must not replace the result of one that began after it.
    if (entry !== undefined && entry.provenAt > read.provenAt) return;
    this.#use(targetKey, read);
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#limits.catalogueTargetsMax) break;
      this.#entries.delete(oldest);
    }
  }

  #use(targetKey: string, entry: Entry): Entry {
    this.#entries.delete(targetKey);
    this.#entries.set(targetKey, entry);
    return entry;
  }
}

/** Servers of one version have some 10,000 rows in common; they are kept once. */
function rowSetPool(sizeMax: number): RowSetPool {
  const known = new Map<string, RowSet>();
  return {
    intern(set) {
      const same = known.get(set.hash) ?? set;
      known.delete(set.hash);
      known.set(set.hash, same);
      for (const oldest of known.keys()) {
        if (known.size <= sizeMax) break;
        known.delete(oldest);
      }
      return same;
    },
  };
}
