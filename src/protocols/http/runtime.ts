/** Serves connections of a protocol over HTTP: all that differs between them is the dialect. */
import type { ProtocolRuntime, ProtocolServices } from '#core/protocol.ts';
import { analyseOffline } from './commands-offline.ts';
import type { Dialect } from './dialect.ts';
import { Downstream, namesOf } from './downstream.ts';
import { serveHttp2 } from './h2/server.ts';
import { Routes } from './route.ts';

/**
 * The runtime of a dialect.
 *
 * @throws GatewayError `SP_CONFIG` when two targets have one name.
 */
export function httpRuntime(services: ProtocolServices, dialect: Dialect): ProtocolRuntime {
  const routes = new Routes(services.targets ?? [], namesOf(dialect));
  return {
    serve(wire, door, signal) {
      const parts = { wire, door, services, dialect, routes };
      return new Downstream(parts, signal).run((first) => serveHttp2(parts, first, signal));
    },
    learn: () => Promise.resolve(),
    analyse: (input, place, masks) =>
      Promise.resolve(analyseOffline(input, { place, dialect, masks })),
    close: () => Promise.resolve(),
  };
}
