import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { GatewayError } from '#core/errors.ts';
import {
  closePayload,
  webSocketFrame,
  webSocketOpcode,
  WebSocketReader,
  type WebSocketSink,
} from './websocket.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** What a reader tells, the pieces of a message as one. */
function told(pieces: readonly Uint8Array[], isMasked: boolean): string[] {
  const events: string[] = [];
  let message = '';
  const sink: WebSocketSink = {
    data(kind, bytes, last) {
      message += hex(bytes);
      if (!last) return;
      events.push(`${kind} ${message}`);
      message = '';
    },
    ping: (payload) => void events.push(`ping ${hex(payload)}`),
    pong: (payload) => void events.push(`pong ${hex(payload)}`),
    closed: (code, reason) => void events.push(`closed ${code} ${Buffer.from(reason).toString()}`),
  };
  const reader = new WebSocketReader(sink, isMasked);
  for (const piece of pieces) reader.push(piece);
  return events;
}

const mask = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d);
const { text, binary, ping, close, continuation } = webSocketOpcode;
const bytesOf = (value: string): Uint8Array => Buffer.from(value);
const isMalformed = (thrown: unknown): boolean =>
  thrown instanceof GatewayError && thrown.code === 'SP_FRAME_MALFORMED';

describe('WebSocket frames', () => {
  it('read the examples of RFC 6455, section 5.7', () => {
    const read = (frame: string, isMasked: boolean): string[] =>
      told([Buffer.from(frame, 'hex')], isMasked);
    assert.deepEqual(read('810548656c6c6f', false), [`text ${hex(bytesOf('Hello'))}`]);
    assert.deepEqual(read('818537fa213d7f9f4d5158', true), [`text ${hex(bytesOf('Hello'))}`]);
    assert.deepEqual(read('010348656c80026c6f', false), [`text ${hex(bytesOf('Hello'))}`]);
    assert.deepEqual(read('890548656c6c6f', false), [`ping ${hex(bytesOf('Hello'))}`]);
  });

  it('come out as they went in, at every cut, masked and not', () => {
    const messages = fc.array(
      fc.tuple(
        fc.constantFrom(text, binary),
        fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.constant(new Uint8Array(70_000).fill(7))),
      ),
      { maxLength: 4 },
    );
    fc.assert(
      fc.property(messages, fc.boolean(), fc.nat(), (list, isMasked, seed) => {
        const frames = list.map(([opcode, payload]) =>
          webSocketFrame(opcode, payload, isMasked ? mask : undefined),
        );
        const all = Buffer.concat(frames);
        const expected = list.map(
          ([opcode, payload]) => `${opcode === text ? 'text' : 'binary'} ${hex(payload)}`,
        );
        const cut = all.length === 0 ? 0 : seed % all.length;
        assert.deepEqual(told([all.subarray(0, cut), all.subarray(cut)], isMasked), expected);
      }),
      { numRuns: 200 },
    );
    const small = webSocketFrame(text, bytesOf('héllo'), mask);
    assert.equal(
      told(
        Array.from(small, (byte) => Uint8Array.of(byte)),
        true,
      ).length,
      1,
    );
  });

  it('take control frames between the pieces of a message, and nothing behind a close', () => {
    const all = Buffer.concat([
      webSocketFrame(text, bytesOf('a'), undefined, false),
      webSocketFrame(ping, bytesOf('p'), undefined),
      webSocketFrame(continuation, bytesOf('b'), undefined),
      webSocketFrame(close, closePayload(1000, 'bye'), undefined),
      Uint8Array.of(0xff, 0xff),
    ]);
    assert.deepEqual(told([all], false), ['ping 70', 'text 6162', 'closed 1000 bye']);
    assert.deepEqual(told([webSocketFrame(close, new Uint8Array(0), undefined)], false), [
      'closed 1005 ',
    ]);
  });

  it('that break the rules are refused', () => {
    const bad: readonly (readonly [string, Uint8Array, boolean])[] = [
      ['a reserved bit', Uint8Array.of(0xc1, 0), false],
      ['an unknown opcode', Uint8Array.of(0x83, 0), false],
      ['a client that does not mask', Uint8Array.of(0x81, 0), true],
      ['a server that masks', webSocketFrame(text, bytesOf('a'), mask), false],
      ['a continuation of nothing', Uint8Array.of(0x80, 0), false],
      ['a message within a message', Uint8Array.of(0x01, 0, 0x81, 0), false],
      ['a fragmented ping', Uint8Array.of(0x09, 0), false],
      ['a ping of 126 bytes', webSocketFrame(ping, new Uint8Array(126), undefined), false],
      ['a close of one byte', webSocketFrame(close, new Uint8Array(1), undefined), false],
      ['a length in more bytes than it needs', Uint8Array.of(0x81, 126, 0, 5), false],
      ['a length beyond all', Uint8Array.of(0x82, 127, 255, 255, 255, 255, 0, 0, 0, 0), false],
    ];
    for (const [what, bytes, isMasked] of bad) {
      assert.throws(() => told([bytes], isMasked), isMalformed, what);
    }
  });

  it('end in no other error, whatever comes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.boolean(), (noise, isMasked) => {
        try {
          told([noise], isMasked);
        } catch (thrown) {
          assert.ok(isMalformed(thrown), String(thrown));
        }
      }),
      { numRuns: 3_000 },
    );
  });
});
