/**
 * Shows the answers of a PostgreSQL session from the recorded bytes: rows in text form, errors,
 * notices, command tags. A pure function of the bytes, bounded: a message above the limit is
 * counted and passed over; bytes that are no messages end the showing, not the replay.
 *
 * @see https://www.postgresql.org/docs/18/protocol-message-formats.html
 */
import type { ReplayRenderer } from '#core/ports/recording-archive.ts';

const MESSAGE_BYTES_MAX = 256 * 1024;
const CELL_CHARS_MAX = 1024;
const COLUMNS_MAX = 1664; // PostgreSQL's own limit of a result

const decoder = new TextDecoder();
const strict = new TextDecoder('utf-8', { fatal: true });

/** Makes the renderer of one session. */
export function postgresRenderer(): ReplayRenderer {
  return new PostgresRenderer();
}

class PostgresRenderer implements ReplayRenderer {
  /** Bytes of a message that is not whole yet. */
  #rest: Uint8Array = new Uint8Array(0);
  /** Bytes of an oversize message still to be passed over. */
  #skip = 0;
  #lost = false;
  #copyBytes = 0;
  #columns = 0;

  render(direction: 'from-client' | 'to-client', bytes: Uint8Array): readonly string[] {
    // What the client asked is shown by the index of commands.
    if (direction === 'from-client' || this.#lost) return [];
    const lines: string[] = [];
    let at = Math.min(this.#skip, bytes.length);
    this.#skip -= at;
    const data =
      this.#rest.length === 0
        ? bytes.subarray(at)
        : Buffer.concat([this.#rest, bytes.subarray(at)]);
    at = 0;
    while (data.length - at >= 5 && !this.#lost) {
      const length = new DataView(data.buffer, data.byteOffset + at + 1, 4).getUint32(0);
      if (length < 4) {
        this.#lost = true;
        lines.push('(the rest of the answers is not in step and cannot be shown)');
        break;
      }
      const end = at + 1 + length;
      if (length > MESSAGE_BYTES_MAX) {
        lines.push(`(a message of ${length} bytes)`);
        this.#skip = Math.max(0, end - data.length);
        at = Math.min(end, data.length);
        continue;
      }
      if (end > data.length) break;
      this.#message(data[at] ?? 0, data.subarray(at + 5, end), lines);
      at = end;
    }
    this.#rest = this.#lost ? new Uint8Array(0) : new Uint8Array(data.subarray(at));
    return lines;
  }

  #message(type: number, body: Uint8Array, lines: string[]): void {
    const letter = String.fromCharCode(type);
    switch (letter) {
      case 'T':
        lines.push(this.#rowDescription(body));
        return;
      case 'D':
        lines.push(row(body, this.#columns));
        return;
      case 'C':
        lines.push(`(${cString(body, 0).text})`);
        return;
      case 'I':
        lines.push('(empty query)');
        return;
      case 's':
        lines.push('(suspended)');
        return;
      case 'E':
        lines.push(`ERROR ${fields(body)}`);
        return;
      case 'N':
        lines.push(`NOTICE ${fields(body)}`);
        return;
      case 'A':
        lines.push(`NOTIFICATION ${cString(body, 4).text}`);
        return;
      case 'd':
        this.#copyBytes += body.length;
        lines.push(`  ${cell(body)}`);
        return;
      case 'c':
        lines.push(`(copy, ${this.#copyBytes} bytes)`);
        this.#copyBytes = 0;
        return;
      default:
        // Authentication, parameters, ready, parse and bind complete: nothing to show.
        return;
    }
  }

  #rowDescription(body: Uint8Array): string {
    const count = uint16(body, 0);
    const names: string[] = [];
    let at = 2;
    for (let index = 0; index < Math.min(count, COLUMNS_MAX); index += 1) {
      const { text, end } = cString(body, at);
      if (end + 18 > body.length) break;
      names.push(text);
      at = end + 18;
    }
    this.#columns = names.length;
    return names.length === 0 ? '(no columns)' : `  ${names.join(' | ')}`;
  }
}

function row(body: Uint8Array, columns: number): string {
  const count = Math.min(uint16(body, 0), COLUMNS_MAX);
  const cells: string[] = [];
  let at = 2;
  for (let index = 0; index < count && at + 4 <= body.length; index += 1) {
    const length = new DataView(body.buffer, body.byteOffset + at, 4).getInt32(0);
    at += 4;
    if (length < 0) {
      cells.push('NULL');
      continue;
    }
    cells.push(cell(body.subarray(at, at + length)));
    at += length;
  }
  const odd = columns > 0 && count !== columns ? ` (${count} columns)` : '';
  return `  ${cells.join(' | ')}${odd}`;
}

/** Text as it is; what is no text as hexadecimal digits. */
function cell(bytes: Uint8Array): string {
  const shown = bytes.subarray(0, CELL_CHARS_MAX);
  const cut = shown.length < bytes.length ? ` … (${bytes.length} bytes)` : '';
  const text = decode(shown, cut !== '');
  return `${text ?? `\\x${Buffer.from(shown).toString('hex')}`}${cut}`;
}

function decode(bytes: Uint8Array, cut: boolean): string | undefined {
  if (bytes.includes(0)) return undefined;
  if (cut) return decoder.decode(bytes);
  try {
    return strict.decode(bytes).replaceAll('\n', '\\n');
  } catch {
    return undefined;
  }
}

/** Severity, code and message of an error or notice, then its detail and hint. */
function fields(body: Uint8Array): string {
  const found = new Map<string, string>();
  for (let at = 0; at < body.length && body[at] !== 0; ) {
    const letter = String.fromCharCode(body[at] ?? 0);
    const { text, end } = cString(body, at + 1);
    found.set(letter, text);
    at = end;
  }
  const rest = ['D', 'H'].map((letter) => found.get(letter) ?? '').filter((text) => text !== '');
  return [`${found.get('C') ?? ''}: ${found.get('M') ?? ''}`, ...rest].join('; ');
}

function cString(bytes: Uint8Array, at: number): { readonly text: string; readonly end: number } {
  const zero = bytes.indexOf(0, at);
  const end = zero < 0 ? bytes.length : zero;
  return { text: decoder.decode(bytes.subarray(at, end)), end: end + 1 };
}

const uint16 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
