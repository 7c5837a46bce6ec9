/**
 * Our reading of shell texts against bash itself: random texts, and for each that we call complete,
 * the programs that bash really starts, with the words that they really get. Every program on the
 * path is a stub that writes down what it was given, builtins are off, and nothing else runs.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { shellLimits } from '../../../src/core/limits.ts';
import { analyseShell } from '../../../src/shell/index.ts';

const scratch = mkdtempSync(`${tmpdir()}/sallyport-shell-`);
after(() => {
  rmSync(scratch, { recursive: true, force: true });
});

const programs = 'ls cat grep rm head wc sort echo printf true false test [ cp kill'.split(' ');
/** Really run: they start what is looked at. */
const wrappers = ['env', 'nice', 'timeout', 'xargs', 'nohup', 'setsid'];

const home = `${scratch}/home`;
mkdirSync(`${home}/data`, { recursive: true });
mkdirSync(`${home}/logs`);
for (const file of ['a', 'b', 'data/x', 'logs/y', 'logs/z z', '-n']) {
  writeFileSync(`${home}/${file}`, 'x\n');
}
mkdirSync(`${scratch}/bin`);
for (const program of programs) {
  const stub = `${scratch}/bin/${program}`;
  const lines = ['#!/bin/sh', 'printf "%s\\0" "${0##*/}" "$@" > "$STARTED/$$"', ''];
  writeFileSync(stub, lines.join('\n'));
  chmodSync(stub, 0o755);
}
for (const wrapper of wrappers) symlinkSync(`/usr/bin/${wrapper}`, `${scratch}/bin/${wrapper}`);
writeFileSync(`${scratch}/rc`, `enable -n ${programs.join(' ')} 2>/dev/null\n`);

/** What bash starts for a text, as lists of words. */
function started(text: string): readonly (readonly string[])[] {
  const folder = `${scratch}/started`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const environment = {
    PATH: `${scratch}/bin`,
    HOME: home,
    BASH_ENV: `${scratch}/rc`,
    STARTED: folder,
    LANG: 'C.UTF-8',
  };
  spawnSync('/bin/bash', ['-c', text], { cwd: home, env: environment, input: '', timeout: 5_000 });
  return readdirSync(folder).map((file) =>
    readFileSync(`${folder}/${file}`, 'utf8').split('\0').slice(0, -1),
  );
}

/** Whether words fit what was said of them, where null stands for any words. */
function fits(words: readonly string[], said: readonly (string | null)[]): boolean {
  const [first, ...rest] = said;
  if (first === undefined) return words.length === 0;
  if (first !== null) return words[0] === first && fits(words.slice(1), rest);
  return words.some((_, at) => fits(words.slice(at), rest)) || fits([], rest);
}

const bare = fc.constantFrom('a', 'b', 'data', 'logs', '-l', '-n', '/', '.', '=', ':', '%', '+');
const inQuotes = fc.string({
  unit: fc.constantFrom('a', ' ', '$', '`', '\\', '*', '"', '\n', '{', '}', ',', ';', 'é', '~'),
  maxLength: 4,
});
const piece = fc.oneof(
  { weight: 6, arbitrary: bare },
  { weight: 2, arbitrary: inQuotes.map((text) => `'${text}'`) },
  {
    weight: 2,
    arbitrary: inQuotes.map((text) => `"${text.replace(/["`]/g, '\\$&').replace(/\\$/, '')}"`),
  },
  fc.constantFrom('\\a', '\\ ', '\\$', "\\'", '\\\n', "$'\\x61'", "$'\\n'", "$'a\\'b'", '{a,b}'),
  fc.constantFrom('${v^}', '"${v/a/b}"', '${v:0:2}', '${#v}', '$((i+1))', '$HOME/logs/*'),
  fc.constantFrom('$v', '"$v"', '${v}', '"x$v"', '$HOME', '"$HOME/a"', '~', '~/a', '*', 'logs/*'),
  fc.constantFrom(
    '$(echo a)',
    '"$(ls)"',
    '`ls`',
    '$((1+2))',
    '?',
    '[ab]',
    'a[',
    '{',
    '}',
    '#',
    '!',
  ),
);
const word = fc.array(piece, { minLength: 1, maxLength: 3 }).map((pieces) => pieces.join(''));
const name = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...programs.filter((program) => program !== '[')) },
  fc.constantFrom(
    "l''s",
    'c"a"t',
    '\\ls',
    "$'ls'",
    'l\\\ns',
    '$v',
    'env ls',
    'nice cat',
    'nice -n 5 ls',
  ),
  fc.constantFrom(
    'timeout 5 ls',
    'env LANG=C ls',
    'nohup ls',
    'setsid cat',
    'echo a | xargs ls',
    '[',
  ),
  fc.constantFrom(
    'v=data',
    'v=logs; ls',
    'v="a b"; cat',
    'bash -c ls',
    'xargs -0 ls',
    'cd logs && ls',
  ),
);
const command = fc
  .tuple(name, fc.array(word, { maxLength: 3 }), fc.constantFrom('', '', '', ' >/dev/null', ' <a'))
  .map(([first, words, redirection]) => `${[first, ...words].join(' ')}${redirection}`);
const shape = fc.constantFrom(
  '%1',
  '%1; %2',
  '%1 && %2',
  '%1 || %2',
  '%1 | %2',
  '%1\n%2',
  '%1 & %2',
  '! %1',
  '{ %1; }',
  '(%1)',
  'if %1; then %2; fi',
  'for v in a logs/*; do %1; done',
  '%1 # %2',
  '%1 |& %2',
  'v=a; %1',
  'case a in a) %1;; esac',
  'cat <<X\n%1\nX',
  'time %1',
  'while %1; do break; done',
  'f() { %1; }; f',
  'f() { %1 "$1"; }; f a; f "b c"',
  'f() { local w=$1; %1 "$w"; }; f data',
  'a=(a logs/*); %1 "${a[@]}"; %2',
  'i=0; while [ $i -lt 2 ]; do i=$((i+1)); %1 $i; done',
  'for ((i=0;i<2;i++)); do %1 "$i"; done',
  "trap '%1' EXIT; %2",
);
const text = fc
  .tuple(shape, command, command)
  .map(([form, one, two]) => form.replace('%1', () => one).replace('%2', () => two));

test('bash starts nothing that a complete analysis does not name', () => {
  let complete = 0;
  let programsSeen = 0;
  const property = fc.property(text, (source) => {
    const { facts, commands } = analyseShell(source, { shell: 'bash', home, limits: shellLimits });
    if (facts.analysis !== 'complete') return;
    complete += 1;
    for (const words of started(source)) {
      programsSeen += 1;
      const named = commands.some(({ argv }) => fits(words, argv));
      assert.ok(named, `${JSON.stringify(words)} of ${JSON.stringify(source)}`);
    }
  });
  const seed = process.env['SHELL_SEED'];
  const numRuns = Number(process.env['SHELL_RUNS'] ?? 400);
  fc.assert(property, { numRuns, ...(seed !== undefined && { seed: Number(seed) }) });
  assert.ok(complete > numRuns / 20, `only ${complete} texts were complete`);
  assert.ok(programsSeen > complete / 2, `only ${programsSeen} programs were started`);
});
