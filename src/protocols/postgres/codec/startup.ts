/**
 * What a client sends before it is known: packets without a type byte. A length, a code that is a
 * protocol version or one of three requests, and a body whose layout the code decides.
 *
 * Strict where PostgreSQL is strict, and stricter where PostgreSQL picks one of several readings:
 * a name that comes twice is refused, since two parties could pick different ones.
 *
 * @see https://www.postgresql.org/docs/18/protocol-message-formats.html
 */
import { GatewayError } from '#core/errors.ts';
import { int32, putInt32 } from './frames.ts';
import { stringEnd, textOf } from './read.ts';

/** PostgreSQL's own bound on the packet, its length word left out. */
export const startupBytesMax = 10_000;
const cancelKeyBytesMax = 256;
const parametersMax = 64;

const cancelCode = 80877102;
const sslCode = 80877103;
const gssCode = 80877104;

export const protocol30 = 0x0003_0000;
export const protocol32 = 0x0003_0002;

export type StartupPacket =
  | { readonly kind: 'ssl' }
  | { readonly kind: 'gss' }
  /** `key` is the process number (4 bytes) and the secret behind it, as sent. */
  | { readonly kind: 'cancel'; readonly key: Uint8Array }
  | {
      readonly kind: 'startup';
      readonly version: number;
      /** Names as sent. Options of the protocol itself (`_pq_.…`) are apart. */
      readonly parameters: ReadonlyMap<string, string>;
      readonly protocolOptions: readonly string[];
    };

/** Bytes that follow the length word, or undefined when no packet has such a length. */
export function startupBodyBytes(length: number): number | undefined {
  const count = length - 4;
  return count >= 4 && count <= startupBytesMax ? count : undefined;
}

/**
 * Reads the bytes behind the length word.
 *
 * @throws GatewayError `SP_FRAME_MALFORMED`, or `SP_UNSUPPORTED` for a version that is not 3.x.
 */
export function decodeStartup(body: Uint8Array): StartupPacket {
  const code = int32(body, 0);
  if (code === sslCode || code === gssCode) {
    if (body.length !== 4) throw malformed('a negotiation request with a body');
    return { kind: code === sslCode ? 'ssl' : 'gss' };
  }
  if (code === cancelCode) {
    const secretBytes = body.length - 8;
    if (secretBytes < 1 || secretBytes > cancelKeyBytesMax) throw malformed('a cancel key');
    return { kind: 'cancel', key: body.subarray(4) };
  }
  if (code >>> 16 !== 3) {
    throw new GatewayError('SP_UNSUPPORTED', {
      detail: `frontend protocol ${code >>> 16}.${code & 0xffff}; 3.0 and 3.2 are`,
    });
  }
  return { kind: 'startup', version: code, ...decodeParameters(body, 4) };
}

function decodeParameters(
  body: Uint8Array,
  start: number,
): { readonly parameters: Map<string, string>; readonly protocolOptions: string[] } {
  const parameters = new Map<string, string>();
  const protocolOptions: string[] = [];
  let at = start;
  while (at < body.length && body[at] !== 0) {
    const nameEnd = stringEnd(body, at, body.length);
    const valueEnd = nameEnd < 0 ? -1 : stringEnd(body, nameEnd + 1, body.length);
    if (valueEnd < 0) throw malformed('a start-up parameter without its end');
    const name = textOf(body, at, nameEnd);
    const value = textOf(body, nameEnd + 1, valueEnd);
    if (name === undefined || value === undefined) throw malformed('a parameter is not UTF-8');
    if (name.startsWith('_pq_.')) protocolOptions.push(name);
    else if (parameters.has(name)) throw malformed('a start-up parameter comes twice');
    else parameters.set(name, value);
    if (parameters.size + protocolOptions.length > parametersMax) {
      throw malformed('too many start-up parameters');
    }
    at = valueEnd + 1;
  }
  if (at !== body.length - 1) {
    throw malformed('invalid startup packet layout: expected terminator as last byte');
  }
  return { parameters, protocolOptions };
}

/** A request that is its code alone. */
function request(code: number): Uint8Array {
  const bytes = new Uint8Array(8);
  putInt32(bytes, 0, 8);
  putInt32(bytes, 4, code);
  return bytes;
}

export const encodeSslRequest = (): Uint8Array => request(sslCode);
/** @internal for tests */
export const encodeGssRequest = (): Uint8Array => request(gssCode);

const encoder = new TextEncoder();

/** The StartupMessage of a client. A zero byte in a name or value would start another: refused. */
export function encodeStartup(
  version: number,
  parameters: ReadonlyMap<string, string>,
): Uint8Array {
  let text = '';
  for (const [name, value] of parameters) {
    if (name === '' || name.includes('\0') || value.includes('\0')) {
      throw new GatewayError('SP_INTERNAL', { detail: 'a start-up parameter with a zero byte' });
    }
    text += `${name}\0${value}\0`;
  }
  const body = encoder.encode(`${text}\0`);
  const bytes = new Uint8Array(8 + body.length);
  putInt32(bytes, 0, bytes.length);
  putInt32(bytes, 4, version);
  bytes.set(body, 8);
  return bytes;
}

const malformed = (detail: string): GatewayError =>
  new GatewayError('SP_FRAME_MALFORMED', { detail });
