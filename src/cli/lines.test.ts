import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { linesOf } from './lines.ts';

async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function lines(bytes: Uint8Array, size: number, bytesMax = 1_000): Promise<string[]> {
  const found: string[] = [];
  for await (const line of linesOf(chunksOf(bytes, size), bytesMax)) found.push(line);
  return found;
}

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

test('lines come out whole, wherever the bytes are cut', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\n'))),
      fc.integer({ min: 1, max: 20 }),
      async (texts, size) => {
        const found = await lines(encode(texts.map((text) => `${text}\n`).join('')), size);
        assert.deepEqual(found, texts);
      },
    ),
  );
});

test('a last line needs no end, and an empty one is none', async () => {
  assert.deepEqual(await lines(encode('a\nb'), 2), ['a', 'b']);
  assert.deepEqual(await lines(encode('a\n'), 2), ['a']);
});

test('a line that is too long or not UTF-8 is one replacement character, and the next is whole', async () => {
  for (const size of [1, 3, 100]) {
    const long = encode(`${'x'.repeat(11)}\n${'y'.repeat(10)}\n${'z'.repeat(50)}`);
    assert.deepEqual(await lines(long, size, 10), ['\ufffd', 'yyyyyyyyyy', '\ufffd']);
    const broken = new Uint8Array([0xff, 0xfe, 10, 0x61, 10]);
    assert.deepEqual(await lines(broken, size), ['\ufffd', 'a']);
  }
});
