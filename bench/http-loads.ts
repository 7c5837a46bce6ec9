/** What is asked of each way of the HTTP benchmark. */
import { execFile } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { promisify } from 'node:util';
import type { Route } from './http-routes.ts';
import { residentKilobytes } from './process.ts';

/** Not the blocking form: the issuer of the gateways' tokens is in this process. */
const execute = promisify(execFile);

const urlOf = ({ port }: Route, path: string): string => `http://127.0.0.1:${port}${path}`;

const headersOf = ({ authorization }: Route): readonly string[] =>
  authorization === '' ? [] : ['-H', `Authorization: ${authorization}`];

export interface Answered {
  readonly count: number;
  readonly perSecond: number;
  readonly p50Ms: number;
}

/** Small answers over a number of connections by wrk. */
export async function smallAnswers(
  route: Route,
  connections: number,
  seconds: number,
): Promise<Answered> {
  const shape = ['-t1', `-c${connections}`, '--latency', `-d${seconds}s`];
  const { stdout } = await execute('wrk', [
    ...shape,
    ...headersOf(route),
    urlOf(route, '/small.txt'),
  ]);
  if (/Non-2xx/.test(stdout)) throw new Error(stdout);
  const [, p50 = '', unit] = /50% +([\d.]+)(us|ms|s)/.exec(stdout) ?? [];
  const perMs = unit === 'us' ? 1_000 : unit === 'ms' ? 1 : 0.001;
  return {
    count: Number(/(\d+) requests in/.exec(stdout)?.[1]),
    perSecond: Number(/Requests\/sec: *([\d.]+)/.exec(stdout)?.[1]),
    p50Ms: Number(p50) / perMs,
  };
}

/** One body by curl to /dev/null; megabytes and seconds. */
export async function oneBody(
  route: Route,
  path: string,
): Promise<{ readonly megabytes: number; readonly seconds: number }> {
  const form = '%{size_download} %{time_total} %{http_code}';
  const { stdout } = await execute('curl', [
    '-sS',
    ...headersOf(route),
    '-o',
    '/dev/null',
    '-w',
    form,
    urlOf(route, path),
  ]);
  const [bytes = 0, seconds = 1, status] = stdout.split(' ').map(Number);
  if (status !== 200) throw new Error(`${route.name} ${path}: ${status}`);
  return { megabytes: bytes / 1e6, seconds };
}

/** Waves of one request on each of many connections that stay open: memory behind each wave. */
export async function kilobytesOfWaves(
  route: Route,
  connections: number,
  waves: number,
): Promise<{ readonly before: number; readonly behind: readonly number[] }> {
  const sockets: Socket[] = [];
  const behind: number[] = [];
  const before = residentKilobytes(route.pid);
  try {
    for (let wave = 0; wave < waves; wave += 1) {
      for (let at = 0; at < connections; at += 1) {
        const socket = sockets[at] ?? (await open(route));
        sockets[at] = socket;
        await ask(socket, route);
      }
      behind.push(residentKilobytes(route.pid));
    }
    return { before, behind };
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

function open({ port }: Route): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket));
    socket.once('error', reject);
  });
}

/** Resolves with the last byte of an answer that is 1 KB of `x`. */
function ask(socket: Socket, { authorization }: Route): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    const take = (chunk: Buffer): void => {
      text += chunk.toString('latin1');
      if (!text.startsWith('HTTP/1.1 200')) reject(new Error(text));
      if (!text.endsWith('x'.repeat(1024))) return;
      socket.off('data', take);
      resolve();
    };
    socket.on('data', take);
    socket.once('close', () => reject(new Error('the connection was closed')));
    socket.write(`GET /small.txt HTTP/1.1\r\nHost: a\r\nAuthorization: ${authorization}\r\n\r\n`);
  });
}
