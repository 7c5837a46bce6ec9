/** Programs on files whose command lines are little languages. */
import { type Argument, isMany, textArgument, textOf } from './arguments.ts';
import { isPlainAwk } from './awk.ts';
import type { Call, Feed } from './call.ts';
import { find } from './find.ts';
import { applyGrammar, type Grammar, hasAny, readLine } from './grammar.ts';
import { applyRole } from './roles.ts';
import { isPlainSed } from './sed.ts';
import { fileTables } from './tables-files.ts';

const grepTable: Grammar = fileTables['grep'] ?? {};

function grep(call: Call): void {
  const line = applyGrammar(call, grepTable);
  const files = line.operands.length - (hasAny(line, grepTable.instead) ? 0 : 1);
  // Without a file it searches the folder that it is in.
  if (files <= 0 && hasAny(line, grepTable.deep)) applyRole(call, 'read', textArgument('.'), true);
}

const sedTable: Grammar = {
  flags: 'nErsuz',
  longs: 'quiet silent regexp-extended separate unbuffered null-data posix sandbox',
  texts: 'e expression l',
  values: { f: 'code', file: 'code' },
  optional: { i: 'text', 'in-place': 'text' },
};

function sed(call: Call): void {
  call.ledger.effect('read');
  const line = readLine(call, sedTable);
  const given = [...(line.options.get('e') ?? []), ...(line.options.get('expression') ?? [])];
  const byOption = hasAny(line, 'e expression f file');
  const scripts = byOption ? given : line.operands.slice(0, 1);
  const files = byOption ? line.operands : line.operands.slice(1);
  if (hasAny(line, 'f file')) call.ledger.doubt('a sed script in a file');
  for (const script of scripts) {
    const text = textOf(script);
    if (text !== undefined && isPlainSed(text)) continue;
    call.ledger.effect('execute-code');
    call.ledger.doubt('a sed script with more than is in the table');
  }
  // A script of several parts is read as one.
  if (scripts.length > 1 && !isPlainSed(scripts.map((each) => textOf(each) ?? 'e').join('\n'))) {
    call.ledger.doubt('a sed script of several parts');
  }
  for (const file of files) if (textOf(file) !== '-') applyRole(call, 'read', file);
  if (!hasAny(line, 'i in-place')) return;
  for (const file of files) applyRole(call, 'write', file);
  const suffixes = [...(line.options.get('i') ?? []), ...(line.options.get('in-place') ?? [])];
  if (suffixes.length > 0) call.ledger.doubt('copies that sed makes of what it edits');
}

const awkTable: Grammar = {
  texts: 'F v field-separator',
  stops: true,
};

function awk(call: Call): void {
  const { ledger } = call;
  ledger.effect('read');
  const line = readLine(call, awkTable);
  for (const value of line.options.get('v') ?? []) {
    if (!/^[a-z][a-z0-9_]*=/.test(textOf(value) ?? '')) ledger.doubt('a variable of awk');
  }
  const [program, ...files] = line.operands;
  if (!isPlainAwk(textOf(program) ?? 'system()')) {
    ledger.effect('execute-code');
    ledger.doubt('an awk program with more than is in the table');
  }
  for (const file of files) {
    // `name=value` among the files is an assignment.
    if (/^[A-Za-z_]\w*=/.test(textOf(file) ?? '')) ledger.doubt('an assignment of awk');
    if (textOf(file) !== '-') applyRole(call, 'read', file);
  }
}

function dd(call: Call): void {
  const { ledger } = call;
  for (const argument of call.args) {
    const word = textOf(argument) ?? '';
    const equals = word.indexOf('=');
    const [key, value] = [word.slice(0, Math.max(equals, 0)), textArgument(word.slice(equals + 1))];
    if (key === 'if') applyRole(call, 'read', value);
    else if (key === 'of') applyRole(call, 'write', value);
    else if (!/^(bs|ibs|obs|cbs|count|skip|seek|status|conv|iflag|oflag)$/.test(key)) {
      ledger.effect('file-write');
      ledger.doubt('a word of dd that is not in the table');
    }
  }
  ledger.effect('read');
}

const lnTable: Grammar = fileTables['ln'] ?? {};

function ln(call: Call): void {
  const line = applyGrammar(call, lnTable);
  call.ledger.effect('file-write', 'create');
  if (line.operands.length < 2) applyRole(call, 'create', textArgument('.'), true);
  if (!hasAny(line, 's symbolic')) return;
  // What a symbolic link says is read from where the link is.
  const relative = line.operands.some((each) => textOf(each)?.startsWith('/') === false);
  if (relative) call.ledger.doubt('a relative symbolic link');
}

