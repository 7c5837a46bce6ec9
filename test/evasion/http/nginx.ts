/** nginx before an application: it decodes, merges slashes and follows dots before it routes. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Nginx {
  readonly port: number;
  stop(): Promise<void>;
}

/** Debian's package of the same name has it. */
const program = 'nginx';

/** Starts nginx with the locations of the labelled cases. */
export async function startNginx(upstream: number): Promise<Nginx> {
  const home = mkdtempSync(join(tmpdir(), 'sp-nginx-'));
  mkdirSync(join(home, 'logs'));
  const port = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${home}/${name};`)
    .join(' ');
  const origin = `http://127.0.0.1:${upstream}`;
  writeFileSync(
    join(home, 'nginx.conf'),
    `daemon off; master_process off; pid ${home}/pid; error_log ${home}/logs/error; events {}
http { access_log off; ${temporary}
server { listen 127.0.0.1:${port};
location /echo { default_type text/plain; return 200 $uri; }
location = /admin/purge { proxy_pass ${origin}/admin/purge; }
location / { proxy_pass ${origin}; } } }
`,
  );
  const child = spawn(program, ['-c', join(home, 'nginx.conf'), '-p', home], { stdio: 'ignore' });
  const failed = new Promise<never>((_resolve, reject) => {
    child.once('error', () => reject(new Error('nginx is needed: apt-get install nginx')));
    child.once('exit', (code) => reject(new Error(`nginx ended with ${code}`)));
  });
  failed.catch(() => undefined);
  await Promise.race([failed, listening(port)]);
  return {
    port,
    async stop() {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await gone;
      rmSync(home, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function listening(port: number): Promise<void> {
  const tries = 200;
  for (let count = 0; count < tries; count += 1) {
    const isUp = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => resolve(false));
    });
    if (isUp) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error('nginx does not listen');
}
