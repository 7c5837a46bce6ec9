/** OpenSSH's clients and those that build on them, through the gateway to a real `sshd`. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ensurePackages } from '../support/debian.ts';
import { evidenceOf } from '../support/evidence.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import {
  type ClientAccess,
  clientEnvironment,
  clientOptions,
  type Finished,
  makeKey,
  runClient,
  runSsh,
  startSshd,
  type TestHost,
  sshTarget,
} from '../support/openssh.ts';

const MIB = 1024 * 1024;

const policy = `rules:
  - id: secrets
    when: "facts.objects.exists(o, o.name.endsWith('/secret'))"
    then: deny
  - { id: denied, when: "command.text.contains('denied')", then: deny }
  - id: protected
    when: "facts.objects.exists(o, o.kind == 'ref' && o.name == 'refs/heads/main' && o.access == 'drop')"
    then: deny
  - { id: rest, when: 'true', then: allow }
masks:
  - { id: cards, detect: [credit-card], with: redact, match: { targets: [masked] } }
`;

let host: TestHost;
let gateway: TestGateway;
let access: ClientAccess;
let env: NodeJS.ProcessEnv;

before(async () => {
  ensurePackages(['rsync', 'git']);
  // It asks for new keys in the middle of what is larger.
  host = await startSshd({ config: 'RekeyLimit 2M' });
  gateway = await startGateway({
    targets: ['web', 'masked'].map(targetNamed),
    policies: { 'policy.yaml': policy },
    features: ['direct-tcpip:127.0.0.1:*'],
  });
  access = {
    port: gateway.ports['ssh'] ?? 0,
    user: 'deploy@web',
    secret: gateway.credential,
    directory: host.directory,
  };
  env = clientEnvironment(access);
});

const targetNamed = (name: string) => sshTarget(name, host);

after(async () => {
  await gateway.stop();
  await host.stop();
});

const scp = (...args: readonly string[]): Promise<Finished> =>
  runClient('scp', [...clientOptions(access), '-o', `User=${access.user}`, ...port(), ...args], {
    env,
  });

const port = (): string[] => ['-P', String(access.port)];

/** `sftp` with a batch; the first setting wins, so that a password may be asked for. */
const sftp = (batch: string): Promise<Finished> =>
  runClient(
    'sftp',
    [
      ...clientOptions(access),
      '-o',
      `User=${access.user}`,
      '-o',
      'BatchMode=no',
      ...port(),
      '-b',
      '-',
      '127.0.0.1',
    ],
    { env, input: batch },
  );

const remoteShell = (): string =>
  ['ssh', ...clientOptions(access), '-p', String(access.port), '-l', access.user].join(' ');

const file = (name: string): string => join(host.work, name);

/** Fails with what the program wrote. */
function succeeded(done: Finished): Finished {
  assert.equal(done.status, 0, `${done.stdout.toString()}\n${done.stderr}`);
  return done;
}

