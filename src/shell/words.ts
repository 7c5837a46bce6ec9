/**
 * Words of the parser to arguments. What a word becomes is said only where it is certain; every
 * expansion in it is looked at, whether its result is known or not, since it runs all the same.
 */
import type {
  DoubleQuotedChild,
  ParameterExpansionPart,
  ParameterOperation,
  SimpleExpansionPart,
  Word,
  WordPart,
} from 'unbash';
import {
  anyArgument,
  type Argument,
  isGlob,
  numberArgument,
  type PathPattern,
  textArgument,
} from './arguments.ts';
import { literalWord } from './literal.ts';
import { isPlainName } from './scope.ts';

/** What the words of a command are read with. */
export interface WordReader {
  readonly shell: 'bash' | 'sh';
  /** The value of a variable in this place; undefined when nothing is known of it. */
  variable(name: string): Argument | undefined;
  /** A nested script, in `$(…)`, backquotes or `<(…)`. */
  nested(part: WordPart): void;
  /** An arithmetic expansion; true when it is certain that it evaluates nothing but numbers. */
  arithmetic(part: WordPart): boolean;
  /** Whether the home's path stays one word without quotes. */
  readonly homeIsTame: boolean;
  /** Something that makes the whole analysis partial. */
  doubt(reason: string): void;
}

