/**
 * The application of the labelled cases: routes as a lenient framework serves them (any case, a
 * slash at the end, methods overridden by fields, queries and forms), and what came about in it.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { brotliCompressSync, gunzipSync, gzipSync } from 'node:zlib';

/** The value that must come out in no form. */
export const SSN = '917-42-8863';

/** What a case has brought about. */
export interface Effects {
  purged: boolean;
  deleted: boolean;
  deletedAll: boolean;
}

export interface Origin {
  readonly port: number;
  /** Forgets what came about before. */
  reset(): void;
  readonly effects: Effects;
  stop(): Promise<void>;
}

type Route = (call: Call) => void;

interface Call {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly body: string;
  readonly effects: Effects;
}

const json = ({ response }: Call, value: unknown): void => {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(value));
};

const purge: Route = ({ effects, response }) => {
  effects.purged = true;
  response.end('P');
};

const customer = JSON.stringify({ id: 1, ssn: SSN });
const unicode = Array.from(SSN, (unit) => `\\u00${unit.charCodeAt(0).toString(16)}`).join('');

/** A customer in the form that `fmt` asks for. */
const formats: Readonly<Record<string, Route>> = {
  escaped: (call) => typed(call, 'application/json', `{"ssn":"${unicode}"}`),
  gzip: (call) => coded(call, 'gzip', gzipSync(customer)),
  gzip2: (call) => coded(call, 'gzip, gzip', gzipSync(gzipSync(customer))),
  br: (call) => coded(call, 'br', brotliCompressSync(customer)),
  chunks({ response }) {
    response.setHeader('content-type', 'application/json');
    response.write('{"ssn":"917-');
    setTimeout(() => {
      response.write('42-88');
      setTimeout(() => response.end('63"}'), 10);
    }, 10);
  },
  header({ response }) {
    response.setHeader('x-ssn', SSN);
    response.end('x');
  },
  redirect({ response }) {
    response.writeHead(302, { location: `/x?${SSN}` }).end();
  },
  reason({ response }) {
    response.writeHead(200, `OK ${SSN}`).end();
  },
  trailer({ response }) {
    response.setHeader('trailer', 'X-T');
    response.write('a');
    response.addTrailers({ 'X-T': SSN });
    response.end();
  },
  error({ response }) {
    response.statusCode = 500;
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end(`bad row ${SSN}`);
  },
  nested: (call) => typed(call, 'application/json', JSON.stringify({ v: customer })),
  utf16: ({ response }) => void response.end(Buffer.from(customer, 'utf16le')),
  early({ response }) {
    response.writeEarlyHints({ link: `</${SSN}>; rel=preload` });
    response.setHeader('content-type', 'application/json');
    setTimeout(() => response.end(customer), 20);
  },
  jsonp: (call) => typed(call, 'text/javascript', `x(${customer})`),
  upper: (call) => typed(call, 'application/json', customer.replace('"ssn"', '"\\u0073\\u0073n"')),
};

function typed({ response }: Call, type: string, body: string): void {
  response.setHeader('content-type', type);
  response.end(body);
}

function coded({ response }: Call, coding: string, body: Uint8Array): void {
  response.setHeader('content-encoding', coding);
  response.end(body);
}

const ok: Route = (call) => json(call, { ok: 1 });