describe('ssh', () => {
  it('runs a command with its input, output, errors and exit status', async () => {
    const done = await runSsh(access, ['cat; echo oops >&2; exit 42'], { input: 'some input\n' });
    assert.equal(done.stdout.toString(), 'some input\n');
    assert.equal(done.stderr, 'oops\n');
    assert.equal(done.status, 42);
  });

  it('passes a signal that ended a command, as OpenSSH tells it', async () => {
    const done = await runSsh(access, ['kill -TERM $$']);
    assert.equal(done.status, 255);
  });

  it('moves bytes unchanged both ways, past every window', async () => {
    const bytes = randomBytes(9 * MIB);
    const done = succeeded(await runSsh(access, ['cat'], { input: bytes }));
    assert.ok(done.stdout.equals(bytes));
  });

  it('renews keys in the middle of a transfer, as often as client and host ask for it', async () => {
    const bytes = randomBytes(9 * MIB);
    const args = ['-v', '-o', 'RekeyLimit=1M'];
    const done = succeeded(await runSsh(access, ['cat'], { input: bytes, args }));
    assert.ok(done.stdout.equals(bytes));
    assert.ok(done.stderr.split('SSH2_MSG_KEXINIT sent').length > 5, done.stderr);
  });

  it('keeps the order of output, end and exit status', async () => {
    const done = await runSsh(access, ['head -c 3000000 /dev/zero; exit 7']);
    assert.equal(done.stdout.length, 3_000_000);
    assert.equal(done.status, 7);
  });

  it('denies on standard error with a status of its own, and starts nothing', async () => {
    const done = await runSsh(access, [`touch ${file('denied')}`]);
    assert.equal(done.status, 126);
    assert.match(done.stderr, /sallyport: denied by policy.*rule denied.*SP_POLICY_DENIED/s);
    assert.throws(() => readFileSync(file('denied')));
  });

  it('takes several commands at once on one connection', async () => {
    const control = ['-o', `ControlPath=${join(host.directory, 'control')}`];
    const master = await runSsh(access, [], { args: [...control, '-M', '-f', '-N'] });
    succeeded(master);
    const outputs = await Promise.all(
      [1, 2, 3, 4, 5].map(async (number) =>
        succeeded(await runSsh(access, [`sleep 0.1; echo ${number}`], { args: control }))
          .stdout.toString()
          .trim(),
      ),
    );
    assert.deepEqual(outputs, ['1', '2', '3', '4', '5']);
    succeeded(await runSsh(access, [], { args: [...control, '-O', 'exit'] }));
  });

  it('sets only variables that carry no code', async () => {
    const args = ['-o', 'SetEnv=LC_TEST=fine BASH_ENV=/tmp/x'];
    const done = succeeded(await runSsh(access, ['echo "$LC_TEST|$BASH_ENV"'], { args }));
    assert.equal(done.stdout.toString(), 'fine|\n');
  });

  it('gives a workload no terminal and no shell', async () => {
    const shell = await runSsh(access, [], { args: ['-T'], input: 'echo in a shell\n' });
    assert.equal(shell.status, 126);
    assert.match(shell.stderr, /no grant allows an interactive shell/);
    assert.equal(shell.stdout.toString(), '');
    const terminal = await runSsh(access, ['tty'], { args: ['-tt'] });
    assert.match(terminal.stderr, /PTY allocation request failed/);
    assert.doesNotMatch(terminal.stdout.toString(), /dev/);
  });

  it('forwards connections to places that the grant names, and refuses all others', async () => {
    const to = (place: string) => runSsh(access, [], { args: ['-W', place] });
    const open = await to(`127.0.0.1:${host.port}`);
    assert.match(open.stdout.toString(), /^SSH-2\.0-OpenSSH/);
    const closed = await to(`localhost:${host.port}`);
    assert.notEqual(closed.status, 0);
    assert.equal(closed.stdout.toString(), '');
    const remote = await runSsh(access, ['true'], {
      args: ['-R', '0:127.0.0.1:22', '-o', 'ExitOnForwardFailure=yes'],
    });
    assert.notEqual(remote.status, 0);
  });

  it('asks for a credential in the other ways that OpenSSH has, and takes no wrong one', async () => {
    const args = ['-o', 'PreferredAuthentications=keyboard-interactive'];
    succeeded(await runSsh(access, ['true'], { args }));
    const wrong = await runSsh({ ...access, secret: 'wrong' }, ['true']);
    assert.equal(wrong.status, 255);
    assert.match(wrong.stderr, /Permission denied/);
    env = clientEnvironment(access);
  });
});

describe('keys', () => {
  it('lets a job in with a certificate for its token, and Ansible with it', async () => {
    ensurePackages(['ansible-core']);
    const key = join(host.directory, 'job');
    makeKey(key);
    const form = new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: await gateway.job('certified'),
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      ssh_public_key: readFileSync(`${key}.pub`, 'utf8').trim(),
    });
    const answer = await fetch(`${gateway.api}/v1/token`, { method: 'POST', body: form });
    const body: Readonly<Record<string, unknown>> = JSON.parse(await answer.text());
    writeFileSync(`${key}-cert.pub`, `${String(body['ssh_certificate'])}\n`);
    const options = [
      ...clientOptions(access).map((option) =>
        option === 'IdentityFile=none' ? `IdentityFile=${key}` : option,
      ),
      '-o',
      'BatchMode=yes',
    ];
    const direct = ['-p', String(access.port), '-l', access.user, '127.0.0.1', 'echo in'];
    const done = succeeded(await runClient('ssh', [...options, ...direct], { env: process.env }));
    assert.equal(done.stdout.toString(), 'in\n');
    const events = evidenceOf(gateway.home).events();
    assert.ok(
      events.some(({ type, actor }) => type === 'session.started' && /certified/.test(actor)),
    );
    await ansible(options);
    // The key alone proves nothing.
    rmSync(`${key}-cert.pub`);
    assert.equal(
      (await runClient('ssh', [...options, ...direct], { env: process.env })).status,
      255,
    );
  });
});

