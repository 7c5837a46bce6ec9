import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MaskSet } from '#core/masking.ts';
import { createMaskSet } from '#masking/mask-set.ts';
import { manualClock } from '../../../test/support/clock.ts';
import { OutputMask } from './results.ts';

const SECRET = '4539578763621486';
const encoder = new TextEncoder();

const cards = (version: string): MaskSet =>
  createMaskSet(
    [{ id: 'cards', columns: [], detect: ['credit-card'], transform: { kind: 'redact' } }],
    { version, hash: () => new Uint8Array(32), cellBytesMax: 1_000 },
  );

function started(isTerminal = false) {
  const clock = manualClock();
  const seen = { text: '', failures: 0, masks: cards('1'), fails: false };
  const mask = new OutputMask({
    clock,
    isTerminal,
    masks: () => seen.masks,
    deliver(bytes, isStderr) {
      if (seen.fails) throw new Error('no recording');
      seen.text += `${isStderr ? '!' : ''}${new TextDecoder().decode(bytes)}`;
    },
    failed: () => (seen.failures += 1),
  });
  return { clock, seen, mask };
}

describe('masks on output', () => {
  it('find what comes in pieces, on each stream by itself', () => {
    const { seen, mask } = started();
    for (const letter of `card ${SECRET}\n`) {
      mask.push(encoder.encode(letter), false);
      mask.push(encoder.encode(letter), true);
    }
    mask.flush();
    assert.ok(!seen.text.replaceAll('!', '').includes(SECRET));
    assert.match(seen.text, /card/);
  });

  it('hold a prompt no longer than a moment', () => {
    const { clock, seen, mask } = started(true);
    mask.push(encoder.encode('login: '), false);
    clock.advance(20);
    assert.equal(seen.text, 'login: ');
  });

  it('follow the policy in the middle of a stream, and pass all without one', () => {
    const { seen, mask } = started();
    mask.push(encoder.encode(`${SECRET}\n`), false);
    seen.masks = createMaskSet([], {
      version: '2',
      hash: () => new Uint8Array(32),
      cellBytesMax: 1_000,
    });
    mask.push(encoder.encode(`plain ${SECRET}\n`), false);
    assert.equal(seen.text.split('\n').filter((line) => line.includes(SECRET)).length, 1);
  });

  it('tell when what waited cannot be given, where nobody would hear an exception', () => {
    const { clock, seen, mask } = started();
    mask.push(encoder.encode('half a line'), false);
    seen.fails = true;
    clock.advance(200);
    assert.equal(seen.failures, 1);
  });
});
