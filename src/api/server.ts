/**
 * The HTTP API: fastify around the table of routes. Every call passes, in this order: rate limit,
 * credential, locks, roles, schema. What none of them lets through is a problem document
 * (RFC 9457) that says no more than the error table allows.
 */
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { errorTable, GatewayError, toGatewayError } from '#core/errors.ts';
import type { Identity } from '#core/identity.ts';
import { Secret } from '#core/secret.ts';
import { RateLimiter, type RateLimits } from './rate-limit.ts';
import type { Access, Route } from './route.ts';
import { routes } from './routes.ts';
import type { ApiServices } from './services.ts';

export interface ApiOptions {
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  readonly rate?: RateLimits;
  readonly bodyBytesMax?: number;
}

const defaultRate: RateLimits = { burst: 100, perSecond: 50 };
/** Tokens are at most 16 KiB; everything else is smaller. */
const BODY_BYTES_MAX = 64 * 1024;
/** What a failed login costs of the rate, so that guessing is slow. */
const FAILED_LOGIN_COST = 10;
const REQUEST_MS_MAX = 15_000;

/** The API, ready to listen. The caller listens and closes. */
export function createApi(services: ApiServices, options: ApiOptions = {}): FastifyInstance {
  const limiter = new RateLimiter(options.rate ?? defaultRate, services.clock);
  const app: FastifyInstance = Fastify({
    logger: false,
    bodyLimit: options.bodyBytesMax ?? BODY_BYTES_MAX,
    requestTimeout: REQUEST_MS_MAX,
    // Addresses come from the socket: a header is the client's word.
    trustProxy: false,
    forceCloseConnections: true,
    ...(options.tls === undefined ? {} : { https: options.tls }),
  });
  app.removeContentTypeParser('text/plain');
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    (_request, body, done) => done(null, new URLSearchParams(String(body))),
  );
  app.setErrorHandler((error, _request, reply) => sendProblem(services, reply, error));
  app.setNotFoundHandler((_request, reply) =>
    sendProblem(services, reply, new GatewayError('SP_NOT_FOUND', { detail: 'no such route' })),
  );
  for (const route of routes) {
    app.route({
      method: route.method,
      url: route.path.replaceAll(/\{(\w+)\}/g, ':$1'),
      exposeHeadRoute: false,
      // Before the body is read: a stranger's bytes are not worth parsing.
      onRequest: async (request) => {
        if (route.tag !== 'health' && !limiter.take(request.ip)) {
          throw new GatewayError('SP_TOO_MANY');
        }
        if (route.access === 'public') return;
        const identity = await authenticate(services, limiter, request);
        authorise(route.access, identity);
        callers.set(request, identity);
      },
      handler: (request, reply) => answer(services, route, request, reply),
    });
  }
  return app;
}

/** Who sent a request. Beside it, not on it: nothing that a client sends can get there. */
const callers = new WeakMap<FastifyRequest, Identity>();

async function answer(
  services: ApiServices,
  route: Route,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const isForm = request.body instanceof URLSearchParams;
  if (
    route.body !== undefined &&
    request.body !== undefined &&
    isForm !== (route.bodyType === 'form')
  ) {
    throw new GatewayError('SP_BAD_REQUEST', { detail: `the body must be ${route.bodyType}` });
  }
  const { status, body } = await route.run(services, {
    identity: callers.get(request),
    params: request.params,
    query: request.query,
    body: request.body ?? undefined,
    address: request.ip,
  });
  return secureHeaders(reply).code(status).send(body);
}

async function authenticate(
  services: ApiServices,
  limiter: RateLimiter,
  request: FastifyRequest,
): Promise<Identity> {
  const token = /^Bearer ([^\s]+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (token === undefined) throw new GatewayError('SP_LOGIN_FAILED');
  try {
    const { identity } = await services.authenticator.authenticateBearer(new Secret(token));
    const { id, owner, onBehalfOf } = identity;
    const subject = { identity: id, owner, onBehalfOf, target: '', session: undefined };
    if (services.locks.check(subject) !== undefined) throw new GatewayError('SP_LOCKED');
    return identity;
  } catch (thrown) {
    limiter.charge(request.ip, FAILED_LOGIN_COST);
    const error = toGatewayError(thrown);
    services.eventLog.emit({
      type: 'login.failed',
      actor: 'system',
      session: undefined,
      target: undefined,
      data: {
        code: error.code,
        why: String(error.facts['why'] ?? error.code),
        address: request.ip,
        listener: 'api',
      },
    });
    throw error;
  }
}

/** Throws unless the identity has one of the roles. Default is no. */
function authorise(access: Access, identity: Identity): void {
  if (access === 'public' || access === 'anyone') return;
  if (access.some((role) => identity.roles.includes(role))) return;
  throw new GatewayError('SP_FORBIDDEN', { detail: `needs the role ${access.join(' or ')}` });
}

function secureHeaders(reply: FastifyReply): FastifyReply {
  return reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
}

/** Answers a problem. What is ours to know goes to the operator's log, not to the client. */
function sendProblem(services: ApiServices, reply: FastifyReply, thrown: unknown): FastifyReply {
  const error = asProblem(thrown);
  const row = errorTable[error.code];
  if (row.audience === 'operator') services.warn('an API call failed', error);
  const detail =
    row.audience === 'client' && error.message !== row.text
      ? { detail: error.message.slice(row.text.length + 2) }
      : {};
  if (row.http === 401) reply.header('www-authenticate', 'Bearer');
  if (error.code === 'SP_TOO_MANY') reply.header('retry-after', '1');
  const status = error.code === 'SP_TOO_MANY' ? 429 : row.http;
  return secureHeaders(reply)
    .code(status)
    .type('application/problem+json')
    .send({
      type: `urn:sallyport:error:${error.code}`,
      title: row.text,
      status,
      code: error.code,
      ...detail,
    });
}

/** Fastify's own refusals (body too large, not JSON, unknown media type) are the client's doing. */
function asProblem(thrown: unknown): GatewayError {
  if (thrown instanceof GatewayError) return thrown;
  const status = thrown instanceof Error && 'statusCode' in thrown ? thrown.statusCode : undefined;
  if (status === 413) return new GatewayError('SP_FRAME_TOO_LARGE', { cause: thrown });
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return new GatewayError('SP_BAD_REQUEST', { detail: 'the body cannot be read', cause: thrown });
  }
  return toGatewayError(thrown);
}
