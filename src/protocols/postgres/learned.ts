/**
 * What is known of places outside a session: the catalogue, and how a session that begins there
 * reads a text. Learned over a connection of the gateway's own, kept for the places used last.
 */
import type { AnalysisPlace, CatalogueAccess, ProtocolServices } from '#core/protocol.ts';
import { OwnConnection } from './own-connection.ts';
import type { CatalogueCache } from './sql/catalogue-cache.ts';
import { readSessionState, sessionStateSql } from './sql/session-state.ts';
import type { SqlState } from './sql/types.ts';
import { connectServer } from './upstream.ts';

/** How a new session of a place reads its first text. */
export type StartState = Omit<SqlState, 'prepared' | 'cursor'>;

/** A connection that nobody but its own signal ends. */
const untouched: AbortSignal = new AbortController().signal;

export class LearnedPlaces {
  readonly #services: ProtocolServices;
  readonly #catalogues: Pick<CatalogueCache, 'current'>;
  /** In order of learning, the latest last. */
  readonly #states = new Map<string, StartState>();

  constructor(services: ProtocolServices, catalogues: Pick<CatalogueCache, 'current'>) {
    this.#services = services;
    this.#catalogues = catalogues;
  }

  /** @see ProtocolRuntime.learn */
  async learn(access: CatalogueAccess, signal: AbortSignal): Promise<void> {
    const { authorization, namespace } = access;
    const { target, account } = authorization;
    const services = this.#services;
    const client = {
      parameters: new Map([['application_name', 'sallyport']]),
      database: namespace,
    };
    const admission = { authorization, secrets: () => access.secrets(), signal: untouched };
    const wire = await services.dial(authorization, signal);
    const server = await connectServer(wire, client, admission, services, signal);
    const connection = new OwnConnection(server, services, signal);
    try {
      const { query } = connection;
      const state = readSessionState(await query(sessionStateSql));
      const { searchPath, role, database } = state;
      const key = `${target.name}/${database}`;
      const catalogue = await this.#catalogues.current(key, query, 'session');
      const known = state.unsound === undefined;
      this.#keep(
        { target, account: account.name, namespace },
        { catalogue, searchPath, role, database, known },
      );
    } finally {
      connection.close();
    }
  }

  /** The state of a place that was learned. */
  state(place: AnalysisPlace): StartState | undefined {
    return this.#states.get(keyOf(place));
  }

  #keep(place: AnalysisPlace, state: StartState): void {
    const key = keyOf(place);
    this.#states.delete(key);
    this.#states.set(key, state);
    for (const oldest of this.#states.keys()) {
      if (this.#states.size <= this.#services.limits.catalogueTargetsMax) break;
      this.#states.delete(oldest);
    }
  }
}

const keyOf = ({ target, account, namespace }: AnalysisPlace): string =>
  JSON.stringify([target.name, account, namespace]);