function compress(call: Call): void {
  const table: Grammar = {
    flags: 'cdfhklnNqrtvz123456789',
    longs: 'stdout to-stdout decompress uncompress force keep list test quiet verbose fast best',
  };
  const line = readLine(call, table);
  for (const file of line.operands) applyRole(call, 'read', file, hasAny(line, 'r'));
  if (hasAny(line, 'c stdout to-stdout l list t test') || line.operands.length === 0) return;
  for (const file of line.operands) applyRole(call, 'delete', file, hasAny(line, 'r'));
  call.ledger.effect('file-write', 'create');
  call.ledger.doubt(`files that ${call.name} names itself`);
}

/** `tar`: the letters of its first word, then one archive and the files. */
function tar(call: Call): void {
  const { ledger } = call;
  const [head, ...tail] = call.args;
  const letters = textOf(head) ?? '';
  const bundled = /^[a-zA-Z]+$/.test(letters)
    ? { ...call, args: [dashed(letters), ...tail] }
    : call;
  const line = readLine(bundled, {
    flags: 'ctxvzjJapkmOPhU',
    longs:
      'create list extract get verbose gzip bzip2 xz to-stdout keep-old-files no-same-owner preserve-permissions auto-compress zstd',
    texts: 'f file C directory exclude strip-components',
  });
  const [folder] = [...(line.options.get('C') ?? []), ...(line.options.get('directory') ?? [])];
  const archives = [...(line.options.get('f') ?? []), ...(line.options.get('file') ?? [])];
  const [archive] = archives;
  if (archives.length !== 1 || archive === undefined || /[:]/.test(textOf(archive) ?? '')) {
    ledger.doubt('where the archive is');
    return;
  }
  if (folder !== undefined) applyRole(call, 'look', folder);
  const inside = textOf(folder) ?? '.';
  if (hasAny(line, 'c create')) {
    if (textOf(archive) !== '-') applyRole(call, 'write', archive);
    for (const file of line.operands) applyRole(call, 'read', below(inside, file), true);
  } else if (textOf(archive) !== '-') {
    applyRole(call, 'read', archive);
  }
  if (hasAny(line, 'x extract get') && !hasAny(line, 'O to-stdout')) {
    applyRole(call, 'write', textArgument(inside), true);
    if (hasAny(line, 'P')) ledger.doubt('an archive that may write anywhere');
  }
  if (folder !== undefined && textOf(folder) === undefined) ledger.doubt('the folder of tar');
  if (hasAny(line, 'U')) ledger.effect('delete');
}

/** `cf x` is `-cf x`, when `f` is the last letter: then the two ways to read it are the same. */
function dashed(letters: string): Argument {
  const at = letters.indexOf('f');
  return textArgument(at < 0 || at === letters.length - 1 ? `-${letters}` : '--old-style');
}

function below(folder: string, file: Argument): Argument {
  const text = textOf(file);
  if (folder === '.' || text === undefined || text.startsWith('/')) return file;
  return textArgument(`${folder}/${text}`);
}

/** Reads with jq: a program that opens no module, and files. */
function jq(call: Call): void {
  const args = [...call.args];
  // `--arg name value`: two words of text.
  for (let at = args.length - 3; at >= 0; at -= 1) {
    const named = /^--arg(json)?$/.test(textOf(args[at]) ?? '');
    const single = args.slice(at + 1, at + 3).every((word) => !isMany(word));
    if (named && single && /^\w+$/.test(textOf(args[at + 1]) ?? '')) args.splice(at, 3);
  }
  const line = readLine(
    { ...call, args },
    {
      flags: 'nrRsScMaej',
      longs:
        'raw-output null-input slurp raw-input compact-output sort-keys color-output monochrome-output exit-status join-output tab',
    },
  );
  const [program, ...files] = line.operands;
  const text = textOf(program);
  if (
    text === undefined ||
    /\b(import|include|input_filename|get_search_list|modulemeta)\b/.test(text)
  ) {
    call.ledger.doubt('a program of jq');
  }
  if (/\benv\b|\$ENV/.test(text ?? '')) call.ledger.object('variable', '*', 'read');
  call.ledger.effect('read');
  for (const file of files) applyRole(call, 'read', file);
}

type FileHandler = (call: Call) => Feed | void;

/** The programs by name. */
export const fileHandlers: readonly (readonly [string, FileHandler])[] = [
  ['grep', grep],
  ['egrep', grep],
  ['fgrep', grep],
  ['sed', sed],
  ['awk', awk],
  ['gawk', awk],
  ['mawk', awk],
  ['nawk', awk],
  ['dd', dd],
  ['ln', ln],
  ['tar', tar],
  ['jq', jq],
  ['find', find],
  ...['gzip', 'gunzip', 'bzip2', 'bunzip2', 'xz', 'unxz'].map(
    (name): readonly [string, FileHandler] => [name, compress],
  ),
];
