/** The HTTP door end to end: raw requests, so that every byte is the test's. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { asEpochMs, asId, type IdentityId } from '#core/ids.ts';
import { exchange, type HttpGateway, startHttpGateway } from '../support/http-gateway.ts';

const policy = `rules:
  - { id: reads, when: "facts.effects.all(e, e == 'read') && facts.analysis == 'complete'", then: allow }
  - id: writes
    when: "'insert' in facts.effects && facts.analysis == 'complete'"
    then: allow
  - id: admin
    when: "facts.objects.exists(o, o.name.startsWith('/admin'))"
    then: deny
    reason: the administration is not for jobs
  - id: purge
    when: "facts.fields.exists(f, f.value == 'purge')"
    then: deny
  - id: changes
    when: "'update' in facts.effects"
    then: hold
    hold: { reviewers: ['role:reviewer'], wait: 1m, valid: 1m }
`;

interface Seen {
  readonly line: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** What the target saw, in order. */
const seen: Seen[] = [];
let connections = 0;

function target(request: IncomingMessage, response: ServerResponse): void {
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (chunk: string) => (body += chunk));
  request.on('end', () => {
    seen.push({ line: `${request.method} ${request.url}`, headers: request.headers, body });
    response.setHeader('content-type', 'application/json');
    if (request.url === '/moved') response.writeHead(302, { location: '/elsewhere' }).end();
    else if (request.url === '/chunks') {
      response.write('{"a":');
      setTimeout(() => response.end('1}'), 5);
    } else response.end(JSON.stringify({ path: request.url, body }));
  });
}

const auth = 'Host: app.test\r\nAuthorization: @AUTH\r\n';
const last = `${auth}Connection: close\r\n`;
const statusOf = (answer: string): string => answer.slice(9, 12);

