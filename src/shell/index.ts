/**
 * What a shell would do with a text, as facts. Never throws and is bounded: what is too large, too
 * deep or not understood is `opaque`. To say `complete` wrongly is the one unforgivable result.
 */
import { parse } from 'unbash';
import { type Facts, opaqueFacts } from '#core/facts.ts';
import type { ShellLimits } from '#core/limits.ts';

/** What is known of the shell that will read the text. */
export interface ShellOptions {
  /** The login shell of the account: the grammar depends on it. */
  readonly shell: 'bash' | 'sh';
  /** Absolute path of the account's home, where commands start; undefined when it is not known. */
  readonly home: string | undefined;
  readonly limits: ShellLimits;
}

/** A redirection of a command. */
export interface ShellRedirection {
  /** As written: `<`, `>>`, `2>&1` is `>&` of descriptor 2. */
  readonly operator: string;
  readonly descriptor: number | undefined;
  /** The file, descriptor or text; null when it is not known before the shell runs. */
  readonly target: string | null;
}

/** One simple command of a text, for the record. */
export interface ShellCommand {
  /** Its words as the program would get them; null for what is not known before the shell runs. */
  readonly argv: readonly (string | null)[];
  readonly redirections: readonly ShellRedirection[];
  /** Commands of one pipeline have the same number. */
  readonly pipeline: number;
  /** Names of the wrappers that it was seen through, outermost first: `sudo`, `xargs`, `sh`. */
  readonly through: readonly string[];
}

/** What one text would do. */
export interface ShellAnalysis {
  readonly facts: Facts;
  readonly commands: readonly ShellCommand[];
  /** Well-known file transfers that a client program starts by `exec`, and nothing else in it. */
  readonly kind: 'shell' | 'scp' | 'rsync' | 'git' | 'sftp';
}

/** The facts of a text that a shell is given to run. */
export function analyseShell(text: string, options: ShellOptions): ShellAnalysis {
  const { textCharsMax } = options.limits;
  const opaque = (reason: string): ShellAnalysis => ({
    facts: opaqueFacts(reason),
    commands: [],
    kind: 'shell',
  });
  if (text.length > textCharsMax) return opaque('too long');
  return opaque(parses(text) ? 'not analysed' : 'not a shell command');
}

function parses(text: string): boolean {
  try {
    return parse(text).errors === undefined;
  } catch {
    // Fails closed because what the parser gives up on is opaque.
    return false;
  }
}
