/**
 * Command lines as getopt reads them, from a table. Long options count only when they are written
 * out: an abbreviation can mean another option in another version.
 */
import type { Effect } from '#core/facts.ts';
import { type Argument, isMany, mayBeOption, textArgument, textOf } from './arguments.ts';
import type { Call } from './call.ts';
import { applyRole, type Role } from './roles.ts';

/** What a program's options and operands mean. */
export interface Grammar {
  /** What it does whatever its arguments are. */
  readonly does?: readonly Effect[];
  /** Letters of options without a value. */
  readonly flags?: string;
  /** Long options without a value, separated by blanks. */
  readonly longs?: string;
  /** Options whose value is text, by letter or long name, separated by blanks. */
  readonly texts?: string;
  /** Options with another value. */
  readonly values?: Readonly<Record<string, Role>>;
  /** Long options whose value may follow after `=`; letters whose value may be attached. */
  readonly optional?: Readonly<Record<string, Role>>;
  /** `-20` is an option. */
  readonly digits?: true;
  /** Roles of the first operands; the others have the role `rest`, the last one `last`. */
  readonly first?: readonly Role[];
  readonly rest?: Role;
  readonly last?: Role;
  /** An operand `-` is the standard input. */
  readonly dash?: true;
  /** Options with which the last operand is like the others. */
  readonly noLast?: string;
  /** Without operands it works on the folder that it is in, in this role. */
  readonly bare?: Role;
  /** Options that take folders with all that is in them; `always` for programs that always do. */
  readonly deep?: string;
  /** Options that give what the first operand would. */
  readonly instead?: string;
  /** Further effects of options. */
  readonly adds?: Readonly<Record<string, readonly Effect[]>>;
  /** An operand `@file` stands for the options and operands in that file. */
  readonly responseFiles?: true;
  /** Whether options end at the first operand. */
  readonly stops?: true;
}

/** A command line, taken apart. */
export interface Line {
  readonly options: ReadonlyMap<string, readonly Argument[]>;
  readonly operands: readonly Argument[];
}

/** Takes a command line apart. What the table does not have is a doubt. */
export function readLine(call: Call, grammar: Grammar): Line {
  const options = new Map<string, readonly Argument[]>();
  const operands: Argument[] = [];
  const reader: LineReader = {
    call,
    grammar,
    longs: new Set((grammar.longs ?? '').split(' ')),
    texts: new Set((grammar.texts ?? '').split(' ')),
    note: (name, value) => {
      const before = options.get(name) ?? [];
      options.set(name, value === undefined ? before : [...before, value]);
    },
  };
  let ended = false;
  for (let at = 0; at < call.args.length; at += 1) {
    const argument = call.args[at];
    if (argument === undefined) break;
    if (ended || !mayBeOption(argument) || textOf(argument) === '-') {
      operands.push(argument);
      if (grammar.stops === true) ended = true;
    } else if (argument.kind !== 'text') {
      call.ledger.doubt(`a word of ${call.name} that could be an option`);
      operands.push(argument);
    } else if (argument.text === '--') {
      ended = true;
    } else if (argument.text.startsWith('--')) {
      at += longOption(reader, argument.text.slice(2), call.args[at + 1]);
    } else {
      at += shortOptions(reader, argument.text.slice(1), call.args[at + 1]);
    }
  }
  return { options, operands };
}

interface LineReader {
  readonly call: Call;
  readonly grammar: Grammar;
  readonly longs: ReadonlySet<string>;
  readonly texts: ReadonlySet<string>;
  readonly note: (name: string, value: Argument | undefined) => void;
}

const has = (table: Readonly<Record<string, Role>> | undefined, name: string): boolean =>
  table !== undefined && Object.hasOwn(table, name);

/** Notes an option's value: one word, or else what follows may be something else. */
function noteValue(reader: LineReader, name: string, value: Argument | undefined): void {
  const many = value === undefined || isMany(value);
  if (many) reader.call.ledger.doubt(`the value of the option ${name} of ${reader.call.name}`);
  reader.note(name, value);
}