describe('the HTTP door', () => {
  let world: HttpGateway;

  before(async () => {
    process.env['SP_TEST_SITE_TOKEN'] = 'the-account-token';
    world = await startHttpGateway({ target, policy, password: 'env:SP_TEST_SITE_TOKEN' });
    world.server?.on('connection', () => (connections += 1));
  });

  after(() => world.stop());

  it('forwards what it judged, with the account’s secret and without the client’s', async () => {
    seen.length = 0;
    const answer = await world.raw(
      `GET /a/%62//./c?x=%41 HTTP/1.1\r\n${last}X-Forwarded-User: root\r\nX_Remote_User: root\r\n` +
        'X-Real-IP: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\nProxy: x\r\nAccept: a/b\r\n\r\n',
    );
    assert.equal(statusOf(answer), '200', answer);
    const [request] = seen;
    assert.equal(request?.line, 'GET /a/b/c?x=%41');
    assert.equal(request.headers.authorization, 'Bearer the-account-token');
    assert.equal(request.headers.accept, 'a/b');
    assert.equal(request.headers['x-forwarded-for'], '127.0.0.1');
    assert.equal(request.headers['x-forwarded-host'], 'app.test');
    for (const name of ['x-forwarded-user', 'x_remote_user', 'x-real-ip', 'forwarded', 'proxy']) {
      assert.equal(request.headers[name], undefined, name);
    }
  });

  it('says no as problem details, and goes on with the connection', async () => {
    const answer = await world.raw(
      `GET /admin/x HTTP/1.1\r\n${auth}\r\nHEAD /ADMIN/x HTTP/1.1\r\n${auth}\r\n` +
        `GET /b HTTP/1.1\r\n${last}\r\n`,
    );
    const [first = '', second = '', third = ''] = answer.split(/(?=HTTP\/1\.1 )/);
    assert.equal(statusOf(first), '403');
    assert.match(first, /content-type: application\/problem\+json/);
    assert.match(first, /"code":"SP_POLICY_DENIED"/);
    assert.match(first, /"rule":"admin"/);
    assert.match(first, /the administration is not for jobs/);
    assert.equal(statusOf(second), '403');
    assert.ok(second.endsWith('\r\n\r\n'), 'HEAD has no body');
    assert.equal(statusOf(third), '200');
  });

  it('answers pipelined requests in order, over one connection to the target', async () => {
    const before = connections;
    const many = Array.from(
      { length: 20 },
      (_, index) => `GET /n/${index} HTTP/1.1\r\n${auth}\r\n`,
    );
    const answer = await world.raw(`${many.join('')}GET /n/end HTTP/1.1\r\n${last}\r\n`);
    const paths = [...answer.matchAll(/"path":"\/n\/([a-z0-9]+)"/g)].map((match) => match[1]);
    assert.deepEqual(paths, [...many.map((_, index) => String(index)), 'end']);
    assert.equal(connections, before + 1);
  });

  it('judges the bodies that it forwards', async () => {
    seen.length = 0;
    const json = { 'content-type': 'application/json' };
    const send = async (body: string | Uint8Array, headers: Record<string, string> = json) => {
      const authorization = await world.basic();
      const url = `http://127.0.0.1:${world.port}/action`;
      const all = { ...headers, authorization, host: 'app.test' };
      const sent = typeof body === 'string' ? body : Uint8Array.from(body);
      return (await fetch(url, { method: 'POST', headers: all, body: sent })).status;
    };
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    assert.equal(await send('{"action":"report"}'), 200);
    assert.equal(await send('{"action":"purge"}'), 403);
    assert.equal(await send('{"action":"report","action":"x"}'), 403);
    assert.equal(await send('{"a":{"b":["purge"]}}'), 403);
    assert.equal(await send('action=report&action=purge', form), 403);
    assert.equal(await send('action=p%75rge', form), 403);
    assert.equal(await send('purge', { 'content-type': 'text/plain' }), 403);
    assert.equal(await send('x', { 'content-type': 'application/octet-stream' }), 403);
    assert.equal(await send('x'.repeat(2_000_000), { 'content-type': 'text/plain' }), 413);
    assert.deepEqual(
      seen.map(({ body }) => body),
      ['{"action":"report"}'],
    );
  });

  it('undoes the coding of a body before it judges it', async () => {
    seen.length = 0;
    const { gzipSync } = await import('node:zlib');
    const send = async (text: string): Promise<number> => {
      const headers = {
        authorization: await world.basic(),
        'content-type': 'application/json',
        'content-encoding': 'gzip',
        host: 'app.test',
      };
      const body = Uint8Array.from(gzipSync(text));
      return (
        await fetch(`http://127.0.0.1:${world.port}/action`, { method: 'POST', headers, body })
      ).status;
    };
    assert.equal(await send('{"action":"purge"}'), 403);
    assert.equal(await send('{"action":"report"}'), 200);
    assert.equal(seen[0]?.body, '{"action":"report"}');
    assert.equal(seen[0].headers['content-encoding'], undefined);
    assert.equal(seen[0].headers['content-length'], '19');
  });

  it('takes chunked bodies and Expect, and forwards one length', async () => {
    seen.length = 0;
    const answer = await world.raw(
      `POST /x HTTP/1.1\r\n${last}Content-Type: text/plain\r\nExpect: 100-continue\r\n` +
        'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n',
    );
    assert.match(answer, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /);
    assert.equal(seen[0]?.body, 'abcde');
    assert.equal(seen[0].headers['content-length'], '5');
    assert.equal(seen[0].headers['transfer-encoding'], undefined);
    assert.equal(seen[0].headers.expect, undefined);
  });

  it('refuses what two servers could read differently, and ends the connection', async () => {
    seen.length = 0;
    const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: app.test\r\n\r\n';
    const cases: readonly string[] = [
      `POST /x HTTP/1.1\r\n${auth}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      `POST /x HTTP/1.1\r\n${auth}Content-Length: 0\r\nContent-Length: 45\r\n\r\n`,
      `POST /x HTTP/1.1\r\n${auth}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
      `POST /x HTTP/1.1\r\n${auth}Transfer-Encoding: chunked\r\n\r\n0;x\n\r\n\r\n`,
      `GET /a%2fb HTTP/1.1\r\n${auth}\r\n`,
      `GET /a;b HTTP/1.1\r\n${auth}\r\n`,
      `GET /%2561 HTTP/1.1\r\n${auth}\r\n`,
      `GET http://other.test/ HTTP/1.1\r\n${auth}\r\n`,
      `CONNECT a:1 HTTP/1.1\r\n${auth}\r\n`,
      `GET / HTTP/1.1\r\n${auth}Host: app.test\r\n\r\n`,
      `GET / HTTP/1.1\r\n${auth}A : b\r\n\r\n`,
      `GET / HTTP/1.1\r\n${auth}A: b\r\n c\r\n\r\n`,
    ];
    for (const text of cases) {
      const answer = await world.raw(text + smuggled);
      assert.match(answer, /^HTTP\/1\.1 (400|501) /, text);
      assert.equal(answer.split('HTTP/1.1 ').length, 2, 'one answer, then the end');
    }
    assert.deepEqual(seen, []);
  });

  it('asks for a credential, and tells nothing to who has none', async () => {
    for (const fields of [
      'Host: app.test\r\n',
      'Host: other.test\r\n',
      'Host: app.test\r\nAuthorization: Bearer wrong\r\n',
      'Host: other.test\r\nAuthorization: Bearer wrong\r\n',
      'Host: app.test\r\nAuthorization: Digest x\r\n',
      'Host: app.test\r\nAuthorization: Basic !!\r\n',
    ]) {
      const answer = await world.raw(`GET / HTTP/1.1\r\n${fields}\r\n`);
      assert.equal(statusOf(answer), '401', fields);
      assert.match(answer, /www-authenticate: Bearer/);
    }
    const elsewhere = await world.raw(
      `GET / HTTP/1.1\r\nHost: other.test\r\nAuthorization: Bearer ${await world.token()}\r\n\r\n`,
    );
    assert.equal(statusOf(elsewhere), '403');
  });

  it('takes a bearer token, with the target by its host', async () => {
    const token = await world.token();
    const fields = `Host: App.Test:99\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n`;
    assert.equal(statusOf(await world.raw(`GET / HTTP/1.1\r\n${fields}\r\n`)), '200');
  });

  it('gives another credential another session', async () => {
    const one = await world.basic('one');
    const two = await world.basic('two');
    const line = 'GET /who HTTP/1.1\r\nHost: app.test\r\n';
    const answer = await world.raw(
      `${line}Authorization: ${one}\r\n\r\n${line}Authorization: ${two}\r\nConnection: close\r\n\r\n`,
    );
    assert.equal(answer.split('HTTP/1.1 200').length, 3);
    const { archive } = world.gateway.services;
    const filter = { target: undefined, since: undefined, limit: 10 };
    for (const identity of ['ci/one', 'ci/two']) {
      assert.equal((await archive.list({ ...filter, identity })).length, 1, identity);
    }
  });

  it('spends an approval on the same request alone', async () => {
    seen.length = 0;
    const put = (body: string): Promise<string> =>
      world.raw(
        `PUT /thing HTTP/1.1\r\n${last}Sallyport-Hold: refuse\r\nContent-Type: text/plain\r\n` +
          `Content-Length: ${body.length}\r\n\r\n${body}`,
      );
    const first = await put('one');
    assert.equal(statusOf(first), '403');
    assert.match(first, /"code":"SP_HOLD_PENDING"/);
    assert.match(first, /retry-after: \d+/);
    const status = /"instance":"([^"]+)"/.exec(first)?.[1] ?? '';
    const state = async (who?: string): Promise<string> =>
      exchange(
        world.port,
        `GET ${status} HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n` +
          `Authorization: ${await world.basic(who)}\r\n\r\n`,
      );
    assert.match(await state(), /retry-after: \d+[^]*"state":"pending"/);
    assert.equal(statusOf(await state('another')), '404', 'it is nobody else’s business');
    assert.equal(statusOf(await world.raw(`GET ${status}x HTTP/1.1\r\n${last}\r\n`)), '404');
    const { approvals } = world.gateway.services;
    const [hold] = approvals.list();
    assert.ok(hold !== undefined);
    assert.match(hold.command.text, /^PUT \/thing HTTP\/1\.1\nhost: [^]*\n\none$/);
    await approvals.review(hold.id, reviewer, { decision: 'approve', reason: '' });
    assert.match(await state(), /"state":"approved"[^]*"validUntil":/);
    assert.match(await put('two'), /SP_HOLD_PENDING/);
    assert.equal(statusOf(await put('one')), '200');
    assert.match(await state(), /"state":"spent"/);
    assert.match(await put('one'), /SP_HOLD_PENDING/);
    assert.deepEqual(
      seen.map(({ body }) => body),
      ['one'],
    );
  });

  it('records requests whole, and no credential', async () => {
    const texts = (await world.recorded()).join('\n');
    assert.match(texts, /GET \/a\/b\/c\?x=%41 HTTP\/1\.1\nhost: /);
    assert.match(texts, /\{"action":"purge"\}/);
    assert.doesNotMatch(texts, /authorization|the-account-token/i);
  });
});

