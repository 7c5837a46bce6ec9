/**
 * Makes a value coarser, so that it still sorts, groups and charts: dates to years, times to
 * hours, addresses to networks, numbers to buckets. Idempotent.
 */
import type { CellKind } from '#core/masking.ts';
import { hasOffset } from './validity.ts';

/**
 * The coarser value; undefined when the kind has none.
 *
 * @param bucket - width for numbers; days for timestamps (1 is the day, 28 or more the month, 365
 * or more the year). Undefined: the leading digit of a number, the day of a timestamp.
 */
export function generalise(
  bucket: number | undefined,
  kind: CellKind,
  text: string,
): string | undefined {
  switch (kind) {
    case 'integer':
    case 'decimal':
      return roundDown(bucket, text);
    case 'float': {
      const value = Number(text);
      return Number.isFinite(value) ? roundDown(bucket, toPlain(value)) : undefined;
    }
    case 'date':
      return toYear(text);
    case 'time':
      return /^\d\d:/.test(text) ? `${text.slice(0, 2)}:00:00` : undefined;
    case 'timestamp':
      return toDays(bucket ?? 1, text);
    case 'inet':
      return toNetwork(text);
    case 'text':
      return generaliseText(text);
    case 'boolean':
    case 'bytes':
    case 'interval':
    case 'json':
    case 'macaddr':
    case 'other':
    case 'uuid':
      return undefined;
  }
}

/** Text is coarsened only where its shape says how. */
function generaliseText(text: string): string | undefined {
  if (/^\d{4}-\d\d-\d\d$/.test(text)) return toYear(text);
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return toNetwork(text);
  return undefined;
}

function toYear(text: string): string | undefined {
  const year = /^(\d{4,6})-\d\d-\d\d$/.exec(text)?.[1];
  return year === undefined ? undefined : `${year}-01-01`;
}

function toDays(days: number, text: string): string | undefined {
  const parts = /^(\d{4,6})-(\d\d)-(\d\d)([ T])\d\d:\d\d/.exec(text);
  if (parts === null) return undefined;
  const [, year = '', month = '', day = '', gap = ' '] = parts;
  const date = `${year}-${days >= 365 ? '01' : month}-${days >= 28 ? '01' : day}`;
  const zone = hasOffset(text) ? (text.endsWith('Z') ? 'Z' : '+00') : '';
  return `${date}${gap}00:00:00${zone}`;
}

function toNetwork(text: string): string | undefined {
  const [address = ''] = text.split('/', 1);
  if (!address.includes(':')) {
    const parts = address.split('.');
    return parts.length === 4 ? `${parts.slice(0, 3).join('.')}.0` : undefined;
  }
  // An IPv4 address in an IPv6 one would need its own rule; zeros are coarser than any network.
  if (address.includes('.')) return '::';
  const [head = ''] = address.split('::', 1);
  const groups = head.split(':').filter((group) => group !== '');
  while (groups.length < 3) groups.push('0');
  return `${groups.slice(0, 3).join(':')}::`;
}

/** Rounds towards minus infinity in integers of any size. */
function roundDown(bucket: number | undefined, text: string): string | undefined {
  const parts = /^(-?)(\d+)(\.\d+)?$/.exec(text);
  if (parts === null) return undefined;
  const [, sign = '', whole = '0', rest = ''] = parts;
  const negative = sign === '-';
  const width =
    bucket === undefined
      ? 10n ** BigInt(whole.replace(/^0+(?=\d)/, '').length - 1)
      : BigInt(Math.max(1, Math.trunc(bucket)));
  const size = BigInt(whole);
  const partOver = /[1-9]/.test(rest) ? 1n : 0n;
  if (!negative) return String((size / width) * width);
  const up = (size + partOver + width - 1n) / width;
  return up === 0n ? '0' : `-${up * width}`;
}

/** The whole part of a float without an exponent, by its decimal text: exact, unlike its bits. */
function toPlain(value: number): string {
  const [, sign = '', whole = '', part = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(value)) ?? [];
  const digits = whole + part;
  const point = whole.length + Number(exponent);
  const integer = point > 0 ? digits.padEnd(point, '0').slice(0, point) : '0';
  return `${sign}${integer}${/[1-9]/.test(digits.slice(Math.max(0, point))) ? '.5' : ''}`;
}