/** Reads `--name` or `--name=value`; answers how many further words it took. */
function longOption(reader: LineReader, text: string, next: Argument | undefined): number {
  const { call, grammar, longs, note } = reader;
  const equals = text.indexOf('=');
  const name = equals < 0 ? text : text.slice(0, equals);
  const value = equals < 0 ? undefined : textArgument(text.slice(equals + 1));
  // One letter is a short option of the table.
  const known = name.length > 1;
  if (known && (reader.texts.has(name) || has(grammar.values, name))) {
    noteValue(reader, name, value ?? next);
    return value === undefined ? 1 : 0;
  }
  if (known && has(grammar.optional, name)) {
    note(name, value);
    return 0;
  }
  if (!known || !longs.has(name) || value !== undefined) {
    call.ledger.doubt(`the option --${name.slice(0, 40)} of ${call.name}`);
  }
  note(name, undefined);
  return 0;
}

/** Reads a cluster such as `-lan5`; answers how many further words it took. */
function shortOptions(reader: LineReader, cluster: string, next: Argument | undefined): number {
  const { call, grammar, note } = reader;
  if (grammar.digits === true && /^\d+$/.test(cluster)) return 0;
  for (let at = 0; at < cluster.length; at += 1) {
    const letter = cluster[at] ?? '';
    const rest = cluster.slice(at + 1);
    if (reader.texts.has(letter) || has(grammar.values, letter)) {
      noteValue(reader, letter, rest === '' ? next : textArgument(rest));
      return rest === '' ? 1 : 0;
    }
    if (has(grammar.optional, letter)) {
      note(letter, rest === '' ? undefined : textArgument(rest));
      return 0;
    }
    if (!(grammar.flags ?? '').includes(letter)) {
      call.ledger.doubt(`the option -${letter} of ${call.name}`);
    }
    note(letter, undefined);
  }
  return 0;
}

/** Notes what a command line does, by its table. */
export function applyGrammar(call: Call, grammar: Grammar): Line {
  const { ledger } = call;
  ledger.effect(...(grammar.does ?? []));
  const line = readLine(call, grammar);
  const deep = grammar.deep === 'always' || hasAny(line, grammar.deep);
  for (const [name, values] of line.options) {
    const role = roleOf(grammar, name) ?? 'text';
    for (const value of values) applyRole(call, role, value, deep);
    const adds = grammar.adds;
    if (adds !== undefined && Object.hasOwn(adds, name)) ledger.effect(...(adds[name] ?? []));
  }
  applyOperands(call, grammar, line, deep);
  return line;
}

/** Whether a word, or the first of its patterns, may begin with an at sign. */
function mayBeginWithAt(operand: Argument): boolean {
  if (operand.kind === 'text') return operand.text.startsWith('@');
  if (operand.kind !== 'paths') return operand.kind === 'unknown' && !/^[^@]/.test(operand.lead);
  return operand.patterns.some(({ text, home }) => !home && /^[@*?[]/.test(text));
}

/** Whether a line has one of some options, separated by blanks. */
export const hasAny = (line: Line, names: string | undefined): boolean =>
  names !== undefined && names.split(' ').some((name) => line.options.has(name));

function roleOf(grammar: Grammar, name: string): Role | undefined {
  if (has(grammar.values, name)) return grammar.values?.[name];
  return has(grammar.optional, name) ? grammar.optional?.[name] : undefined;
}

function applyOperands(call: Call, grammar: Grammar, line: Line, deep: boolean): void {
  const { ledger } = call;
  const { rest } = grammar;
  const last = hasAny(line, grammar.noLast) ? undefined : grammar.last;
  const { operands } = line;
  const first = hasAny(line, grammar.instead) ? [] : (grammar.first ?? []);
  const positional = first.length > 0 || last !== undefined;
  for (const [index, operand] of operands.entries()) {
    const many = isMany(operand);
    // How many words come out decides what the others are; only before the last is it settled.
    if (positional && many && index < first.length) {
      ledger.doubt(`words of ${call.name} whose number is not known`);
    }
    const isLast = last !== undefined && index === operands.length - 1 && operands.length > 1;
    const role = first[index] ?? (isLast ? last : rest);
    if (isLast && many) ledger.doubt(`the last word of ${call.name} is not known`);
    if (grammar.dash === true && role === 'read' && textOf(operand) === '-') continue;
    if (grammar.responseFiles === true && mayBeginWithAt(operand)) {
      ledger.doubt(`a file of options for ${call.name}`);
    }
    if (role === undefined) {
      ledger.doubt(`an operand of ${call.name} that is not in the table`);
      continue;
    }
    // A copy into a folder makes files in it.
    applyRole(call, role, operand, deep || isLast);
  }
  if (grammar.bare !== undefined && operands.length <= first.length) {
    applyRole(call, grammar.bare, textArgument('.'), deep);
  }
}
