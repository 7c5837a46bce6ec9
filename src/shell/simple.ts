/** Simple commands: words, assignments, redirections, and the program or builtin that they start. */
import type {
  ArithmeticExpression,
  Assignment,
  Command,
  CommandArgument,
  Function as FunctionNode,
  Redirection,
  Word,
  WordPart,
} from 'unbash';
import {
  anyArgument,
  type Argument,
  listOf,
  numberArgument,
  shownWord,
  textArgument,
  textOf,
} from './arguments.ts';
import { isBuiltin, runBuiltin } from './builtins.ts';
import type { Call, Feed, Inner, Place } from './call.ts';
import type { ShellRedirection } from './command-record.ts';
import { type Ledger, Unreadable } from './ledger.ts';
import { literalWord } from './literal.ts';
import { type Names, noNames, readNames } from './names.ts';
import { isArithmeticText, isPlainArithmetic, type TestReader } from './numbers.ts';
import { isKnownProgram, runProgram } from './programs.ts';
import { readRedirection } from './redirections.ts';
import { applyRole } from './roles.ts';
import { forked, isDisplayVariable, isPlainName, type Scope } from './scope.ts';
import { readText } from './text.ts';
import { Walker } from './walker.ts';
import { examineParts, readWord, type WordReader } from './words.ts';

/** What is given with a text. */
export interface Setting {
  readonly shell: 'bash' | 'sh';
  readonly place: Place;
  readonly through: readonly string[];
  /** How many texts this one is in. */
  readonly depth: number;
  readonly nestingMax: number;
  readonly expansionsMax: number;
  /** Whether it runs in a shell that has variables of its own. */
  readonly isSameShell?: boolean;
}

/** Reads one text and notes all that it does. @throws Unreadable */
export function walkText(text: string, ledger: Ledger, setting: Setting, feed?: Feed): void {
  if (setting.depth > setting.nestingMax) throw new Unreadable('too deep');
  ledger.text(text.length);
  const script = readText(text, setting.expansionsMax);
  const names = readNames(script, text);
  // Variables of a shell that has others already may hold anything.
  const numbers: ReadonlySet<string> = setting.isSameShell === true ? new Set() : names.numbers;
  const simple = new Simple(ledger, setting, { ...names, numbers });
  // What the text finds on its standard input is for whichever command reads it.
  if (feed !== undefined) ledger.doubt('a shell whose commands share what they read');
  const { folders } = setting.place;
  simple.walker.script(script, { variables: new Map(), functions: new Map(), folders });
}

/** Notes what a program does that gets just these words. @throws Unreadable */
export function runWords(words: readonly string[], ledger: Ledger, setting: Setting): void {
  ledger.text(words.reduce((sum, word) => sum + word.length + 1, 0));
  new Simple(ledger, setting, noNames).words(words.map(textArgument));
}

/** The simple commands of one text. */
export class Simple {
  readonly shell: 'bash' | 'sh';
  readonly walker: Walker;
  readonly #ledger: Ledger;
  readonly #setting: Setting;
  readonly #names: Names;
  #pipeline = 0;
  #continues = false;

  constructor(ledger: Ledger, setting: Setting, names: Names) {
    this.shell = setting.shell;
    this.#ledger = ledger;
    this.#setting = setting;
    this.#names = names;
    this.walker = new Walker(this);
  }

  doubt(reason: string): void {
    this.#ledger.doubt(reason);
  }

