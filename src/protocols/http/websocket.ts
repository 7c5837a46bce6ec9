/**
 * WebSocket under masks: what the target says is put together to messages, masked and framed anew.
 * What the client says passes as it is. Extensions are never agreed on: a frame is what it seems.
 */
import { GatewayError } from '#core/errors.ts';
import { httpLimits } from '#core/limits.ts';
import { ByteSink } from './byte-sink.ts';
import {
  closePayload,
  WebSocketReader,
  webSocketFrame,
  webSocketOpcode,
} from './codec/websocket.ts';
import type { Tunnel, TunnelEnds, Upgraded } from './dialect.ts';
import { FieldMasks } from './results-fields.ts';
import { maskText } from './results-text.ts';

const decoder = new TextDecoder('utf-8', { fatal: true });
const encoder = new TextEncoder();

/** The tunnel of a WebSocket connection. */
export function webSocketTunnel(upgraded: Upgraded, ends: TunnelEnds): Tunnel {
  const messages = new MaskedMessages(upgraded, ends);
  return {
    fromClient: (bytes) => ends.toTarget(bytes),
    fromTarget: (bytes) => messages.push(bytes),
  };
}

class MaskedMessages {
  readonly #upgraded: Upgraded;
  readonly #ends: TunnelEnds;
  readonly #reader: WebSocketReader;
  readonly #held = new ByteSink();
  #heldBytes: number = 0;

  constructor(upgraded: Upgraded, ends: TunnelEnds) {
    this.#upgraded = upgraded;
    this.#ends = ends;
    const send = (opcode: number, payload: Uint8Array): void =>
      ends.toClient(webSocketFrame(opcode, payload, undefined));
    const { ping, pong, close } = webSocketOpcode;
    this.#reader = new WebSocketReader(
      {
        data: (kind, bytes, last) => this.#data(kind, bytes, last),
        ping: (payload) => send(ping, this.#control(payload)),
        pong: (payload) => send(pong, this.#control(payload)),
        closed: (code, reason) => send(close, this.#close(code, reason)),
      },
      false,
    );
  }

  push(bytes: Uint8Array): void {
    this.#reader.push(bytes);
  }

  #data(kind: 'text' | 'binary', bytes: Uint8Array, last: boolean): void {
    const { binary, text } = webSocketOpcode;
    const isMasked = !this.#upgraded.masks().empty;
    if (isMasked && kind === 'binary') throw unsound('a binary message');
    this.#heldBytes += bytes.length;
    if (this.#heldBytes > httpLimits.decodedBytesMax) throw unsound('a message above the limit');
    this.#held.put(bytes, 0, bytes.length);
    if (!last) return;
    this.#heldBytes = 0;
    const message = this.#held.take();
    const payload = isMasked ? encoder.encode(this.#masked(message)) : message;
    this.#ends.toClient(webSocketFrame(kind === 'text' ? text : binary, payload, undefined));
  }

  #masked(bytes: Uint8Array): string {
    const { settings, analysis } = this.#upgraded;
    const fields = new FieldMasks(this.#upgraded.masks(), 'json', analysis.aliases);
    return maskText(fields, textOf(bytes), settings.textUnderMasks === 'content');
  }

  /** Under masks a control frame says no more than that it is one. */
  #control(payload: Uint8Array): Uint8Array {
    if (this.#upgraded.masks().empty || payload.length === 0) return payload;
    const fields = new FieldMasks(this.#upgraded.masks(), 'json', new Map());
    return encoder
      .encode(fields.contentText('', textOf(payload)) ?? textOf(payload))
      .subarray(0, 125);
  }

  #close(code: number, reason: Uint8Array): Uint8Array {
    const NO_STATUS = 1005;
    if (code === NO_STATUS) return reason;
    return closePayload(code, this.#upgraded.masks().empty ? textOf(reason) : '');
  }
}

const unsound = (detail: string): GatewayError => new GatewayError('SP_MASK_UNSOUND', { detail });

function textOf(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw unsound('a message that is not UTF-8');
  }
}