/** A play that looks around and writes a file; without a terminal, as a workload has none. */
async function ansible(options: readonly string[]): Promise<void> {
  const inventory = file('inventory');
  const variables = [
    'ansible_host=127.0.0.1',
    `ansible_port=${access.port}`,
    `ansible_user=${access.user}`,
    'ansible_python_interpreter=/usr/bin/python3',
    'ansible_ssh_use_tty=false',
  ];
  writeFileSync(inventory, `web ${variables.join(' ')}\n`);
  const control = [`ControlPath=${join(host.directory, 'ansible')}`, 'ControlPersist=5s'];
  const args = [...options, '-o', 'ControlMaster=auto', ...control.flatMap((each) => ['-o', each])];
  const environment = {
    ...process.env,
    ANSIBLE_SSH_ARGS: args.join(' '),
    ANSIBLE_HOST_KEY_CHECKING: 'False',
    ANSIBLE_REMOTE_TMP: file('ansible-tmp'),
  };
  const run = (module: string, what: string) =>
    runClient('ansible', ['-i', inventory, 'all', '-m', module, '-a', what], { env: environment });
  assert.match(succeeded(await run('ping', '')).stdout.toString(), /pong/);
  writeFileSync(file('source'), 'by ansible\n');
  succeeded(await run('copy', `src=${file('source')} dest=${file('destination')}`));
  assert.equal(readFileSync(file('destination'), 'utf8'), 'by ansible\n');
}

