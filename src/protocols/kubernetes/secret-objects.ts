/**
 * Secrets as the client may see them: every value under `data` and `stringData` masked, wherever a
 * Secret stands in an answer (alone, in a list, in rows of a table, in an event of a watch), and in
 * the annotation in which `kubectl apply` keeps the whole object.
 *
 * Invariant: what is returned holds no value of a masked Secret. It is a valid object of its kind.
 */
import type { MaskSet, Transform } from '#core/masking.ts';
import { isJsonObject, type Json, type JsonObject, strictJson } from '#core/strict-json.ts';

const APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
const DEPTH_MAX = 100;

/** Whether anything of Secrets is masked for this session. */
export const masksSecrets = (masks: MaskSet): boolean =>
  parts.some((part) => transformOf(masks, part) !== undefined);

const parts = ['data', 'stringData'] as const;

const transformOf = (masks: MaskSet, part: string): Transform | undefined =>
  masks.column('core', 'secrets', part)?.transform;

/**
 * An answer to a request for Secrets, whatever object it holds.
 *
 * @param made - gets the values that were put in the place of others.
 */
export function maskSecrets(answer: Json, masks: MaskSet, made: Set<string> = new Set()): Json {
  if (!isJsonObject(answer) || !masksSecrets(masks)) return answer;
  const { items, rows, object, kind } = answer;
  if (Array.isArray(items)) {
    return { ...answer, items: items.map((item) => maskSecrets(item, masks, made)) };
  }
  if (Array.isArray(rows)) {
    return { ...answer, rows: rows.map((row) => maskSecrets(row, masks, made)) };
  }
  // An event of a watch, or a row: the object stands in it. A Status has nothing of a Secret.
  if (isJsonObject(object)) return { ...answer, object: maskSecrets(object, masks, made) };
  return kind === 'Status' ? answer : maskSecret(answer, masks, made);
}

function maskSecret(secret: JsonObject, masks: MaskSet, made: Set<string>): JsonObject {
  const masked: Record<string, Json> = { ...secret };
  for (const part of parts) {
    const transform = transformOf(masks, part);
    const values = secret[part];
    if (transform === undefined || values === undefined || values === null) continue;
    const clean = maskValues(values, part === 'data', (text) =>
      masks.replace(transform, 'text', text),
    );
    for (const value of Object.values(clean)) made.add(value);
    masked[part] = clean;
  }
  const { metadata } = secret;
  if (isJsonObject(metadata)) masked['metadata'] = withoutApplied(metadata, masks, made);
  return masked;
}

/** Values of `data` are base64: what replaces them is, too. */
function maskValues(
  values: Json,
  isEncoded: boolean,
  replace: (text: string | undefined) => string | null,
): Readonly<Record<string, string>> {
  if (!isJsonObject(values)) return {};
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => {
      const known = typeof value === 'string' ? value : undefined;
      if (!isEncoded) return [key, replace(known) ?? ''];
      const clear = known === undefined ? undefined : Buffer.from(known, 'base64').toString();
      return [key, Buffer.from(replace(clear) ?? '').toString('base64')];
    }),
  );
}

function withoutApplied(metadata: JsonObject, masks: MaskSet, made: Set<string>): JsonObject {
  const { annotations } = metadata;
  if (!isJsonObject(annotations) || annotations[APPLIED] === undefined) return metadata;
  const { [APPLIED]: applied, ...others } = annotations;
  const read = typeof applied === 'string' ? strictJson(applied, DEPTH_MAX) : undefined;
  // What is not an object is not what kubectl wrote: it does not go out.
  if (read === undefined || !read.ok || !isJsonObject(read.value)) {
    return { ...metadata, annotations: others };
  }
  const clean = `${JSON.stringify(maskSecret(read.value, masks, made))}\n`;
  return { ...metadata, annotations: { ...others, [APPLIED]: clean } };
}
