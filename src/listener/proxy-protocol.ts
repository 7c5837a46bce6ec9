/**
 * The PROXY protocol, versions 1 and 2: what a load balancer says of the client behind it, before
 * the client's own first byte. Read only from peers that the configuration lists, and from those it
 * is mandatory: a receiver must never guess whether a header is there.
 *
 * @see https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt
 */
import { isIP } from 'node:net';
import { GatewayError } from '#core/errors.ts';
import type { PeerAddress } from '#core/wire.ts';

export interface ProxyHeader {
  /** Bytes of the header; the client's own begin behind it. */
  readonly bytes: number;
  /** Undefined when the balancer speaks for itself (a health check) or cannot tell. */
  readonly source: PeerAddress | undefined;
}

/** The longest line of version 1, its end included. */
const lineBytesMax = 107;
/** Addresses and some type-length-value extras of version 2, which are not read. */
const bodyBytesMax = 2048;
const headBytes = 16;
const signature = Uint8Array.of(
  0x0d,
  0x0a,
  0x0d,
  0x0a,
  0x00,
  0x0d,
  0x0a,
  0x51,
  0x55,
  0x49,
  0x54,
  0x0a,
);
const word = new TextEncoder().encode('PROXY ');

/** No header is longer: more bytes without an end are none. */
export const proxyHeaderBytesMax: number = headBytes + bodyBytesMax;

/**
 * Reads a header at the beginning of `bytes`.
 *
 * @returns undefined when more bytes are needed.
 * @throws GatewayError `SP_FRAME_MALFORMED`
 */
export function readProxyHeader(bytes: Uint8Array): ProxyHeader | undefined {
  if (bytes.length === 0) return undefined;
  const expected = bytes[0] === signature[0] ? signature : word;
  const known = Math.min(bytes.length, expected.length);
  for (let at = 0; at < known; at += 1) {
    if (bytes[at] !== expected[at]) throw malformed('no PROXY header');
  }
  if (bytes.length < expected.length) return undefined;
  return expected === word ? readLine(bytes) : readBinary(bytes);
}

function readLine(bytes: Uint8Array): ProxyHeader | undefined {
  const end = bytes.subarray(0, lineBytesMax).indexOf(0x0a);
  if (end < 0) {
    if (bytes.length < lineBytesMax) return undefined;
    throw malformed('a PROXY line without an end');
  }
  if (bytes[end - 1] !== 0x0d) throw malformed('a PROXY line that ends without CR');
  const line = Buffer.from(bytes.subarray(0, end - 1)).toString('latin1');
  const [, family, address = '', destination = '', port = '', toPort = '', ...more] =
    line.split(' ');
  if (family === 'UNKNOWN') return { bytes: end + 1, source: undefined };
  const version = family === 'TCP4' ? 4 : 6;
  const isWell =
    (family === 'TCP4' || family === 'TCP6') &&
    isIP(address) === version &&
    isIP(destination) === version &&
    isPort(port) &&
    isPort(toPort) &&
    more.length === 0;
  if (!isWell) throw malformed('a PROXY line');
  return { bytes: end + 1, source: { address, port: Number(port) } };
}

const isPort = (text: string): boolean =>
  /^(?:0|[1-9][0-9]{0,4})$/.test(text) && Number(text) < 65536;

function readBinary(bytes: Uint8Array): ProxyHeader | undefined {
  if (bytes.length < headBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const command = view.getUint8(12);
  const family = view.getUint8(13);
  const bodyBytes = view.getUint16(14);
  if (command !== 0x20 && command !== 0x21) throw malformed('a PROXY version or command');
  if (bodyBytes > bodyBytesMax) throw malformed('a PROXY header that is too long');
  const total = headBytes + bodyBytes;
  if (bytes.length < total) return undefined;
  // LOCAL, or a protocol that is not said: the balancer's own address stands.
  if (command === 0x20 || family === 0x00) return { bytes: total, source: undefined };
  if (family === 0x11 && bodyBytes >= 12) {
    const address = Array.from(bytes.subarray(16, 20)).join('.');
    return { bytes: total, source: { address, port: view.getUint16(24) } };
  }
  if (family === 0x21 && bodyBytes >= 36) {
    const groups = Array.from({ length: 8 }, (_, at) => view.getUint16(16 + at * 2).toString(16));
    return { bytes: total, source: { address: groups.join(':'), port: view.getUint16(48) } };
  }
  throw malformed('a PROXY address family');
}

const malformed = (detail: string): GatewayError =>
  new GatewayError('SP_FRAME_MALFORMED', { detail });
