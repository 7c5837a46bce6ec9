import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { ByteQueue } from './byte-queue.ts';

it('gives back what was put in, in order, whatever the pieces were', () => {
  const step = fc.oneof(
    fc.record({ push: fc.uint8Array({ maxLength: 40 }) }),
    fc.record({ drop: fc.nat({ max: 60 }) }),
  );
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const queue = new ByteQueue();
      let waiting: number[] = [];
      for (const each of steps) {
        if ('push' in each) {
          queue.push(each.push);
          waiting.push(...each.push);
        } else {
          const count = Math.min(each.drop, waiting.length);
          queue.drop(count);
          waiting = waiting.slice(count);
        }
        assert.deepEqual([...queue.peek()], waiting);
        assert.equal(queue.length, waiting.length);
      }
    }),
  );
});

it('keeps at most twice the bytes of a sender of single ones', () => {
  const queue = new ByteQueue();
  const count = 100_000;
  for (let index = 0; index < count; index += 1) queue.push(Uint8Array.of(index));
  assert.ok(queue.peek().buffer.byteLength <= 2 * count);
});
