/** Builtins that change the shell itself, as far as a script may use them. */
import { anyArgument, type Argument, mayBeOption, textOf } from './arguments.ts';
import { type Call, namesOf } from './call.ts';
import { applyRole } from './roles.ts';
import { isDisplayVariable, type Scope } from './scope.ts';

type Assign = (name: string, value: Argument) => void;
type Builtin = (call: Call, scope: Scope, assign: Assign) => void;

function changeFolder(call: Call, scope: Scope): void {
  const [option] = call.args;
  const flag = textOf(option);
  const operands = flag === '-P' || flag === '-L' ? call.args.slice(1) : call.args;
  const [target] = operands;
  call.ledger.effect('session');
  if (target === undefined) {
    scope.folders = ['~'];
    return;
  }
  const pattern =
    target.kind === 'text'
      ? { text: target.text, home: false }
      : target.kind === 'paths' && target.patterns.length === 1
        ? target.patterns[0]
        : undefined;
  if (operands.length > 1 || pattern === undefined || pattern.text.startsWith('-')) {
    call.ledger.doubt('a folder that is not known before it runs');
    scope.folders = undefined;
    return;
  }
  applyRole(call, 'look', target);
  if (pattern.text === '' && !pattern.home) return;
  if (/[*?[]/.test(pattern.text)) {
    scope.folders = undefined;
    return;
  }
  const names = namesOf(pattern, call.place);
  scope.folders = names.length === 0 ? undefined : names.map(({ name }) => name);
}

function readLine(call: Call, _scope: Scope, assign: Assign): void {
  call.ledger.effect('read');
  let names = false;
  for (let at = 0; at < call.args.length; at += 1) {
    const word = textOf(call.args[at]);
    if (word === undefined) {
      call.ledger.doubt('a name of read that is not known before it runs');
    } else if (names || !word.startsWith('-')) {
      names = true;
      // The shell gives `_` a value of its own after each command.
      if (word !== '_') assign(word, anyArgument);
    } else if (/^-[tnNdpu]$/.test(word)) {
      at += 1;
      if (textOf(call.args[at]) === undefined) call.ledger.doubt('an option of read');
    } else if (!/^-(r|s|rs|sr)$/.test(word)) {
      call.ledger.doubt(`the option ${word} of read`);
    }
  }
}

/** Shell options that make a script stop earlier, and nothing else. */
const strictOptions: ReadonlySet<string> = new Set(['errexit', 'nounset', 'pipefail', 'noglob']);

function setOptions(call: Call): void {
  call.ledger.effect('session');
  if (call.args.length === 0) {
    call.ledger.effect('read');
    call.ledger.object('variable', '*', 'read');
  }
  for (let at = 0; at < call.args.length; at += 1) {
    const word = textOf(call.args[at]) ?? '';
    const flags = /^[-+]([eufC]*)(o?)$/.exec(word);
    if (flags === null || word.length < 2) {
      call.ledger.doubt('an option of set');
      continue;
    }
    if (flags[2] !== 'o') continue;
    at += 1;
    const option = textOf(call.args[at]) ?? '';
    if (!strictOptions.has(option)) call.ledger.doubt('an option of set');
  }
}

/** Leaves, waits, goes on: with at most a number. */
function numbered(call: Call): void {
  call.ledger.effect('session');
  for (const argument of call.args) {
    const word = textOf(argument);
    const number = word === undefined ? !mayBeOption(argument) : /^\d{1,9}$/.test(word);
    if (!number) call.ledger.doubt(`an argument of ${call.name}`);
  }
}

/** `trap 'text' EXIT`: the last thing that a shell runs, in a folder that is not known by then. */
function trap(call: Call): void {
  const [action, ...signals] = call.args;
  const text = textOf(action);
  const names = signals.map((signal) => textOf(signal) ?? '');
  call.ledger.effect('session');
  if (text === '-' || text === '') return;
  if (
    text === undefined ||
    text.startsWith('-') ||
    !names.every((name) => /^(EXIT|0)$/.test(name))
  ) {
    call.ledger.effect('execute-code');
    call.ledger.doubt('a text that runs at some time');
    return;
  }
  const place = { ...call.place, folders: undefined };
  call.runText(text, call.shell, { by: 'trap', place, isSameShell: true });
}

/** `export` and the like of what changes how programs print, and of nothing else. */
function exported(call: Call): void {
  call.ledger.effect('session');
  if (call.args.length === 0) {
    call.ledger.effect('read');
    call.ledger.object('variable', '*', 'read');
  }
  for (const argument of call.args) {
    const word = textOf(argument) ?? '';
    const equals = word.indexOf('=');
    if (equals < 0 || !isDisplayVariable(word.slice(0, equals), word.slice(equals + 1))) {
      call.ledger.doubt('a variable that other programs see');
    }
  }
}

const builtins: ReadonlyMap<string, Builtin> = new Map<string, Builtin>([
  ['cd', changeFolder],
  ['read', readLine],
  ['set', setOptions],
  ['exit', numbered],
  ['return', numbered],
  ['break', numbered],
  ['continue', numbered],
  ['wait', numbered],
  ['trap', trap],
  ['export', exported],
]);

/** Runs a builtin on the scope; false when the name is not one of them. */
export function runBuiltin(call: Call, scope: Scope, assign: Assign): boolean {
  const builtin = builtins.get(call.name);
  if (builtin === undefined) return false;
  builtin(call, scope, assign);
  return true;
}

/** Whether a name is one of them. */
export const isBuiltin = (name: string): boolean => builtins.has(name);
