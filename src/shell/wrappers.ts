/** Programs that run another program: seen through, each with its own options. */
import { anyArgument, type Argument, textArgument, textOf } from './arguments.ts';
import type { Call } from './call.ts';
import { namesOf } from './call.ts';
import { type Grammar, hasAny, type Line, readLine } from './grammar.ts';
import { applyRole } from './roles.ts';
import { isDisplayVariable } from './scope.ts';

type Wrapper = (call: Call) => void;

/** Options first, then the program: the usual shape, with `skip` operands before the program. */
function prefix(grammar: Grammar, skip = 0, also?: (call: Call, line: Line) => void): Wrapper {
  return (call) => {
    const line = readLine(call, { ...grammar, stops: true });
    also?.(call, line);
    const [...words] = line.operands;
    for (const word of words.splice(0, skip)) applyRole(call, 'text', word);
    if (words.length > 0) call.run(words, { by: call.name, feed: call.feed });
  };
}

function nohup(call: Call): void {
  // Where the output is a terminal it goes to a file instead.
  applyRole(call, 'append', textArgument('nohup.out'));
  const [first] = call.args;
  if (first === undefined) return;
  if (textOf(first)?.startsWith('-') === true) call.ledger.doubt('an option of nohup');
  call.run(call.args, { by: 'nohup', feed: call.feed });
}

function env(call: Call): void {
  const { ledger } = call;
  const line = readLine(call, {
    flags: 'i0',
    longs: 'ignore-environment null',
    texts: 'u unset C chdir S split-string',
    stops: true,
  });
  let { place } = call;
  const [folder] = [...(line.options.get('C') ?? []), ...(line.options.get('chdir') ?? [])];
  if (folder !== undefined) {
    const text = textOf(folder);
    applyRole(call, 'look', folder);
    const names = text === undefined ? [] : namesOf({ text, home: false }, place);
    place = { ...place, folders: names.length === 0 ? undefined : names.map(({ name }) => name) };
  }
  const words = [...line.operands];
  for (const text of [
    ...(line.options.get('S') ?? []),
    ...(line.options.get('split-string') ?? []),
  ]) {
    // It has quotes, escapes and variables of its own.
    const plain = /^[\w%+,./:@= -]*$/.test(textOf(text) ?? '"');
    if (!plain) ledger.doubt('text that env splits');
    words.unshift(
      ...(textOf(text) ?? '')
        .split(' ')
        .filter((word) => word !== '')
        .map(textArgument),
    );
  }
  while (words.length > 0) {
    const word = textOf(words[0]);
    if (word !== undefined && !word.includes('=')) break;
    if (word === undefined) {
      ledger.doubt('a word of env that is not known before it runs');
      break;
    }
    const equals = word.indexOf('=');
    if (!isDisplayVariable(word.slice(0, equals), word.slice(equals + 1))) {
      ledger.doubt(`the variable ${word.slice(0, Math.min(equals, 40))}`);
    }
    words.shift();
  }
  ledger.effect('read');
  if (words.length === 0) ledger.object('variable', '*', 'read');
  else call.run(words, { by: 'env', place, feed: call.feed });
}

function xargs(call: Call): void {
  const { ledger, feed } = call;
  const line = readLine(call, {
    flags: '0rtx',
    longs: 'null no-run-if-empty verbose',
    texts: 'd E I L n max-args P max-procs s',
    values: { a: 'code' },
    stops: true,
  });
  if (hasAny(line, 'a')) ledger.doubt('words from a file');
  const known = feed !== undefined && hasAny(line, '0 null') && !hasAny(line, 'd E L s x');
  const given: Argument = known ? { kind: 'paths', patterns: feed, single: false } : anyArgument;
  const words = line.operands.length === 0 ? [textArgument('echo')] : [...line.operands];
  const [mark] = line.options.get('I') ?? [];
  if (mark === undefined) {
    call.run([...words, given], { by: 'xargs' });
    return;
  }
  const place = textOf(mark) ?? '';
  const replaced = words.map((word): Argument => {
    const text = textOf(word);
    if (place === '' || text === undefined) return anyArgument;
    if (text === place)
      return known ? { kind: 'paths', patterns: feed, single: true } : anyArgument;
    return text.includes(place) ? anyArgument : word;
  });
  call.run(replaced, { by: 'xargs' });
}

