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
import { CERTIFICATE_SUFFIX, keyFieldsOf, readCertificate } from '#core/ssh-certificate.ts';
import { FieldReader, FieldWriter } from '#core/ssh-fields.ts';

const USER = 1;
const AUTHORITY_TYPE = 'ssh-ed25519';
/** Clocks of hosts and clients that differ a little. */
const SKEW_SECONDS = 30;

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
      .text(type + CERTIFICATE_SUFFIX)
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
    return `${type + CERTIFICATE_SUFFIX} ${certificate} ${record.id}`;
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

  #read(bytes: Uint8Array): CredentialId | undefined {
    const certificate = readCertificate(bytes);
    if (certificate === undefined) return undefined;
    const { kind, id, after, before, isRestricted, authority, signed } = certificate;
    const own = this.#own();
    const isOurs = Buffer.from(own.blob).equals(authority);
    if (kind !== 'user' || isRestricted || !isOurs) return undefined;
    const now = BigInt(Math.floor(this.#parts.clock.now() / 1000));
    const signature = new FieldReader(certificate.signature);
    if (now < after || now >= before || signature.text() !== AUTHORITY_TYPE) return undefined;
    const isSigned = verifyBytes(null, signed, createPublicKey(own.key), signature.string());
    return isSigned && /^[0-9a-f]{32}$/.test(id) ? asId(id) : undefined;
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

/** The type of a public key, and its fields behind it; undefined for what is none. */
function keyOf(line: string): { readonly type: string; readonly body: Uint8Array } | undefined {
  const [type = '', base64 = ''] = line.trim().split(/\s+/);
  const count = keyFieldsOf(type);
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
