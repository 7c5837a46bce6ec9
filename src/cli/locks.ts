/** `sallyport lock add | remove | list`, over the API: options in, text and an exit code out. */
import type { Clock } from '#core/clock.ts';
import { parseDurationMs } from '#core/duration.ts';
import { GatewayError } from '#core/errors.ts';
import type { LockKind } from '#core/ports/locks.ts';
import { printableLine } from '#core/printable.ts';
import { type ApiClient, command, type Fields, listOf, textOf, timeOf } from './api-client.ts';
import type { TextOutput } from './output.ts';

export interface LockCommandContext {
  readonly client: ApiClient;
  readonly output: TextOutput;
  readonly clock: Clock;
}

export interface AddLockOptions {
  readonly kind: LockKind;
  readonly value: string;
  readonly reason: string;
  /** Such as `8h`; for ever when absent. */
  readonly duration?: string | undefined;
  readonly json?: boolean | undefined;
}

/** Adds a lock; live sessions that it names end within a second. */
export function addLock(context: LockCommandContext, options: AddLockOptions): Promise<number> {
  const { client, output, clock } = context;
  return command(output, async () => {
    const { kind, value, reason, duration } = options;
    const ms = duration === undefined ? undefined : parseDurationMs(duration);
    if (duration !== undefined && ms === undefined) {
      throw new GatewayError('SP_BAD_REQUEST', { detail: `${duration} is no duration such as 8h` });
    }
    const until = ms === undefined ? {} : { until: clock.now() + ms };
    const lock = await client.post('/v1/locks', { kind, value, reason, ...until });
    output.line(options.json ? JSON.stringify(lock) : lockLine(lock));
  });
}

/** Removes a lock. */
export function removeLock(
  { client, output }: LockCommandContext,
  options: { readonly id: string },
): Promise<number> {
  return command(output, async () => {
    await client.delete(`/v1/locks/${encodeURIComponent(options.id)}`);
    output.line(`removed ${options.id}`);
  });
}

/** Lists the locks in force. */
export function listLocks(
  { client, output }: LockCommandContext,
  options: { readonly json?: boolean | undefined },
): Promise<number> {
  return command(output, async () => {
    const locks = listOf(await client.get('/v1/locks'), 'locks');
    for (const lock of locks) output.line(options.json ? JSON.stringify(lock) : lockLine(lock));
    if (locks.length === 0 && !options.json) output.error('no locks');
  });
}

function lockLine(lock: Fields): string {
  const until = timeOf(lock, 'until');
  return printableLine(
    `${textOf(lock, 'id')}  ${textOf(lock, 'kind')} ${textOf(lock, 'value')}  ` +
      `${until === '' ? 'until removed' : `until ${until}`}  ` +
      `by ${textOf(lock, 'createdBy')}: ${textOf(lock, 'reason')}`,
  );
}
