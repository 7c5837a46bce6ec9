import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { GatewayError } from '#core/errors.ts';
import { ensurePackages } from '../../../../test/support/debian.ts';
import {
  algorithmsOf,
  plainAlgorithm,
  readPrivateKey,
  readPublicKey,
  sign,
  verify,
  writePublicKey,
} from './keys.ts';

const keys: readonly KeyObject[] = [
  generateKeyPairSync('ed25519').privateKey,
  ...['P-256', 'P-384', 'P-521'].map(
    (namedCurve) => generateKeyPairSync('ec', { namedCurve }).privateKey,
  ),
  generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey,
];
const data = new TextEncoder().encode('what is signed');

describe('keys', () => {
  it('sign and verify in every algorithm, and only with what was signed', () => {
    for (const key of keys) {
      const known = readPublicKey(writePublicKey(key));
      for (const algorithm of algorithmsOf(known.type)) {
        const signature = sign(key, algorithm, data);
        assert.ok(verify(known, algorithm, { data, signature }), algorithm);
        const other = new TextEncoder().encode('what is not signed');
        assert.ok(!verify(known, algorithm, { data: other, signature }), algorithm);
        for (const wrong of ['ssh-rsa', 'ssh-dss', 'none', '', 'rsa-sha2-256', 'ssh-ed25519']) {
          if (wrong === algorithm) continue;
          assert.ok(!verify(known, wrong, { data, signature }), `${algorithm} as ${wrong}`);
        }
        for (const stranger of keys.filter((each) => each !== key)) {
          const theirs = readPublicKey(writePublicKey(stranger));
          assert.ok(!verify(theirs, algorithm, { data, signature }), theirs.type);
        }
      }
    }
  });

  it('are those that OpenSSH makes', () => {
    ensurePackages(['openssh-client']);
    const directory = mkdtempSync(join(tmpdir(), 'sp-keys-'));
    for (const type of ['ed25519', 'ecdsa', 'rsa']) {
      const path = join(directory, type);
      execFileSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-f', path]);
      const blob = Buffer.from(readFileSync(`${path}.pub`, 'utf8').split(' ')[1] ?? '', 'base64');
      const key = readPrivateKey(readFileSync(path, 'utf8'));
      assert.deepEqual(Buffer.from(writePublicKey(key)), blob);
    }
    rmSync(directory, { recursive: true });
  });

  it('that are too short, of old kinds or no keys at all are refused', () => {
    const short = generateKeyPairSync('rsa', { modulusLength: 1_024 }).privateKey;
    assert.throws(() => readPublicKey(writePublicKey(short)), { code: 'SP_FRAME_MALFORMED' });
    assert.throws(() => readPrivateKey('-----BEGIN PRIVATE KEY-----'), { code: 'SP_CONFIG' });
    assert.throws(() => readPrivateKey('OPENSSH PRIVATE KEY'), { code: 'SP_CONFIG' });
    const [ed25519] = keys;
    assert.ok(ed25519 !== undefined);
    const known = readPublicKey(writePublicKey(ed25519));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        for (const run of [
          () => readPublicKey(bytes),
          () => assert.ok(!verify(known, 'ssh-ed25519', { data, signature: bytes })),
        ]) {
          try {
            run();
          } catch (thrown) {
            assert.ok(thrown instanceof GatewayError, String(thrown));
          }
        }
      }),
    );
  });

  it('have certificates under names of their own', () => {
    assert.equal(plainAlgorithm('rsa-sha2-512-cert-v01@openssh.com'), 'rsa-sha2-512');
    assert.equal(plainAlgorithm('ssh-ed25519'), 'ssh-ed25519');
  });
});
