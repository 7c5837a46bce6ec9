/** Our packets against those of `ssh2`, both ways, however they are cut. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import crypto from 'ssh2/lib/protocol/crypto.js';
import type { PacketDecipher } from 'ssh2/lib/protocol/Protocol.js';
import { PacketOpener, PacketSealer } from './packets.ts';

const DATA = 94;
const nothing = new Uint8Array(0);
const names = ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com'] as const;

/** Both ends of one direction under one key, ours and those of `ssh2`. */
function ends(name: string, nonce: Uint8Array = randomBytes(12)) {
  const info = crypto.CIPHER_INFO[name];
  assert.ok(info !== undefined);
  const key = randomBytes(info.keyLen);
  const sent: Uint8Array[] = [];
  const got: Buffer[] = [];
  const onWrite = (bytes: Uint8Array): void => void sent.push(Uint8Array.from(bytes));
  const onPayload = (payload: Uint8Array): undefined => void got.push(Buffer.from(payload));
  const theirSealer = (): ReturnType<typeof crypto.createCipher> =>
    crypto.createCipher({
      outbound: {
        onWrite,
        seqno: 3,
        cipherInfo: info,
        cipherKey: key,
        cipherIV: Buffer.from(nonce),
      },
    });
  const theirOpener = (): ReturnType<typeof crypto.createDecipher> =>
    crypto.createDecipher({
      inbound: {
        onPayload,
        seqno: 3,
        decipherInfo: info,
        decipherKey: key,
        decipherIV: Buffer.from(nonce),
      },
    });
  return {
    got,
    theirSealer,
    theirOpener,
    sealer: () => new PacketSealer(theirSealer(), onWrite),
    opener: () => new PacketOpener(theirOpener()),
    /** Everything sealed so far. */
    stream: () => Buffer.concat(sent),
  };
}

/** Feeds a stream in pieces, as a socket reads it. */
function feed(opener: PacketDecipher, stream: Uint8Array, cuts: readonly number[]): void {
  const places = cuts.map((cut) => cut % (stream.length + 1)).toSorted((a, b) => a - b);
  let from = 0;
  for (const to of [...places, stream.length]) {
    // Memory of its own, which is gone after the call.
    const chunk = Buffer.from(stream.subarray(from, to));
    opener.decrypt(chunk, 0, chunk.length);
    chunk.fill(0xee);
    from = to;
  }
}

const payload = fc
  .tuple(fc.constantFrom(1, DATA, 95, 98), fc.oneof(fc.nat(200), fc.nat(33_000)))
  .map(([type, length]) => Buffer.concat([Uint8Array.of(type), randomBytes(length)]));
const traffic = fc.record({
  name: fc.constantFrom(...names),
  payloads: fc.array(payload, { minLength: 1, maxLength: 6 }),
  cuts: fc.array(fc.nat(), { maxLength: 12 }),
});

describe('packets under AES-GCM', () => {
  it('are what ssh2 opens, in one part and in two', () => {
    fc.assert(
      fc.property(traffic, ({ name, payloads, cuts }) => {
        const { sealer, theirOpener, stream, got } = ends(name);
        const ours = sealer();
        for (const [index, each] of payloads.entries()) {
          const cut = index % 2 === 0 ? 9 : each.length;
          ours.seal(each.subarray(0, cut), each.subarray(cut));
        }
        feed(theirOpener(), stream(), cuts);
        assert.deepEqual(got, payloads);
        assert.equal(ours.outSeqno, 3 + payloads.length);
      }),
    );
  });

  it('are opened as ssh2 seals them, however they are cut', () => {
    fc.assert(
      fc.property(traffic, ({ name, payloads, cuts }) => {
        const { theirSealer, opener, stream, got } = ends(name);
        const theirs = theirSealer();
        for (const each of payloads) {
          const packet = theirs.allocPacket(each.length);
          packet.set(each, 5);
          theirs.encrypt(packet);
        }
        feed(opener(), stream(), cuts);
        assert.deepEqual(got, payloads);
      }),
    );
  });

  it('are opened when they come byte by byte', () => {
    const { sealer, opener, stream, got } = ends(names[0]);
    const ours = sealer();
    const payloads = [1, 11, 12, 13, 300].map((length) => Buffer.alloc(length, 98));
    for (const each of payloads) ours.seal(each, nothing);
    const all = stream();
    feed(opener(), all, [...all.keys()]);
    assert.deepEqual(got, payloads);
  });

  it('say nothing of what they hold when a bit was changed', () => {
    const flip = fc.record({ length: fc.integer({ min: 1, max: 80 }), bit: fc.nat() });
    fc.assert(
      fc.property(flip, ({ length, bit }) => {
        const { sealer, opener, stream, got } = ends(names[1]);
        sealer().seal(Buffer.alloc(length, 94), nothing);
        const bytes = stream();
        const at = (bit >> 3) % bytes.length;
        bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << (bit & 7)), at);
        // A length that grew waits for bytes that never come; everything else is refused at once.
        try {
          opener().decrypt(bytes, 0, bytes.length);
          assert.ok(at < 4);
        } catch (thrown) {
          assert.ok(thrown instanceof Error && !(thrown instanceof assert.AssertionError));
        }
        assert.deepEqual(got, []);
      }),
    );
  });

  it('may not be too long, too short or no whole number of blocks, before any is kept', () => {
    for (const body of [0, 8, 24, 34_992, 0xfffffff0]) {
      const { opener } = ends(names[0]);
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(body);
      assert.throws(() => opener().decrypt(bytes, 0, 4), { code: 'SP_PROTOCOL' });
    }
  });

  it('never use a number twice: the count goes on over every byte', () => {
    const nonce = Buffer.from('01020304ffffffffffffffff', 'hex');
    const { sealer, theirOpener, stream, got } = ends(names[0], nonce);
    const ours = sealer();
    for (let count = 0; count < 3; count += 1) ours.seal(Uint8Array.of(98, count), nothing);
    feed(theirOpener(), stream(), []);
    assert.deepEqual(
      got.map((each) => each[1]),
      [0, 1, 2],
    );
  });

  it('stop where a payload asks for it, and end with it', () => {
    const { sealer, theirOpener, stream } = ends(names[0]);
    const ours = sealer();
    for (let count = 0; count < 2; count += 1) ours.seal(Uint8Array.of(98, count), nothing);
    const bytes = stream();
    const opener = new PacketOpener(Object.assign(theirOpener(), { _onPayload: () => false }));
    assert.equal(opener.decrypt(bytes, 0, bytes.length), bytes.length / 2);
    ours.free();
    ours.seal(Uint8Array.of(98, 2), nothing);
    assert.equal(stream().length, bytes.length);
  });
});
