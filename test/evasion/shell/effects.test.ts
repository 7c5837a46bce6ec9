/**
 * The tables of programs against the programs: random options and operands from the tables, run by
 * a user without rights in a folder of its own. What changes in it, and whose content comes out,
 * must be among the facts wherever we call them complete.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { lstatSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, test } from 'node:test';
import fc from 'fast-check';
import type { Facts } from '../../../src/core/facts.ts';
import { shellLimits } from '../../../src/core/limits.ts';
import { analyseShell } from '../../../src/shell/index.ts';
import type { Grammar } from '../../../src/shell/grammar.ts';
import { fileTables } from '../../../src/shell/tables-files.ts';

const root = mkdtempSync(`${tmpdir()}/sallyport-effects-`);
chmodSync(root, 0o755);
after(() => {
  rmSync(root, { recursive: true, force: true });
});

const home = `${root}/home`;
/** Nobody, where we may be somebody else. */
const nobody = process.getuid?.() === 0 ? 65_534 : undefined;
const files = ['data/a', 'data/b', 'data/sub/c', 'logs/app', 'secret.txt', 'list'];
const canary = (file: string): string => `CANARY${files.indexOf(file)}END`;

function reset(): void {
  rmSync(home, { recursive: true, force: true });
  for (const folder of ['', '/data', '/data/sub', '/logs', '/empty']) {
    mkdirSync(home + folder);
    owned(home + folder);
  }
  for (const file of files) {
    writeFileSync(`${home}/${file}`, `${canary(file)} one\ntwo ${file}\n`);
    owned(`${home}/${file}`);
  }
}

function owned(path: string): void {
  if (nobody !== undefined) chownSync(path, nobody, nobody);
}

/** Everything in the home: kind, rights and content. */
function tree(folder = ''): Map<string, string> {
  const out = new Map<string, string>();
  for (const entry of readdirSync(`${home}${folder}`)) {
    const path = `${folder}/${entry}`;
    const stat = lstatSync(home + path);
    const content = stat.isFile() ? `${readFileSync(home + path, 'latin1')} ${stat.mtimeMs}` : '';
    out.set(path, `${stat.mode} ${stat.uid} ${content}`);
    if (stat.isDirectory()) for (const [name, each] of tree(path)) out.set(name, each);
  }
  return out;
}

function changed(before: ReadonlyMap<string, string>): readonly string[] {
  const now = tree();
  const paths = new Set([...before.keys(), ...now.keys()]);
  return [...paths].filter((path) => before.get(path) !== now.get(path));
}

const covers = (name: string, path: string): boolean =>
  name === path || (name.endsWith('/**') && path.startsWith(name.slice(0, -2)));

function check(
  facts: Facts,
  source: string,
  output: string,
  before: ReadonlyMap<string, string>,
): void {
  for (const path of changed(before)) {
    const known = facts.objects.some(
      ({ name, access }) => access !== 'read' && covers(name, `~${path}`),
    );
    assert.ok(known, `${source} changes ${path}`);
  }
  for (const file of files) {
    if (!output.includes(canary(file))) continue;
    const known = facts.objects.some(
      ({ kind, name, access }) => kind === 'file' && access === 'read' && covers(name, `~/${file}`),
    );
    assert.ok(known, `${source} shows ${file}`);
  }
}

const names = Object.keys(fileTables).filter(
  (each) => !/^(tail|tree|namei|lsattr|findmnt)$/.test(each),
);
const special = 'sed awk dd tar gzip xz bzip2 find ln jq date mktemp nohup uniq'.split(' ');
const operand = fc.constantFrom(
  ...files,
  'data',
  'logs',
  'new',
  'empty',
  'data/new',
  '-',
  '+x',
  'x',
);
const value = fc.constantFrom('1', '2', 'x', 'data/a', 'new2', 'secret.txt', ',', '0644');
const words =
  "'s/one/1/' '1p' 'w_new' '{print_$1}' '{print>\"new\"}' if=list of=new -delete -print0 " +
  "-name_'*' -exec_cat_{}_+ -exec_rm_{}_\\; -print -i -f cf xf tf -cf -C -s -c -k -d -n " +
  'conv=notrunc count=1 .';
const scripts = fc.constantFrom(...words.split(' ').map((each) => each.replaceAll('_', ' ')));

function optionOf(grammar: Grammar): fc.Arbitrary<string> {
  const letters = (grammar.flags ?? 'v').split('').map((letter) => `-${letter}`);
  const longs = (grammar.longs ?? 'help').split(' ').map((name) => `--${name}`);
  const taking = [...(grammar.texts ?? '').split(' '), ...Object.keys(grammar.values ?? {})]
    .filter((name) => name !== '')
    .map((name) => (name.length === 1 ? `-${name} ` : `--${name}=`));
  const plain = fc.constantFrom(...letters, ...longs);
  if (taking.length === 0) return plain;
  return fc.oneof(
    plain,
    fc.tuple(fc.constantFrom(...taking), value).map((each) => each.join('')),
  );
}

const fromTable = fc
  .constantFrom(...names)
  .chain((name) =>
    fc
      .tuple(
        fc.array(optionOf(fileTables[name] ?? {}), { maxLength: 3 }),
        fc.array(operand, { maxLength: 3 }),
        fc.constantFrom('', '', '', ' <list', ' >new', ' >>list', ' | tee new2', ' | xargs cat'),
      )
      .map(([options, operands, end]) => `${[name, ...options, ...operands].join(' ')}${end}`),
  );
const fromScripts = fc
  .tuple(fc.constantFrom(...special), fc.array(fc.oneof(scripts, operand), { maxLength: 5 }))
  .map(([name, words]) => [name, ...words].join(' '));

/** What reads a file that it appends to never ends by itself. */
const bounded = 'ulimit -f 64 -t 2; exec /bin/bash -c "$1"';

test('programs change and show nothing that complete facts do not name', () => {
  let complete = 0;
  reset();
  const property = fc.property(fc.oneof(fromTable, fromScripts), (source) => {
    const { facts } = analyseShell(source, { shell: 'bash', home, limits: shellLimits });
    if (facts.analysis !== 'complete') return;
    complete += 1;
    const before = tree();
    const { stdout, stderr } = spawnSync('/bin/bash', ['-c', bounded, 'bash', source], {
      cwd: home,
      env: { PATH: '/usr/bin:/bin', HOME: home, LANG: 'C.UTF-8' },
      input: 'data/a\n',
      timeout: 5_000,
      ...(nobody !== undefined && { uid: nobody, gid: nobody }),
    });
    try {
      check(facts, source, `${stdout.toString()}${stderr.toString()}`, before);
    } finally {
      if (changed(before).length > 0) reset();
    }
  });
  const seed = process.env['SHELL_SEED'];
  const numRuns = Number(process.env['SHELL_RUNS'] ?? 400);
  fc.assert(property, { numRuns, ...(seed !== undefined && { seed: Number(seed) }) });
  assert.ok(complete > numRuns / 20, `only ${complete} texts were complete`);
});
