/**
 * Heads of requests and responses (RFC 9112), read strictly: what is not exactly the grammar is
 * refused, never repaired, because whoever reads it next may repair it in another way.
 */
import { GatewayError } from '#core/errors.ts';
import { isFieldValue, isHost, isToken, isVisible, parseDecimal } from './characters.ts';
import { type Field, valuesOf } from './fields.ts';
import { decodePath } from './path.ts';

/** Minor version of HTTP/1. */
export type HttpVersion = 0 | 1;

/** The head of a request. */
export interface RequestHead {
  /** As sent; methods are case-sensitive. */
  readonly method: string;
  /** Decoded and without dot segments; `*` for OPTIONS of the whole server. */
  readonly path: string;
  /** As sent, without the question mark; undefined when there is none. */
  readonly query: string | undefined;
  /** Host, in lower case, with the port if one was sent; empty for HTTP/1.0 without one. */
  readonly host: string;
  readonly version: HttpVersion;
  readonly fields: readonly Field[];
}

/** The head of a response. */
export interface ResponseHead {
  readonly version: HttpVersion;
  readonly status: number;
  readonly reason: string;
  readonly fields: readonly Field[];
}

const LF = 0x0a;
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const malformed = (detail: string): GatewayError =>
  new GatewayError('SP_FRAME_MALFORMED', { detail });

/**
 * Reads the heads of the requests of one connection. A client's requests differ in the request line
 * and mostly have the same fields: those are read once, and are the same object then.
 */
export class RequestHeads {
  readonly #fieldsMax: number;
  /** The fields of the last head as they were sent, with the empty line. */
  #block: Uint8Array = new Uint8Array(0);
  #fields: readonly Field[] = [];

  constructor(fieldsMax: number) {
    this.#fieldsMax = fieldsMax;
  }

  /**
   * Reads one head.
   *
   * @param bytes - the head with the empty line at its end.
   * @throws GatewayError `SP_FRAME_MALFORMED`, `SP_FRAME_TOO_LARGE`, `SP_UNSUPPORTED`
   */
  read(bytes: Uint8Array): RequestHead {
    const end = bytes.indexOf(LF) + 1;
    const line = textOf(bytes.subarray(0, end));
    const parts = line.slice(0, -2).split(' ');
    const [method = '', target = '', protocol = ''] = parts;
    if (parts.length !== 3 || !line.endsWith('\r\n')) throw malformed('the request line');
    if (!isToken(method)) throw malformed('the method');
    const version = readVersion(protocol);
    if (!isVisible(target)) throw malformed('the request target');
    const fields = this.#read(bytes.subarray(end));
    return { method, version, fields, ...readTarget({ method, target, version, fields }) };
  }

