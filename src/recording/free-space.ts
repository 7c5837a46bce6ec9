/** Free space of the file system that a directory is on, as an unprivileged process sees it. */
import { statfs } from 'node:fs/promises';

/** Bytes that may still be written. */
export async function freeBytes(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}
