/** The ways that the HTTP benchmark compares: direct, nginx, HAProxy, and gateways. */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { startGateway } from '../test/support/gateway.ts';

export const MiB: number = 1024 * 1024;
export const JSON_BYTES: number = 32 * MiB;

export interface Route {
  readonly name: string;
  readonly port: number;
  readonly authorization: string;
  /** Whose CPU time counts. */
  readonly pid: number;
}

/** What ends what was started, the last first. */
export type Stops = (() => Promise<void> | void)[];

/** Where files go, and what to stop. */
export interface World {
  readonly home: string;
  readonly stops: Stops;
}

const MASKS = `
masks:
  - { id: ssn, columns: ['json.*.ssn'], with: redact }
  - { id: found, detect: [credit-card, secret], with: redact }
`;

/** Nine rules that look at the request and do not fit, and one that lets it pass. */
const rules = [
  ...Array.from(
    { length: 9 },
    (_, index) =>
      `  - { id: r${index}, when: "facts.objects.exists(o, o.name == '/admin/${index}')", then: deny }`,
  ),
  '  - { id: all, when: "facts.analysis == \'complete\'", then: allow }',
];

/** Starts a server with a small answer, a large file and a large document, and ways to it. */
export async function startRoutes(world: World, bulkBytes: number): Promise<readonly Route[]> {
  writeFiles(world.home, bulkBytes);
  const origin = await startNginx(
    world,
    'direct',
    (port) =>
      `types { text/plain txt; application/json json; } sendfile on; keepalive_requests 100000000;
       server { listen 127.0.0.1:${port}; root ${world.home}/files; }`,
  );
  return [
    origin,
    await startNginx(
      world,
      'nginx',
      (port) =>
        `keepalive_requests 100000000;
         upstream o { server 127.0.0.1:${origin.port}; keepalive 64; keepalive_requests 100000000; }
         server { listen 127.0.0.1:${port}; location / { proxy_pass http://o; proxy_buffering on;
         proxy_http_version 1.1; proxy_set_header Connection ""; } }`,
    ),
    await startHaproxy(world, origin.port),
    await startVariant(world, 'policy', { masks: '', origin: origin.port }),
    await startVariant(world, 'masked', { masks: MASKS, origin: origin.port }),
  ];
}

function writeFiles(home: string, bulkBytes: number): void {
  mkdirSync(join(home, 'files'));
  writeFileSync(join(home, 'files', 'small.txt'), 'x'.repeat(1024));
  const bulk = openSync(join(home, 'files', 'bulk.txt'), 'w');
  const piece = Buffer.alloc(16 * MiB, 'abcdefgh 1234\n');
  for (let at = 0; at < bulkBytes; at += piece.length) writeSync(bulk, piece);
  closeSync(bulk);
  const row =
    '{"id":1,"name":"Ada Byron","email":"ada@example.com","ssn":"078-05-1120","n":12.5},\n';
  const rows = row.repeat(Math.ceil(JSON_BYTES / row.length));
  writeFileSync(join(home, 'files', 'rows.json'), `[${rows}{}]`);
}

async function startVariant(
  { stops }: World,
  name: string,
  { masks, origin }: { readonly masks: string; readonly origin: number },
): Promise<Route> {
  const gateway = await startGateway({
    targets: [{ name: 'site', host: '127.0.0.1', port: origin, accounts: ['robot'] }],
    policies: { 'policy.yaml': `rules:\n${rules.join('\n')}\n${masks}` },
    config: {
      listeners: [{ name: 'pg', protocol: 'http', address: '127.0.0.1:0', target: 'site' }],
      targets: [
        {
          name: 'site',
          protocol: 'http',
          address: `127.0.0.1:${origin}`,
          tls: { mode: 'disable' },
          accounts: [{ name: 'robot' }],
          settings: { textUnderMasks: 'content' },
        },
      ],
    },
  });
  stops.push(() => gateway.stop());
  const authorization = `Basic ${Buffer.from(`robot:${gateway.credential}`).toString('base64')}`;
  return { name, port: gateway.port, authorization, pid: gateway.pid };
}

async function startNginx(
  { home, stops }: World,
  name: string,
  http: (port: number) => string,
): Promise<Route> {
  const port = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((each) => `${each}_temp_path ${home}/${name}-${each};`)
    .join(' ');
  const file = join(home, `${name}.conf`);
  writeFileSync(
    file,
    `user root; daemon off; master_process off; pid ${home}/${name}.pid; error_log ${home}/${name}.log;
     events { worker_connections 4096; } http { access_log off; ${temporary} ${http(port)} }`,
  );
  const pid = run('nginx', ['-c', file, '-p', home], stops);
  await listening(port);
  return { name, port, authorization: '', pid };
}

async function startHaproxy({ home, stops }: World, origin: number): Promise<Route> {
  const port = await freePort();
  const file = join(home, 'haproxy.cfg');
  writeFileSync(
    file,
    `global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend f
  bind 127.0.0.1:${port}
  default_backend b
backend b
  http-reuse always
  server o 127.0.0.1:${origin}
`,
  );
  const pid = run('haproxy', ['-f', file, '-db'], stops);
  await listening(port);
  return { name: 'haproxy', port, authorization: '', pid };
}

function run(program: string, args: readonly string[], stops: Stops): number {
  const child = spawn(program, [...args], { stdio: 'ignore' });
  stops.push(async () => {
    if (child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await gone;
  });
  return child.pid ?? 0;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function listening(port: number): Promise<void> {
  for (let count = 0; count < 100; count += 1) {
    const isUp = await fetch(`http://127.0.0.1:${port}/small.txt`).then(
      () => true,
      () => false,
    );
    if (isUp) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nothing listens on ${port}`);
}
