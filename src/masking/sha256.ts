/**
 * SHA-256 (FIPS 180-4) of short messages, for the checksum of Bitcoin addresses. Here because this
 * room imports nothing of the platform; not for keys: it makes no claim about timing.
 */
const K: Uint32Array = new Uint32Array(64);
const INITIAL: Uint32Array = new Uint32Array(8);

// The constants are the first 32 bits of the fractional parts of roots of the first primes.
{
  const isPrime = (n: number): boolean => {
    for (let i = 2; i * i <= n; i += 1) if (n % i === 0) return false;
    return true;
  };
  for (let n = 2, count = 0; count < 64; n += 1) {
    if (!isPrime(n)) continue;
    if (count < 8) INITIAL[count] = (Math.sqrt(n) % 1) * 0x100000000;
    K[count] = (Math.cbrt(n) % 1) * 0x100000000;
    count += 1;
  }
}

const rotate = (word: number, by: number): number => (word >>> by) | (word << (32 - by));

/** The digest of `message`. */
export function sha256(message: Uint8Array): Uint8Array {
  const blocks = Math.ceil((message.length + 9) / 64);
  const padded = new Uint8Array(blocks * 64);
  padded.set(message);
  padded[message.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 4, message.length * 8);
  const state = Uint32Array.from(INITIAL);
  const words = new Uint32Array(64);
  for (let block = 0; block < blocks; block += 1) compress(state, words, view, block * 64);
  const digest = new Uint8Array(32);
  const out = new DataView(digest.buffer);
  state.forEach((word, i) => out.setUint32(i * 4, word));
  return digest;
}

function compress(state: Uint32Array, words: Uint32Array, view: DataView, at: number): void {
  for (let i = 0; i < 16; i += 1) words[i] = view.getUint32(at + i * 4);
  for (let i = 16; i < 64; i += 1) {
    const early = words[i - 15] ?? 0;
    const late = words[i - 2] ?? 0;
    const s0 = rotate(early, 7) ^ rotate(early, 18) ^ (early >>> 3);
    const s1 = rotate(late, 17) ^ rotate(late, 19) ^ (late >>> 10);
    words[i] = (words[i - 16] ?? 0) + s0 + (words[i - 7] ?? 0) + s1;
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let i = 0; i < 64; i += 1) {
    const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const choice = (e & f) ^ (~e & g);
    const one = (h + s1 + choice + (K[i] ?? 0) + (words[i] ?? 0)) | 0;
    const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const majority = (a & b) ^ (a & c) ^ (b & c);
    const two = (s0 + majority) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
  }
  const add = [a, b, c, d, e, f, g, h];
  for (let i = 0; i < 8; i += 1) state[i] = (state[i] ?? 0) + (add[i] ?? 0);
}
