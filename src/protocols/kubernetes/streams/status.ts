/** How a program ended, as the last stream of `exec` tells it: a `Status` of the API. */
import { streamLimits } from '#core/limits.ts';
import { isJsonObject, type Json, strictJson } from '#core/strict-json.ts';

/** The end of a program. */
export interface ProgramEnd {
  /** Its exit status; undefined where it did not run, or was lost. */
  readonly exit: number | undefined;
  /** In words for a person; empty when it went well. */
  readonly message: string;
}

const DEPTH_MAX = 20;

/** Reads a status; what is none that is known is a failure. */
export function readStatus(bytes: Uint8Array): ProgramEnd {
  const read = strictJson(new TextDecoder().decode(bytes), DEPTH_MAX);
  if (!read.ok || !isJsonObject(read.value)) return { exit: undefined, message: 'no status' };
  const { status, message } = read.value;
  if (status === 'Success') return { exit: 0, message: '' };
  const words = typeof message === 'string' ? message.slice(0, streamLimits.statusBytesMax) : '';
  return { exit: exitOf(read.value), message: words };
}

function exitOf(status: Readonly<Record<string, Json>>): number | undefined {
  if (status['reason'] !== 'NonZeroExitCode' || !isJsonObject(status['details'])) return undefined;
  const causes = status['details']['causes'];
  if (!Array.isArray(causes)) return undefined;
  for (const cause of causes) {
    if (!isJsonObject(cause) || cause['reason'] !== 'ExitCode') continue;
    const text = cause['message'];
    if (typeof text === 'string' && /^\d{1,9}$/.test(text)) return Number(text);
  }
  return undefined;
}

/** A status that every client reads: an exit code, or a failure in words. */
export function encodeEnd({ exit, message }: ProgramEnd): Uint8Array {
  const head = { metadata: {} };
  const body =
    exit === 0
      ? { ...head, status: 'Success' }
      : exit === undefined
        ? { ...head, status: 'Failure', message, reason: 'InternalError', code: 500 }
        : {
            ...head,
            status: 'Failure',
            message,
            reason: 'NonZeroExitCode',
            details: { causes: [{ reason: 'ExitCode', message: String(exit) }] },
          };
  return new TextEncoder().encode(JSON.stringify(body));
}
