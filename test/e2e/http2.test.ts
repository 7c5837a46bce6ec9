/** The HTTP door over HTTP/2: requests side by side on one connection, each judged as any other. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ClientHttp2Session, connect, constants, type OutgoingHttpHeaders } from 'node:http2';
import { after, before, describe, it } from 'node:test';
import { type HttpGateway, startHttpGateway } from '../support/http-gateway.ts';

const policy = `rules:
  - id: reads
    when: "facts.effects.all(e, e == 'read') && facts.analysis == 'complete'"
    then: allow
  - { id: writes, when: "'insert' in facts.effects && facts.analysis == 'complete'", then: allow }
  - { id: admin, when: "facts.objects.exists(o, o.name.startsWith('/admin'))", then: deny }
  - { id: purge, when: "facts.fields.exists(f, f.value == 'purge')", then: deny }
`;

interface Seen {
  readonly line: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

const seen: Seen[] = [];
const large = 'x'.repeat(3_000_000);

function target(request: IncomingMessage, response: ServerResponse): void {
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (chunk: string) => (body += chunk));
  request.on('end', () => {
    seen.push({ line: `${request.method} ${request.url}`, headers: request.headers, body });
    response.setHeader('content-type', 'application/json');
    response.setHeader('set-cookie', ['a=1', 'b=2']);
    if (request.url === '/large') response.end(JSON.stringify(large));
    else if (request.url === '/endless') response.write('{"first":1}\n');
    else if (request.url === '/cut') response.write('half', () => response.destroy());
    else if (request.url === '/trailers') {
      response.writeHead(200, { trailer: 'x-after' });
      response.write('body');
      response.addTrailers({ 'x-after': 'ja' });
      response.end();
    } else if (request.url === '/empty') response.writeHead(204).end();
    else response.end(JSON.stringify({ path: request.url, body }));
  });
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
  readonly trailers: Readonly<Record<string, unknown>>;
  /** The code with which the stream was reset; 0 when it ended in order. */
  readonly reset: number;
}

describe('the HTTP door over HTTP/2', () => {
  let world: HttpGateway;
  let session: ClientHttp2Session;
  let authorization = '';

  const open = (): ClientHttp2Session => {
    const opened = connect(`http://127.0.0.1:${world.port}`);
    opened.on('error', () => undefined);
    return opened;
  };

  const ask = (headers: OutgoingHttpHeaders, body?: string, on = session): Promise<Answer> => {
    const all = { ':authority': 'app.test', ':scheme': 'http', authorization, ...headers };
    const stream = on.request(all, { endStream: body === undefined });
    let status = 0;
    let told = {};
    let trailers = {};
    let text = '';
    stream.on('response', (given) => {
      status = given[':status'] ?? 0;
      told = given;
    });
    stream.on('trailers', (given) => (trailers = given));
    stream.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
    stream.on('error', () => undefined);
    if (body !== undefined) stream.end(body);
    return new Promise((resolve) => {
      stream.on('close', () =>
        resolve({ status, headers: told, body: text, trailers, reset: stream.rstCode ?? 0 }),
      );
    });
  };

  before(async () => {
    process.env['SP_TEST_SITE_TOKEN'] = 'the-account-token';
    world = await startHttpGateway({ target, policy, password: 'env:SP_TEST_SITE_TOKEN' });
    authorization = await world.basic();
    session = open();
  });

  after(async () => {
    session.destroy();
    await world.stop();
  });

  it('forwards what it judged, with the account’s secret and without the client’s', async () => {
    seen.length = 0;
    const answer = await ask({
      ':path': '/a/%62//./c?x=%41',
      'x-forwarded-user': 'root',
      cookie: ['a=1', 'b=2'],
      'x-word': Buffer.from('é').toString('latin1'),
    });
    assert.equal(answer.status, 200);
    assert.equal(answer.body, '{"path":"/a/b/c?x=%41","body":""}');
    assert.deepEqual(answer.headers['set-cookie'], ['a=1', 'b=2']);
    assert.equal(answer.headers['connection'], undefined);
    const [request] = seen;
    assert.equal(request?.line, 'GET /a/b/c?x=%41');
    assert.equal(request.headers.authorization, 'Bearer the-account-token');
    assert.equal(request.headers.cookie, 'a=1; b=2');
    assert.equal(request.headers['x-forwarded-user'], undefined);
    assert.equal(request.headers['x-forwarded-host'], 'app.test');
  });

  it('serves many at once, in one session, and cuts none short', async () => {
    const paths = Array.from({ length: 60 }, (_, index) => `/n/${index}`);
    const answers = await Promise.all(
      ['/large', ...paths, '/large', '/empty'].map((path) => ask({ ':path': path })),
    );
    const [first, ...rest] = answers;
    assert.equal(first?.body.length, large.length + 2);
    assert.deepEqual(
      rest.slice(0, 60).map(({ body }) => JSON.parse(body).path),
      paths,
    );
    assert.equal(rest[61]?.status, 204);
    assert.equal(world.gateway.services.live.size, 1);
  });

  it('judges bodies, says no on the stream, and goes on with the connection', async () => {
    seen.length = 0;
    const json = { ':method': 'POST', ':path': '/action', 'content-type': 'application/json' };
    const denied = await ask({ ':path': '/admin/x' });
    assert.equal(denied.status, 403);
    assert.match(denied.body, /"rule":"admin"/);
    assert.equal((await ask(json, '{"action":"purge"}')).status, 403);
    assert.equal((await ask({ ...json, 'content-length': 17 }, '{"action":"fine"}')).status, 200);
    assert.equal((await ask({ ':path': '/admin', ':method': 'HEAD' })).status, 403);
    assert.deepEqual(
      seen.map(({ body }) => body),
      ['{"action":"fine"}'],
    );
  });

  it('passes fields behind a body on, and resets what the target did not finish', async () => {
    const answer = await ask({ ':path': '/trailers' });
    assert.equal(answer.body, 'body');
    assert.equal(answer.trailers['x-after'], 'ja');
    const cut = await ask({ ':path': '/cut' });
    assert.equal(cut.reset, constants.NGHTTP2_INTERNAL_ERROR);
  });

  it('lets a stream go whose client has left, and no other', async () => {
    const stream = session.request({
      ':path': '/endless',
      ':authority': 'app.test',
      ':scheme': 'http',
      authorization,
    });
    await once(stream, 'data');
    stream.close(constants.NGHTTP2_CANCEL);
    assert.equal((await ask({ ':path': '/after' })).status, 200);
  });
});
