/**
 * The shape of a statement: its text with the literals taken out, so that texts which differ in
 * nothing else share one analysis.
 *
 * Invariant: two texts of one shape have the same tokens, except for the values of their constants;
 * each constant is of the same type on both sides. The rules are those of PostgreSQL's scanner
 * (`scan.l`), as they are in versions 14 to 18, with `standard_conforming_strings` on. Where
 * versions differ, or anything is unusual, there is no shape, and the text stands for itself.
 */

/** One statement's shape, and where the statement stands in its text. */
export interface Shape {
  readonly key: string;
  /** In UTF-16 units, as the parser gives them: from the first token to the separator. */
  readonly start: number;
  readonly end: number;
}

/** UTF-16 units of the longest text that has a shape. */
const textMax = 16 * 1024;

/** Stands before one letter, the kind of the constant that was there. Refused in texts. */
const mark = '\u0001';

const other = 0;
const space = 1;
const word = 2;
const digit = 3;
const operator = 4;
const punctuation = 5;
const quote = 6;
const doubleQuote = 7;
const dollar = 8;

const newline = 0x0a;
const carriageReturn = 0x0d;
const singleQuoteCode = 0x27;
const doubleQuoteCode = 0x22;
const dollarCode = 0x24;
const star = 0x2a;
const minus = 0x2d;
const dot = 0x2e;
const slash = 0x2f;
const semicolon = 0x3b;
const backslash = 0x5c;

/** What each ASCII character starts. Everything above is a letter to the server. */
const classes: Uint8Array = classTable();

function classTable(): Uint8Array {
  const table = new Uint8Array(128);
  const set = (characters: string, value: number): void => {
    for (const character of characters) table[character.charCodeAt(0)] = value;
  };
  set(' \t\n\r\f\v', space);
  set('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_', word);
  set('0123456789', digit);
  set('~!@#^&|`?+-*/%<>=', operator);
  set(',()[].;:', punctuation);
  set("'", quote);
  set('"', doubleQuote);
  set('$', dollar);
  return table;
}

/** Whether an ASCII character can stand inside a name. */
const inWord: Uint8Array = classes.map((kind) =>
  kind === word || kind === digit || kind === dollar ? 1 : 0,
);

/** Behind the end of a text the code is NaN, which is in no class. */
const classOf = (code: number): number => (code >= 128 ? word : (classes[code] ?? other));
/** Whether a constant beside it could be taken for a part of it. */
const sticks = (code: number): boolean => {
  const kind = classOf(code);
  return kind === word || kind === digit || kind >= quote;
};
const isWordStart = (code: number): boolean => classOf(code) === word;

/** The shape of a text of one statement, or undefined when it has none. */
export function shapeOf(text: string): Shape | undefined {
  return text.length > textMax ? undefined : new Scan(text).run();
}

/** One pass over a text. A position of -1 stands for "no shape". */
class Scan {
  readonly #text: string;
  #key = '';
  /** Up to here the text is in the key. */
  #copied = 0;
  #start = -1;
  #end = -1;
  /** Whether the last token was a constant: two in a row may be one to the server. */
  #constantBefore = false;

  constructor(text: string) {
    this.#text = text;
  }

