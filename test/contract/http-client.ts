/** The client of the contract over HTTP: raw requests on one connection; and a server for them. */
import { createServer, type RequestListener } from 'node:http';
import { connect } from 'node:net';
import type { Answer, ContractClient, ContractTarget } from './suite.ts';

/** Starts Node's own server. */
export async function serveHttp(answer: RequestListener): Promise<ContractTarget> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    host: '127.0.0.1',
    port: typeof address === 'object' && address !== null ? address.port : 0,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

class RefusedLogin extends Error {
  readonly code: string;

  constructor(code: string) {
    super(`refused: ${code}`);
    this.code = code;
  }
}

/** One answer at the beginning of a text, if it is whole. */
function readAnswer(text: string): { readonly answer: Answer; readonly rest: string } | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const status = text.slice(9, 12);
  const length = /^content-length: (\d+)/im.exec(text.slice(0, end))?.[1];
  const stop = end + 4 + Number(length ?? 0);
  if (text.length < stop) return undefined;
  const body = text.slice(end + 4, stop);
  return { answer: { ok: status < '400', text: body, code: status }, rest: text.slice(stop) };
}

/**
 * Logs in and stays on one connection.
 *
 * @param port - of the gateway.
 * @param fields - what every request says of who asks, line by line.
 * @param first - a request that is allowed.
 */
export async function login(port: number, fields: string, first: string): Promise<ContractClient> {
  const socket = connect(port, '127.0.0.1');
  let received = '';
  const waiting: ((answer: Answer) => void)[] = [];
  const closed = new Promise<void>((resolve) => {
    socket.on('close', () => {
      for (const give of waiting.splice(0)) give({ ok: false, text: 'closed', code: 'closed' });
      resolve();
    });
  });
  socket.on('error', () => undefined);
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1');
    for (let read = readAnswer(received); read !== undefined; read = readAnswer(received)) {
      received = read.rest;
      waiting.shift()?.(read.answer);
    }
  });
  const run = (line: string): Promise<Answer> =>
    new Promise((resolve) => {
      waiting.push(resolve);
      socket.write(`${line}\r\nHost: here\r\n${fields}\r\n\r\n`);
    });
  const answer = await run(first);
  if (!answer.ok) throw new RefusedLogin(answer.code);
  return {
    run,
    closed,
    // A client of HTTP cancels by leaving.
    cancel: () => Promise.resolve(void socket.destroy()),
    close: () => socket.end(),
  };
}
