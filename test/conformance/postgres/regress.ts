/**
 * PostgreSQL's regression schedule, run against a server twice: directly, and through the gateway
 * with everything allowed and recorded. The results must be the same, test by test.
 */
import { spawn, spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RegressionSuite } from './suite.ts';

export interface SuiteServer {
  readonly host: string;
  readonly port: number;
  stop(): Promise<void>;
}

const owner = (): { uid: number; gid: number } | undefined => {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string): number =>
    Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout);
  return { uid: id('-u'), gid: id('-g') };
};

function ownDirectory(prefix: string): string {
  const path = mkdtempSync(join(tmpdir(), prefix));
  const who = owner();
  if (who !== undefined) chownSync(path, who.uid, who.gid);
  return path;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Starts the suite's own server: its minor release must be that of the tests. */
export async function startSuiteServer(suite: RegressionSuite): Promise<SuiteServer> {
  const data = ownDirectory('sp-regress-');
  const port = await freePort();
  const initdb = ['-D', data, '-U', 'postgres', '-A', 'trust', '--no-locale', '-E', 'UTF8', '-N'];
  const made = spawnSync(join(suite.bin, 'initdb'), initdb, { ...owner(), encoding: 'utf8' });
  if (made.status !== 0) throw new Error(made.stderr);
  const settings = [
    `port=${port}`,
    'listen_addresses=127.0.0.1',
    `unix_socket_directories=${data}`,
    'fsync=off',
    'max_prepared_transactions=10',
  ].flatMap((setting) => ['-c', setting]);
  const child = spawn(join(suite.bin, 'postgres'), ['-D', data, ...settings], {
    ...owner(),
    cwd: data,
    stdio: 'ignore',
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const ready = ['-h', '127.0.0.1', '-p', String(port)];
  for (
    let attempt = 0;
    spawnSync(join(suite.bin, 'pg_isready'), ready).status !== 0;
    attempt += 1
  ) {
    if (attempt > 300) throw new Error('the suite’s server did not start');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return {
    host: '127.0.0.1',
    port,
    async stop() {
      child.kill('SIGQUIT');
      await exited;
      rmSync(data, { recursive: true, force: true });
    },
  };
}

export interface RegressResult {
  /** Name of a test to `ok` or `failed`, in the order of the schedule. */
  readonly tests: ReadonlyMap<string, string>;
  readonly output: string;
  /** The directory with `regression.diffs`. */
  readonly directory: string;
}

/** Runs the schedule against `port`. */
export async function runRegress(
  suite: RegressionSuite,
  connection: { readonly port: number; readonly password: string },
  only: readonly string[] = [],
): Promise<RegressResult> {
  const directory = ownDirectory('sp-regress-out-');
  mkdirSync(join(directory, 'results'), { recursive: true });
  const who = owner();
  if (who !== undefined) chownSync(join(directory, 'results'), who.uid, who.gid);
  const schedule = join(suite.regress, 'parallel_schedule');
  const args = [
    `--inputdir=${suite.regress}`,
    `--outputdir=${directory}`,
    `--bindir=${suite.bin}`,
    `--dlpath=${suite.libraries}`,
    '--host=127.0.0.1',
    `--port=${connection.port}`,
    '--user=postgres',
    '--max-connections=20',
    ...(only.length > 0 ? only : [`--schedule=${schedule}`]),
  ];
  const child = spawn(suite.pgRegress, args, {
    ...who,
    cwd: directory,
    env: {
      PATH: process.env['PATH'] ?? '',
      PGPASSWORD: connection.password,
      PGSSLMODE: 'disable',
      PGGSSENCMODE: 'disable',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
  await new Promise((resolve) => child.once('close', resolve));
  writeFileSync(join(directory, 'output.txt'), output);
  return { tests: parse(output), output, directory };
}

function parse(output: string): Map<string, string> {
  const tests = new Map<string, string>();
  for (const line of output.split('\n')) {
    const match = /^(?:test |\s+|\s*)(\S+)\s+\.\.\.\s+(ok|FAILED|failed)/.exec(line.trimEnd());
    if (match !== null) tests.set(match[1] ?? '', match[2] === 'ok' ? 'ok' : 'failed');
  }
  return tests;
}

/** The differences that the run left, for the report. */
export function diffsOf(result: RegressResult): string {
  try {
    return readFileSync(join(result.directory, 'regression.diffs'), 'utf8');
  } catch {
    return '';
  }
}
