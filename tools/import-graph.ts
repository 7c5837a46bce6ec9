/**
 * Which room may import which: the one table, checked by `tidy.test.ts`. An edge that is not here
 * does not exist. A new edge needs an ADR.
 */
export interface Room {
  /** Path prefix below `src/`. The longest prefix that fits a file decides. */
  readonly path: string;
  /** Prefixes below `src/` that it may import, besides itself. */
  readonly rooms: readonly string[];
  /** Whether it may import `node:` modules; a list allows only those. */
  readonly node: boolean | readonly string[];
  /** Packages that it may import; a name ending in `/` allows its sub-paths too. */
  readonly packages: readonly string[];
}

export const rooms: readonly Room[] = [
  { path: 'core/', rooms: [], node: false, packages: [] },
  { path: 'wire/', rooms: ['core/'], node: true, packages: [] },
  { path: 'listener/', rooms: ['core/', 'wire/'], node: true, packages: [] },
  { path: 'identity/', rooms: ['core/'], node: true, packages: ['jose', 'zod', 're2js'] },
  {
    path: 'protocols/',
    rooms: ['core/'],
    node: ['node:crypto', 'node:worker_threads', 'node:url', 'node:path'],
    packages: ['zod'],
  },
  { path: 'protocols/postgres/codec/', rooms: ['core/'], node: false, packages: [] },
  {
    path: 'protocols/postgres/',
    rooms: ['core/'],
    node: ['node:crypto', 'node:worker_threads', 'node:url', 'node:path'],
    packages: ['zod', 'libpg-query'],
  },
  // Reads the code of the SQL parser out of its package: compiled once, shared by threads.
  {
    path: 'protocols/postgres/sql/parser-module.ts',
    rooms: [],
    node: ['node:fs', 'node:module'],
    packages: ['libpg-query'],
  },
  { path: 'session/', rooms: ['core/'], node: false, packages: [] },
  {
    path: 'policy/',
    rooms: ['core/'],
    node: false,
    packages: ['@bufbuild/cel', '@bufbuild/protobuf', 're2js', 'yaml', 'zod'],
  },
  { path: 'approval/', rooms: ['core/'], node: false, packages: ['zod'] },
  { path: 'masking/', rooms: ['core/'], node: false, packages: ['re2js'] },
  { path: 'recording/', rooms: ['core/'], node: true, packages: ['age-encryption'] },
  { path: 'upstream/', rooms: ['core/', 'wire/'], node: true, packages: [] },
  { path: 'secrets/', rooms: ['core/'], node: true, packages: [] },
  { path: 'events/', rooms: ['core/'], node: true, packages: ['zod'] },
  { path: 'store/', rooms: ['core/'], node: true, packages: ['kysely'] },
  { path: 'api/', rooms: ['core/'], node: true, packages: ['fastify', 'zod'] },
  { path: 'cli/', rooms: ['core/'], node: true, packages: ['commander', 'yaml'] },
  { path: 'config/', rooms: ['core/'], node: true, packages: ['zod', 'yaml'] },
  { path: 'ops/', rooms: ['core/'], node: true, packages: ['pino'] },
  /** The composition root and what it is split into: the only files that know every room. */
  { path: 'main/', rooms: [''], node: true, packages: ['commander', 'pino', 'zod', 'yaml'] },
  { path: 'main.ts', rooms: [''], node: true, packages: ['commander', 'pino', 'zod'] },
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
    const allowed = room.node === true || (room.node !== false && room.node.includes(specifier));
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
