/** The contract over the protocol of one page: proves the seam, and the suite itself. */
import { connect, createServer, type Socket } from 'node:net';
import { echo } from './echo.ts';
import { type Answer, contract, type ContractClient } from './suite.ts';

const CARD = '4111 1111 1111 1111';

/** A target that says back what it hears; `tell` gives a card number, `sleep` says nothing. */
async function startTarget() {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    let rest = '';
    socket.on('data', (chunk) => {
      const lines = (rest + chunk.toString('utf8')).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (line === 'say nothing') continue;
        socket.write(line === 'read card' ? `the card is ${CARD}.\n` : `${line}\n`);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    host: '127.0.0.1',
    port: typeof address === 'object' && address !== null ? address.port : 0,
    async stop() {
      for (const socket of sockets) socket.destroy();
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

async function login(port: number, user: string, secret: string): Promise<ContractClient> {
  const socket = connect(port, '127.0.0.1');
  let rest = '';
  let waiting: ((line: string) => void) | undefined;
  const lines: string[] = [];
  const closed = new Promise<void>((resolve) => {
    socket.on('close', () => {
      waiting?.('ERR closed');
      resolve();
    });
  });
  socket.on('error', () => undefined);
  socket.on('data', (chunk) => {
    const all = (rest + chunk.toString('utf8')).split('\n');
    rest = all.pop() ?? '';
    for (const line of all.filter((each) => !each.startsWith('NOTE '))) {
      if (waiting === undefined) lines.push(line);
      else waiting(line);
    }
  });
  const next = (): Promise<string> =>
    new Promise((resolve) => {
      const ready = lines.shift();
      if (ready !== undefined) return resolve(ready);
      waiting = (line) => {
        waiting = undefined;
        resolve(line);
      };
    });
  const ask = async (line: string): Promise<Answer> => {
    socket.write(`${line}\n`);
    const text = await next();
    const code = /^ERR (\S+)/.exec(text)?.[1] ?? '';
    return { ok: code === '', text, code };
  };
  const answer = await ask(`LOGIN ${user} ${secret}`);
  if (!answer.ok) throw new RefusedLogin(answer.code);
  const key = answer.text.split(' ')[1] ?? '';
  return {
    run: ask,
    closed,
    async cancel() {
      await new Promise<void>((resolve) => {
        const other = connect(port, '127.0.0.1', () => other.end(`CANCEL ${key}\n`));
        other.resume();
        other.on('close', () => resolve());
      });
    },
    close: () => socket.end(),
  };
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

contract({
  protocol: echo,
  startTarget,
  login,
  account: 'anyone',
  commands: {
    allowed: { text: 'say hello', answer: 'hello' },
    denied: { text: 'wipe everything', bytes: 'wipe' },
    held: { text: 'later this', bytes: 'later' },
    masked: { text: 'read card', canary: CARD },
    slow: 'say nothing',
  },
  codes: { denied: 'SP_POLICY_DENIED', login: 'SP_LOGIN_FAILED' },
  garbage: [
    bytes('GET / HTTP/1.1\r\n\r\n'),
    bytes('x'.repeat(10_000)),
    Uint8Array.of(0xff, 0xfe, 0x0a),
    bytes('LOGIN\n'),
  ],
  policy: `rules:
  - { id: reads, when: "facts.effects.all(e, e == 'read')", then: allow }
  - id: later
    when: "'delete' in facts.effects"
    then: hold
    hold: { reviewers: ['role:reviewer'], wait: 1m, valid: 1m }
  - { id: wipes, when: "'delete-all' in facts.effects", then: deny }
masks:
  - { id: cards, detect: [credit-card], with: redact }
`,
});
