/**
 * Finds the places in a piece of text that are worth a look: an at sign, the start of a known
 * word, a group of digits, a key and its value, a long token. AssemblyScript (SIMD); built by
 * `node tools/kernel.ts` into `module.generated.ts`. It over-approximates and never decides.
 *
 * Memory: 8 KiB with a bit for the hash of every three bytes that start a word, 32 KiB with two for
 * every four, 8 KiB with one for every three that end a short key, 8 KiB with one for every four that
 * end a longer one, the input, the events: position << 3 | kind, in no order beyond that of blocks.
 *
 * The text is read in blocks of 32 bytes, because most values are no longer; each class of bytes
 * becomes a 32-bit mask, and every question is asked of masks. Only token starts and groups of
 * digits cost time of their own.
 */

/** Bits of `wanted`, and the kinds of events. */
const AT: u32 = 1;
const WORD: u32 = 2;
const DIGITS: u32 = 3;
const KEY: u32 = 4;
const LONG: u32 = 5;
const COLONS: u32 = 6;
const TILDE: u32 = 7;

/** Where the tables are; that of the threes is at 0. */
const FOURS: usize = 8192;
const SHORT_KEYS: usize = FOURS + 32768;
const LONG_KEYS: usize = SHORT_KEYS + 8192;

/** Letters and digits in a row, of which a long token has at least as many. */
const RUN: u32 = 15;

let out: usize = 0;

// @ts-ignore: decorator
@inline
function emit(at: usize, kind: u32): void {
  store<u32>(out, (<u32>at << 3) | kind);
  out += 4;
}

// @ts-ignore: decorator
@inline
function mask2(a: v128, b: v128): u32 {
  return <u32>i8x16.bitmask(a) | (<u32>i8x16.bitmask(b) << 16);
}

// @ts-ignore: decorator
@inline
function equal(a: v128, b: v128, byte: i8): u32 {
  const wanted = i8x16.splat(byte);
  return mask2(i8x16.eq(a, wanted), i8x16.eq(b, wanted));
}

// @ts-ignore: decorator
@inline
function within(v: v128, low: i8, count: i8): v128 {
  return i8x16.lt_u(i8x16.sub(v, i8x16.splat(low)), i8x16.splat(count));
}

// @ts-ignore: decorator
@inline
function bit(wanted: u32, kind: u32): bool {
  return (wanted & (1 << kind)) != 0;
}

// @ts-ignore: decorator
@inline
function isHex(byte: u8): bool {
  return <u8>(byte - 48) < 10 || <u8>((byte | 32) - 97) < 6;
}

// @ts-ignore: decorator
@inline
function isLower(byte: u8): bool {
  return <u8>(byte - 97) < 26;
}

/** Escape, backslash, at, percent, tilde. */
// @ts-ignore: decorator
@inline
function isRare(v: v128): v128 {
  return v128.or(
    v128.or(i8x16.eq(v, i8x16.splat(0x1b)), i8x16.eq(v, i8x16.splat(0x5c))),
    v128.or(
      v128.or(i8x16.eq(v, i8x16.splat(0x40)), i8x16.eq(v, i8x16.splat(0x25))),
      i8x16.eq(v, i8x16.splat(0x7e)),
    ),
  );
}

/** What may stand between digits: a space, a hyphen, a dot, a slash, brackets. */
// @ts-ignore: decorator
@inline
function isJoint(v: v128): v128 {
  return v128.or(i8x16.eq(v, i8x16.splat(0x20)), v128.or(within(v, 0x28, 2), within(v, 0x2d, 3)));
}

/** Whether a date stands at `at`, alone or before a time: digits in which nothing is looked for. */
function isDate(at: usize, digits: u32): bool {
  const century = load<u16>(at);
  // 19 and 20, little-endian; with the hour there are ten digits.
  if (digits > 10 || (century != 0x3931 && century != 0x3032)) return false;
  if (load<u8>(at, 4) != 0x2d || load<u8>(at, 7) != 0x2d) return false;
  const after = load<u8>(at, 10);
  return !isWord(load<u8>(at - 1)) && after != 0x2d && after - 48 >= 10;
}

/** Whether a byte continues a word. */
// @ts-ignore: decorator
@inline
function isWord(byte: u8): bool {
  return <u8>((byte | 32) - 97) < 26 || <u8>(byte - 48) < 10 || byte >= 0x80;
}

/** The bits of the block at `base` for the bytes from `from` to `to`. */
function within32(base: u32, from: u32, to: u32): u32 {
  const low = from > base ? from - base : 0;
  const high = to > base ? to - base : 0;
  if (low >= 32) return 0;
  return below(high) & ~((<u32>1 << low) - 1);
}

