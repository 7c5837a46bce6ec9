/**
 * The host that cases are played at: a real `sshd`, a user without rights, a home that is made anew
 * for every case, and a server beside it that writes down whatever reaches it.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { lstatSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { startSshd, type TestHost } from '../../support/openssh.ts';

const USER = 'sallyport-evasion';

/** When all files were written: what a listing shows must not differ from one play to the next. */
const written = new Date('2026-01-01T00:00:00Z');

/** Files that shells and editors keep for themselves. */
const ignored = new Set(['.bash_history', '.viminfo', '.lesshst', '.python_history', '.cache']);

export class ScratchHost {
  readonly home: string;
  readonly port: number;
  readonly user: string = USER;
  readonly #root: string;
  readonly #sshd: TestHost;
  readonly #beside: Server;
  readonly #id: number;
  #arrived = '';

  private constructor(root: string, sshd: TestHost, beside: Server, port: number) {
    this.#root = root;
    this.home = `${root}/home`;
    this.#sshd = sshd;
    this.#beside = beside;
    this.port = port;
    this.#id = Number(execFileSync('id', ['-u', USER], { encoding: 'utf8' }));
    beside.on('connection', (socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => {
        this.#arrived += chunk.toString('latin1');
        if (/^(GET|POST) /.test(chunk.toString('latin1'))) {
          socket.end('HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nid\n');
        }
      });
      setTimeout(() => socket.destroy(), 1_500);
    });
  }

  static async start(): Promise<ScratchHost> {
    if (process.getuid?.() !== 0) throw new Error('needs root: it makes a user to be attacked as');
    const root = mkdtempSync(`${tmpdir()}/sp-ev-`);
    chmodSync(root, 0o755);
    const home = `${root}/home`;
    spawnSync('userdel', [USER]);
    execFileSync('useradd', ['-M', '-d', home, '-s', '/bin/bash', '-p', '*', USER]);
    const sshd = await startSshd({
      // As lenient as hosts are found: what must not pass is stopped by the gateway.
      config: 'AcceptEnv *\nX11Forwarding yes\nX11UseLocalhost yes\n',
    });
    chmodSync(sshd.directory, 0o755);
    const beside = createServer();
    await new Promise<void>((resolve) => beside.listen(0, '127.0.0.1', () => resolve()));
    const address = beside.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    return new ScratchHost(root, sshd, beside, port);
  }

  get sshd(): TestHost {
    return this.#sshd;
  }

  /** What reached the server beside since the last reset. */
  get arrived(): string {
    return this.#arrived;
  }

  /** Something arrived at another place than the server beside. */
  note(text: string): void {
    this.#arrived += text;
  }

  /** Makes the home anew. */
  reset(): void {
    spawnSync('pkill', ['-9', '-U', String(this.#id)]);
    this.#arrived = '';
    rmSync(this.home, { recursive: true, force: true });
    for (const folder of ['', '/data', '/logs', '/bin', '/src']) mkdirSync(this.home + folder);
    this.write('data/a.db', 'alpha'.repeat(20));
    this.write('data/b.db', 'beta'.repeat(20));
    this.write('logs/app.log', logText);
    this.write('secret.txt', 'SECRET-7f3a line\n', 0o600);
    this.write('bin/report', '#!/bin/sh\ntail -n1 logs/app.log\n', 0o755);
    this.write('src/x.c', 'int main(){}\n');
    for (const folder of ['', '/data', '/logs', '/bin', '/src']) {
      chownSync(this.home + folder, this.#id, this.#id);
    }
  }

  /** Writes a file of the user's. */
  write(name: string, text: string, mode = 0o644): void {
    writeFileSync(`${this.home}/${name}`, text, { mode });
    chownSync(`${this.home}/${name}`, this.#id, this.#id);
    utimesSync(`${this.home}/${name}`, written, written);
  }

  /** Runs a text at the host as the user, past everything. */
  run(text: string): number | null {
    const ids = { uid: this.#id, gid: this.#id, cwd: this.home };
    return spawnSync('/bin/bash', ['-c', text], { ...ids, env: { HOME: this.home } }).status;
  }

  /** A process of the user's that a case may try to end. */
  keepAlive(): number {
    const child = spawn('/bin/bash', ['-c', 'exec -a ev-keep-alive sleep 60'], {
      uid: this.#id,
      gid: this.#id,
      stdio: 'ignore',
    });
    child.unref();
    const pid = child.pid ?? 0;
    this.write('keep.pid', String(pid));
    return pid;
  }

  has(name: string): boolean {
    return existsSync(`${this.home}/${name}`);
  }

  /** Whether a file is there with something in it. */
  isFilled(name: string): boolean {
    try {
      const stat = lstatSync(`${this.home}/${name}`);
      return stat.isFile() && stat.size > 0;
    } catch {
      return false;
    }
  }

  /** Names, rights and contents of all files. */
  tree(folder: string = this.home): string {
    const lines: string[] = [];
    for (const entry of readdirSync(folder).sort()) {
      if (ignored.has(entry)) continue;
      const path = `${folder}/${entry}`;
      const stat = lstatSync(path);
      if (stat.isDirectory()) lines.push(this.tree(path));
      else {
        const content = stat.isFile() ? readFileSync(path) : '';
        const digest = createHash('sha256').update(content).digest('hex');
        lines.push(`${path} ${stat.mode} ${digest}`);
      }
    }
    return lines.join('\n');
  }

  async stop(): Promise<void> {
    spawnSync('pkill', ['-9', '-U', String(this.#id)]);
    await this.#sshd.stop();
    await new Promise<void>((resolve) => this.#beside.close(() => resolve()));
    spawnSync('userdel', [USER]);
    rmSync(this.#root, { recursive: true, force: true });
  }
}

const logText = '2026-01-01 note system start\n2026-01-02 note rm -rf seen\n2026-01-03 note end\n';
