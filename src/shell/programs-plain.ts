/** Programs that print their arguments or compare them, and touch little else. */
import type { Effect } from '#core/facts.ts';
import { type Argument, textOf } from './arguments.ts';
import type { Call } from './call.ts';
import { applyGrammar } from './grammar.ts';
import { fileTests } from './numbers.ts';
import { applyRole } from './roles.ts';

/** Prints or ignores whatever it is given. */
const anything = (call: Call): void => {
  call.ledger.effect('read');
};

function printf(call: Call): void {
  call.ledger.effect('read');
  const words = textOf(call.args[0]) === '--' ? call.args.slice(1) : call.args;
  const format = textOf(words[0]);
  // `-v` assigns a variable, and so does `%n`.
  if (format === undefined || format.startsWith('-') || /%[^A-Za-z%]*[hlLjzt]*n/.test(format)) {
    call.ledger.doubt('a format that could assign a variable');
  }
}

const binary: ReadonlySet<string> = new Set([
  '=',
  '==',
  '!=',
  '<',
  '>',
  '-eq',
  '-ne',
  '-lt',
  '-le',
  '-gt',
  '-ge',
]);
const fileBinary: ReadonlySet<string> = new Set(['-nt', '-ot', '-ef']);

/** `test` and `[`: how it reads its words depends on their number, so only plain shapes will do. */
function testWords(call: Call): void {
  const { ledger } = call;
  ledger.effect('read');
  if (call.args.length > 100) {
    ledger.doubt('a long test');
    return;
  }
  let words = [...call.args];
  if (call.name === '[' && textOf(words.pop()) !== ']') ledger.doubt('[ without its end');
  for (let bound = 0; bound < 100; bound += 1) {
    if (words.some((word) => word.kind === 'unknown' && !word.single)) {
      ledger.doubt('a test with an unknown number of words');
      return;
    }
    while (textOf(words[0]) === '!' && words.length > 1) words = words.slice(1);
    const join = words.findIndex((word) => textOf(word) === '-a' || textOf(word) === '-o');
    const [one, rest] =
      join > 0 ? [words.slice(0, join), words.slice(join + 1)] : [words, undefined];
    testOne(call, one);
    if (rest === undefined) return;
    // With more than one comparison, a word that looks like an operator changes all of it.
    if (words.some((word) => word.kind !== 'text')) ledger.doubt('a test of several unknown words');
    words = rest;
  }
  ledger.doubt('a long test');
}

function testOne(call: Call, words: readonly Argument[]): void {
  const [first, second, third] = words;
  if (words.length <= 1) return;
  const operator = textOf(words.length === 2 ? first : second) ?? '';
  if (words.length === 2 && second !== undefined) {
    if (operator === '-n' || operator === '-z' || operator === '-t') return;
    if (fileTests.has(operator)) {
      applyRole(call, 'look', second);
      return;
    }
  } else if (words.length === 3 && first !== undefined && third !== undefined) {
    if (binary.has(operator)) return;
    if (fileBinary.has(operator)) {
      applyRole(call, 'look', first);
      applyRole(call, 'look', third);
      return;
    }
  }
  // `-v` evaluates a subscript, and what is not known might be `-v`.
  call.ledger.doubt('a test that is not in the table');
}

function date(call: Call): void {
  const { ledger } = call;
  const line = applyGrammar(call, {
    does: ['read'],
    flags: 'uR',
    longs: 'utc universal rfc-email',
    texts: 'd date s set',
    values: { r: 'look', reference: 'look' },
    optional: { I: 'text', 'iso-8601': 'text', 'rfc-3339': 'text' },
    rest: 'text',
  });
  const sets = line.operands.some((operand) => textOf(operand)?.startsWith('+') !== true);
  if (sets || line.options.has('s') || line.options.has('set')) ledger.effect('admin');
}

function hostname(call: Call): void {
  const line = applyGrammar(call, {
    does: ['read'],
    flags: 'aAdfiIsy',
    longs: 'fqdn short domain ip-address all-ip-addresses',
    rest: 'text',
  });
  if (line.operands.length > 0) call.ledger.effect('admin');
}

function getent(call: Call): void {
  applyGrammar(call, { does: ['read'], rest: 'text' });
  const table = textOf(call.args[0]) ?? '';
  if (/^(passwd|group|hosts|services|protocols|networks)$/.test(table)) return;
  if (/shadow/.test(table)) call.ledger.object('secret', '/etc/shadow', 'read');
  call.ledger.doubt(`the table ${table.slice(0, 20)}`);
}

/** `kill -l` lists signals. */
function kill(call: Call): void {
  const lists = call.args.length <= 2 && textOf(call.args[0]) === '-l';
  const does: readonly Effect[] = [lists ? 'read' : 'process'];
  applyGrammar(call, { does, digits: true, flags: 'lL', texts: 's n', rest: 'text' });
}

/** `ps`: the letter `e` without a dash shows what is in the environment of programs. */
function ps(call: Call): void {
  const line = applyGrammar(call, {
    does: ['read'],
    flags: 'AacdefFHjlLmMNTVwxyZ',
    longs: 'forest no-headers headers deselect',
    texts: 'C G g o O p s t u U sort pid ppid user format cols',
    rest: 'text',
  });
  if (!line.operands.some((word) => /^[a-zA-Z]*e/.test(textOf(word) ?? 'e'))) return;
  call.ledger.object('variable', '*', 'read');
  call.ledger.object('secret', '/proc/*/environ', 'read');
}

function names(call: Call): void {
  call.ledger.effect('read');
  const options = call.args.filter((word) => textOf(word)?.startsWith('-') === true);
  if (options.some((word) => !/^(--|-[asz])$/.test(textOf(word) ?? ''))) {
    call.ledger.doubt(`an option of ${call.name}`);
  }
}

/** The programs by name. */
export const plainHandlers: readonly (readonly [string, (call: Call) => void])[] = [
  [':', anything],
  ['true', anything],
  ['false', anything],
  ['echo', anything],
  ['printf', printf],
  ['test', testWords],
  ['[', testWords],
  ['basename', names],
  ['dirname', names],
  ['date', date],
  ['hostname', hostname],
  ['getent', getent],
  ['kill', kill],
  ['ps', ps],
];
