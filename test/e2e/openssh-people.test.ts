/**
 * A person with OpenSSH: an interactive shell on a terminal, its recording, and the controls that
 * end it. Beside it the agent that gets none of this, and what a connection may carry besides.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { evidenceOf } from '../support/evidence.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import {
  type ClientAccess,
  clientEnvironment,
  clientOptions,
  makeKey,
  publicKey,
  runClient,
  runSsh,
  startSshd,
  type TestHost,
  sshTarget,
} from '../support/openssh.ts';
import { onTerminal, type Terminal } from '../support/terminal.ts';

const PASSWORD = 'typed-and-never-shown-5f1';

const policy = `rules:
  - { id: closed, when: "command.text.contains('9999')", then: deny }
  - { id: rest, when: 'true', then: allow }
`;

let host: TestHost;
let gateway: TestGateway;
let robot: ClientAccess;
let admin: string;

before(async () => {
  host = await startSshd({ config: 'StreamLocalBindUnlink yes', certify });
  gateway = await startGateway({
    targets: [
      targetOf('web', { hostKeys: [host.hostKey] }),
      targetOf('certified', { hostAuthorities: [authority()], hostName: 'web.internal' }),
      targetOf('misnamed', { hostAuthorities: [authority()] }),
      targetOf('foreign', { hostAuthorities: [host.hostKey], hostName: 'web.internal' }),
    ],
    policies: { 'policy.yaml': policy },
    grants: [
      { id: 'people', identities: ['issuer:staff'], targets: ['*'], accounts: ['*'] },
      {
        id: 'carrier',
        identities: ['issuer:ci'],
        targets: ['web'],
        accounts: ['*'],
        features: [
          'forwarded-tcpip:localhost:*',
          `direct-streamlocal:${join(host.work, 'socket')}`,
          `forwarded-streamlocal:${join(host.work, 'listen')}`,
          'agent',
        ],
      },
    ],
  });
  admin = await gateway.person('adam', ['admins']);
  robot = {
    port: gateway.ports['ssh'] ?? 0,
    user: 'deploy@web',
    secret: gateway.credential,
    directory: host.directory,
  };
});

after(async () => {
  await gateway.stop();
  await host.stop();
});

/** An authority for hosts, and a certificate of it. */
function certify(directory: string): void {
  makeKey(join(directory, 'authority'));
  const args = ['-q', '-s', join(directory, 'authority'), '-I', 'web', '-h', '-n', 'web.internal'];
  execFileSync('ssh-keygen', [...args, join(directory, 'host.pub')]);
}

const authority = (): string => publicKey(join(host.directory, 'authority.pub'));

const targetOf = (name: string, settings: Readonly<Record<string, unknown>>) => ({
  ...sshTarget(name, host),
  settings,
});

const person = async (name: string): Promise<ClientAccess> => ({
  ...robot,
  secret: await gateway.person(name, []),
});

const sshCommand = (access: ClientAccess, ...args: readonly string[]): string[] => [
  'ssh',
  ...clientOptions(access),
  ...args,
  '-p',
  String(access.port),
  '-l',
  access.user,
  '127.0.0.1',
];

/** A shell on a terminal, ready for its first line. */
async function shellOf(access: ClientAccess, ...args: readonly string[]): Promise<Terminal> {
  const terminal = onTerminal(sshCommand(access, ...args), clientEnvironment(access));
  // Both halves, so that the echo of the line is not taken for its result.
  terminal.type("PS1='ready''> '; unset PROMPT_COMMAND\n");
  await terminal.shows(/ready> /);
  return terminal;
}