  run(): Shape | undefined {
    const text = this.#text;
    let at = 0;
    while (at < text.length) {
      const code = text.charCodeAt(at);
      const kind = classOf(code);
      if (kind === space) {
        at += 1;
        continue;
      }
      if (code === minus || code === slash) {
        const comment = this.#comment(at, code);
        if (comment === -1) return undefined;
        if (comment !== at) {
          at = comment;
          continue;
        }
      }
      if (code === semicolon) {
        // Behind the separator there may be more separators, and nothing else.
        if (this.#start === -1) return undefined;
        if (this.#end === -1) this.#end = at;
        at += 1;
        continue;
      }
      if (this.#end !== -1) return undefined;
      if (this.#start === -1) this.#start = at;
      const copied = this.#copied;
      at = this.#token(at, code, kind);
      const isConstant = this.#copied !== copied;
      if (at === -1 || (isConstant && this.#constantBefore)) return undefined;
      this.#constantBefore = isConstant;
    }
    if (this.#start === -1) return undefined;
    const key = this.#key + text.slice(this.#copied);
    return { key, start: this.#start, end: this.#end === -1 ? text.length : this.#end };
  }

  /** The end of the token at `at`. */
  #token(at: number, code: number, kind: number): number {
    switch (kind) {
      case word:
        return this.#word(at, code);
      case digit:
        return this.#number(at);
      case operator:
        return this.#operator(at);
      case punctuation:
        return code === dot ? this.#dot(at) : at + 1;
      case quote:
        return this.#constant(at, this.#plainEnd(at + 1), 's');
      case doubleQuote:
        return this.#quotedName(at + 1);
      case dollar:
        return this.#dollar(at);
      default:
        return -1;
    }
  }

  /** Replaces `[start, end)`, a constant, by its kind. */
  #constant(start: number, end: number, kind: string): number {
    if (end === -1) return -1;
    // `SELECT'a'`, `$1.5`, `'a'b`: legal, and too rare to reason about.
    const text = this.#text;
    if (sticks(text.charCodeAt(start - 1)) || sticks(text.charCodeAt(end))) return -1;
    this.#key += text.slice(this.#copied, start) + mark + kind;
    this.#copied = end;
    return end;
  }

  /** The end of the comment at `at`; `at` itself when there is none. Takes it out of the key. */
  #comment(at: number, code: number): number {
    const text = this.#text;
    const next = text.charCodeAt(at + 1);
    if (code === minus && next === minus) {
      let end = at + 2;
      while (end < text.length) {
        const inside = text.charCodeAt(end);
        if (inside === newline || inside === carriageReturn) break;
        end += 1;
      }
      return this.#drop(at, end);
    }
    if (code !== slash || next !== star) return at;
    let depth = 1;
    let end = at + 2;
    while (depth > 0) {
      if (end >= text.length) return -1;
      const inside = text.charCodeAt(end);
      const behind = text.charCodeAt(end + 1);
      if (inside === slash && behind === star) {
        depth += 1;
        end += 2;
      } else if (inside === star && behind === slash) {
        depth -= 1;
        end += 2;
      } else {
        end += 1;
      }
    }
    return this.#drop(at, end);
  }

  /** A comment separates tokens as a space does. */
  #drop(start: number, end: number): number {
    this.#key += `${this.#text.slice(this.#copied, start)} `;
    this.#copied = end;
    return end;
  }

  /** A name or keyword, or a constant with a prefix. */
  #word(at: number, code: number): number {
    const text = this.#text;
    const next = text.charCodeAt(at + 1);
    // Lower case for ASCII letters.
    const letter = code | 0x20;
    if (next === singleQuoteCode) {
      if (letter === 0x65) return this.#constant(at, this.#escapedEnd(at + 2), 's');
      if (letter === 0x62) return this.#constant(at, this.#bitsEnd(at + 2), 'b');
      if (letter === 0x78) return this.#constant(at, this.#bitsEnd(at + 2), 'x');
    } else if (next === 0x26 && letter === 0x75) {
      // `U&'…'` and `U&"…"`: their escapes depend on a literal behind them (UESCAPE).
      return -1;
    }
    const { length } = text;
    let end = at + 1;
    while (end < length) {
      const rest = text.charCodeAt(end);
      if (rest < 128 && inWord[rest] === 0) break;
      end += 1;
    }
    return end;
  }

  /** An integer or a decimal. Its kind is the type that the server gives it. */
  #number(at: number): number {
    const text = this.#text;
    let end = this.#digits(at);
    let integer = end > at;
    if (text.charCodeAt(end) === dot) {
      integer = false;
      end = this.#digits(end + 1);
    }
    if ((text.charCodeAt(end) | 0x20) === 0x65) {
      const sign = text.charCodeAt(end + 1);
      const from = sign === minus || sign === 0x2b ? end + 2 : end + 1;
      const exponentEnd = this.#digits(from);
      if (exponentEnd === from) return -1;
      integer = false;
      end = exponentEnd;
    }
    // `0x1f`, `1_000`, `1a`: versions do not agree. `1..2` is 1, `..`, 2, in no statement.
    const next = text.charCodeAt(end);
    if (isWordStart(next) || next === dot) return -1;
    const kind = integer ? integerKind(text, at, end) : 'n';
    return kind === undefined ? -1 : this.#constant(at, end, kind);
  }

  /** A dot between names, or the start of a decimal: no name starts with a digit. */
  #dot(at: number): number {
    const next = this.#text.charCodeAt(at + 1);
    if (next === dot) return -1;
    return classOf(next) === digit ? this.#number(at) : at + 1;
  }

  #digits(at: number): number {
    let end = at;
    while (classOf(this.#text.charCodeAt(end)) === digit) end += 1;
    return end;
  }

  /** A run of operator characters, up to a comment in it. */
  #operator(at: number): number {
    const text = this.#text;
    let end = at + 1;
    while (end < text.length) {
      const code = text.charCodeAt(end);
      if (classOf(code) !== operator) break;
      const next = text.charCodeAt(end + 1);
      if ((code === minus && next === minus) || (code === slash && next === star)) break;
      end += 1;
    }
    return end;
  }

  /** The end of a quoted name. */
  #quotedName(at: number): number {
    const text = this.#text;
    for (let end = at; end < text.length; end += 1) {
      const code = text.charCodeAt(end);
      if (code < 0x20) return -1;
      if (code === doubleQuoteCode) {
        if (text.charCodeAt(end + 1) !== doubleQuoteCode) return end + 1;
        end += 1;
      }
    }
    return -1;
  }

