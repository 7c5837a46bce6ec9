/** No value that a mask hides leaves by any way that HTTP has. */
import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { brotliCompressSync, gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { webSocketFrame, webSocketOpcode } from '../../src/protocols/http/codec/websocket.ts';
import { type HttpGateway, startHttpGateway } from '../support/http-gateway.ts';

const SSN = '917-42-8863';
const CARD = '4539578763621486';
const json = JSON.stringify({ id: 1, ssn: SSN, card: CARD, note: `card ${CARD}.` });
const units = Array.from(SSN, (each) => `\\u00${each.charCodeAt(0).toString(16)}`);
const escaped = `{"ssn":"${units.join('')}"}`;

const policy = `rules:
  - { id: all, when: 'true', then: allow }
masks:
  - { id: ssn, columns: ['*.*.ssn'], with: redact }
  - { id: cards, detect: [credit-card, us-ssn], with: redact }
`;

type Give = (response: ServerResponse, request: IncomingMessage) => void;

const pieces =
  (type: string, ...parts: readonly (string | Uint8Array)[]): Give =>
  (response) => {
    response.setHeader('content-type', type);
    let at = 0;
    const next = (): void => {
      const part = parts[at];
      at += 1;
      if (part === undefined) response.end();
      else {
        response.write(part);
        setTimeout(next, 3);
      }
    };
    next();
  };

const coded =
  (coding: string, body: Uint8Array): Give =>
  (response) => {
    response.setHeader('content-type', 'application/json');
    response.setHeader('content-encoding', coding);
    response.end(body);
  };

const cutJson = json.split(/(?<=91|45395787)/);

/** What the target gives by path; `shown` is what must be left of it, if it may pass at all. */
const answers: Readonly<Record<string, { readonly give: Give; readonly shown?: RegExp }>> = {
  '/json': { give: pieces('application/json', json), shown: /"ssn":"\[REDACTED\]"/ },
  '/short': {
    give: (response) => {
      response.setHeader('content-type', 'application/json');
      response.write(json);
      response.end();
    },
    shown: /"ssn":"\[REDACTED\]"/,
  },
  '/cut': { give: pieces('application/json', ...cutJson), shown: /"id":1,"ssn":"\[REDACTED\]"/ },
  '/bytes': { give: pieces('application/json', ...json.split('')), shown: /"note":"card \[/ },
  '/escaped': { give: pieces('application/json', escaped), shown: /"ssn":"\[REDACTED\]"/ },
  '/escaped-key': {
    give: pieces('application/json', `{"\\u0073sn":"x${SSN}"}`),
    shown: /\[REDACTED\]/,
  },
  '/list': { give: pieces('application/json', `[{"ssn":["${SSN}",1]}]`), shown: /\[REDACTED\]/ },
  '/number': { give: pieces('application/json', `{"card":${CARD}}`), shown: /"card":\d/ },
  '/problem': {
    give: (response) => {
      response.statusCode = 500;
      pieces('application/problem+json', json)(response, response.req);
    },
    shown: /REDACTED/,
  },
  '/gzip': { give: coded('gzip', gzipSync(json)), shown: /REDACTED/ },
  '/gzip2': { give: coded('gzip, gzip', gzipSync(gzipSync(json))), shown: /REDACTED/ },
  '/br': { give: coded('br', brotliCompressSync(json)), shown: /REDACTED/ },
  '/zstd': { give: coded('zstd', zstdCompressSync(json)), shown: /REDACTED/ },
  '/odd-coding': { give: coded('sallyport', Buffer.from(json)) },
  '/lines': {
    give: pieces('application/x-ndjson', `${json}\n`, `{"ssn":"${SSN}"}\n`),
    shown: /REDACTED[^]*\n[^]*REDACTED/,
  },
  '/csv': {
    give: pieces('text/csv', `id,ssn,card\r\n1,"${SSN}`, `",${CARD}\r\n`),
    shown: /^id,ssn,card\r\n1,"\[REDACTED\]",\[/,
  },
  '/events': {
    give: pieces('text/event-stream', 'data: {"ssn":"917-4', `2-8863"}\n\ndata: ping\n\n`),
    shown: /data: \{"ssn":"\[REDACTED\]"\}\n\ndata: ping\n\n/,
  },
  '/form': {
    give: pieces('application/x-www-form-urlencoded', `id=1&ssn=${SSN}&c=${CARD}`),
    shown: /^id=1&ssn=%5BREDACTED%5D&c=%5B/,
  },
  '/text': { give: pieces('text/plain', `bad row ${SSN}`) },
  '/script': { give: pieces('application/javascript', `x(${json})`) },
  '/utf16': { give: pieces('application/json', Buffer.from(json, 'utf16le')) },
  '/charset': {
    give: pieces('application/json; charset=utf-16le', Buffer.from(json, 'utf16le')),
  },
  '/not-json': { give: pieces('application/json', `{'ssn':'${SSN}'}`) },
  '/other': { give: pieces('application/octet-stream', json) },
  '/untyped': { give: (response) => response.end(json) },
  '/range': {
    give: (response, request) => {
      assert.equal(request.headers.range, undefined, 'no range goes upstream');
      pieces('application/json', json)(response, request);
    },
    shown: /REDACTED/,
  },
  '/part': {
    give: (response) => {
      response.statusCode = 206;
      pieces('application/json', json)(response, response.req);
    },
  },
  '/header': {
    give: (response) => {
      response.setHeader('x-card', CARD);
      response.setHeader('location', `/x?card=${CARD}`);
      response.setHeader('etag', '"1"');
      response.setHeader('content-md5', 'x');
      pieces('application/json', '{}')(response, response.req);
    },
    shown: /^\{\}$/,
  },
  '/trailer': {
    give: (response) => {
      response.writeHead(200, { 'content-type': 'application/json', trailer: 'X-T' });
      response.write('{}');
      response.addTrailers({ 'x-t': CARD });
      response.end();
    },
    shown: /\{\}/,
  },
  '/early': {
    give: (response) => {
      response.writeEarlyHints({ link: `</${CARD}>; rel=preload` });
      pieces('application/json', '{}')(response, response.req);
    },
    shown: /\{\}/,
  },
};

const leaks = (text: string): boolean => text.includes(SSN) || text.includes(CARD);

/** The body, without chunks. */
function bodyOf(answer: string): string {
  const end = answer.indexOf('\r\n\r\n');
  const body = answer.slice(end + 4);
  if (!/transfer-encoding: chunked/i.test(answer.slice(0, end))) return body;
  let text = '';
  for (let at = 0; ; ) {
    const stop = body.indexOf('\r\n', at);
    const size = Number.parseInt(body.slice(at, stop), 16);
    if (!(size > 0)) return text;
    text += body.slice(stop + 2, stop + 2 + size);
    at = stop + 4 + size;
  }
}

describe('answers under masks', () => {
  let world: HttpGateway;

  before(async () => {
    world = await startHttpGateway({
      target: (request, response) => {
        request.resume();
        const [path = ''] = (request.url ?? '').split('?');
        answers[path]?.give(response, request);
      },
      policy,
    });
  });

  after(() => world.stop());

  for (const [path, { shown }] of Object.entries(answers)) {
    it(`${shown === undefined ? 'refuse' : 'mask'} ${path.slice(1)}`, async () => {
      const answer = await world.raw(
        `GET ${path} HTTP/1.1\r\nHost: app.test\r\nAuthorization: @AUTH\r\nConnection: close\r\n` +
          'Accept-Encoding: gzip\r\nTE: trailers\r\nRange: bytes=0-12,13-40\r\n\r\n',
      );
      assert.ok(!leaks(answer), answer);
      assert.ok(!leaks(answer.replaceAll('\0', '')), 'nor between zeros');
      const status = answer.slice(9, 12);
      if (shown === undefined) assert.match(answer, /SP_MASK_UNSOUND/);
      else {
        assert.match(bodyOf(answer), shown);
        assert.notEqual(status, '403');
        assert.doesNotMatch(answer, /^(etag|content-md5|content-encoding|trailer):/im);
      }
    });
  }

  it('leave values that no mask covers as they were', async () => {
    const answer = await world.raw(
      'GET /json HTTP/1.1\r\nHost: app.test\r\nAuthorization: @AUTH\r\nConnection: close\r\n\r\n',
    );
    const body: unknown = JSON.parse(bodyOf(answer));
    assert.ok(typeof body === 'object' && body !== null && 'id' in body);
    assert.equal(body.id, 1);
  });

  it('leave the connection open behind them', async () => {
    const head = 'HTTP/1.1\r\nHost: app.test\r\nAuthorization: @AUTH\r\n';
    const answer = await world.raw(
      `GET /short ${head}\r\nHEAD /short ${head}\r\nGET /json ${head}\r\n` +
        `GET /short ${head}Connection: close\r\n\r\n`,
    );
    assert.equal(answer.match(/HTTP\/1\.1 200 /g)?.length, 4, answer);
  });

  it('tell no length of what a HEAD does not show', async () => {
    const answer = await world.raw(
      'HEAD /json HTTP/1.1\r\nHost: app.test\r\nAuthorization: @AUTH\r\nConnection: close\r\n\r\n',
    );
    assert.doesNotMatch(answer, /content-length/i);
  });
});

describe('GraphQL under masks', () => {
  it('has fields under aliases masked as what they are', async () => {
    const world = await startHttpGateway({
      target: (request, response) => {
        request.resume();
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify({ data: { customer: { city: 'x-1', name: 'y' } } }));
      },
      policy: `rules: [{ id: all, when: 'true', then: allow }]
masks: [{ id: ssn, columns: ['*.*.ssn'], with: redact }]
`,
    });
    const send = async (query: string): Promise<string> => {
      const answer = await fetch(`http://127.0.0.1:${world.port}/graphql`, {
        method: 'POST',
        headers: { authorization: await world.basic(), 'content-type': 'application/json' },
        body: JSON.stringify({ query }),
      });
      return answer.text();
    };
    assert.match(await send('{customer{city:ssn name}}'), /"city":"\[REDACTED\]","name":"y"/);
    assert.match(await send('{customer{city name}}'), /"city":"x-1"/);
    const fragment = 'query{customer{...f}} fragment f on C {city:ssn name}';
    assert.match(await send(fragment), /"city":"\[REDACTED\]"/);
    await world.stop();
  });
});

/** Speaks WebSocket by hand; gives what came until `count` bytes are there or the end. */
function talk(port: number, request: string, wanted: RegExp): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(request));
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (wanted.test(text)) socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text));
  });
}

