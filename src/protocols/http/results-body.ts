/**
 * How the body of an answer is masked: by the names of its fields where it has fields, by content
 * everywhere. What cannot be read under a mask does not go out.
 */
import { GatewayError, toGatewayError } from '#core/errors.ts';
import { httpLimits } from '#core/limits.ts';
import type { MaskSet } from '#core/masking.ts';
import { membersOf } from './codec/fields.ts';
import type { Answered, BodyMasker } from './dialect.ts';
import { routeOf } from './commands.ts';
import { isUtf8, type MediaType, mediaType } from './media-type.ts';
import { undoCodings } from './read-body.ts';
import { CsvMasker } from './results-csv.ts';
import { EventMasker } from './results-events.ts';
import { FieldMasks } from './results-fields.ts';
import { JsonMasker } from './results-json.ts';
import { PairMasker } from './results-pairs.ts';

const unsound = (detail: string, cause?: unknown): GatewayError =>
  new GatewayError('SP_MASK_UNSOUND', { detail, cause });

/** @throws GatewayError `SP_MASK_UNSOUND` */
export function bodyMasker(answered: Answered): BodyMasker | undefined {
  const { head } = answered;
  const type = mediaType(head.fields);
  if (answered.settings.passTypes.some((name) => name !== '' && type.name.startsWith(name))) {
    return undefined;
  }
  if (head.status === 206) throw unsound('a part of a body');
  if (!isUtf8(type)) throw unsound(`the charset ${type.charset.slice(0, 32)}`);
  const masker = maskerOf(type, answered);
  const codings = membersOf(head.fields, 'content-encoding').filter((name) => name !== 'identity');
  return codings.length === 0 ? masker : new DecodingMasker(codings, masker);
}

function maskerOf(type: MediaType, { analysis, masks, settings, request }: Answered): BodyMasker {
  const plain = routeOf(request, settings)?.textUnderMasks ?? settings.textUnderMasks;
  const fields = (kind: string): FieldMasks => new FieldMasks(masks, kind, analysis.aliases);
  switch (type.form) {
    case 'json':
    case 'ndjson':
      return new JsonMasker(fields('json'));
    case 'csv':
      return new CsvMasker(fields('csv'));
    case 'form':
      return new PairMasker(fields('form'));
    case 'events':
      return new EventMasker(fields('json'), plain === 'content');
    case 'graphql':
    case 'text':
      if (masks.columns.length > 0 && plain === 'refuse') {
        throw unsound(`no fields are found in ${type.name.slice(0, 64)}`);
      }
      return new TextMasker(masks);
    case 'multipart':
    case 'other':
    case 'unknown':
      // An empty body has nothing to hide, whatever its type.
      return new EmptyMasker(type.name);
  }
}

/** Text, by content alone. */
class TextMasker implements BodyMasker {
  readonly #stream: ReturnType<NonNullable<MaskSet['content']>['stream']> | undefined;

  constructor({ content }: MaskSet) {
    this.#stream = content?.stream();
  }

  push(bytes: Uint8Array, start: number, end: number): Uint8Array {
    const piece = bytes.slice(start, end);
    // ASCII with zeros between is another charset, whatever the head says.
    if (piece.includes(0)) throw unsound('text with zero bytes');
    return this.#stream === undefined ? piece : this.#stream.push(piece);
  }

  end(): Uint8Array {
    return this.#stream?.end() ?? new Uint8Array(0);
  }
}

/** Passes nothing: for bodies that nobody can read here. */
class EmptyMasker implements BodyMasker {
  readonly #name: string;

  constructor(name: string) {
    this.#name = name === '' ? 'a body without a type' : name.slice(0, 64);
  }

  push(): Uint8Array {
    throw unsound(this.#name);
  }

  end(): Uint8Array {
    return new Uint8Array(0);
  }
}

/**
 * Undoes content codings first. The gateway asks for none under a mask, so this is for what servers
 * send all the same, and holds it whole.
 */
class DecodingMasker implements BodyMasker {
  readonly #codings: readonly string[];
  readonly #inner: BodyMasker;
  readonly #pieces: Uint8Array[] = [];
  #length: number = 0;

  constructor(codings: readonly string[], inner: BodyMasker) {
    this.#codings = codings;
    this.#inner = inner;
  }

  push(bytes: Uint8Array, start: number, end: number): Uint8Array {
    this.#length += end - start;
    if (this.#length > httpLimits.encodedBytesMax) throw unsound('a large body with a coding');
    this.#pieces.push(bytes.slice(start, end));
    return new Uint8Array(0);
  }

  end(): Uint8Array {
    const bytes = this.#decoded();
    const first = bytes.length === 0 ? bytes : this.#inner.push(bytes, 0, bytes.length);
    return Buffer.concat([first, this.#inner.end()]);
  }

  #decoded(): Uint8Array {
    const encoded = Buffer.concat(this.#pieces);
    if (encoded.length === 0) return encoded;
    try {
      return undoCodings(encoded, this.#codings);
    } catch (thrown) {
      throw unsound('a content coding', toGatewayError(thrown));
    }
  }
}
