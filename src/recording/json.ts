/** Reads parsed JSON whose author is not trusted: each access says what it expects. */

/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** The object in `text`; undefined when it is not JSON or not an object. */
export function parseObject(text: string): JsonObject | undefined {
  try {
    return objectOf(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** `value` if it is an object that is not an array. */
export function objectOf(value: unknown): JsonObject | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const copy: Record<string, unknown> = Object.create(null);
  for (const [key, entry] of Object.entries(value)) copy[key] = entry;
  return copy;
}

/** The text under `key`; empty when there is none. */
export function textOf(object: JsonObject | undefined, key: string): string {
  const value = object?.[key];
  return typeof value === 'string' ? value : '';
}

/** The text under `key`; undefined when there is none. */
export function optionalTextOf(object: JsonObject | undefined, key: string): string | undefined {
  const value = object?.[key];
  return typeof value === 'string' ? value : undefined;
}

/** The finite number under `key`; undefined when there is none. */
export function numberOf(object: JsonObject | undefined, key: string): number | undefined {
  const value = object?.[key];
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/** The texts of the list under `key`; others in it are left out. */
export function textsOf(object: JsonObject | undefined, key: string): readonly string[] {
  const value = object?.[key];
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : [];
}
