/**
 * The operator's log: lines of JSON on standard error. Not the audit trail, which is `events/`.
 * It holds codes, names and counts; the redaction below is the last net, not the first.
 */
import { type DestinationStream, destination, pino } from 'pino';

export interface OperatorLog {
  info(message: string, facts?: Readonly<Record<string, unknown>>): void;
  warn(message: string, facts?: Readonly<Record<string, unknown>>): void;
  error(message: string, facts?: Readonly<Record<string, unknown>>): void;
}

const SECRET_KEYS = ['password', 'secret', 'token', 'authorization', 'key', 'proof'];

/** @param stream - where lines go; standard error when absent. */
export function createLog(stream?: DestinationStream): OperatorLog {
  const logger = pino(
    {
      base: null,
      timestamp: () => `,"at":"${new Date().toISOString()}"`,
      formatters: { level: (level) => ({ level }) },
      redact: {
        paths: SECRET_KEYS.flatMap((key) => [key, `*.${key}`]),
        censor: '[secret]',
      },
    },
    stream ?? destination({ fd: 2, sync: true }),
  );
  return {
    info: (message, facts = {}) => logger.info(facts, message),
    warn: (message, facts = {}) => logger.warn(facts, message),
    error: (message, facts = {}) => logger.error(facts, message),
  };
}

/** An error and its causes in one line, without stacks. */
export function chainOf(error: unknown): string {
  const parts: string[] = [];
  let each: unknown = error;
  for (let depth = 0; depth < 8 && each !== undefined && each !== null; depth += 1) {
    parts.push(each instanceof Error ? each.message : typeof each);
    each = each instanceof Error ? each.cause : undefined;
  }
  return parts.join(': ');
}
