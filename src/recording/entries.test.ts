import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { EntryReader } from './entries.ts';
import { blockFlags, type BlockType } from './format.ts';
import { ENTRY_HEAD_BYTES } from './journal.ts';
import { readSegment } from './journal-reader.ts';
import type { ScannedBlock } from './scan.ts';

function block(
  stored: Uint8Array,
  change: { type?: BlockType; flags?: number; rawBytes?: number } = {},
): ScannedBlock {
  const { type = 'frames', flags = 0, rawBytes = stored.length } = change;
  const previous = new Uint8Array(32);
  return {
    header: {
      index: 1,
      type,
      flags,
      rawBytes,
      storedBytes: stored.length,
      startedUs: 0,
      keyId: '',
      previous,
    },
    headerBytes: new Uint8Array(72),
    stored,
    offset: 0,
  };
}

const frame = (kind: number, flags: number, body: string): Buffer => {
  const head = Buffer.alloc(8);
  head[0] = kind;
  head[1] = flags;
  head.writeUInt16BE(body.length, 2);
  return Buffer.concat([head, Buffer.from(body, 'latin1')]);
};

const cases: readonly (readonly [string, Buffer, string])[] = [
  ['a frame header that is cut', Buffer.alloc(7), 'a frame is cut'],
  ['a frame that is cut', frame(1, 0, 'abc').subarray(0, 10), 'a frame is cut'],
  ['an unknown kind', frame(9, 0, ''), 'a frame is of an unknown kind'],
  ['unknown flags', frame(3, 2, ''), 'a frame has unknown flags'],
  ['data that goes on', frame(1, 1, 'a'), 'a data frame says that it goes on'],
  [
    'a record that breaks off',
    Buffer.concat([frame(3, 1, ''), frame(4, 0, '')]),
    'a record breaks off',
  ],
  [
    'data within a record',
    Buffer.concat([frame(3, 1, ''), frame(1, 0, 'a')]),
    'a record breaks off',
  ],
  ['a field that is cut', frame(3, 0, '\x01\0\0\0\x05abc'), 'a record has a field that is cut'],
  ['a field of 4 GiB', frame(3, 0, '\x01\xff\xff\xff\xffabc'), 'a record has a field that is cut'],
];

describe('EntryReader', () => {
  for (const [name, raw, expected] of cases) {
    it(`names ${name}`, () => {
      assert.equal(new EntryReader(undefined).read(block(raw)), expected);
    });
  }

  it('passes over fields that it does not know', () => {
    const raw = frame(5, 0, '\x63\0\0\0\x01?\x01\0\0\0\x04kind');
    const entries = new EntryReader(undefined).read(block(raw));
    assert.ok(typeof entries !== 'string');
    assert.deepEqual(entries, [{ kind: 'mark', atUs: 0, mark: 'kind', data: '' }]);
  });

  it('never inflates more than the header says', () => {
    const bomb = zstdCompressSync(new Uint8Array(50_000_000));
    const reader = new EntryReader(undefined);
    assert.equal(
      reader.read(block(bomb, { flags: blockFlags.zstd, rawBytes: 65_536 })),
      'the block cannot be decompressed',
    );
  });

  it('says that it cannot decrypt when it has no key', () => {
    const flags = blockFlags.encrypted;
    const reader = new EntryReader(undefined);
    assert.equal(
      reader.read(block(new Uint8Array(40), { flags })),
      'the block cannot be decrypted',
    );
    const salvage = new Uint8Array(ENTRY_HEAD_BYTES + 4);
    assert.equal(
      reader.read(block(salvage, { flags, type: 'salvage' })),
      'a salvaged entry cannot be decrypted',
    );
  });

  it('answers whatever it is given', () => {
    const types = fc.constantFrom<BlockType>('frames', 'salvage');
    const flags = fc.constantFrom(0, blockFlags.zstd, blockFlags.encrypted);
    // Small numbers in the right places make frames and fields that nearly fit.
    const near = fc
      .array(fc.constantFrom(0, 1, 2, 3, 4, 5, 8, 255))
      .map((bytes) => Uint8Array.from(bytes));
    fc.assert(
      fc.property(fc.array(fc.oneof(near, fc.uint8Array())), types, flags, (chunks, type, flag) => {
        const reader = new EntryReader(undefined);
        for (const chunk of chunks) reader.read(block(chunk, { type, flags: flag }));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('readSegment', () => {
  it('answers whatever it is given', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 80 })), (chunks) => {
        const bytes = Buffer.concat(chunks.flatMap((chunk) => [Buffer.from('SPJ1'), chunk]));
        assert.deepEqual(readSegment(bytes, 1).records, []);
      }),
      { numRuns: 500 },
    );
  });
});