describe('a person’s shell', () => {
  it('is a terminal with its size, signals, secrets and exit status, and recorded', async () => {
    const access = await person('paula');
    const terminal = await shellOf(access);
    terminal.type('stty size\n');
    await terminal.shows(/24 80\r\n/);
    terminal.resize();
    terminal.type('until [ "$(stty size)" = "50 132" ]; do sleep 0.1; done; echo wid\'\'er\n');
    await terminal.shows(/wider\r\n/);
    terminal.type("echo sta''rted; sleep 600\n");
    await terminal.shows(/started\r\n/);
    terminal.type('\x03');
    await terminal.shows(/ready> /);
    terminal.type('echo "status $?"\n');
    await terminal.shows(/status 130\r\n/);
    terminal.type("printf 'pass''word: '; read -rs it; echo; echo \"${#it} characters\"\n");
    await terminal.shows(/password: /);
    terminal.type(`${PASSWORD}\n`);
    await terminal.shows(new RegExp(`${PASSWORD.length} characters\r\n`));
    terminal.type('exit 7\n');
    assert.equal(await terminal.ended, 7);
    assert.ok(!terminal.output().includes(PASSWORD));

    const evidence = evidenceOf(gateway.home);
    const { session = '' } = (await evidence.summaries())[0] ?? {};
    const cast = await castOf(session);
    const [head, ...events] = cast
      .trim()
      .split('\n')
      .map((line): unknown => JSON.parse(line));
    assert.deepEqual(Object(head).version, 3);
    const shown = events.flatMap((event) =>
      Array.isArray(event) && event[1] === 'o' ? event[2] : [],
    );
    assert.match(shown.join(''), /wider\r\n[\s\S]*status 130\r\n[\s\S]*characters\r\n/);
    const sizes = events.flatMap((event) =>
      Array.isArray(event) && event[1] === 'r' ? event[2] : [],
    );
    assert.deepEqual(sizes, ['80x24', '132x50']);
    const last = events.at(-1);
    assert.deepEqual(Array.isArray(last) ? last.slice(1) : last, ['x', '7']);
    assert.ok(!cast.includes(PASSWORD), 'the password is in the cast');
    let replay = '';
    for await (const line of evidence.archive.replay(session, reading)) replay += line.text;
    assert.ok(!replay.includes(PASSWORD), 'the password is in the replay');
    assert.deepEqual(
      (await evidence.verify()).map(({ verdict }) => verdict).filter((one) => one !== 'verified'),
      [],
    );
  });

  it('shares a connection with other channels, each for itself', async () => {
    const access = await person('paul');
    const control = ['-o', `ControlPath=${join(host.directory, 'people')}`];
    const terminal = await shellOf(access, ...control, '-M');
    const other = await runSsh(access, ['echo beside; exit 3'], { args: control });
    assert.deepEqual([other.stdout.toString(), other.status], ['beside\n', 3]);
    const second = onTerminal(sshCommand(access, ...control, '-tt'), clientEnvironment(access));
    second.type("echo sec''ond; exit\n");
    await second.shows(/second\r\n/);
    terminal.type("echo fi''rst; exit\n");
    await terminal.shows(/first\r\n/);
    assert.deepEqual(await Promise.all([terminal.ended, second.ended]), [0, 0]);
  });

  it('ends when its identity is locked, and no new one starts until it is not', async () => {
    const access = await person('lola');
    const terminal = await shellOf(access);
    const body = { kind: 'identity', value: 'staff/lola', reason: 'stolen' };
    const lock = await gateway.call('POST', '/v1/locks', admin, body);
    assert.equal(lock.status, 200, JSON.stringify(lock.body));
    assert.notEqual(await terminal.ended, 0);
    assert.match(terminal.output(), /sallyport: .*locked.*SP_LOCKED/);
    assert.equal((await runSsh(access, ['true'])).status, 255);
    await gateway.call('DELETE', `/v1/locks/${String(lock.body['id'])}`, admin);
    assert.equal((await runSsh(access, ['true'])).status, 0);
  });

  it('ends when the credential behind a certificate is revoked', async () => {
    const key = join(host.directory, 'revoked');
    makeKey(key);
    const form = new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: await gateway.person('rita', []),
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      ssh_public_key: readFileSync(`${key}.pub`, 'utf8').trim(),
    });
    const answer = await fetch(`${gateway.api}/v1/token`, { method: 'POST', body: form });
    const body: Readonly<Record<string, unknown>> = JSON.parse(await answer.text());
    writeFileSync(`${key}-cert.pub`, `${String(body['ssh_certificate'])}\n`);
    const args = ['-o', `IdentityFile=${key}`, '-o', 'BatchMode=yes'];
    const terminal = await shellOf(robot, ...args);
    const listed = execFileSync('ssh-keygen', ['-L', '-f', `${key}-cert.pub`], {
      encoding: 'utf8',
    });
    const id = /Key ID: "([0-9a-f]+)"/.exec(listed)?.[1] ?? '';
    const revoked = await gateway.call('DELETE', `/v1/credentials/${id}`, admin);
    assert.equal(revoked.status, 200, JSON.stringify(revoked.body));
    assert.notEqual(await terminal.ended, 0);
    assert.equal((await runSsh(robot, ['true'], { args })).status, 255);
  });

  it('is nothing for an agent', async () => {
    const terminal = onTerminal(sshCommand(robot), clientEnvironment(robot));
    assert.equal(await terminal.ended, 126);
    assert.match(terminal.output(), /PTY allocation request failed/);
    assert.match(terminal.output(), /no grant allows an interactive shell/);
  });
});

describe('a host with a certificate', () => {
  it('is entered where its authority and its name are those of the settings', async () => {
    const access = await person('hera');
    const at = (target: string) => runSsh({ ...access, user: `deploy@${target}` }, ['echo in']);
    assert.equal((await at('certified')).stdout.toString(), 'in\n');
    for (const target of ['misnamed', 'foreign']) {
      const refused = await at(target);
      assert.equal(refused.status, 255, target);
      assert.equal(refused.stdout.toString(), '');
    }
  });
});