/** Of 16 bytes those that are hexadecimal digits. */
// @ts-ignore: decorator
@inline
function hexMask(v: v128): u32 {
  const letter = within(v128.or(v, i8x16.splat(32)), 97, 6);
  return <u32>i8x16.bitmask(v128.or(within(v, 48, 10), letter));
}

/** Whether 36 bytes at `at` are a UUID and no more than that. */
function isUuid(at: usize): bool {
  // Hyphens at 8, 13, 18 and 23, hexadecimal digits elsewhere; the last 16 overlap those before.
  if (hexMask(v128.load(at)) != 0xdeff || hexMask(v128.load(at, 16)) != 0xff7b) return false;
  if (hexMask(v128.load(at, 20)) != 0xfff7) return false;
  if (load<u8>(at, 8) != 0x2d || load<u8>(at, 13) != 0x2d) return false;
  if (load<u8>(at, 18) != 0x2d || load<u8>(at, 23) != 0x2d) return false;
  const after = load<u8>(at, 36);
  const before = load<u8>(at - 1);
  return !isHex(after) && after != 0x2d && !isHex(before) && before != 0x2d;
}

/** The lowest `count` bits. */
// @ts-ignore: decorator
@inline
function below(count: u32): u32 {
  return count >= 32 ? ~<u32>0 : (<u32>1 << count) - 1;
}

/** Reports a run of letters and digits that may be an identifier. */
function closeToken(text: usize, start: u32, end: u32, longMin: u32, isMixed: bool): void {
  if (end - start >= longMin && (isMixed || load<u8>(text + end) == 0x2d)) emit(start, LONG);
}

/** Whether digits stand between small letters: in a hash, not in an identifier. */
function isInside(text: usize, start: i32, end: u32, digits: u32): bool {
  return (
    end - <u32>start == digits && start > 0 &&
    isLower(load<u8>(text + start - 1)) && isLower(load<u8>(text + end))
  );
}

/** Whether a key, or what may stand between it and its sign, can end with the byte. */
// @ts-ignore: decorator
@inline
function endsKey(byte: u8): bool {
  return (
    isWord(byte) || byte == 0x22 || byte == 0x27 || byte == 0x20 || byte == 0x5d || byte == 0x5f
  );
}

/** Whether what stands before the sign at `at` ends as a known key does, or it begins a URL. */
function mayEndKey(at: usize): bool {
  if (load<u16>(at, 1) == 0x2f2f) return true;
  // Quotes, spaces and brackets between the key and the sign.
  let last = at - 1;
  for (let skipped = 0; skipped < 6; skipped++) {
    const byte = load<u8>(last);
    if (byte != 0x22 && byte != 0x27 && byte != 0x60 && byte != 0x20 && byte != 0x5c && byte != 0x5d) break;
    last--;
  }
  const four = load<u32>(last - 3) | 0x20202020;
  // Other scripts and letters with accents are few.
  if ((four & 0x80808000) != 0) return true;
  const short = ((four >> 8) * 0x9e3779b1) >> 16;
  if ((load<u8>(SHORT_KEYS + (short >> 3)) >> <u8>(short & 7)) & 1) return true;
  const long = (four * 0x85ebca6b) >> 16;
  if ((load<u8>(LONG_KEYS + (long >> 3)) >> <u8>(long & 7)) & 1) return true;
  // Numbers at the end of a key say nothing.
  return load<u8>(last) - 48 < 10;
}

/**
 * Writes the events of `length` bytes at `text` to `events`. Returns how many, times eight, with what
 * else was seen in the low bits: 1 an escape, 2 other than ASCII, 4 a backslash.
 * The caller keeps room for 80 bytes after the text, and for two events per byte.
 *
 * @param digitsMin - digits that a group needs to be worth a look (unless it has three dots).
 * @param longMin - letters and digits that a token needs.
 */
