/** Credentials that commands get for others, kept in files that only their owner can read. */
import { createHash, randomUUID } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { CredentialCache } from '#cli/kubeconfig.ts';

/** A short name for a text that tells nothing of it, if it could not be guessed. */
export const keyOf = (text: string): string =>
  createHash('sha256').update(text).digest('base64url').slice(0, 22);

/**
 * The cache of one credential.
 *
 * @param directory - made when it is not there.
 * @param about - what the credential is for: where it is asked for, and for what.
 */
export function credentialCache(directory: string, about: readonly string[]): CredentialCache {
  const path = join(directory, `${keyOf(JSON.stringify(about))}.json`);
  return {
    read: () => readOwn(path),
    write(text) {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      // Whole or not at all, whoever else asks at the same time.
      const fresh = `${path}.${randomUUID()}`;
      writeFileSync(fresh, text, { mode: 0o600, flag: 'wx' });
      renameSync(fresh, path);
    },
  };
}

/** What stands in a file that nobody else could have read or written. */
function readOwn(path: string): string | undefined {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch {
    return undefined;
  }
  try {
    const { mode, uid } = fstatSync(file);
    const isOwn = (mode & 0o077) === 0 && uid === process.getuid?.();
    return isOwn ? readFileSync(file, 'utf8') : undefined;
  } finally {
    closeSync(file);
  }
}
