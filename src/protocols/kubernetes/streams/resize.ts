/** Sizes of a terminal, as clients tell them: JSON objects one after the other. */
import { GatewayError } from '#core/errors.ts';
import { streamLimits } from '#core/limits.ts';
import { isJsonObject, strictJson } from '#core/strict-json.ts';

/** In characters. */
export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

const CLOSE = 0x7d;
const SIZE_MAX = 0xffff;

const malformed = (): GatewayError =>
  new GatewayError('SP_FRAME_MALFORMED', { detail: 'the size of a terminal' });

/** Reads sizes, whatever way they are cut. */
export class ResizeReader {
  #held: Uint8Array = new Uint8Array(0);

  /** @throws GatewayError `SP_FRAME_MALFORMED` */
  push(bytes: Uint8Array): readonly TerminalSize[] {
    const sizes: TerminalSize[] = [];
    let from = 0;
    for (let end = bytes.indexOf(CLOSE); end >= 0; end = bytes.indexOf(CLOSE, from)) {
      this.#hold(bytes.subarray(from, end + 1));
      sizes.push(sizeOf(this.#held));
      this.#held = new Uint8Array(0);
      from = end + 1;
    }
    this.#hold(bytes.subarray(from));
    return sizes;
  }

  #hold(bytes: Uint8Array): void {
    if (this.#held.length + bytes.length > streamLimits.resizeBytesMax) throw malformed();
    this.#held = Buffer.concat([this.#held, bytes]);
  }
}

function sizeOf(bytes: Uint8Array): TerminalSize {
  const read = strictJson(Buffer.from(bytes).toString('latin1'), 1);
  if (!read.ok || !isJsonObject(read.value)) throw malformed();
  const { Width: columns = 0, Height: rows = 0 } = read.value;
  if (!isSize(columns) || !isSize(rows)) throw malformed();
  return { columns, rows };
}

const isSize = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= SIZE_MAX;

/** One size, as the API server reads it. */
export const encodeSize = ({ columns, rows }: TerminalSize): Uint8Array =>
  Buffer.from(`{"Width":${columns},"Height":${rows}}\n`);
