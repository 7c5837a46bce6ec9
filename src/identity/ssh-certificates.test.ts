import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { asEpochMs, asId } from '#core/ids.ts';
import type { CredentialRecord } from '#core/ports/credentials.ts';
import { systemRandom } from '#core/random.ts';
import { Secret } from '#core/secret.ts';
import { FieldWriter } from '#core/ssh-fields.ts';
import { TestClock } from '../../test/support/identity.ts';
import { personIdentity } from './authenticator.ts';
import { personSchema } from './config.ts';
import { SshCertificates } from './ssh-certificates.ts';

const clock = new TestClock();
const person = personSchema.parse({
  name: 'ann',
  credential: { id: '0'.repeat(32), sha256: '0'.repeat(64) },
});
const authority = (): string =>
  generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

function certificates(pem: string = authority()): SshCertificates {
  return new SshCertificates({ key: () => new Secret(pem), clock, random: systemRandom });
}

const blobOf = (key: KeyObject): Uint8Array => {
  const raw = Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url');
  return new FieldWriter().text('ssh-ed25519').string(raw).done();
};
const line = (): string => {
  const { publicKey } = generateKeyPairSync('ed25519');
  return `ssh-ed25519 ${Buffer.from(blobOf(publicKey)).toString('base64')} someone`;
};

const record = (lifeMs = 600_000): CredentialRecord => ({
  id: asId('0123456789abcdef0123456789abcdef'),
  hash: '',
  identity: personIdentity(person, asEpochMs(clock.now() + lifeMs)),
  scope: { targets: [], accounts: [] },
  scram: { storedKey: '', serverKey: '' },
  issuedAt: clock.now(),
  expiresAt: asEpochMs(clock.now() + lifeMs),
  revokedAt: undefined,
});

const bytesOf = (certificate: string): Buffer =>
  Buffer.from(certificate.split(' ')[1] ?? '', 'base64');

describe('SSH certificates', () => {
  it('stand for the credential that they were issued for, as long as it is good', () => {
    const all = certificates();
    const certificate = bytesOf(all.issue(line(), record(60_000)));
    assert.equal(all.credentialOf(certificate), record().id);
    clock.pass(60_000);
    assert.equal(all.credentialOf(certificate), undefined);
  });

  it('of another authority prove nothing, nor does a plain key', () => {
    const [ours, theirs] = [certificates(), certificates()];
    assert.equal(ours.credentialOf(bytesOf(theirs.issue(line(), record()))), undefined);
    assert.equal(ours.credentialOf(bytesOf(line())), undefined);
  });

  it('that were changed in any byte prove nothing', () => {
    const all = certificates();
    const certificate = bytesOf(all.issue(line(), record()));
    fc.assert(
      fc.property(
        fc.nat(certificate.length - 1),
        fc.integer({ min: 1, max: 255 }),
        (at, change) => {
          const forged = Buffer.from(certificate);
          forged[at] = (forged[at] ?? 0) ^ change;
          assert.equal(all.credentialOf(forged), undefined);
        },
      ),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        assert.equal(all.credentialOf(bytes), undefined);
      }),
    );
  });

  it('are not issued for what is no public key', () => {
    const all = certificates();
    const certificate = all.issue(line(), record());
    for (const text of ['', 'ssh-ed25519', 'ssh-dss AAAA', `${line().slice(0, 40)}`, certificate]) {
      assert.equal(all.isKey(text), false, text);
      assert.throws(() => all.issue(text, record()), { code: 'SP_BAD_REQUEST' });
    }
  });
});
