/**
 * A PostgreSQL client without opinions, for tests: sends exactly the messages it is given and
 * collects exactly what comes back.
 */
import { connect, type Socket } from 'node:net';
import { frameBytes, headerBytes } from '#protocols/postgres/codec/frames.ts';
import { readNoticeFields, textOf } from '#protocols/postgres/codec/read.ts';
import { encodeStartup } from '#protocols/postgres/codec/startup.ts';
import { MessageWriter } from '#protocols/postgres/codec/write.ts';

export interface RawMessage {
  /** The type's letter. */
  readonly type: string;
  readonly bytes: Uint8Array;
}

export class RawClient {
  readonly socket: Socket;
  /** Everything that came, in order, since the last {@link RawClient.take}. */
  #messages: RawMessage[] = [];
  #rest: Uint8Array = Buffer.alloc(0);
  #wake: (() => void) | undefined;
  /** The server side has closed. */
  closed = false;
  /** From BackendKeyData: process id and secret. */
  cancelKey: Uint8Array = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => this.#received(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.closed = true;
      this.#wake?.();
    });
  }

  /** Logs in with a password and waits until the server is ready. */
  static async login(
    port: number,
    parameters: Readonly<Record<string, string>> = {},
  ): Promise<RawClient> {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.setNoDelay(true);
    const client = new RawClient(socket);
    const all = { user: 'postgres', database: 'postgres', ...parameters };
    client.send(encodeStartup(0x30000, new Map(Object.entries(all))));
    await client.until('R');
    client.#messages = [];
    client.send(new MessageWriter().begin(0x70).string('secret').end().done());
    const messages = await client.ready();
    const key = messages.find((message) => message.type === 'K');
    client.cancelKey = key?.bytes.subarray(headerBytes) ?? client.cancelKey;
    return client;
  }

  send(...messages: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(messages));
  }

  /** Waits for a message of the type, and gives everything up to it. */
  async until(type: string): Promise<readonly RawMessage[]> {
    for (;;) {
      const at = this.#messages.findIndex((message) => message.type === type);
      if (at >= 0) return this.#messages.splice(0, at + 1);
      if (this.closed) {
        const { M: why = '' } = fieldsOf(
          this.#messages.filter((each) => each.type === 'E').slice(-1),
        );
        throw new Error(`closed before ${type}: ${letters(this.#messages)} ${why}`);
      }
      await this.#more();
    }
  }

  /** Everything up to ReadyForQuery. */
  ready(): Promise<readonly RawMessage[]> {
    return this.until('Z');
  }

  /** Everything up to the end of the connection. */
  async end(): Promise<readonly RawMessage[]> {
    while (!this.closed) await this.#more();
    return this.#messages.splice(0);
  }

  destroy(): void {
    this.socket.destroy();
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #received(chunk: Uint8Array): void {
    let bytes: Uint8Array = Buffer.concat([this.#rest, chunk]);
    while (bytes.length >= headerBytes && frameBytes(bytes, 0) <= bytes.length) {
      const total = frameBytes(bytes, 0);
      const type = String.fromCharCode(bytes[0] ?? 0);
      this.#messages.push({ type, bytes: bytes.subarray(0, total) });
      bytes = bytes.subarray(total);
    }
    this.#rest = bytes;
    this.#wake?.();
  }
}

/** The letters of messages, for example `12DCZ`. */
export const letters = (messages: readonly RawMessage[]): string =>
  messages.map((message) => message.type).join('');

/** The fields of the first error or notice of a type, by their letters. */
export function fieldsOf(
  messages: readonly RawMessage[],
  type: 'E' | 'N' = 'E',
): Readonly<Record<string, string>> {
  const { bytes } = messages.find((message) => message.type === type) ?? {};
  if (bytes === undefined) return {};
  const fields = readNoticeFields(bytes, 0, bytes.length) ?? [];
  return Object.fromEntries(
    fields.map(({ code, start, end }) => [code, textOf(bytes, start, end) ?? '']),
  );
}

/** The transaction status of the last ReadyForQuery. */
export const statusOf = (messages: readonly RawMessage[]): string =>
  String.fromCharCode(messages.at(-1)?.bytes[headerBytes] ?? 0);

/** Cells of the DataRows, as text. */
export const rowsOf = (messages: readonly RawMessage[]): readonly (readonly string[])[] =>
  messages
    .filter((message) => message.type === 'D')
    .map(({ bytes }) => {
      const view = Buffer.from(bytes);
      const cells: string[] = [];
      for (let at = headerBytes + 2; at < view.length; ) {
        const length = view.readInt32BE(at);
        cells.push(length < 0 ? 'NULL' : view.toString('utf8', at + 4, at + 4 + length));
        at += 4 + Math.max(length, 0);
      }
      return cells;
    });
