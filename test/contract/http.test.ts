/** The contract over HTTP, with Node's own server and raw requests on one connection. */
import { http } from '../../src/protocols/http/index.ts';
import { login, serveHttp } from './http-client.ts';
import { contract } from './suite.ts';

const CARD = '4539578763621486';

const startTarget = () =>
  serveHttp((request, response) => {
    request.resume();
    if (request.url === '/slow') return;
    response.setHeader('content-type', 'application/json');
    if (request.url === '/card') response.end(JSON.stringify({ id: 1, card: CARD }));
    else response.end(JSON.stringify({ path: request.url, method: request.method }));
  });

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

contract({
  protocol: http,
  startTarget,
  login: (port, user, secret) => {
    const basic = Buffer.from(`${user}:${secret}`).toString('base64');
    return login(port, `Authorization: Basic ${basic}`, 'GET /hello HTTP/1.1');
  },
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
