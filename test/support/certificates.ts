/**
 * X.509 certificates for tests, made in process: an authority, and certificates that it signs. No
 * `openssl` binary is needed, and every test can have its own. Just enough of DER (X.690) and of
 * RFC 5280 for what TLS stacks check; never use it outside tests.
 */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIP } from 'node:net';

/** A certificate with its private key, both PEM. */
export interface Issued {
  readonly certificate: string;
  readonly key: string;
  /** The certificate's bytes. */
  readonly der: Uint8Array;
}

export interface Authority extends Issued {
  /** Signs a certificate for `names` (DNS names or IP addresses; the first is the common name). */
  issue(names: readonly string[], options?: IssueOptions): Issued;
}

export interface IssueOptions {
  /** The digest of the signature; `sha512` shows that channel binding follows it (RFC 5929). */
  readonly digest?: 'sha256' | 'sha384' | 'sha512';
  /** Days from now at which it expires; negative makes one that has expired. */
  readonly days?: number;
}

const tlv = (tag: number, ...parts: readonly Uint8Array[]): Buffer => {
  const body = Buffer.concat(parts);
  if (body.length < 0x80) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  // DER wants the shortest form of a length; OpenSSL would hash another encoding than was sent.
  const length = body.length < 0x100 ? [0x81] : [0x82, body.length >> 8];
  return Buffer.concat([Buffer.from([tag, ...length, body.length & 0xff]), body]);
};
const sequence = (...parts: readonly Uint8Array[]): Buffer => tlv(0x30, ...parts);
const set = (...parts: readonly Uint8Array[]): Buffer => tlv(0x31, ...parts);
const octets = (...parts: readonly Uint8Array[]): Buffer => tlv(0x04, ...parts);
const bits = (bytes: Uint8Array): Buffer => tlv(0x03, Buffer.from([0]), bytes);
const integer = (bytes: Uint8Array): Buffer => tlv(0x02, bytes);
const truth = Buffer.from([0x01, 0x01, 0xff]);

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const out = [first * 40 + second];
  for (const part of rest) {
    const groups = [part & 0x7f];
    for (let left = part >> 7; left > 0; left >>= 7) groups.unshift((left & 0x7f) | 0x80);
    out.push(...groups);
  }
  return tlv(0x06, Buffer.from(out));
}

const signatureOids = {
  sha256: '1.2.840.10045.4.3.2',
  sha384: '1.2.840.10045.4.3.3',
  sha512: '1.2.840.10045.4.3.4',
} as const;

const name = (common: string): Buffer =>
  sequence(set(sequence(oid('2.5.4.3'), tlv(0x0c, Buffer.from(common)))));

function time(at: Date): Buffer {
  const text = at.toISOString().replaceAll(/[-:T]/g, '').slice(0, 14);
  return tlv(0x18, Buffer.from(`${text}Z`));
}

const extension = (id: string, critical: boolean, value: Buffer): Buffer =>
  sequence(oid(id), ...(critical ? [truth] : []), octets(value));

function alternativeName(text: string): Buffer {
  const family = isIP(text);
  if (family === 4) return tlv(0x87, Buffer.from(text.split('.').map(Number)));
  if (family === 6) {
    // Tests use the loopback address alone.
    return tlv(0x87, Buffer.concat([Buffer.alloc(15), Buffer.from([1])]));
  }
  return tlv(0x82, Buffer.from(text));
}

const pem = (label: string, der: Uint8Array): string => {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
};

interface Subject {
  readonly common: string;
  readonly issuer: string;
  readonly issuerKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly extensions: readonly Buffer[];
  readonly digest: 'sha256' | 'sha384' | 'sha512';
  readonly days: number;
}

function signed(subject: Subject): Buffer {
  const algorithm = sequence(oid(signatureOids[subject.digest]));
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x01;
  const now = Date.now();
  const until = new Date(now + subject.days * 86_400_000);
  const from = new Date(Math.min(now, until.getTime()) - 86_400_000);
  const body = sequence(
    tlv(0xa0, integer(Buffer.from([2]))),
    integer(serial),
    algorithm,
    name(subject.issuer),
    sequence(time(from), time(until)),
    name(subject.common),
    subject.publicKey.export({ type: 'spki', format: 'der' }),
    tlv(0xa3, sequence(...subject.extensions)),
  );
  return sequence(body, algorithm, bits(sign(subject.digest, body, subject.issuerKey)));
}

const pair = (): { publicKey: KeyObject; privateKey: KeyObject } =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' });

const issued = (der: Buffer, key: KeyObject): Issued => ({
  certificate: pem('CERTIFICATE', der),
  key: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
  der,
});

/** Makes an authority that signs itself; trust `certificate`, keep the rest. */
export function makeAuthority(common = 'Sallyport test authority'): Authority {
  const { publicKey, privateKey } = pair();
  const keyId = createHash('sha1')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest();
  const base = { issuer: common, issuerKey: privateKey };
  const der = signed({
    ...base,
    common,
    publicKey,
    digest: 'sha256',
    days: 3650,
    extensions: [
      extension('2.5.29.19', true, sequence(truth)),
      extension('2.5.29.15', true, tlv(0x03, Buffer.from([1, 0x06]))),
      extension('2.5.29.14', false, octets(keyId)),
    ],
  });
  return {
    ...issued(der, privateKey),
    issue(names, options = {}) {
      const own = pair();
      const leaf = signed({
        ...base,
        common: names[0] ?? 'nobody',
        publicKey: own.publicKey,
        digest: options.digest ?? 'sha256',
        days: options.days ?? 30,
        extensions: [
          extension('2.5.29.19', true, sequence()),
          extension('2.5.29.15', true, tlv(0x03, Buffer.from([7, 0x80]))),
          extension(
            '2.5.29.37',
            false,
            sequence(oid('1.3.6.1.5.5.7.3.1'), oid('1.3.6.1.5.5.7.3.2')),
          ),
          extension('2.5.29.17', false, sequence(...names.map(alternativeName))),
          extension('2.5.29.35', false, sequence(tlv(0x80, keyId))),
        ],
      });
      return issued(leaf, own.privateKey);
    },
  };
}
