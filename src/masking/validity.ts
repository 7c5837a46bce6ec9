/** Which texts are values of a kind, as PostgreSQL and MySQL read them. */
import type { CellKind } from '#core/masking.ts';

const dateShape = /^(\d{4,6})-(\d\d)-(\d\d)( BC)?$/;
const timeShape = /^([01]\d|2[0-4]):[0-5]\d:[0-5]\d(\.\d{1,9})?([+-]\d\d(:\d\d){0,2})?$/;
const timestampShape =
  /^(\d{4,6}-\d\d-\d\d)[ T](([01]\d|2[0-4]):[0-5]\d:[0-5]\d(\.\d{1,9})?)(Z|[+-]\d\d(:?\d\d){0,2})?$/;
const intervalShape = /^(-?\d{1,9} (years?|mons?|days?) ?){0,3}(-?\d{1,9}:\d\d:\d\d(\.\d{1,9})?)?$/;
const uuidShape = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const macShape = /^[0-9a-f]{2}([:-][0-9a-f]{2}){5}([:-][0-9a-f]{2}){0,2}$/i;

/** Whether `value` is a value of `kind` in text form. */
export function isValid(kind: CellKind, value: string): boolean {
  switch (kind) {
    case 'text':
      return true;
    case 'integer':
      return /^-?\d{1,20}$/.test(value);
    case 'decimal':
      return /^-?\d{1,1000}(\.\d{1,1000})?$/.test(value);
    case 'float':
      return (
        /^-?\d{1,400}(\.\d{1,400})?([eE][+-]?\d{1,3})?$/.test(value) &&
        Number.isFinite(Number(value))
      );
    case 'boolean':
      return /^(t|f|true|false|0|1)$/.test(value);
    case 'date':
      return isDate(value);
    case 'time':
      return timeShape.test(value);
    case 'timestamp':
      return isTimestamp(value);
    case 'interval':
      return value !== '' && intervalShape.test(value);
    case 'uuid':
      return uuidShape.test(value);
    case 'inet':
      return isInet(value);
    case 'macaddr':
      return macShape.test(value);
    case 'json':
      return isJson(value);
    case 'bytes':
      return /^\\x([0-9a-f]{2})*$/i.test(value);
    // The set of values is not known here, so only NULL is.
    case 'other':
      return false;
  }
}

function isDate(value: string): boolean {
  const parts = dateShape.exec(value);
  if (parts === null) return false;
  const [year, month, day] = [Number(parts[1]), Number(parts[2]), Number(parts[3])];
  if (month < 1 || month > 12 || day < 1) return false;
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
  return day <= (days[month - 1] ?? 0);
}

function isTimestamp(value: string): boolean {
  const parts = timestampShape.exec(value);
  return parts !== null && isDate(parts[1] ?? '');
}

function isInet(value: string): boolean {
  const [address = '', bits] = value.split('/', 2);
  const wide = address.includes(':');
  if (bits !== undefined && !(/^\d{1,3}$/.test(bits) && Number(bits) <= (wide ? 128 : 32))) {
    return false;
  }
  if (wide) return isInet6(address);
  const parts = address.split('.');
  return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256);
}

function isInet6(address: string): boolean {
  const halves = address.split('::');
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')));
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return false;
  return halves.length === 2 ? groups.length < 8 : groups.length === 8;
}

function isJson(value: string): boolean {
  try {
    JSON.parse(value);
    return true;
  } catch {
    return false;
  }
}

/** Whether a timestamp's text form carries an offset from UTC. */
export function hasOffset(text: string): boolean {
  return /(?:[+-]\d\d(?::?\d\d){0,2}|Z)$/.test(text.slice(11));
}
