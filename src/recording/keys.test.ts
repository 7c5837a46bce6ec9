import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { GatewayError } from '#core/errors.ts';
import { loadSigningKey, parsePublicKey, readPublicKeys, signingKeyOf } from './keys.ts';

const code = (expected: string) => (thrown: unknown) =>
  thrown instanceof GatewayError && thrown.code === expected;

describe('signing keys', () => {
  let directory: string;
  beforeEach(() => {
    directory = join(mkdtempSync(join(tmpdir(), 'sallyport-keys-')), 'keys');
  });
  afterEach(() => rmSync(join(directory, '..'), { recursive: true }));

  it('makes a key once, for its owner alone', () => {
    const first = loadSigningKey(directory);
    assert.equal(loadSigningKey(directory).keyId, first.keyId);
    assert.match(first.keyId, /^[0-9a-f]{16}$/);
    assert.equal(statSync(join(directory, 'signing.key')).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(directory).sort(), [`${first.keyId}.pub`, 'signing.key']);
    assert.equal(parsePublicKey(first.publicPem).keyId, first.keyId);
  });

  it('keeps the public keys of the keys before', () => {
    const first = loadSigningKey(directory);
    rmSync(join(directory, 'signing.key'));
    const second = loadSigningKey(directory);
    assert.deepEqual(
      readPublicKeys(directory)
        .map(({ keyId }) => keyId)
        .sort(),
      [first.keyId, second.keyId].sort(),
    );
  });

  it('refuses a key that others may read', () => {
    loadSigningKey(directory);
    chmodSync(join(directory, 'signing.key'), 0o640);
    assert.throws(() => loadSigningKey(directory), code('SP_CONFIG'));
  });

  it('refuses keys of another kind, and what is no key', () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    assert.throws(() => signingKeyOf(pem), code('SP_CONFIG'));
    const spki = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    assert.throws(() => parsePublicKey(spki), code('SP_BAD_REQUEST'));
    assert.throws(() => parsePublicKey('nonsense'), code('SP_BAD_REQUEST'));
    loadSigningKey(directory);
    writeFileSync(join(directory, 'signing.key'), 'nonsense', { mode: 0o600 });
    assert.throws(() => loadSigningKey(directory), code('SP_CONFIG'));
  });
});
