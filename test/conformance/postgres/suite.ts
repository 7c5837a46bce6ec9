/**
 * PostgreSQL 15's regression suite with the server and client of the very same minor release, as
 * Debian has them: fetched once, unpacked beside each other, installed nowhere.
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory, ensurePackages, privateApt, run } from '../../support/debian.ts';

export interface RegressionSuite {
  /** For example `15.18`. */
  readonly version: string;
  /** Programs of server and client: `postgres`, `psql`, `initdb` … */
  readonly bin: string;
  /** `src/test/regress` of the source: `sql/`, `expected/`, `data/`, `parallel_schedule`. */
  readonly regress: string;
  /** The runner. */
  readonly pgRegress: string;
  /** `regress.so` and the two contrib libraries that the suite loads. */
  readonly libraries: string;
}

/** Fetches and builds what is missing; the second call is quick. */
export function regressionSuite(): RegressionSuite {
  const home = cacheDirectory('postgresql-15-regress');
  chmodSync(home, 0o755);
  const env = privateApt(join(home, 'apt'));
  for (const version of versions(env)) {
    const upstream = version.split('-')[0] ?? version;
    const directory = join(home, upstream);
    const suite = describe(upstream, directory);
    if (existsSync(join(directory, 'complete'))) return suite;
    if (fetchAll(directory, version, env)) {
      build(directory, suite);
      writeFileSync(join(directory, 'complete'), '');
      return suite;
    }
  }
  throw new Error('no release of Debian’s postgresql-15 is there as source and as binaries');
}

function describe(version: string, directory: string): RegressionSuite {
  const tree = join(directory, 'usr/lib/postgresql/15');
  return {
    version,
    bin: join(tree, 'bin'),
    regress: join(directory, `postgresql-${version}`, 'src/test/regress'),
    pgRegress: join(tree, 'lib/pgxs/src/test/regress/pg_regress'),
    libraries: join(directory, 'libraries'),
  };
}

/** Releases that have a source package, newest first. */
function versions(env: NodeJS.ProcessEnv): string[] {
  const lines = run('apt-cache', ['madison', 'postgresql-15'], undefined, env).split('\n');
  const found = lines
    .map((line) => line.split('|').map((part) => part.trim()))
    .filter(([, , origin]) => origin?.endsWith('Sources'))
    .map(([, version]) => version ?? '');
  return [...new Set(found)].toSorted((a, b) => b.localeCompare(a, 'en', { numeric: true }));
}

function fetchAll(directory: string, version: string, env: NodeJS.ProcessEnv): boolean {
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  try {
    const source = ['source', '--download-only', `postgresql-15=${version}`];
    run('apt-get', source, directory, env);
    const packages = ['postgresql-15', 'postgresql-client-15', 'postgresql-server-dev-15'];
    run('apt-get', ['download', ...packages.map((name) => `${name}=${version}`)], directory, env);
    return true;
  } catch {
    // Some releases are listed and not kept: the next older one is tried.
    return false;
  }
}

function build(directory: string, suite: RegressionSuite): void {
  ensurePackages(['gcc', 'libc6-dev', 'libpq-dev', 'bzip2']);
  const files = readdirSync(directory);
  for (const name of files.filter((file) => file.endsWith('.deb'))) {
    run('dpkg', ['-x', name, '.'], directory);
  }
  const source = files.find((file) => /\.orig\.tar\.\w+$/.test(file)) ?? '';
  run('tar', ['xf', source, `postgresql-${suite.version}/src/test/regress`], directory);
  mkdirSync(suite.libraries, { recursive: true });
  const flags = ['-O2', '-fPIC', '-shared', '-fno-strict-aliasing', '-fwrapv'];
  const headers = join(directory, 'usr/include/postgresql/15/server');
  run('gcc', [
    ...flags,
    `-I${headers}`,
    '-I/usr/include/postgresql',
    '-o',
    join(suite.libraries, 'regress.so'),
    join(suite.regress, 'regress.c'),
  ]);
  for (const name of ['refint.so', 'autoinc.so']) {
    copyFileSync(join(suite.bin, '../lib', name), join(suite.libraries, name));
  }
  run('chmod', ['-R', 'a+rX', directory]);
}
