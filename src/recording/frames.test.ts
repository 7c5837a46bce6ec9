import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { type Entry, EntryReader } from './entries.ts';
import { BLOCK_RAW_BYTES_MAX } from './format.ts';
import { FrameWriter, RecyclingPool } from './frames.ts';
import { commandFields, markFields } from './records.ts';

/** A writer whose full blocks are read back at once, as the archive would. */
function loop(): {
  readonly frames: FrameWriter;
  readonly entries: Entry[];
  now: number;
  readonly flush: () => void;
  readonly sizes: number[];
} {
  const entries: Entry[] = [];
  const sizes: number[] = [];
  const reader = new EntryReader(undefined);
  const pool = new RecyclingPool(4, () => undefined);
  const flush = (): void => {
    if (frames.used === 0) return;
    const { used, startedUs } = frames;
    const block = frames.take();
    // A copy: the reader's views outlive the block here.
    const raw = new Uint8Array(block.bytes.subarray(0, used));
    pool.give(block);
    sizes.push(used);
    const header = {
      index: 1,
      type: 'frames',
      flags: 0,
      rawBytes: used,
      storedBytes: used,
    } as const;
    const found = reader.read({
      header: { ...header, startedUs, keyId: '', previous: raw },
      headerBytes: raw,
      stored: raw,
      offset: 0,
    });
    assert.ok(typeof found !== 'string', 'what the writer wrote can be read');
    entries.push(...found);
  };
  const state = { entries, sizes, now: 0, flush };
  const frames = new FrameWriter({
    pool,
    nowUs: () => state.now,
    full: flush,
    opened: () => undefined,
  });
  return Object.assign(state, { frames });
}

/** Sizes instead of the bytes themselves, so that a failure can be read. */
interface Step {
  readonly kind: 'data' | 'mark' | 'command';
  readonly bytes: number;
  readonly chars: number;
  readonly unit: string;
}

const sizes = fc.oneof(
  fc.nat(40),
  fc.nat(3_000),
  fc.constantFrom(8_176, 8_184, 65_528, 65_529),
  fc.nat(150_000),
);
const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('data', 'data', 'mark', 'command'),
  bytes: sizes,
  chars: sizes,
  unit: fc.constantFrom('a', 'ä', '世', '🙂'),
});

const bytesOf = ({ bytes }: Step): Uint8Array => new Uint8Array(bytes).fill(bytes & 0xff);
const textOf = ({ chars, unit }: Step): string => unit.repeat(chars / unit.length);

describe('FrameWriter', () => {
  it('gives back what was written, however it falls into blocks', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const { frames, entries, flush, sizes } = loop();
        for (const one of steps) write(frames, one);
        flush();
        assert.ok(sizes.every((size) => size <= BLOCK_RAW_BYTES_MAX));
        assert.deepEqual(written(entries), steps.flatMap(shape).reduce(join, []));
      }),
      { numRuns: 200 },
    );
  });

  it('keeps every byte of data in order', () => {
    fc.assert(
      fc.property(fc.array(sizes, { maxLength: 8 }), fc.nat(50), (parts, from) => {
        const source = new Uint8Array(200_000).map((_, index) => (index * 31) % 251);
        const { frames, entries, flush } = loop();
        const wanted: Uint8Array[] = [];
        for (const part of parts) {
          frames.data('from-client', source, from, from + part);
          wanted.push(source.subarray(from, from + part));
        }
        flush();
        const got = entries.map((entry) => (entry.kind === 'data' ? entry.bytes : source));
        assert.equal(Buffer.compare(Buffer.concat(got), Buffer.concat(wanted)), 0);
      }),
      { numRuns: 100 },
    );
  });

  it('starts small and grows once', () => {
    const { frames, flush, sizes } = loop();
    frames.data('to-client', new Uint8Array(100), 0, 100);
    assert.equal(frames.memory.length, 8 * 1024);
    frames.data('to-client', new Uint8Array(20_000), 0, 20_000);
    assert.equal(frames.memory.length, BLOCK_RAW_BYTES_MAX);
    flush();
    assert.deepEqual(sizes, [100 + 20_000 + 16]);
  });

  it('closes a block that is a second old', () => {
    const state = loop();
    const { frames, sizes } = state;
    frames.data('to-client', new Uint8Array(10), 0, 10);
    state.now = 999_999;
    frames.data('to-client', new Uint8Array(10), 0, 10);
    assert.deepEqual(sizes, []);
    state.now = 1_000_000;
    frames.data('to-client', new Uint8Array(10), 0, 10);
    assert.deepEqual(sizes, [36]);
    state.flush();
    assert.deepEqual(
      state.entries.map((entry) => (entry.kind === 'data' ? entry.atUs : -1)),
      [0, 999_999, 1_000_000],
    );
  });
});

function write(frames: FrameWriter, one: Step): void {
  if (one.kind === 'data') {
    frames.data('to-client', bytesOf(one), 0, one.bytes);
    return;
  }
  frames.begin(one.kind);
  if (one.kind === 'mark') {
    frames.text(markFields.kind, one.unit);
    frames.text(markFields.data, textOf(one));
  } else {
    frames.text(commandFields.text, textOf(one));
    frames.prefixed(commandFields.parameterBinary, 'type', bytesOf(one));
  }
  frames.end();
}

/** Kind, length of text, length of bytes, checksum of both. */
type Shape = readonly [string, number, number, number];

function shape(one: Step): Shape[] {
  const text = textOf(one);
  switch (one.kind) {
    case 'data':
      return one.bytes === 0 ? [] : [['data', 0, one.bytes, 0]];
    case 'mark':
      return [['mark', text.length, 0, crc32(text)]];
    case 'command':
      return [['command', text.length, one.bytes, crc32(bytesOf(one), crc32(text))]];
  }
}

/** What was read, in the same form. */
function written(entries: readonly Entry[]): readonly Shape[] {
  return entries.map(readShape).reduce(join, []);
}

function readShape(entry: Entry): Shape {
  switch (entry.kind) {
    case 'data':
      return ['data', 0, entry.bytes.length, 0];
    case 'mark':
      return ['mark', entry.data.length, 0, crc32(entry.data)];
    case 'command': {
      const { text, parameters } = entry.command;
      const bytes = parameters[0]?.bytes ?? new Uint8Array(0);
      return ['command', text.length, bytes.length, crc32(bytes, crc32(text))];
    }
    case 'verdict':
      return ['verdict', 0, 0, 0];
  }
}

/** Pieces of data that follow each other are one: blocks may split them anywhere. */
function join(shapes: readonly Shape[], next: Shape): readonly Shape[] {
  const last = shapes.at(-1);
  if (last?.[0] !== 'data' || next[0] !== 'data') return [...shapes, next];
  return [...shapes.slice(0, -1), ['data', 0, last[2] + next[2], 0]];
}
