/**
 * Heads of HTTP/2 as heads of HTTP/1.1, and back (RFC 9113 section 8). What HTTP/2 does not allow
 * is refused here or by nghttp2; what HTTP/1.1 does not allow is refused when the head is read,
 * since a name or value that would break out of its line is never written.
 */
import type { OutgoingHttpHeaders } from 'node:http2';
import { GatewayError } from '#core/errors.ts';
import { type Field, membersOf } from '../codec/fields.ts';
import { encodeHead } from '../codec/write.ts';
import { isGrpcType } from '../media-type.ts';

const malformed = (detail: string): GatewayError =>
  new GatewayError('SP_FRAME_MALFORMED', { detail });

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A head as `node:http2` gives it. */
export interface Http2Head {
  readonly pseudo: ReadonlyMap<string, string>;
  readonly fields: readonly Field[];
}

/**
 * Takes a list of names and values apart.
 *
 * @throws GatewayError `SP_FRAME_MALFORMED`
 */
export function readHttp2Head(raw: readonly string[]): Http2Head {
  const pseudo = new Map<string, string>();
  const fields: Field[] = [];
  const cookies: string[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] ?? '';
    const value = textOf(raw[at + 1] ?? '');
    if (name.startsWith(':')) {
      if (fields.length > 0 || pseudo.has(name)) throw malformed('the pseudo fields');
      pseudo.set(name, value);
    } else if (connectionFields.has(name)) {
      throw malformed('a field of the connection');
    } else if (name === 'te') {
      if (value !== 'trailers') throw malformed('the field te');
    } else if (name === 'cookie') cookies.push(value);
    else fields.push({ name, value });
  }
  // Section 8.2.3: sent in pieces, it is one field to everybody else.
  if (cookies.length > 0) fields.push({ name: 'cookie', value: cookies.join('; ') });
  return { pseudo, fields };
}

/** Section 8.2.2. */
const connectionFields: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

/** Node takes each byte of a value for a character. */
function textOf(value: string): string {
  try {
    return strict.decode(Buffer.from(value, 'latin1'));
  } catch (cause) {
    throw new GatewayError('SP_FRAME_MALFORMED', { detail: 'a head that is not UTF-8', cause });
  }
}

/** Whether a message has a body, and how the bytes say where it ends. */
export type Body = 'none' | 'length' | 'chunked';

export interface Http1Request {
  readonly method: string;
  readonly head: Uint8Array;
  readonly body: Body;
}

/**
 * A request as the bytes of HTTP/1.1, the only one of its connection.
 *
 * @param isWhole - whether the head is all there is.
 * @throws GatewayError `SP_FRAME_MALFORMED`, `SP_INTERNAL`
 */
export function http1Request(
  { pseudo, fields }: Http2Head,
  { isWhole, scheme }: { readonly isWhole: boolean; readonly scheme: 'http' | 'https' },
): Http1Request {
  const method = pseudo.get(':method') ?? '';
  const authority = pseudo.get(':authority');
  for (const name of pseudo.keys()) if (!requestPseudo.has(name)) throw malformed(`the ${name}`);
  if (method !== 'CONNECT' && pseudo.get(':scheme') !== scheme) throw malformed('the scheme');
  const path = pseudo.get(':path') ?? authority ?? '';
  if (path.includes(' ') || method.includes(' ')) throw malformed('the request');
  const hosts = fields.filter(({ name }) => name === 'host').map(({ value }) => value);
  const host = authority ?? hosts[0] ?? '';
  if (hosts.some((other) => other.toLowerCase() !== host.toLowerCase()) || hosts.length > 1) {
    throw malformed('two hosts');
  }
  const hasLength = fields.some(({ name }) => name === 'content-length');
  const body = isWhole ? 'none' : hasLength ? 'length' : 'chunked';
  const head = written(`${method} ${path} HTTP/1.1`, [
    { name: 'host', value: host },
    ...fields.filter(({ name }) => name !== 'host'),
    { name: 'connection', value: 'close' },
    { name: 'te', value: 'trailers' },
    ...(body === 'chunked' ? [chunkedField] : []),
  ]);
  return { method, head, body };
}

const requestPseudo: ReadonlySet<string> = new Set([':method', ':scheme', ':authority', ':path']);
const chunkedField: Field = { name: 'transfer-encoding', value: 'chunked' };

/**
 * An answer as the bytes of HTTP/1.1, the only one of its connection.
 *
 * @throws GatewayError `SP_FRAME_MALFORMED`
 */
export function http1Answer(
  { pseudo, fields }: Http2Head,
  { isWhole, method }: { readonly isWhole: boolean; readonly method: string },
): { readonly head: Uint8Array; readonly body: Body } {
  const status = pseudo.get(':status') ?? '';
  if (!/^[2-5]\d\d$/.test(status) || pseudo.size !== 1) throw malformed('the status');
  const isBare = method === 'HEAD' || status === '204' || status === '304';
  const isLength = (field: Field): boolean => field.name === 'content-length';
  const told = fields.find(isLength)?.value;
  // Only chunks have a place for fields behind them, and gRPC says there how a call went.
  const hasTrailers = fields.some(
    ({ name, value }) => name === 'trailer' || (name === 'content-type' && isGrpcType(value)),
  );
  const length = told ?? (isWhole && !isBare ? '0' : undefined);
  const isChunked = !isBare && !isWhole && (told === undefined || hasTrailers);
  const head = written(`HTTP/1.1 ${status} `, [
    ...fields.filter((field) => !isLength(field)),
    { name: 'connection', value: 'close' },
    ...(isChunked ? [chunkedField] : []),
    ...(isChunked || length === undefined ? [] : [{ name: 'content-length', value: length }]),
  ]);
  return { head, body: isBare || isWhole ? 'none' : isChunked ? 'chunked' : 'length' };
}

/** What cannot be written as HTTP/1.1 was malformed. */
function written(start: string, fields: readonly Field[]): Uint8Array {
  try {
    return encodeHead(start, fields);
  } catch (cause) {
    throw new GatewayError('SP_FRAME_MALFORMED', { detail: 'a field', cause });
  }
}

/**
 * Fields of HTTP/1.1 as `node:http2` writes them: a name with several values has a list, and none
 * that belongs to a connection goes on.
 */
export function http2Fields(fields: readonly Field[]): OutgoingHttpHeaders {
  const named = membersOf(fields, 'connection');
  const values = new Map<string, string | string[]>();
  for (const { name, value } of fields) {
    if (connectionFields.has(name) || named.includes(name) || name === 'host' || name === 'te') {
      continue;
    }
    const bytes = Buffer.from(value, 'utf8').toString('latin1');
    const former = values.get(name);
    values.set(name, former === undefined ? bytes : [former, bytes].flat());
  }
  return Object.fromEntries(values);
}
