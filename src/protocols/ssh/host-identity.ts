/**
 * By what the gateway knows a target: a host key that the settings name, or a certificate that an
 * authority of the settings signed for this host. Anything else is another host.
 */
import type { Clock } from '#core/clock.ts';
import { CERTIFICATE_SUFFIX, readCertificate } from '#core/ssh-certificate.ts';
import { FieldReader } from '#core/ssh-fields.ts';
import { algorithmsOf, readPublicKey, verify } from './codec/keys.ts';
import type { SshSettings } from './config.ts';
import type { ClientRole } from './transport.ts';

/** Host keys that are asked for with a certificate. OpenSSH makes all of them but RSA by default. */
const certified = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
].map((type) => type + CERTIFICATE_SUFFIX);

const keysOf = (lines: readonly string[]): Buffer[] =>
  lines.map((line) => Buffer.from(line.split(' ')[1] ?? '', 'base64'));

/** What the transport checks a target with. */
export function targetRole(
  settings: Pick<SshSettings, 'hostKeys' | 'hostAuthorities' | 'hostName'>,
  address: string,
  clock: Clock,
): ClientRole {
  const keys = keysOf(settings.hostKeys);
  const authorities = keysOf(settings.hostAuthorities);
  const name = settings.hostName ?? address;
  const types = new Set(keys.map((key) => readPublicKey(key).type));
  return {
    hostKeyAlgorithms: [
      ...(authorities.length > 0 ? certified : []),
      ...[...types].flatMap(algorithmsOf),
    ],
    keyOf(given) {
      if (keys.some((key) => key.equals(given))) return given;
      try {
        return certifiedKey(given, { authorities, name, clock });
      } catch {
        // Fails closed because what cannot be read proves nothing.
        return undefined;
      }
    },
  };
}

/** The key in a certificate for this host; undefined when it is not good for it, here and now. */
function certifiedKey(
  blob: Uint8Array,
  by: { readonly authorities: readonly Buffer[]; readonly name: string; readonly clock: Clock },
): Uint8Array | undefined {
  const certificate = readCertificate(blob);
  if (certificate === undefined) return undefined;
  const { key, kind, principals, after, before, isRestricted, authority } = certificate;
  if (!by.authorities.some((known) => known.equals(authority))) return undefined;
  const now = BigInt(Math.floor(by.clock.now() / 1000));
  const isGood = kind === 'host' && !isRestricted && after <= now && now < before;
  // A certificate for every host is for none: a name has to be in it, letter by letter.
  if (!isGood || !principals.includes(by.name)) return undefined;
  const { signed: data, signature } = certificate;
  const algorithm = new FieldReader(signature).text();
  if (!verify(readPublicKey(authority), algorithm, { data, signature })) return undefined;
  return readPublicKey(key).type === new FieldReader(key).text() ? key : undefined;
}
