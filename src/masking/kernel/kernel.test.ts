import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { buildKernel, target } from '../../../tools/kernel.ts';
import { anchor, Kernel, WINDOW_BYTES } from './kernel.ts';

/** The kernel in plain TypeScript: what it reports must hold all that this does. */
function reference(text: string, words: readonly string[]): { kind: number; at: number }[] {
  const found: { kind: number; at: number }[] = [];
  const add = (kind: number, at: number): void => void found.push({ kind, at });
  for (const { index } of text.matchAll(/@|%40/g)) add(anchor.at, index);
  for (const { index } of text.matchAll(/~/g)) add(anchor.tilde, index);
  for (const { index } of text.matchAll(/(?<![0-9A-Za-z])[0-9A-Za-z]{4,}/g)) {
    const start = text.slice(index, index + 4).toLowerCase();
    if (words.includes(start)) add(anchor.word, index);
  }
  for (const { index, 0: group } of text.matchAll(/[0-9][0-9 ./()-]*/g)) {
    const digits = group.replace(/\D/g, '').length;
    if (digits >= 6 && !/[a-z0-9-]/.test(text[index - 1] ?? '')) add(anchor.digits, index);
  }
  for (const { index, 0: token } of text.matchAll(/[0-9A-Za-z]{15,}/g)) {
    if (/[A-Z]/.test(token)) add(anchor.long, index);
  }
  for (const { index } of text.matchAll(/(?<=ssn["']?) ?[:=]/gi)) {
    add(anchor.key, text.slice(index, index + 1) === ' ' ? index + 1 : index);
  }
  for (const { index } of text.matchAll(/:/g)) {
    const before = text.slice(Math.max(0, index - 10), index);
    if (/:[^:]{0,4}:[^:]{0,4}$/.test(before) || before.endsWith(':')) add(anchor.colons, index);
  }
  return found;
}

const words = ['ghp_', 'dapi', 'begi'];
const toBytes = (text: string): [number, number, number, number] => {
  const [a = 0, b = 0, c = 0, d = 0] = new TextEncoder().encode(text);
  return [a, b, c, d];
};
const kernel = new Kernel({
  kinds: Object.values(anchor),
  words: words.map(toBytes),
  keyEndings: [[0x73, 0x73, 0x6e]],
  digitsMin: 6,
  longMin: 15,
});

/** Text made of what anchors are made of, so that block borders fall everywhere in them. */
const pieces: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      fc.constantFrom('@', '%40', '~', 'ghp_', 'dapi', 'BEGIN', ' ', '.', '-', '/', ':', '=', '"'),
      fc.constantFrom('ssn', 'SSN"', 'abcdef', 'ABCDEF123', '2a02:c6f9:', 'd24a3224-65d2-47d8-'),
      fc.stringMatching(/^[0-9]{1,9}$/),
      fc.stringMatching(/^[0-9A-Za-z]{1,20}$/),
    ),
    { maxLength: 60 },
  )
  .map((list) => list.join(''));

describe('kernel', () => {
  it('is what its source builds to', async () => {
    assert.equal(readFileSync(target, 'utf8'), await buildKernel());
  });

  it('reports every anchor that plain code finds', () => {
    fc.assert(
      fc.property(pieces, fc.nat(70), (text, before) => {
        const bytes = new TextEncoder().encode(' '.repeat(before) + text);
        const count = kernel.find(bytes, before, bytes.length);
        const list = [...kernel.events.subarray(0, count)];
        assert.deepEqual(
          list,
          list.toSorted((a, b) => a - b),
        );
        const events = new Set(list);
        for (const { kind, at } of reference(text, words)) {
          // A UUID's digits are nobody's, so the kernel may leave them out.
          if (kind === anchor.digits && /[0-9a-f]{8}-[0-9a-f]{4}-/.test(text)) continue;
          assert.ok(events.has((at << 3) | kind), `${kind} at ${at} of ${JSON.stringify(text)}`);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('leaves nothing out for short texts either, when signs and digits are all that is wanted', () => {
    const kinds = [anchor.at, anchor.digits, anchor.key, anchor.tilde];
    const simple = new Kernel({
      kinds,
      words: [],
      keyEndings: [[0x73, 0x73, 0x6e]],
      digitsMin: 6,
      longMin: 15,
    });
    fc.assert(
      fc.property(pieces, (text) => {
        const bytes = new TextEncoder().encode(text.slice(0, 56));
        const all = [...kernel.events.subarray(0, kernel.find(bytes, 0, bytes.length))];
        const some = [...simple.events.subarray(0, simple.find(bytes, 0, bytes.length))];
        const wanted = all.filter((event) => kinds.some((kind) => kind === (event & 7)));
        assert.deepEqual(some, wanted);
      }),
      { numRuns: 2_000 },
    );
  });

  it('does not take what an earlier text left for the end of this one', () => {
    const long = new TextEncoder().encode('1234567890'.repeat(20));
    kernel.find(long, 0, long.length);
    assert.equal(kernel.find(new TextEncoder().encode('12345'), 0, 5), 0);
  });

  it('finds anchors at both ends of the longest window', () => {
    const bytes = new Uint8Array(WINDOW_BYTES).fill(0x20);
    bytes[0] = 0x40;
    bytes[WINDOW_BYTES - 1] = 0x40;
    assert.equal(kernel.find(bytes, 0, bytes.length), 2);
    assert.deepEqual([...kernel.events.subarray(0, 2)], [1, ((WINDOW_BYTES - 1) << 3) | 1]);
  });

  it('survives the text with the most anchors', () => {
    const bytes = new TextEncoder().encode('@:'.repeat(WINDOW_BYTES / 2));
    assert.ok(kernel.find(bytes, 0, bytes.length) <= kernel.events.length);
  });

  it('says what it saw besides', () => {
    const seen = (text: string): number => {
      const bytes = new TextEncoder().encode(text);
      kernel.find(bytes, 0, bytes.length);
      return kernel.special;
    };
    assert.deepEqual(['a', '\u001b[0m', 'é', '\\n'].map(seen), [0, 1, 2, 4]);
  });
});