  checkDepth(depth: number): void {
    if (depth > this.#setting.nestingMax) throw new Unreadable('too deep');
  }

  /** The next command belongs to the pipeline of the last one. */
  continuePipeline(): void {
    this.#continues = true;
  }

  /** Runs a program as nothing but its words. */
  words(args: readonly Argument[]): void {
    const { place, through } = this.#setting;
    this.#pipeline = this.#ledger.pipeline();
    const record = { redirections: [], pipeline: this.#pipeline };
    this.#run(args, { by: '', place, feed: undefined }, through, record);
  }

  /** Runs one simple command; answers what it gives to the next one in a pipeline. */
  command(node: Command, scope: Scope, feed: Feed): Feed {
    if (!this.#continues) this.#pipeline = this.#ledger.pipeline();
    this.#continues = false;
    const pipeline = this.#pipeline;
    const redirections = this.redirections(node.redirects, scope);
    const assignments = node.prefix.filter((each) => each.type === 'Assignment');
    if (node.name === undefined) {
      for (const each of assignments) this.#assignment(each, scope);
      return undefined;
    }
    const args = [node.name, ...node.args].map((each) => this.#argument(each, scope));
    const values = assignments.map((each) => this.#value(each, scope));
    const [name] = args;
    if (literalWord(node.name.text, this.shell) === undefined && name?.kind === 'text') {
      // `[` is the one name with a character that could be more.
      if (node.name.text !== '[') this.doubt('a program whose name is made when it runs');
    }
    this.#temporary(assignments, values, name?.kind === 'text' ? name.text : '');
    const record = { redirections, pipeline };
    const called = name?.kind === 'text' ? scope.functions.get(name.text) : undefined;
    if (called !== undefined) {
      this.#record(args, record, this.#setting.through);
      this.walker.call(called, args.slice(1), scope);
      return undefined;
    }
    if (/^(local|readonly)$/.test(textOf(name) ?? '')) {
      this.#record(args, record, this.#setting.through);
      this.#declare(node, scope);
      return undefined;
    }
    if (name?.kind === 'text' && this.#builtin(name.text, args.slice(1), scope)) {
      this.#record(args, record, this.#setting.through);
      return undefined;
    }
    // With another input it does not read what the command before it prints.
    const fed = redirections.some(isInput) ? undefined : feed;
    const inner = { by: '', place: this.#placeOf(scope), feed: fed };
    const out = this.#run(args, inner, this.#setting.through, record);
    // Messages, or another file, would be mixed into what the next command reads.
    return redirections.every(
      ({ descriptor, operator, target }) =>
        descriptor === 2 && operator === '>' && target === '/dev/null',
    )
      ? out
      : undefined;
  }

  /** Notes redirections, and what is in here-documents. */
  redirections(list: readonly Redirection[], scope: Scope): readonly ShellRedirection[] {
    return list.map((node) => {
      if (node.type === 'HereDoc') {
        examineParts(node.body.parts ?? [], this.#reader(scope));
        return readRedirection(node, undefined, this.#call('the shell', [], scope), this.shell);
      }
      const target = node.target === undefined ? undefined : this.word(node.target, scope);
      return readRedirection(node, target, this.#call('the shell', [], scope), this.shell);
    });
  }

  word(word: Word, scope: Scope): Argument {
    return readWord(word, this.#reader(scope));
  }

  testReader(scope: Scope): TestReader {
    return {
      word: (word) => this.word(word, scope),
      isNumber: (word, value) =>
        value === numberArgument ||
        (value.kind === 'text' && /^-?(0|[1-9]\d{0,17})$/.test(value.text)) ||
        this.#isNumberIn(word),
      look: (argument) => {
        applyRole(this.#call('[[', [], scope), 'look', argument);
      },
      doubt: (reason) => {
        this.doubt(reason);
      },
    };
  }

  /** Gives a variable a value, if a script may set it. */
  assign(name: string, value: Argument, scope: Scope): void {
    if (!isPlainName(name)) this.doubt(`the variable ${name.slice(0, 40)}`);
    const isNumber = this.#names.numbers.has(name);
    const changing = this.#names.changing.has(name);
    const held = changing ? anyArgument : value;
    scope.variables.set(name, isNumber && held.kind === 'unknown' ? numberArgument : held);
    scope.variables.delete(`${name}[@]`);
  }

  /** A function by its name, unless that could also be something else. */
  define(node: FunctionNode, scope: Scope): void {
    const name = literalWord(node.name.text, this.shell) ?? '';
    const taken = isBuiltin(name) || isKnownProgram(name) || otherBuiltins.test(name);
    if (taken || !/^[a-z]\w{0,63}$/.test(name) || this.#names.redefined.has(name)) {
      this.doubt('a function');
    }
    scope.functions.set(name, node);
  }

  /** Whether the names in an expression, which `text` has all of, are surely numbers. */
  isArithmetic(expression: ArithmeticExpression | undefined, text?: string): boolean {
    const written = text === undefined || isArithmeticText(text);
    return written && isPlainArithmetic(expression, this.#names.numbers);
  }

  #assignment(node: Assignment, scope: Scope): void {
    if (node.value.type === 'ArrayValue') {
      this.#list(node.name, node.value.elements, node, scope);
      return;
    }
    const value = this.#value(node, scope);
    const isDisplay = value.kind === 'text' && isDisplayVariable(node.name, value.text);
    if (node.append === true || !isDisplay) this.assign(node.name, value, scope);
  }

  /** `name=(…)`: its first word is the variable's own value. */
  #list(name: string, words: readonly Word[], { append }: Assignment, scope: Scope): void {
    if (this.shell === 'sh') this.doubt('an array');
    // `[x]=y` evaluates a subscript.
    if (words.some(({ text }) => text.startsWith('['))) this.doubt('a subscript');
    const elements = words.map((word) => this.word(word, scope));
    const [first] = elements;
    this.assign(name, first?.kind === 'text' ? first : anyArgument, scope);
    if (append === true || this.#names.changing.has(name)) return;
    scope.variables.set(`${name}[@]`, listOf(elements));
  }

  /** `local`, `readonly`: assignments, or names alone. */
  #declare(node: Command, scope: Scope): void {
    this.#ledger.effect('session');
    for (const each of node.args) {
      if (each.type === 'Assignment') this.#assignment(each, scope);
      else if (/^[a-z]\w*$/.test(each.text)) this.assign(each.text, anyArgument, scope);
      else this.doubt('an option of a declaration');
      const name = each.type === 'Assignment' ? each.name : each.text;
      if (node.name?.value === 'local') scope.locals?.add(name).add(`${name}[@]`);
    }
  }

  #value(node: Assignment, scope: Scope): Argument {
    if (node.value.type === 'ArrayValue' || node.index !== undefined) {
      this.doubt('an array');
      return anyArgument;
    }
    const value = this.word(node.value, scope);
    return node.append === true ? anyArgument : value;
  }

  /** Assignments before a command are its environment. */
  #temporary(
    assignments: readonly Assignment[],
    values: readonly Argument[],
    program: string,
  ): void {
    for (const [index, { name, append }] of assignments.entries()) {
      const value = values[index];
      if (name === 'IFS' && program === 'read') continue;
      if (append !== true && value?.kind === 'text' && isDisplayVariable(name, value.text)) {
        continue;
      }
      this.doubt(`the variable ${name.slice(0, 40)} for ${program.slice(0, 40)}`);
    }
  }

  #argument(node: CommandArgument, scope: Scope): Argument {
    if (node.type === 'Word') return this.word(node, scope);
    const value = this.#value(node, scope);
    const text = literalWord(node.text, this.shell);
    return text !== undefined && value.kind === 'text' ? textArgument(text) : anyArgument;
  }

  /** Whether a word is the value of a variable that only ever holds numbers. */
  #isNumberIn({ text }: Word): boolean {
    const name = /^"?\$(?:\{(\w+)\}|(\w+))"?$/.exec(text);
    return name !== null && this.#names.numbers.has(name[1] ?? name[2] ?? '');
  }

  #reader(scope: Scope): WordReader {
    const ledger = this.#ledger;
    const { home } = this.#setting.place;
    return {
      shell: this.shell,
      homeIsTame: home !== undefined && /^[\w%+,./:=@-]+$/.test(home),
      variable: (name) => this.#variable(name, scope),
      nested: (part) => {
        this.#nested(part, scope);
      },
      arithmetic: (part) =>
        part.type === 'ArithmeticExpansion' &&
        part.text.startsWith('$((') &&
        this.isArithmetic(part.expression, part.text.slice(3, -2)),
      doubt: (reason) => {
        ledger.doubt(reason);
      },
    };
  }

  #variable(name: string, scope: Scope): Argument | undefined {
    const value = scope.variables.get(name);
    if (value !== undefined) return value;
    if (name === 'HOME') return homeArgument('');
    const folders = scope.folders ?? [];
    if (name === 'PWD' && folders.length === 1 && folders[0]?.startsWith('~') === true) {
      return homeArgument(folders[0].slice(1));
    }
    if (!/^[A-Za-z_]\w*$/.test(name)) return undefined;
    this.#ledger.effect('read');
    this.#ledger.object('variable', name, 'read');
    return undefined;
  }

  #nested(part: WordPart, scope: Scope): void {
    if (part.type !== 'CommandExpansion' && part.type !== 'ProcessSubstitution') return;
    if (part.type === 'ProcessSubstitution' && this.shell === 'sh') {
      this.doubt('a process substitution is not of every shell');
    }
    // Backslashes within backquotes are read twice, and differently by shells.
    if (part.text.startsWith('`') && part.text.includes('\\')) {
      this.doubt('a backslash in backquotes');
    }
    if (part.script === undefined) throw new Unreadable('a substitution that cannot be read');
    this.walker.script(part.script, forked(scope));
  }

  #builtin(name: string, args: readonly Argument[], scope: Scope): boolean {
    const call = this.#call(name, args, scope);
    const known = runBuiltin(call, scope, (variable, value) => {
      this.assign(variable, value, scope);
    });
    if (known) this.#ledger.verb(name);
    return known;
  }

  #placeOf(scope: Scope): Place {
    return { ...this.#setting.place, folders: scope.folders };
  }

  #call(name: string, args: readonly Argument[], scope: Scope): Call {
    return this.#makeCall(name, args, { by: '', place: this.#placeOf(scope) }, []);
  }

  #makeCall(
    name: string,
    args: readonly Argument[],
    inner: Inner & { readonly place: Place },
    through: readonly string[],
  ): Call {
    const { place } = inner;
    const record = { redirections: [], pipeline: this.#pipeline };
    return {
      name,
      args,
      place,
      feed: inner.feed,
      shell: this.shell,
      ledger: this.#ledger,
      run: (words, next) => {
        this.#run(words, { place, ...next }, [...through, next.by], record);
      },
      runText: (text, shell, next) => {
        const { depth } = this.#setting;
        const setting = {
          ...this.#setting,
          shell,
          place: next.place ?? place,
          through: [...through, next.by],
          depth: depth + 1,
          isSameShell: next.isSameShell ?? false,
        };
        walkText(text, this.#ledger, setting, next.feed);
      },
    };
  }

  #run(
    args: readonly Argument[],
    inner: Inner & { readonly place: Place },
    through: readonly string[],
    record: Pick<Parameters<Ledger['command']>[0], 'redirections' | 'pipeline'>,
  ): Feed {
    if (through.length > this.#setting.nestingMax) throw new Unreadable('too deep');
    this.#record(args, record, through);
    const [first, ...rest] = args;
    if (first?.kind !== 'text') {
      this.#ledger.effect('execute-code');
      this.doubt('a program whose name is made when it runs');
      return undefined;
    }
    const call = this.#makeCall(first.text, rest, inner, through);
    return runProgram(call);
  }

  #record(
    args: readonly Argument[],
    record: Pick<Parameters<Ledger['command']>[0], 'redirections' | 'pipeline'>,
    through: readonly string[],
  ): void {
    const { home } = this.#setting.place;
    this.#ledger.command({ argv: args.map((each) => shownWord(each, home)), ...record, through });
  }
}

/** Builtins that are in no table. */
const otherBuiltins = /^(shift|times|unset|let|command_not_found_handle)$/;

/** Whether a redirection may be of the standard input. */
const isInput = ({ operator, descriptor }: ShellRedirection): boolean =>
  operator.startsWith('<') || descriptor === 0;

const homeArgument = (text: string): Argument => ({
  kind: 'paths',
  patterns: [{ text, home: true }],
  single: true,
});
