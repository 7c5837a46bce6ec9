/**
 * Which room may import which: the one table, checked by `tidy.test.ts`. An edge that is not here
 * does not exist. A new edge needs an ADR.
 */
export interface Room {
  /** Path prefix below `src/`. The longest prefix that fits a file decides. */
  readonly path: string;
  /** Prefixes below `src/` that it may import, besides itself. */
  readonly rooms: readonly string[];
  /** The `node:` modules that it may import; true where the outside world is its business. */
  readonly node: true | readonly string[];
  /** Packages that it may import; a name ending in `/` allows its sub-paths too. */
  readonly packages: readonly string[];
}

export const rooms: readonly Room[] = [
  // The vocabulary: runs anywhere, depends on nothing.
  { path: 'core/', rooms: [], node: [], packages: [] },

  // The way of a command. `wire/` is the one room that knows sockets and TLS; who accepts and who
  // dials build on it.
  { path: 'wire/', rooms: ['core/'], node: ['node:net', 'node:tls', 'node:crypto'], packages: [] },
  {
    path: 'listener/',
    rooms: ['core/', 'wire/'],
    node: ['node:net', 'node:events'],
    packages: [],
  },
  // JWT by `jose`; the conditions of issuers are patterns of users, so linear ones.
  {
    path: 'identity/',
    rooms: ['core/'],
    node: ['node:crypto', 'node:util'],
    packages: ['jose', 'zod', 're2js'],
  },
  // The registry of protocols; each has a folder of its own, which knows `core/` and itself.
  { path: 'protocols/', rooms: ['core/'], node: [], packages: [] },
  { path: 'protocols/postgres/codec/', rooms: ['core/'], node: [], packages: [] },
  // Parses in threads that can be stopped; SCRAM and fingerprints need hashes.
  {
    path: 'protocols/postgres/',
    rooms: ['core/'],
    node: ['node:crypto', 'node:worker_threads'],
    packages: ['zod', 'libpg-query'],
  },
  // Reads the code of the SQL parser out of its package: compiled once, shared by threads.
  {
    path: 'protocols/postgres/sql/parser-module.ts',
    rooms: [],
    node: ['node:fs', 'node:module'],
    packages: ['libpg-query'],
  },
  { path: 'protocols/http/codec/', rooms: ['core/'], node: [], packages: [] },
  // HTTP/2 is Node's own; a wire is shown to it as a stream.
  {
    path: 'protocols/http/h2/',
    rooms: ['core/', 'protocols/http/'],
    node: ['node:http2', 'node:stream'],
    packages: [],
  },
  // Content codings are undone to judge and to mask; fingerprints need hashes.
  {
    path: 'protocols/http/',
    rooms: ['core/'],
    node: ['node:crypto', 'node:zlib'],
    packages: ['zod', 'graphql', 'yaml'],
  },
  { path: 'protocols/kubernetes/facts/', rooms: ['core/'], node: [], packages: ['yaml'] },
  // What `exec` and its kin speak, both ways; header blocks are compressed.
  {
    path: 'protocols/kubernetes/streams/',
    rooms: ['core/', 'protocols/http/codec/'],
    node: ['node:zlib'],
    packages: [],
  },
  // HTTP with a grammar: heads, bodies, holds and recording are those of the room of HTTP. Commands
  // in containers are read by the shell's room; what they write is masked and recorded as SSH's is.
  {
    path: 'protocols/kubernetes/',
    rooms: [
      'core/',
      'protocols/http/',
      'protocols/ssh/codec/messages.ts',
      'protocols/ssh/refusal.ts',
      'protocols/ssh/results.ts',
      'shell/',
    ],
    node: ['node:crypto'],
    packages: ['zod'],
  },
  // Pure: what a shell would do with a text, for every protocol that hands texts to a shell.
  { path: 'shell/', rooms: ['core/'], node: [], packages: ['unbash'] },
  // Signatures of authentication and digests of files; the transport is a package's. Commands are
  // read by the shell's room.
  {
    path: 'protocols/ssh/',
    rooms: ['core/', 'shell/'],
    node: ['node:crypto'],
    packages: ['zod', 'ssh2'],
  },
  { path: 'session/', rooms: ['core/'], node: [], packages: [] },
  // Pure: conditions in CEL, patterns of users in linear time, sources with positions for errors.
  {
    path: 'policy/',
    rooms: ['core/'],
    node: [],
    packages: ['@bufbuild/cel', '@bufbuild/protobuf', 're2js', 'yaml', 'zod'],
  },
  { path: 'approval/', rooms: ['core/'], node: [], packages: [] },
  // Pure; patterns of customers in linear time.
  { path: 'masking/', rooms: ['core/'], node: [], packages: ['re2js'] },
  { path: 'recording/', rooms: ['core/'], node: true, packages: ['age-encryption'] },
  {
    path: 'upstream/',
    rooms: ['core/', 'wire/'],
    node: ['node:net', 'node:dns/promises'],
    packages: [],
  },

  // What stands beside the way. None knows another: what it needs comes by a port of `core/ports/`.
  { path: 'secrets/', rooms: ['core/'], node: ['node:fs/promises', 'node:path'], packages: [] },
  { path: 'events/', rooms: ['core/'], node: [], packages: ['zod'] },
  { path: 'store/', rooms: ['core/'], node: true, packages: ['kysely'] },
  { path: 'api/', rooms: ['core/'], node: [], packages: ['fastify', 'zod'] },
  { path: 'cli/', rooms: ['core/'], node: ['node:fs'], packages: [] },
  {
    path: 'config/',
    rooms: ['core/'],
    node: ['node:fs', 'node:path'],
    packages: ['yaml', 'zod'],
  },
  { path: 'ops/', rooms: [], node: [], packages: ['pino'] },

  // The composition root: the only room that knows every other, and the tree of the command line.
  { path: 'main/', rooms: [''], node: true, packages: ['commander'] },
  { path: 'main.ts', rooms: ['core/', 'main/'], node: [], packages: ['commander'] },
];

