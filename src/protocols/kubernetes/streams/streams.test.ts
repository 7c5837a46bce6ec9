import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { GatewayError } from '#core/errors.ts';
import { streamLimits } from '#core/limits.ts';
import { webSocketFrame, webSocketOpcode } from '#protocols/http/codec/websocket.ts';
import { encodeSize, ResizeReader } from './resize.ts';
import { SpdyClientStreams, SpdyTargetStreams } from './spdy-streams.ts';
import { type SpdyHeaders } from './spdy-headers.ts';
import { SpdyReader, SpdyWriter } from './spdy.ts';
import type { ClientEvents, ClientStreams } from './standard-streams.ts';
import { encodeEnd, readStatus } from './status.ts';
import { WebSocketStreams } from './websocket-streams.ts';

const all = { stdin: true, stdout: true, stderr: true, tty: true };
const utf8 = (text: string): Uint8Array => Buffer.from(text);
const isMalformed = (thrown: unknown): boolean =>
  thrown instanceof GatewayError && thrown.code === 'SP_FRAME_MALFORMED';

/** What a client's end tells, input that follows on input as one. */
function told(
  make: (events: ClientEvents, send: (bytes: Uint8Array) => void) => ClientStreams,
  pieces: readonly Uint8Array[],
): { readonly events: readonly string[]; readonly sent: Uint8Array } {
  const events: string[] = [];
  const sent: Uint8Array[] = [];
  const streams = make(
    {
      opened: () => events.push('opened'),
      input: (bytes) => {
        const text = Buffer.from(bytes).toString('latin1');
        if (events.at(-1)?.startsWith('input ') === true) events[events.length - 1] += text;
        else events.push(`input ${text}`);
      },
      inputEnded: () => events.push('inputEnded'),
      resized: ({ columns, rows }) => events.push(`resized ${columns}x${rows}`),
      left: () => events.push('left'),
    },
    (bytes) => sent.push(bytes),
  );
  streams.start();
  for (const piece of pieces) streams.push(piece);
  return { events, sent: Buffer.concat(sent) };
}

const mask = Uint8Array.of(1, 2, 3, 4);
const message = (channel: number, text: string): Uint8Array =>
  webSocketFrame(webSocketOpcode.binary, Buffer.concat([Uint8Array.of(channel), utf8(text)]), mask);
const webSocket =
  (protocol = 'v5.channel.k8s.io') =>
  (events: ClientEvents, send: (bytes: Uint8Array) => void): ClientStreams =>
    new WebSocketStreams(protocol, events, send);
const spdy = (events: ClientEvents, send: (bytes: Uint8Array) => void): ClientStreams =>
  new SpdyClientStreams(all, events, send);

const webSocketSession = Buffer.concat([
  message(0, ''),
  message(0, 'hello '),
  webSocketFrame(webSocketOpcode.ping, utf8('?'), mask),
  message(4, '{"Width":120,"Height":40}'),
  webSocketFrame(
    webSocketOpcode.binary,
    Buffer.concat([Uint8Array.of(0), utf8('wor')]),
    mask,
    false,
  ),
  webSocketFrame(webSocketOpcode.continuation, utf8('ld'), mask),
  message(255, '\0'),
  message(0, 'after the end'),
  webSocketFrame(webSocketOpcode.close, Uint8Array.of(3, 232), mask),
]);
const webSocketEvents = [
  'opened',
  'input hello ',
  'resized 120x40',
  'input world',
  'inputEnded',
  'left',
];

function spdySession(): Uint8Array {
  const writer = new SpdyWriter();
  const names = ['error', 'stdin', 'stdout', 'stderr', 'resize'];
  return Buffer.concat([
    ...names.map((name, at) => writer.open(2 * at + 1, [['streamtype', name]])),
    writer.data(3, utf8('hello ')),
    writer.ping(1),
    writer.data(9, utf8('{"Width":120,')),
    writer.data(9, utf8('"Height":40}\n')),
    writer.data(3, utf8('world'), true),
    writer.data(3, utf8('after the end')),
    writer.goAway(9),
  ]);
}
const spdyEvents = ['opened', 'input hello ', 'resized 120x40', 'input world', 'inputEnded'];

describe('streams of a client', () => {
  for (const [name, make, session, events] of [
    ['WebSocket', webSocket(), webSocketSession, webSocketEvents],
    ['SPDY', spdy, spdySession(), spdyEvents],
  ] as const) {
    it(`are read from ${name} whatever way they are cut`, () => {
      const whole = told(make, [session]);
      assert.deepEqual(whole.events, events);
      for (let cut = 0; cut <= session.length; cut += 1) {
        const pieces = [session.subarray(0, cut), session.subarray(cut)];
        assert.deepEqual(told(make, pieces), whole);
      }
      assert.deepEqual(
        told(
          make,
          Array.from(session, (byte) => Uint8Array.of(byte)),
        ),
        whole,
      );
    });

    it(`end in an error of ours where ${name} is not what it must be`, () => {
      fc.assert(
        fc.property(fc.uint8Array({ minLength: 1, maxLength: 64 }), fc.nat(), (noise, at) => {
          const bytes = Uint8Array.from(session);
          bytes.set(noise.subarray(0, bytes.length - (at % bytes.length)), at % bytes.length);
          try {
            told(make, [bytes]);
          } catch (thrown) {
            assert.ok(isMalformed(thrown), String(thrown));
          }
        }),
        { numRuns: 2_000 },
      );
    });
  }

  it('have no end of a stream before version 5, and no channels beside the known ones', () => {
    assert.throws(() => told(webSocket('v4.channel.k8s.io'), [message(255, '\0')]), isMalformed);
    for (const channel of [1, 2, 3, 5, 254]) {
      assert.throws(() => told(webSocket(), [message(channel, 'x')]), isMalformed);
    }
  });

  it('must be those that were asked for, by numbers of their own', () => {
    const opened = (...streams: readonly (readonly [number, SpdyHeaders])[]) => {
      const writer = new SpdyWriter();
      return () =>
        told(
          spdy,
          streams.map(([id, headers]) => writer.open(id, headers)),
        );
    };
    const [stdin, stdout]: readonly SpdyHeaders[] = [
      [['streamtype', 'stdin']],
      [['streamtype', 'stdout']],
    ];
    assert.throws(opened([1, [['streamtype', 'data']]]), isMalformed);
    assert.throws(opened([1, []]), isMalformed);
    assert.throws(opened([1, stdin ?? []], [3, stdin ?? []]), isMalformed);
    assert.throws(opened([1, stdin ?? []], [1, stdout ?? []]), isMalformed);
    assert.throws(opened([2, stdin ?? []]), isMalformed);
    assert.throws(
      opened([
        1,
        [
          ['streamtype', 'stdin'],
          ['streamtype', 'stdout'],
        ],
      ]),
      isMalformed,
    );
    const writer = new SpdyWriter();
    const data = [writer.open(1, stdout ?? []), writer.data(1, utf8('x'))];
    assert.throws(() => told(spdy, data), isMalformed);
  });
});

