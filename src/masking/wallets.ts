/** Checksums of Bitcoin addresses: base58check (double SHA-256) and bech32 (BIP 173, 350). */
import { sha256 } from './sha256.ts';

const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
const BECH32 = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';

/** Whether the text is 21 bytes and the first four of their double SHA-256, in base58. */
export function base58Check(bytes: Uint8Array, start: number, end: number): boolean {
  const decoded = new Uint8Array(25);
  for (let at = start; at < end; at += 1) {
    let carry = BASE58.indexOf(String.fromCharCode(bytes[at] ?? 0));
    if (carry < 0) return false;
    for (let i = decoded.length - 1; i >= 0; i -= 1) {
      carry += (decoded[i] ?? 0) * 58;
      decoded[i] = carry & 0xff;
      carry >>= 8;
    }
    if (carry !== 0) return false;
  }
  const digest = sha256(sha256(decoded.subarray(0, 21)));
  return [0, 1, 2, 3].every((i) => digest[i] === decoded[21 + i]);
}

/** Whether the text is `bc1…` with a checksum of bech32 or bech32m. */
export function bech32(bytes: Uint8Array, start: number, end: number): boolean {
  const text = String.fromCharCode(...bytes.subarray(start, end));
  const lower = text.toLowerCase();
  if (text !== lower && text !== text.toUpperCase()) return false;
  // The human part, "bc", expanded as BIP 173 says.
  let state = [3, 3, 0, 2, 3].reduce(step, 1);
  for (const character of lower.slice(3)) {
    const value = BECH32.indexOf(character);
    if (value < 0) return false;
    state = step(state, value);
  }
  return state === 1 || state === 0x2bc830a3;
}

const GENERATOR: readonly number[] = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];

function step(state: number, value: number): number {
  const top = state >>> 25;
  let next = ((state & 0x1ffffff) << 5) ^ value;
  for (let i = 0; i < 5; i += 1) if ((top >> i) & 1) next ^= GENERATOR[i] ?? 0;
  return next >>> 0;
}