const reviewer = {
  id: asId<IdentityId>('people/rita'),
  kind: 'human',
  issuer: 'people',
  subject: 'rita',
  displayName: 'Rita',
  groups: [],
  roles: ['reviewer'],
  owner: undefined,
  onBehalfOf: undefined,
  claims: {},
  expiresAt: asEpochMs(4_000_000_000_000),
} as const;

it('names what a target does by its OpenAPI document, read from a file', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sp-openapi-'));
  const file = join(directory, 'site.yaml');
  writeFileSync(file, 'paths: { "/things/{id}": { get: { operationId: getThing } } }');
  const world = await startHttpGateway({
    target,
    policy: `rules:
  - { id: one, when: "'getThing' in facts.functions && facts.analysis == 'complete'", then: allow }
`,
    settings: { openapi: `file:${file}` },
  });
  try {
    assert.equal(statusOf(await world.raw(`GET /things/7 HTTP/1.1\r\n${last}\r\n`)), '200');
    assert.equal(statusOf(await world.raw(`GET /others/7 HTTP/1.1\r\n${last}\r\n`)), '403');
  } finally {
    await world.stop();
    rmSync(directory, { recursive: true });
  }
});

describe('targets that break the protocol', () => {
  const answers: Readonly<Record<string, string>> = {
    'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
    'both lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
    'no HTTP': 'SSH-2.0-x\r\n\r\n',
    'a bare LF': 'HTTP/1.1 200 OK\nA: b\n\n',
    'an upgrade': 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n',
    nothing: '',
  };

  it('are answered for, and the next request is served', async () => {
    const sockets = new Set<Socket>();
    let next = '';
    const server = createTcpServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('data', () => (next === '' ? socket.destroy() : socket.write(next)));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const world = await startHttpGateway({ target: { host: '127.0.0.1', port }, policy });
    for (const [name, answer] of Object.entries(answers)) {
      next = answer;
      const told = await world.raw(`GET / HTTP/1.1\r\n${last}\r\n`);
      assert.equal(statusOf(told), '502', name);
    }
    next = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc';
    const cut = world.raw(`GET / HTTP/1.1\r\n${last}\r\n`);
    setTimeout(() => sockets.forEach((socket) => socket.destroy()), 2_000);
    assert.match(await cut, /content-length: 10\r\n[^]*abc$/);
    next = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
    assert.match(await world.raw(`GET / HTTP/1.1\r\n${last}\r\n`), /\r\n\r\nok$/);
    await world.stop();
    server.close();
  });
});

