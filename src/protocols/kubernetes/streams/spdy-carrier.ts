/**
 * What carries SPDY from a client: the connection itself, or binary messages of WebSocket on it
 * (`SPDY/3.1+portforward.k8s.io`, KEP-4006).
 */
import {
  closePayload,
  WebSocketReader,
  webSocketFrame,
  webSocketOpcode,
} from '#protocols/http/codec/websocket.ts';

/** Takes the client's bytes, gives those of SPDY; and the other way. */
export interface SpdyCarrier {
  /** @throws GatewayError `SP_FRAME_MALFORMED` */
  push(bytes: Uint8Array): void;
  send(bytes: Uint8Array): void;
  /** Nothing more is sent. */
  end(): void;
}

export interface CarrierParts {
  /** Takes bytes of SPDY; views valid during the call. */
  readonly take: (bytes: Uint8Array) => void;
  /** Writes to the client. */
  readonly write: (bytes: Uint8Array) => void;
  /** The client leaves. */
  readonly left: () => void;
}

/** SPDY on the connection itself. */
export const plainCarrier = ({ take, write }: CarrierParts): SpdyCarrier => ({
  push: take,
  send: write,
  end: () => undefined,
});

const NORMAL = 1000;

/** SPDY in messages of WebSocket. */
export function webSocketCarrier({ take, write, left }: CarrierParts): SpdyCarrier {
  const send = (opcode: number, payload: Uint8Array): void =>
    write(webSocketFrame(opcode, payload, undefined));
  const reader = new WebSocketReader(
    {
      data: (_kind, bytes) => take(bytes),
      ping: (payload) => send(webSocketOpcode.pong, payload),
      pong: () => undefined,
      closed: left,
    },
    true,
  );
  return {
    push: (bytes) => reader.push(bytes),
    send: (bytes) => send(webSocketOpcode.binary, bytes),
    end: () => send(webSocketOpcode.close, closePayload(NORMAL)),
  };
}
