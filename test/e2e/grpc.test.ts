/** gRPC through the gateway: HTTP/2 on both sides, messages as they come, a status behind them. */
import assert from 'node:assert/strict';
import {
  type ClientHttp2Session,
  connect,
  createServer,
  type Http2Server,
  type ServerHttp2Stream,
} from 'node:http2';
import { after, before, describe, it } from 'node:test';
import { person } from '../support/holds.ts';
import { type HttpGateway, startHttpGateway } from '../support/http-gateway.ts';

const policy = `rules:
  - id: shop
    when: "facts.fields.exists(f, f.name == 'grpc.method' && f.value in ['Get', 'Talk', 'Missing'])"
    then: allow
  - id: cancel
    when: "facts.functions.all(f, f in ['shop.Orders/Cancel', 'shop.Orders/Refund'])"
    then: hold
    hold: { reviewers: ['role:reviewer'], wait: 1m, valid: 1m }
`;

/** One message behind its length. */
const framed = (text: string): Buffer => {
  const bytes = Buffer.from(text);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
};

const messages = (bytes: Buffer): readonly string[] => {
  const found: string[] = [];
  for (let at = 0; at + 5 <= bytes.length; ) {
    const end = at + 5 + bytes.readUInt32BE(at + 1);
    found.push(bytes.subarray(at + 5, end).toString('utf8'));
    at = end;
  }
  return found;
};

const seen: string[] = [];

function serve(stream: ServerHttp2Stream, headers: Readonly<Record<string, unknown>>): void {
  const path = String(headers[':path']);
  seen.push(`${path} ${String(headers['te'])} ${String(headers['authorization'])}`);
  stream.on('error', () => undefined);
  if (path.endsWith('/Missing')) {
    const status = { 'grpc-status': '5', 'grpc-message': 'no such order' };
    stream.respond(
      { ':status': 200, 'content-type': 'application/grpc', ...status },
      {
        endStream: true,
      },
    );
    return;
  }
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'x-more': 'yes' }));
  // Says each message back as soon as it has come.
  stream.on('data', (chunk: Buffer) => {
    for (const text of messages(chunk)) stream.write(framed(`you said ${text}`));
  });
  stream.on('end', () => stream.end());
}

interface Call {
  readonly status: number;
  readonly said: readonly string[];
  readonly trailers: Readonly<Record<string, unknown>>;
}

