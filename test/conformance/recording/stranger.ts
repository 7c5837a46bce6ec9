/**
 * A verifier of recordings as a stranger would write it: from `docs/recording-format.md` and the
 * standard library alone, sharing no code with the gateway. Where it and the gateway's own
 * verifier differ, one of them or the page is wrong.
 */
import { createHash, createPublicKey, verify } from 'node:crypto';

/** The recording's hash in hex, or which block is wrong. */
export type Finding =
  | { readonly holds: true; readonly hash: string }
  | { readonly holds: false; readonly block: number };

const sha256 = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest();
const MAGIC = Buffer.from('8953505245430d0a0001000000000000', 'hex');
const RAW_MAX: readonly number[] = [-1, 1_048_576, 65_536, 1_048_576, 65_600];

/** Section 2, "Verifying". */
export function strangerVerifies(file: Buffer, publicKeyPem: string): Finding {
  const key = createPublicKey(publicKeyPem);
  const rawKey = Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url');
  const keyId = sha256(rawKey).subarray(0, 8);
  if (!file.subarray(0, 16).equals(MAGIC)) return { holds: false, block: 0 };
  let previous: Buffer = sha256(file.subarray(0, 16));
  let at = 16;
  for (let index = 0; ; index += 1) {
    const wrong: Finding = { holds: false, block: index };
    const header = file.subarray(at, at + 72);
    if (header.length < 72 || header.toString('latin1', 0, 4) !== 'SPB1') return wrong;
    const type = header.readUInt8(8);
    const stored = header.readUInt32BE(16);
    if (!framed(header, index)) return wrong;
    const body = at + 72 + stored;
    if (file.length < body + 64) return wrong;
    if (!header.subarray(32, 40).equals(keyId)) return wrong;
    const hash = sha256(file.subarray(at, body));
    const message = Buffer.concat([Buffer.from('sallyport-recording-v1\n'), hash]);
    if (!verify(null, message, key, file.subarray(body, body + 64))) return wrong;
    if (header.readUInt32BE(4) !== index || !header.subarray(40).equals(previous)) return wrong;
    if (type === 3) {
      const seal: { blocks: unknown; head: unknown } = JSON.parse(
        file.toString('utf8', at + 72, body),
      );
      const sound = seal.blocks === index && seal.head === previous.toString('hex');
      return sound && body + 64 === file.length
        ? { holds: true, hash: hash.toString('hex') }
        : wrong;
    }
    previous = hash;
    at = body + 64;
  }
}

/** The rules for header fields: known type and flags, lengths within limits that fit each other. */
function framed(header: Buffer, index: number): boolean {
  const type = header.readUInt8(8);
  const flags = header.readUInt8(9);
  const raw = header.readUInt32BE(12);
  const stored = header.readUInt32BE(16);
  if (type < 1 || type > 4 || (type === 1) !== (index === 0) || flags > 7) return false;
  if (header.readUInt16BE(10) !== 0 || header.readUInt32BE(20) !== 0) return false;
  if (header.readBigUInt64BE(24) >= 2n ** 53n || raw > (RAW_MAX[type] ?? -1)) return false;
  const zstd = (flags & 1) !== 0;
  const encrypted = (flags & 2) !== 0;
  if ((type === 1 || type === 3) && (zstd || encrypted)) return false;
  if (type === 4 && zstd && encrypted) return false;
  const expected = raw + (type === 2 && encrypted ? 16 : 0);
  return zstd ? stored < expected : stored === expected;
}
