/** Serves connections of a protocol over HTTP: all that differs between them is the dialect. */
import type { ProtocolRuntime, ProtocolServices } from '#core/protocol.ts';
import { analyseOffline } from './commands-offline.ts';
import type { Dialect } from './dialect.ts';
import { Downstream, namesOf } from './downstream.ts';
import { Routes } from './route.ts';

/**
 * The runtime of a dialect.
 *
 * @throws GatewayError `SP_CONFIG` when two targets have one name.
 */
export function httpRuntime(services: ProtocolServices, dialect: Dialect): ProtocolRuntime {
  const routes = new Routes(services.targets ?? [], namesOf(dialect));
  return {
    serve: (wire, door, signal) =>
      new Downstream({ wire, door, services, dialect, routes }, signal).run(),
    learn: () => Promise.resolve(),
    analyse: (input, place, masks) =>
      Promise.resolve(analyseOffline(input, { place, dialect, masks })),
    close: () => Promise.resolve(),
  };
}
