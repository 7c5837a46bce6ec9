/**
 * Commands outside a session, for `policy explain` and tests of policies: a text for the login
 * shell, or what a client does on channels, as a list of frames. A frame that is not known, and
 * what needs a right of its own, is opaque: nothing is allowed by a mistake.
 */
import { opaqueFacts } from '#core/facts.ts';
import type { AnalysedCommand } from '#core/protocol.ts';
import { analyseExec, isPlainValue, mayBeSet, sftpFacts, shellFacts } from './commands.ts';
import { fileOperation } from './commands-sftp.ts';
import type { SshSettings } from './config.ts';
import { passageFacts, passageText } from './forwarding.ts';

/** The commands of an input; one of opaque facts for what is none. */
export function analyseOffline(input: unknown, settings: SshSettings): readonly AnalysedCommand[] {
  if (typeof input === 'string') {
    return [{ text: input, facts: analyseExec(input, settings).facts }];
  }
  const frames: readonly unknown[] = Array.isArray(input) ? input : [input];
  return frames.flatMap((frame) => analyseFrame(fieldsOf(frame), settings));
}

type Fields = ReadonlyMap<string, unknown>;

const fieldsOf = (value: unknown): Fields =>
  new Map(typeof value === 'object' && value !== null ? Object.entries(value) : []);

const opaque = (text: string, reason: string): AnalysedCommand => ({
  text,
  facts: opaqueFacts(reason),
});

function analyseFrame(frame: Fields, settings: SshSettings): readonly AnalysedCommand[] {
  const exec = frame.get('exec');
  if (typeof exec === 'string') {
    for (const [name, value] of fieldsOf(frame.get('env'))) {
      if (!mayBeSet(name) || !isPlainValue(String(value))) {
        return [opaque(exec, `the variable ${name.slice(0, 40)}`)];
      }
    }
    if (frame.get('agent') === true || frame.get('x11') === true) {
      return [opaque(exec, 'a forwarding that is refused')];
    }
    return analyseOffline(exec, settings);
  }
  if (frame.has('pty') || frame.has('shell_stdin')) return [{ text: '', facts: shellFacts }];
  const forward = fieldsOf(frame.get('forward'));
  if (forward.size > 0) {
    const [name, port] = [String(forward.get('host')), Number(forward.get('port'))];
    const passage = { right: 'direct-tcpip', name, port } as const;
    return [{ text: passageText(passage), facts: passageFacts(passage) }];
  }
  const operations = frame.get('sftp');
  if (!Array.isArray(operations)) return [opaque('', 'a frame that is not known')];
  return [
    { text: 'sftp', facts: sftpFacts },
    ...operations.map((each: unknown) => analyseOperation(each, settings)),
  ];
}

/** What a client's methods ask for. */
const verbs: ReadonlyMap<string, string> = new Map([
  ['readdir', 'list'],
  ['opendir', 'list'],
  ['stat', 'stat'],
  ['lstat', 'stat'],
  ['realpath', 'realpath'],
  ['readlink', 'readlink'],
  ['readFile', 'read'],
  ['writeFile', 'truncate'],
  ['setstat', 'setstat'],
  ['chmod', 'setstat'],
  ['unlink', 'remove'],
  ['rmdir', 'rmdir'],
  ['mkdir', 'mkdir'],
  ['rename', 'rename'],
  ['ext_openssh_rename', 'rename'],
  ['ext_openssh_hardlink', 'hardlink'],
  ['symlink', 'symlink'],
]);

const twoPaths: ReadonlySet<string> = new Set(['rename', 'hardlink', 'symlink']);

/** Nobody resolves paths here, so only plain ones below a known home, or absolute, are known. */
function analyseOperation(operation: unknown, { home }: SshSettings): AnalysedCommand {
  const words: readonly unknown[] = Array.isArray(operation) ? operation : [];
  const verb = verbs.get(String(words[0])) ?? '';
  const given = words.slice(1, twoPaths.has(verb) ? 3 : 2).map(String);
  const paths = given.map((path) => {
    const parts = path.split('/').filter((part) => part !== '' && part !== '.');
    if (parts.includes('..')) return path.replace(/^\/+/, '');
    if (path.startsWith('/')) return `/${parts.join('/')}`;
    return home === undefined ? path : [home, ...parts].join('/');
  });
  return fileOperation(verb, paths, home);
}
