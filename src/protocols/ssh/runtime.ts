/**
 * Serves connections. A connection goes through four hands: `downstream.ts` finds out who it is,
 * `upstream.ts` logs in at the target, `relay.ts` serves the session, and what is here ties them.
 */
import { createPrivateKey } from 'node:crypto';
import { errorTable, type GatewayError, toGatewayError } from '#core/errors.ts';
import type { Door, ProtocolRuntime, ProtocolServices, SessionEnd } from '#core/protocol.ts';
import type { Wire } from '#core/wire.ts';
import { FieldReader } from '#core/ssh-fields.ts';
import { sign, writePublicKey } from './codec/keys.ts';
import { analyseOffline } from './commands-offline.ts';
import { sshSettings } from './config.ts';
import { acceptClient } from './downstream.ts';
import { refusalText, refuse } from './refusal.ts';
import { Relay } from './relay.ts';
import type { ServerRole, SshTransport } from './transport.ts';
import type { SshClient } from './types.ts';
import { connectServer } from './upstream.ts';

/** Name of the gateway's host key. */
const HOST_KEY = 'ssh-host';

export function sshRuntime(services: ProtocolServices): ProtocolRuntime {
  let role: ServerRole | undefined;
  return {
    serve: (wire, door, signal) => {
      role ??= hostRole(services);
      return serve(wire, door, { services, role, signal });
    },
    // What a host would do with a command is not asked there.
    learn: () => Promise.resolve(),
    analyse: (input, place) =>
      Promise.resolve(analyseOffline(input, sshSettings.parse(place.target.settings))),
    close: () => Promise.resolve(),
  };
}

function hostRole(services: ProtocolServices): ServerRole {
  const key = createPrivateKey(services.privateKey(HOST_KEY).reveal());
  const blob = writePublicKey(key);
  const type = new FieldReader(blob).text();
  return {
    hostKey: {
      type,
      getPublicSSH: () => blob,
      // `ssh2` puts the name of the algorithm in front itself.
      sign: (data) => {
        const fields = new FieldReader(sign(key, type, data));
        fields.string();
        return Buffer.from(fields.string());
      },
    },
  };
}

interface Serving {
  readonly services: ProtocolServices;
  readonly role: ServerRole;
  readonly signal: AbortSignal;
}

async function serve(wire: Wire, door: Door, serving: Serving): Promise<void> {
  const { services, signal } = serving;
  const client = await acceptClient(wire, door, serving, signal);
  if (client === undefined) return;
  const { admission } = client;
  let end: SessionEnd;
  try {
    const upstream = await admission.dial(signal);
    const either = AbortSignal.any([signal, admission.signal]);
    const server = await connectServer(upstream, admission, services, either);
    end = await relay(client, server, serving);
  } catch (thrown) {
    const error = toGatewayError(thrown);
    client.turnAway(refusalText(refuse(told(error))));
    end = { reason: 'error', code: error.code, detail: error.message };
  }
  await admission.close(end);
}

/** That the target is at fault may be known; what exactly is wrong there is the operator's. */
const told = ({ code }: GatewayError): GatewayError['code'] =>
  code.startsWith('SP_TARGET') || errorTable[code].audience === 'client' ? code : 'SP_INTERNAL';

async function relay(
  client: SshClient,
  server: SshTransport,
  { services, signal }: Serving,
): Promise<SessionEnd> {
  const { transport, admission } = client;
  const session = new Relay({ client: transport, server, admission, services });
  const drain = (): void => session.end({ ...refuse('SP_DRAINING'), endsSession: true });
  signal.addEventListener('abort', drain, { once: true });
  const ended = session.run();
  client.welcome();
  try {
    return await ended;
  } finally {
    signal.removeEventListener('abort', drain);
  }
}
