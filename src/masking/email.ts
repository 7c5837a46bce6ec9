/** E-mail addresses: from the at sign outwards. */
import { classOf, isDigit, isHigh, isLetter, isLocal } from './bytes.ts';
import type { Scan } from './scan.ts';

const LOCAL_MAX = 64;
const DOMAIN_MAX = 253;

/** Endings that are file names: `logo@2x.png`; each as its letters in a number. */
const FILE_ENDINGS: ReadonlySet<number> = new Set(
  'png jpg jpeg gif svg webp ico css js ts map html htm json xml yml yaml md txt pdf zip gz log so dll'
    .split(' ')
    .map((ending) =>
      Array.from(ending).reduce((sum, letter) => sum * 32 + letter.charCodeAt(0) - 96, 0),
    ),
);

/** Adds the address around the at sign (or `%40`) at `at`; returns its start, -1 for none. */
export function findEmail(scan: Scan, at: number, detector: number): number {
  const isEncoded = scan.byte(at) === 0x25;
  const end = domainEnd(scan, at + (isEncoded ? 3 : 1));
  if (end < 0) return -1;
  const start = localStart(scan, at);
  if (start < 0) return -1;
  // Everybody's name at a host of repositories: `git@host:path`, `ssh://git@host/path`.
  if (at - start === 3 && scan.latin1(start, at) === 'git') return -1;
  scan.add(start, end, detector, 0.97);
  return start;
}

function localStart(scan: Scan, at: number): number {
  const { bytes } = scan;
  if (scan.byte(at - 1) === 0x22) return quotedStart(scan, at);
  const from = Math.max(scan.start, at - LOCAL_MAX - 1);
  let start = at;
  while (start > from && (classOf(bytes, start - 1) & isLocal) !== 0) {
    const byte = bytes[start - 1] ?? 0;
    // These end a key or an opening more often than they are in an address.
    if (byte === 0x3d || byte === 0x3f || byte === 0x26 || byte === 0x2f || byte === 0x27) break;
    start -= 1;
  }
  scan.spend(at - start);
  while (start < at && !isLocalStart(scan.byte(start), classOf(bytes, start))) start += 1;
  const last = scan.byte(at - 1);
  return start === at || last === 0x2e || at - start > LOCAL_MAX ? -1 : start;
}

/** A local part starts with a letter, a digit, a plus or an underscore. */
function isLocalStart(byte: number, kind: number): boolean {
  return (kind & (isLetter | isDigit | isHigh)) !== 0 || byte === 0x2b || byte === 0x5f;
}

/** `"jane doe"@example.com`. */
function quotedStart(scan: Scan, at: number): number {
  const from = Math.max(scan.start, at - LOCAL_MAX - 2);
  for (let start = at - 2; start >= from; start -= 1) {
    const byte = scan.byte(start);
    if (byte === 0x0a || byte === 0x0d) return -1;
    if (byte === 0x22) return start < at - 2 ? start : -1;
  }
  return -1;
}

function domainEnd(scan: Scan, from: number): number {
  const { bytes, end } = scan;
  let at = from;
  let labelStart = from;
  let lastDot = -1;
  let good = -1;
  const stop = Math.min(end, from + DOMAIN_MAX);
  for (; at <= stop; at += 1) {
    const kind = at < stop ? classOf(bytes, at) : 0;
    const byte = at < stop ? (bytes[at] ?? 0) : 0;
    if ((kind & (isLetter | isDigit | isHigh)) !== 0) continue;
    if (byte === 0x2d && at > labelStart) continue;
    if (at === labelStart || scan.byte(at - 1) === 0x2d) break;
    if (lastDot >= 0 && isTopLevel(scan, labelStart, at)) good = at;
    if (byte !== 0x2e) break;
    lastDot = at;
    labelStart = at + 1;
  }
  scan.spend(at - from);
  return good;
}

function isTopLevel(scan: Scan, start: number, end: number): boolean {
  if (end - start < 2) return false;
  let letters = 0;
  for (let at = start; at < end; at += 1) {
    const kind = classOf(scan.bytes, at);
    if ((kind & isHigh) !== 0) return true;
    if ((kind & isLetter) === 0) return scan.latin1(start, start + 4).toLowerCase() === 'xn--';
    letters = letters * 32 + (scan.byte(at) & 31);
  }
  return end - start > 4 || !FILE_ENDINGS.has(letters);
}
