/** What every command of the command line is handed, and where it finds the gateway. */
import { existsSync, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { ApiClient } from '#cli/api-client.ts';
import type { TextOutput } from '#cli/output.ts';
import { GatewayError } from '#core/errors.ts';
import { Secret } from '#core/secret.ts';

/** Options of every command that calls the API. */
export interface ApiFlags {
  readonly api?: string;
  readonly tokenFile?: string;
}

export interface CliWorld {
  readonly output: TextOutput;
  /** The configuration that holds when none is named. */
  configPath(): string;
  /** The API of a gateway, with the person's credential. */
  client(flags: ApiFlags): ApiClient;
  /** Who reads, for the events that say so. */
  readonly reader: string;
  /** How the process ends. */
  done(code: number): void;
}

const DEFAULT_API = 'http://127.0.0.1:7080';

export function createWorld(env: Readonly<Record<string, string | undefined>>): CliWorld {
  const home = env['SALLYPORT_HOME'] ?? '.sallyport';
  return {
    output: {
      line: (text) => void process.stdout.write(`${text}\n`),
      error: (text) => void process.stderr.write(`${text}\n`),
    },
    configPath() {
      const named = env['SALLYPORT_CONFIG'];
      if (named !== undefined) return named;
      const here = 'sallyport.yaml';
      const atHome = join(home, here);
      // A home that is named comes first; the quickstart's own only where there is nothing else.
      const places = env['SALLYPORT_HOME'] === undefined ? [here, atHome] : [atHome, here];
      return places.find((path) => existsSync(path)) ?? here;
    },
    client: (flags) =>
      new ApiClient({
        url: flags.api ?? env['SALLYPORT_API'] ?? DEFAULT_API,
        token: tokenFrom(flags, env, home),
        fetch,
      }),
    reader: `os/${userInfo().username}`,
    done(code) {
      process.exitCode = code;
    },
  };
}

/** For options that may be given several times: a list would swallow the argument behind it. */
export const repeated = (value: string, before: readonly string[] = []): string[] => [
  ...before,
  value,
];

/** A token comes from a file or the environment, never from the command line. */
function tokenFrom(
  flags: ApiFlags,
  env: Readonly<Record<string, string | undefined>>,
  home: string,
): Secret | undefined {
  const named = flags.tokenFile ?? env['SALLYPORT_TOKEN_FILE'];
  const token = env['SALLYPORT_TOKEN'];
  if (named === undefined && token !== undefined) return new Secret(token);
  const quickstart = join(home, 'credentials', 'reviewer');
  const path = named ?? (existsSync(quickstart) ? quickstart : undefined);
  if (path === undefined) return undefined;
  try {
    return new Secret(readFileSync(path, 'utf8').trim());
  } catch (cause) {
    throw new GatewayError('SP_CONFIG', { detail: `cannot read the token in ${path}`, cause });
  }
}
