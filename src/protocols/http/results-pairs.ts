/** Masks a body of pairs, `a=b&c=d`. Holds it whole, since such bodies are short. */
import { GatewayError } from '#core/errors.ts';
import { httpLimits } from '#core/limits.ts';
import { ByteSink } from './byte-sink.ts';
import type { BodyMasker } from './dialect.ts';
import type { FieldMasks } from './results-fields.ts';

const unsound = (detail: string): GatewayError => new GatewayError('SP_MASK_UNSOUND', { detail });
const decoder = new TextDecoder('utf-8', { fatal: true });
const encoder = new TextEncoder();
const nothing: Uint8Array = new Uint8Array(0);

export class PairMasker implements BodyMasker {
  readonly #fields: FieldMasks;
  readonly #held = new ByteSink();
  #length: number = 0;

  constructor(fields: FieldMasks) {
    this.#fields = fields;
  }

  push(bytes: Uint8Array, start: number, end: number): Uint8Array {
    this.#length += end - start;
    if (this.#length > httpLimits.unitBytesMax) throw unsound('a form above the limit');
    this.#held.put(bytes, start, end);
    return nothing;
  }

  end(): Uint8Array {
    let text: string;
    try {
      text = decoder.decode(this.#held.take());
    } catch {
      throw unsound('a form that is not UTF-8');
    }
    const pairs = text.split('&').map((pair) => this.#pair(pair));
    return encoder.encode(pairs.join('&'));
  }

  #pair(pair: string): string {
    const equals = pair.indexOf('=');
    const name = decoded(equals < 0 ? '' : pair.slice(0, equals));
    const value = decoded(pair.slice(equals + 1));
    const mask = name === '' ? undefined : this.#fields.maskOf('$', name);
    const clean =
      mask === undefined
        ? this.#fields.contentText(name, value)
        : (this.#fields.replace(mask, 'text', value) ?? '');
    if (clean === undefined) return pair;
    return `${pair.slice(0, equals + 1)}${encodeURIComponent(clean)}`;
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw unsound('a form with percent-encoding that is not UTF-8');
  }
}
