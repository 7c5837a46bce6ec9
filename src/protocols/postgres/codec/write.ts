/**
 * Builds the gateway's own messages. They are few and small (refusals, notices, its own queries),
 * so each is fresh memory; nothing on the way of a row comes here.
 */
import { backend, frontend } from './messages.ts';
import { putInt16, putInt32 } from './frames.ts';

const encoder = new TextEncoder();

/** A growing buffer of whole messages. */
export class MessageWriter {
  #bytes: Uint8Array = new Uint8Array(256);
  #end = 0;
  #messageAt = 0;

  begin(type: number): this {
    this.#messageAt = this.#end;
    this.#reserve(5);
    this.#bytes[this.#end] = type;
    this.#end += 5;
    return this;
  }

  /** Ends the message: fills in its length. */
  end(): this {
    putInt32(this.#bytes, this.#messageAt + 1, this.#end - this.#messageAt - 1);
    return this;
  }

  byte(value: number): this {
    this.#reserve(1);
    this.#bytes[this.#end] = value;
    this.#end += 1;
    return this;
  }

  int16(value: number): this {
    this.#reserve(2);
    putInt16(this.#bytes, this.#end, value);
    this.#end += 2;
    return this;
  }

  int32(value: number): this {
    this.#reserve(4);
    putInt32(this.#bytes, this.#end, value);
    this.#end += 4;
    return this;
  }

  bytes(value: Uint8Array): this {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#end);
    this.#end += value.length;
    return this;
  }

  /** Text and the zero byte that ends it. A zero byte inside would cut the message: it is left out. */
  string(value: string): this {
    return this.bytes(encoder.encode(value.replaceAll('\0', ''))).byte(0);
  }

  /** All messages so far. */
  done(): Uint8Array {
    return this.#bytes.subarray(0, this.#end);
  }

  #reserve(count: number): void {
    if (this.#end + count <= this.#bytes.length) return;
    const bytes = new Uint8Array(Math.max(this.#bytes.length * 2, this.#end + count));
    bytes.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = bytes;
  }
}

/** What an ErrorResponse or a NoticeResponse of the gateway says. */
export interface NoticeText {
  readonly severity: 'ERROR' | 'FATAL' | 'NOTICE';
  readonly sqlstate: string;
  readonly message: string;
  readonly detail: string;
  readonly hint: string;
}

export function encodeNotice(notice: NoticeText): Uint8Array {
  const type = notice.severity === 'NOTICE' ? backend.noticeResponse : backend.errorResponse;
  const writer = new MessageWriter().begin(type);
  const field = (code: string, value: string): void => {
    if (value !== '') writer.byte(code.charCodeAt(0)).string(value);
  };
  field('S', notice.severity);
  field('V', notice.severity);
  field('C', notice.sqlstate);
  field('M', notice.message);
  field('D', notice.detail);
  field('H', notice.hint);
  return writer.byte(0).end().done();
}

export const encodeReadyForQuery = (status: number): Uint8Array =>
  new MessageWriter().begin(backend.readyForQuery).byte(status).end().done();

/** The end of a server's start-up, as the client gets it from the gateway. */
export function encodeGreeting(
  parameters: ReadonlyMap<string, string>,
  processId: number,
  cancelKey: Uint8Array,
): Uint8Array {
  const writer = new MessageWriter();
  writer.begin(backend.authentication).int32(0).end();
  for (const [name, value] of parameters) {
    writer.begin(backend.parameterStatus).string(name).string(value).end();
  }
  writer.begin(backend.backendKeyData).int32(processId).bytes(cancelKey).end();
  return writer.begin(backend.readyForQuery).byte(0x49).end().done();
}

export const encodeQuery = (text: string): Uint8Array =>
  new MessageWriter().begin(frontend.query).string(text).end().done();

export function encodeParse(name: string, text: string, types: readonly number[] = []): Uint8Array {
  const writer = new MessageWriter().begin(frontend.parse).string(name).string(text);
  writer.int16(types.length);
  for (const type of types) writer.int32(type);
  return writer.end().done();
}

export interface BindParts {
  readonly portal?: string;
  readonly statement?: string;
  readonly formats?: readonly number[];
  readonly values?: readonly (Uint8Array | string | null)[];
  readonly resultFormats?: readonly number[];
}

export function encodeBind(parts: BindParts): Uint8Array {
  const { formats = [], values = [], resultFormats = [] } = parts;
  const writer = new MessageWriter().begin(frontend.bind);
  writer.string(parts.portal ?? '').string(parts.statement ?? '');
  writer.int16(formats.length);
  for (const format of formats) writer.int16(format);
  writer.int16(values.length);
  for (const value of values) {
    const bytes = typeof value === 'string' ? encoder.encode(value) : value;
    if (bytes === null) writer.int32(-1);
    else writer.int32(bytes.length).bytes(bytes);
  }
  writer.int16(resultFormats.length);
  for (const format of resultFormats) writer.int16(format);
  return writer.end().done();
}

const named = (type: number, what: 'S' | 'P', name: string): Uint8Array =>
  new MessageWriter().begin(type).byte(what.charCodeAt(0)).string(name).end().done();

export const encodeDescribe = (what: 'S' | 'P', name: string): Uint8Array =>
  named(frontend.describe, what, name);

export const encodeClose = (what: 'S' | 'P', name: string): Uint8Array =>
  named(frontend.close, what, name);

export const encodeExecute = (portal: string, rowsMax = 0): Uint8Array =>
  new MessageWriter().begin(frontend.execute).string(portal).int32(rowsMax).end().done();

/** A message that is its type alone: Sync, Flush, Terminate, CopyDone. */
export const encodeBare = (type: number): Uint8Array =>
  new MessageWriter().begin(type).end().done();

/** A CancelRequest, which has no type byte. */
export function encodeCancelRequest(processId: number, key: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + key.length);
  putInt32(bytes, 0, bytes.length);
  putInt32(bytes, 4, 80877102);
  putInt32(bytes, 8, processId);
  bytes.set(key, 12);
  return bytes;
}
