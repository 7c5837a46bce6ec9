/** Durations (`30s`, `15m`) and sizes (`16MiB`) as people write them in the configuration. */
import { z } from 'zod';
import { parseDurationMs } from '#core/duration.ts';

const BYTES: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

function parseSize(text: string): number | undefined {
  const match = /^(\d{1,12})(B|KiB|MiB|GiB)$/.exec(text);
  if (match === null) return undefined;
  const value = Number(match[1]) * (BYTES[match[2] ?? ''] ?? Number.NaN);
  return Number.isSafeInteger(value) ? value : undefined;
}

function unitSchema(
  parse: (text: string) => number | undefined,
  what: string,
): z.ZodType<number, string> {
  return z.string().transform((text, context) => {
    const value = parse(text);
    if (value === undefined) {
      context.addIssue({ code: 'custom', message: `not a ${what}: '${text}'` });
      return z.NEVER;
    }
    return value;
  });
}

/** Milliseconds, from `250ms`, `30s`, `15m`, `8h` or `7d`. */
export const durationMs: z.ZodType<number, string> = unitSchema(
  parseDurationMs,
  'duration such as 30s or 15m',
);

/** Bytes, from `512B`, `64KiB`, `16MiB` or `1GiB`. */
export const sizeBytes: z.ZodType<number, string> = unitSchema(parseSize, 'size such as 16MiB');
