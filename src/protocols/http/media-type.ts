/** Media types, as far as they decide how a body is read (RFC 9110 section 8.3). */
import { type Field, valuesOf } from './codec/fields.ts';

/** How a body is read. */
export type BodyForm =
  | 'json'
  | 'ndjson'
  | 'form'
  | 'multipart'
  | 'graphql'
  | 'csv'
  | 'events'
  | 'text'
  | 'other'
  /** No type was given, or two. */
  | 'unknown';

export interface MediaType {
  /** `type/subtype` in lower case; empty when none was given. */
  readonly name: string;
  readonly form: BodyForm;
  /** In lower case; `utf-8` when none was given. */
  readonly charset: string;
  readonly boundary: string | undefined;
}

/** Whether a type is one of gRPC's: messages of its own framing, and a status behind them. */
export const isGrpcType = (type: string): boolean =>
  /^application\/grpc(?:[+;]|$)/i.test(type.trim());

const forms: ReadonlyMap<string, BodyForm> = new Map([
  ['application/json', 'json'],
  ['text/json', 'json'],
  ['application/x-ndjson', 'ndjson'],
  ['application/ndjson', 'ndjson'],
  ['application/jsonl', 'ndjson'],
  ['application/x-www-form-urlencoded', 'form'],
  ['multipart/form-data', 'multipart'],
  ['application/graphql', 'graphql'],
  ['text/csv', 'csv'],
  ['text/event-stream', 'events'],
  ['application/xml', 'text'],
  ['application/javascript', 'text'],
  ['application/x-javascript', 'text'],
  ['application/yaml', 'text'],
  ['application/x-yaml', 'text'],
  ['image/svg+xml', 'text'],
]);

/** The media type of a body. */
export function mediaType(fields: readonly Field[]): MediaType {
  const values = valuesOf(fields, 'content-type');
  const [value] = values;
  if (value === undefined || values.length > 1) {
    return { name: '', form: 'unknown', charset: 'utf-8', boundary: undefined };
  }
  const [first = '', ...parameters] = value.split(';');
  const name = first.trim().toLowerCase();
  let charset = 'utf-8';
  let boundary: string | undefined;
  for (const parameter of parameters) {
    const equals = parameter.indexOf('=');
    const key = parameter.slice(0, Math.max(equals, 0)).trim().toLowerCase();
    const text = unquoted(parameter.slice(equals + 1).trim());
    if (key === 'charset') charset = text.toLowerCase();
    if (key === 'boundary') boundary = text;
  }
  return { name, form: formOf(name), charset, boundary };
}

function formOf(name: string): BodyForm {
  const known = forms.get(name);
  if (known !== undefined) return known;
  if (name.endsWith('+json')) return 'json';
  if (name.endsWith('+xml') || name.startsWith('text/')) return 'text';
  return 'other';
}

const unquoted = (text: string): string =>
  text.startsWith('"') && text.endsWith('"') && text.length > 1 ? text.slice(1, -1) : text;

/** Charsets in which ASCII is ASCII and everything else is UTF-8. */
export const isUtf8 = ({ charset }: MediaType): boolean =>
  charset === 'utf-8' || charset === 'utf8' || charset === 'us-ascii';
