/** Redirections: the shell itself opens the files, whatever the command does with them. */
import type { Redirection } from 'unbash';
import type { Argument } from './arguments.ts';
import { shownWord } from './arguments.ts';
import type { Call } from './call.ts';
import type { ShellRedirection } from './command-record.ts';
import type { PathRole } from './roles.ts';
import { applyRole } from './roles.ts';

const fileRoles: Readonly<Record<string, readonly PathRole[]>> = {
  '<': ['read'],
  '>': ['write'],
  '>|': ['write'],
  '&>': ['write'],
  '>>': ['append'],
  '&>>': ['append'],
  '<>': ['read', 'write'],
};

/** Notes one redirection. `target` is the word behind it, `call` stands for the shell. */
export function readRedirection(
  node: Redirection,
  target: Argument | undefined,
  call: Call,
  shell: 'bash' | 'sh',
): ShellRedirection {
  const { ledger } = call;
  const { operator, descriptor } = node;
  if (descriptor?.type === 'FileDescriptorVariable') ledger.doubt('a descriptor in a variable');
  if (shell === 'sh' && /^(&>|&>>|<<<)$/.test(operator)) {
    ledger.doubt(`${operator} is not of every shell`);
  }
  const shown = target === undefined ? null : shownWord(target, call.place.home);
  const record = {
    operator,
    descriptor: descriptor?.type === 'FileDescriptor' ? descriptor.value : undefined,
    target: shown,
  };
  if (operator === '<<<' || operator === '<<' || operator === '<<-') return record;
  if (target === undefined) {
    ledger.doubt('a redirection to nowhere');
    return record;
  }
  if (operator === '>&' || operator === '<&') {
    if (target.kind === 'text' && /^(\d{1,4}-?|-)$/.test(target.text)) return record;
    if (operator === '<&' || shell === 'sh') ledger.doubt('a descriptor that is not known');
    applyRole(call, 'write', target);
    return record;
  }
  if (target.kind === 'paths' && !target.single) ledger.doubt('a redirection to a pattern');
  for (const role of fileRoles[operator] ?? []) applyRole(call, role, target);
  return record;
}
