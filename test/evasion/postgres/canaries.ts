/**
 * The values that must not come out, and the forms in which they could: as they are, cut into
 * pieces, spaced, reversed, encoded, as numbers, in text and in binary.
 */
import type { Received } from './wire.ts';
import { cellsOf } from './answers.ts';

export interface Canary {
  /** `customers.ssn` */
  readonly column: string;
  readonly value: string;
}

interface Needle {
  readonly canary: Canary;
  readonly form: string;
  readonly text: string;
}

/** Looks for canaries in everything that a client received. */
export class CanaryFinder {
  /** In the bytes as they came, in lower case. */
  readonly #plain: readonly Needle[];
  /** In what is left of them without all but letters and digits. */
  readonly #dense: readonly Needle[];
  readonly #numbers: ReadonlyMap<string, Canary>;

  constructor(canaries: readonly Canary[]) {
    this.#plain = canaries.flatMap(plainForms);
    this.#dense = canaries.flatMap(denseForms);
    this.#numbers = new Map(
      canaries.filter(({ value }) => /^\d+$/.test(value)).flatMap((one) => numberForms(one)),
    );
  }

  /** The first canary that came out, with its form; undefined when none did. */
  find(received: readonly Received[]): string | undefined {
    const raw = received.map(({ body }) => body.toString('latin1')).join('\n');
    const told = raw.toLowerCase();
    const found = this.#plain.find(({ text }) => told.includes(text));
    if (found !== undefined) return `${found.canary.column} ${found.form}`;
    return this.#findDense(received) ?? this.#findNumber(received);
  }

  /** Values that were cut into pieces: read row by row, and column by column. */
  #findDense(received: readonly Received[]): string | undefined {
    const rows = received.flatMap(({ type, body }) => (type === 'D' ? [cellsOf(body)] : []));
    const width = Math.max(0, ...rows.map((cells) => cells.length));
    const columns = Array.from({ length: width }, (_, at) => rows.map((cells) => cells[at]));
    const rest = received.filter(({ type }) => type !== 'D').map(({ body }) => body);
    for (const run of [...columns, rows.flat(), rest]) {
      const joined = run.map((cell) => cell?.toString('latin1') ?? '').join('');
      const dense = joined.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
      const found = this.#dense.find(({ text }) => dense.includes(text));
      if (found !== undefined) return `${found.canary.column} ${found.form}, in pieces`;
    }
    return undefined;
  }

  #findNumber(received: readonly Received[]): string | undefined {
    for (const { type, body } of received) {
      if (type === 'd') {
        // In a binary COPY a value follows its length.
        const hex = body.toString('hex');
        for (const [cell, canary] of this.#numbers) {
          const counted = (cell.length / 2).toString(16).padStart(8, '0') + cell;
          if (hex.includes(counted)) return `${canary.column} as a number in COPY`;
        }
      }
      if (type !== 'D') continue;
      for (const cell of cellsOf(body)) {
        if (cell === null) continue;
        const whole = /^(\d+)\.0+$/.exec(cell.toString('latin1'))?.[1];
        const bytes = whole === undefined ? cell : Buffer.from(whole);
        const found = this.#numbers.get(bytes.toString('hex'));
        if (found !== undefined) return `${found.column} as a number`;
      }
    }
    return undefined;
  }
}

const reversed = (text: string): string => Array.from(text).toReversed().join('');
const dense = (text: string): string => text.toLowerCase().replaceAll(/[^a-z0-9]/g, '');

function plainForms(canary: Canary): readonly Needle[] {
  const { value } = canary;
  const bytes = Buffer.from(value);
  const wide = Buffer.from(value, 'utf16le');
  const forms: (readonly [string, string])[] = [
    ['as it is', value],
    ['reversed', reversed(value)],
    ['in hexadecimal', bytes.toString('hex')],
    ['as UTF-16', wide.toString('latin1')],
    ['percent-encoded', encodeURIComponent(value)],
  ];
  // Three offsets of base64, without the characters that neighbours decide.
  for (const pad of [0, 1, 2]) {
    const encoded = Buffer.concat([Buffer.alloc(pad), bytes]).toString('base64');
    forms.push(['in base64', encoded.slice(pad === 0 ? 0 : 4, Math.floor(bytes.length / 3) * 4)]);
  }
  return needles(canary, forms);
}

function denseForms(canary: Canary): readonly Needle[] {
  const value = dense(canary.value);
  return needles(canary, [
    ['as it is', value],
    ['reversed', reversed(value)],
  ]);
}

/** Numbers are whole values: a longer number may hold a short one by chance. */
function needles(canary: Canary, forms: readonly (readonly [string, string])[]): Needle[] {
  return forms
    .map(([form, text]) => ({ canary, form, text: text.toLowerCase() }))
    .filter(({ text }) => text.length >= 8);
}

/** Hexadecimal of the cells in which a number can stand. */
function numberForms(canary: Canary): readonly (readonly [string, Canary])[] {
  const number = BigInt(canary.value);
  const eight = Buffer.alloc(8);
  eight.writeBigInt64BE(number);
  const double = Buffer.alloc(8);
  double.writeDoubleBE(Number(number));
  const cells = [Buffer.from(canary.value), eight, double];
  if (number < 2n ** 31n) cells.push(eight.subarray(4));
  return cells.map((cell) => [cell.toString('hex'), canary] as const);
}
