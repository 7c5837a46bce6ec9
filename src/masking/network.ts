/** Addresses of networks and devices. */
import { classOf, isDigit, isHex, isWord } from './bytes.ts';
import type { Scan } from './scan.ts';

const COLON = 58;
const DASH = 45;
const DOT = 46;
/** Characters of the longest IPv6 address, and a colon behind it. */
const ADDRESS_MAX = 40;

/**
 * Adds the IPv4 address that starts at `at`, unless it is one that names nobody: private,
 * loopback, documentation, multicast, masks, or part of a version.
 */
export function findIpv4(scan: Scan, at: number, detector: number): boolean {
  let here = at;
  let address = 0;
  for (let part = 0; part < 4; part += 1) {
    const from = here;
    let value = 0;
    while (here - from < 4 && (classOf(scan.bytes, here) & isDigit) !== 0 && here < scan.end) {
      value = value * 10 + scan.byte(here) - 48;
      here += 1;
    }
    if (here === from || value > 255 || (here - from > 1 && scan.byte(from) === 48)) return false;
    address = address * 256 + value;
    if (part < 3) {
      if (scan.byte(here) !== DOT) return false;
      here += 1;
    }
  }
  scan.spend(here - at);
  // A fifth part, letters or a sign that joins: a version or a name.
  const next = scan.byte(here);
  if (!scan.isEnd(here) || next === 95 || (next === DOT && scan.isEnd(here + 1) === false))
    return false;
  if (next === DASH && !scan.isEnd(here + 1)) return false;
  if (isSpecialIpv4(address) || !isIpv4Start(scan, at)) return false;
  scan.add(at, here, detector, 0.85);
  return true;
}

/** `Chrome/124.0.6.1`, `v1.2.3.4`, `version 1.2.3.4` and `1.2.3.4.5` are no addresses. */
function isIpv4Start(scan: Scan, at: number): boolean {
  const before = scan.byte(at - 1);
  if (!scan.isStart(at) || before === DOT || before === DASH || before === 95) return false;
  if (before === 47 && (classOf(scan.bytes, at - 2) & isWord) !== 0) return false;
  if (at - scan.start < 2) return true;
  let end = at - 1;
  while (end > scan.start && !isLetterAt(scan, end - 1) && at - end < 4) end -= 1;
  let start = end;
  while (start > scan.start && isLetterAt(scan, start - 1) && end - start < 10) start -= 1;
  return start === end || !VERSION_WORDS.has(scan.latin1(start, end).toLowerCase());
}

const VERSION_WORDS: ReadonlySet<string> = new Set(
  'v ver version build firmware fw release rev revision rv'.split(' '),
);

function isLetterAt(scan: Scan, at: number): boolean {
  const byte = scan.byte(at) | 0x20;
  return byte >= 97 && byte <= 122;
}

/** Networks that name nobody (RFC 6890 and its like), as first address and prefix length. */
const SPECIAL: readonly (readonly [number, number])[] = (
  [
    [0, 0, 0, 8],
    [10, 0, 0, 8],
    [100, 64, 0, 10],
    [127, 0, 0, 8],
    [169, 254, 0, 16],
    [172, 16, 0, 12],
    [192, 0, 0, 24],
    [192, 0, 2, 24],
    [192, 168, 0, 16],
    [198, 18, 0, 15],
    [198, 51, 100, 24],
    [203, 0, 113, 24],
    [224, 0, 0, 3],
  ] as const
).map(([a, b, c, bits]) => [((a * 256 + b) * 256 + c) * 256, 2 ** (32 - bits)]);

function isSpecialIpv4(address: number): boolean {
  // `2.0.0.0` is a version.
  if (address % 0x1000000 === 0) return true;
  for (const [first, size] of SPECIAL) if (address >= first && address < first + size) return true;
  return false;
}

/** Adds the IPv6 or MAC address around the colon or hyphen at `at`; returns up to where it looked. */
export function findColons(scan: Scan, at: number, ip: number, mac: number): number {
  const sign = scan.byte(at);
  let start = at;
  while (start > scan.start && at - start < 45 && isAddressByte(scan, start - 1, sign)) start -= 1;
  let end = at;
  while (end < scan.end && end - at < 45 && isAddressByte(scan, end, sign)) end += 1;
  scan.spend(end - start);
  const looked = end;
  if (!scan.isEnd(end) || !scan.isStart(start) || end - start > ADDRESS_MAX) return looked;
  if (isMac(scan, start, end, sign)) {
    scan.add(start, end, mac, 0.9);
    return looked;
  }
  if (sign !== COLON) return looked;
  // A key's colon may stand in front: `client:2a02::1`, and a sentence's after.
  while (end - 1 > start && scan.byte(end - 1) === COLON && scan.byte(end - 2) !== COLON) end -= 1;
  if (isIpv6(scan.latin1(start, end))) scan.add(start, end, ip, 0.9);
  return looked;
}

function isAddressByte(scan: Scan, at: number, sign: number): boolean {
  return (classOf(scan.bytes, at) & isHex) !== 0 || scan.byte(at) === sign;
}

/** Six pairs; sixteen of them are a fingerprint. */
function isMac(scan: Scan, start: number, end: number, sign: number): boolean {
  if (end - start !== 17) return false;
  let sum = 0;
  let low = true;
  for (let i = 0; i < 17; i += 1) {
    const byte = scan.byte(start + i);
    if (i % 3 === 2 ? byte !== sign : (classOf(scan.bytes, start + i) & isHex) === 0) return false;
    if (i % 3 !== 2) {
      sum |= byte ^ 48;
      low = low && (byte | 0x20) === 0x66;
    }
  }
  // All zeros is no device, all ones is everybody.
  return sum !== 0 && !low;
}

function isIpv6(text: string): boolean {
  const halves = text.split('::');
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')));
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return false;
  if (halves.length === 1 ? groups.length !== 8 : groups.length > 7 || groups.length < 2)
    return false;
  const first = Number.parseInt(groups[0] ?? '0', 16);
  // Loopback, link-local, unique local, multicast and documentation name nobody.
  const isLocal = first === 0 || (first & 0xffc0) === 0xfe80 || (first & 0xfe00) === 0xfc00;
  const isDocumentation = first === 0x2001 && Number.parseInt(groups[1] ?? '0', 16) === 0xdb8;
  return !isLocal && !isDocumentation && (first & 0xff00) !== 0xff00;
}
