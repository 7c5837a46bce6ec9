/** Durations (`30s`, `15m`) and sizes (`16MiB`) as people write them in the configuration. */
import { z } from 'zod';

const MS: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5 };
const BYTES: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

function parse(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^(\d{1,12})([A-Za-z]{1,3})$/.exec(text);
  const unit = match?.[2] ?? '';
  if (match === null || !Object.hasOwn(units, unit)) return undefined;
  const value = Number(match[1]) * (units[unit] ?? 0);
  return Number.isSafeInteger(value) ? value : undefined;
}

function unitSchema(
  units: Readonly<Record<string, number>>,
  what: string,
): z.ZodType<number, string> {
  return z.string().transform((text, context) => {
    const value = parse(text, units);
    if (value === undefined) {
      context.addIssue({ code: 'custom', message: `not a ${what}: '${text}'` });
      return z.NEVER;
    }
    return value;
  });
}

/** Milliseconds, from `250ms`, `30s`, `15m`, `8h` or `7d`. */
export const durationMs: z.ZodType<number, string> = unitSchema(MS, 'duration such as 30s or 15m');

/** Bytes, from `512B`, `64KiB`, `16MiB` or `1GiB`. */
export const sizeBytes: z.ZodType<number, string> = unitSchema(BYTES, 'size such as 16MiB');
