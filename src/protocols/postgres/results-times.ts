/**
 * Dates and times in binary: days or microseconds since 2000-01-01, as the server sends them, from
 * and to ISO text. Years 1 to 9999; what lies outside (infinity, BC) has no text here, so a mask
 * that needs the value treats it as unreadable.
 */
import { int32, putInt32 } from './codec/frames.ts';

const DAY_MS = 86_400_000;
const EPOCH_2000_MS = 946_684_800_000;
const DAY_US = 86_400_000_000n;
const YEAR_1_MS = -62_135_596_800_000;
const YEAR_10000_MS = 253_402_300_800_000;

const int64 = (bytes: Uint8Array, at: number): bigint =>
  (BigInt(int32(bytes, at)) << 32n) | BigInt(int32(bytes, at + 4) >>> 0);

function put64(bytes: Uint8Array, at: number, value: bigint): void {
  putInt32(bytes, at, Number(BigInt.asIntN(32, value >> 32n)));
  putInt32(bytes, at + 4, Number(BigInt.asIntN(32, value)));
}

function dateText(days: number): string | undefined {
  const ms = EPOCH_2000_MS + days * DAY_MS;
  if (ms < YEAR_1_MS || ms >= YEAR_10000_MS) return undefined;
  return new Date(ms).toISOString().slice(0, 10);
}

/** Days since 2000-01-01 of `YYYY-MM-DD`. */
function daysOf(text: string): number | undefined {
  if (!/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(text)) return undefined;
  const ms = Date.parse(`${text}T00:00:00Z`);
  return Number.isNaN(ms) ? undefined : Math.round((ms - EPOCH_2000_MS) / DAY_MS);
}

function timeText(us: bigint): string {
  const two = (value: bigint): string => String(value).padStart(2, '0');
  const seconds = us / 1_000_000n;
  const rest = us % 1_000_000n;
  const shown = `${two(seconds / 3600n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}`;
  return rest === 0n ? shown : `${shown}.${String(rest).padStart(6, '0').replace(/0+$/, '')}`;
}

/** Microseconds of `HH:MM:SS[.ffffff]`. */
function timeOf(text: string): bigint | undefined {
  const match = /^([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,6}))?$/.exec(text);
  if (match === null) return undefined;
  const [, hours = '', minutes = '', seconds = '', fraction = ''] = match;
  const whole = BigInt(hours) * 3600n + BigInt(minutes) * 60n + BigInt(seconds);
  return whole * 1_000_000n + BigInt(fraction.padEnd(6, '0'));
}

export function decodeDate(bytes: Uint8Array, start: number, end: number): string | undefined {
  return end - start === 4 ? dateText(int32(bytes, start)) : undefined;
}

export function encodeDate(text: string): Uint8Array | undefined {
  const days = daysOf(text);
  if (days === undefined) return undefined;
  const out = new Uint8Array(4);
  putInt32(out, 0, days);
  return out;
}

export function decodeTime(bytes: Uint8Array, start: number, end: number): string | undefined {
  if (end - start !== 8) return undefined;
  const us = int64(bytes, start);
  return us >= 0n && us <= DAY_US ? timeText(us) : undefined;
}

export function encodeTime(text: string): Uint8Array | undefined {
  const us = timeOf(text);
  if (us === undefined) return undefined;
  const out = new Uint8Array(8);
  put64(out, 0, us);
  return out;
}

/** The zone is in seconds west of Greenwich. */
export function decodeTimeTz(bytes: Uint8Array, start: number, end: number): string | undefined {
  if (end - start !== 12) return undefined;
  const us = int64(bytes, start);
  if (us < 0n || us > DAY_US) return undefined;
  const east = -int32(bytes, start + 8);
  const minutes = Math.trunc(Math.abs(east) / 60);
  const two = (value: number): string => String(value).padStart(2, '0');
  const zone = `${east < 0 ? '-' : '+'}${two(Math.trunc(minutes / 60))}:${two(minutes % 60)}`;
  return `${timeText(us)}${zone}`;
}

export function encodeTimeTz(text: string): Uint8Array | undefined {
  const match = /^(.*?)([+-])([0-9]{2})(?::?([0-9]{2}))?$/.exec(text);
  const us = timeOf(match?.[1] ?? text);
  if (us === undefined) return undefined;
  const east = Number(match?.[3] ?? 0) * 3600 + Number(match?.[4] ?? 0) * 60;
  const out = new Uint8Array(12);
  put64(out, 0, us);
  putInt32(out, 8, match?.[2] === '-' ? east : -east);
  return out;
}

export function decodeTimestamp(bytes: Uint8Array, start: number, end: number): string | undefined {
  if (end - start !== 8) return undefined;
  const us = int64(bytes, start);
  const inDay = ((us % DAY_US) + DAY_US) % DAY_US;
  const date = dateText(Number((us - inDay) / DAY_US));
  return date === undefined ? undefined : `${date} ${timeText(inDay)}`;
}

export function decodeTimestampTz(
  bytes: Uint8Array,
  start: number,
  end: number,
): string | undefined {
  const text = decodeTimestamp(bytes, start, end);
  return text === undefined ? undefined : `${text}+00`;
}

/** `YYYY-MM-DD[ HH:MM:SS[.ffffff]][+00]`; another zone has no place in a mask's answer. */
export function encodeTimestamp(text: string): Uint8Array | undefined {
  const match = /^(.{10})(?:[ T](.*?))?(?:\+00(?::?00)?|Z)?$/.exec(text);
  const days = daysOf(match?.[1] ?? '');
  const us = timeOf(match?.[2] ?? '00:00:00');
  if (days === undefined || us === undefined) return undefined;
  const out = new Uint8Array(8);
  put64(out, 0, BigInt(days) * DAY_US + us);
  return out;
}

export function decodeInterval(bytes: Uint8Array, start: number, end: number): string | undefined {
  if (end - start !== 16) return undefined;
  const us = int64(bytes, start);
  const days = int32(bytes, start + 8);
  const months = int32(bytes, start + 12);
  const clock = `${us < 0n ? '-' : ''}${timeText(us < 0n ? -us : us)}`;
  return `${months} mons ${days} days ${clock}`;
}

/** `[N mons ][N days ][-]HH:MM:SS`, the forms that {@link decodeInterval} and a mask give. */
export function encodeInterval(text: string): Uint8Array | undefined {
  const match = /^(?:(-?[0-9]{1,9}) mons ?)?(?:(-?[0-9]{1,9}) days ?)?(?:(-?)([0-9:.]+))?$/.exec(
    text,
  );
  if (match === null || text === '') return undefined;
  const us = timeOf(match[4] ?? '00:00:00');
  if (us === undefined) return undefined;
  const out = new Uint8Array(16);
  put64(out, 0, match[3] === '-' ? -us : us);
  putInt32(out, 8, Number(match[2] ?? 0));
  putInt32(out, 12, Number(match[1] ?? 0));
  return out;
}
