/** From a program's name to its meaning: the one place where a name becomes known. */
import { textOf } from './arguments.ts';
import type { Call, Feed } from './call.ts';
import { applyGrammar } from './grammar.ts';
import { administration } from './programs-admin.ts';
import { containerPrograms } from './programs-containers.ts';
import { fileHandlers } from './programs-files.ts';
import { plainHandlers } from './programs-plain.ts';
import { statusPrograms } from './programs-status.ts';
import { applyRole } from './roles.ts';
import { fileTables } from './tables-files.ts';
import { bluntPrograms, interpreters, systemTables } from './tables-system.ts';
import { transfers } from './transfers.ts';
import { wrappers } from './wrappers.ts';

/** A program that is more than its options; answers what the next one in a pipeline can rely on. */
export type Handler = (call: Call) => Feed | void;

const handlers: ReadonlyMap<string, Handler> = new Map([
  ...plainHandlers,
  ...fileHandlers,
  ...wrappers,
  ...administration,
  ...containerPrograms,
  ...statusPrograms,
  ...transfers,
]);

/** Programs that may start a pager where they see a terminal, and then what is typed there. */
const waitsForKeys: ReadonlySet<string> = new Set(
  (
    'systemctl journalctl git dmesg top apt apt-get apt-cache yum dnf npm pip pip3 docker podman ' +
    'less more man dpkg bc timedatectl hostnamectl loginctl resolvectl systemd-analyze ' +
    'systemd-cgls coredumpctl nmcli'
  ).split(' '),
);

/** Folders whose programs are the system's. */
const systemFolders: readonly string[] = ['/bin/', '/usr/bin/', '/sbin/', '/usr/sbin/'];

/** Notes what a program does. */
export function runProgram(call: Call): Feed {
  const { ledger } = call;
  const folder = systemFolders.find(
    (each) => call.name.startsWith(each) && !call.name.slice(each.length).includes('/'),
  );
  const name = folder === undefined ? call.name : call.name.slice(folder.length);
  if (name.includes('/')) {
    ledger.verb(name.slice(name.lastIndexOf('/') + 1));
    applyRole(call, 'code', { kind: 'text', text: name });
    return undefined;
  }
  ledger.verb(name);
  const known = { ...call, name };
  if (call.place.terminal && waitsForKeys.has(name)) {
    ledger.effect('execute-code');
    ledger.doubt(`${name} takes commands from a terminal`);
  }
  const handler = handlers.get(name);
  if (handler !== undefined) return handler(known) ?? undefined;
  const grammar = own(fileTables, name) ?? own(systemTables, name);
  if (grammar !== undefined) {
    applyGrammar(known, grammar);
    return undefined;
  }
  if (asksVersion(call, name)) {
    ledger.effect('read');
    return undefined;
  }
  const effects = bluntPrograms.get(name);
  ledger.effect(...(effects ?? []));
  ledger.doubt(
    effects === undefined
      ? `${shown(name)} is not in the table of programs`
      : `what ${name} does with its arguments`,
  );
  return undefined;
}

/** Whether a name is of a program that something is known of. */
export const isKnownProgram = (name: string): boolean =>
  handlers.has(name) ||
  own(fileTables, name) !== undefined ||
  own(systemTables, name) !== undefined ||
  bluntPrograms.has(name);

/** How interpreters and compilers are asked for their version besides `--version`. */
const versionWords: ReadonlyMap<string, string> = new Map([
  ['python', '-V'],
  ['python2', '-V'],
  ['python3', '-V'],
  ['perl', '-v'],
  ['php', '-v'],
  ['node', '-v'],
  ['java', '-version'],
]);

/** Whether a program is only asked for its version: then it runs nothing that it is given. */
function asksVersion(call: Call, name: string): boolean {
  const word = textOf(call.args[0]);
  if (call.args.length !== 1 || word === undefined) return false;
  return versionWords.get(name) === word || (word === '--version' && interpreters.has(name));
}

const own = <Value>(table: Readonly<Record<string, Value>>, name: string): Value | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined;

const shown = (name: string): string => (name === '' ? 'an empty name' : name.slice(0, 40));
