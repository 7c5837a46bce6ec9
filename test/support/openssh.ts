/**
 * OpenSSH for tests: a real `sshd` on a free port with keys of its own, and its clients against a
 * gateway. Everything lives in one temporary directory.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { ensurePackages } from './debian.ts';
import type { GatewayTarget } from './gateway.ts';

const START_MS_MAX = 20_000;

export interface TestHost {
  readonly host: string;
  readonly port: number;
  /** Where the server and its keys are; `home/` in it is where commands may write. */
  readonly directory: string;
  /** A place that tests may fill. */
  readonly work: string;
  /** The host's public key, as the settings of a target pin it. */
  readonly hostKey: string;
  /** The user that the server runs as: the only one that it lets in. */
  readonly username: string;
  /** A private key that logs in there. */
  readonly userKey: string;
  /** The commands so far, if they are written down. */
  commands(): string;
  stop(): Promise<void>;
}

/** The host as a target of a gateway, with one account, which is its user. */
export const sshTarget = (name: string, host: TestHost): GatewayTarget => ({
  name,
  protocol: 'ssh',
  host: host.host,
  port: host.port,
  settings: { hostKeys: [host.hostKey] },
  accounts: [{ name: 'deploy', username: host.username, clientKey: `file:${host.userKey}` }],
});

/**
 * Starts `sshd`.
 *
 * @param options - `isLogging`: every command is written down before it runs; `config`: more lines
 *   of its configuration; `certify`: makes `host-cert.pub` from `host.pub` in the directory.
 */
export async function startSshd(
  options: {
    readonly isLogging?: boolean;
    readonly config?: string;
    readonly certify?: (directory: string) => void;
  } = {},
): Promise<TestHost> {
  ensurePackages(['openssh-server', 'openssh-client']);
  // A path that is short enough for control sockets.
  const directory = mkdtempSync(join(tmpdir(), 'sp-ssh-'));
  const work = join(directory, 'work');
  mkdirSync(work);
  for (const name of ['host', 'user']) makeKey(join(directory, name));
  const hostKey = publicKey(join(directory, 'host.pub'));
  writeFileSync(join(directory, 'authorized'), readFileSync(join(directory, 'user.pub')));
  options.certify?.(directory);
  const port = await freePort();
  const config = [
    configText(directory, port),
    options.isLogging === true ? logging(directory) : '',
    options.certify === undefined ? '' : `HostCertificate ${directory}/host-cert.pub`,
    options.config ?? '',
  ].join('\n');
  writeFileSync(join(directory, 'sshd_config'), config);
  mkdirSync('/run/sshd', { recursive: true });
  const child = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', join(directory, 'sshd_config')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString('utf8')));
  await untilListening(child, port, () => log);
  return {
    host: '127.0.0.1',
    port,
    directory,
    work,
    hostKey,
    username: userInfo().username,
    userKey: join(directory, 'user'),
    commands: () => {
      const path = join(directory, 'commands');
      return existsSync(path) ? readFileSync(path, 'utf8') : '';
    },
    async stop() {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM');
        await gone;
      }
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Makes an Ed25519 key pair without a pass phrase at `path` and `path`.pub. */
export function makeKey(path: string): void {
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', path]);
}

/** Type and base64 of a public key file. */
export const publicKey = (path: string): string =>
  readFileSync(path, 'utf8').split(' ').slice(0, 2).join(' ');

const configText = (directory: string, port: number): string => `
Port ${port}
ListenAddress 127.0.0.1
HostKey ${directory}/host
AuthorizedKeysFile ${directory}/authorized
PidFile ${directory}/pid
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
AcceptEnv LANG LC_* TZ
MaxStartups 100:30:200
MaxSessions 100
Subsystem sftp internal-sftp
`;

function logging(directory: string): string {
  const program = join(directory, 'logging');
  const lines = [
    '#!/bin/sh',
    `printf '%s\\n' "$SSH_ORIGINAL_COMMAND" >> ${directory}/commands`,
    'exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"',
  ];
  writeFileSync(program, `${lines.join('\n')}\n`, { mode: 0o755 });
  return `ForceCommand ${program}\n`;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

async function untilListening(child: ChildProcess, port: number, log: () => string): Promise<void> {
  const until = Date.now() + START_MS_MAX;
  for (;;) {
    if (child.exitCode !== null || Date.now() > until) throw new Error(`no sshd:\n${log()}`);
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => socket.destroy());
      socket.once('error', () => resolve(false));
      socket.once('close', (hadError) => resolve(!hadError));
    });
    if (isOpen) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** How a client reaches a gateway without asking anybody. */
export interface ClientAccess {
  readonly port: number;
  /** `account@target`. */
  readonly user: string;
  /** The credential, typed as a password. */
  readonly secret: string;
  /** Where `known_hosts` and the program that types the password are kept. */
  readonly directory: string;
}

/** A finished client program. */
export interface Finished {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Options of `ssh`, `scp` and `sftp` that all tests share. */
export const clientOptions = ({ directory }: ClientAccess): string[] => [
  '-F',
  'none',
  '-o',
  `UserKnownHostsFile=${join(directory, 'known_hosts')}`,
  '-o',
  'StrictHostKeyChecking=accept-new',
  '-o',
  'NumberOfPasswordPrompts=1',
  '-o',
  'IdentityAgent=none',
  '-o',
  'IdentityFile=none',
  '-o',
  'LogLevel=ERROR',
];

/** The environment in which OpenSSH's clients get the credential when they ask for a password. */
export function clientEnvironment(access: ClientAccess): NodeJS.ProcessEnv {
  const program = join(access.directory, 'askpass');
  writeFileSync(program, `#!/bin/sh\nprintf '%s\\n' "$SALLYPORT_TEST_SECRET"\n`, { mode: 0o700 });
  return {
    ...process.env,
    SSH_ASKPASS: program,
    SSH_ASKPASS_REQUIRE: 'force',
    SALLYPORT_TEST_SECRET: access.secret,
    DISPLAY: ':0',
  };
}

/** Runs a program to its end. */
export function runClient(
  command: string,
  args: readonly string[],
  options: {
    readonly env: NodeJS.ProcessEnv;
    readonly input?: Uint8Array | string;
    readonly cwd?: string;
  },
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args], { env: options.env, cwd: options.cwd });
    const out: Buffer[] = [];
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')));
    child.stdin.on('error', () => undefined);
    child.once('error', reject);
    child.once('close', (status, signal) =>
      resolve({ status, signal, stdout: Buffer.concat(out), stderr }),
    );
    child.stdin.end(options.input ?? '');
  });
}

/** Runs `ssh` with a command. */
export const runSsh = (
  access: ClientAccess,
  command: readonly string[],
  options: { readonly input?: Uint8Array | string; readonly args?: readonly string[] } = {},
): Promise<Finished> =>
  runClient(
    'ssh',
    [
      ...clientOptions(access),
      ...(options.args ?? []),
      '-p',
      String(access.port),
      '-l',
      access.user,
      '127.0.0.1',
      ...command,
    ],
    {
      env: clientEnvironment(access),
      ...(options.input === undefined ? {} : { input: options.input }),
    },
  );
