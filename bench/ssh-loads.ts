/** What is done over each route of the SSH benchmark, once, with OpenSSH's client. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';

const KEYS = 1_000;
const SESSIONS = 24;
const SESSIONS_AT_ONCE = 3;

/** A way to the host. */
export interface Route {
  /** Its `Host` in the client's configuration. */
  readonly name: string;
  readonly args: readonly string[];
  /** A connection that is open (`ControlMaster`), so that bulk is measured without logins. */
  readonly socket: string;
  readonly env: NodeJS.ProcessEnv;
}

/** Reads a file of the host; answers seconds. */
export const download = (route: Route, file: string): Promise<number> =>
  timed(() => finished(ssh(route, ['-S', route.socket, route.name, `cat ${file}`], 'ignore')));

/** Sends a file to the host, which has read all of it before the client ends; answers seconds. */
export async function upload(route: Route, file: string): Promise<number> {
  const input = openSync(file, 'r');
  try {
    const args = ['-S', route.socket, route.name, 'cat > /dev/null'];
    return await timed(() => finished(ssh(route, args, input)));
  } finally {
    closeSync(input);
  }
}

/** Types keys at a terminal, each when the one before was echoed; answers milliseconds. */
export async function keystrokes(
  route: Route,
): Promise<{ readonly p50: number; readonly p99: number; readonly count: number }> {
  const child = ssh(route, ['-tt', route.name, 'cat > /dev/null'], 'pipe');
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error('no pipes');
  let echoed = (): void => undefined;
  stdout.on('data', () => echoed());
  const times: number[] = [];
  for (let key = 0; key < KEYS; key += 1) {
    const echo = new Promise<void>((resolve) => {
      echoed = resolve;
    });
    const before = performance.now();
    // A line never ends up so long that the terminal stops to echo.
    stdin.write(key % 64 === 63 ? '\r' : 'k');
    await echo;
    times.push(performance.now() - before);
  }
  stdin.end('\r\u0004');
  await finished(child);
  // The first echoes wait for the login and for code to be compiled.
  const sorted = times.slice(KEYS / 10).toSorted((a, b) => a - b);
  const at = (part: number): number => sorted[Math.floor(sorted.length * part)] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99), count: KEYS };
}

/** Logs in, runs `true` and leaves, from a few clients at once. */
export async function sessions(
  route: Route,
): Promise<{ readonly seconds: number; readonly count: number }> {
  const one = (): Promise<void> => finished(ssh(route, [route.name, 'true'], 'ignore'));
  const client = async (): Promise<void> => {
    for (let done = 0; done < SESSIONS / SESSIONS_AT_ONCE; done += 1) await one();
  };
  const seconds = await timed(async () => {
    await Promise.all(Array.from({ length: SESSIONS_AT_ONCE }, client));
  });
  return { seconds, count: SESSIONS };
}

function ssh(
  { args, env }: Route,
  more: readonly string[],
  input: 'pipe' | 'ignore' | number,
): ChildProcess {
  const output = input === 'pipe' ? 'pipe' : 'ignore';
  return spawn('ssh', [...args, ...more], { env, stdio: [input, output, 'inherit'] });
}

function finished(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => {
      if (status === 0) resolve();
      else reject(new Error(`ssh ended with ${status}`));
    });
  });
}

async function timed(run: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await run();
  return (performance.now() - started) / 1000;
}