describe('what a connection carries besides', () => {
  it('listens at the target where the grant names the place, and nowhere else', async () => {
    const answering = await answers('from the client’s side');
    const to = `127.0.0.1:${portOf(answering)}`;
    const open = await forwarding(['-R', `localhost:0:${to}`]);
    const port = Number(/Allocated port (\d+)/.exec(await open.said(/Allocated port \d+/))?.[1]);
    assert.equal(await read(connect(port, '127.0.0.1')), 'from the client’s side');
    await open.stop();
    answering.close();
    for (const place of ['127.0.0.1:0', 'localhost:9999', '/tmp/sp-elsewhere']) {
      const args = ['-o', 'ExitOnForwardFailure=yes', '-R', `${place}:${to}`, '-N'];
      assert.notEqual((await runSsh(robot, [], { args })).status, 0, place);
    }
    const texts = await textsOfNewest(2);
    assert.ok(
      texts.includes('listen on \\"localhost\\" port 0') ||
        texts.includes('listen on "localhost" port 0'),
    );
  });

  it('reaches sockets both ways where the grant names them', async () => {
    const path = join(host.work, 'socket');
    const answering = await answers('from the socket', path);
    const local = join(host.work, 'local');
    const open = await forwarding(['-L', `${local}:${path}`, '-L', `${local}2:${path}2`]);
    await open.said(/Entering interactive session/);
    assert.equal(await read(connect(local)), 'from the socket');
    assert.equal(await read(connect(`${local}2`)), '');
    await open.stop();
    const listen = join(host.work, 'listen');
    const back = await forwarding(['-R', `${listen}:${path}`]);
    await back.said(/remote forward success/);
    assert.equal(await read(connect(listen)), 'from the socket');
    await back.stop();
    answering.close();
  });

  it('lends an agent by a grant, and only then', async () => {
    const socket = join(host.directory, 'agent');
    const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
    try {
      const env = { ...process.env, SSH_AUTH_SOCK: socket };
      while (true) {
        try {
          execFileSync('ssh-add', ['-q', host.userKey], { env, stdio: 'ignore' });
          break;
        } catch {
          await new Promise((resolve) => setImmediate(resolve));
        }
      }
      const lend = (access: ClientAccess) => {
        const [command = '', ...args] = sshCommand(access, '-A');
        const own = args.map((each) => each.replace('Agent=none', `Agent=${socket}`));
        return runClient(command, [...own, 'ssh-add -L'], { env: clientEnvironment(access) });
      };
      const lent = await lend(robot);
      assert.match(lent.stdout.toString(), /^ssh-ed25519 /, lent.stderr);
      const kept = await lend(await person('agnes'));
      assert.notEqual(kept.status, 0);
      assert.equal(kept.stdout.toString(), '');
    } finally {
      agent.kill();
    }
  });
});

const reading = { reader: 'tests', identities: [] };

async function castOf(session: string): Promise<string> {
  const parts: Uint8Array[] = [];
  const { archive } = evidenceOf(gateway.home);
  for await (const bytes of archive.export(session, 'asciicast', reading)) parts.push(bytes);
  return Buffer.concat(parts).toString('utf8');
}

async function textsOfNewest(count: number): Promise<string> {
  const evidence = evidenceOf(gateway.home);
  const texts: string[] = [];
  for (const { session } of (await evidence.summaries()).slice(0, count + 4)) {
    texts.push(await evidence.text(session));
  }
  return texts.join('\n');
}

/** A server that says one thing. */
async function answers(text: string, path?: string): Promise<Server> {
  const server = createServer((socket) => socket.end(text));
  server.listen(path ?? { port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  return server;
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Everything that comes until the other side ends. */
async function read(socket: ReturnType<typeof connect>): Promise<string> {
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
  socket.on('error', () => undefined);
  await new Promise((resolve) => socket.once('close', resolve));
  return text;
}

/** `ssh -N` that runs until it is stopped. */
async function forwarding(args: readonly string[]) {
  const [command = '', ...rest] = sshCommand(robot, '-v', '-N', ...args);
  const options = rest.map((each) => (each === 'LogLevel=ERROR' ? 'LogLevel=DEBUG1' : each));
  const child = spawn(command, options, { env: clientEnvironment(robot) });
  let output = '';
  let wake = (): void => undefined;
  child.stderr.on('data', (chunk: Buffer) => {
    output += chunk.toString('utf8');
    wake();
  });
  const gone = once(child, 'close').then(() => wake());
  return {
    async said(pattern: RegExp): Promise<string> {
      while (!pattern.test(output)) {
        if (child.exitCode !== null) throw new Error(output);
        await new Promise<void>((resolve) => (wake = resolve));
      }
      return output;
    },
    async stop(): Promise<void> {
      child.kill();
      await gone;
    },
  };
}
