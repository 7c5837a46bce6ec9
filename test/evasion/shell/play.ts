/** Plays one case on a connection of its own, with ssh2's client, and tells what came of it. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { createServer } from 'node:net';
import { Client, type ClientChannel, type ConnectConfig, type SFTPWrapper } from 'ssh2';
import type { Case, ExecFrame, Frame, SftpOperation } from './cases.ts';
import type { ScratchHost } from './host.ts';

/** Where to log in. */
export interface Door {
  readonly port: number;
  readonly username: string;
  readonly password?: string;
  readonly privateKey?: Buffer;
}

/** What came of a case. */
export interface Played {
  /** Everything that the client received, refusals included. */
  readonly output: string;
  readonly statuses: readonly (number | string)[];
  /** Whether the intent came about. */
  readonly happened: boolean;
  readonly unchanged: boolean;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

interface Answer {
  readonly output: string;
  readonly status: number | string;
}

export async function play(one: Case, host: ScratchHost, door: Door): Promise<Played> {
  host.reset();
  const kept = one.proof.killed === true ? host.keepAlive() : 0;
  const frames: readonly Frame[] =
    typeof one.input === 'string' ? [{ exec: one.input }] : one.input;
  for (const frame of frames) if ('pre' in frame && frame.pre !== undefined) host.run(frame.pre);
  const before = host.tree();
  const agent = frames.some((frame) => 'agent' in frame) ? startAgent() : undefined;
  let output = '';
  const statuses: (number | string)[] = [];
  try {
    const client = await connect(door, agent?.socket);
    for (const frame of frames) {
      const answer = await playFrame(client, frame, host);
      output += `${answer.output}\n`;
      statuses.push(answer.status);
    }
    await pause(50);
    client.end();
  } finally {
    agent?.stop();
  }
  const happened = await shows(one, host, output, kept);
  return { output, statuses, happened, unchanged: host.tree() === before };
}

function connect(door: Door, agent: string | undefined): Promise<Client> {
  const client = new Client();
  const config: ConnectConfig = {
    host: '127.0.0.1',
    port: door.port,
    username: door.username,
    readyTimeout: 20_000,
    ...(door.password !== undefined && { password: door.password }),
    ...(door.privateKey !== undefined && { privateKey: door.privateKey }),
    ...(agent !== undefined && { agent }),
    algorithms: { cipher: ['aes128-gcm@openssh.com' as const] },
  };
  return new Promise((resolve, reject) => {
    client.once('ready', () => resolve(client));
    client.on('error', reject);
    client.connect(config);
  });
}

/** Collects a channel until it closes, or for so long. */
function collected(channel: ClientChannel, msMax: number): Promise<Answer> {
  return new Promise((resolve) => {
    let output = '';
    let status: number | string = '';
    const done = (): void => {
      clearTimeout(timer);
      resolve({ output, status });
    };
    const timer = setTimeout(() => {
      channel.close();
      done();
    }, msMax);
    const take = (chunk: Buffer): void => {
      output += chunk.toString('latin1');
    };
    channel.on('data', take);
    channel.stderr.on('data', take);
    channel.on('exit', (code: number | null, signal?: string) => {
      status = code ?? signal ?? '';
    });
    channel.on('close', done);
  });
}

type Opened = (error: Error | undefined, channel: ClientChannel) => void;

/** Opens a channel and uses it; a refusal is an answer. */
function onChannel(
  open: (opened: Opened) => unknown,
  use: (channel: ClientChannel) => Promise<Answer>,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    open((error, channel) => {
      if (error !== undefined) resolve({ output: `[${error.message}]`, status: 'refused' });
      else use(channel).then(resolve, reject);
    });
  });
}

async function playFrame(client: Client, frame: Frame, host: ScratchHost): Promise<Answer> {
  if ('exec' in frame) return playExec(client, frame);
  if ('pty' in frame) return playTerminal(client, frame);
  if ('shell_stdin' in frame) {
    return onChannel(
      (opened) => client.shell(false, opened),
      (channel) => {
        const answer = collected(channel, 4_000);
        channel.end(frame.shell_stdin);
        return answer;
      },
    );
  }
  if ('sftp' in frame) return playSftp(client, frame.sftp);
  if ('exec_sftp' in frame) return playSftpByExec(client, frame);
  if ('forward' in frame) {
    const { host: to, port, send } = frame.forward;
    return onChannel(
      (opened) => client.forwardOut('127.0.0.1', 0, to, port, opened),
      (channel) => said(channel, send),
    );
  }
  if ('streamlocal' in frame) return playLocalSocket(client, frame.streamlocal, host);
  return new Promise((resolve) => {
    client.forwardIn('127.0.0.1', frame.remote_forward.port, (error) => {
      resolve({ output: error === undefined ? 'listening' : 'no', status: '' });
    });
  });
}

function playExec(client: Client, frame: ExecFrame): Promise<Answer> {
  const options = {
    ...(frame.env !== undefined && { env: frame.env }),
    ...(frame.x11 === true && { x11: { single: false } }),
    ...(frame.agent === true && { agentForward: true }),
  };
  return onChannel(
    (opened) => client.exec(frame.exec, options, opened),
    (channel) => {
      const answer = collected(channel, 8_000);
      if (frame.stdin_hex === undefined) channel.end(frame.stdin ?? '');
      else channel.end(Buffer.from(frame.stdin_hex, 'hex'));
      return answer;
    },
  );
}

