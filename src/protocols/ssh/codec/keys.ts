/**
 * Public keys, private keys and signatures in SSH's forms (RFC 4253 section 6.6, RFC 5656, RFC
 * 8332, RFC 8709). Ed25519, ECDSA over the three NIST curves, and RSA from 2048 bits with SHA-2;
 * nothing else exists here, so nothing else verifies.
 */
import {
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign as signBytes,
  verify as verifyBytes,
} from 'node:crypto';
import keyParser from 'ssh2/lib/protocol/keyParser.js';
import { GatewayError } from '#core/errors.ts';
import { CERTIFICATE_SUFFIX } from '#core/ssh-certificate.ts';
import { FieldReader, FieldWriter, malformed } from '#core/ssh-fields.ts';

const RSA_BITS_MIN = 2_048;

const curves: Readonly<Record<string, { readonly jwk: string; readonly bytes: number }>> = {
  nistp256: { jwk: 'P-256', bytes: 32 },
  nistp384: { jwk: 'P-384', bytes: 48 },
  nistp521: { jwk: 'P-521', bytes: 66 },
};

/** Hash of each signature algorithm; null where it is part of the algorithm. */
const hashes: Readonly<Record<string, string | null>> = {
  'ssh-ed25519': null,
  'ecdsa-sha2-nistp256': 'sha256',
  'ecdsa-sha2-nistp384': 'sha384',
  'ecdsa-sha2-nistp521': 'sha512',
  'rsa-sha2-256': 'sha256',
  'rsa-sha2-512': 'sha512',
};

/** A public key, decoded. */
export interface PublicKey {
  /** `ssh-ed25519`, `ecdsa-sha2-nistp256` …, `ssh-rsa`. */
  readonly type: string;
  readonly key: KeyObject;
}

/** Signature algorithms that a key of this type may use, best first. */
export const algorithmsOf = (type: string): readonly string[] =>
  type === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256'] : [type];

/**
 * Decodes a public key blob; malformed when it is none that is known here. Of a certificate it
 * gives the key that is certified, and says nothing of who certified it.
 */
export function readPublicKey(blob: Uint8Array): PublicKey {
  const reader = new FieldReader(blob);
  const given = reader.text();
  if (!given.endsWith(CERTIFICATE_SUFFIX)) {
    const key = importKey(publicJwk(given, reader));
    reader.end();
    return { type: given, key };
  }
  reader.string(); // a nonce
  const type = given.slice(0, -CERTIFICATE_SUFFIX.length);
  return { type, key: importKey(publicJwk(type, reader)) };
}

/** The signature algorithm of a name that may be a certificate's. */
export const plainAlgorithm = (name: string): string =>
  name.endsWith(CERTIFICATE_SUFFIX) ? name.slice(0, -CERTIFICATE_SUFFIX.length) : name;

function publicJwk(type: string, reader: FieldReader): Record<string, string> {
  if (type === 'ssh-ed25519') return { kty: 'OKP', crv: 'Ed25519', x: base64url(reader.string()) };
  if (type === 'ssh-rsa') {
    const e = unsigned(reader.string());
    const n = unsigned(reader.string());
    if (n.length * 8 < RSA_BITS_MIN) throw malformed('an RSA key that is too short');
    return { kty: 'RSA', e: base64url(e), n: base64url(n) };
  }
  const name = type.startsWith('ecdsa-sha2-') ? type.slice('ecdsa-sha2-'.length) : '';
  const curve = Object.hasOwn(curves, name) ? curves[name] : undefined;
  if (curve === undefined || reader.text() !== name) throw malformed('an unknown type of key');
  const point = reader.string();
  if (point[0] !== 4 || point.length !== 1 + 2 * curve.bytes) throw malformed('an ECDSA point');
  const [x, y] = [point.subarray(1, 1 + curve.bytes), point.subarray(1 + curve.bytes)];
  return { kty: 'EC', crv: curve.jwk, x: base64url(x), y: base64url(y) };
}

function importKey(jwk: Record<string, string>): KeyObject {
  try {
    return createPublicKey({ key: jwk, format: 'jwk' });
  } catch {
    throw malformed('a public key');
  }
}