/** `sh -c 'text'`: the text is read as a script of its own; everything else is code. */
function shell(kind: 'bash' | 'sh'): Wrapper {
  return (call) => {
    const { ledger } = call;
    let at = 0;
    let takesText = false;
    for (; at < call.args.length; at += 1) {
      const word = textOf(call.args[at]);
      const flags = /^-([ceul]+)$/.exec(word ?? '')?.[1];
      if (flags === undefined) break;
      takesText ||= flags.includes('c');
      if (flags.includes('l') && kind === 'sh') ledger.doubt('a login shell');
    }
    const text = textOf(call.args[at]);
    if (call.args.length === 1 && text === '--version') {
      ledger.effect('read');
      return;
    }
    if (takesText && text !== undefined && !text.startsWith('-')) {
      call.runText(text, kind, { by: call.name, feed: call.feed });
      return;
    }
    ledger.effect('execute-code');
    ledger.doubt(`what ${call.name} runs`);
  };
}

function sudo(call: Call): void {
  const { ledger } = call;
  ledger.effect('privilege');
  const line = readLine(call, {
    flags: 'nkKSHbvlAP',
    longs: 'non-interactive list validate',
    texts: 'p',
    values: { u: 'user', user: 'user', g: 'user', group: 'user' },
    stops: true,
  });
  const users = [...(line.options.get('u') ?? []), ...(line.options.get('user') ?? [])];
  for (const user of users.length === 0 ? [textArgument('root')] : users) {
    applyRole(call, 'user', user);
  }
  if (hasAny(line, 'b A')) ledger.doubt('an option of sudo');
  const [first] = line.operands;
  if (first === undefined) return;
  if (textOf(first)?.includes('=') === true) ledger.doubt('a variable for sudo');
  call.run(line.operands, { by: 'sudo', feed: call.feed });
}

/** `command`, `builtin`: the same name without functions. */
function command(call: Call): void {
  const [first] = call.args;
  const flag = textOf(first);
  if (flag === '-v' || flag === '-V') {
    call.ledger.effect('read');
    return;
  }
  const words = flag === '-p' || flag === '--' ? call.args.slice(1) : call.args;
  if (words.length > 0) call.run(words, { by: call.name, feed: call.feed });
}

/** `exec` without a program only has redirections; with one it is that program. */
function exec(call: Call): void {
  const [first] = call.args;
  if (first === undefined) return;
  if (textOf(first)?.startsWith('-') === true) {
    // A program that is told another name for itself can be another program.
    call.ledger.effect('execute-code');
    call.ledger.doubt('an option of exec');
    const words = textOf(first) === '-a' ? call.args.slice(2) : call.args.slice(1);
    if (words.length > 0) call.run(words, { by: 'exec' });
    return;
  }
  call.run(call.args, { by: 'exec', feed: call.feed });
}

function ionice(call: Call, line: Line): void {
  call.ledger.effect('process');
  if (hasAny(line, 'p P u')) call.ledger.doubt('another process');
}

/** `flock file program`: makes the file. */
function lockFile(call: Call, line: Line): void {
  call.ledger.effect('lock');
  const [file] = line.operands;
  if (file !== undefined) applyRole(call, 'create', file);
}

/** The programs by name. */
export const wrappers: readonly (readonly [string, Wrapper])[] = [
  ['nohup', nohup],
  ['env', env],
  ['xargs', xargs],
  ['sh', shell('sh')],
  ['dash', shell('sh')],
  ['ash', shell('sh')],
  ['bash', shell('bash')],
  ['rbash', shell('bash')],
  ['sudo', sudo],
  ['command', command],
  ['builtin', command],
  ['exec', exec],
  ['busybox', prefix({})],
  ['toybox', prefix({})],
  ['time', prefix({ flags: 'p', longs: 'portability' })],
  [
    'timeout',
    prefix(
      {
        flags: 'v',
        longs: 'foreground preserve-status verbose',
        texts: 's signal k kill-after',
      },
      1,
    ),
  ],
  ['nice', prefix({ digits: true, texts: 'n adjustment' })],
  ['ionice', prefix({ flags: 't', texts: 'c n p' }, 0, ionice)],
  ['chrt', prefix({ flags: 'abdfior' }, 1, ionice)],
  ['taskset', prefix({ flags: 'ac' }, 1)],
  [
    'stdbuf',
    prefix({
      texts: 'i o e input output error',
    }),
  ],
  ['setsid', prefix({ flags: 'cfw', longs: 'ctty fork wait' })],
  ['unbuffer', prefix({})],
  ['flock', prefix({ flags: 'nxsuo', texts: 'w E' }, 1, lockFile)],
];
