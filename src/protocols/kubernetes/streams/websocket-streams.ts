/**
 * A program's streams over WebSocket: the first byte of each message says which stream it is of
 * (`v4.channel.k8s.io`); version 5 can also say that one ends.
 *
 * Source: KEP-4006, `k8s.io/apimachinery/pkg/util/remotecommand`.
 */
import { GatewayError } from '#core/errors.ts';
import {
  closePayload,
  WebSocketReader,
  webSocketFrame,
  webSocketOpcode,
} from '#protocols/http/codec/websocket.ts';
import { ResizeReader } from './resize.ts';
import type { ClientEvents, ClientStreams } from './standard-streams.ts';

/** The subprotocols that are known, the best first. */
export const channelProtocols: readonly string[] = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];

const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;
const NORMAL = 1000;

const malformed = (detail: string): GatewayError =>
  new GatewayError('SP_FRAME_MALFORMED', { detail });

export class WebSocketStreams implements ClientStreams {
  readonly #events: ClientEvents;
  readonly #send: (bytes: Uint8Array) => void;
  readonly #mayEndStreams: boolean;
  readonly #reader: WebSocketReader;
  readonly #resizes: ResizeReader = new ResizeReader();
  /** Of the message under way. */
  #channel: number | undefined;
  #isInputOver: boolean = false;

  /** @param protocol - one of {@link channelProtocols}. */
  constructor(protocol: string, events: ClientEvents, send: (bytes: Uint8Array) => void) {
    this.#events = events;
    this.#send = send;
    this.#mayEndStreams = protocol === channelProtocols[0];
    this.#reader = new WebSocketReader(
      {
        data: (_kind, bytes, last) => this.#data(bytes, last),
        ping: (payload) => send(webSocketFrame(webSocketOpcode.pong, payload, undefined)),
        pong: () => undefined,
        closed: () => events.left(),
      },
      true,
    );
  }

  /** All channels are there from the start. */
  start(): void {
    this.#events.opened();
  }

  push(bytes: Uint8Array): void {
    this.#reader.push(bytes);
  }

  output(bytes: Uint8Array, isStderr: boolean): void {
    this.#message(isStderr ? channel.stderr : channel.stdout, bytes);
  }

  /** A pong that nobody asked for counts (RFC 6455, section 5.5.3). */
  alive(): void {
    this.#send(webSocketFrame(webSocketOpcode.pong, new Uint8Array(0), undefined));
  }

  finish(status: Uint8Array): void {
    this.#message(channel.error, status);
    this.#send(webSocketFrame(webSocketOpcode.close, closePayload(NORMAL), undefined));
  }

  #message(number: number, bytes: Uint8Array): void {
    const payload = new Uint8Array(1 + bytes.length);
    payload[0] = number;
    payload.set(bytes, 1);
    this.#send(webSocketFrame(webSocketOpcode.binary, payload, undefined));
  }

  #data(bytes: Uint8Array, last: boolean): void {
    let content = bytes;
    if (this.#channel === undefined && bytes.length > 0) {
      this.#channel = bytes[0];
      content = bytes.subarray(1);
    }
    const number = this.#channel;
    if (last) this.#channel = undefined;
    if (number !== undefined && content.length > 0) this.#take(number, content);
  }

  #take(number: number, content: Uint8Array): void {
    switch (number) {
      case channel.stdin:
        if (!this.#isInputOver) this.#events.input(content);
        return;
      case channel.resize:
        for (const size of this.#resizes.push(content)) this.#events.resized(size);
        return;
      case channel.close:
        if (!this.#mayEndStreams) throw malformed('an end of a stream before version 5');
        if (content.includes(channel.stdin)) this.#endInput();
        return;
      default:
        throw malformed(`the channel ${number}`);
    }
  }

  #endInput(): void {
    if (this.#isInputOver) return;
    this.#isInputOver = true;
    this.#events.inputEnded();
  }
}