/** The argument that a word becomes. */
export function readWord(word: Word, reader: WordReader): Argument {
  const literal = literalWord(word.text, reader.shell);
  if (literal !== undefined) {
    if (literal === word.value) return textArgument(literal);
    reader.doubt('a word that can be read in two ways');
    return anyArgument;
  }
  const parts = word.parts;
  if (parts === undefined) return bareWord(word.text, word.value, reader);
  // Each doubles the words, or more.
  if (parts.filter((part) => part.type === 'BraceExpansion').length > 4) {
    reader.doubt('braces that make very many words');
  }
  let single = true;
  for (const part of parts) {
    if (!examine(part, reader, false)) single = false;
  }
  const pattern = pathPattern(parts, reader);
  if (pattern !== undefined) return pattern;
  if (parts.length === 1 && parts[0]?.type === 'ProcessSubstitution') return { kind: 'pipe' };
  const known = parts.length === 1 ? loneVariable(parts[0], reader) : undefined;
  if (known !== undefined) return known;
  const joined = joinedText(parts, reader);
  if (joined !== undefined) return joined;
  // `$?`, `$#`, `$$` and `$!` are numbers.
  const lead = /^\$[?#$!]$/.test(word.text) ? '0' : leadOf(parts[0], reader);
  return { kind: 'unknown', single: single || lead === '0', lead };
}

/** In some locales such a character takes the one behind it along, an operator too. */
function foreign(text: string, reader: WordReader): void {
  if (/[\u{80}-\u{10ffff}]/u.test(text)) reader.doubt('a foreign character without quotes');
}

/** A word that the parser found nothing in, but that has characters which may mean something. */
function bareWord(text: string, value: string, reader: WordReader): Argument {
  foreign(text, reader);
  if (text === '~' || text.startsWith('~/')) {
    const rest = text.slice(1);
    const plain = rest === '' ? '' : literalWord(rest, reader.shell);
    if (plain === undefined) return anyArgument;
    return { kind: 'paths', patterns: [{ text: plain, home: true }], single: true };
  }
  // A bracket without its end is itself, and so is a tilde where no path can begin.
  if (text.includes('[') && text.includes(']')) return anyArgument;
  const masked = text.replaceAll('[', '_').replace(/(?<=[^:=~])~/g, '_');
  const plain = literalWord(masked, reader.shell);
  return plain !== undefined && masked.length === value.length && text === value
    ? textArgument(text)
    : anyArgument;
}

/** The text of a part that is certain, quotes removed; `quoted` inside of double quotes. */
function plainText(
  part: WordPart | DoubleQuotedChild,
  reader: WordReader,
  quoted: boolean,
): string | undefined {
  if (part.type !== 'Literal' && part.type !== 'SingleQuoted') return undefined;
  const source = quoted && part.type === 'Literal' ? `"${part.text}"` : part.text;
  const plain = literalWord(source, reader.shell);
  return plain === part.value ? plain : undefined;
}

/** How a word surely begins. */
function leadOf(part: WordPart | undefined, reader: WordReader): string {
  if (part?.type !== 'DoubleQuoted') {
    return part === undefined ? '' : (plainText(part, reader, false) ?? '');
  }
  const [first] = part.parts;
  return first === undefined ? '' : (plainText(first, reader, true) ?? '');
}

/** A word of plain text and tildes, braces aside, with the glob characters that stand in it. */
function pathPattern(parts: readonly WordPart[], reader: WordReader): Argument | undefined {
  const start = homeBefore(parts[0], reader);
  let text = start ?? '';
  let globs = false;
  for (const part of start === undefined ? parts : parts.slice(1)) {
    if (part.type === 'Glob') {
      if (part.kind === 'bracket' && !/^\[[\w!^.,-]+\]$/.test(part.text)) return undefined;
      globs = true;
      text += part.text;
      continue;
    }
    if (part.type !== 'Literal' && part.type !== 'SingleQuoted' && part.type !== 'DoubleQuoted') {
      return undefined;
    }
    const tilde = text === '' && part.type === 'Literal' && part.text.startsWith('~');
    const source = tilde && part.text.startsWith('~/') ? part.text.slice(1) : part.text;
    const plain = literalWord(source, reader.shell);
    if (plain === undefined) return undefined;
    text += tilde ? `~${plain}` : plain;
  }
  if (start !== undefined && !text.slice(start.length).startsWith('/')) return undefined;
  const tilde = parts[0]?.type === 'Literal' && parts[0].text.startsWith('~/');
  const home = tilde || start !== undefined;
  const pattern: PathPattern = { text: tilde ? text.slice(1) : text, home };
  if (!globs) {
    return home ? { kind: 'paths', patterns: [pattern], single: true } : textArgument(text);
  }
  // A pattern whose beginning is open could become an option, or a path anywhere below.
  const fixed = pattern.text.slice(0, pattern.text.search(/[*?[]/));
  if (!home && (fixed === '' || fixed.startsWith('-'))) return undefined;
  return { kind: 'paths', patterns: [pattern], single: false };
}

/** What stands between the home and the rest of a word that begins with `$HOME` without quotes. */
function homeBefore(part: WordPart | undefined, reader: WordReader): string | undefined {
  const name = part === undefined ? undefined : variableName(part);
  const known = name === undefined ? undefined : reader.variable(name);
  if (known?.kind !== 'paths' || !known.single || known.patterns.length !== 1) return undefined;
  const [pattern] = known.patterns;
  const tame = reader.homeIsTame && /^[\w%+,./:=@-]*$/.test(pattern?.text ?? '*');
  return pattern?.home === true && tame ? pattern.text : undefined;
}

/** `$x` or `"$x"` alone, where the variable is known. */
function loneVariable(part: WordPart | undefined, reader: WordReader): Argument | undefined {
  if (part === undefined) return undefined;
  if (part.type === 'DoubleQuoted') {
    const inner = part.parts.length === 1 ? part.parts[0] : undefined;
    const name = inner === undefined ? undefined : variableName(inner);
    const known = name === undefined ? undefined : reader.variable(name);
    if (known === undefined || known.kind === 'unknown') return undefined;
    const isList = name === '@' || name?.endsWith(']') === true;
    return known.kind === 'paths' && !isList ? { ...known, single: true } : known;
  }
  const name = variableName(part);
  const known = name === undefined ? undefined : reader.variable(name);
  // Without quotes the value is split and globbed again.
  if (known?.kind === 'text' && /^[\w%+,./:=@-]+$/.test(known.text)) return known;
  if (known?.kind !== 'paths' || !known.single) return undefined;
  const tame = known.patterns.every(({ text, home }) =>
    home ? reader.homeIsTame && /^[\w%+,./:=@-]*$/.test(text) : /^[\w%+,./:=@-]+$/.test(text),
  );
  return tame ? known : undefined;
}

/** The name in `$name` and `${name}`. */
function variableName(part: WordPart | DoubleQuotedChild): string | undefined {
  if (part.type === 'SimpleExpansion') return part.text.slice(1);
  if (part.type !== 'ParameterExpansion') return undefined;
  if (part.prefix !== undefined || part.operation !== undefined) return undefined;
  if (part.index === undefined) return part.parameter;
  return part.index.text === '@' ? `${part.parameter}[@]` : undefined;
}

/** Quoted text with known variables in it, such as `"$HOME/logs"`. */
function joinedText(parts: readonly WordPart[], reader: WordReader): Argument | undefined {
  let text = '';
  let home = false;
  let first = true;
  const quotes = parts.some((part) => part.type === 'DoubleQuoted');
  for (const [part, quoted] of parts.flatMap(withQuotes)) {
    const plain = plainText(part, reader, quoted);
    const name = variableName(part);
    const known = name === undefined ? undefined : reader.variable(name);
    if (plain !== undefined) {
      text += plain;
    } else if (known?.kind === 'text' && /^[\w%+,./:=@-]*$/.test(known.text)) {
      text += known.text;
    } else if (known?.kind === 'paths' && first && known.patterns.length === 1) {
      const [pattern] = known.patterns;
      if (pattern === undefined || isGlob(pattern.text)) return undefined;
      if (!quoted && !(pattern.home && reader.homeIsTame)) return undefined;
      ({ text, home } = pattern);
    } else {
      return undefined;
    }
    first = false;
  }
  if (!home) return text === '' && !quotes ? undefined : textArgument(text);
  if (text !== '' && !text.startsWith('/')) return undefined;
  return { kind: 'paths', patterns: [{ text, home }], single: true };
}

/** The pieces of a part, each with whether it stands in double quotes. */
function withQuotes(part: WordPart): readonly (readonly [WordPart | DoubleQuotedChild, boolean])[] {
  if (part.type !== 'DoubleQuoted') return [[part, false]];
  return part.parts.map((each) => [each, true]);
}

/** Looks at what a part runs; true when it gives exactly one word. */
function examine(part: WordPart | DoubleQuotedChild, reader: WordReader, quoted: boolean): boolean {
  switch (part.type) {
    case 'Literal':
      if (!quoted) foreign(part.text, reader);
      return true;
    case 'SingleQuoted':
      return true;
    case 'DoubleQuoted':
      return part.parts.map((each) => examine(each, reader, true)).every((each) => each);
    case 'AnsiCQuoted':
      if (reader.shell === 'sh') reader.doubt("$'…' is not of every shell");
      return true;
    case 'LocaleString':
      // Translated by a catalogue of the environment.
      reader.doubt('text that is translated before it is used');
      return true;
    case 'Glob':
      return false;
    case 'BraceExpansion':
      return braces(part.text, part.parts, reader);
    case 'ExtendedGlob':
      reader.doubt('a pattern that only some shells read');
      return false;
    case 'SimpleExpansion':
    case 'ParameterExpansion': {
      const single =
        part.type === 'SimpleExpansion' ? simple(part, reader) : parameter(part, reader);
      return single && (quoted || holdsNumber(part, reader));
    }
    case 'CommandExpansion':
      reader.nested(part);
      return quoted;
    case 'ProcessSubstitution':
      reader.nested(part);
      return true;
    case 'ArithmeticExpansion':
      if (!reader.arithmetic(part)) reader.doubt('arithmetic with more than numbers');
      return true;
    default:
      return part satisfies never;
  }
}

/** Whether it is the value of a variable that surely is a number: that is not split. */
function holdsNumber(part: WordPart | DoubleQuotedChild, reader: WordReader): boolean {
  const name = variableName(part);
  return name !== undefined && isPlainName(name) && reader.variable(name) === numberArgument;
}

function simple(part: SimpleExpansionPart, reader: WordReader): boolean {
  const name = part.text.slice(1);
  if (/^[A-Za-z_]\w*$/.test(name)) reader.variable(name);
  return name !== '@' && name !== '*';
}

function braces(text: string, parts: readonly WordPart[] | undefined, reader: WordReader): boolean {
  for (const part of parts ?? []) examine(part, reader, false);
  if (reader.shell === 'sh') reader.doubt('braces are not of every shell');
  const range = /^\{(-?\d+|[a-zA-Z])\.\.(-?\d+|[a-zA-Z])(\.\.-?\d+)?\}$/.exec(text);
  const [, from = '', to = ''] = range ?? [];
  if (range !== null && Math.abs(Number(to) - Number(from)) > 10_000) {
    reader.doubt('braces that make very many words');
  }
  return false;
}

/** `${…}`: only what cannot evaluate the value of a variable as something else. */
function parameter(part: ParameterExpansionPart, reader: WordReader): boolean {
  const { operation, parameter: name } = part;
  if (part.prefix === '!') reader.doubt('a variable whose name is in another variable');
  // Everything else is evaluated as arithmetic.
  if (part.index !== undefined && !/^(@|\*|0|[1-9]\d{0,4})$/.test(part.index.text)) {
    reader.doubt('a subscript');
  }
  if (part.index !== undefined && reader.shell === 'sh') reader.doubt('an array');
  if (/^[A-Za-z_]\w*$/.test(name)) reader.variable(name);
  else if (!/^([0-9]+|[?$!#@*_-])$/.test(name)) reader.doubt('an expansion that is not known');
  if (operation !== undefined) operate(operation, reader);
  if (/^[@*]$/.test(part.index?.text ?? '')) return part.prefix === '#';
  return name !== '@' && name !== '*';
}

/** What stands behind a name in `${…}`: all of it is looked at, not all of it is certain. */
function operate(operation: ParameterOperation, reader: WordReader): void {
  switch (operation.type) {
    case 'Default':
      if (operation.operator.includes('=')) reader.doubt('an expansion that assigns');
      operand(operation.operand, reader);
      return;
    case 'Remove':
      operand(operation.operand, reader);
      return;
    case 'Replace':
      operand(operation.pattern, reader);
      operand(operation.replacement, reader);
      break;
    case 'CaseModification':
      if (operation.operand !== undefined) operand(operation.operand, reader);
      break;
    case 'Slice':
      for (const word of [operation.offset, operation.length]) {
        if (word === undefined) continue;
        operand(word, reader);
        if (!/^ ?-?(0|[1-9]\d{0,8})$/.test(word.text)) {
          reader.doubt('arithmetic with more than numbers');
        }
      }
      break;
    case 'Transform':
    case 'Names':
    case 'Unknown':
      reader.doubt('an expansion that is not in the table');
      return;
    default:
      operation satisfies never;
  }
  if (reader.shell === 'sh') reader.doubt('an expansion that is not of every shell');
}

function operand(word: Word, reader: WordReader): void {
  for (const part of word.parts ?? []) examine(part, reader, true);
}

/** Looks at what runs in a text that the shell expands without splitting, as a here-document. */
export function examineParts(parts: readonly WordPart[], reader: WordReader): void {
  for (const part of parts) examine(part, reader, true);
}
