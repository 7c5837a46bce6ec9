import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { constants, createDeflate, createInflate } from 'node:zlib';
import fc from 'fast-check';
import { GatewayError } from '#core/errors.ts';
import { spdyDictionary } from './spdy-dictionary.ts';
import { SpdyReader, type SpdySink, SpdyWriter } from './spdy.ts';
import { SpdyHeaderReader, type SpdyHeaders, SpdyHeaderWriter } from './spdy-headers.ts';

/** Notes what a reader tells, neighbouring data as one. */
class Told implements SpdySink {
  readonly events: string[] = [];
  readonly #add = (text: string): void => {
    this.events.push(text);
  };

  opened(stream: number, headers: SpdyHeaders, fin: boolean): void {
    this.#add(`opened ${stream} ${JSON.stringify(headers)} ${fin}`);
  }
  replied(stream: number, headers: SpdyHeaders, fin: boolean): void {
    this.#add(`replied ${stream} ${JSON.stringify(headers)} ${fin}`);
  }
  data(stream: number, bytes: Uint8Array): void {
    const text = Buffer.from(bytes).toString('hex');
    const last = this.events.at(-1) ?? '';
    if (last.startsWith(`data ${stream} `)) this.events[this.events.length - 1] = last + text;
    else this.#add(`data ${stream} ${text}`);
  }
  finished(stream: number): void {
    this.#add(`finished ${stream}`);
  }
  reset(stream: number, status: number): void {
    this.#add(`reset ${stream} ${status}`);
  }
  ping(id: number): void {
    this.#add(`ping ${id}`);
  }
  goAway(): void {
    this.#add('goAway');
  }
}

const told = (pieces: readonly Uint8Array[]): readonly string[] => {
  const sink = new Told();
  const reader = new SpdyReader(sink);
  for (const piece of pieces) reader.push(piece);
  return sink.events;
};

const session = (): Uint8Array => {
  const writer = new SpdyWriter();
  return Buffer.concat([
    writer.open(1, [['streamtype', 'stdin']]),
    writer.open(3, [
      ['streamtype', 'stdout'],
      ['streamtype', 'again'],
    ]),
    writer.reply(1),
    writer.data(1, Buffer.from('hello')),
    writer.data(1, new Uint8Array(0), true),
    writer.ping(7),
    writer.reset(3, 5),
    writer.goAway(3),
  ]);
};

describe('SPDY frames', () => {
  it('come out as they went in, at every cut', () => {
    const bytes = session();
    const whole = told([bytes]);
    assert.deepEqual(whole, [
      'opened 1 [["streamtype","stdin"]] false',
      'opened 3 [["streamtype","stdout"],["streamtype","again"]] false',
      'replied 1 [] false',
      'data 1 68656c6c6f',
      'finished 1',
      'ping 7',
      'reset 3 5',
      'goAway',
    ]);
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      assert.deepEqual(told([bytes.subarray(0, cut), bytes.subarray(cut)]), whole);
    }
    assert.deepEqual(told(Array.from(bytes, (byte) => Uint8Array.of(byte))), whole);
  });

  it('that are not SPDY end in an error of ours, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), (noise, at) => {
        const bytes = Buffer.from(session());
        bytes.set(noise.subarray(0, Math.max(0, bytes.length - at)), Math.min(at, bytes.length));
        try {
          told([bytes]);
        } catch (thrown) {
          assert.ok(thrown instanceof GatewayError, String(thrown));
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('refuses a control frame that would have to be held beyond the limit', () => {
    assert.throws(
      () => told([Uint8Array.of(0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff)]),
      (thrown) => thrown instanceof GatewayError && thrown.code === 'SP_FRAME_MALFORMED',
    );
  });
});

const headerList = fc.array(
  fc.tuple(fc.string({ minLength: 1, maxLength: 20 }), fc.string({ maxLength: 200 })),
  { maxLength: 20 },
);
const latin = (headers: readonly (readonly [string, string])[]): SpdyHeaders =>
  headers.map(([name, value]) => [asLatin(name), asLatin(value)]);
const asLatin = (text: string): string => text.replace(/[^\x20-\x7e]/g, '_');

describe('SPDY headers', () => {
  it('are read as they were written, with one window for all blocks', () => {
    const blocks = fc.array(headerList, { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(blocks, (lists) => {
        const writer = new SpdyHeaderWriter();
        const reader = new SpdyHeaderReader();
        for (const list of lists.map(latin)) {
          assert.deepEqual(reader.read(writer.write(list)), list);
        }
      }),
    );
  });

  it('are those of a peer that keeps a zlib stream, both ways', async () => {
    const lists: SpdyHeaders[] = [
      [['streamtype', 'error']],
      [['streamtype', 'stdin']],
      [['streamtype', 'x'.repeat(40_000)]],
      [['streamtype', 'stdout']],
    ];
    const writer = new SpdyHeaderWriter();
    const blocks = lists.map((list) => writer.write(list));
    const inflate = createInflate({ dictionary: spdyDictionary });
    const out: Buffer[] = [];
    inflate.on('data', (piece: Buffer) => out.push(piece));
    for (const block of blocks) {
      await new Promise<void>((resolve) => inflate.write(block, () => resolve()));
    }
    assert.deepEqual(Buffer.concat(out), Buffer.concat(lists.map(textOf)));
    const deflate = createDeflate({ dictionary: spdyDictionary, flush: constants.Z_SYNC_FLUSH });
    const reader = new SpdyHeaderReader();
    for (const name of ['error', 'stdin', 'stdout']) {
      const block = await new Promise<Buffer>((resolve) => {
        deflate.once('data', resolve);
        deflate.write(textOf([['streamtype', name]]));
      });
      assert.deepEqual(reader.read(block), [['streamtype', name]]);
    }
  });
});

function textOf(headers: SpdyHeaders): Buffer {
  const words = headers.flat().map((word) => {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(word.length);
    return Buffer.concat([head, Buffer.from(word)]);
  });
  const count = Buffer.alloc(4);
  count.writeUInt32BE(headers.length);
  return Buffer.concat([count, ...words]);
}
