/**
 * Reads back from the server what decides how it reads a statement: settings, search path, role and
 * catalogue, and, after code that was not seen through, what prepared names stand for.
 */
import { GatewayError, toGatewayError } from '#core/errors.ts';
import type { Conversation } from './relay-conversation.ts';
import { idle, inTransaction } from './relay-conversation.ts';
import type { CatalogueCache } from './sql/catalogue-cache.ts';
import { emptyCatalogue } from './sql/catalogue-empty.ts';
import { readSessionState, sessionStateSql } from './sql/session-state.ts';
import type { ServerQuery } from './types.ts';

export interface RefreshParts {
  readonly conversation: Conversation;
  readonly catalogues: Pick<CatalogueCache, 'current' | 'changes'>;
  /** Name of the target. */
  readonly target: string;
  readonly query: ServerQuery;
}

const statementsSql = 'SELECT name, statement FROM pg_catalog.pg_prepared_statements';
const cursorsSql = 'SELECT name, statement FROM pg_catalog.pg_cursors';

/**
 * Makes the conversation's state known again.
 *
 * @throws GatewayError when the server does not answer as it must; the state stays unknown.
 */
export async function refreshState(parts: RefreshParts): Promise<void> {
  const { conversation, query } = parts;
  const before = conversation.status;
  const failure = await readState(parts).then(
    () => undefined,
    (thrown: unknown) => toGatewayError(thrown),
  );
  // A reading that failed must not leave the client inside a transaction of the gateway's own.
  if (before === idle && conversation.status !== idle && conversation.isQuiet) {
    await query('ROLLBACK');
    if (conversation.status !== idle) throw new GatewayError('SP_TARGET_PROTOCOL');
  }
  if (failure !== undefined) throw failure;
}

async function readState(parts: RefreshParts): Promise<void> {
  const { conversation, catalogues, query, target } = parts;
  const { known, catalogueUnknown, isStale } = conversation;
  const open = conversation.status === inTransaction ? 'open' : 'none';
  if (conversation.namesUnknown) await verifyNames(conversation, query);
  const state = readSessionState(await query(sessionStateSql));
  if (!conversation.stages.factsMatter && known !== undefined) {
    conversation.learn(known.catalogue, state);
    // Still as old as it was: a policy that reads facts may come into force.
    conversation.catalogueUnknown = catalogueUnknown;
    return;
  }
  const key = `${target}/${state.database}`;
  const generation = conversation.follow(catalogues.changes(key));
  let catalogue = known?.catalogue;
  // Reading it in a transaction fixes the client's snapshot: not for age alone.
  const isDoubtful = catalogueUnknown || conversation.isOutdated;
  if (catalogue === undefined || isDoubtful || (isStale && open === 'none')) {
    const why = known !== undefined && isDoubtful ? 'changed' : 'session';
    try {
      catalogue = await catalogues.current(key, query, why, open);
    } catch (thrown) {
      // It changes faster than it can be read, or is above the limits, or the server gave an error.
      // The session goes on without: nothing that depends on it is complete, and the policy says
      // what that means.
      const { code, facts } = toGatewayError(thrown);
      if (code !== 'SP_NOT_UNDERSTOOD' && facts['sqlstate'] === undefined) throw thrown;
      conversation.learn(catalogue ?? emptyCatalogue, state);
      conversation.catalogueFailed();
      return;
    }
  }
  conversation.learn(catalogue, state, generation);
}

/** Keeps the names whose text on the server is the one that was judged. */
async function verifyNames(conversation: Conversation, query: ServerQuery): Promise<void> {
  const statements = pairs(await query(statementsSql));
  conversation.statements.clear(
    (prepared, name) => name !== '' && statements.get(name) !== prepared.source,
  );
  const cursors = pairs(await query(cursorsSql));
  conversation.portals.clear((portal, name) => name !== '' && cursors.get(name) !== portal.source);
  conversation.namesUnknown = false;
}

const pairs = (rows: readonly (readonly (string | null)[])[]): ReadonlyMap<string, string> =>
  new Map(rows.map(([name, text]) => [name ?? '', text ?? '']));