describe('gRPC through the gateway', () => {
  let world: HttpGateway;
  let server: Http2Server;
  let session: ClientHttp2Session;
  let authorization = '';

  before(async () => {
    process.env['SP_TEST_SITE_TOKEN'] = 'the-account-token';
    server = createServer();
    server.on('stream', (stream, headers) => serve(stream, headers));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    assert.ok(typeof address === 'object' && address !== null);
    world = await startHttpGateway({
      target: { host: '127.0.0.1', port: address.port },
      policy,
      password: 'env:SP_TEST_SITE_TOKEN',
      settings: {
        upstreamHttp: '2',
        routes: [
          { method: 'POST', path: '/shop.Orders/Cancel', effects: ['delete'], body: 'whole' },
        ],
      },
    });
    authorization = await world.basic();
    reconnect();
  });

  function reconnect(): void {
    session = connect(`http://127.0.0.1:${world.port}`);
    session.on('error', () => undefined);
  }

  after(async () => {
    session.destroy();
    await world.stop();
    server.close();
  });

  const open = (path: string, more: Readonly<Record<string, string>> = {}) =>
    session.request({
      ':method': 'POST',
      ':path': path,
      ':authority': 'app.test',
      ':scheme': 'http',
      'content-type': 'application/grpc+proto',
      te: 'trailers',
      authorization,
      ...more,
    });

  const call = (
    path: string,
    said: readonly string[],
    more: Readonly<Record<string, string>> = {},
  ): Promise<Call> =>
    new Promise((resolve) => {
      const stream = open(path, more);
      const pieces: Buffer[] = [];
      let status = 0;
      let trailers: Readonly<Record<string, unknown>> = {};
      stream.on('response', (headers) => {
        status = headers[':status'] ?? 0;
        trailers = headers;
      });
      stream.on('trailers', (fields) => (trailers = fields));
      stream.on('data', (chunk: Buffer) => pieces.push(chunk));
      stream.on('error', () => undefined);
      stream.on('close', () =>
        resolve({ status, said: messages(Buffer.concat(pieces)), trailers }),
      );
      for (const text of said) stream.write(framed(text));
      stream.end();
    });

  it('passes calls with their status, as the account', async () => {
    const { status, said, trailers } = await call('/shop.Orders/Get', ['one']);
    assert.equal(status, 200);
    assert.deepEqual(said, ['you said one']);
    assert.equal(trailers['grpc-status'], '0');
    assert.equal(seen.at(-1), '/shop.Orders/Get trailers Bearer the-account-token');
  });

  it('passes messages while the call goes on, either way', async () => {
    const stream = open('/shop.Orders/Talk');
    const heard: string[] = [];
    for (const text of ['a', 'b', 'c']) {
      const answer = new Promise<Buffer>((resolve) => stream.once('data', resolve));
      stream.write(framed(text));
      heard.push(...messages(await answer));
    }
    const status = new Promise((resolve) =>
      stream.once('trailers', (fields) => resolve(fields['grpc-status'])),
    );
    stream.end();
    assert.equal(await status, '0');
    assert.deepEqual(heard, ['you said a', 'you said b', 'you said c']);
  });

  it('carries many calls over one connection to the target', async () => {
    const texts = Array.from({ length: 40 }, (_, index) => `n${index}`);
    const calls = await Promise.all(texts.map((text) => call('/shop.Orders/Get', [text])));
    assert.deepEqual(
      calls.map(({ said }) => said[0]),
      texts.map((text) => `you said ${text}`),
    );
    const count = await new Promise((resolve) => {
      server.getConnections((_error, connections) => resolve(connections));
    });
    assert.equal(count, 1);
  });

  it('says no in the words of gRPC', async () => {
    const before = seen.length;
    const { status, trailers } = await call('/shop.Admin/Drop', ['x']);
    assert.equal(status, 200);
    assert.equal(trailers['grpc-status'], '7');
    assert.match(String(trailers['grpc-message']), /SP_POLICY_DENIED/);
    assert.equal(seen.length, before);
    const stranger = await call('/shop.Orders/Get', ['x'], { authorization: 'Bearer none' });
    assert.equal(stranger.trailers['grpc-status'], '16');
    // Who failed to log in asks nothing more on its connection.
    reconnect();
  });

  it('holds a call whose messages it reads, and no other', async () => {
    const wish = { 'sallyport-hold': 'refuse' };
    const held = await call('/shop.Orders/Cancel', ['order 7'], wish);
    assert.equal(held.trailers['grpc-status'], '7');
    assert.match(String(held.trailers['grpc-message']), /SP_HOLD_PENDING.*holds\//);
    const { approvals } = world.gateway.services;
    const [hold] = approvals.list();
    assert.ok(hold !== undefined);
    assert.deepEqual(hold.command.facts.effects, ['delete']);
    const reviewer = person('people/rita', { kind: 'human', roles: ['reviewer'] });
    await approvals.review(hold.id, reviewer, { decision: 'approve', reason: '' });
    assert.equal((await call('/shop.Orders/Cancel', ['order 8'], wish)).said.length, 0);
    const { said } = await call('/shop.Orders/Cancel', ['order 7'], wish);
    assert.deepEqual(said, ['you said order 7']);
    const unread = await call('/shop.Orders/Refund', ['order 7'], wish);
    assert.equal(unread.said.length, 0);
  });

  it('passes on how a call failed that was never answered', async () => {
    const { status, trailers } = await call('/shop.Orders/Missing', ['x']);
    assert.equal(status, 200);
    assert.equal(trailers['grpc-status'], '5');
    assert.equal(trailers['grpc-message'], 'no such order');
  });
});
