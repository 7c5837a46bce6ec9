/** Programs that move data between hosts. */
import { type Argument, textArgument, textOf } from './arguments.ts';
import type { Call } from './call.ts';
import { type Grammar, hasAny, readLine } from './grammar.ts';
import { applyRole } from './roles.ts';

/** The host of a URL or of `user@host:path`; the whole text when it is not certain. */
function hostOf(text: string): string {
  const url = /^(?:[a-z][a-z0-9+.-]*:\/\/)?(?:[^@/?#]*@)?(\[[0-9a-f:.]+\]|[^:/?#@\\]+)/i.exec(text);
  return url?.[1] ?? text;
}

function reaches(call: Call, argument: Argument): void {
  call.ledger.effect('network');
  const text = textOf(argument);
  if (text === undefined) call.ledger.doubt(`where ${call.name} connects to`);
  else call.ledger.object('host', hostOf(text), 'write');
}

const curlTable: Grammar = {
  flags: 'fgGiIkLnNOsSv046',
  longs:
    'fail silent show-error location head include verbose compressed insecure get remote-name fail-with-body retry-connrefused http1.1 http2 ipv4 ipv6 no-progress-meter',
  texts:
    'X request H header m max-time connect-timeout retry retry-delay A user-agent u user w write-out e max-redirs d data data-raw data-binary json url',
  values: { o: 'write', output: 'write', T: 'read', 'upload-file': 'read' },
};

function curl(call: Call): void {
  const { ledger } = call;
  const line = readLine(call, curlTable);
  ledger.effect('network', 'read');
  for (const url of [...line.operands, ...(line.options.get('url') ?? [])]) {
    reaches(call, url);
    if (/^file:/i.test(textOf(url) ?? 'file:') || /[{[]/.test(textOf(url) ?? '')) {
      ledger.doubt('a URL that is not of one host');
    }
  }
  for (const name of ['o', 'output']) {
    for (const file of line.options.get(name) ?? []) applyRole(call, 'write', file);
  }
  if (hasAny(line, 'O remote-name')) applyRole(call, 'write', textArgument('.'), true);
  for (const name of ['T', 'upload-file']) {
    for (const file of line.options.get(name) ?? []) {
      applyRole(call, 'read', file);
      ledger.effect('copy-out');
    }
  }
  for (const name of ['d', 'data', 'data-binary', 'json', 'H', 'header', 'w', 'write-out']) {
    for (const value of line.options.get(name) ?? []) sends(call, name, value);
  }
  if (hasAny(line, 'n')) ledger.object('secret', '~/.netrc', 'read');
}

/** Data that is sent; `@file` is the content of a file. */
function sends(call: Call, option: string, value: Argument): void {
  const text = textOf(value);
  if (text === undefined) call.ledger.doubt('what curl sends');
  if (/^(d|data|data-binary|json)$/.test(option)) call.ledger.effect('copy-out');
  if (text?.startsWith('@') === true) applyRole(call, 'read', textArgument(text.slice(1)));
  if (option.startsWith('w') && text?.includes('output{') === true)
    call.ledger.doubt('a file of curl');
}

function wget(call: Call): void {
  const { ledger } = call;
  const line = readLine(call, {
    flags: 'qcNSv',
    longs: 'quiet no-verbose continue spider no-check-certificate server-response',
    texts: 'T timeout t tries header post-data U',
    values: {
      O: 'write',
      'output-document': 'write',
      P: 'write',
      'post-file': 'read',
      'body-file': 'read',
    },
  });
  ledger.effect('network');
  for (const url of line.operands) reaches(call, url);
  const files = [...(line.options.get('O') ?? []), ...(line.options.get('output-document') ?? [])];
  for (const file of files) if (textOf(file) !== '-') applyRole(call, 'write', file);
  if (files.length === 0 && !hasAny(line, 'spider')) {
    applyRole(call, 'write', line.options.get('P')?.[0] ?? textArgument('.'), true);
  }
  for (const name of ['post-file', 'body-file']) {
    for (const file of line.options.get(name) ?? []) applyRole(call, 'read', file);
  }
  if (hasAny(line, 'post-file body-file post-data')) ledger.effect('copy-out');
}

/** `ssh host command`: the command is read as one that runs there. */
function ssh(call: Call): void {
  const { ledger } = call;
  if (call.args.length === 1 && textOf(call.args[0]) === '-V') {
    ledger.effect('read');
    return;
  }
  const line = readLine(call, {
    flags: '46aCnNqTtvx',
    texts: 'p i',
    values: { l: 'user' },
    stops: true,
  });
  const [host, ...words] = line.operands;
  if (host === undefined) {
    ledger.effect('network');
    ledger.doubt('where ssh connects to');
    return;
  }
  reaches(call, host);
  const texts = words.map(textOf);
  const name = hostOf(textOf(host) ?? '');
  if (words.length === 0 || texts.includes(undefined)) {
    ledger.effect('execute-code');
    ledger.doubt('what runs on the other host');
    return;
  }
  // Whose shell it is there is not known: what every shell reads alike can be complete.
  const { terminal } = call.place;
  const place = { folders: ['~'], home: undefined, terminal, host: `${name}:` };
  call.runText(texts.join(' '), 'sh', { by: 'ssh', place });
}

/** `scp`: what it does as a client; the form that a client starts on the other side is apart. */
function scp(call: Call): void {
  const { ledger } = call;
  const [flag, ...paths] = serverWords(call, /^-([trfpdvq]+)$/);
  if (flag !== undefined && /[tf]/.test(flag)) {
    if (paths.length !== 1 || /t.*f|f.*t/.test(flag)) ledger.doubt('an scp of several paths');
    for (const path of paths) {
      applyRole(
        call,
        flag.includes('t') ? 'write' : 'read',
        path,
        /r/.test(flag) || flag.includes('t'),
      );
    }
    ledger.effect(flag.includes('t') ? 'copy-in' : 'copy-out');
    return;
  }
  const line = readLine(call, {
    flags: '346BCOpqrTv',
    texts: 'P i l',
  });
  copies(call, line.operands, hasAny(line, 'r'));
}

/** Flags that may stand in several words, as scp's server is started; then the operands. */
function serverWords(
  call: Call,
  flags: RegExp,
): readonly [string | undefined, ...(readonly Argument[])] {
  let letters = '';
  let at = 0;
  for (; at < call.args.length; at += 1) {
    const word = textOf(call.args[at]) ?? '';
    if (word === '--') {
      at += 1;
      break;
    }
    const found = flags.exec(word)?.[1];
    if (found === undefined) break;
    letters += found;
  }
  return [letters === '' ? undefined : letters, ...call.args.slice(at)];
}

/** Sources and a destination, of which some are on other hosts. */
function copies(call: Call, operands: readonly Argument[], deep: boolean): void {
  const { ledger } = call;
  ledger.effect('network');
  for (const [index, operand] of operands.entries()) {
    const text = textOf(operand) ?? '';
    const remote = /^[^/]*:/.test(text);
    const last = index === operands.length - 1;
    if (remote) {
      reaches(call, operand);
      ledger.effect(last ? 'copy-out' : 'copy-in');
    } else applyRole(call, last ? 'write' : 'read', operand, deep || last);
  }
}

const rsyncTable: Grammar = {
  flags: 'aAcCDgHIklLnNoOpPrRsStuUvWxXyz',
  longs:
    'archive verbose recursive delete delete-before delete-after delete-during delete-excluded compress dry-run progress checksum times perms partial ignore-existing existing update inplace append numeric-ids stats server sender',
  texts: 'exclude include max-size min-size timeout bwlimit filter f e rsh',
  optional: { info: 'text' },
};

function rsync(call: Call): void {
  const { ledger } = call;
  if (textOf(call.args[0]) === '--server') {
    rsyncServer(call);
    return;
  }
  const line = readLine(call, rsyncTable);
  if (hasAny(line, 'e rsh')) {
    ledger.effect('execute-code');
    ledger.doubt('a remote shell that rsync is told to use');
  }
  if (hasAny(line, 'delete delete-before delete-after delete-during delete-excluded')) {
    ledger.effect('delete-all');
  }
  copies(call, line.operands, true);
}

/** The words with which an rsync client starts the other side; the letters behind `e` are its version. */
function rsyncServer(call: Call): void {
  const { ledger } = call;
  let sender = false;
  let at = 1;
  for (; at < call.args.length; at += 1) {
    const word = textOf(call.args[at]) ?? '';
    if (word === '.') break;
    if (word === '--sender') sender = true;
    else if (/^--delete(-before|-during|-after|-delay|-excluded)?$/.test(word)) {
      ledger.effect('delete-all');
    } else if (
      !/^-[AaCcDgHIIklLnNoOpPrRStuUvWxXyzb]*(e[0-9.]*[A-Za-z]*)?$/.test(word) &&
      !/^--(timeout=\d+|numeric-ids|inplace|append|partial|ignore-existing|existing|force|stats|size-only|ignore-errors|max-size=\w+|min-size=\w+|bwlimit=\w+|compress-level=\d+|log-format=[%\w]*|no-r|no-[a-zA-Z-]+)$/.test(
        word,
      )
    ) {
      ledger.doubt(`${word.slice(0, 40)} of rsync --server`);
    }
  }
  const paths = call.args.slice(at + 1);
  ledger.effect(sender ? 'copy-out' : 'copy-in');
  if (at >= call.args.length || paths.length === 0) ledger.doubt('the paths of rsync --server');
  for (const path of paths) {
    // With secluded arguments the paths are not here but in the stream.
    if (textOf(path) === '.' && paths.length === 1) ledger.doubt('paths that rsync sends later');
    applyRole(call, sender ? 'read' : 'write', path, true);
  }
}

/** What a git client starts on the other side; a repository's own settings may run more. */
function gitServer(role: 'read' | 'write'): (call: Call) => void {
  return (call) => {
    const { ledger } = call;
    const words = call.args.filter(
      (word) => !/^--(strict|stateless-rpc|timeout=\d+)$/.test(textOf(word) ?? ''),
    );
    const [path] = words;
    if (words.length !== 1 || path === undefined || textOf(path)?.startsWith('-') !== false) {
      ledger.doubt(`the words of ${call.name}`);
      return;
    }
    applyRole(call, role, path, true);
    ledger.effect(role === 'read' ? 'copy-out' : 'copy-in');
    // Pushes run the repository's hooks, which are the owner's.
    if (role === 'write') ledger.effect('execute-code');
  };
}

function sftpServer(call: Call): void {
  call.ledger.effect('file-read', 'file-write', 'delete');
  call.ledger.doubt('files that are named later');
}

/** The programs by name. */
export const transfers: readonly (readonly [string, (call: Call) => void])[] = [
  ['curl', curl],
  ['wget', wget],
  ['ssh', ssh],
  ['scp', scp],
  ['rsync', rsync],
  ['git-upload-pack', gitServer('read')],
  ['git-upload-archive', gitServer('read')],
  ['git-receive-pack', gitServer('write')],
  ['sftp-server', sftpServer],
];
