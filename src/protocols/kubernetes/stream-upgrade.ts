/** The change of protocols for streams: what is agreed on with the client, and with the target. */
import { createHash } from 'node:crypto';
import { GatewayError } from '#core/errors.ts';
import { type Field, membersOf, valueOf, valuesOf } from '#protocols/http/codec/fields.ts';
import type { ResponseHead } from '#protocols/http/codec/head.ts';
import type { HttpRequest } from '#protocols/http/request.ts';
import type { StreamRequest } from './stream-request.ts';
import { streamQuery } from './stream-request.ts';
import { channelProtocols } from './streams/websocket-streams.ts';

const SPDY = 'SPDY/3.1';
const VERSION = 'x-stream-protocol-version';
/** What SPDY streams of a program are called; version 5 differs over WebSocket alone. */
const PROGRAM = 'v4.channel.k8s.io';
const PORTS = 'portforward.k8s.io';
const TUNNEL = `${SPDY}+${PORTS}`;
const TOKEN = 'base64url.bearer.authorization.k8s.io.';
const WEBSOCKET_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** What client and gateway speak from now on. */
export interface StreamUpgrade {
  readonly carrier: 'websocket' | 'spdy';
  /** Of the streams inside. */
  readonly protocol: string;
  /** Fields of the answer. */
  readonly fields: readonly Field[];
}

const unsupported = (detail: string): GatewayError =>
  new GatewayError('SP_UNSUPPORTED', { detail });

/** @throws GatewayError `SP_UNSUPPORTED` when the client offers nothing that is known. */
export function agree(
  { upgrade, fields }: HttpRequest,
  kind: StreamRequest['kind'],
): StreamUpgrade {
  const isPort = kind === 'portforward';
  if (upgrade === 'websocket') {
    const known = isPort ? [TUNNEL] : channelProtocols;
    const protocol = chosen(fields, 'sec-websocket-protocol', known);
    return { carrier: 'websocket', protocol, fields: webSocketFields(fields, protocol) };
  }
  const protocol = chosen(fields, VERSION, [isPort ? PORTS : PROGRAM]);
  const answer = [
    { name: 'upgrade', value: SPDY },
    { name: VERSION, value: protocol },
  ];
  return { carrier: 'spdy', protocol, fields: answer };
}

function chosen(fields: readonly Field[], name: string, known: readonly string[]): string {
  const offered = membersOf(fields, name);
  // Who asks was settled by the request's own credential.
  if (offered.some((each) => each.startsWith(TOKEN))) throw unsupported('a token as a protocol');
  const protocol = known.find((each) => offered.includes(each.toLowerCase()));
  if (protocol === undefined) throw unsupported('the protocol of the streams');
  return protocol;
}

/** RFC 6455, section 4.2. */
function webSocketFields(fields: readonly Field[], protocol: string): readonly Field[] {
  const keys = valuesOf(fields, 'sec-websocket-key');
  const [key = ''] = keys;
  const isRead = valueOf(fields, 'sec-websocket-version') === '13' && keys.length === 1;
  if (!isRead || !/^[A-Za-z0-9+/]{22}==$/.test(key)) throw unsupported('the WebSocket handshake');
  const accept = createHash('sha1').update(`${key}${WEBSOCKET_GUID}`).digest('base64');
  return [
    { name: 'upgrade', value: 'websocket' },
    { name: 'sec-websocket-accept', value: accept },
    { name: 'sec-websocket-protocol', value: protocol },
  ];
}

/** The request to the API server for what was judged, whatever the client used. */
export function upstreamRequest(request: HttpRequest, asked: StreamRequest): HttpRequest {
  const agent = valueOf(request.forwarded, 'user-agent');
  const protocol = asked.kind === 'portforward' ? PORTS : PROGRAM;
  return {
    ...request,
    method: 'POST',
    query: streamQuery(asked),
    fields: [],
    forwarded: [
      ...(agent === undefined ? [] : [{ name: 'user-agent', value: agent }]),
      { name: VERSION, value: protocol },
    ],
    upgrade: SPDY,
  };
}

/** @throws GatewayError `SP_TARGET_PROTOCOL` when the target agreed on something else. */
export function checkAgreed({ fields }: ResponseHead, kind: StreamRequest['kind']): void {
  const wanted = kind === 'portforward' ? PORTS : PROGRAM;
  if (valueOf(fields, VERSION) === wanted) return;
  throw new GatewayError('SP_TARGET_PROTOCOL', { detail: 'another protocol of streams' });
}
