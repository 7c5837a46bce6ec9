/**
 * What RFC 9113 does not allow, frame by frame at the gateway's own listener: each ends its stream
 * or its connection, none reaches the target, and others go on being served.
 */
import assert from 'node:assert/strict';
import { connect as connectTcp } from 'node:net';
import { connect } from 'node:http2';
import { after, before, describe, it } from 'node:test';
import { httpLimits } from '#core/limits.ts';
import { exchange, type HttpGateway, startHttpGateway } from '../support/http-gateway.ts';

const type = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goAway: 7,
  window: 8,
  continuation: 9,
} as const;
const flag = { endStream: 1, ack: 1, endHeaders: 4, padded: 8 } as const;
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const WAIT_MS_MAX = 30_000;

const frame = (kind: number, flags: number, stream: number, payload: Uint8Array): Buffer => {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = kind;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
};

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

/** A string of HPACK as it is, with the length in as many bytes as it needs. */
const text = (value: string): Buffer => {
  const bytes = Buffer.from(value, 'latin1');
  const head: number[] = [];
  if (bytes.length < 127) head.push(bytes.length);
  else {
    head.push(127);
    let left = bytes.length - 127;
    for (; left >= 128; left = Math.floor(left / 128)) head.push(128 + (left % 128));
    head.push(left);
  }
  return Buffer.concat([Buffer.from(head), bytes]);
};

type Pair = readonly [name: string, value: string];

/** Fields as literals that enter no table. */
const block = (pairs: readonly Pair[]): Buffer =>
  Buffer.concat(pairs.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]));

const request: readonly Pair[] = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':authority', 'app.test'],
  [':path', '/reached'],
];

/** What became of a connection: the first frame that decides it. */
type Outcome = 'answered' | 'refused' | 'reset' | 'goaway' | 'closed';

const ANSWER_OK = 0x88;

function outcomeOf(received: Buffer): Outcome | undefined {
  for (let at = 0; at + 9 <= received.length; ) {
    const end = at + 9 + received.readUIntBE(at, 3);
    if (end > received.length) return undefined;
    const kind = received[at + 3];
    if (kind === type.headers) return received[at + 9] === ANSWER_OK ? 'answered' : 'refused';
    if (kind === type.reset) return 'reset';
    if (kind === type.goAway) return 'goaway';
    at = end;
  }
  return undefined;
}