  /** A parameter (kept) or a string in dollars. */
  #dollar(at: number): number {
    const text = this.#text;
    if (classOf(text.charCodeAt(at + 1)) === digit) {
      const end = this.#digits(at + 1);
      return isWordStart(text.charCodeAt(end)) ? -1 : end;
    }
    let end = at + 1;
    while (end < text.length && text.charCodeAt(end) !== dollarCode) {
      const kind = classOf(text.charCodeAt(end));
      if (kind !== word && (kind !== digit || end === at + 1)) return -1;
      end += 1;
    }
    if (end >= text.length) return -1;
    const delimiter = text.slice(at, end + 1);
    const close = text.indexOf(delimiter, end + 1);
    return close === -1 ? -1 : this.#constant(at, close + delimiter.length, 's');
  }

  /** The end of a string without escapes, whose first character is at `at`. */
  #plainEnd(at: number): number {
    const text = this.#text;
    let from = at;
    for (;;) {
      const close = text.indexOf("'", from);
      if (close === -1) return -1;
      if (text.charCodeAt(close + 1) === singleQuoteCode) {
        from = close + 2;
        continue;
      }
      const more = continued(text, close + 1);
      if (more <= 0) return more === 0 ? close + 1 : -1;
      from = more;
    }
  }

  /** The same for bits, in which a quote cannot be doubled, and which never go on here. */
  #bitsEnd(at: number): number {
    const text = this.#text;
    const close = text.indexOf("'", at);
    const ends = text.charCodeAt(close + 1) !== singleQuoteCode && continued(text, close + 1) === 0;
    return close !== -1 && ends ? close + 1 : -1;
  }

  /** The same for a string in which a backslash takes the character behind it. */
  #escapedEnd(at: number): number {
    const text = this.#text;
    let end = at;
    while (end < text.length) {
      const code = text.charCodeAt(end);
      if (code === backslash) {
        end += 2;
      } else if (code !== singleQuoteCode) {
        end += 1;
      } else if (text.charCodeAt(end + 1) === singleQuoteCode) {
        end += 2;
      } else {
        const more = continued(text, end + 1);
        if (more <= 0) return more === 0 ? end + 1 : -1;
        end = more;
      }
    }
    return -1;
  }
}

/**
 * `int4`, `int8` and `numeric` are chosen by size. Undefined for the two numbers whose type depends
 * on whether a minus stands before them.
 */
function integerKind(text: string, start: number, end: number): string | undefined {
  let from = start;
  while (from < end - 1 && text.charCodeAt(from) === 0x30) from += 1;
  const length = end - from;
  if (length < 10) return 'i';
  if (length > 19) return 'n';
  const digits = text.slice(from, end);
  if (digits === '2147483648' || digits === '9223372036854775808') return undefined;
  if (length === 10 && digits <= '2147483647') return 'i';
  return length < 19 || digits <= '9223372036854775807' ? 'l' : 'n';
}

/**
 * Where a string goes on that closed just before `at`: behind white space with a line break in it
 * and another quote. 0 when it ends there, and -1 when there is a line comment on the way: the
 * server goes on, libpg-query does not.
 */
function continued(text: string, at: number): number {
  let broken = false;
  let commented = false;
  let end = at;
  while (end < text.length) {
    const code = text.charCodeAt(end);
    if (code === newline || code === carriageReturn) {
      broken = true;
      end += 1;
    } else if (classOf(code) === space) {
      end += 1;
    } else if (code === minus && text.charCodeAt(end + 1) === minus) {
      commented = true;
      while (end < text.length) {
        const inside = text.charCodeAt(end);
        if (inside === newline || inside === carriageReturn) break;
        end += 1;
      }
    } else {
      if (!broken || code !== singleQuoteCode) return 0;
      return commented ? -1 : end + 1;
    }
  }
  return 0;
}
