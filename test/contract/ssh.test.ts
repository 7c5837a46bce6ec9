/** The contract over SSH, with a real OpenSSH server and ssh2's client. */
import { writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { Client, type ClientChannel } from 'ssh2';
import { ssh } from '../../src/protocols/ssh/index.ts';
import { startSshd } from '../support/openssh.ts';
import { type Answer, contract, type ContractClient } from './suite.ts';

const CANARY = '4539578763621486';

async function startTarget() {
  const host = await startSshd({ isLogging: true });
  writeFileSync(join(host.work, 'card'), `the card is ${CANARY}, thanks\n`);
  return {
    host: host.host,
    port: host.port,
    settings: { hostKeys: [host.hostKey] },
    account: { clientKey: `file:${host.userKey}` },
    // What goes over the wire is encrypted, so the host says what it was asked.
    received: () => host.commands(),
    stop: () => host.stop(),
  };
}

class RefusedLogin extends Error {
  readonly code = 'refused';
}

async function login(port: number, user: string, secret: string): Promise<ContractClient> {
  const client = new Client();
  const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    client.once('ready', resolve);
    client.on('error', (error) => reject(new RefusedLogin(error.message)));
    client.once('close', () => reject(new RefusedLogin('closed')));
    const algorithms = { cipher: ['aes128-gcm@openssh.com' as const] };
    client.connect({ host: '127.0.0.1', port, username: user, password: secret, algorithms });
  });
  let opening: Promise<ClientChannel> | undefined;
  const run = (text: string): Promise<Answer> => {
    let opened: (channel: ClientChannel) => void = () => undefined;
    opening = new Promise((resolve) => (opened = resolve));
    return new Promise((resolve) => {
      const gone = (): void => resolve({ ok: false, text: 'closed', code: 'closed' });
      client.once('close', gone);
      client.exec(text, (error, channel) => {
        if (error !== undefined) return gone();
        opened(channel);
        let [output, errors, status] = ['', '', -1];
        channel.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
        channel.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString('utf8')));
        channel.on('exit', (code: number | null) => (status = code ?? -1));
        channel.on('close', () => {
          client.off('close', gone);
          resolve({ ok: status === 0, text: output + errors, code: String(status) });
        });
      });
    });
  };
  return {
    run,
    closed,
    async cancel() {
      (await opening)?.signal('INT');
    },
    close: () => client.end(),
  };
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

contract({
  protocol: ssh,
  startTarget,
  login,
  account: userInfo().username,
  commands: {
    allowed: { text: 'echo hello', answer: 'hello' },
    denied: { text: 'rm -rf /nowhere', bytes: 'rm -rf' },
    held: { text: 'true # held', bytes: 'held' },
    masked: { text: 'cat /tmp/sp-ssh-*/work/card', canary: CANARY },
    slow: 'sleep 600',
  },
  codes: { denied: '126', login: 'refused' },
  garbage: [
    bytes('GET / HTTP/1.1\r\n\r\n'),
    bytes('x'.repeat(10_000)),
    bytes('SSH-2.0-x\r\n\xff\xff\xff\xff'),
    Uint8Array.of(0, 0, 0, 0),
  ],
  policy: `rules:
  - id: holds
    when: "command.text.endsWith('# held')"
    then: hold
    hold: { reviewers: ['role:reviewer'], wait: 1m, valid: 1m }
  - { id: wipes, when: "command.text.startsWith('rm ')", then: deny }
  - { id: rest, when: 'true', then: allow }
masks:
  - { id: cards, detect: [credit-card], with: redact }
`,
});