describe('HTTP/2 against the rules', () => {
  let world: HttpGateway;
  let authorization = '';
  const seen: string[] = [];
  const fieldsSeen: string[] = [];

  before(async () => {
    world = await startHttpGateway({
      target: (asked, answer) => {
        seen.push(`${asked.method} ${asked.url}`);
        fieldsSeen.push(...Object.keys(asked.headers));
        asked.resume();
        answer.end('ok');
      },
      policy: 'rules:\n  - { id: all, when: "true", then: allow }\n',
    });
    authorization = await world.basic();
  });

  after(() => world.stop());

  /** Sends frames behind the preface and gives what became of it. */
  const send = (frames: readonly Uint8Array[], preface: Uint8Array = PREFACE): Promise<Outcome> =>
    new Promise((resolve, reject) => {
      const socket = connectTcp(world.port, '127.0.0.1', () => {
        socket.write(
          Buffer.concat([preface, frame(type.settings, 0, 0, Buffer.alloc(0)), ...frames]),
        );
      });
      let received = Buffer.alloc(0);
      const timer = setTimeout(() => {
        socket.destroy();
        reject(new Error('nothing became of it'));
      }, WAIT_MS_MAX);
      const done = (outcome: Outcome): void => {
        clearTimeout(timer);
        socket.destroy();
        resolve(outcome);
      };
      socket.on('data', (chunk) => {
        received = Buffer.concat([received, chunk]);
        const outcome = outcomeOf(received);
        if (outcome !== undefined) done(outcome);
      });
      socket.on('error', () => undefined);
      socket.on('close', () => done('closed'));
    });

  const headers = (
    pairs: readonly Pair[],
    flags: number = flag.endHeaders + flag.endStream,
    stream = 1,
  ): Buffer =>
    frame(type.headers, flags, stream, block([...pairs, ['authorization', authorization]]));

  const served = async (): Promise<void> => {
    const session = connect(`http://127.0.0.1:${world.port}`);
    const stream = session.request({ ':path': '/served', ':authority': 'app.test', authorization });
    const status = await new Promise((resolve) =>
      stream.once('response', (fields) => resolve(fields[':status'])),
    );
    session.destroy();
    assert.equal(status, 200);
  };

  it('lets through what is allowed', async () => {
    seen.length = 0;
    assert.equal(await send([headers(request)]), 'answered');
    assert.deepEqual(seen, ['GET /reached']);
  });

  const without = (name: string): readonly Pair[] => request.filter(([each]) => each !== name);
  const post: readonly Pair[] = [[':method', 'POST'], ...without(':method')];
  const open = flag.endHeaders;

  const heads: Readonly<Record<string, readonly Pair[]>> = {
    'no method': without(':method'),
    'no path': without(':path'),
    'no scheme': without(':scheme'),
    'an empty path': [...without(':path'), [':path', '']],
    'two methods': [...request, [':method', 'GET']],
    'an unknown pseudo field': [...request, [':secret', 'x']],
    'a pseudo field of answers': [...request, [':status', '200']],
    'a pseudo field behind others': [['x', 'y'], ...request],
    'a name with a capital': [...request, ['X-Name', 'y']],
    'a path with a line break': [...without(':path'), [':path', '/ HTTP/1.1\r\nx: y']],
    'a method with a space': [...without(':method'), [':method', 'GET /x HTTP/1.1']],
    connection: [...request, ['connection', 'close']],
    'keep-alive': [...request, ['keep-alive', '5']],
    'transfer-encoding': [...request, ['transfer-encoding', 'chunked']],
    upgrade: [...request, ['upgrade', 'websocket']],
    te: [...request, ['te', 'gzip']],
    'two hosts': [...request, ['host', 'other.test']],
    'another scheme': [...without(':scheme'), [':scheme', 'https']],
    'an extended CONNECT': [
      [':method', 'CONNECT'],
      [':protocol', 'websocket'],
      ...without(':method'),
    ],
    CONNECT: [[':method', 'CONNECT'], ...request.filter(([name]) => name === ':authority')],
    'a length and no body': [...post, ['content-length', '5']],
    'an encoded slash': [...without(':path'), [':path', '/a%2fb']],
    'a fragment': [...without(':path'), [':path', '/a#b']],
    'too many fields': [
      ...request,
      ...Array.from({ length: 200 }, (_, at): Pair => [`x-${at}`, 'y']),
    ],
    'a head that is too large': [
      ...request,
      ...Array.from({ length: 8 }, (_, at): Pair => [`x-${at}`, 'y'.repeat(1_900)]),
      ...Array.from({ length: 60 }, (_, at): Pair => [`y-${at}`, '']),
      ...Array.from({ length: 70 }, (_, at): Pair => [`z-${at}`, '']),
    ],
  };

  for (const [name, pairs] of Object.entries(heads)) {
    it(`refuses a head with ${name}`, async () => {
      seen.length = 0;
      assert.notEqual(await send([headers(pairs)]), 'answered');
      assert.deepEqual(seen, []);
    });
  }

  it('drops a field that has no form in HTTP/1.1', async () => {
    for (const pair of [
      ['x name', 'y'],
      ['x', 'a\r\nsmuggled: 1'],
      ['x', 'a\0b'],
    ] as const) {
      seen.length = 0;
      await send([headers([...request, pair])]);
      assert.ok(seen.every((line) => line === 'GET /reached'));
    }
    assert.ok(fieldsSeen.every((name) => name !== 'x' && name !== 'smuggled'));
  });

  const nothing = Buffer.alloc(0);
  const frames: Readonly<Record<string, () => readonly Uint8Array[]>> = {
    'data without a stream': () => [frame(type.data, 0, 0, Buffer.from('x'))],
    'data of a stream that is not open': () => [frame(type.data, 0, 1, Buffer.from('x'))],
    'a head without a stream': () => [headers(request, 5, 0)],
    'a stream with an even number': () => [headers(request, 5, 2)],
    'a push': () => [frame(type.push, open, 1, Buffer.concat([uint32(2), block(request)]))],
    'more data than was announced': () => [
      headers([...post, ['content-length', '1']], open),
      frame(type.data, flag.endStream, 1, Buffer.from('xyz')),
    ],
    'less data than was announced': () => [
      headers([...post, ['content-length', '9']], open),
      frame(type.data, flag.endStream, 1, Buffer.from('xyz')),
    ],
    'padding longer than its frame': () => [
      headers(post, open),
      frame(type.data, flag.padded, 1, Buffer.from([200, 1])),
    ],
    'a frame above the size': () => [frame(type.data, 0, 1, Buffer.alloc(16_385))],
    'a frame between a head and its rest': () => [
      headers(request, flag.endStream),
      frame(type.ping, 0, 0, Buffer.alloc(8)),
    ],
    'a rest without a head': () => [frame(type.continuation, open, 1, block(request))],
    'a head in a thousand pieces': () => [
      headers(request, flag.endStream),
      ...Array.from({ length: 1_000 }, () => frame(type.continuation, 0, 1, block([['x', 'y']]))),
    ],
    'a table that is not there': () => [frame(type.headers, 5, 1, Buffer.from([0xff, 0xff, 0x7f]))],
    'a ping of another size': () => [frame(type.ping, 0, 0, Buffer.alloc(7))],
    'settings of another size': () => [frame(type.settings, 0, 0, Buffer.alloc(5))],
    'settings with a stream': () => [frame(type.settings, 0, 1, nothing)],
    'a window above the largest': () => [
      frame(type.settings, 0, 0, Buffer.concat([Buffer.from([0, 4]), uint32(0x80000000)])),
    ],
    'an increment of nothing': () => [frame(type.window, 0, 0, uint32(0))],
    'an increment above the largest': () => [
      frame(type.window, 0, 0, uint32(0x7fffffff)),
      frame(type.window, 0, 0, uint32(0x7fffffff)),
    ],
    'a reset of a stream that never was': () => [frame(type.reset, 0, 1, uint32(8))],
    'trailers that do not end': () => [headers(post, open), headers([['x', 'y']], open)],
    'streams that are taken back, again and again': () =>
      Array.from({ length: 4 * httpLimits.streamResetsMax }, (_, at) => [
        headers(request, 5, 2 * at + 1),
        frame(type.reset, 0, 2 * at + 1, uint32(8)),
      ]).flat(),
  };

  for (const [name, made] of Object.entries(frames)) {
    it(`ends a connection, or a stream, for ${name}`, async () => {
      assert.notEqual(await send(made()), 'answered');
      await served();
    });
  }

  it('refuses another preface, and does not change from HTTP/1.1 to HTTP/2', async () => {
    seen.length = 0;
    assert.equal(await send([], Buffer.from('PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n')), 'goaway');
    const upgrade =
      'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAAA\r\n';
    const answer = await exchange(
      world.port,
      `GET /one HTTP/1.1\r\nHost: app.test\r\nAuthorization: ${authorization}\r\n${upgrade}\r\n` +
        `GET /two HTTP/1.1\r\nHost: app.test\r\nAuthorization: ${authorization}\r\n` +
        'Connection: close\r\n\r\n',
    );
    assert.equal(answer.split('HTTP/1.1 200').length, 3);
    assert.deepEqual(seen, ['GET /one', 'GET /two']);
  });

  it('lets nobody ask for more after a login that failed', async () => {
    const bad = frame(type.headers, 5, 1, block([...request, ['authorization', 'Bearer x']]));
    seen.length = 0;
    assert.notEqual(await send([bad, headers(request, 5, 3)]), 'answered');
    assert.deepEqual(seen, []);
  });
});
