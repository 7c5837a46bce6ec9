/**
 * `npm run check`: everything that can be said of the code without a server, in under a minute.
 * Each step prints one line; a failing step prints its output, and the others still run.
 */
import { spawn } from 'node:child_process';

const root: string = new URL('..', import.meta.url).pathname;

interface Step {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
}

const steps: readonly Step[] = [
  { name: 'format', command: ['biome', 'format', '.'] },
  { name: 'lint', command: ['oxlint', '--type-aware'] },
  { name: 'types', command: ['node', 'node_modules/typescript7/bin/tsc', '-p', '.'] },
  { name: 'dead code', command: ['knip'] },
  { name: 'dead code in production', command: ['knip', '--production', '--tags=-internal'] },
  { name: 'tidy', command: ['node', '--test', 'tools/*.test.ts'] },
  { name: 'pure tests', command: ['node', '--test', ...pureTests()] },
];

/** Rooms whose tests need nothing but the process that they run in, and are quick. */
function pureTests(): string[] {
  const folders = [
    'core',
    'wire',
    'listener',
    'identity',
    'protocols/postgres/codec',
    'protocols/ssh',
    'session',
    'shell',
    'policy',
    'approval',
    'masking/**',
    'recording/renderers',
    'upstream',
    'secrets',
    'events',
    'store',
    'api',
    'cli',
    'config',
  ];
  return folders.map((folder) => `src/${folder}/*.test.ts`);
}

async function run(step: Step): Promise<boolean> {
  const started = performance.now();
  const [command, ...args] = step.command;
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  const output: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => output.push(chunk));
  const code = await new Promise<number>((resolve) => {
    child.on('error', (error) => {
      output.push(Buffer.from(String(error)));
      resolve(1);
    });
    child.on('close', (status) => resolve(status ?? 1));
  });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${code === 0 ? 'ok  ' : 'FAIL'} ${step.name} (${seconds} s)`);
  if (code !== 0) console.log(Buffer.concat(output).toString('utf8'));
  return code === 0;
}

let good = true;
for (const step of steps) good = (await run(step)) && good;
process.exitCode = good ? 0 : 1;
