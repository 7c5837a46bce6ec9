/**
 * `npm run conformance -- ssh [test …]`: OpenSSH's own regression tests, directly and through the
 * gateway with everything allowed and recorded. Those of its tests are run that speak to a server
 * over the network, in minutes, and ask for nothing of its configuration. The others are of keys,
 * of files, of the server's settings, of authentication, which ends at the gateway, or of what the
 * client does with options that here say how the gateway is reached.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory, ensurePackages, privateApt, run } from '../../support/debian.ts';
import { allowEverything, startGateway, type TestGateway } from '../../support/gateway.ts';
import { makeKey, sshTarget, startSshd, type TestHost } from '../../support/openssh.ts';

const tests = [
  'connect',
  'connect-uri',
  'exit-status',
  'exit-status-signal',
  'transfer',
  'stderr-data',
  'stderr-after-eof',
  'broken-pipe',
  'yes-head',
  'sftp-uri',
  'scp-uri',
  'localcommand',
];

const TEST_MS_MAX = 600_000;

export async function main(only: readonly string[]): Promise<boolean> {
  ensurePackages(['openssh-server', 'openssh-client']);
  const source = regressionSource();
  const host = await startSshd({ config: 'StreamLocalBindUnlink yes' });
  const gateway = await startGateway({
    targets: [sshTarget('web', host)],
    policies: { 'policy.yaml': allowEverything },
    features: [
      'shell',
      'direct-tcpip:*:*',
      'forwarded-tcpip:*:*',
      'direct-streamlocal:*',
      'forwarded-streamlocal:*',
      'agent',
    ],
  });
  try {
    let good = true;
    for (const test of tests.filter((each) => only.length === 0 || only.includes(each))) {
      // A certificate lives for minutes, as all of the tests do not.
      const through = await clientOf(gateway, host, test);
      const direct = runTest(source, test, '/usr/bin/ssh', host);
      const here = runTest(source, test, through, host);
      console.log(`${test}: directly ${direct.how}, through ${here.how}`);
      if (here.how === direct.how) continue;
      good = false;
      console.log(here.output);
    }
    return good;
  } finally {
    await gateway.stop();
    await host.stop();
  }
}

/** The directory `regress` of the release that the installed client is of. */
function regressionSource(): string {
  const home = cacheDirectory('openssh-regress');
  const env = privateApt(join(home, 'apt'));
  const version = run('dpkg-query', ['-W', '-f', '${source:Upstream-Version}', 'openssh-client']);
  const release = version.replace(/^\d+:/, '');
  const source = join(home, `openssh-${release}`, 'regress');
  if (!existsSync(source)) {
    run('apt-get', ['source', '--download-only', 'openssh'], home, env);
    run('tar', ['xf', `openssh_${release}.orig.tar.gz`], home);
  }
  return source;
}

/** A client that goes to the gateway for the host of a test. */
async function clientOf(gateway: TestGateway, host: TestHost, job: string): Promise<string> {
  const key = join(host.directory, `certified-${job}`);
  makeKey(key);
  const form = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: await gateway.job(job),
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    ssh_public_key: readFileSync(`${key}.pub`, 'utf8').trim(),
  });
  const answer = await fetch(`${gateway.api}/v1/token`, { method: 'POST', body: form });
  const body: Readonly<Record<string, unknown>> = JSON.parse(await answer.text());
  writeFileSync(`${key}-cert.pub`, `${String(body['ssh_certificate'])}\n`);
  const options = [
    'HostName=127.0.0.1',
    `Port=${gateway.ports['ssh'] ?? 0}`,
    'User=deploy@web',
    'ProxyCommand=none',
    `IdentityFile=${key}`,
    'HostKeyAlias=gateway',
    'StrictHostKeyChecking=no',
    `UserKnownHostsFile=${join(host.directory, 'known_hosts')}`,
  ].map((option) => `-o ${option}`);
  const program = join(host.directory, 'ssh');
  const script = `#!/bin/sh\nexec /usr/bin/ssh ${options.join(' ')} "$@"\n`;
  writeFileSync(program, script, { mode: 0o755 });
  return program;
}

function runTest(source: string, test: string, client: string, { work, username }: TestHost) {
  const objects = join(work, `${test}-${client === '/usr/bin/ssh' ? 'direct' : 'through'}`);
  mkdirSync(objects);
  const done = spawnSync(
    'sh',
    [join(source, 'test-exec.sh'), objects, join(source, `${test}.sh`)],
    {
      encoding: 'utf8',
      timeout: TEST_MS_MAX,
      cwd: source,
      env: {
        PATH: process.env['PATH'],
        HOME: process.env['HOME'],
        LOGNAME: username,
        TEST_SHELL: '/bin/sh',
        TEST_SSH_PORT: '14242',
        TEST_SSH_SSH: client,
        TEST_SSH_SSHD: '/usr/sbin/sshd',
        TEST_SSH_SFTPSERVER: '/usr/lib/openssh/sftp-server',
        TEST_SSH_UNSAFE_PERMISSIONS: '1',
      },
    },
  );
  const output = `${done.stdout}\n${done.stderr}`;
  const isSkipped = /^SKIPPED/m.test(output);
  return { how: done.status !== 0 ? 'fails' : isSkipped ? 'is skipped' : 'passes', output };
}