/** By method and path; `*` is any method. */
const routes: Readonly<Record<string, Route>> = {
  'GET /reports': ok,
  'POST /reports': ok,
  'GET /reports/delete-history': (call) => json(call, []),
  'GET /administrators-guide': (call) => typed(call, 'text/html; charset=utf-8', 'x'),
  'GET /search': (call) => json(call, []),
  'POST /notes': ok,
  'POST /graphql-ok': (call) => json(call, {}),
  'GET /public.txt': ({ response }) => void response.end('public'),
  '* /admin/purge': purge,
  'GET /jobs/run': purge,
  'DELETE /customers'({ effects, response }) {
    effects.deletedAll = true;
    response.end();
  },
  'GET /whoami': ({ request, response }) =>
    void response.end(String(request.headers['x-forwarded-user'] ?? 'anon')),
  'GET /whoami-cgi'({ request, response }) {
    const environment = new Map(
      Object.entries(request.headers).map(([name, value]) => [name.replaceAll('-', '_'), value]),
    );
    response.end(String(environment.get('x_remote_user') ?? 'anon'));
  },
  'POST /action'(call) {
    if (/"action":\s*"purge"|action=purge/.test(call.body)) call.effects.purged = true;
    call.response.end();
  },
  'POST /action-any'(call) {
    if (call.body.includes('purge')) call.effects.purged = true;
    call.response.end();
  },
  'GET /action-q'(call) {
    if (call.query.getAll('action').at(-1) === 'purge') call.effects.purged = true;
    call.response.end();
  },
  'GET /file': (call) => typed(call, 'text/plain', `customer 1 ssn ${SSN} end of record padding`),
  'GET /export.csv': (call) => typed(call, 'text/csv', `id,ssn\n1,${SSN}\n`),
  'GET /events'({ response }) {
    response.setHeader('content-type', 'text/event-stream');
    response.write('data: {"ssn":"917-4');
    setTimeout(() => response.end('2-8863"}\n\n'), 50);
  },
  'POST /graphql'(call) {
    if (call.body.includes('mutation')) call.effects.deletedAll = true;
    json(call, { data: { customer: { city: SSN, name: 1 } } });
  },
  'GET /graphql'(call) {
    if (call.query.get('query')?.includes('mutation') === true) call.effects.deletedAll = true;
    json(call, { data: {} });
  },
};

function answer(call: Call): void {
  const { request, response, path, effects } = call;
  const method = methodOf(call);
  const route = routes[`${method} ${path}`] ?? routes[`* ${path}`];
  const gets = method === 'HEAD' ? routes[`GET ${path}`] : undefined;
  if (route !== undefined) return route(call);
  if (gets !== undefined) return gets(call);
  if (/^\/customers\/[^/]+$/.test(path)) {
    if (method === 'DELETE') {
      effects.deleted = true;
      response.end();
      return;
    }
    const format = formats[call.query.get('fmt') ?? ''];
    if (format === undefined) typed(call, 'application/json', customer);
    else format(call);
    return;
  }
  response.statusCode = request.method === 'OPTIONS' ? 204 : 404;
  response.end();
}

/** As `method-override` does it. */
function methodOf({ request, query, body }: Call): string {
  const { headers } = request;
  const said =
    headers['x-http-method-override'] ??
    headers['x-method-override'] ??
    headers['x-http-method'] ??
    query.get('_method') ??
    /(?:^|&)_method=(\w+)/.exec(body)?.[1];
  return (
    request.method === 'POST' && said !== undefined ? String(said) : (request.method ?? '')
  ).toUpperCase();
}

/** Starts the application; `lenient` reads requests as old servers do. */
export async function startOrigin(options: { readonly lenient: boolean }): Promise<Origin> {
  const effects: Effects = { purged: false, deleted: false, deletedAll: false };
  const server: Server = createServer(
    { insecureHTTPParser: options.lenient },
    (request, response) => {
      const pieces: Buffer[] = [];
      request.on('data', (chunk: Buffer) => pieces.push(chunk));
      request.on('end', () => {
        const url = new URL(`http://x${request.url ?? '/'}`);
        const raw = Buffer.concat(pieces);
        const isCoded = request.headers['content-encoding'] === 'gzip';
        const body = (isCoded ? gunzipSync(raw) : raw).toString('utf8');
        const path = url.pathname.toLowerCase().replace(/(?<=.)\/$/, '');
        answer({ path, query: url.searchParams, request, response, body, effects });
      });
    },
  );
  server.on('upgrade', (_request, socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    effects,
    reset() {
      Object.assign(effects, { purged: false, deleted: false, deletedAll: false });
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
