/**
 * The house rules that a machine can check, run as tests: sizes, imports, assertions, leftover
 * markers, dependencies. The rules and their reasons are in STYLE.md.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { forbidden, minters, type Room, roomOf, rooms, sourcePath } from './import-graph.ts';
import { type SourceShape, shapeOf } from './source-shape.ts';

const root: string = new URL('..', import.meta.url).pathname;
const tracked: readonly string[] = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && existsSync(`${root}/${file}`));
const read = (file: string): string => readFileSync(`${root}/${file}`, 'utf8');
/** Sources that people edit; tables made by a tool are long by nature. */
const sources = tracked.filter(
  (file) =>
    /^(src|quickstart|test|tools|bench)\/.*\.(ts|mjs)$/.test(file) &&
    !file.endsWith('.generated.ts'),
);
const shapes: ReadonlyMap<string, SourceShape> = new Map(
  sources.map((file) => [file, shapeOf(file, read(file))]),
);
const isTest = (file: string): boolean => file.endsWith('.test.ts');
const isShipped = (file: string): boolean => file.startsWith('src/') && !isTest(file);

describe('tidy', () => {
  it('keeps files at 500 lines and lines at 100 columns', () => {
    const bad: string[] = [];
    for (const file of sources) {
      const lines = read(file).trimEnd().split('\n');
      if (lines.length > 500 && !isTest(file)) bad.push(`${file}: ${lines.length} lines`);
      lines.forEach((line, index) => {
        // The formatter cannot break a long literal.
        if (
          line.length > 100 &&
          !/https?:\/\/|'[^']{60,}'|"[^"]{60,}"|`[^`]{60,}|\/.{60,}\//.test(line)
        ) {
          bad.push(`${file}:${index + 1}: ${line.length} columns`);
        }
      });
    }
    assert.deepEqual(bad, []);
  });

  it('keeps functions at 70 lines and four parameters', () => {
    const bad: string[] = [];
    for (const [file, { functions }] of shapes) {
      for (const { line, lines, parameters } of functions) {
        if (lines > 70 && !isTest(file)) bad.push(`${file}:${line}: ${lines} lines`);
        if (parameters > 4) bad.push(`${file}:${line}: ${parameters} parameters`);
      }
    }
    assert.deepEqual(bad, []);
  });

  it('keeps to the import graph', () => {
    const bad: string[] = [];
    let edges = 0;
    for (const [file, { imports }] of shapes) {
      if (!isShipped(file)) continue;
      for (const specifier of imports) {
        edges += 1;
        const why = forbidden(file.slice('src/'.length), specifier);
        if (why !== undefined) bad.push(`${file}: ${why}`);
      }
    }
    assert.ok(edges > 1000, 'the check found too few imports to be looking at the code');
    assert.deepEqual(bad, []);
  });

  it('has no edge in the import graph that no file needs', () => {
    assert.deepEqual(rooms.flatMap(unusedEdges), []);
  });

  it('lets only the gate and the admission mint permits', () => {
    for (const [mint, home] of Object.entries(minters)) {
      const users = sources.filter((file) => isShipped(file) && read(file).includes(mint));
      assert.deepEqual(users.sort(), ['src/core/permit.ts', home], mint);
    }
  });

  it('asserts types only where a plain value becomes an id or a row', () => {
    const bad: string[] = [];
    for (const [file, { assertions }] of shapes) {
      if (!isShipped(file) || file === 'src/core/ids.ts' || file === 'src/store/dialect.ts')
        continue;
      bad.push(...assertions.map((line) => `${file}:${line}`));
    }
    assert.deepEqual(bad, []);
  });

  it('reads clocks, randomness, the environment and the console only where it may', () => {
    const allowed = /^src\/(core\/(clock|random)\.ts|config\/|ops\/|cli\/|main\/|main\.ts)/;
    const banned = /\b(Date\.now|Math\.random|setTimeout|setInterval|process\.env|console\.)\b/;
    const bad = sources.filter(
      (file) =>
        isShipped(file) &&
        !allowed.test(file) &&
        read(file)
          .split('\n')
          .some((line) => banned.test(line) && !/^\s*(\*|\/\/|\/\*)/.test(line)),
    );
    assert.deepEqual(bad, []);
  });

  it('has no leftover markers, escapes from the checkers, or narrowed tests', () => {
    // Spelt with a class of one letter each, so that this file does not find itself.
    const marker =
      /T[O]DO|F[I]XME|\bX[X]X\b(?!-)|@ts-[i]gnore|@ts-[n]ocheck|(oxlint|eslint)-d[i]sable/;
    const narrowed =
      /\b(it|test|describe|suite)\.(o[n]ly|s[k]ip|t[o]do)\b|[{,]\s*(o[n]ly|s[k]ip|t[o]do): (?!false|undefined)/;
    const bad = sources.flatMap((file) =>
      read(file)
        .split('\n')
        .flatMap((line, index) =>
          marker.test(line) || (isTest(file) && narrowed.test(line))
            ? [`${file}:${index + 1}`]
            : [],
        ),
    );
    assert.deepEqual(bad, []);
  });

  it('gives every folder of src a README of one screen', () => {
    const folders = new Set(
      tracked.flatMap(
        (file) => /^(src\/(?:protocols\/)?[a-z-]+)\/[^/]+\.ts$/.exec(file)?.[1] ?? [],
      ),
    );
    const bad = [...folders].filter((folder) => {
      const page = `${folder}/README.md`;
      return !existsSync(`${root}/${page}`) || read(page).split('\n').length > 60;
    });
    assert.deepEqual(bad, []);
  });

  it('maps every threat to a test that exists', () => {
    const paths = read('docs/threats.md').matchAll(/`((?:src|test|tools)\/[^`]+\.ts)`/g);
    const named = [...paths].map(([, path = '']) => path);
    assert.ok(named.length > 0, 'docs/threats.md names no test');
    assert.deepEqual(
      named.filter((path) => !existsSync(`${root}/${path}`)),
      [],
    );
  });

  it('gives a reason for every dependency, pins it, and for nothing else', () => {
    const { dependencies, devDependencies } = packageFile();
    const listed = { run: new Set<string>(), tests: new Set<string>() };
    let part = listed.run;
    for (const line of read('docs/dependencies.md').split('\n')) {
      if (line.startsWith('## ')) part = line.includes('run time') ? listed.run : listed.tests;
      if (!line.startsWith('| `')) continue;
      for (const [, name = ''] of (line.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)) part.add(name);
    }
    assert.deepEqual([...listed.run].sort(), Object.keys(dependencies).sort());
    assert.deepEqual([...listed.tests].sort(), Object.keys(devDependencies).sort());
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
      assert.match(version, /^(npm:[a-z]+@)?\d+\.\d+\.\d+(-[\w.]+)?$/, name);
    }
  });
});

function packageFile(): Record<'dependencies' | 'devDependencies', Record<string, string>> {
  return JSON.parse(read('package.json'));
}

/** Edges of a room that none of its files uses: permissions that crept in or were left behind. */
function unusedEdges(room: Room): string[] {
  const used = [...shapes]
    .filter(([file]) => isShipped(file) && roomOf(file.slice('src/'.length)) === room)
    .flatMap(([file, { imports }]) =>
      imports.map((one) => [file.slice('src/'.length), one] as const),
    );
  const packages = room.packages.filter(
    (name) => !used.some(([, one]) => one === name || one.startsWith(`${name}/`)),
  );
  const inside = room.rooms.filter(
    (path) => !used.some(([file, one]) => sourcePath(file, one)?.startsWith(path)),
  );
  const node = (room.node === true ? [] : room.node).filter(
    (name) => !used.some(([, one]) => one === name),
  );
  const any = room.node === true && !used.some(([, one]) => one.startsWith('node:'));
  return [...packages, ...inside, ...node, ...(any ? ['node:'] : [])].map(
    (edge) => `${room.path} does not need ${edge}`,
  );
}