/** The blob of a key of ours. */
export function writePublicKey(key: KeyObject): Uint8Array {
  const jwk = (key.type === 'private' ? createPublicKey(key) : key).export({ format: 'jwk' });
  const field = (text: string | undefined): Uint8Array => Buffer.from(text ?? '', 'base64url');
  const writer = new FieldWriter();
  if (jwk.kty === 'OKP' && jwk.crv === 'Ed25519') {
    return writer.text('ssh-ed25519').string(field(jwk.x)).done();
  }
  if (jwk.kty === 'RSA') {
    return writer
      .text('ssh-rsa')
      .string(mpint(field(jwk.e)))
      .string(mpint(field(jwk.n)))
      .done();
  }
  const [name] = Object.entries(curves).find(([, { jwk: crv }]) => crv === jwk.crv) ?? [];
  if (name === undefined) throw new GatewayError('SP_CONFIG', { detail: 'a key of another type' });
  const point = Buffer.concat([Uint8Array.of(4), field(jwk.x), field(jwk.y)]);
  return writer.text(`ecdsa-sha2-${name}`).text(name).string(point).done();
}

/**
 * Reads a private key: OpenSSH's own form, or PEM.
 *
 * @throws GatewayError `SP_CONFIG`; its detail holds nothing of the key.
 */
export function readPrivateKey(text: string): KeyObject {
  try {
    if (!text.includes('OPENSSH PRIVATE KEY')) return createPrivateKey(text);
    const parsed = keyParser.parseKey(text);
    if (!(parsed instanceof Error)) {
      const one = Array.isArray(parsed) ? parsed[0] : parsed;
      const pem = one?.getPrivatePEM();
      if (typeof pem === 'string') return createPrivateKey(pem);
    }
  } catch {
    // Told below, without what the parser says of the text.
  }
  throw new GatewayError('SP_CONFIG', { detail: 'a private key that cannot be read' });
}

/** Signs `data`; answers the signature blob. */
export function sign(key: KeyObject, algorithm: string, data: Uint8Array): Uint8Array {
  const hash = hashes[algorithm] ?? null;
  const isEcdsa = algorithm.startsWith('ecdsa-');
  const raw = signBytes(hash, data, isEcdsa ? { key, dsaEncoding: 'ieee-p1363' } : key);
  const half = raw.length / 2;
  const value = isEcdsa
    ? new FieldWriter()
        .string(mpint(raw.subarray(0, half)))
        .string(mpint(raw.subarray(half)))
        .done()
    : raw;
  return new FieldWriter().text(algorithm).string(value).done();
}

/** Whether `signature` over `data` is by `key` with exactly this algorithm. */
export function verify(
  { type, key }: PublicKey,
  algorithm: string,
  signed: { readonly data: Uint8Array; readonly signature: Uint8Array },
): boolean {
  const hash = Object.hasOwn(hashes, algorithm) ? hashes[algorithm] : undefined;
  if (hash === undefined || !algorithmsOf(type).includes(algorithm)) return false;
  const reader = new FieldReader(signed.signature);
  if (reader.text() !== algorithm) return false;
  const value = reader.string();
  reader.end();
  const name = type.startsWith('ecdsa-sha2-') ? type.slice('ecdsa-sha2-'.length) : '';
  const curve = Object.hasOwn(curves, name) ? curves[name] : undefined;
  if (curve === undefined) return verifyBytes(hash, signed.data, key, value);
  const halves = new FieldReader(value);
  const raw = new Uint8Array(2 * curve.bytes);
  for (const end of [curve.bytes, 2 * curve.bytes]) {
    const half = unsigned(halves.string());
    if (half.length > curve.bytes) return false;
    raw.set(half, end - half.length);
  }
  halves.end();
  return verifyBytes(hash, signed.data, { key, dsaEncoding: 'ieee-p1363' }, raw);
}

const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');

/** A positive `mpint` without its leading zeros. */
function unsigned(bytes: Uint8Array): Uint8Array {
  if (((bytes[0] ?? 0) & 0x80) !== 0) throw malformed('a negative number');
  let start = 0;
  while (start < bytes.length && bytes[start] === 0) start += 1;
  return bytes.subarray(start);
}

function mpint(bytes: Uint8Array): Uint8Array {
  const plain = unsignedBytes(bytes);
  if (((plain[0] ?? 0) & 0x80) === 0) return plain;
  const out = new Uint8Array(plain.length + 1);
  out.set(plain, 1);
  return out;
}

function unsignedBytes(bytes: Uint8Array): Uint8Array {
  let start = 0;
  while (start < bytes.length && bytes[start] === 0) start += 1;
  return bytes.subarray(start);
}
