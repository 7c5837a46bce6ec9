import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Flow, PACKET_BYTES_MIN } from './flow.ts';

const WINDOW = 4_000;

/** A flow with both its ends written down. */
function watched() {
  const seen = { out: [] as number[], largest: 0, granted: WINDOW, credit: 0 };
  const flow = new Flow(
    {
      forward(bytes) {
        seen.out.push(...bytes);
        seen.largest = Math.max(seen.largest, bytes.length);
        seen.credit -= bytes.length;
      },
      grant: (count) => (seen.granted += count),
    },
    WINDOW,
  );
  return { flow, seen };
}

describe('one direction of a channel', () => {
  it('loses nothing, keeps the order and both windows, whatever happens when', () => {
    const step = fc.oneof(
      fc.record({ send: fc.integer({ min: 1, max: 1_600 }) }),
      fc.record({ adjust: fc.integer({ min: 0, max: 2_400 }) }),
    );
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60 }),
        fc.integer({ min: PACKET_BYTES_MIN, max: 600 }),
        (steps, packet) => {
          const { flow, seen } = watched();
          const sent: number[] = [];
          for (const [index, each] of steps.entries()) {
            if (index === 3) {
              seen.credit += 100;
              flow.open(100, packet);
            }
            if ('adjust' in each) {
              seen.credit += each.adjust;
              flow.adjust(each.adjust);
              continue;
            }
            const count = Math.min(each.send, seen.granted);
            if (count === 0) continue;
            const bytes = Uint8Array.from({ length: count }, (_, at) => (sent.length + at) % 251);
            seen.granted -= count;
            sent.push(...bytes);
            flow.sent(count);
            flow.push(bytes, false);
            bytes.fill(0xee);
            assert.ok(seen.credit >= 0, 'more than the receiver takes');
            assert.ok(seen.largest <= packet, 'a packet that is too large');
            assert.ok(sent.length - seen.out.length <= WINDOW, 'more is kept than the window');
          }
          if (steps.length < 4) flow.open(100, packet);
          flow.adjust(100_000);
          assert.deepEqual(seen.out, sent);
        },
      ),
    );
  });

  it('does what comes behind data behind it, and not before the receiver is there', () => {
    const { flow, seen } = watched();
    const order: string[] = [];
    flow.behind(() => order.push('first'));
    flow.push(Uint8Array.of(1, 2, 3), false);
    flow.behind(() => order.push(`second after ${seen.out.length}`));
    assert.deepEqual(order, []);
    flow.open(2, 1_000);
    assert.deepEqual(order, []);
    flow.adjust(5);
    assert.deepEqual(order, ['first', 'second after 3']);
  });

  it('takes no more than was granted, and no window beyond the protocol’s', () => {
    const { flow } = watched();
    flow.sent(WINDOW);
    assert.throws(() => flow.sent(1), { code: 'SP_FRAME_MALFORMED' });
    const { flow: other } = watched();
    assert.throws(() => other.open(1, PACKET_BYTES_MIN - 1), { code: 'SP_FRAME_MALFORMED' });
    const { flow: third } = watched();
    third.open(0xffffffff, 1_000);
    assert.throws(() => third.adjust(1), { code: 'SP_FRAME_MALFORMED' });
  });

  it('lets go of data that nobody takes, and still does what comes behind it', () => {
    const { flow, seen } = watched();
    let isDone = false;
    flow.push(Uint8Array.of(1), false);
    flow.behind(() => (isDone = true));
    flow.discard();
    assert.ok(isDone);
    flow.push(Uint8Array.of(2), false);
    flow.open(100, 1_000);
    assert.deepEqual(seen.out, []);
  });
});
