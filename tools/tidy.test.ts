/**
 * The house rules that a machine can check, run as tests: sizes, imports, dead files, leftover
 * markers. The rules and their reasons are in STYLE.md.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { forbidden, minters } from './import-graph.ts';

const root: string = new URL('..', import.meta.url).pathname;
const tracked: readonly string[] = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && existsSync(`${root}/${file}`));
const sources = tracked.filter((file) =>
  /^(src|quickstart|test|tools|bench)\/.*\.(ts|mjs)$/.test(file),
);
const read = (file: string): string => readFileSync(`${root}/${file}`, 'utf8');
/** Tables made by a tool: long by nature, and nobody edits them. */
const isGenerated = (file: string): boolean => file.endsWith('.generated.ts');

describe('tidy', () => {
  it('keeps files at 500 lines and lines at 100 columns', () => {
    const bad: string[] = [];
    for (const file of sources.filter((name) => !isGenerated(name))) {
      const lines = read(file).split('\n');
      if (lines.length > 501 && !file.endsWith('.test.ts'))
        bad.push(`${file}: ${lines.length} lines`);
      lines.forEach((line, index) => {
        if (
          line.length > 100 &&
          !/https?:\/\/|'[^']{40,}'|"[^"]{40,}"|`[^`]{40,}|\/.{60,}\//.test(line)
        ) {
          bad.push(`${file}:${index + 1}: ${line.length} columns`);
        }
      });
    }
    assert.deepEqual(bad, []);
  });

  it('keeps functions at 70 lines', () => {
    const bad: string[] = [];
    for (const file of sources) {
      if (file.endsWith('.test.ts') || isGenerated(file)) continue;
      bad.push(...longFunctions(file, read(file).split('\n')));
    }
    assert.deepEqual(bad, []);
  });

  it('keeps to the import graph', () => {
    const bad: string[] = [];
    let edges = 0;
    for (const file of sources) {
      if (!file.startsWith('src/') || file.endsWith('.test.ts')) continue;
      for (const specifier of imports(read(file))) {
        edges += 1;
        const why = forbidden(file.slice('src/'.length), specifier);
        if (why !== undefined) bad.push(`${file}: ${why}`);
      }
    }
    assert.ok(edges > 20, 'the check found too few imports to be looking at the code');
    assert.deepEqual(bad, []);
  });

  it('lets only the gate and the admission mint permits', () => {
    for (const [mint, home] of Object.entries(minters)) {
      const users = sources.filter(
        (file) =>
          file.startsWith('src/') && !file.endsWith('.test.ts') && read(file).includes(mint),
      );
      assert.deepEqual(users.sort(), ['src/core/permit.ts', home], mint);
    }
  });

  it('reads clocks, randomness, the environment and the console only where it may', () => {
    const allowed = /^src\/(core\/(clock|random)\.ts|config\/|ops\/|cli\/|main\/|main\.ts)/;
    const banned = /\b(Date\.now|Math\.random|setTimeout|setInterval|process\.env|console\.)\b/;
    const bad = sources.filter(
      (file) =>
        file.startsWith('src/') &&
        !allowed.test(file) &&
        !file.endsWith('.test.ts') &&
        read(file)
          .split('\n')
          .some((line) => banned.test(line) && !/^\s*(\*|\/\/|\/\*)/.test(line)),
    );
    assert.deepEqual(bad, []);
  });

  it('has no leftover markers, escapes from the checkers, or narrowed tests', () => {
    // Spelt with a class of one letter each, so that this file does not find itself.
    const marker =
      /T[O]DO|F[I]XME|\bX[X]X\b|@ts-[i]gnore|\.o[n]ly\(|(?:it|test|describe|suite)\.s[k]ip\(|oxlint-d[i]sable/;
    const bad = sources.flatMap((file) =>
      read(file)
        .split('\n')
        .flatMap((line, index) => (marker.test(line) ? [`${file}:${index + 1}`] : [])),
    );
    assert.deepEqual(bad, []);
  });

  it('gives every folder of src a README', () => {
    const folders = new Set(
      tracked.flatMap(
        (file) => /^(src\/(?:protocols\/)?[a-z-]+)\/[^/]+\.ts$/.exec(file)?.[1] ?? [],
      ),
    );
    const bad = [...folders].filter((folder) => !existsSync(`${root}/${folder}/README.md`));
    assert.deepEqual(bad, []);
  });

  it('maps every threat to a test that exists', () => {
    const rows = read('docs/threats.md')
      .split('\n')
      .filter((line) => line.startsWith('| '));
    const missing: string[] = [];
    let checked = 0;
    for (const row of rows) {
      for (const [, path = ''] of row.matchAll(/`((?:src|test|tools)\/[^`]+)`/g)) {
        checked += 1;
        if (!existsSync(`${root}/${path}`)) missing.push(path);
      }
    }
    assert.ok(checked > 0, 'docs/threats.md names no test');
    assert.deepEqual(missing, []);
  });
});

/** Module specifiers of static and dynamic imports and re-exports. */
function imports(text: string): string[] {
  const found: string[] = [];
  const pattern =
    /(?:^|\n)\s*(?:import|export)\b[^'"`;]*?from\s*'([^']+)'|\bimport\(\s*'([^']+)'\s*\)|(?:^|\n)import\s*'([^']+)'/g;
  for (const match of text.matchAll(pattern)) found.push(match[1] ?? match[2] ?? match[3] ?? '');
  return found;
}

/** Functions of more than 70 lines, found by the formatter's own indentation. */
function longFunctions(file: string, lines: readonly string[]): string[] {
  const bad: string[] = [];
  const opening =
    /^(\s*)(?:export )?(?:default )?(?:async )?(?:function\b|(?:(?:private|static|override|async|get|set|readonly) )*[#\w]+\(.*\).*\{$|(?:export )?const \w+ = (?:async )?(?:\(.*|\w+) ?=> \{$|.*=> \{$)/;
  lines.forEach((line, index) => {
    const match = opening.exec(line);
    if (match === null || /^\s*(if|for|while|switch|catch|describe|it)\b/.test(line)) return;
    const close = `${match[1] ?? ''}}`;
    let end = index + 1;
    while (end < lines.length && !(lines[end] ?? '').startsWith(close)) end += 1;
    if (end - index > 70) bad.push(`${file}:${index + 1}: ${end - index} lines`);
  });
  return bad;
}
