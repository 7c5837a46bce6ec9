/**
 * One recorder a directory: two would recover each other's live recordings. The lock file names its
 * process, by id and start time, so that neither a crash nor a reused id leaves the door shut.
 */
import { openSync, closeSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GatewayError } from '#core/errors.ts';

/**
 * Takes the lock of `directory`.
 *
 * @returns the function that releases it.
 * @throws GatewayError `SP_CONFIG` when a living process holds it.
 */
export function lockDirectory(directory: string): () => void {
  const path = join(directory, 'recorder.lock');
  for (let attempt = 0; attempt < 2; attempt += 1) {
    if (create(path)) return () => unlinkSync(path);
    const holder = readText(path);
    const [id = '', started = ''] = holder.split(' ');
    if (id !== '' && startTime(id) === started) {
      const detail = `process ${id} records into ${directory}; a directory has one recorder`;
      throw new GatewayError('SP_CONFIG', { detail });
    }
    unlinkSync(path);
  }
  throw new GatewayError('SP_CONFIG', { detail: `${path} cannot be taken` });
}

function create(path: string): boolean {
  try {
    const fd = openSync(path, 'wx', 0o600);
    writeFileSync(fd, `${process.pid} ${startTime(String(process.pid))}`);
    closeSync(fd);
    return true;
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'EEXIST') return false;
    throw thrown;
  }
}

/** When a process started, as Linux says; elsewhere whether it lives. Empty for a dead one. */
function startTime(id: string): string {
  const stat = readText(`/proc/${id}/stat`);
  // The name in brackets may hold blanks; field 22 counts from the process id.
  if (stat !== '') return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  try {
    process.kill(Number(id), 0);
    return 'alive';
  } catch {
    return '';
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
