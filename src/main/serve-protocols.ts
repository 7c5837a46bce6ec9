/** Starts the protocols that are in use and their listeners. */
import { systemClock } from '#core/clock.ts';
import { GatewayError } from '#core/errors.ts';
import type { Door, Protocol, ProtocolRuntime } from '#core/protocol.ts';
import { systemRandom } from '#core/random.ts';
import type { ProtocolName } from '#core/target.ts';
import { Listener, type Stranger } from '#listener/listener.ts';
import { Strangers } from '#listener/strangers.ts';
import { createDoor } from '#session/admission.ts';
import type { SocketWire } from '#wire/socket-wire.ts';
import type { ListenerConfig } from '#config/schema.ts';
import type { Services, Stack } from './gateway.ts';
import { gatewayKey } from './ports.ts';
import { tlsOf } from './targets.ts';

export interface Listening {
  readonly port: number;
  drain(): Promise<void>;
}

export async function serveProtocols(
  services: Services,
  registry: ReadonlyMap<ProtocolName, Protocol>,
  stack: Stack,
): Promise<Map<string, Listening>> {
  const { config } = services.loaded;
  const runtimes = new Map<ProtocolName, ProtocolRuntime>();
  for (const name of new Set(config.listeners.map(({ protocol }) => protocol))) {
    const protocol = registry.get(name);
    if (protocol === undefined) {
      throw new GatewayError('SP_CONFIG', { detail: `no protocol '${name}'` });
    }
    const runtime = await protocol.start({
      clock: systemClock,
      random: systemRandom,
      limits: config.limits,
      dial: (authorization, signal) => services.admission.upstream.dial(authorization, signal),
      targets: [...services.targets.values()].filter((target) => target.protocol === name),
      privateKey: (name) => gatewayKey(services.loaded, name),
      warn: (message, facts) => services.log.warn(message, facts),
    });
    stack.push(name, () => runtime.close());
    runtimes.set(name, runtime);
  }
  const strangers = new Strangers(config.limits);
  const listening = new Map<string, Listening>();
  for (const entry of config.listeners) {
    const runtime = runtimes.get(entry.protocol);
    if (runtime === undefined) continue;
    const listener = await openListener(services, entry, { runtime, strangers });
    stack.push(`listener ${entry.name}`, () => listener.drain(0));
    listening.set(entry.name, {
      port: listener.address.port,
      drain: () => listener.drain(),
    });
  }
  return listening;
}

function openListener(
  services: Services,
  entry: ListenerConfig,
  parts: { readonly runtime: ProtocolRuntime; readonly strangers: Strangers },
): Promise<Listener> {
  const tls = tlsOf(entry, services.loaded.directory);
  const { limits } = services.loaded.config;
  return Listener.open({
    name: entry.name,
    host: entry.address.host,
    port: entry.address.port,
    proxies: entry.proxyProtocolFrom,
    limits,
    clock: systemClock,
    strangers: parts.strangers,
    report: (code, detail, facts) => services.log.warn(detail, { code, ...facts }),
    serve: (wire, stranger, signal) => {
      const listener = {
        name: entry.name,
        target: entry.target,
        tls,
        plaintextAllowed: plaintextAllowed(entry, wire),
        authentication: entry.authentication,
        oauth: entry.oauth,
      };
      const door = doorOf(services, entry, { wire, stranger, listener });
      return parts.runtime.serve(wire, door, signal);
    },
  });
}

function doorOf(
  services: Services,
  entry: ListenerConfig,
  one: {
    readonly wire: SocketWire;
    readonly stranger: Stranger;
    readonly listener: Door['listener'];
  },
): Door {
  return createDoor(services.admission, {
    protocol: entry.protocol,
    listener: one.listener,
    wire: one.wire,
    admitted: () => one.stranger.admitted(),
    spend: (count) => one.stranger.spend(count),
    failed: (code, detail) =>
      services.log.warn('a connection failed', {
        code,
        detail,
        listener: entry.name,
        address: one.wire.peer.address,
      }),
  });
}

const LOOPBACK = /^(127\.|::1$|::ffff:127\.)/;

function plaintextAllowed(entry: ListenerConfig, wire: SocketWire): boolean {
  if (entry.plaintext === 'always') return true;
  return entry.plaintext === 'loopback' && LOOPBACK.test(wire.peer.address);
}