/** Who may make a proof of `core/permit.ts`, by the name of its mint. */
export const minters: Readonly<Record<string, string>> = {
  mintAllowedCommand: 'src/session/gate.ts',
  mintTargetAuthorization: 'src/session/admission.ts',
};

/** The room of a file, by its path below `src/`. */
export function roomOf(file: string): Room | undefined {
  let best: Room | undefined;
  for (const room of rooms) {
    if (file.startsWith(room.path) && room.path.length > (best?.path.length ?? -1)) best = room;
  }
  return best;
}

/** Why `file` may not import `specifier`, or undefined when it may. Both relative to `src/`. */
export function forbidden(file: string, specifier: string): string | undefined {
  const room = roomOf(file);
  if (room === undefined) return `${file} is in no room of the table`;
  if (specifier.startsWith('node:')) {
    const allowed = room.node === true || room.node.includes(specifier);
    return allowed ? undefined : `${room.path} may not import ${specifier}`;
  }
  const inside = sourcePath(file, specifier);
  if (inside === undefined) {
    const fits = room.packages.some(
      (name) => specifier === name || specifier.startsWith(`${name}/`),
    );
    return fits ? undefined : `${room.path} may not import the package ${specifier}`;
  }
  if (inside.startsWith(room.path)) return undefined;
  const target = room.rooms.some((path) => inside.startsWith(path));
  return target ? undefined : `${room.path} may not import ${inside}`;
}

/** The path below `src/` that a specifier names, or undefined for a package. */
export function sourcePath(file: string, specifier: string): string | undefined {
  if (specifier.startsWith('#')) return specifier.slice(1);
  if (!specifier.startsWith('.')) return undefined;
  const parts = file.split('/').slice(0, -1);
  for (const part of specifier.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  return parts.join('/');
}
