/** Which hosts are the target, with certificates that OpenSSH made. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '#core/clock.ts';
import { makeKey, publicKey } from '../../../test/support/openssh.ts';
import { sshSettings } from './config.ts';
import { targetRole } from './host-identity.ts';

const ADDRESS = 'web.internal';
let directory: string;

const path = (name: string): string => join(directory, name);
const blobOf = (name: string): Uint8Array =>
  Buffer.from(readFileSync(path(name), 'utf8').split(' ')[1] ?? '', 'base64');

before(() => {
  directory = mkdtempSync(join(tmpdir(), 'sp-authority-'));
  for (const name of ['authority', 'other', 'host']) makeKey(path(name));
});

after(() => rmSync(directory, { recursive: true, force: true }));

/** The blob of a certificate for `host`. */
function certificate(...options: readonly string[]): Uint8Array {
  const [by = 'authority', ...rest] = options;
  const args = ['-q', '-s', path(by), '-I', 'test', ...rest, path('host.pub')];
  execFileSync('ssh-keygen', args);
  return blobOf('host-cert.pub');
}

function role(more: Readonly<Record<string, unknown>> = {}) {
  const settings = { hostAuthorities: [publicKey(path('authority.pub'))], ...more };
  return targetRole(sshSettings.parse(settings), ADDRESS, systemClock);
}

const isKey = (found: Uint8Array | undefined): void =>
  assert.equal(Buffer.from(found ?? []).compare(blobOf('host.pub')), 0);

const good = ['-h', '-n', `db.internal,${ADDRESS}`];

describe('a host', () => {
  it('is known by a certificate of the authority for its name, and asked for one first', () => {
    const known = role();
    isKey(known.keyOf(certificate('authority', ...good)));
    assert.equal(known.hostKeyAlgorithms[0], 'ssh-ed25519-cert-v01@openssh.com');
    const named = role({ hostName: 'db.internal' });
    isKey(named.keyOf(certificate('authority', ...good)));
  });

  it('is another one with anything else', () => {
    const known = role();
    const cases: Readonly<Record<string, Uint8Array>> = {
      'its key alone': blobOf('host.pub'),
      'another authority': certificate('other', ...good),
      'the authority itself': blobOf('authority.pub'),
      'a certificate for users': certificate('authority', '-n', ADDRESS),
      'another name': certificate('authority', '-h', '-n', `${ADDRESS}.example`),
      'a pattern': certificate('authority', '-h', '-n', '*.internal'),
      'no name': certificate('authority', '-h'),
      'a time that is over': certificate('authority', ...good, '-V', '-2h:-1h'),
      'a time to come': certificate('authority', ...good, '-V', '+1h:+2h'),
      'an option that must be known': certificate('authority', ...good, '-O', 'critical:x@y=1'),
      nothing: new Uint8Array(0),
    };
    for (const [what, blob] of Object.entries(cases))
      assert.equal(known.keyOf(blob), undefined, what);
  });

  it('is another one when a byte of its certificate is', () => {
    const known = role();
    const blob = certificate('authority', ...good);
    for (let at = 0; at < blob.length; at += 1) {
      const changed = Uint8Array.from(blob);
      changed[at] = (changed[at] ?? 0) ^ 1;
      assert.equal(known.keyOf(changed), undefined, String(at));
    }
  });

  it('has to be known by something', () => {
    assert.throws(() => sshSettings.parse({}));
    const known = role({ hostKeys: [publicKey(path('host.pub'))] });
    isKey(known.keyOf(blobOf('host.pub')));
    assert.equal(known.hostKeyAlgorithms.at(-1), 'ssh-ed25519');
  });
});
