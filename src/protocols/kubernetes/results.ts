/**
 * How the answers of an API server are masked: Secrets by their fields, everything textual by
 * content. Answers under masks are asked for as JSON, and nothing else goes out.
 */
import { GatewayError } from '#core/errors.ts';
import { httpLimits } from '#core/limits.ts';
import type { MaskSet } from '#core/masking.ts';
import { strictJson } from '#core/strict-json.ts';
import type { Field } from '#protocols/http/codec/fields.ts';
import type { Answered, BodyMasker } from '#protocols/http/dialect.ts';
import { mediaType } from '#protocols/http/media-type.ts';
import { bodyMasker } from '#protocols/http/results-body.ts';
import { infoOf } from './commands.ts';
import { returnsSecrets } from './facts/request-facts.ts';
import { isOn, type RequestInfo } from './facts/request-info.ts';
import { maskSecrets, masksSecrets } from './secret-objects.ts';

const DEPTH_MAX = 100;
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const nothing: Uint8Array = new Uint8Array(0);

/** @throws GatewayError `SP_MASK_UNSOUND` */
export function answerMasker(answered: Answered): BodyMasker | undefined {
  const { request } = answered;
  if (isSchema(request.path)) return undefined;
  const info = infoOf(request);
  const masker = maskerOf(answered, info);
  return masker === undefined || !isEndless(info) ? masker : new EndlessMasker(masker);
}

/** A watch, and logs that are followed. */
function isEndless(info: RequestInfo | string): boolean {
  if (typeof info === 'string') return false;
  return info.verb === 'watch' || (info.subresource === 'log' && isOn(info.query.get('follow')));
}

/** The same masks, for an answer whose client waits for its head before anything happens. */
class EndlessMasker implements BodyMasker {
  readonly isEndless = true;
  readonly #masker: BodyMasker;

  constructor(masker: BodyMasker) {
    this.#masker = masker;
  }

  push(bytes: Uint8Array, start: number, end: number): Uint8Array {
    return this.#masker.push(bytes, start, end);
  }

  end(): Uint8Array {
    return this.#masker.end();
  }
}

function maskerOf(answered: Answered, info: RequestInfo | string): BodyMasker | undefined {
  const { masks, head } = answered;
  // What is not understood may return anything.
  const isSecret = typeof info === 'string' || returnsSecrets(info);
  if (!isSecret || !masksSecrets(masks)) return bodyMasker(answered);
  const { form } = mediaType(head.fields);
  if (form !== 'json') throw unsound('Secrets in another form than JSON');
  const made = new Set<string>();
  const byContent = bodyMasker({ ...answered, masks: sparing(masks, made) });
  return new SecretMasker({ masks, made, byContent });
}

/**
 * The same masks, but values that a mask has made stay: what stands for a value of a Secret has to
 * be base64, and a word that stands for a secret is none.
 */
function sparing(masks: MaskSet, made: ReadonlySet<string>): MaskSet {
  const { content, version, empty, columns } = masks;
  if (content === undefined) return masks;
  const isMade = (bytes: Uint8Array, start: number, end: number): boolean =>
    made.has(decoder.decode(bytes.subarray(start, end)));
  return {
    version,
    empty,
    columns,
    column: (schema, table, column) => masks.column(schema, table, column),
    replace: (transform, kind, text) => masks.replace(transform, kind, text),
    without: (ids) => masks.without(ids),
    content: {
      hint: (name) => content.hint(name),
      stream: () => content.stream(),
      cell: (bytes, start, end, kind, hint) =>
        isMade(bytes, start, end) ? undefined : content.cell(bytes, start, end, kind, hint),
    },
  };
}

/** What kinds of objects there are, and nothing of any object: clients want it as protobuf. */
const isSchema = (path: string): boolean => path.startsWith('/openapi/');

interface SecretMaskerParts {
  readonly masks: MaskSet;
  /** Filled with the values that masks have made of those in the object that is masked. */
  readonly made: Set<string>;
  readonly byContent: BodyMasker | undefined;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = 0x7b;
const CLOSE = 0x7d;

/** Holds each object until it is whole: a Secret is small, and half of one cannot be judged. */
class SecretMasker implements BodyMasker {
  readonly #parts: SecretMaskerParts;
  #held: Uint8Array[] = [];
  #heldBytes: number = 0;
  #depth: number = 0;
  #place: 'text' | 'string' | 'escape' = 'text';

  constructor(parts: SecretMaskerParts) {
    this.#parts = parts;
  }

  push(bytes: Uint8Array, start: number, end: number): Uint8Array {
    const out: Uint8Array[] = [];
    let from = start;
    for (let at = start; at < end; at += 1) {
      if (!this.#ends(bytes[at] ?? 0)) continue;
      this.#hold(bytes.slice(from, at + 1));
      out.push(this.#masked());
      from = at + 1;
    }
    this.#hold(bytes.slice(from, end));
    return Buffer.concat(out);
  }

  end(): Uint8Array {
    // White space between objects, or half an object: the answer was cut.
    if (textOf(this.#held).trim() !== '') throw unsound('an answer that is not whole');
    return this.#parts.byContent?.end() ?? nothing;
  }

  /** Whether an object of the outermost level ends with a byte. */
  #ends(byte: number): boolean {
    if (this.#place === 'escape') this.#place = 'string';
    else if (this.#place === 'string') {
      if (byte === BACKSLASH) this.#place = 'escape';
      else if (byte === QUOTE) this.#place = 'text';
    } else if (byte === QUOTE) this.#place = 'string';
    else if (byte === OPEN) this.#depth += 1;
    else if (byte === CLOSE) {
      this.#depth -= 1;
      return this.#depth === 0;
    }
    return false;
  }

  #hold(piece: Uint8Array): void {
    this.#heldBytes += piece.length;
    if (this.#heldBytes > httpLimits.decodedBytesMax) throw unsound('an answer that is too large');
    if (piece.length > 0) this.#held.push(piece);
  }

  /** What is held, masked; nothing is held any more. */
  #masked(): Uint8Array {
    const read = strictJson(textOf(this.#held), DEPTH_MAX);
    this.#held = [];
    this.#heldBytes = 0;
    if (!read.ok) throw unsound(`an answer: ${read.reason}`);
    const { masks, made } = this.#parts;
    made.clear();
    const clean = `${JSON.stringify(maskSecrets(read.value, masks, made))}\n`;
    const bytes = encoder.encode(clean);
    return this.#parts.byContent?.push(bytes, 0, bytes.length) ?? bytes;
  }
}

function textOf(pieces: readonly Uint8Array[]): string {
  try {
    return decoder.decode(Buffer.concat(pieces));
  } catch {
    throw unsound('an answer that is not UTF-8');
  }
}

/** Under masks the answer has to be JSON; a watch, a table and metadata alone are, too. */
export function acceptedFields(fields: readonly Field[], path: string): readonly Field[] {
  if (isSchema(path)) return fields;
  const others = fields.filter(({ name }) => name !== 'accept');
  const accepted = fields
    .filter(({ name }) => name === 'accept')
    .flatMap(({ value }) => value.split(','))
    .map((part) => part.trim())
    .filter((part) => part.startsWith('application/json'));
  const value = accepted.length === 0 ? 'application/json' : accepted.join(',');
  return [...others, { name: 'accept', value }];
}

const unsound = (detail: string): GatewayError => new GatewayError('SP_MASK_UNSOUND', { detail });