describe('WebSocket', () => {
  const frame = (text: string, fin = true, opcode: number = webSocketOpcode.text): Uint8Array =>
    webSocketFrame(opcode, Buffer.from(text), undefined, fin);
  const half = Math.floor(json.length / 2);
  const sent: Readonly<Record<string, readonly Uint8Array[]>> = {
    '/text': [frame(json), frame('{"end":true}')],
    '/pieces': [
      frame(json.slice(0, half), false),
      frame(json.slice(half), true, webSocketOpcode.continuation),
      frame('{"end":true}'),
    ],
    '/binary': [frame(json, true, webSocketOpcode.binary), frame('{"end":true}')],
    '/plain': [frame(`card ${CARD}`), frame('{"end":true}')],
  };

  async function start(masks: string): Promise<HttpGateway> {
    const world = await startHttpGateway({
      target: (_request, response) => response.end(),
      policy: `rules: [{ id: all, when: 'true', then: allow }]\n${masks}`,
    });
    world.server?.on('upgrade', (request: IncomingMessage, socket: Socket) => {
      assert.equal(request.headers['sec-websocket-extensions'], undefined);
      socket.on('error', () => undefined);
      socket.on('data', () => undefined);
      socket.on('end', () => socket.end());
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
          'Sec-WebSocket-Accept: x\r\n\r\n',
      );
      for (const bytes of sent[request.url ?? ''] ?? []) socket.write(bytes);
    });
    return world;
  }

  const ask = async (world: HttpGateway, path: string): Promise<string> =>
    talk(
      world.port,
      `GET ${path} HTTP/1.1\r\nHost: app.test\r\nAuthorization: ${await world.basic()}\r\n` +
        'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\n' +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n',
      /"end":true/,
    );

  it('passes as it is without masks', async () => {
    const world = await start('');
    const answer = await ask(world, '/text');
    assert.match(answer, /^HTTP\/1\.1 101 [^]*sec-websocket-accept: x\r\n/);
    assert.ok(answer.includes(json));
    await world.stop();
  });

  it('has its messages masked, however they are cut, and nothing else', async () => {
    const world = await start(policy.slice(policy.indexOf('masks:')));
    for (const path of ['/text', '/pieces']) {
      const answer = await ask(world, path);
      assert.ok(!leaks(answer), answer);
      assert.match(answer, /"ssn":"\[REDACTED\]"/);
    }
    for (const path of ['/binary', '/plain']) {
      const answer = await ask(world, path);
      assert.ok(!leaks(answer), answer);
      assert.doesNotMatch(answer, /"end"/, 'the connection ended');
    }
    await world.stop();
  });
});

assert.ok(gunzipSync(gzipSync(json)).includes(SSN), 'the codings hold the value');