describe('large bodies', () => {
  it('go on unread where the target lets them, and a rule that wants to know refuses', async () => {
    let received = 0;
    const server = createServer((request, response) => {
      received = 0;
      request.on('data', (chunk: Buffer) => (received += chunk.length));
      request.on('end', () => response.end(String(received)));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const world = await startHttpGateway({
      target: {
        host: '127.0.0.1',
        port: typeof address === 'object' && address !== null ? address.port : 0,
      },
      policy: `rules:
  - { id: uploads, when: "facts.objects.exists(o, o.name == '/upload')", then: allow }
  - id: held
    when: "facts.objects.exists(o, o.name == '/held')"
    then: hold
    hold: { reviewers: ['role:reviewer'], wait: 1m, valid: 1m }
  - { id: known, when: "facts.analysis == 'complete'", then: allow }
`,
      settings: { largeBodies: 'stream' },
    });
    const upload = async (path: string): Promise<Response> =>
      fetch(`http://127.0.0.1:${world.port}${path}`, {
        method: 'POST',
        headers: { authorization: await world.basic() },
        body: new Uint8Array(20_000_000),
      });
    const taken = await upload('/upload');
    assert.equal(await taken.text(), '20000000');
    for (const path of ['/other', '/held']) {
      received = -1;
      const refused = await upload(path).catch(() => undefined);
      // A client may see the end of the connection before it sees the answer.
      assert.ok(refused === undefined || refused.status >= 400);
      assert.equal(received, -1, path);
    }
    await world.stop();
    server.close();
  });
});
