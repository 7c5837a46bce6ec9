/**
 * User certificates for SSH (OpenSSH's PROTOCOL.certkeys): a public key with the id of a
 * credential, signed by a key of the gateway's own. The certificate proves which credential; who
 * holds it, what it is good for and whether it was revoked is what the credential says, now.
 *
 * Invariants: the authority is one key, compared as it is, never something that a certificate says;
 * a certificate with a critical option is refused, since none is issued.
 */
import {
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign as signBytes,
  verify as verifyBytes,
} from 'node:crypto';
import type { Clock } from '#core/clock.ts';
import { GatewayError } from '#core/errors.ts';
import { asId, type CredentialId } from '#core/ids.ts';
import type { CredentialRecord } from '#core/ports/credentials.ts';
import type { Random } from '#core/random.ts';
import type { Secret } from '#core/secret.ts';
import { FieldReader, FieldWriter } from '#core/ssh-fields.ts';

const SUFFIX = '-cert-v01@openssh.com';
const USER = 1;
const AUTHORITY_TYPE = 'ssh-ed25519';
/** Clocks of hosts and clients that differ a little. */
const SKEW_SECONDS = 30;

/** Fields of a public key behind its type, by type. */
const keyFields: Readonly<Record<string, number>> = {
  'ssh-ed25519': 1,
  'ecdsa-sha2-nistp256': 2,
  'ecdsa-sha2-nistp384': 2,
  'ecdsa-sha2-nistp521': 2,
  'ssh-rsa': 2,
};

export interface SshCertificatesParts {
  /** The authority: Ed25519 in PKCS#8 PEM. Asked for at the first use. */
  readonly key: () => Secret;
  readonly clock: Clock;
  readonly random: Random;
}

export class SshCertificates {
  readonly #parts: SshCertificatesParts;
  #authority: { readonly key: KeyObject; readonly blob: Uint8Array } | undefined;

  constructor(parts: SshCertificatesParts) {
    this.#parts = parts;
  }

  /** Whether a line is a public key that can be certified. */
  isKey(publicKey: string): boolean {
    return keyOf(publicKey) !== undefined;
  }

  /**
   * A certificate for a credential, as a line for a `-cert.pub` file.
   *
   * @param publicKey - a line as in `authorized_keys`, without options.
   * @throws GatewayError `SP_BAD_REQUEST` when it is no key that can be certified.
   */
  issue(publicKey: string, record: CredentialRecord): string {
    const certified = keyOf(publicKey);
    if (certified === undefined) throw new GatewayError('SP_BAD_REQUEST');
    const { type, body } = certified;
    const { random, clock } = this.#parts;
    const { key, blob } = this.#own();
    const writer = new FieldWriter()
      .text(type + SUFFIX)
      .string(random.bytes(32))
      .raw(body)
      .uint64(0n)
      .uint32(USER)
      .text(record.id)
      // For whoever reads it; a host must not trust this authority for its own accounts.
      .string(new FieldWriter().text(`sallyport:${record.id}`).done())
      .uint64(BigInt(Math.floor(clock.now() / 1000) - SKEW_SECONDS))
      .uint64(BigInt(Math.floor(record.expiresAt / 1000)))
      .text('')
      .string(new FieldWriter().text('permit-pty').text('').done())
      .text('')
      .string(blob);
    const signature = new FieldWriter()
      .text(AUTHORITY_TYPE)
      .string(signBytes(null, writer.done(), key));
    const certificate = Buffer.from(writer.string(signature.done()).done()).toString('base64');
    return `${type + SUFFIX} ${certificate} ${record.id}`;
  }

  /**
   * The credential that a certificate of ours stands for; undefined for everything else: another
   * authority's, one that is not good now, bytes that are no certificate.
   */
  credentialOf(certificate: Uint8Array): CredentialId | undefined {
    try {
      return this.#read(certificate);
    } catch {
      // Fails closed because what cannot be read proves nothing.
      return undefined;
    }
  }

  #read(certificate: Uint8Array): CredentialId | undefined {
    const fields = new FieldReader(certificate);
    const type = fields.text();
    if (!type.endsWith(SUFFIX)) return undefined;
    const count = fieldsOf(type.slice(0, -SUFFIX.length));
    if (count === undefined) return undefined;
    for (let index = 0; index < 1 + count; index += 1) fields.string();
    fields.uint64();
    const isUser = fields.uint32() === USER;
    const id = fields.text();
    fields.string();
    const [after, before] = [fields.uint64(), fields.uint64()];
    const isPlain = fields.string().length === 0;
    fields.string();
    fields.string();
    const authority = fields.string();
    const signed = certificate.subarray(0, certificate.length - fields.left);
    const signature = new FieldReader(fields.string());
    fields.end();
    const own = this.#own();
    if (!isUser || !isPlain || !Buffer.from(own.blob).equals(authority)) return undefined;
    const now = BigInt(Math.floor(this.#parts.clock.now() / 1000));
    if (now < after || now >= before || signature.text() !== AUTHORITY_TYPE) return undefined;
    const isOurs = verifyBytes(null, signed, createPublicKey(own.key), signature.string());
    return isOurs && /^[0-9a-f]{32}$/.test(id) ? asId(id) : undefined;
  }

  #own(): { readonly key: KeyObject; readonly blob: Uint8Array } {
    if (this.#authority === undefined) {
      const key = createPrivateKey(this.#parts.key().reveal());
      const raw = Buffer.from(createPublicKey(key).export({ format: 'jwk' }).x ?? '', 'base64url');
      const blob = new FieldWriter().text(AUTHORITY_TYPE).string(raw).done();
      this.#authority = { key, blob };
    }
    return this.#authority;
  }
}

const fieldsOf = (type: string): number | undefined =>
  Object.hasOwn(keyFields, type) ? keyFields[type] : undefined;

/** The type of a public key, and its fields behind it; undefined for what is none. */
function keyOf(line: string): { readonly type: string; readonly body: Uint8Array } | undefined {
  const [type = '', base64 = ''] = line.trim().split(/\s+/);
  const count = fieldsOf(type);
  if (count === undefined) return undefined;
  const blob = Buffer.from(base64, 'base64');
  try {
    const fields = new FieldReader(blob);
    if (fields.text() !== type) return undefined;
    const body = blob.subarray(blob.length - fields.left);
    for (let index = 0; index < count; index += 1) fields.string();
    fields.end();
    return { type, body };
  } catch {
    return undefined;
  }
}
