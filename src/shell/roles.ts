/**
 * What programs do with an argument, as facts. A role is the unit that the tables of programs are
 * written in.
 */
import type { Access, Effect } from '#core/facts.ts';
import { type Argument, isGlob } from './arguments.ts';
import { type Call, namesOf } from './call.ts';
import { isSecret } from './paths.ts';

/** Roles of arguments that are paths. */
export type PathRole =
  /** Its content is read, or can be told from what comes out. */
  | 'read'
  /** Only its name and metadata. */
  | 'look'
  /** Its content is replaced. */
  | 'write'
  | 'append'
  | 'create'
  | 'delete'
  /** Its rights, owner or attributes are changed. */
  | 'rights'
  /** It is code, and is run. */
  | 'code';

/** Roles of other arguments. */
export type Role =
  | PathRole
  /** Text that the program only works with. */
  | 'text'
  | 'host'
  | 'image'
  | 'user'
  | 'package'
  | 'service'
  /** A service that is only looked at. */
  | 'unit'
  | 'variable';

interface PathMeaning {
  readonly effects: readonly Effect[];
  readonly kind: 'file' | 'path';
  readonly access: Access;
}

const pathMeanings: Readonly<Record<PathRole, PathMeaning>> = {
  read: { effects: ['file-read'], kind: 'file', access: 'read' },
  look: { effects: ['read'], kind: 'path', access: 'read' },
  write: { effects: ['file-write', 'truncate'], kind: 'file', access: 'write' },
  append: { effects: ['file-write'], kind: 'file', access: 'write' },
  create: { effects: ['file-write', 'create'], kind: 'file', access: 'create' },
  delete: { effects: ['delete'], kind: 'file', access: 'drop' },
  rights: { effects: ['grant'], kind: 'file', access: 'alter' },
  code: { effects: ['execute-code'], kind: 'file', access: 'execute' },
};

const isPathRole = (role: Role): role is PathRole => Object.hasOwn(pathMeanings, role);

/** Files that are not storage: writing there loses nothing, reading there tells nothing. */
const quiet: ReadonlySet<string> = new Set([
  '/dev/null',
  '/dev/stdout',
  '/dev/stderr',
  '/dev/stdin',
]);
const quietRead: ReadonlySet<string> = new Set([
  '/dev/zero',
  '/dev/full',
  '/dev/urandom',
  '/dev/random',
]);

/**
 * Notes what happens to an argument. `deep` when a folder is taken with all that is in it.
 * What is not known for sure makes the analysis partial, and the effects are noted all the same.
 */
export function applyRole(call: Call, role: Role, argument: Argument, deep = false): void {
  const { ledger } = call;
  if (isPathRole(role)) {
    applyPathRole(call, role, argument, deep);
    return;
  }
  if (argument.kind === 'unknown' && !argument.single) {
    ledger.doubt(`words of ${call.name} that are not known before it runs`);
    return;
  }
  if (role === 'text') {
    // One word more, and the next one means something else.
    if (argument.kind === 'paths' && !argument.single) {
      ledger.doubt(`words of ${call.name} whose number is not known`);
    }
    return;
  }
  const names = namesIn(argument);
  if (names === undefined) {
    ledger.doubt(`a ${role} of ${call.name} that is not known before it runs`);
    return;
  }
  const reads = role === 'variable' || role === 'unit';
  const access = reads ? 'read' : role === 'host' ? 'write' : 'execute';
  for (const name of names) ledger.object(role === 'unit' ? 'service' : role, name, access);
}

/** The texts that a word can be; undefined when they are not known. */
function namesIn(argument: Argument): readonly string[] | undefined {
  if (argument.kind === 'text') return [argument.text];
  if (argument.kind !== 'paths' || !argument.single) return undefined;
  const known = argument.patterns.every(({ text, home }) => !home && !isGlob(text));
  return known ? argument.patterns.map(({ text }) => text) : undefined;
}

function applyPathRole(call: Call, role: PathRole, argument: Argument, deep: boolean): void {
  const { ledger, place } = call;
  const meaning = pathMeanings[role];
  if (argument.kind === 'pipe') {
    if (role === 'read' || role === 'look' || role === 'write' || role === 'append') return;
    ledger.doubt(`${call.name} works on a pipe`);
    return;
  }
  if (argument.kind === 'unknown') {
    ledger.effect(...meaning.effects);
    ledger.doubt(`a path of ${call.name} that is not known before it runs`);
    return;
  }
  const patterns =
    argument.kind === 'text' ? [{ text: argument.text, home: false }] : argument.patterns;
  for (const pattern of patterns) {
    if (pattern.text === '' && !pattern.home) continue;
    const names = namesOf(pattern, place);
    if (names.length === 0) {
      ledger.effect(...meaning.effects);
      ledger.doubt('a relative path in a folder that is not known');
    }
    for (const { name, doubt } of names) {
      if (doubt !== undefined) ledger.doubt(doubt);
      notePath(call, role, name, deep);
    }
  }
  if (role === 'code') ledger.doubt(`${call.name} runs the code of a file`);
}

function notePath(call: Call, role: PathRole, name: string, deep: boolean): void {
  const { ledger } = call;
  const { effects, kind, access } = pathMeanings[role];
  const here = name.slice(call.place.host.length);
  if (quiet.has(here) || /^\/dev\/fd\/\d+$/.test(here)) {
    if (role === 'delete' || role === 'rights' || role === 'create') ledger.effect(...effects);
    if (role === 'code') ledger.effect('execute-code');
    return;
  }
  if (quietRead.has(here) && (role === 'read' || role === 'look')) return;
  ledger.effect(...effects);
  if (deep && role === 'delete') ledger.effect('delete-all');
  if (/^\/dev\/(tcp|udp)\//.test(here)) {
    ledger.effect('network');
    ledger.object('host', here.split('/')[3] ?? '', 'write');
  }
  for (const each of deep ? [name, `${name === '/' ? '' : name}/**`] : [name]) {
    ledger.object(kind, each, access);
    if (kind === 'file' && isSecret(each.slice(call.place.host.length)))
      ledger.object('secret', each, access);
  }
}
