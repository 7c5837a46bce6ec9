/**
 * Records streams of a container as channels of SSH are recorded (RFC 4254, each message behind its
 * length), whatever carried them: so that replay, search and players know one form.
 */
import { FieldWriter } from '#core/ssh-fields.ts';
import type { Direction, Tape } from '#core/tape.ts';
import {
  dataHead,
  message,
  writeChannelMessage,
  writeChannelOpen,
  writeChannelRequest,
  writeOpenConfirmation,
} from '#protocols/ssh/codec/messages.ts';
import type { TerminalSize } from './streams/resize.ts';

/** Data of one message; readers refuse larger ones. */
const DATA_BYTES_MAX = 32 * 1024;
const COLUMNS = 80;
const ROWS = 24;
const nothing: Uint8Array = new Uint8Array(0);

/** Tells readers that from here on bytes are messages of channels. */
export const markChannels = (tape: Tape): void => tape.mark('channels', { form: 'ssh' });

/** One channel on the tape. */
export class ChannelTape {
  readonly #record: (direction: Direction, bytes: Uint8Array) => void;
  readonly #id: number;

  /** @param type - `session` for a program, `direct-tcpip` for a connection. */
  constructor(record: (direction: Direction, bytes: Uint8Array) => void, id: number, type: string) {
    this.#record = record;
    this.#id = id;
    const own = { sender: id, window: 0, packetMax: DATA_BYTES_MAX };
    this.#message('from-client', writeChannelOpen({ type, rest: nothing, ...own }));
    this.#message('to-client', writeOpenConfirmation(id, own));
  }

  /** A terminal, before the program. */
  terminal(): void {
    const data = new FieldWriter().text('xterm').uint32(COLUMNS).uint32(ROWS);
    this.#request('from-client', 'pty-req', data.uint32(0).uint32(0).text('').done());
  }

  resized({ columns, rows }: TerminalSize): void {
    const data = new FieldWriter().uint32(columns).uint32(rows).uint32(0).uint32(0).done();
    this.#request('from-client', 'window-change', data);
  }

  /** What was started. */
  started(text: string): void {
    this.#request('from-client', 'exec', new FieldWriter().text(text).done());
  }

  input(bytes: Uint8Array): void {
    this.#data('from-client', bytes, false);
  }

  output(bytes: Uint8Array, isStderr: boolean): void {
    this.#data('to-client', bytes, isStderr);
  }

  exited(status: number): void {
    this.#request('to-client', 'exit-status', new FieldWriter().uint32(status).done());
  }

  closed(): void {
    this.#message('to-client', writeChannelMessage(message.close, this.#id));
  }

  #data(direction: Direction, bytes: Uint8Array, isStderr: boolean): void {
    for (let at = 0; at < bytes.length; at += DATA_BYTES_MAX) {
      const piece = bytes.subarray(at, at + DATA_BYTES_MAX);
      const head = dataHead(this.#id, isStderr, piece.length);
      this.#record(direction, lengthOf(head.length + piece.length));
      this.#record(direction, head);
      this.#record(direction, piece);
    }
  }

  #request(direction: Direction, type: string, data: Uint8Array): void {
    this.#message(direction, writeChannelRequest(this.#id, { type, wantReply: false, data }));
  }

  #message(direction: Direction, payload: Uint8Array): void {
    this.#record(direction, lengthOf(payload.length));
    this.#record(direction, payload);
  }
}

const lengthOf = (length: number): Uint8Array => new FieldWriter().uint32(length).done();
