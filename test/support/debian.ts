/**
 * Debian packages for tests: installed where the process may (root, apt), unpacked without
 * installing where an exact version is needed. What cannot be had is named in the error.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const isRoot = (): boolean => process.getuid?.() === 0;

/** Where downloads stay between runs; readable by the servers' unprivileged user. */
export function cacheDirectory(name: string): string {
  const path = join(tmpdir(), `sallyport-cache-${process.getuid?.() ?? 0}`, name);
  mkdirSync(path, { recursive: true, mode: 0o755 });
  return path;
}

/** Runs a program to its end and gives its standard output; its error output is in the error. */
export function run(
  command: string,
  args: readonly string[],
  cwd?: string,
  env?: NodeJS.ProcessEnv,
): string {
  return execFileSync(command, args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 256 * 1024 * 1024,
  });
}

/** Those of `packages` that are not installed. */
export function missingPackages(packages: readonly string[]): string[] {
  return packages.filter((name) => {
    const done = spawnSync('dpkg-query', ['-W', '-f', '${Status}', name], { encoding: 'utf8' });
    return !done.stdout?.includes('install ok installed');
  });
}

/**
 * Makes sure that packages are there.
 *
 * @throws Error that names what is missing and the command that would install it.
 */
export function ensurePackages(packages: readonly string[]): void {
  const missing = missingPackages(packages);
  if (missing.length === 0) return;
  const command = `apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  if (!isRoot() || !existsSync('/usr/bin/apt-get')) {
    throw new Error(`these system packages are needed: ${missing.join(', ')}; run: ${command}`);
  }
  process.stderr.write(`installing ${missing.join(' ')} …\n`);
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  const install = (): void => {
    run('apt-get', ['install', '-y', '--no-install-recommends', ...missing], undefined, env);
  };
  try {
    install();
  } catch {
    // The package lists may be missing or old.
    run('apt-get', ['update'], undefined, env);
    install();
  }
}

/** A package manager state of our own, with source packages, that leaves the system's alone. */
export function privateApt(directory: string): NodeJS.ProcessEnv {
  const parts = join(directory, 'parts');
  const env = { APT_CONFIG: join(directory, 'apt.conf') };
  if (existsSync(env.APT_CONFIG)) return env;
  for (const path of ['parts', 'state/lists/partial', 'cache/archives/partial']) {
    mkdirSync(join(directory, path), { recursive: true });
  }
  const system = '/etc/apt/sources.list.d';
  for (const name of existsSync(system) ? readdirSync(system) : []) {
    const text = readFileSync(join(system, name), 'utf8');
    if (name.endsWith('.sources')) {
      writeFileSync(join(parts, name), text.replaceAll(/^Types: deb$/gm, 'Types: deb deb-src'));
    } else if (name.endsWith('.list')) writeFileSync(join(parts, name), withSources(text));
  }
  const list = '/etc/apt/sources.list';
  if (existsSync(list))
    writeFileSync(join(parts, 'main.list'), withSources(readFileSync(list, 'utf8')));
  writeFileSync(
    env.APT_CONFIG,
    `Dir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "${parts}";\n` +
      `Dir::State "${join(directory, 'state')}";\nDir::State::status "/var/lib/dpkg/status";\n` +
      `Dir::Cache "${join(directory, 'cache')}";\nAPT::Sandbox::User "root";\n`,
  );
  run('apt-get', ['update'], undefined, env);
  return env;
}

const withSources = (text: string): string => text.replaceAll(/^deb (.*)$/gm, 'deb $1\ndeb-src $1');