function playTerminal(
  client: Client,
  frame: Extract<Frame, { readonly pty: readonly string[] }>,
): Promise<Answer> {
  return onChannel(
    (opened) => client.shell({ term: 'xterm', rows: 24, cols: 80 }, opened),
    async (channel) => {
      let closed = false;
      channel.on('close', () => (closed = true));
      const answer = collected(channel, 20_000);
      await pause(350);
      for (const keys of frame.pty) {
        if (closed) break;
        channel.write(keys);
        await pause(frame.delay ?? 330);
      }
      await pause(250);
      if (!closed) channel.close();
      return answer;
    },
  );
}

async function said(channel: ClientChannel, text: string): Promise<Answer> {
  const answer = collected(channel, 1_000);
  channel.write(text);
  await pause(300);
  channel.end();
  return answer;
}

async function playLocalSocket(
  client: Client,
  { path, send }: { readonly path: string; readonly send: string },
  host: ScratchHost,
): Promise<Answer> {
  const server = createServer((socket) => {
    socket.on('data', (chunk) => {
      host.note(chunk.toString('latin1'));
    });
  });
  await new Promise<void>((resolve) => server.listen(path, () => resolve()));
  chmodSync(path, 0o777);
  const answer = await onChannel(
    (opened) => client.openssh_forwardOutStreamLocal(path, opened),
    (channel) => said(channel, send),
  );
  server.close();
  return answer;
}

function playSftp(client: Client, operations: readonly SftpOperation[]): Promise<Answer> {
  return new Promise((resolve, reject) => {
    client.sftp((error, sftp) => {
      if (error !== undefined) {
        resolve({ output: `[${error.message}]`, status: 'refused' });
        return;
      }
      operate(sftp, operations).then(resolve, reject);
    });
  });
}

/** Looking at a file is what changes when it was last looked at. */
const withoutAccess = (value: unknown): string =>
  (JSON.stringify(value) ?? 'ok').replaceAll(/"atime":\d+/g, '"atime":0');

async function operate(sftp: SFTPWrapper, operations: readonly SftpOperation[]): Promise<Answer> {
  let output = '';
  for (const [name, ...args] of operations) {
    output += await new Promise<string>((resolve) => {
      const method: unknown = Reflect.get(sftp, name);
      if (typeof method !== 'function') throw new Error(`no operation ${name}`);
      const done = (error: Error | undefined | null, value?: unknown): void => {
        if (error) resolve(`[${name} ${error.message}]`);
        else if (Buffer.isBuffer(value)) resolve(`[${name} ${value.toString('latin1')}]`);
        else resolve(`[${name} ${withoutAccess(value).slice(0, 200)}]`);
      };
      Reflect.apply(method, sftp, [...args, done]);
    });
  }
  sftp.end();
  return { output, status: '' };
}

/** SFTP spoken over an exec: the start and one removal after the other. */
function playSftpByExec(
  client: Client,
  frame: Extract<Frame, { readonly exec_sftp: string }>,
): Promise<Answer> {
  const text = (value: string): Buffer => {
    const bytes = Buffer.from(value);
    const size = Buffer.alloc(4);
    size.writeUInt32BE(bytes.length);
    return Buffer.concat([size, bytes]);
  };
  const packet = (bytes: Buffer): Buffer => text(bytes.toString('latin1'));
  return onChannel(
    (opened) => client.exec(frame.exec_sftp, opened),
    async (channel) => {
      const answer = collected(channel, 2_000);
      channel.write(packet(Buffer.from([1, 0, 0, 0, 3])));
      for (const [index, [, path]] of frame.ops.entries()) {
        const head = Buffer.from([13, 0, 0, 0, index + 1]);
        channel.write(packet(Buffer.concat([head, text(path)])));
      }
      await pause(500);
      channel.end();
      return answer;
    },
  );
}

function startAgent(): { readonly socket: string; stop(): void } {
  const said = execFileSync('ssh-agent', ['-s'], { encoding: 'utf8' });
  const socket = /SSH_AUTH_SOCK=([^;]+)/.exec(said)?.[1] ?? '';
  const pid = Number(/SSH_AGENT_PID=(\d+)/.exec(said)?.[1]);
  return { socket, stop: () => void process.kill(pid) };
}

/** Whether all of a case's proof holds; looked for a while, since effects may come late. */
async function shows(one: Case, host: ScratchHost, output: string, kept: number): Promise<boolean> {
  for (let round = 0; round < 6; round += 1) {
    if (holds(one, host, output, kept)) return true;
    await pause(100);
  }
  return false;
}

function holds(one: Case, host: ScratchHost, output: string, kept: number): boolean {
  const { proof } = one;
  if (proof.gone === true && (host.isFilled('data/a.db') || host.isFilled('data/b.db'))) {
    return false;
  }
  if (proof.out !== undefined && !new RegExp(proof.out).test(output)) return false;
  if (proof.file !== undefined && !host.has(proof.file)) return false;
  if (proof.net !== undefined && !new RegExp(proof.net).test(host.arrived)) return false;
  if (proof.sh !== undefined && host.run(proof.sh) !== 0) return false;
  if (proof.killed === true && isAlive(kept)) return false;
  return proof.unchanged !== true || !/SECRET-7f3a/.test(output + host.arrived);
}

function isAlive(pid: number): boolean {
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' });
  return stdout.trim() !== '' && !stdout.startsWith('Z');
}
