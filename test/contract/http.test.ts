/** The contract over HTTP, with Node's own server and raw requests on one connection. */
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { http } from '../../src/protocols/http/index.ts';
import { type Answer, contract, type ContractClient } from './suite.ts';

const CARD = '4539578763621486';

async function startTarget() {
  const server = createServer((request, response) => {
    request.resume();
    if (request.url === '/slow') return;
    response.setHeader('content-type', 'application/json');
    if (request.url === '/card') response.end(JSON.stringify({ id: 1, card: CARD }));
    else response.end(JSON.stringify({ path: request.url, method: request.method }));
  });
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

async function login(port: number, user: string, secret: string): Promise<ContractClient> {
  const socket = connect(port, '127.0.0.1');
  const authorization = Buffer.from(`${user}:${secret}`).toString('base64');
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
      socket.write(`${line}\r\nHost: here\r\nAuthorization: Basic ${authorization}\r\n\r\n`);
    });
  const answer = await run('GET /hello HTTP/1.1');
  if (!answer.ok) throw new RefusedLogin(answer.code);
  return {
    run,
    closed,
    // A client of HTTP cancels by leaving.
    cancel: () => Promise.resolve(void socket.destroy()),
    close: () => socket.end(),
  };
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

contract({
  protocol: http,
  startTarget,
  login,
  account: 'anyone',
  commands: {
    allowed: { text: 'GET /hello HTTP/1.1', answer: '/hello' },
    denied: { text: 'DELETE /everything HTTP/1.1', bytes: 'everything' },
    held: { text: 'PUT /later HTTP/1.1', bytes: 'later' },
    masked: { text: 'GET /card HTTP/1.1', canary: CARD },
    slow: 'GET /slow HTTP/1.1',
  },
  codes: { denied: '403', login: '401' },
  garbage: [
    bytes('\0\0\0\x08\x04\xd2\x16\x2f'),
    bytes('GET / HTTP/1.1\nHost: x\n\n'),
    bytes('GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n'),
    bytes('x'.repeat(70_000)),
    Uint8Array.of(0x16, 3, 1, 0, 5),
  ],
  policy: `rules:
  - { id: reads, when: "facts.effects.all(e, e == 'read')", then: allow }
  - id: later
    when: "'update' in facts.effects"
    then: hold
    hold: { reviewers: ['role:reviewer'], wait: 1m, valid: 1m }
  - { id: deletes, when: "'delete' in facts.effects", then: deny }
masks:
  - { id: cards, detect: [credit-card], with: redact }
`,
});
