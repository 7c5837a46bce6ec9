/**
 * A connection that has changed its protocol: bytes both ways through what the dialect makes of
 * them, recorded, with back-pressure, until either end leaves.
 */
import { type GatewayError, toGatewayError } from '#core/errors.ts';
import type { Tape } from '#core/tape.ts';
import type { Tunnel, TunnelEnds } from './dialect.ts';
import type { Consumer } from './input.ts';
import type { Outlet } from './outlet.ts';
import type { Client } from './relay.ts';
import type { Connection } from './spares.ts';

/** Both ends of a connection. */
export interface TunnelPlace {
  readonly client: Client;
  readonly connection: Connection;
  readonly outlet: Outlet;
  readonly tape: Tape;
}

/** Hands on whatever comes. */
export class Everything implements Consumer {
  readonly isDone = false;
  readonly #take: (bytes: Uint8Array) => void;

  constructor(take: (bytes: Uint8Array) => void) {
    this.#take = take;
  }

  take(bytes: Uint8Array, start: number): number {
    if (bytes.length > start) this.#take(bytes.subarray(start));
    return bytes.length;
  }
}

/**
 * Runs until either end has left or what passes is not understood.
 *
 * @returns why it ended, undefined when an end left.
 */
export async function runTunnel(
  { client, connection, outlet, tape }: TunnelPlace,
  open: (ends: TunnelEnds) => Tunnel,
): Promise<GatewayError | undefined> {
  const tunnel = open({
    toClient: (bytes) => outlet.pass(bytes),
    toTarget(bytes) {
      if (!connection.wire.write(bytes)) client.flow.pause();
    },
  });
  const fromClient = new Everything((bytes) => {
    tape.data('from-client', bytes, 0, bytes.length);
    tunnel.fromClient(bytes);
  });
  const fromTarget = new Everything((bytes) => tunnel.fromTarget(bytes));
  try {
    await Promise.race([client.body(fromClient), connection.input.consume(fromTarget)]);
    return undefined;
  } catch (thrown) {
    return toGatewayError(thrown);
  }
}
