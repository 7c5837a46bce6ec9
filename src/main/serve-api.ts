/** Puts the services behind the API, and the API on its port. */
import { createApi } from '#api/server.ts';
import type { ApiServices } from '#api/services.ts';
import { systemClock } from '#core/clock.ts';
import { GatewayError } from '#core/errors.ts';
import { TokenExchange } from '#identity/exchange.ts';
import { Revocation } from '#identity/revocation.ts';
import { chainOf } from '#ops/log.ts';
import type { Services, Stack } from './gateway.ts';
import { readNamed } from './targets.ts';

/** Starts the API; answers its port. */
export async function serveApi(services: Services, stack: Stack): Promise<number> {
  const { config, directory } = services.loaded;
  const { address, tls } = config.api;
  if (tls === undefined && !LOOPBACK.test(address.host)) {
    const detail = `api: ${address.host} is not loopback, so the API needs tls`;
    throw new GatewayError('SP_CONFIG', { detail });
  }
  const api = createApi(apiServices(services), {
    tls:
      tls === undefined
        ? undefined
        : {
            cert: readNamed(directory, tls.certificate, 'api'),
            key: readNamed(directory, tls.key.replace(/^file:/, ''), 'api'),
          },
  });
  try {
    await api.listen({ host: address.host, port: address.port });
  } catch (cause) {
    const detail = `the API cannot listen on ${address.host}:${address.port}: is the port taken?`;
    throw new GatewayError('SP_CONFIG', { detail, cause });
  }
  stack.push('api', () => api.close());
  const bound = api.server.address();
  return typeof bound === 'object' && bound !== null ? bound.port : address.port;
}

function apiServices(services: Services): ApiServices {
  const { authenticator, approvals, locks, live, archive, store, events, log } = services;
  return {
    authenticator,
    exchange: new TokenExchange({
      tokens: services.tokens,
      credentials: services.credentials,
      spent: store.spentTokens,
      grants: () => services.grants,
      target: (name) => services.targets.get(name),
      locks,
      events,
      clock: systemClock,
      certificates: services.certificates,
    }),
    approvals,
    locks,
    credentials: revocation(services),
    sessions: live,
    recordings: archive,
    events: store.events,
    eventLog: events,
    health: {
      async ready() {
        const answers = await store.ping().then(
          () => true,
          () => false,
        );
        return [
          { name: 'store', ok: answers },
          { name: 'recorder', ok: services.recorder.refusal === undefined },
          { name: 'accepting', ok: !services.drained.flag },
        ];
      },
    },
    clock: systemClock,
    warn: (message, error) => log.warn(message, { error: chainOf(error) }),
  };
}

/** Revoking a credential ends what came in with it. */
function revocation({ store, live, events }: Services): Revocation {
  const made = new Revocation({ store: store.credentials, events, clock: systemClock });
  made.onRevoked((id) => live.endOfCredential(id));
  return made;
}

const LOOPBACK = /^(127\.|::1$|localhost$)/;
