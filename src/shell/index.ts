/**
 * What a shell would do with a text, as facts. Never throws and is bounded: what is too large, too
 * deep or not understood is `opaque`. To say `complete` wrongly is the one unforgivable result.
 */
import { type Facts, opaqueFacts } from '#core/facts.ts';
import type { ShellLimits } from '#core/limits.ts';
import type { ShellCommand } from './command-record.ts';
import { Ledger, Unreadable } from './ledger.ts';
import { runWords, type Setting, walkText } from './simple.ts';

export type { ShellCommand };
export { fileName, isSecret } from './paths.ts';

/** What is known of the shell that will read the text. */
export interface ShellOptions {
  /** The login shell of the account: the grammar depends on it. */
  readonly shell: 'bash' | 'sh';
  /** Absolute path of the account's home, where commands start; undefined when it is not known. */
  readonly home: string | undefined;
  /** Whether the command gets a terminal, where some programs wait for keys. No when absent. */
  readonly terminal?: boolean;
  readonly limits: ShellLimits;
}

/** What one text would do. */
export interface ShellAnalysis {
  readonly facts: Facts;
  readonly commands: readonly ShellCommand[];
  /** Well-known file transfers that a client program starts by `exec`, and nothing else in it. */
  readonly kind: 'shell' | 'scp' | 'rsync' | 'git' | 'sftp';
}

/** The facts of a text that a shell is given to run. */
export const analyseShell = (text: string, options: ShellOptions): ShellAnalysis =>
  analyse(options, ['~'], (ledger, setting) => walkText(text, ledger, setting));

/**
 * The facts of a program that is started by its arguments, without a shell, in a folder that is not
 * known: whatever else is a shell's is just a word here.
 */
export const analyseProgram = (
  argv: readonly string[],
  options: Omit<ShellOptions, 'shell'>,
): ShellAnalysis =>
  analyse({ ...options, shell: 'sh' }, undefined, (ledger, setting) =>
    runWords(argv, ledger, setting),
  );

function analyse(
  options: ShellOptions,
  folders: Setting['place']['folders'],
  walk: (ledger: Ledger, setting: Setting) => void,
): ShellAnalysis {
  const { limits, shell, home } = options;
  const ledger = new Ledger(limits);
  try {
    walk(ledger, {
      shell,
      place: {
        folders,
        home: home === undefined ? undefined : plainHome(home),
        terminal: options.terminal ?? false,
        host: '',
      },
      through: [],
      depth: 0,
      nestingMax: limits.nestingMax,
      expansionsMax: limits.expansionsMax,
    });
  } catch (error) {
    // Fails closed because whatever ends an analysis leaves the text not understood.
    const reason = error instanceof Unreadable ? error.message : 'the analysis failed';
    return { facts: opaqueFacts(reason), commands: [], kind: 'shell' };
  }
  return { facts: ledger.facts(), commands: ledger.commands, kind: kindOf(ledger.commands) };
}

/** A home that can stand in names: absolute, without dots and a slash at its end. */
function plainHome(home: string): string | undefined {
  const path = home.length > 1 ? home.replace(/\/+$/, '') : home;
  return /^(\/[^/]+)+$/.test(path) && !/\/\.{1,2}(\/|$)/.test(path) ? path : undefined;
}

/** A transfer is one command, without redirections and wrappers, as client programs start it. */
function kindOf(commands: readonly ShellCommand[]): ShellAnalysis['kind'] {
  const [command] = commands;
  if (commands.length !== 1 || command === undefined) return 'shell';
  const { argv, redirections, through } = command;
  const [path = null, ...words] = argv;
  if (path === null || redirections.length > 0 || through.length > 0) return 'shell';
  const name = path.slice(path.lastIndexOf('/') + 1);
  const flags = words.filter((word) => word !== null && /^-[a-z]+$/.test(word)).join('');
  if (name === 'scp' && /[tf]/.test(flags)) return 'scp';
  if (name === 'rsync' && words[0] === '--server') return 'rsync';
  if (/^git-(upload-pack|upload-archive|receive-pack)$/.test(name)) return 'git';
  return name === 'sftp-server' ? 'sftp' : 'shell';
}