  #read(block: Uint8Array): readonly Field[] {
    if (Buffer.compare(block, this.#block) === 0) return this.#fields;
    this.#fields = readFields(linesOf(block, this.#fieldsMax));
    this.#block = block.slice();
    return this.#fields;
  }
}

/** Reads one head alone; see {@link RequestHeads.read}. */
export const readRequestHead = (bytes: Uint8Array, fieldsMax: number): RequestHead =>
  new RequestHeads(fieldsMax).read(bytes);

interface Start {
  readonly method: string;
  readonly target: string;
  readonly version: HttpVersion;
  readonly fields: readonly Field[];
}

function readTarget(start: Start): Pick<RequestHead, 'path' | 'query' | 'host'> {
  const host = readHost(start);
  const { target, method } = start;
  if (method === 'CONNECT') throw new GatewayError('SP_UNSUPPORTED', { detail: 'CONNECT' });
  if (target === '*') {
    if (method !== 'OPTIONS') throw malformed('the request target');
    return { path: '*', query: undefined, host };
  }
  const origin = target.startsWith('/') ? target : originForm(target, host);
  const mark = origin.indexOf('?');
  const query = mark < 0 ? undefined : origin.slice(mark + 1);
  if (query?.includes('#') === true) throw malformed('a fragment in the request target');
  return { path: decodePath(mark < 0 ? origin : origin.slice(0, mark)), query, host };
}

/** `http://host/path`, which must name the host that `Host` names. */
function originForm(target: string, host: string): string {
  const lower = target.slice(0, 8).toLowerCase();
  const skip = lower === 'https://' ? 8 : lower.startsWith('http://') ? 7 : 0;
  if (skip === 0) throw malformed('the request target');
  const rest = target.slice(skip);
  const slash = rest.indexOf('/');
  const authority = (slash < 0 ? rest : rest.slice(0, slash)).toLowerCase();
  if (authority !== host || host === '') throw malformed('two hosts');
  return slash < 0 ? '/' : rest.slice(slash);
}

function readHost({ fields, version }: Start): string {
  const hosts = valuesOf(fields, 'host');
  if (hosts.length > 1) throw malformed('two hosts');
  const [host] = hosts;
  if (host === undefined) {
    if (version === 1) throw malformed('no host');
    return '';
  }
  if (!isHost(host)) throw malformed('the host');
  return host.toLowerCase();
}

/**
 * Reads the head of a response.
 *
 * @throws GatewayError `SP_FRAME_MALFORMED`, `SP_FRAME_TOO_LARGE`
 */
export function readResponseHead(bytes: Uint8Array, fieldsMax: number): ResponseHead {
  const [line = '', ...lines] = linesOf(bytes, fieldsMax + 1);
  const version = readVersion(line.slice(0, 8));
  const status = parseDecimal(line.slice(9, 12));
  const isSpaced = line[8] === ' ' && (line.length === 12 || line[12] === ' ');
  if (!isSpaced || status === undefined || line.length < 12 || status < 100 || status > 599) {
    throw malformed('the status line');
  }
  const reason = line.slice(13);
  if (!isFieldValue(reason)) throw malformed('the reason');
  return { version, status, reason, fields: readFields(lines) };
}

function readVersion(text: string): HttpVersion {
  if (text === 'HTTP/1.1') return 1;
  if (text === 'HTTP/1.0') return 0;
  throw malformed('the version');
}

function textOf(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch (cause) {
    throw new GatewayError('SP_FRAME_MALFORMED', { detail: 'a head that is not UTF-8', cause });
  }
}

/** The lines before the empty one. A CR or LF that is not the end of a line does not pass. */
function linesOf(bytes: Uint8Array, linesMax: number): readonly string[] {
  const text = textOf(bytes);
  // Nothing but the empty line: no fields at all.
  const lines = text.length === 2 ? [] : text.slice(0, -4).split('\r\n');
  if (lines.length > linesMax) {
    throw new GatewayError('SP_FRAME_TOO_LARGE', { detail: 'too many fields' });
  }
  return lines;
}

const readFields = (lines: readonly string[]): readonly Field[] => lines.map(readField);

/**
 * One field line. Folded lines and white space before the colon have no name that is a token.
 *
 * @throws GatewayError `SP_FRAME_MALFORMED`
 */
export function readField(line: string): Field {
  const colon = line.indexOf(':');
  const name = line.slice(0, Math.max(colon, 0));
  if (!isToken(name)) throw malformed('the name of a field');
  const value = withoutSpace(line, colon + 1);
  if (!isFieldValue(value)) throw malformed('the value of a field');
  return { name: name.toLowerCase(), value };
}

/** Spaces and tabs alone count as white space here. */
function withoutSpace(line: string, from: number): string {
  let start = from;
  let end = line.length;
  while (start < end && isBlank(line.charCodeAt(start))) start += 1;
  while (end > start && isBlank(line.charCodeAt(end - 1))) end -= 1;
  return line.slice(start, end);
}

const isBlank = (code: number): boolean => code === 0x20 || code === 0x09;
