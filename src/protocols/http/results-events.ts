/**
 * Masks server-sent events: each is held until it is whole, its data lines put together, masked as
 * JSON where they are that and as text where not, and written again.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
import { GatewayError } from '#core/errors.ts';
import { httpLimits } from '#core/limits.ts';
import type { BodyMasker } from './dialect.ts';
import type { FieldMasks } from './results-fields.ts';
import { maskText } from './results-text.ts';

const unsound = (detail: string): GatewayError => new GatewayError('SP_MASK_UNSOUND', { detail });
const encoder = new TextEncoder();

export class EventMasker implements BodyMasker {
  readonly #fields: FieldMasks;
  readonly #mayBePlain: boolean;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });
  #rest: string = '';

  /** @param mayBePlain - whether data without fields passes while fields are masked. */
  constructor(fields: FieldMasks, mayBePlain: boolean) {
    this.#fields = fields;
    this.#mayBePlain = mayBePlain;
  }

  push(bytes: Uint8Array, start: number, end: number): Uint8Array {
    const text = this.#rest + this.#decode(bytes.subarray(start, end));
    // A CR at the end may be half of a line's end.
    const whole = text.endsWith('\r') ? text.slice(0, -1) : text;
    const lines = whole.replaceAll(/\r\n?/g, '\n');
    const last = lines.lastIndexOf('\n\n');
    const tail = text.slice(whole.length);
    this.#rest = last < 0 ? lines + tail : lines.slice(last + 2) + tail;
    if (this.#rest.length > httpLimits.unitBytesMax) throw unsound('an event above the limit');
    return encoder.encode(last < 0 ? '' : this.#events(lines.slice(0, last + 2)));
  }

  end(): Uint8Array {
    const rest = (this.#rest + this.#decode(undefined)).replaceAll(/\r\n?/g, '\n');
    // An event that is not ended is none: browsers drop it, others may not.
    return encoder.encode(rest.trim() === '' ? rest : this.#events(rest));
  }

  #decode(bytes: Uint8Array | undefined): string {
    try {
      return this.#decoder.decode(bytes, { stream: bytes !== undefined });
    } catch {
      throw unsound('events that are not UTF-8');
    }
  }

  #events(text: string): string {
    return text
      .split('\n\n')
      .map((event) => (event === '' ? event : this.#event(event)))
      .join('\n\n');
  }

  #event(event: string): string {
    const lines: string[] = [];
    const data: string[] = [];
    for (const line of event.split('\n')) {
      if (line.startsWith('data:')) data.push(line.slice(line[5] === ' ' ? 6 : 5));
      else if (line !== 'data') lines.push(this.#fields.contentText('', line) ?? line);
    }
    if (data.length > 0) {
      const clean = maskText(this.#fields, data.join('\n'), this.#mayBePlain);
      for (const line of clean.split('\n')) lines.push(`data: ${line}`);
    }
    return lines.join('\n');
  }
}
