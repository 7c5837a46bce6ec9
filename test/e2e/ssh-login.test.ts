/** `sallyport ssh`: OpenSSH with the configuration that it prints, and nothing else. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { sallyport } from '../support/cli.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import {
  type Finished,
  runClient,
  sshTarget,
  startSshd,
  type TestHost,
} from '../support/openssh.ts';

let host: TestHost;
let gateway: TestGateway;
let directory: string;
let flags: readonly string[];

before(async () => {
  host = await startSshd();
  gateway = await startGateway({
    targets: [sshTarget('web', host)],
    policies: { 'policy.yaml': "rules:\n  - { id: all, when: 'true', then: allow }\n" },
  });
  directory = join(host.directory, 'kept here');
  const token = join(host.directory, 'token');
  writeFileSync(token, await gateway.job('nightly'), { mode: 0o600 });
  flags = ['--directory', directory, '--api', gateway.api, '--subject-token-file', token];
});

after(async () => {
  await gateway.stop();
  await host.stop();
});

const login = () => sallyport(['ssh', 'login', 'deploy@web', ...flags]);

/** `ssh web` with the printed configuration, which knows nothing else. */
async function sshWeb(...more: readonly string[]): Promise<Finished> {
  const port = gateway.ports['ssh'] ?? 0;
  const place = ['--gateway', `127.0.0.1:${port}`];
  const printed = await sallyport(['ssh', 'config', 'deploy@web', ...place, ...flags]);
  assert.equal(printed.status, 0, printed.stderr);
  assert.doesNotMatch(printed.stdout, /eyJ|PRIVATE/);
  const config = join(host.directory, 'config');
  writeFileSync(config, printed.stdout);
  const known = `UserKnownHostsFile=${join(host.directory, 'known')}`;
  const options = ['-o', known, '-o', 'StrictHostKeyChecking=accept-new', '-o', 'BatchMode=yes'];
  return runClient('ssh', ['-F', config, ...options, ...more, 'web', 'echo in'], {
    env: process.env,
  });
}

describe('ssh with a certificate that it fetches', () => {
  it('logs in by the name of the target alone', async () => {
    const done = await sshWeb();
    assert.equal(done.stdout.toString(), 'in\n', done.stderr);
  });

  it('keeps what it fetched for its owner alone, and fetches nothing while it is good', async () => {
    assert.equal(statSync(directory).mode & 0o777, 0o700);
    assert.equal(statSync(join(directory, 'deploy@web')).mode & 0o777, 0o600);
    const path = join(directory, 'deploy@web-cert.pub');
    const before = readFileSync(path, 'utf8');
    utimesSync(path, new Date(0), new Date(0));
    const again = await login();
    assert.deepEqual([again.status, again.stdout, again.stderr], [0, '', '']);
    assert.equal(statSync(path).mtimeMs, 0);
    assert.equal(readFileSync(path, 'utf8'), before);
  });

  it('fetches it again when it is gone, with the same key', async () => {
    const key = readFileSync(join(directory, 'deploy@web'), 'utf8');
    // A token is traded once; jobs are given new ones.
    writeFileSync(join(host.directory, 'token'), await gateway.job('nightly'));
    rmSync(join(directory, 'deploy@web-cert.pub'));
    const done = await sshWeb();
    assert.equal(done.stdout.toString(), 'in\n', done.stderr);
    assert.equal(readFileSync(join(directory, 'deploy@web'), 'utf8'), key);
    assert.deepEqual(readdirSync(directory).toSorted(), ['deploy@web', 'deploy@web-cert.pub']);
  });

  it('does not go past the gateway when it gets none', async () => {
    rmSync(join(directory, 'deploy@web-cert.pub'));
    const api = flags.indexOf('--api') + 1;
    flags = flags.with(api, 'http://127.0.0.1:9');
    const done = await sshWeb('-v');
    assert.notEqual(done.status, 0);
    assert.match(
      done.stderr,
      new RegExp(`Connecting to 127.0.0.1 .* port ${gateway.ports['ssh']}`),
    );
  });

  it('prints nothing that ssh would read as something else', async () => {
    for (const path of ["/a'b", '/a"b', '/a$b', '/a\nHost *']) {
      const place = ['--gateway', '127.0.0.1:22', '--directory', path];
      const { status, stdout } = await sallyport(['ssh', 'config', 'deploy@web', ...place]);
      assert.notEqual(status, 0, path);
      assert.equal(stdout, '');
    }
  });

  it('takes no name that could be another path or option', async () => {
    for (const name of ['web', '../x@web', 'a b@web', '-x@web/..']) {
      const { status, stderr } = await sallyport(['ssh', 'login', ...flags, '--', name]);
      assert.notEqual(status, 0, name);
      assert.match(stderr, /account@target/);
    }
  });
});
