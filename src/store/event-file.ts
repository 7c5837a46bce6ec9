/**
 * The outbox: stored events as lines of JSON in a file that only grows, for sinks and for people.
 * Whole lines in number order, without gaps; a torn last line (power cut) is cut off at the next
 * start and written again from the database. It is not synced per batch, since the database is.
 */
import {
  chmodSync,
  closeSync,
  fstatSync,
  ftruncateSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname, join, parse } from 'node:path';
import { GatewayError } from '#core/errors.ts';

const READ_BYTES = 64 * 1024;
const NEWLINE = 0x0a;

/** An event as a line, with the number that it starts with. */
export interface EventLine {
  readonly number: number;
  readonly line: string;
}

/** The number of an event's line. */
export function numberOf(line: string): number {
  const value: unknown = JSON.parse(line);
  if (typeof value !== 'object' || value === null || !('number' in value)) {
    throw new GatewayError('SP_STORE', { detail: 'a line of the event file is damaged' });
  }
  const { number } = value;
  if (typeof number !== 'number' || !Number.isSafeInteger(number)) {
    throw new GatewayError('SP_STORE', { detail: 'a line of the event file is damaged' });
  }
  return number;
}

export class EventFile {
  readonly #path: string;
  readonly #rotateBytes: number;
  #fd: number;
  #size: number;
  #lastNumber: number;

  /** `path` is the file that is written now; closed ones stand beside it. */
  constructor(path: string, rotateBytes: number) {
    this.#path = path;
    this.#rotateBytes = rotateBytes;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    this.#fd = this.#open();
    this.#size = this.#cutTornLine();
    this.#lastNumber = this.#findLast();
  }

  /** Number of the last whole line, also over files that were closed; 0 when there is none. */
  get lastNumber(): number {
    return this.#lastNumber;
  }

  /** Appends lines; what was partly written when it fails is taken back. */
  append(lines: readonly EventLine[]): void {
    const fresh = lines.filter(({ number }) => number > this.#lastNumber);
    const last = fresh.at(-1);
    if (last === undefined) return;
    const bytes = Buffer.from(`${fresh.map(({ line }) => line).join('\n')}\n`);
    try {
      let at = 0;
      while (at < bytes.length) at += writeSync(this.#fd, bytes, at);
    } catch (thrown) {
      ftruncateSync(this.#fd, this.#size);
      throw thrown;
    }
    this.#size += bytes.length;
    this.#lastNumber = last.number;
    if (this.#size >= this.#rotateBytes) this.#rotate();
  }

  /** The lines of the current file with a number above `after`, in order, in bounded pieces. */
  *linesAfter(after: number): Generator<EventLine> {
    const buffer = Buffer.alloc(READ_BYTES);
    let rest = Buffer.alloc(0);
    let at = 0;
    while (at < this.#size) {
      const count = readSync(this.#fd, buffer, 0, READ_BYTES, at);
      if (count === 0) return;
      at += count;
      rest = Buffer.concat([rest, buffer.subarray(0, count)]);
      let end = rest.indexOf(NEWLINE);
      while (end >= 0) {
        const line = rest.toString('utf8', 0, end);
        const number = numberOf(line);
        if (number > after) yield { number, line };
        rest = rest.subarray(end + 1);
        end = rest.indexOf(NEWLINE);
      }
    }
  }

  close(): void {
    fsyncSync(this.#fd);
    closeSync(this.#fd);
  }

  #open(): number {
    const fd = openSync(this.#path, 'a+', 0o600);
    chmodSync(this.#path, 0o600);
    return fd;
  }

  #cutTornLine(): number {
    const { size } = fstatSync(this.#fd);
    const whole = this.#lastIndexOfNewline(size) + 1;
    if (whole < size) ftruncateSync(this.#fd, whole);
    return whole;
  }

  /** Position of the last newline below `end`, or -1. */
  #lastIndexOfNewline(end: number): number {
    const buffer = Buffer.alloc(READ_BYTES);
    let from = end;
    while (from > 0) {
      const start = Math.max(0, from - READ_BYTES);
      const count = readSync(this.#fd, buffer, 0, from - start, start);
      const at = buffer.subarray(0, count).lastIndexOf(NEWLINE);
      if (at >= 0) return start + at;
      from = start;
    }
    return -1;
  }

  #findLast(): number {
    if (this.#size > 0) {
      const start = this.#lastIndexOfNewline(this.#size - 1) + 1;
      const line = Buffer.alloc(this.#size - 1 - start);
      readSync(this.#fd, line, 0, line.length, start);
      return numberOf(line.toString('utf8'));
    }
    const { dir, name, ext } = parse(this.#path);
    let last = 0;
    for (const file of readdirSync(dir === '' ? '.' : dir)) {
      if (!file.startsWith(`${name}-`) || !file.endsWith(ext)) continue;
      const digits = file.slice(name.length + 1, file.length - ext.length);
      if (/^\d{12}$/.test(digits)) last = Math.max(last, Number(digits));
    }
    return last;
  }

  /** Closes the file under the number of its last event and starts the next. */
  #rotate(): void {
    this.close();
    const { dir, name, ext } = parse(this.#path);
    const number = String(this.#lastNumber).padStart(12, '0');
    renameSync(this.#path, join(dir, `${name}-${number}${ext}`));
    this.#fd = this.#open();
    this.#size = 0;
  }
}
