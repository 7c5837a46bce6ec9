import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FakeWire } from '../../../test/support/fake-wire.ts';
import { Outbox } from './outbox.ts';

/** A connection whose peer can be slow, and what it is to send. */
function connection() {
  const wire = new FakeWire();
  const box = new Outbox(wire);
  wire.attach({
    data: () => undefined,
    drained: () => box.drained(),
    ended: () => undefined,
    closed: () => undefined,
  });
  const sent: Uint8Array[] = [];
  return { wire, box, sent };
}

const step = fc.record({
  side: fc.nat(1),
  what: fc.oneof(fc.nat(70_000), fc.constantFrom('flush', 'hold', 'drain')),
});

describe('what a connection sends', () => {
  it('leaves in order and unchanged, whenever the kernel takes it', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        // Two connections, which have their memory from the same place.
        const sides = [connection(), connection()];
        for (const [index, { side, what }] of steps.entries()) {
          const at = sides[side];
          assert.ok(at !== undefined);
          if (typeof what === 'number') {
            const bytes = Buffer.alloc(what, index + 1);
            at.sent.push(Uint8Array.from(bytes));
            at.box.append(bytes);
            bytes.fill(0);
          } else if (what === 'flush') {
            at.box.flush();
          } else {
            at.wire.holds = what === 'hold';
            if (what === 'drain') at.wire.drain();
          }
        }
        for (const { wire, box, sent } of sides) {
          box.flush();
          wire.drain();
          assert.ok(Buffer.concat(sent).equals(wire.output));
        }
      }),
    );
  });

  it('counts what waits, and says when the kernel has all of it', () => {
    const { wire, box } = connection();
    assert.equal(box.flush(), false);
    box.append(new Uint8Array(5));
    assert.equal(box.bytes, 5);
    assert.equal(box.flush(), true);
    wire.holds = true;
    box.append(new Uint8Array(7));
    assert.equal(box.flush(), false);
    assert.equal(box.bytes, 7);
    wire.drain();
    assert.equal(box.bytes, 0);
  });
});
