/**
 * Serves connections with what all sessions of a process share: an analyser and the catalogues.
 *
 * A connection goes through four hands: `downstream.ts` lets the client in, `upstream.ts` logs in
 * at the target, `relay.ts` serves the session, and what is here ties them and tells the end.
 */
import { errorTable, toGatewayError } from '#core/errors.ts';
import type {
  AnalysedCommand,
  Door,
  ProtocolRuntime,
  ProtocolServices,
  SessionEnd,
} from '#core/protocol.ts';
import type { Wire } from '#core/wire.ts';
import { analyseOffline } from './commands-offline.ts';
import { acceptClient } from './downstream.ts';
import { LearnedPlaces } from './learned.ts';
import { encodeFatal, refuse } from './refusal.ts';
import { Relay } from './relay.ts';
import type { CatalogueCache } from './sql/catalogue-cache.ts';
import type { SqlAnalyser } from './sql/types.ts';
import type { PgClient, PgServer } from './types.ts';
import { connectServer } from './upstream.ts';
import { sendCancel } from './upstream-cancel.ts';

/** What every session of one process shares. */
export interface PostgresParts {
  readonly analyser: SqlAnalyser;
  readonly catalogues: Pick<CatalogueCache, 'current' | 'changes'>;
  readonly close: () => Promise<void>;
}

/** Cancel keys of the gateway: 4 bytes in protocol 3.0, more from 3.2 on. */
const CANCEL_KEY_BYTES = { old: 4, new: 32 } as const;
const PROTOCOL_3_2 = 0x30002;
const NAME_BYTES = 16;

/** The runtime over an analyser and a catalogue cache. */
export function postgresRuntime(services: ProtocolServices, parts: PostgresParts): ProtocolRuntime {
  const { analyser, catalogues, close } = parts;
  const places = new LearnedPlaces(services, catalogues);
  return {
    serve: (wire, door, signal) => serve(wire, door, { services, parts, signal }),
    learn: (access, signal) => places.learn(access, signal),
    analyse: (input, place, masks): Promise<readonly AnalysedCommand[]> =>
      analyseOffline({ analyser, state: places.state(place), masks }, input),
    close,
  };
}

interface Serving {
  readonly services: ProtocolServices;
  readonly parts: PostgresParts;
  readonly signal: AbortSignal;
}

async function serve(wire: Wire, door: Door, serving: Serving): Promise<void> {
  const { services, signal } = serving;
  const client = await acceptClient(wire, door, services, signal);
  if (client === undefined) return;
  const { admission } = client;
  let end: SessionEnd;
  try {
    const upstream = await admission.dial(signal);
    const server = await connectServer(upstream, client, admission, services, signal);
    end = await relay(client, server, door, serving);
  } catch (thrown) {
    const error = toGatewayError(thrown);
    const { text, audience } = errorTable[error.code];
    const told = audience === 'client' ? error.message.slice(text.length + 2) : '';
    wire.write(encodeFatal(error.code, told));
    wire.end();
    services.clock.after(1000, () => wire.destroy());
    end = { reason: 'error', code: error.code, detail: error.message };
  }
  await admission.close(end);
}

async function relay(
  client: PgClient,
  server: PgServer,
  door: Door,
  { services, parts, signal }: Serving,
): Promise<SessionEnd> {
  const { admission } = client;
  const size = client.version >= PROTOCOL_3_2 ? CANCEL_KEY_BYTES.new : CANCEL_KEY_BYTES.old;
  const cancelKey = services.random.bytes(size);
  // Not the session's own dial: a session that was ended has to be cancelled too.
  const dialled = {
    authorization: admission.authorization,
    dial: (signal: AbortSignal) => services.dial(admission.authorization, signal),
    secrets: () => admission.secrets(),
  };
  const session = new Relay({
    client,
    server,
    analyser: parts.analyser,
    catalogues: parts.catalogues,
    limits: services.limits,
    clock: services.clock,
    cancelKey,
    secretName: `sallyport ${hex(services.random.bytes(NAME_BYTES))}`,
    cancelUpstream: () => sendCancel(server, dialled, services),
  });
  const key = new Uint8Array(4 + cancelKey.length);
  new DataView(key.buffer).setInt32(0, server.processId);
  key.set(cancelKey, 4);
  const forget = door.cancels.add(hex(key), () => session.cancel());
  const drain = (): void => session.end({ ...refuse('SP_DRAINING'), endsSession: true });
  signal.addEventListener('abort', drain, { once: true });
  try {
    return await session.run();
  } finally {
    signal.removeEventListener('abort', drain);
    forget();
  }
}

const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
