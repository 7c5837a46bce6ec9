/**
 * A stream that a client opened, as a connection that brings one request and takes its answer.
 *
 * Invariants: nothing is written to a stream that is gone; an answer that is not whole is reset.
 */
import { constants, type ServerHttp2Stream } from 'node:http2';
import type { Wire } from '#core/wire.ts';
import { BodyReader } from '../codec/body-reader.ts';
import { encodeChunk, lastChunk } from '../codec/chunked.ts';
import { responseFraming } from '../codec/framing.ts';
import { readResponseHead, type ResponseHead } from '../codec/head.ts';
import { HeadReader } from '../codec/head-reader.ts';
import { http2Bounds } from './bounds.ts';
import { type Http1Request, http2Fields } from './messages.ts';
import { type StreamEnd, StreamWire } from './stream-wire.ts';

const { NGHTTP2_NO_ERROR, NGHTTP2_INTERNAL_ERROR } = constants;

/** The connection of one request. */
export function serverWire(
  stream: ServerHttp2Stream,
  { method, head, body }: Http1Request,
  connection: Pick<Wire, 'peer' | 'security'>,
): Wire {
  const wire = new StreamWire(connection, () => new AnswerWriter(stream, method));
  stream.on('error', () => undefined);
  stream.on('drain', () => wire.drained());
  stream.on('close', () => wire.closed(undefined));
  // One that was taken back in the same read tells of nothing any more.
  if (stream.destroyed) wire.closed(undefined);
  wire.deliver(head);
  if (body === 'none') {
    stream.resume();
    return wire;
  }
  stream.on('data', (chunk: Uint8Array) => {
    wire.deliver(body === 'chunked' ? encodeChunk(chunk, 0, chunk.length) : chunk);
  });
  stream.on('end', () => {
    // What was reset in the middle has an end too, and is not whole.
    if (body === 'chunked' && !stream.aborted && !stream.destroyed) wire.deliver(lastChunk);
  });
  stream.pause();
  return wire;
}

class AnswerWriter implements StreamEnd {
  readonly #stream: ServerHttp2Stream;
  readonly #method: string;
  readonly #heads = new HeadReader(http2Bounds.headBytesMax);
  #body: BodyReader | undefined;
  #isWhole: boolean = false;

  constructor(stream: ServerHttp2Stream, method: string) {
    this.#stream = stream;
    this.#method = method;
  }

  get pendingBytes(): number {
    return this.#stream.writableLength;
  }

  write(bytes: Uint8Array): boolean {
    let at = 0;
    while (at < bytes.length && this.#body === undefined && this.#isOpen) {
      const found = this.#heads.push(bytes, at);
      if (found === undefined) return true;
      at = found.next;
      this.#head(readResponseHead(found.head, http2Bounds.fieldsMax));
    }
    const body = this.#body;
    if (body === undefined || !this.#isOpen) return true;
    let mayGoOn = true;
    body.push(bytes, at, (view, from, to) => {
      mayGoOn = this.#stream.write(Buffer.from(view.subarray(from, to)));
    });
    if (body.isDone && !this.#isWhole) this.#finish();
    return mayGoOn;
  }

  end(): void {
    if (this.#body?.mayEndByClose === true && !this.#isWhole && this.#isOpen) this.#finish();
    // Section 8.1: an answer may come before all of the request has, which then is not wanted.
    if (this.#isWhole) {
      const isAsked = this.#stream.endAfterHeaders || this.#stream.readableEnded;
      if (!isAsked) this.#close(NGHTTP2_NO_ERROR);
    } else this.destroy();
  }

  destroy(): void {
    this.#close(this.#isWhole ? NGHTTP2_NO_ERROR : NGHTTP2_INTERNAL_ERROR);
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    if (this.#isOpen) this.#stream.resume();
  }

  get #isOpen(): boolean {
    return !this.#stream.destroyed && !this.#stream.closed;
  }

  #head(head: ResponseHead): void {
    const told = { ':status': head.status, ...http2Fields(head.fields) };
    if (head.status < 200) {
      this.#stream.additionalHeaders(told);
      return;
    }
    const framing = responseFraming(head, this.#method);
    this.#body = new BodyReader(framing);
    const endStream = this.#body.isDone || framing.kind === 'none';
    this.#stream.respond(told, { endStream, waitForTrailers: framing.kind === 'chunked' });
    this.#isWhole = endStream;
  }

  #finish(): void {
    this.#isWhole = true;
    const trailers = this.#body?.trailers ?? [];
    this.#stream.once('wantTrailers', () => {
      if (this.#isOpen) this.#stream.sendTrailers(http2Fields(trailers));
    });
    this.#stream.end();
  }

  #close(code: number): void {
    if (this.#isOpen) this.#stream.close(code);
  }
}
