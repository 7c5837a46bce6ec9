/**
 * The gateway's state: opens the database, brings its schema up to date and hands out a repository
 * for each kind of thing. Everything here is asynchronous and off the data path.
 */
import { Kysely } from 'kysely';
import type { Clock } from '#core/clock.ts';
import type { EpochMs } from '#core/ids.ts';
import type { CredentialStore } from '#core/ports/credentials.ts';
import type { EventReader } from '#core/ports/events.ts';
import type { SeenIdentities } from '#core/ports/identities.ts';
import type { SpentTokens } from '#core/ports/jti.ts';
import type { HistoryStore } from '#core/ports/history.ts';
import type { HoldStore } from '#core/ports/holds.ts';
import type { LockStore } from '#core/ports/locks.ts';
import type { Marks } from '#core/ports/marks.ts';
import type { RecordingIndex } from '#core/ports/recordings.ts';
import { StoredCredentials } from './credentials.ts';
import { sqliteDialect } from './dialect.ts';
import { InlineEngine, type SqlEngine } from './engine.ts';
import { StoredEvents } from './events.ts';
import { StoredHistory } from './history.ts';
import { StoredHolds } from './holds.ts';
import { StoredIdentities } from './identities.ts';
import { StoredLocks } from './locks.ts';
import { StoredMarks } from './marks.ts';
import { migrate } from './migrate.ts';
import { StoredRecordingIndex } from './recordings.ts';
import type { Schema } from './schema.ts';
import { StoredSpentTokens } from './spent-tokens.ts';
import { ThreadedEngine } from './threaded-engine.ts';

export interface Store {
  readonly credentials: CredentialStore;
  readonly spentTokens: SpentTokens;
  readonly locks: LockStore;
  readonly holds: HoldStore;
  readonly events: EventReader;
  readonly recordings: RecordingIndex;
  readonly identities: SeenIdentities;
  readonly history: HistoryStore;
  readonly marks: Marks;
  /** Whether the database answers; for the readiness probe. */
  ping(): Promise<void>;
  /** Forgets what expired before `before`: credentials and spent tokens. */
  purge(before: EpochMs): Promise<void>;
  close(): Promise<void>;
}

export interface StoreOptions {
  /** Path of the SQLite file; made with its folder when missing. */
  readonly path: string;
  readonly clock: Clock;
  /** `inline` runs on the caller's thread: for tools and tests, not for a gateway. */
  readonly thread: 'own' | 'inline';
  /** Things that are remembered of one identity at one target. */
  readonly historyDeedsMax?: number;
}

/**
 * Opens the store.
 *
 * @throws GatewayError `SP_STORE` when the file cannot be opened or its schema is not ours.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const engine: SqlEngine =
    options.thread === 'own' ? new ThreadedEngine(options.path) : new InlineEngine(options.path);
  try {
    await migrate(engine, options.clock);
  } catch (thrown) {
    await engine.close().catch(() => undefined);
    throw thrown;
  }
  const db = new Kysely<Schema>({ dialect: sqliteDialect(engine) });
  const credentials = new StoredCredentials(db);
  const spentTokens = new StoredSpentTokens(db, options.clock);
  return {
    credentials,
    spentTokens,
    locks: new StoredLocks(db),
    holds: new StoredHolds(db),
    events: new StoredEvents(db),
    recordings: new StoredRecordingIndex(db),
    identities: new StoredIdentities(db),
    history: new StoredHistory(db, options.historyDeedsMax),
    marks: new StoredMarks(db),
    async ping() {
      await engine.run('select 1', []);
    },
    async purge(before) {
      await credentials.purge(before);
      await spentTokens.purge(before);
    },
    async close() {
      await db.destroy();
      // Kysely closes only what it has used.
      await engine.close();
    },
  };
}

/** The identities in the store of a gateway that may be running. */
export interface IdentityReader extends Pick<SeenIdentities, 'find'> {
  /** What they did before. */
  readonly history: Pick<HistoryStore, 'load'>;
  close(): Promise<void>;
}

/**
 * Opens the store to look identities up, and for nothing else: it is not made, and its schema stays
 * as it is, so that a tool of another release cannot disturb the gateway.
 *
 * @throws GatewayError `SP_STORE` when the file cannot be opened.
 */
export function readIdentities(path: string): IdentityReader {
  const engine = new InlineEngine(path, 'read');
  const db = new Kysely<Schema>({ dialect: sqliteDialect(engine) });
  const identities = new StoredIdentities(db);
  return {
    find: (id) => identities.find(id),
    history: new StoredHistory(db),
    async close() {
      await db.destroy();
      await engine.close();
    },
  };
}
