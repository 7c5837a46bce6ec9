/**
 * Whether an awk program only computes and prints. awk can run commands (`system`, `|`), read and
 * write files (`getline`, `>`), and call functions by a name in a variable. Read by hand into tokens,
 * of which every one must be known here.
 */

const keywords: ReadonlySet<string> = new Set(
  'BEGIN END print printf if else while for do in next nextfile exit break continue delete'.split(
    ' ',
  ),
);
const functions: ReadonlySet<string> = new Set(
  (
    'length substr index split sub gsub gensub match sprintf tolower toupper int sqrt log exp sin ' +
    'cos atan2 rand srand strftime systime mktime strtonum and or xor compl lshift rshift'
  ).split(' '),
);
const variables: ReadonlySet<string> = new Set(
  'NR NF FNR FS OFS ORS RS FILENAME RSTART RLENGTH SUBSEP CONVFMT OFMT IGNORECASE'.split(' '),
);

const pieces: readonly (readonly [kind: string, pattern: RegExp])[] = [
  ['space', /[ \t\n]+|#[^\n]*/y],
  ['name', /[A-Za-z_][A-Za-z0-9_]*/y],
  ['number', /\d+(\.\d+)?|\.\d+/y],
  ['string', /"([^"\\\n]|\\[ntr"\\/.])*"/y],
  ['operator', /\|\||&&|[-+*%^=!<>]=|\+\+|--|[-+*%^=!<>~?:,;(){}[\]$]/y],
];

interface Token {
  readonly kind: string;
  readonly text: string;
}

/** Whether a program has nothing but what is known here. */
export function isPlainAwk(program: string): boolean {
  if (program.length > 4_096 || !/^[\x20-\x7e\n\t]*$/.test(program)) return false;
  const tokens = tokensOf(program);
  if (tokens === undefined) return false;
  let braces = 0;
  let parentheses = 0;
  for (const [index, { kind, text }] of tokens.entries()) {
    if (kind === 'name' && !isKnownName(text, tokens[index + 1])) return false;
    // `for (print > "file"; …)` of some versions: there `>` is no comparison.
    if (/^printf?$/.test(text) && kind === 'name' && parentheses > 0) return false;
    if (text === '{') braces += 1;
    if (text === '}') braces -= 1;
    if (text === '(') parentheses += 1;
    if (text === ')') parentheses -= 1;
    // Within an action, `>` outside of parentheses is a redirection.
    if (text === '>' && kind === 'operator' && braces > 0 && parentheses <= 0) return false;
  }
  return braces === 0 && parentheses === 0;
}

function isKnownName(name: string, next: Token | undefined): boolean {
  const called = next?.text === '(';
  if (keywords.has(name) || functions.has(name)) return true;
  if (called) return false;
  return variables.has(name) || /^[a-z][a-z0-9_]*$/.test(name) ? !reserved.has(name) : false;
}

/** What awk knows and is not in the lists above. */
const reserved: ReadonlySet<string> = new Set(
  (
    'system getline close fflush func function return switch case default asort asorti patsplit ' +
    'typeof isarray extension bindtextdomain dcgettext dcngettext include load namespace'
  ).split(' '),
);

function tokensOf(program: string): readonly Token[] | undefined {
  const tokens: Token[] = [];
  let at = 0;
  while (at < program.length) {
    const token = program[at] === '/' ? slash(program, at, tokens.at(-1)) : tokenAt(program, at);
    if (token === undefined) return undefined;
    if (token.kind !== 'space') tokens.push(token);
    // The end of a line ends a statement, so a slash behind it begins a pattern.
    else if (token.text.includes('\n')) tokens.push({ kind: 'operator', text: ';' });
    at += token.text.length;
  }
  return tokens;
}

function tokenAt(program: string, at: number): Token | undefined {
  for (const [kind, pattern] of pieces) {
    pattern.lastIndex = at;
    const text = pattern.exec(program)?.[0];
    if (text !== undefined) return { kind, text };
  }
  return undefined;
}

/** A pattern, or a division: where it is not certain which, the program is not plain. */
function slash(program: string, at: number, before: Token | undefined): Token | undefined {
  const operand =
    before !== undefined &&
    (before.kind === 'number' || before.kind === 'string' || before.text === ']');
  const name = before?.kind === 'name';
  if (name && (keywords.has(before.text) || functions.has(before.text))) {
    if (!/^(print|else|do)$/.test(before.text)) return undefined;
    return regularExpression(program, at);
  }
  if (operand || name) return { kind: 'operator', text: '/' };
  // Behind `)` it depends on what the parentheses are for.
  if (before !== undefined && /^(\+\+|--|[)$])$/.test(before.text)) return undefined;
  return regularExpression(program, at);
}

function regularExpression(program: string, at: number): Token | undefined {
  const pattern = /\/([^/\\\n[]|\\[^\n]|\[[^\]/\\\n]+\])+\//y;
  pattern.lastIndex = at;
  const text = pattern.exec(program)?.[0];
  return text === undefined ? undefined : { kind: 'pattern', text };
}
