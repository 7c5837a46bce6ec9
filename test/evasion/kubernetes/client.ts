/** The client: requests as a case has them, on one connection, and all that comes back. */
import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { Request } from './cases.ts';

/** Where to ask, and what says who asks. */
export interface Door {
  readonly port: number;
  /** Of the authority, where the door speaks TLS. */
  readonly ca?: Buffer;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
}

export interface Answer {
  /** 0 when there was none. */
  readonly status: number;
  readonly fields: string;
  /** Without its content encoding. */
  readonly body: Buffer;
}

/** A watch has told what there is after so long. */
const QUIET_MS = 700;

/** Sends requests one after the other on one connection. */
export async function send(door: Door, requests: readonly Request[]): Promise<readonly Answer[]> {
  const options = { keepAlive: true, maxSockets: 1 };
  const agent = door.ca === undefined ? new HttpAgent(options) : new HttpsAgent(options);
  const answers: Answer[] = [];
  try {
    for (const one of requests) answers.push(await sendOne(door, agent, one));
  } finally {
    agent.destroy();
  }
  return answers;
}

function sendOne(door: Door, agent: HttpAgent, one: Request): Promise<Answer> {
  const body = bodyOf(one);
  const headers = {
    ...door.headers,
    ...one.headers,
    ...(one.body_gzip === undefined ? {} : { 'Content-Encoding': 'gzip' }),
    ...(body === undefined ? {} : { 'Content-Length': String(body.length) }),
  };
  const { method, path } = one;
  const options = { host: '127.0.0.1', port: door.port, method, path, headers, agent };
  return new Promise((resolve) => {
    const outgoing =
      door.ca === undefined ? httpRequest(options) : httpsRequest({ ...options, ca: door.ca });
    const nothing = { status: 0, fields: '', body: Buffer.alloc(0) };
    const timer = setTimeout(() => outgoing.destroy(), 20_000);
    outgoing.once('response', (incoming) => void collect(incoming).then(resolve));
    outgoing.once('upgrade', (incoming, socket, head) => {
      socket.destroy();
      resolve({ ...nothing, status: incoming.statusCode ?? 0, body: head });
    });
    outgoing.once('error', () => resolve(nothing));
    outgoing.once('close', () => clearTimeout(timer));
    outgoing.end(body);
  });
}

function bodyOf({ body, body_hex: hex, body_gzip: packed }: Request): Buffer | undefined {
  if (hex !== undefined) return Buffer.from(hex, 'hex');
  if (packed !== undefined) return gzipSync(packed);
  return body === undefined ? undefined : Buffer.from(body);
}

/** All of an answer, or what has come of it when nothing more comes. */
function collect(incoming: IncomingMessage): Promise<Answer> {
  const pieces: Buffer[] = [];
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      const raw = Buffer.concat(pieces);
      const isPacked = incoming.headers['content-encoding'] === 'gzip';
      resolve({
        status: incoming.statusCode ?? 0,
        fields: incoming.rawHeaders.join('\n'),
        body: isPacked ? gunzipSync(raw) : raw,
      });
    };
    const quiet = (): void => {
      incoming.destroy();
      done();
    };
    let timer = setTimeout(quiet, QUIET_MS);
    incoming.on('data', (chunk: Buffer) => {
      pieces.push(chunk);
      clearTimeout(timer);
      timer = setTimeout(quiet, QUIET_MS);
    });
    incoming.once('error', done);
    incoming.once('end', done);
  });
}