export function find(
  text: usize, length: u32, events: usize, wanted: u32, digitsMin: u32, longMin: u32,
): u32 {
  out = events;
  let seen: u32 = 0;
  // Only addresses are worth a look for their dots.
  const dotted = bit(wanted, COLONS);
  // What an earlier text left behind must not look like the end of this one.
  const zero = i8x16.splat(0);
  const after = text + length;
  v128.store(after, zero);
  v128.store(after, zero, 16);
  v128.store(after, zero, 32);
  v128.store(after, zero, 48);
  v128.store(after, zero, 64);
  store<u8>(text - 1, 0);
  // Carries from block to block, each as the mask of the block before.
  let alnumBefore: u32 = 0;
  let backslashBefore: u32 = 0;
  let percentBefore: u32 = 0;
  let colonBefore: u32 = 0;
  let colonPairBefore: u32 = 0;
  let dashBefore: u32 = 0;
  let dashPairBefore: u32 = 0;
  // The open group of digits, and the open token, relative to the text.
  let groupStart: i32 = -1;
  let groupDigits: u32 = 0;
  let groupDots: u32 = 0;
  let tokenStart: i32 = -1;
  let tokenIsMixed = false;
  // The last UUID.
  let uuidStart: u32 = 0;
  let uuidEnd: u32 = 0;

  for (let base: u32 = 0; base < length; base += 32) {
    const at = text + base;
    const a = v128.load(at);
    const b = v128.load(at, 16);

    const digit = mask2(within(a, 48, 10), within(b, 48, 10));
    const lower = i8x16.splat(32);
    const letter = mask2(within(v128.or(a, lower), 97, 26), within(v128.or(b, lower), 97, 26));
    const high = mask2(a, b);
    // Bytes of other scripts continue a word.
    const alnum = digit | letter | high;
    if (high != 0) seen |= 2;
    // Most blocks have none of these.
    let backslash: u32 = 0;
    let percent: u32 = 0;
    if (v128.any_true(v128.or(isRare(a), isRare(b)))) {
      backslash = equal(a, b, 0x5c);
      percent = equal(a, b, 0x25);
      if (backslash != 0) seen |= 4;
      if (equal(a, b, 0x1b) != 0) seen |= 1;
      if (bit(wanted, TILDE)) {
        let found = equal(a, b, 0x7e);
        while (found != 0) {
          emit(base + <u32>ctz(found), TILDE);
          found &= found - 1;
        }
      }
      if (bit(wanted, AT)) {
        let found = equal(a, b, 0x40);
        while (found != 0) {
          emit(base + <u32>ctz(found), AT);
          found &= found - 1;
        }
        found = percent;
        while (found != 0) {
          // %40, little-endian.
          const offset = <u32>ctz(found);
          if (load<u16>(at + offset, 1) == 0x3034) emit(base + offset, AT);
          found &= found - 1;
        }
      }
    }
    if (bit(wanted, WORD)) {
      // After an escape (\n) or an encoded byte (%3D) a word starts, although a letter precedes.
      const fresh =
        (backslash << 2) | (backslashBefore >> 30) | (percent << 3) | (percentBefore >> 29);
      let starts = alnum & (~((alnum << 1) | (alnumBefore >> 31)) | fresh);
      while (starts != 0) {
        const offset = <u32>ctz(starts);
        starts &= starts - 1;
        // Letters fold; the same folding of digits and signs only merges a few of them.
        const three = (load<u32>(at + offset) | 0x20202020) & 0xffffff;
        const hash = (three * 0x9e3779b1) >> 16;
        if ((load<u8>(hash >> 3) >> <u8>(hash & 7)) & 1) {
          // A second table knows the fourth byte too; it is fuller, so it is asked second.
          const four = load<u32>(at + offset) | 0x20202020;
          const more = (four * 0x85ebca6b) >> 14;
          if ((load<u8>(FOURS + (more >> 3)) >> <u8>(more & 7)) & 1) {
            const again = (four * 0xc2b2ae35) >> 14;
            if ((load<u8>(FOURS + (again >> 3)) >> <u8>(again & 7)) & 1) emit(base + offset, WORD);
          }
        }
      }
    }
    backslashBefore = backslash;
    percentBefore = percent;

    const colon = equal(a, b, 0x3a);
    const dash = equal(a, b, 0x2d);
    if ((colon | dash) == 0) {
      colonPairBefore = 0;
      dashPairBefore = 0;
    } else if (bit(wanted, COLONS)) {
      // The third of three colons or a double one (IPv6, MAC), or of three dashes at one distance.
      const pair =
        colon &
        ((colon << 1) | (colonBefore >> 31) | (colon << 2) | (colonBefore >> 30) |
          (colon << 3) | (colonBefore >> 29) | (colon << 4) | (colonBefore >> 28) |
          (colon << 5) | (colonBefore >> 27));
      const third =
        pair &
        ((pair << 1) | (colonPairBefore >> 31) | (pair << 2) | (colonPairBefore >> 30) |
          (pair << 3) | (colonPairBefore >> 29) | (pair << 4) | (colonPairBefore >> 28) |
          (pair << 5) | (colonPairBefore >> 27));
      const double = colon & ((colon << 1) | (colonBefore >> 31));
      const dashPair = dash & ((dash << 3) | (dashBefore >> 29));
      const dashThird = dashPair & ((dashPair << 3) | (dashPairBefore >> 29));
      let found = third | double | dashThird;
      while (found != 0) {
        emit(base + <u32>ctz(found), COLONS);
        found &= found - 1;
      }
      colonPairBefore = pair;
      dashPairBefore = dashPair;
    }
    colonBefore = colon;
    dashBefore = dash;

    if (bit(wanted, KEY)) {
      // `=` after anything that can end a key, `:` after the same but a digit (that is a time).
      const equals = equal(a, b, 0x3d);
      const sign = equals | colon;
      // Most blocks have neither.
      if (sign != 0) {
        const quote = equal(a, b, 0x22) | equal(a, b, 0x27);
        const space = equal(a, b, 0x20);
        const close = equal(a, b, 0x5d);
        const ends = letter | high | quote | space | close | equal(a, b, 0x5f);
        // An equals sign may follow a digit too.
        const before: u32 = base > 0 && endsKey(load<u8>(at - 1)) ? 1 : 0;
        let found = sign & (((ends | (digit & (equals >> 1))) << 1) | before);
        while (found != 0) {
          const offset = <u32>ctz(found);
          if (mayEndKey(at + offset)) emit(base + offset, KEY);
          found &= found - 1;
        }
      }
    }

    if (bit(wanted, LONG)) {
      // Ends of runs, one after the other. Identifiers have capitals, or a hyphen behind them.
      const upper = mask2(within(a, 65, 26), within(b, 65, 26));
      let rest = alnum;
      if (tokenStart >= 0) {
        // The run that the block before left open.
        const count = alnum == ~<u32>0 ? 32 : <u32>ctz(~alnum);
        const window = below(count);
        tokenIsMixed = tokenIsMixed || (upper & window) != 0;
        rest &= ~window;
        if (count < 32) {
          closeToken(text, tokenStart, base + count, longMin, tokenIsMixed);
          tokenStart = -1;
        }
      }
      // Most blocks hold no run that is long enough.
      let runs = rest & (rest >> 1);
      runs &= runs >> 2;
      runs &= runs >> 4;
      runs &= runs >> (RUN - 8);
      if (longMin < RUN) runs = rest;
      while (runs != 0) {
        const start = <u32>ctz(runs);
        const gaps = ~rest >> start;
        if (gaps == 0) break;
        const end = start + <u32>ctz(gaps);
        const window = below(end) & ~below(start);
        closeToken(text, base + start, base + end, longMin, (upper & window) != 0);
        runs &= ~below(end);
      }
      // The run that is open at the end of the block.
      const open = <u32>clz(~rest);
      if (tokenStart < 0 && open > 0) {
        tokenStart = <i32>(base + 32 - open);
        tokenIsMixed = upper >> (32 - open) != 0;
      }
    }

    if (bit(wanted, DIGITS) && (digit | dash) != 0 || groupStart >= 0) {
      // Groups: digits with single separators between them.
      const dot = equal(a, b, 0x2e);
      const joint = mask2(isJoint(a), isJoint(b));
      // Digits of a UUID are no number: found by its first hyphen, left out to its end.
      let number = digit;
      let hyphens = dash;
      while (hyphens != 0) {
        const offset = <u32>ctz(hyphens);
        hyphens &= hyphens - 1;
        const hyphen = at + offset;
        if (load<u8>(hyphen, 5) != 0x2d || load<u8>(hyphen, 15) != 0x2d || base + offset < 8) continue;
        if (!isUuid(hyphen - 8)) continue;
        const start = base + offset - 8;
        uuidStart = start;
        uuidEnd = start + 36;
        // Its first digits may be in the block before, in a group that is open.
        if (groupStart >= <i32>start) groupStart = -1;
        number &= ~within32(base, start, uuidEnd);
      }
      if (uuidEnd > base) number &= ~within32(base, uuidStart, uuidEnd);
      const span = number | joint;
      let offset: u32 = 0;
      while (offset < 32) {
        if (groupStart < 0) {
          const ahead = number >> offset;
          if (ahead == 0) break;
          offset += <u32>ctz(ahead);
          groupStart = <i32>(base + offset);
          groupDigits = 0;
          groupDots = 0;
        }
        const gaps = ~span >> offset;
        const count = gaps == 0 ? 32 - offset : <u32>ctz(gaps);
        const window = count == 32 ? ~<u32>0 : (((<u32>1) << count) - 1) << offset;
        groupDigits += <u32>popcnt(number & window);
        groupDots += <u32>popcnt(dot & window);
        offset += count;
        if (offset >= 32) break;
        if (
          (groupDigits >= digitsMin && !isInside(text, groupStart, base + offset, groupDigits) &&
            !isDate(text + groupStart, groupDigits)) ||
          (dotted && groupDots >= 3 && groupDigits >= 4)
        ) {
          emit(groupStart, DIGITS);
        }
        groupStart = -1;
      }
    }
    alnumBefore = alnum;
  }
  // What the end of the text closes.
  if (tokenStart >= 0 && tokenIsMixed && length - <u32>tokenStart >= longMin) emit(tokenStart, LONG);
  if (groupStart >= 0 && (groupDigits >= digitsMin || (dotted && groupDots >= 3 && groupDigits >= 4))) {
    emit(groupStart, DIGITS);
  }
  return (<u32>((out - events) >> 2) << 3) | seen;
}
