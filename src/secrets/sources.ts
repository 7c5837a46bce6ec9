/** The sources that are built in: the environment and files. */
import { open } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { GatewayError } from '#core/errors.ts';
import { Secret } from '#core/secret.ts';
import type { SecretSource } from './secrets.ts';

const SECRET_BYTES_MAX = 64 * 1024;
/** Files whose content is kept; the configuration names fewer. */
const CACHED_MAX = 1_000;

/** `env:NAME`, from the variables that the process was started with. */
export function environmentSource(
  variables: Readonly<Record<string, string | undefined>>,
): SecretSource {
  const valueOf = (name: string): string | undefined =>
    Object.hasOwn(variables, name) ? variables[name] : undefined;
  return {
    check: (name) =>
      /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? undefined : `env:${name} names no variable`,
    async read(name) {
      const value = valueOf(name);
      if (value === undefined || value === '') {
        throw new GatewayError('SP_CONFIG', { detail: `the variable ${name} is not set` });
      }
      return new Secret(value);
    },
  };
}

interface Cached {
  readonly stamp: string;
  readonly secret: Secret;
}

/**
 * `file:/path`: the file's content without the line break at its end. Read again when the file was
 * changed or replaced (by rename or by a symbolic link, as Kubernetes does it), so a rotated
 * secret is in use at the next connection.
 */
export function fileSource(): SecretSource {
  const cache = new Map<string, Cached>();
  return {
    check: (path) => (isAbsolute(path) ? undefined : `file:${path} is not an absolute path`),
    async read(path) {
      const file = await open(path, 'r');
      try {
        const stat = await file.stat();
        const { mtimeMs, ctimeMs, ino, size } = stat;
        if (!stat.isFile()) throw new Error('not a file');
        if (size > SECRET_BYTES_MAX) throw new Error('the file is too large');
        const stamp = `${ino}:${size}:${mtimeMs}:${ctimeMs}`;
        const known = cache.get(path);
        if (known?.stamp === stamp) return known.secret;
        const text = (await file.readFile('utf8')).replace(/\r?\n$/, '');
        if (text === '') throw new Error('the file is empty');
        const secret = new Secret(text);
        if (cache.size >= CACHED_MAX) cache.clear();
        cache.set(path, { stamp, secret });
        return secret;
      } finally {
        await file.close();
      }
    },
  };
}

/** Both sources, by scheme. */
export const builtInSources = (
  variables: Readonly<Record<string, string | undefined>>,
): ReadonlyMap<string, SecretSource> =>
  new Map([
    ['env', environmentSource(variables)],
    ['file', fileSource()],
  ]);
