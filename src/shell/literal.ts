/**
 * A second reading of words, besides the parser's: what a word without expansions is after quote
 * removal. Both must agree, else the word counts as not known.
 */

/** The word of a source text; undefined when it has an expansion, or is not read alike by shells. */
export function literalWord(source: string, shell: 'bash' | 'sh'): string | undefined {
  let out = '';
  let at = 0;
  while (at < source.length) {
    const char = source[at] ?? '';
    if (char === "'") {
      const end = source.indexOf("'", at + 1);
      if (end < 0) return undefined;
      out += source.slice(at + 1, end);
      at = end + 1;
    } else if (char === '"') {
      const inside = doubleQuoted(source, at + 1);
      if (inside === undefined) return undefined;
      out += inside.text;
      at = inside.end;
    } else if (char === '\\') {
      const next = source[at + 1];
      if (next === undefined) return undefined;
      if (next !== '\n') out += next;
      at += 2;
    } else if (char === '$' && source[at + 1] === "'") {
      const inside = shell === 'bash' ? ansiQuoted(source, at + 2) : undefined;
      if (inside === undefined) return undefined;
      out += inside.text;
      at = inside.end;
    } else if (/[\w%+,./:=@^#!\]-]/.test(char)) {
      out += char;
      at += 1;
    } else if ((char === '{' || char === '}') && harmlessBraces(source)) {
      out += char;
      at += 1;
    } else {
      return undefined;
    }
  }
  return out;
}

interface Piece {
  readonly text: string;
  readonly end: number;
}

function doubleQuoted(source: string, start: number): Piece | undefined {
  let text = '';
  for (let at = start; at < source.length; at += 1) {
    const char = source[at] ?? '';
    if (char === '"') return { text, end: at + 1 };
    if (char === '$' || char === '`') {
      // A dollar before a blank or the closing quote is itself.
      if (char === '`' || !/^[ "]/.test(source.slice(at + 1))) return undefined;
      text += char;
    } else if (char === '\\') {
      at += 1;
      const next = source[at] ?? '';
      if (next === '\n') continue;
      text += /[$`"\\]/.test(next) ? next : `\\${next}`;
    } else {
      text += char;
    }
  }
  return undefined;
}

const ansiEscapes: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  '\\': '\\',
  "'": "'",
  '"': '"',
};

function ansiQuoted(source: string, start: number): Piece | undefined {
  let text = '';
  for (let at = start; at < source.length; at += 1) {
    const char = source[at] ?? '';
    if (char === "'") return { text, end: at + 1 };
    if (char !== '\\') {
      text += char;
      continue;
    }
    at += 1;
    const escaped = source[at] ?? '';
    const hex = /^x([2-7][0-9a-fA-F])(?![0-9a-fA-F])/.exec(source.slice(at, at + 4));
    const plain = Object.hasOwn(ansiEscapes, escaped) ? ansiEscapes[escaped] : undefined;
    // Everything else (octal, Unicode, control) is possible, and not worth a mistake.
    if (hex?.[1] === undefined && plain === undefined) return undefined;
    text += plain ?? String.fromCharCode(Number.parseInt(hex?.[1] ?? '', 16));
    if (plain === undefined) at += 2;
  }
  return undefined;
}

/** `{}`, which no shell expands. */
const harmlessBraces = (source: string): boolean => /^[^{}]*\{\}[^{}]*$/.test(source);
