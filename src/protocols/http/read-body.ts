/** Reads the body of a request as far as it is judged, and undoes its content codings. */
import { brotliDecompressSync, gunzipSync, inflateSync, zstdDecompressSync } from 'node:zlib';
import { GatewayError } from '#core/errors.ts';
import { httpLimits } from '#core/limits.ts';
import { BodyReader } from './codec/body-reader.ts';
import { membersOf } from './codec/fields.ts';
import type { Framing } from './codec/framing.ts';
import type { RequestHead } from './codec/head.ts';
import { routeOf } from './commands.ts';
import type { HttpSettings } from './config.ts';
import { WholeBody } from './consumers.ts';
import type { Input } from './input.ts';
import { isGrpcType, mediaType } from './media-type.ts';
import type { Asked } from './relay.ts';
import type { RequestBody } from './request.ts';

export interface ReadBody {
  readonly body: RequestBody;
  /** What goes on unread. */
  readonly rest: Asked['rest'];
  /** Whether a content coding was undone. */
  readonly isDecoded: boolean;
}

const nothing: Uint8Array = new Uint8Array(0);

/** What there is of a request without a body. */
export const noBody: ReadBody = { body: { kind: 'none' }, rest: undefined, isDecoded: false };

/** @throws GatewayError `SP_FRAME_TOO_LARGE`, `SP_FRAME_MALFORMED`, `SP_UNSUPPORTED` */
export async function readBody(
  input: Input,
  head: Pick<RequestHead, 'method' | 'path' | 'fields'>,
  framing: Framing,
  settings: HttpSettings,
): Promise<ReadBody> {
  if (framing.kind === 'none') return noBody;
  const { bodyBytesMax } = settings;
  const length = framing.kind === 'length' ? framing.length : undefined;
  if (isStreamed(head, settings)) {
    const rest = { reader: new BodyReader(framing), begun: nothing };
    return { body: { kind: 'stream', length }, rest, isDecoded: false };
  }
  if (length !== undefined && length > bodyBytesMax) {
    return unread(settings, length, { reader: new BodyReader(framing), begun: nothing });
  }
  const whole = new WholeBody(framing, bodyBytesMax);
  if (!(await input.consume(whole))) {
    throw new GatewayError('SP_FRAME_MALFORMED', { detail: 'the body ends too early' });
  }
  if (whole.isOver) return unread(settings, length, { reader: whole.reader, begun: whole.bytes });
  const codings = membersOf(head.fields, 'content-encoding').filter((name) => name !== 'identity');
  const bytes = undoCodings(whole.bytes, codings);
  return { body: { kind: 'whole', bytes }, rest: undefined, isDecoded: codings.length > 0 };
}

/**
 * Whether a body goes on as it comes: as the route says; else that of a call of gRPC, in which
 * either side may wait for the other's next message.
 */
function isStreamed(
  head: Pick<RequestHead, 'method' | 'path' | 'fields'>,
  settings: HttpSettings,
): boolean {
  const said = routeOf(head, settings)?.body;
  return said === undefined ? isGrpcType(mediaType(head.fields).name) : said === 'stream';
}

function unread(
  { largeBodies }: HttpSettings,
  length: number | undefined,
  rest: NonNullable<Asked['rest']>,
): ReadBody {
  if (largeBodies === 'refuse') {
    throw new GatewayError('SP_FRAME_TOO_LARGE', { detail: 'the body of the request' });
  }
  return { body: { kind: 'stream', length }, rest, isDecoded: false };
}

const CODINGS_MAX = 3;

/**
 * Undoes content codings, the last one first.
 *
 * @throws GatewayError `SP_UNSUPPORTED` for one that is not known, `SP_FRAME_MALFORMED` when the
 * bytes are no such coding or become too many.
 */
export function undoCodings(bytes: Uint8Array, codings: readonly string[]): Uint8Array {
  if (codings.length > CODINGS_MAX) {
    throw new GatewayError('SP_UNSUPPORTED', { detail: 'so many content codings' });
  }
  return codings.toReversed().reduce<Uint8Array>((rest, name) => undoCoding(rest, name), bytes);
}

function undoCoding(bytes: Uint8Array, coding: string): Uint8Array {
  const options = { maxOutputLength: httpLimits.decodedBytesMax };
  try {
    switch (coding) {
      case 'gzip':
      case 'x-gzip':
        return gunzipSync(bytes, options);
      case 'deflate':
        return inflateSync(bytes, options);
      case 'br':
        return brotliDecompressSync(bytes, options);
      case 'zstd':
        return zstdDecompressSync(bytes, options);
      default:
        break;
    }
  } catch (cause) {
    const detail = `a body that is no ${coding}, or too large`;
    throw new GatewayError('SP_FRAME_MALFORMED', { detail, cause });
  }
  throw new GatewayError('SP_UNSUPPORTED', { detail: 'the content coding' });
}
