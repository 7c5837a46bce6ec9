/** `find`: tests and actions in an expression; some actions delete, write, or run programs. */
import { type Argument, type PathPattern, textArgument, textOf } from './arguments.ts';
import type { Call, Feed } from './call.ts';
import { applyRole } from './roles.ts';

/** Tests and actions with the number of words behind them; they only look. */
const harmless: ReadonlyMap<string, number> = new Map([
  ...counted('! ( ) , -a -o -not -and -or -daystart -depth -d -follow -mount -xdev -noleaf', 0),
  ...counted('-empty -executable -readable -writable -nouser -nogroup -true -false', 0),
  ...counted('-print -print0 -ls -prune -quit -ignore_readdir_race -nowarn -warn', 0),
  ...counted('-name -iname -path -ipath -wholename -iwholename -regex -iregex -regextype', 1),
  ...counted('-type -xtype -size -perm -user -group -uid -gid -links -inum -fstype -lname', 1),
  ...counted('-mtime -mmin -atime -amin -ctime -cmin -used -maxdepth -mindepth -printf', 1),
]);

function counted(
  words: string,
  count: number,
): readonly (readonly [word: string, count: number])[] {
  return words.split(' ').map((word) => [word, count]);
}

/** Notes what `find` does; answers the paths that it prints, when it prints nothing else. */
export function find(call: Call): Feed {
  const { ledger } = call;
  let at = 0;
  while (/^-[HLP]$/.test(textOf(call.args[at]) ?? '')) at += 1;
  const starts: Argument[] = [];
  for (; at < call.args.length; at += 1) {
    const argument = call.args[at];
    if (argument === undefined || /^[-!(,)]/.test(textOf(argument) ?? '')) break;
    starts.push(argument);
  }
  if (starts.length === 0) starts.push(textArgument('.'));
  ledger.effect('read');
  for (const start of starts) applyRole(call, 'look', start, true);
  const found = foundBelow(starts);
  const printed = expression(call, call.args.slice(at), found);
  return printed && found.kind === 'paths' ? found.patterns : undefined;
}

/** What the words `{}` stand for. */
function foundBelow(starts: readonly Argument[]): Argument {
  const patterns: PathPattern[] = [];
  for (const start of starts) {
    if (start.kind !== 'text' && start.kind !== 'paths')
      return { kind: 'unknown', single: false, lead: '' };
    const from = start.kind === 'text' ? [{ text: start.text, home: false }] : start.patterns;
    for (const { text, home } of from) {
      patterns.push({ text, home }, { text: `${text}/**`, home });
    }
  }
  return { kind: 'paths', patterns, single: true };
}

/** Reads the expression; true when all that is printed are paths with a NUL after each. */
function expression(call: Call, words: readonly Argument[], found: Argument): boolean {
  const { ledger } = call;
  let printed = 0;
  let nul = 0;
  for (let at = 0; at < words.length; at += 1) {
    const word = textOf(words[at]) ?? '';
    const count = harmless.get(word);
    if (count !== undefined) {
      const values = words.slice(at + 1, at + 1 + count);
      if (values.some((value) => value.kind !== 'text')) ledger.doubt(`the value of ${word}`);
      if (word === '-print0') nul += 1;
      if (/^-(print|printf|ls)$/.test(word)) printed += 1;
      at += count;
    } else if (/^-(newer[aBcm]?[aBcmt]?|anewer|cnewer|samefile)$/.test(word)) {
      const file = words[at + 1];
      if (!word.endsWith('t') && file !== undefined) applyRole(call, 'look', file);
      at += 1;
    } else if (word === '-delete') {
      applyRole(call, 'delete', found, true);
      printed += 1;
    } else if (/^-f(print0?|printf|ls)$/.test(word)) {
      applyRole(call, 'write', words[at + 1] ?? textArgument('.'));
      // It may print as well, and anything.
      printed += 1;
      at += word === '-fprintf' ? 2 : 1;
    } else if (/^-(exec|ok)(dir)?$/.test(word)) {
      at = runs(call, words, at, found);
      printed += 1;
    } else {
      ledger.doubt(`${word.slice(0, 40) || 'a word'} of find`);
      printed += 1;
    }
  }
  return nul > 0 && printed === 0;
}

/** `-exec … ;` and `-exec … +`; answers where it ends. */
function runs(call: Call, words: readonly Argument[], at: number, found: Argument): number {
  const end = words.findIndex(
    (word, index) =>
      index > at &&
      (textOf(word) === ';' || (textOf(word) === '+' && textOf(words[index - 1]) === '{}')),
  );
  const stop = end < 0 ? words.length : end;
  const many = textOf(words[stop]) === '+';
  const args = words.slice(at + 1, stop).map((word): Argument => {
    const text = textOf(word);
    if (text === '{}') return found.kind === 'paths' ? { ...found, single: !many } : found;
    return text?.includes('{}') === true ? { kind: 'unknown', single: true, lead: '' } : word;
  });
  if (end < 0) call.ledger.doubt('find -exec without its end');
  const inFolder = textOf(words[at])?.endsWith('dir') === true;
  const place = inFolder ? { ...call.place, folders: undefined } : call.place;
  if (inFolder) call.ledger.doubt('a program that runs in many folders');
  call.run(args, { by: 'find', place });
  return stop;
}
