/**
 * `npm test -- [path fragment …]`: every test of the project, or those whose path holds one of the
 * fragments. Does the set-up that is missing, runs the files with bounded concurrency, prints one
 * line a file, failures whole, and what did not run and why. The exit status is 0 only if every
 * test that was asked for ran and passed; a skipped test counts as a failure.
 */
import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { run } from 'node:test';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { ensurePackages, missingPackages } from '../test/support/debian.ts';
import { kubernetesPackages, missingKubernetes } from '../test/support/kubernetes.ts';

const root: string = fileURLToPath(new URL('..', import.meta.url));
/** Files at a time: most of them start servers, and the machines that run this have two cores. */
const FILES_AT_ONCE = 2;
/** A test that takes longer hangs, and so does a run that tells nothing for so long. */
const SILENT_MS_MAX = 300_000;

/** System packages, and how a test file shows that it needs them. */
interface Need {
  readonly packages: readonly string[];
  readonly shows: RegExp;
}

/** Starts a cluster, or has it started. */
const cluster = /startKubernetes\(|evasion -- kubernetes/;

const needs: readonly Need[] = [
  { packages: ['postgresql-15'], shows: /hasPostgres|version: 15|support\/psql/ },
  {
    packages: [
      'python3-psycopg2',
      'python3-psycopg',
      'python3-asyncpg',
      'libpostgresql-jdbc-java',
      ...(spawnSync('javac', ['-version']).status === 0 ? [] : ['default-jdk-headless']),
    ],
    shows: /conformance\/postgres\/(drivers|masked)/,
  },
  { packages: kubernetesPackages, shows: cluster },
];

/** What no package brings: where it is missing its tests do not run, which is said and is no failure. */
const wants: readonly { readonly missing: () => string | undefined; readonly shows: RegExp }[] = [
  { missing: missingKubernetes, shows: cluster },
];

/** What could not be asked for here, by file, with the reason. */
const unasked = new Map<string, string>();

/** What did not run, by file, with the reason. */
const omitted = new Map<string, string>();

function select(fragments: readonly string[]): string[] {
  // The long ones are in test/, so they go first.
  const all = ['test/**/*.test.ts', 'src/**/*.test.ts', 'tools/*.test.ts'].flatMap((pattern) =>
    globSync(pattern, { cwd: root }).toSorted(),
  );
  if (fragments.length === 0) return all;
  return all.filter((file) => fragments.some((fragment) => file.includes(fragment)));
}

/** Installs what the files need; those whose needs cannot be met are taken out and named. */
function prepare(files: readonly string[]): string[] {
  const texts = new Map(files.map((file) => [file, readFileSync(join(root, file), 'utf8')]));
  for (const { missing, shows } of wants) {
    const why = missing();
    if (why === undefined) continue;
    for (const file of files) if (shows.test(texts.get(file) ?? '')) unasked.set(file, why);
  }
  for (const { packages, shows } of needs) {
    const users = files.filter((file) => !unasked.has(file) && shows.test(texts.get(file) ?? ''));
    if (users.length === 0) continue;
    try {
      ensurePackages(packages);
    } catch (thrown) {
      const why = thrown instanceof Error ? thrown.message : String(thrown);
      const missing = missingPackages(packages).join(', ');
      console.log(why);
      for (const file of users) omitted.set(file, `needs ${missing}`);
    }
  }
  return files.filter((file) => !omitted.has(file) && !unasked.has(file));
}

interface Failure {
  readonly file: string;
  readonly name: string;
  readonly error: unknown;
}

interface Outcome {
  readonly failures: readonly Failure[];
  /** Tests that were skipped or put off. */
  readonly skipped: readonly string[];
  /** Node's own closing lines. */
  readonly summary: readonly string[];
  readonly success: boolean;
}

/** What one file printed, kept only to be shown when it fails. */
const OUTPUT_CHARS_MAX = 20_000;

async function runFiles(files: readonly string[]): Promise<Outcome> {
  const failures: Failure[] = [];
  const skipped: string[] = [];
  const summary: string[] = [];
  const output = new Map<string, string>();
  const counts = new Map<string, string>();
  const reported = new Set<string>();
  let success = false;
  const stalled = new AbortController();
  const watch = setTimeout(() => stalled.abort(), SILENT_MS_MAX);
  const stream = run({
    files: files.map((file) => join(root, file)),
    concurrency: FILES_AT_ONCE,
    timeout: SILENT_MS_MAX,
    // A file whose tests are over, but which something keeps alive, has no time-out of its own.
    signal: stalled.signal,
    cwd: root,
  });
  const nameOf = (file: string | undefined): string =>
    file === undefined ? '' : relative(root, file);
  const keep = ({ file, message }: { file?: string | undefined; message: string }): void => {
    const name = nameOf(file);
    output.set(name, ((output.get(name) ?? '') + message).slice(-OUTPUT_CHARS_MAX));
  };
  stream.on('test:stdout', keep);
  stream.on('test:stderr', keep);
  stream.on('test:pass', (test) => {
    if (test.skip !== undefined || test.todo !== undefined) {
      skipped.push(`${nameOf(test.file)}: ${test.name}`);
    }
  });
  stream.on('test:fail', (test) => {
    const { error } = test.details;
    // A suite, or a file, fails because of what is in it; that is told where it happened.
    if (Reflect.get(error, 'failureType') !== 'subtestsFailed') {
      failures.push({ file: nameOf(test.file), name: test.name, error: error.cause ?? error });
    }
  });
  stream.on('test:complete', ({ name, file, details }) => {
    // A file is a test itself, named after its path.
    if (name !== file || reported.has(name)) return;
    reported.add(name);
    const seconds = (details.duration_ms / 1_000).toFixed(1).padStart(6);
    console.log(`${details.passed ? 'ok  ' : 'FAIL'} ${seconds} s  ${nameOf(name)}`);
  });
  stream.on('test:summary', (told) => {
    if (told.file === undefined) success = told.success;
    else counts.set(nameOf(told.file), String(told.counts.tests));
  });
  stream.on('test:diagnostic', ({ nesting, message, file }) => {
    if (nesting === 0 && file === undefined) summary.push(message);
  });
  stream.on('data', () => watch.refresh());
  await new Promise((resolve) => stream.once('end', resolve));
  clearTimeout(watch);
  for (const file of files) {
    const isEmpty = !counts.has(file) || counts.get(file) === '0';
    const hasFailed = failures.some((failure) => failure.file === file);
    if (isEmpty && !hasFailed) omitted.set(file, 'has no test in it');
  }
  for (const file of new Set(failures.map((failure) => failure.file))) {
    const text = output.get(file) ?? '';
    if (text !== '') console.log(`\n--- printed by ${file}\n${text}`);
  }
  return { failures, skipped, summary, success };
}

/** The stack of an assertion has its message and the difference already. */
function shown(error: unknown): string {
  const isAssertion = error instanceof Error && Reflect.get(error, 'code') === 'ERR_ASSERTION';
  if (isAssertion && error.stack !== undefined) return error.stack;
  return inspect(error, { depth: 8, maxStringLength: 20_000 });
}

const files = select(process.argv.slice(2));
if (files.length === 0) {
  console.error('no test file has such a path');
  process.exit(2);
}
const ready = prepare(files);
const { failures, skipped, summary, success } = await runFiles(ready);
for (const { file, name, error } of failures) {
  console.log(`\n✖ ${file}: ${name}\n${shown(error)}`);
}
if (omitted.size > 0 || skipped.length > 0 || unasked.size > 0) {
  console.log('\nDID NOT RUN:');
  for (const [file, why] of unasked) console.log(`  ${file}: ${why}`);
  for (const [file, why] of omitted) console.log(`  ${file}: ${why}`);
  for (const test of skipped) console.log(`  ${test}: skipped`);
}
console.log('');
for (const line of summary) console.log(`ℹ ${line}`);
process.exitCode = success && omitted.size === 0 && skipped.length === 0 ? 0 : 1;
