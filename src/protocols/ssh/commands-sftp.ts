/** File operations of SFTP as commands: what they do to which absolute path. Pure. */
import type { Access, Effect, Facts, ObjectFact } from '#core/facts.ts';
import { fileName, isSecret } from '#shell/index.ts';
import { openFlag, sftp, type SftpRequest } from './codec/sftp.ts';
import { FieldReader } from '#core/ssh-fields.ts';

/** What each verb does, and how it touches its paths, in the order of the wire. */
const meanings: Readonly<
  Record<string, { readonly effects: readonly Effect[]; readonly access: readonly Access[] }>
> = {
  read: { effects: ['file-read'], access: ['read'] },
  write: { effects: ['file-write'], access: ['write'] },
  'read-write': { effects: ['file-read', 'file-write', 'truncate'], access: ['write'] },
  truncate: { effects: ['file-write', 'truncate'], access: ['write'] },
  stat: { effects: ['read'], access: ['read'] },
  list: { effects: ['read'], access: ['read'] },
  realpath: { effects: ['read'], access: ['read'] },
  readlink: { effects: ['read'], access: ['read'] },
  setstat: { effects: ['alter', 'grant'], access: ['alter'] },
  remove: { effects: ['delete'], access: ['drop'] },
  rmdir: { effects: ['delete'], access: ['drop'] },
  mkdir: { effects: ['create', 'file-write'], access: ['create'] },
  rename: { effects: ['alter', 'file-write', 'delete'], access: ['drop', 'write'] },
  // A second name is a way to read or write the first where rules look at names.
  hardlink: { effects: ['create', 'file-read', 'file-write'], access: ['read', 'create'] },
  symlink: { effects: ['create', 'file-write'], access: ['read', 'create'] },
};

const own = (verb: string): (typeof meanings)[string] | undefined =>
  Object.hasOwn(meanings, verb) ? meanings[verb] : undefined;

/** The verb of an operation; an OPEN is what its flags make of it. */
export function verbOf(request: SftpRequest): string {
  if (request.type !== sftp.open) return request.kind?.verb ?? '';
  const flags = new FieldReader(request.rest).uint32();
  const writes = flags & (openFlag.write | openFlag.append | openFlag.create | openFlag.truncate);
  if (writes === 0) return 'read';
  if ((flags & openFlag.read) !== 0) return 'read-write';
  return (flags & openFlag.truncate) === 0 ? 'write' : 'truncate';
}

/** One operation on paths that are absolute and resolved; below `home` they are named `~/…`. */
export function fileOperation(
  verb: string,
  paths: readonly string[],
  home?: string,
): { readonly text: string; readonly facts: Facts } {
  const { effects, access } = own(verb) ?? { effects: ['unknown'], access: [] };
  const kind = effects[0] === 'read' ? 'path' : 'file';
  const objects = paths.flatMap((path, index): ObjectFact[] => {
    const object = { name: fileName(path, home), access: access[index] ?? 'write' };
    const isKept = kind === 'file' && isSecret(object.name);
    return [{ kind, ...object }, ...(isKept ? [{ kind: 'secret', ...object }] : [])];
  });
  // Relative paths are here only when the target did not say what they are.
  const isKnown = Object.hasOwn(meanings, verb) && paths.every((path) => path.startsWith('/'));
  const text = ['sftp', verb, ...paths.map((path) => JSON.stringify(path))].join(' ');
  return {
    text,
    facts: {
      effects: isKnown ? effects : [...effects, 'unknown'],
      objects,
      columns: [],
      functions: [],
      verbs: [`SFTP ${verb.toUpperCase()}`],
      analysis: isKnown ? 'complete' : 'opaque',
      reasons: isKnown ? [] : ['a path that the target did not resolve'],
      fingerprint: `sftp ${verb}`,
    },
  };
}
