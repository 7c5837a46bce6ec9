/**
 * The head of an answer as the client gets it, and how its body is framed. Under masks nothing
 * passes that could tell what a mask hides: lengths, checksums, ranges, values in fields.
 */
import type { ColumnMask, MaskSet } from '#core/masking.ts';
import { endToEnd, type Field } from './codec/fields.ts';
import type { ResponseHead } from './codec/head.ts';

/** Fields that are about the bytes of a body, and wrong once they are others. */
const aboutBytes: ReadonlySet<string> = new Set([
  'content-length',
  'content-encoding',
  'content-md5',
  'content-digest',
  'repr-digest',
  'digest',
  'etag',
  'accept-ranges',
  'content-range',
]);

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Where a path was taken off, what the target says of its own paths is put right. */
export interface AnswerOptions {
  readonly prefix: string;
  /** Host of the target, as it was told. */
  readonly host: string;
}

/** The fields of an answer that go to the client; length and connection are not among them. */
export function answerFields(
  head: ResponseHead,
  masks: MaskSet,
  options: AnswerOptions,
): readonly Field[] {
  const fields: Field[] = [];
  for (const field of endToEnd(head.fields)) {
    if (field.name === 'content-length') continue;
    if (!masks.empty && aboutBytes.has(field.name)) continue;
    fields.push(withinPrefix(masked(field, masks), options));
  }
  return fields;
}

/** The fields behind the body of an answer that go to the client: none that is about its bytes. */
export function trailerFields(trailers: readonly Field[], masks: MaskSet): readonly Field[] {
  return endToEnd(trailers)
    .filter(({ name }) => !aboutBytes.has(name))
    .map((field) => masked(field, masks));
}

/**
 * A field under masks: by its name as a column of `header`, with `x-` before it or without, and by
 * content. Where fields are masked a redirect keeps its path alone: its query has values whose
 * names nobody knows.
 */
function masked({ name, value }: Field, masks: MaskSet): Field {
  if (masks.empty) return { name, value };
  const column = masks.columns.length === 0 ? undefined : maskOfField(name, masks);
  if (column !== undefined) {
    return { name, value: oneLine(masks.replace(column.transform, 'text', value) ?? '') };
  }
  const isTarget = (name === 'location' || name === 'content-location') && masks.columns.length > 0;
  const kept = isTarget ? value.replace(/[?#].*$/, '') : value;
  const { content } = masks;
  if (content === undefined) return { name, value: kept };
  const bytes = encoder.encode(kept);
  const clean = content.cell(bytes, 0, bytes.length, 'text', content.hint(name));
  return { name, value: clean === undefined ? kept : oneLine(decoder.decode(clean)) };
}

const maskOfField = (name: string, masks: MaskSet): ColumnMask | undefined =>
  masks.column('header', '$', name) ??
  (name.startsWith('x-') ? masks.column('header', '$', name.slice(2)) : undefined);

const oneLine = (text: string): string => text.replaceAll(/[\r\n\0]/g, ' ');

function withinPrefix(field: Field, { prefix, host }: AnswerOptions): Field {
  if (prefix === '' || field.name !== 'location') return field;
  const own = ['http://', 'https://'].find((scheme) => field.value.startsWith(`${scheme}${host}/`));
  const path = own === undefined ? field.value : field.value.slice(own.length + host.length);
  // `//other/` names another host.
  if (!path.startsWith('/') || path.startsWith('//')) return field;
  return { name: field.name, value: `${prefix}${path}` };
}