describe('file transfer', () => {
  it('moves files with sftp, and does with them what sftp does', async () => {
    writeFileSync(file('big'), randomBytes(5 * MIB + 17));
    const done = succeeded(
      await sftp(
        `cd ${host.work}\nput ${file('big')} copy\nget copy ${file('back')}\nrename copy moved\n` +
          'symlink moved link\nrm link\nmkdir folder\nchmod 600 moved\nrmdir folder\nls -l\n',
      ),
    );
    assert.match(done.stdout.toString(), /moved/);
    assert.ok(readFileSync(file('back')).equals(readFileSync(file('big'))));
  });

  it('denies an operation by the path that the target resolves, and goes on', async () => {
    writeFileSync(file('secret'), 'hidden');
    writeFileSync(file('open'), 'plain');
    execFileSync('ln', ['-sf', file('secret'), file('innocent')]);
    const got = file('got');
    for (const path of ['secret', '../work/secret', 'innocent']) {
      const done = await sftp(`cd ${host.work}\n-get ${path} ${got}\nget open ${file('opened')}\n`);
      assert.match(done.stderr, /Permission denied|not found/, path);
      assert.throws(() => readFileSync(got), path);
      assert.equal(readFileSync(file('opened'), 'utf8'), 'plain');
    }
    const removed = await sftp(`-rm ${file('secret')}\n`);
    assert.match(removed.stderr, /Permission denied/);
    assert.equal(readFileSync(file('secret'), 'utf8'), 'hidden');
  });

  it('records what went through each file', async () => {
    const content = randomBytes(100_000);
    writeFileSync(file('evidence'), content);
    succeeded(await sftp(`put ${file('evidence')} ${file('kept')}\n`));
    const evidence = evidenceOf(gateway.home);
    const [newest] = await evidence.summaries();
    const text = await evidence.text(newest?.session ?? '');
    const sha256 = createHash('sha256').update(content).digest('hex');
    assert.ok(text.includes(sha256));
    assert.ok(text.includes(file('kept')));
  });

  it('gives no file away unmasked where a mask by content is in force', async () => {
    const card = '4539578763621486';
    writeFileSync(file('cards'), `the card is ${card}, thanks\n`);
    const plain = access;
    access = { ...plain, user: 'deploy@masked' };
    const printed = succeeded(await runSsh(access, [`cat ${file('cards')}`])).stdout.toString();
    assert.ok(printed.startsWith('the card is ') && !printed.includes(card), printed);
    const fetched = file('fetched');
    const transfers = [
      await sftp(`get ${file('cards')} ${fetched}\n`),
      await scp('-O', `127.0.0.1:${file('cards')}`, fetched),
      await runClient('rsync', ['-e', remoteShell(), `127.0.0.1:${file('cards')}`, fetched], {
        env,
      }),
    ];
    for (const { status } of transfers) assert.notEqual(status, 0);
    assert.throws(() => readFileSync(fetched));
    succeeded(await sftp(`put ${file('cards')} ${file('cards-up')}\n`));
    access = plain;
  });

  it('moves files with scp, over SFTP and in its old way', async () => {
    writeFileSync(file('one'), randomBytes(300_000));
    for (const way of ['-s', '-O']) {
      succeeded(await scp(way, file('one'), `127.0.0.1:${file(`up${way}`)}`));
      succeeded(await scp(way, `127.0.0.1:${file(`up${way}`)}`, file(`down${way}`)));
      assert.ok(readFileSync(file(`down${way}`)).equals(readFileSync(file('one'))));
    }
  });

  it('moves files with rsync', async () => {
    execFileSync('mkdir', ['-p', file('tree/sub')]);
    writeFileSync(file('tree/sub/leaf'), randomBytes(200_000));
    const rsync = (...args: readonly string[]) =>
      runClient('rsync', ['-a', '-e', remoteShell(), ...args], { env });
    succeeded(await rsync(`${file('tree')}/`, `127.0.0.1:${file('tree-up')}/`));
    succeeded(await rsync(`127.0.0.1:${file('tree-up')}/`, `${file('tree-down')}/`));
    const leaf = readFileSync(file('tree/sub/leaf'));
    assert.ok(readFileSync(file('tree-down/sub/leaf')).equals(leaf));
  });

  it('serves git', async () => {
    const local = file('clone');
    const git = (...args: readonly string[]) =>
      runClient('git', args, { env: { ...env, GIT_SSH_COMMAND: remoteShell() } });
    execFileSync('git', ['init', '-q', '--bare', file('repository.git')]);
    execFileSync('git', ['init', '-q', local]);
    writeFileSync(join(local, 'file'), 'content\n');
    const identity = ['-c', 'user.email=a@example.com', '-c', 'user.name=a'];
    execFileSync('git', ['-C', local, 'add', 'file']);
    execFileSync('git', ['-C', local, ...identity, 'commit', '-qm', 'first']);
    const remote = `127.0.0.1:${file('repository.git')}`;
    succeeded(await git('-C', local, 'push', '-q', remote, 'HEAD:main'));
    succeeded(await git('clone', '-q', '-b', 'main', remote, file('cloned')));
    assert.equal(readFileSync(file('cloned/file'), 'utf8'), 'content\n');
  });

  it('judges the refs of a push before the pack goes on', async () => {
    const [local, bare] = [file('refs'), file('refs.git')];
    const git = (...args: readonly string[]) =>
      runClient('git', ['-C', local, ...args], { env: { ...env, GIT_SSH_COMMAND: remoteShell() } });
    const refs = (): string =>
      execFileSync('git', ['-C', bare, 'for-each-ref', '--format=%(refname)'], {
        encoding: 'utf8',
      });
    execFileSync('git', ['init', '-q', '--bare', bare]);
    execFileSync('git', ['init', '-q', local]);
    const identity = ['-c', 'user.email=a@example.com', '-c', 'user.name=a'];
    execFileSync('git', ['-C', local, ...identity, 'commit', '-q', '--allow-empty', '-m', 'first']);
    const remote = `127.0.0.1:${bare}`;
    succeeded(await git('push', '-q', remote, 'HEAD:refs/heads/topic', 'HEAD:refs/heads/main'));
    assert.equal(refs(), 'refs/heads/main\nrefs/heads/topic\n');
    // Everything is there already.
    succeeded(await git('push', '-q', remote, 'HEAD:refs/heads/topic'));
    const dropped = await git('push', '-q', remote, ':refs/heads/main', 'HEAD:refs/heads/other');
    assert.notEqual(dropped.status, 0);
    assert.match(dropped.stderr, /sallyport: denied by policy.*rule protected/);
    assert.equal(refs(), 'refs/heads/main\nrefs/heads/topic\n');
    succeeded(await git('push', '-q', remote, ':refs/heads/topic'));
    assert.equal(refs(), 'refs/heads/main\n');
  });
});
