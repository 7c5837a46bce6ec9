import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FakeWire } from '../../../test/support/fake-wire.ts';
import { Outlet } from './relay-outlet.ts';

describe('an outlet', () => {
  it('writes a chunk that passes where it lies, and once', () => {
    const wire = new FakeWire();
    const outlet = new Outlet(wire);
    const chunk = Uint8Array.of(1, 2, 3, 4);
    outlet.open(chunk, 0);
    outlet.close(3);
    assert.equal(wire.writes, 1);
    assert.deepEqual(wire.output, Buffer.from([1, 2, 3]));
  });

  it('writes what is cut, put and skipped in order, and shows it to the recorder', () => {
    // What is done with one piece of a chunk: it passes, is left out, or is replaced.
    const piece = fc.record({
      bytes: fc.uint8Array({ minLength: 1, maxLength: 50 }),
      fate: fc.oneof(
        fc.constant('pass' as const),
        fc.constant('drop' as const),
        fc.uint8Array({ maxLength: 300 }),
      ),
    });
    fc.assert(
      fc.property(fc.array(fc.array(piece, { maxLength: 8 }), { maxLength: 5 }), (chunks) => {
        const wire = new FakeWire();
        wire.holds = true;
        const recorded: Uint8Array[] = [];
        const outlet = new Outlet(wire, (bytes, start, end) => {
          recorded.push(new Uint8Array(bytes.subarray(start, end)));
        });
        const expected: Uint8Array[] = [];
        for (const pieces of chunks) {
          const chunk = new Uint8Array(Buffer.concat(pieces.map(({ bytes }) => bytes)));
          let at = 0;
          outlet.open(chunk, 0);
          for (const { bytes, fate } of pieces) {
            const next = at + bytes.length;
            if (fate === 'pass') expected.push(bytes);
            else {
              outlet.cut(at);
              if (fate !== 'drop') {
                outlet.put(fate);
                expected.push(fate);
              }
              outlet.skip(next);
            }
            at = next;
          }
          const writes = wire.writes;
          outlet.close(at);
          assert.ok(wire.writes - writes <= 1);
          wire.drain();
          outlet.drained();
          chunk.fill(0xee);
        }
        assert.deepEqual(wire.output, Buffer.concat(expected));
        assert.deepEqual(Buffer.concat(recorded), Buffer.concat(expected));
      }),
    );
  });

  it('patches a length that was not known when it was passed', () => {
    const wire = new FakeWire();
    const outlet = new Outlet(wire);
    const chunk = Uint8Array.of(9, 9, 0x44, 0, 0, 0, 0, 7);
    outlet.open(chunk, 0);
    outlet.mark(3);
    outlet.cut(7);
    outlet.put(Uint8Array.of(1, 2, 3));
    outlet.skip(8);
    outlet.patch(0x01020304);
    outlet.close(8);
    assert.deepEqual(wire.output, Buffer.from([9, 9, 0x44, 1, 2, 3, 4, 1, 2, 3]));
  });

  it('lets nothing leave once it is shut, and forgets a chunk that broke', () => {
    const wire = new FakeWire();
    const outlet = new Outlet(wire);
    outlet.open(Uint8Array.of(1, 2), 0);
    outlet.cut(1);
    assert.equal(outlet.discard(), false);
    outlet.put(Uint8Array.of(3));
    outlet.flush();
    outlet.shut();
    outlet.put(Uint8Array.of(4));
    outlet.flush();
    assert.deepEqual(wire.output, Buffer.from([3]));
  });
});
