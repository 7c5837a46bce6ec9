/**
 * Values of masked columns, and how they are found again in what a client received: as they are,
 * reversed, in hexadecimal, in base64, as binary numbers, or any six digits of them.
 *
 * Every value has nine digits that stand nowhere else in the database.
 */
import type { Received } from '../../evasion/postgres/wire.ts';
import { cellsOf } from '../../evasion/postgres/answers.ts';
import { Dice } from '../dice.ts';

/** Pieces of this many digits are a leak; shorter ones come about by chance. */
const pieceDigits = 6;

/** The canaries of one database, in the order in which its tables are filled. */
export class Canaries {
  readonly #dice: Dice;
  readonly #pieces: Map<string, string> = new Map();
  readonly #cells: Map<string, string> = new Map();

  constructor(seed: number) {
    this.#dice = Dice.seeded(seed);
  }

  /** Nine new digits, which also make an `int`. */
  next(): string {
    let digits = '';
    for (let at = 0; at < 9; at += 1) {
      // Ordinary values of the database have small digits.
      digits += this.#dice.pick(at % 4 === 3 ? ['0', '3', '5', '6'] : ['7', '8', '9']);
    }
    this.#add(digits);
    return digits;
  }

  /** A day that is in no other column. */
  nextDay(): string {
    const two = (from: number, below: number): string =>
      String(from + this.#dice.below(below)).padStart(2, '0');
    const day = `${two(17, 2)}${two(10, 90)}-${two(1, 12)}-${two(1, 28)}`;
    this.#pieces.set(day, day);
    this.#pieces.set(day.replaceAll('-', ''), day);
    const binary = Buffer.alloc(4);
    binary.writeInt32BE((Date.parse(day) - Date.parse('2000-01-01')) / 86_400_000);
    this.#cells.set(binary.toString('hex'), day);
    return day;
  }

  /** What of the canaries is in the messages; each with the form that was seen. */
  find(received: readonly Received[]): ReadonlyMap<string, string> {
    const found = new Map<string, string>();
    const text = received.map(({ body }) => body.toString('latin1')).join('\n');
    for (const [run] of text.matchAll(/[0-9A-Za-z+/-]{6,}/g)) {
      for (const length of lengths) {
        for (let at = 0; at + length <= run.length; at += 1) {
          const piece = run.slice(at, at + length);
          const canary = this.#pieces.get(piece);
          if (canary !== undefined) found.set(piece, canary);
        }
      }
    }
    for (const { type, body } of received) {
      if (type !== 'D') continue;
      for (const cell of cellsOf(body)) {
        if (cell === null || cell.length > 8) continue;
        const canary = this.#cells.get(cell.toString('hex'));
        if (canary !== undefined) found.set(cell.toString('hex'), canary);
      }
    }
    return found;
  }

  #add(digits: string): void {
    for (const text of [digits, Array.from(digits).toReversed().join('')]) {
      for (let at = 0; at + pieceDigits <= text.length; at += 1) {
        const piece = text.slice(at, at + pieceDigits);
        this.#pieces.set(piece, digits);
        this.#pieces.set(Buffer.from(piece).toString('hex'), digits);
        this.#pieces.set(Buffer.from(piece).toString('base64'), digits);
      }
    }
    const eight = Buffer.alloc(8);
    eight.writeBigInt64BE(BigInt(digits));
    const double = Buffer.alloc(8);
    double.writeDoubleBE(Number(digits));
    for (const cell of [eight, eight.subarray(4), double]) {
      this.#cells.set(cell.toString('hex'), digits);
    }
  }
}

/** Of digits and days, base64, days with dashes, and hexadecimal. */
const lengths: readonly number[] = [pieceDigits, 8, 10, 2 * pieceDigits];
