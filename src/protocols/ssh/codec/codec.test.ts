import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { GatewayError } from '#core/errors.ts';
import { FieldReader, FieldWriter } from '#core/ssh-fields.ts';
import {
  dataHead,
  message,
  readChannelOpen,
  readChannelRequest,
  readData,
  recipientOf,
  writeChannelOpen,
  writeChannelRequest,
} from './messages.ts';
import {
  framed,
  PacketSplitter,
  readOneName,
  readRequest,
  sftp,
  SFTP_PACKET_BYTES_MAX,
  writeRequest,
} from './sftp.ts';

const bytes = fc.uint8Array({ maxLength: 300 });
const uint32 = fc.integer({ min: 0, max: 0xffffffff });

/** Runs a reader; anything but a value or the error of a malformed message fails. */
function read(run: () => unknown): void {
  try {
    run();
  } catch (thrown) {
    assert.ok(
      thrown instanceof GatewayError && thrown.code === 'SP_FRAME_MALFORMED',
      String(thrown),
    );
  }
}

describe('the fields of SSH', () => {
  it('reads what was written, and nothing beyond it', () => {
    fc.assert(
      fc.property(
        bytes,
        fc.string({ unit: 'grapheme' }),
        uint32,
        fc.bigInt(0n, 2n ** 64n - 1n),
        (...given) => {
          const [raw, text, number, long] = given;
          const written = new FieldWriter().string(raw).text(text).uint32(number).uint64(long);
          const reader = new FieldReader(written.bool(true).raw(raw).done());
          assert.deepEqual(reader.string(), raw);
          assert.equal(reader.text(), text);
          assert.equal(reader.uint32(), number);
          assert.equal(reader.uint64(), long);
          assert.equal(reader.bool(), true);
          assert.deepEqual(reader.rest(), raw);
          assert.throws(() => reader.byte(), { code: 'SP_FRAME_MALFORMED' });
        },
      ),
    );
  });

  it('takes no length on trust and no text that is not UTF-8', () => {
    const huge = new FieldReader(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 1));
    assert.throws(() => huge.string(), { code: 'SP_FRAME_MALFORMED' });
    const latin = new FieldReader(Uint8Array.of(0, 0, 0, 1, 0xe9));
    assert.throws(() => latin.text(), { code: 'SP_FRAME_MALFORMED' });
  });
});

describe('the messages of channels', () => {
  it('are read as they are written', () => {
    fc.assert(
      fc.property(fc.string(), uint32, uint32, bytes, (type, number, other, rest) => {
        const open = { type, sender: number, window: other, packetMax: number, rest };
        assert.deepEqual(readChannelOpen(writeChannelOpen(open)), open);
        const request = { type, wantReply: number % 2 === 0, data: rest };
        const payload = writeChannelRequest(number, request);
        assert.deepEqual(readChannelRequest(payload), request);
        assert.equal(recipientOf(payload), number);
        for (const isStderr of [true, false]) {
          const data = Buffer.concat([dataHead(number, isStderr, rest.length), rest]);
          const found = readData(data);
          assert.equal(found.isStderr, isStderr);
          assert.deepEqual([...found.bytes], [...rest]);
        }
      }),
    );
  });

  it('that are anything else are malformed, whatever they are', () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.values(message)), bytes, (type, rest) => {
        const payload = Uint8Array.of(type, ...rest);
        for (const reader of [readChannelOpen, readChannelRequest, readData, recipientOf]) {
          read(() => reader(payload));
        }
      }),
    );
  });
});

it('writes a byte behind a field that fills the memory', () => {
  for (let length = 0; length < 300; length += 1) {
    const text = 'x'.repeat(length);
    const reader = new FieldReader(new FieldWriter().text(text).bool(true).done());
    assert.equal(reader.text(), text);
    assert.equal(reader.bool(), true, String(length));
    reader.end();
  }
});

describe('the packets of SFTP', () => {
  it('are the same however they are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 5, maxLength: 40 }), { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
        (packets, sizes) => {
          const stream = Buffer.concat(packets.map((packet) => framed(packet)));
          const splitter = new PacketSplitter();
          const found: Uint8Array[] = [];
          for (let at = 0, index = 0; at < stream.length; index += 1) {
            const end = at + (sizes[index % sizes.length] ?? 1);
            splitter.push(stream.subarray(at, end), (packet) =>
              found.push(Uint8Array.from(packet)),
            );
            at = end;
          }
          assert.deepEqual(found, packets);
        },
      ),
    );
  });

  it('are refused when they are shorter or longer than any can be, before their bytes come', () => {
    for (const length of [0, 4, SFTP_PACKET_BYTES_MAX + 1, 0xffffffff]) {
      const head = new FieldWriter().uint32(length).done();
      assert.throws(() => new PacketSplitter().push(head, () => undefined), {
        code: 'SP_FRAME_MALFORMED',
      });
    }
  });

  it('keep everything but their paths when those are replaced', () => {
    const packet = new FieldWriter()
      .byte(sftp.open)
      .uint32(7)
      .text('/a/../b')
      .uint32(1)
      .uint32(0)
      .done();
    const request = readRequest(packet);
    const again = writeRequest(request, [new TextEncoder().encode('/b')]);
    const reader = new FieldReader(again, 4);
    assert.equal(reader.byte(), sftp.open);
    assert.equal(reader.uint32(), 7);
    assert.equal(reader.text(), '/b');
    assert.deepEqual([...reader.rest()], [0, 0, 0, 1, 0, 0, 0, 0]);
  });

  it('that nobody knows have no kind, and no bytes make a reader fail', () => {
    const unknown = readRequest(new FieldWriter().byte(199).uint32(1).done());
    assert.equal(unknown.kind, undefined);
    const extended = new FieldWriter().byte(sftp.extended).uint32(1).text('copy-data').done();
    assert.equal(readRequest(extended).kind, undefined);
    const inherited = new FieldWriter().byte(sftp.extended).uint32(1).text('constructor').done();
    assert.equal(readRequest(inherited).kind, undefined);
    fc.assert(
      fc.property(bytes, (packet) => {
        read(() => readRequest(packet));
        read(() => readOneName(packet));
      }),
    );
  });
});
