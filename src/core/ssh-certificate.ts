/**
 * Certificates of OpenSSH (PROTOCOL.certkeys), decoded and not believed: who signed one, whether
 * the signature holds and whether it is good now and here is for whoever reads it to check.
 */
import { FieldReader, FieldWriter, malformed } from './ssh-fields.ts';

/** What the name of a key type has behind it when it is the type of a certificate. */
export const CERTIFICATE_SUFFIX = '-cert-v01@openssh.com';

/** Fields of a public key behind its type, by type. */
const keyFields: Readonly<Record<string, number>> = {
  'ssh-ed25519': 1,
  'ecdsa-sha2-nistp256': 2,
  'ecdsa-sha2-nistp384': 2,
  'ecdsa-sha2-nistp521': 2,
  'ssh-rsa': 2,
};

/** How many fields a public key has behind its type; undefined for a type that is not known. */
export const keyFieldsOf = (type: string): number | undefined =>
  Object.hasOwn(keyFields, type) ? keyFields[type] : undefined;

export interface SshCertificate {
  /** The key that is certified, as a blob of its own. */
  readonly key: Uint8Array;
  readonly kind: 'user' | 'host';
  readonly id: string;
  readonly principals: readonly string[];
  /** Seconds since 1970: good from, and before. */
  readonly after: bigint;
  readonly before: bigint;
  /** Whether it has an option that whoever does not know it must refuse. */
  readonly isRestricted: boolean;
  /** The key that signed it. */
  readonly authority: Uint8Array;
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

/** Decodes a certificate; undefined for a blob of another type, malformed for what is none. */
export function readCertificate(bytes: Uint8Array): SshCertificate | undefined {
  const fields = new FieldReader(bytes);
  const given = fields.text();
  if (!given.endsWith(CERTIFICATE_SUFFIX)) return undefined;
  const type = given.slice(0, -CERTIFICATE_SUFFIX.length);
  const count = keyFieldsOf(type);
  if (count === undefined) return undefined;
  fields.string(); // a nonce
  const key = new FieldWriter().text(type);
  for (let index = 0; index < count; index += 1) key.string(fields.string());
  fields.uint64(); // a serial number
  const kind = fields.uint32();
  if (kind !== 1 && kind !== 2) throw malformed('a certificate of another kind');
  const certificate = {
    key: key.done(),
    kind: kind === 1 ? ('user' as const) : ('host' as const),
    id: fields.text(),
    principals: readPrincipals(fields.string()),
    after: fields.uint64(),
    before: fields.uint64(),
    isRestricted: fields.string().length > 0,
  };
  fields.string(); // extensions
  fields.string(); // reserved
  const authority = fields.string();
  const signed = bytes.subarray(0, bytes.length - fields.left);
  const signature = fields.string();
  fields.end();
  return { ...certificate, authority, signed, signature };
}

function readPrincipals(bytes: Uint8Array): string[] {
  const fields = new FieldReader(bytes);
  const principals: string[] = [];
  while (fields.left > 0) principals.push(fields.text());
  return principals;
}