describe('streams at the target', () => {
  it('are opened in the order in which servers wait for them, and tell all before the end', () => {
    const toTarget: Uint8Array[] = [];
    const events: string[] = [];
    const target = new SpdyTargetStreams(
      all,
      {
        output: (bytes, isStderr) => events.push(`${isStderr} ${Buffer.from(bytes).toString()}`),
        finished: (status) => events.push(`finished ${Buffer.from(status).toString()}`),
      },
      (bytes) => toTarget.push(bytes),
    );
    target.open();
    target.input(Buffer.alloc(100_000, 'x'));
    target.resized({ columns: 100, rows: 30 });
    target.inputEnded();
    target.input(utf8('after the end'));
    assert.equal(
      asked(toTarget),
      'error stdin stdout stderr resize 100000 {"Width":100,"Height":30}',
    );
    const server = new SpdyWriter();
    target.push(server.reply(1));
    target.push(server.data(5, utf8('out')));
    target.push(server.data(1, utf8('{"status":'), false));
    target.push(server.data(1, utf8('"Success"}'), true));
    target.push(server.data(7, utf8('err'), true));
    assert.deepEqual(events, ['false out', 'true err']);
    target.push(server.data(5, utf8('last'), true));
    target.gone();
    assert.deepEqual(events.slice(2), ['false last', 'finished {"status":"Success"}']);
  });

  it('end without a status when the connection does', () => {
    const ends: number[] = [];
    const target = new SpdyTargetStreams(
      all,
      { output: () => undefined, finished: (status) => ends.push(status.length) },
      () => undefined,
    );
    target.gone();
    target.gone();
    assert.deepEqual(ends, [0]);
  });

  it('tell no status above the limit', () => {
    const target = new SpdyTargetStreams(
      all,
      { output: () => undefined, finished: () => undefined },
      () => undefined,
    );
    const large = Buffer.alloc(streamLimits.statusBytesMax + 1, 'x');
    assert.throws(() => target.push(new SpdyWriter().data(1, large)), isMalformed);
  });
});

/** What a server reads: names of streams, bytes of input, sizes. */
function asked(pieces: readonly Uint8Array[]): string {
  const names: string[] = [];
  let input = 0;
  let isOver = false;
  const nothing = (): undefined => undefined;
  const reader = new SpdyReader({
    opened: (_stream, headers) => names.push(headers[0]?.[1] ?? ''),
    data: (stream, bytes) => {
      if (stream === 3) input += bytes.length;
      else names.push(`${input} ${Buffer.from(bytes).toString().trim()}`);
    },
    finished: (stream) => {
      isOver ||= stream === 3;
    },
    replied: nothing,
    reset: nothing,
    ping: nothing,
    goAway: nothing,
  });
  for (const piece of pieces) reader.push(piece);
  assert.ok(isOver, 'the end of input');
  return names.join(' ');
}

describe('sizes and statuses', () => {
  it('reads sizes whatever way they are cut, and nothing else', () => {
    const size = fc.record(
      { columns: fc.nat(65_535), rows: fc.nat(65_535) },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(fc.array(size, { maxLength: 5 }), fc.nat(200), (sizes, cut) => {
        const bytes = Buffer.concat(sizes.map(encodeSize));
        const reader = new ResizeReader();
        const found = [
          ...reader.push(bytes.subarray(0, cut)),
          ...reader.push(bytes.subarray(Math.min(cut, bytes.length))),
        ];
        assert.deepEqual(found, sizes);
      }),
    );
    for (const text of ['{"Width":-1,"Height":1}', '{"Width":"1"}', '[1}', '{"Width":70000}']) {
      assert.throws(() => new ResizeReader().push(utf8(text)), isMalformed, text);
    }
    assert.throws(() => new ResizeReader().push(Buffer.alloc(300, ' ')), isMalformed);
  });

  it('reads back what it wrote, and takes what it does not know for a failure', () => {
    for (const end of [
      { exit: 0, message: '' },
      { exit: 7, message: 'command terminated with exit code 7' },
      { exit: undefined, message: 'it did not run' },
    ]) {
      assert.deepEqual(readStatus(encodeEnd(end)), end);
    }
    for (const text of ['', 'no', '[]', '{"status":"Success","status":"Failure"}']) {
      assert.notEqual(readStatus(utf8(text)).exit, 0, text);
    }
  });
});
