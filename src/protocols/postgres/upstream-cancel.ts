/**
 * Cancels what a server runs for a session: a connection of its own to the same target, with TLS as
 * the session's, one packet, and the end. Nothing is answered, as the protocol has it.
 */
import type { Admission, ProtocolServices } from '#core/protocol.ts';
import { encodeCancelRequest } from './codec/write.ts';
import { postgresSettings } from './config.ts';
import { Handshake } from './handshake.ts';
import { startTls } from './upstream.ts';
import type { PgServer } from './types.ts';

const BYTES_MAX = 1024;

/**
 * Sends the CancelRequest of `server`. Never throws: a cancel that does not arrive is lost, and the
 * operator is told.
 */
export async function sendCancel(
  server: Pick<PgServer, 'processId' | 'cancelKey'>,
  admission: Pick<Admission, 'authorization' | 'dial' | 'secrets'>,
  services: ProtocolServices,
): Promise<void> {
  if (server.cancelKey.length === 0) return;
  const deadline = new AbortController();
  const stop = services.clock.after(services.limits.dialMsMax, () => deadline.abort());
  const { target } = admission.authorization;
  try {
    const wire = await admission.dial(deadline.signal);
    const bounds = { bytesMax: BYTES_MAX, spend: () => {} };
    const handshake = new Handshake(wire, bounds, deadline.signal);
    try {
      const settings = postgresSettings.parse(target.settings ?? {});
      const secrets = await admission.secrets();
      await startTls({ handshake, services, target, settings, secrets });
      wire.write(encodeCancelRequest(server.processId, server.cancelKey));
      wire.end();
      // The server closes when it has read it; until then the packet may still be on its way.
      await handshake.take(1).catch(() => undefined);
    } finally {
      handshake.finish();
      wire.destroy();
    }
  } catch {
    services.warn('a cancel request did not reach its target', { target: target.name });
  } finally {
    stop();
  }
}
