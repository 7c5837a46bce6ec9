/** What the schemas of several routes share. */
import { z } from 'zod';

/** Stands once in the OpenAPI document. */
export const time: z.ZodType<number> = z
  .int()
  .meta({ id: 'EpochMs', description: 'milliseconds since 1970-01-01T00:00:00Z' });
export const text: z.ZodString = z.string();
export const texts: z.ZodType<string[]> = z.array(z.string());

/** A number in a query. */
export const queryNumber = (fallback: number, max: number): z.ZodType<number> =>
  z.coerce.number<string>().int().min(0).max(max).default(fallback);

/** An id or a name in a path or a query. */
export const word: z.ZodType<string> = z.string().min(1).max(512);
