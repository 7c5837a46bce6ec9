/**
 * Masks CSV (RFC 4180) as it passes: the first row names the columns. Holds back one row. A row
 * with more cells than names is refused: nobody can say what they are.
 */
import { GatewayError } from '#core/errors.ts';
import { httpLimits } from '#core/limits.ts';
import type { BodyMasker } from './dialect.ts';
import type { FieldMasks } from './results-fields.ts';

const unsound = (detail: string): GatewayError => new GatewayError('SP_MASK_UNSOUND', { detail });
const encoder = new TextEncoder();

export class CsvMasker implements BodyMasker {
  readonly #fields: FieldMasks;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });
  #rest: string = '';
  #names: readonly string[] | undefined;
  #separator: string = ',';

  constructor(fields: FieldMasks) {
    this.#fields = fields;
  }

  push(bytes: Uint8Array, start: number, end: number): Uint8Array {
    return this.#rows(this.#decode(bytes.subarray(start, end)), false);
  }

  end(): Uint8Array {
    return this.#rows(this.#decode(undefined), true);
  }

  #decode(bytes: Uint8Array | undefined): string {
    try {
      return this.#decoder.decode(bytes, { stream: bytes !== undefined });
    } catch {
      throw unsound('CSV that is not UTF-8');
    }
  }

  #rows(more: string, isLast: boolean): Uint8Array {
    const text = this.#rest + more;
    if (text.includes('\0')) throw unsound('CSV with zero bytes');
    let out = '';
    let from = 0;
    let isQuoted = false;
    for (let at = 0; at < text.length; at += 1) {
      const unit = text[at];
      if (unit === '"') isQuoted = !isQuoted;
      if (isQuoted || (unit !== '\n' && unit !== '\r')) continue;
      // What ends a row for one reader must end it for all.
      if (unit === '\r' && text[at + 1] !== '\n') {
        if (at + 1 < text.length || isLast) throw unsound('CSV with a lone CR');
        break;
      }
      const stop = unit === '\r' ? at + 2 : at + 1;
      out += this.#row(text.slice(from, at)) + text.slice(at, stop);
      from = stop;
      at = stop - 1;
    }
    this.#rest = text.slice(from);
    if (isLast) {
      if (isQuoted) throw unsound('CSV with an open quote');
      out += this.#row(this.#rest);
      this.#rest = '';
    }
    if (this.#rest.length > httpLimits.unitBytesMax) throw unsound('a row above the limit');
    return encoder.encode(out);
  }

  #row(row: string): string {
    if (row === '') return row;
    if (this.#names === undefined) {
      this.#separator = separatorOf(row);
      const cells = splitCells(row, this.#separator);
      this.#names = cells.map((cell) => unquoted(cell));
      return cells.map((cell) => this.#cell(cell, '')).join(this.#separator);
    }
    const names = this.#names;
    const cells = splitCells(row, this.#separator);
    if (cells.length > names.length) throw unsound('a row with more cells than names');
    return cells.map((cell, index) => this.#cell(cell, names[index] ?? '')).join(this.#separator);
  }

  #cell(cell: string, name: string): string {
    const value = unquoted(cell);
    if (value === '') return cell;
    const mask = name === '' ? undefined : this.#fields.maskOf('$', name);
    const clean =
      mask === undefined
        ? this.#fields.contentText(name, value)
        : (this.#fields.replace(mask, 'text', value) ?? '');
    if (clean === undefined) return cell;
    return /[",;\t\r\n]/.test(clean) || cell.startsWith('"')
      ? `"${clean.replaceAll('"', '""')}"`
      : clean;
  }
}

/** The one of the usual separators that the first row has most of. */
function separatorOf(row: string): string {
  const count = (separator: string): number => splitCells(row, separator).length;
  return [',', ';', '\t', '|'].reduce((best, each) => (count(each) > count(best) ? each : best));
}

function splitCells(row: string, separator: string): readonly string[] {
  const cells: string[] = [];
  let from = 0;
  let isQuoted = false;
  for (let at = 0; at < row.length; at += 1) {
    if (row[at] === '"') isQuoted = !isQuoted;
    else if (!isQuoted && row[at] === separator) {
      cells.push(row.slice(from, at));
      from = at + 1;
    }
  }
  cells.push(row.slice(from));
  return cells;
}

const unquoted = (cell: string): string => {
  const trimmed = cell.trim();
  return trimmed.startsWith('"') && trimmed.endsWith('"') && trimmed.length > 1
    ? trimmed.slice(1, -1).replaceAll('""', '"')
    : trimmed;
};
