/**
 * A PostgreSQL client for evasions: writes messages that no driver would, and keeps every byte that
 * comes back. It shares no code with the gateway, so that it cannot share a mistake.
 */
import { connect, type Socket } from 'node:net';
import type { Frame } from './cases.ts';

/** One message as it came. */
export interface Received {
  readonly type: string;
  readonly body: Buffer;
}

type Value = string | null | { readonly hex: string };

const int16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
};

const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value | 0);
  return bytes;
};

const text = (value: string): Buffer => Buffer.from(`${value}\0`);

const message = (type: string, ...parts: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);
};

const list = <Item>(items: readonly Item[], one: (item: Item) => Buffer): Buffer =>
  Buffer.concat([int16(items.length), ...items.map(one)]);

function valueBytes(value: Value): Buffer {
  if (value === null) return int32(-1);
  const bytes = typeof value === 'string' ? Buffer.from(value) : Buffer.from(value.hex, 'hex');
  return Buffer.concat([int32(bytes.length), bytes]);
}

/** The bytes of a message; nothing in it is made right. */
export function encode(frame: Frame): Buffer {
  if ('query' in frame) return message('Q', text(frame.query));
  if ('query_hex' in frame) {
    return message('Q', Buffer.from(frame.query_hex, 'hex'), Buffer.alloc(1));
  }
  if ('query_repeat' in frame) {
    const { prefix, unit, times, suffix } = frame.query_repeat;
    return message('Q', text(prefix + unit.repeat(times) + suffix));
  }
  if ('parse' in frame) {
    const { name = '', sql, types = [] } = frame.parse;
    return message('P', text(name), text(sql), list(types.map(Number), int32));
  }
  if ('bind' in frame) {
    const { portal = '', statement = '', params = [] } = frame.bind;
    const names = [text(portal), text(statement)];
    const given = list(frame.bind.param_formats ?? [], int16);
    const wanted = list(frame.bind.result_formats ?? [], int16);
    return message('B', ...names, given, list(params, valueBytes), wanted);
  }
  if ('describe' in frame) {
    return message('D', Buffer.from(frame.describe.kind), text(frame.describe.name ?? ''));
  }
  if ('close' in frame) {
    return message('C', Buffer.from(frame.close.kind), text(frame.close.name ?? ''));
  }
  if ('execute' in frame) {
    const { portal = '', max_rows: rows = 0 } = frame.execute;
    return message('E', text(portal), int32(rows));
  }
  if ('function_call' in frame) {
    const { oid, args, result_format: format = 0 } = frame.function_call;
    const head = [int32(Number(oid)), int16(0)];
    return message('F', ...head, list(args, valueBytes), int16(format));
  }
  if ('copy_data' in frame) return message('d', Buffer.from(frame.copy_data));
  if ('copy_fail' in frame) return message('f', text(frame.copy_fail));
  if ('raw_hex' in frame) return Buffer.from(frame.raw_hex, 'hex');
  if ('copy_done' in frame) return message('c');
  if ('elsewhere' in frame || 'wait_ms' in frame) return Buffer.alloc(0);
  return message('sync' in frame ? 'S' : 'H');
}

/** What a server answers with one ReadyForQuery, or what it reads on after. */
export const endsBatch = (frame: Frame): boolean =>
  'query' in frame ||
  'query_hex' in frame ||
  'query_repeat' in frame ||
  'sync' in frame ||
  'function_call' in frame ||
  'copy_done' in frame ||
  'copy_fail' in frame;

export interface ConnectOptions {
  readonly port: number;
  readonly password: string;
  readonly startup: Readonly<Record<string, string>>;
}

export class WireClient {
  readonly #socket: Socket;
  #rest: Buffer = Buffer.alloc(0);
  #wake: (() => void) | undefined;
  /** Everything that came since the login was accepted. */
  readonly received: Received[] = [];
  closed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.closed = true;
      this.#wake?.();
    });
  }

  /** Logs in; the connection is closed, with the error among what was received, if it may not. */
  static async connect(options: ConnectOptions): Promise<WireClient> {
    const client = new WireClient(connect(options.port, '127.0.0.1'));
    const parameters = Object.entries(options.startup).flatMap(([name, one]) => [
      text(name),
      text(one),
    ]);
    const body = Buffer.concat([int32(196_608), ...parameters, Buffer.alloc(1)]);
    client.#socket.write(Buffer.concat([int32(body.length + 4), body]));
    await client.#until(() => client.received.length > 0, 10_000);
    const first = client.received[0];
    if (first?.type === 'R' && first.body.readInt32BE(0) === 3) {
      client.#socket.write(message('p', text(options.password)));
    }
    await client.ready(1, 0, 20_000);
    return client;
  }

  /** Sends messages in one write. */
  send(frames: readonly Frame[]): void {
    this.#socket.write(Buffer.concat(frames.map(encode)));
  }

  /**
   * Waits for as many ReadyForQuery among what came from `from` on, or for a COPY that waits for
   * the client, or the end.
   *
   * @returns false when the time ran out.
   */
  ready(count: number, from: number, waitMs: number): Promise<boolean> {
    return this.#until(() => {
      const since = this.received.slice(from);
      if (since.some(({ type }) => type === 'G' || type === 'W')) return true;
      return since.filter(({ type }) => type === 'Z').length >= count;
    }, waitMs);
  }

  /** Lets a while pass, for answers to what promises none. */
  async pause(waitMs: number): Promise<void> {
    await this.#until(() => false, waitMs);
  }

  close(): void {
    this.#socket.destroy();
  }

  /** True when it came true or the connection ended, false when the time ran out. */
  async #until(holds: () => boolean, waitMs: number): Promise<boolean> {
    const time = { isUp: false };
    const timer = setTimeout(() => {
      time.isUp = true;
      this.#wake?.();
    }, waitMs);
    while (!holds() && !this.closed && !time.isUp) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    clearTimeout(timer);
    return !time.isUp;
  }

  #take(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= 5) {
      const end = 1 + this.#rest.readInt32BE(1);
      if (this.#rest.length < end) break;
      const type = String.fromCharCode(this.#rest[0] ?? 0);
      this.received.push({ type, body: Buffer.from(this.#rest.subarray(5, end)) });
      this.#rest = this.#rest.subarray(end);
    }
    this.#wake?.();
  }
}
