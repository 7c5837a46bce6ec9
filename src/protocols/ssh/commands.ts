/**
 * What a client is about to do, as commands that can be judged: an `exec`, a shell, a subsystem, a
 * file operation, a forwarded connection. Pure.
 *
 * The state of a command starts with the kind of its channel, so that an approval for one kind is
 * never good for another with the same text.
 */
import type { Command } from '#core/command.ts';
import { type Facts, opaqueFacts } from '#core/facts.ts';
import { shellLimits } from '#core/limits.ts';
import type { Stages } from '#core/protocol.ts';
import { analyseShell, type ShellAnalysis } from '#shell/index.ts';
import type { SshSettings } from './config.ts';

/** What of a session a channel set up before its command: the terminal and the environment. */
export interface ChannelState {
  /** Name of the terminal's type; undefined without one. */
  readonly terminal: string | undefined;
  readonly environment: ReadonlyMap<string, string>;
  /** Whether the target may use the client's agent. */
  readonly hasAgent: boolean;
}

/** Makes a command of this session. */
export function makeCommand(
  stages: Pick<Stages, 'commandId' | 'context'>,
  what: { readonly text: string; readonly state: string; readonly facts: Facts },
): Command {
  return {
    id: stages.commandId(),
    context: stages.context,
    kind: 'execute',
    parameters: [],
    ...what,
  };
}

/** The state of a command on a session channel. */
export function channelState(kind: string, state: ChannelState): string {
  const { terminal, environment, hasAgent } = state;
  return [
    kind,
    ...(terminal === undefined ? [] : [`pty ${terminal}`]),
    ...(hasAgent ? ['agent'] : []),
    ...[...environment].map(([name, value]) => `env ${name}=${value}`).sort(),
  ].join('\n');
}

/** What a text that the login shell reads would do. */
export const analyseExec = (
  text: string,
  { shell, home }: Pick<SshSettings, 'shell' | 'home'>,
  terminal = false,
): ShellAnalysis => analyseShell(text, { shell, home, terminal, limits: shellLimits });

/** An interactive shell: nothing can be said of what it will do. */
export const shellFacts: Facts = {
  ...opaqueFacts('an interactive shell'),
  effects: ['execute-code', 'unknown'],
  verbs: ['SHELL'],
  fingerprint: 'shell',
};

/** The start of SFTP: its operations are judged one by one. */
export const sftpFacts: Facts = {
  ...opaqueFacts(''),
  effects: ['session'],
  verbs: ['SFTP'],
  analysis: 'complete',
  reasons: [],
  fingerprint: 'sftp',
};

/** Variables that a client may set; everything else can carry code (`BASH_ENV`, functions). */
export const mayBeSet = (name: string): boolean => /^(LANG|TZ|LC_[A-Z]{1,24})$/.test(name);

/** Values of those: the words of a locale or a zone. */
export const isPlainValue = (value: string): boolean =>
  /^([A-Za-z0-9][A-Za-z0-9_.@+/-]{0,127})?$/.test(value) && !value.includes('..');
