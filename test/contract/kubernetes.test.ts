/**
 * The contract over the API of Kubernetes, with a stand-in for the API server, so that the tap sees
 * what it is asked; the real one is behind `test/e2e/kubernetes.test.ts` and the evasions.
 */
import { kubernetes } from '../../src/protocols/kubernetes/index.ts';
import { login, serveHttp } from './http-client.ts';
import { contract } from './suite.ts';

const PASSWORD = Buffer.from('canary-of-the-contract').toString('base64');
const pods = '/api/v1/namespaces/app/pods';
const secret = '/api/v1/namespaces/app/secrets/db';

const startTarget = () =>
  serveHttp((request, response) => {
    request.resume();
    if (request.url === `${pods}/slow/log`) return;
    response.setHeader('content-type', 'application/json');
    const data = { password: PASSWORD };
    const object =
      request.url === secret
        ? { kind: 'Secret', apiVersion: 'v1', metadata: { name: 'db' }, data }
        : { kind: 'PodList', apiVersion: 'v1', metadata: {}, items: [] };
    response.end(JSON.stringify(object));
  });

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

contract({
  protocol: kubernetes,
  startTarget,
  login: (port, user, token) =>
    login(
      port,
      `Authorization: Bearer ${token}\r\nSallyport-Account: ${user}`,
      `GET ${pods} HTTP/1.1`,
    ),
  account: 'anyone',
  commands: {
    allowed: { text: `GET ${pods} HTTP/1.1`, answer: 'PodList' },
    denied: { text: `DELETE ${pods}/everything HTTP/1.1`, bytes: 'everything' },
    held: { text: `PATCH ${pods}/later HTTP/1.1`, bytes: 'later' },
    masked: { text: `GET ${secret} HTTP/1.1`, canary: PASSWORD },
    slow: `GET ${pods}/slow/log HTTP/1.1`,
  },
  codes: { denied: '403', login: '401' },
  garbage: [
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
  - { id: secrets, columns: [core.secrets.data], with: redact }
`,
});
