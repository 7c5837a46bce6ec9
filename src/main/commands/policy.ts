/** `sallyport policy`: check, test, explain and simulate, over the files of an installation. */
import { type Command, InvalidArgumentError } from 'commander';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { PolicyCommandContext, RequestDefaults } from '#cli/policy.ts';
import { systemClock } from '#core/clock.ts';
import { parseDurationMs } from '#core/duration.ts';
import { asEpochMs } from '#core/ids.ts';
import type { PolicyText } from '#core/ports/policy-tools.ts';
import type { ExplainWorld } from '../explain-world.ts';
import type { GatewayConfig } from '../gateway.ts';
import { type CliWorld, repeated } from './world.ts';

interface Flags {
  readonly config?: string;
  readonly json?: boolean;
}

interface ExplainFlags extends Flags, RequestDefaults {
  readonly policy?: readonly string[];
}

const withConfig = (command: Command): Command =>
  command
    .option('-c, --config <file>', 'the configuration ($SALLYPORT_CONFIG, else sallyport.yaml)')
    .option('--json', 'as JSON');

const FILES = 'policy files or directories; those of the configuration when there are none';

export function addPolicyCommands(program: Command, cli: CliWorld): void {
  const noun = program.command('policy').description('rules and masks: try them before they count');
  withConfig(noun.command('check').description('say everything that is wrong'))
    .argument('[files...]', FILES)
    .action(async (files: string[], flags: Flags) => {
      const { checkPolicy } = await import('#cli/policy.ts');
      const { loaded } = await configuration(cli, flags, files.length > 0);
      cli.done(await checkPolicy(await contextOf(cli, flags, { loaded, files })));
    });
  withConfig(noun.command('test').description('run the tests of the policy and its templates'))
    .argument('[files...]', FILES)
    .action(async (files: string[], flags: Flags) => {
      const { testPolicy } = await import('#cli/policy.ts');
      const { loaded } = await configuration(cli, flags, files.length > 0);
      const context = await contextOf(cli, flags, { loaded, files });
      if (loaded === undefined) return cli.done(await testPolicy(context, undefined));
      await withWorld(cli, loaded, async (world) => {
        cli.done(await testPolicy(context, world.analyseTest));
      });
    });
  addExplain(noun, cli);
  addSimulate(noun, cli);
}

function addExplain(noun: Command, cli: CliWorld): void {
  withConfig(noun.command('explain').description('say which rule decides a command, and why'))
    .argument('[statement...]', 'or - for JSON lines on standard input, one request a line')
    .option('--target <name>', 'where it would run')
    .option('--identity <id>', 'who would run it')
    .option('--account <name>', 'as whom; the first account with which the gateway can log in')
    .option('--namespace <name>', 'the database; the target’s own when absent')
    .option('--policy <path>', 'policy files in place of those of the configuration', repeated)
    .action(async (statements: string[], flags: ExplainFlags) => {
      const [only] = statements;
      const lines = statements.length === 1 && only === '-';
      const piped = statements.length === 0 && process.stdin.isTTY !== true;
      if (statements.length === 0 && !piped) noun.error('give a statement, or - and JSON lines');
      const { loaded } = await configuration(cli, flags, false);
      if (loaded === undefined) return;
      const context = await contextOf(cli, flags, { loaded, files: flags.policy ?? [] });
      await withWorld(cli, loaded, async (world) => {
        const code = await explain(context, world, lines || piped ? undefined : statements, flags);
        // What was explained without a catalogue is no answer to rely on.
        cli.done(world.unlearned > 0 ? 1 : code);
      });
    });
}

async function explain(
  context: PolicyCommandContext,
  world: ExplainWorld,
  statements: readonly string[] | undefined,
  flags: ExplainFlags,
): Promise<number> {
  const { explainLines, explainPolicy } = await import('#cli/policy.ts');
  const { target, identity, account, namespace } = flags;
  const defaults = { target, identity, account, namespace };
  if (statements !== undefined) return explainPolicy(context, world, statements, defaults);
  return explainLines(context, world, requests(), defaults);
}

/** A request holds a statement or the frames of a connection, escaped as JSON. */
const REQUEST_BYTES_MAX = 64 * 1024 * 1024;

/** Lines of standard input, no faster than the answers can leave. */
async function* requests(): AsyncGenerator<string> {
  const { linesOf } = await import('#cli/lines.ts');
  for await (const line of linesOf(process.stdin, REQUEST_BYTES_MAX)) {
    yield line;
    if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain');
  }
}

function addSimulate(noun: Command, cli: CliWorld): void {
  withConfig(
    noun
      .command('simulate')
      .description(
        'decide recorded commands again, and say which decisions would change; ' +
          'facts and masks are as they were recorded',
      ),
  )
    .argument('[files...]', FILES)
    .requiredOption('--since <time>', 'a duration such as 7d, or an ISO 8601 time', since)
    .option('--age-identity <file>', 'age identities, for encrypted recordings', repeated)
    .action(
      async (
        files: string[],
        flags: Flags & { readonly since: number; readonly ageIdentity?: readonly string[] },
      ) => {
        const { simulatePolicy } = await import('#cli/policy.ts');
        const { openArchive } = await import('../archive.ts');
        const { pastCommands } = await import('../past-commands.ts');
        const { tellIn } = await import('./recordings.ts');
        const { loaded } = await configuration(cli, flags, false);
        if (loaded === undefined) return;
        const directory = resolve(loaded.directory, loaded.config.recordings.directory);
        let incomplete = false;
        const commands = pastCommands({
          archive: openArchive(loaded, tellIn(directory)),
          reading: { reader: cli.reader, identities: ageIdentities(flags.ageIdentity ?? []) },
          since: asEpochMs(flags.since),
          missed: (message) => {
            incomplete = true;
            cli.output.error(`not looked at: ${message}`);
          },
        });
        const context = await contextOf(cli, flags, { loaded, files });
        const code = await simulatePolicy(context, commands);
        cli.done(incomplete ? 1 : code);
      },
    );
}

/** Milliseconds since 1970 of a time, or of a duration before now. */
function since(text: string): number {
  const ago = parseDurationMs(text);
  const at = ago === undefined ? Date.parse(text) : systemClock.now() - ago;
  if (Number.isNaN(at)) throw new InvalidArgumentError('such as 7d, or 2026-01-31T00:00:00Z');
  return at;
}

/** One identity a line; lines that start with # are comments. */
const ageIdentities = (files: readonly string[]): string[] =>
  files
    .flatMap((file) => readFileSync(file, 'utf8').split('\n'))
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));

/**
 * The configuration. Where it is optional, files can be looked at on a machine that has none; then
 * nothing is known of targets and issuers, and their names are not checked.
 */
async function configuration(
  cli: CliWorld,
  flags: Flags,
  optional: boolean,
): Promise<{ readonly loaded: GatewayConfig | undefined }> {
  const path = flags.config ?? cli.configPath();
  if (optional && flags.config === undefined && !existsSync(path)) return { loaded: undefined };
  const { loadGatewayConfig } = await import('../load.ts');
  return { loaded: loadGatewayConfig(path) };
}

async function contextOf(
  cli: CliWorld,
  flags: Flags,
  of: { readonly loaded: GatewayConfig | undefined; readonly files: readonly string[] },
): Promise<PolicyCommandContext> {
  const { readPolicyFiles } = await import('#config/load.ts');
  const { policyTools } = await import('#policy/tools.ts');
  const { compileOptions } = await import('../policies.ts');
  const { protocols } = await import('#protocols/index.ts');
  const files: readonly PolicyText[] =
    of.files.length > 0 || of.loaded === undefined
      ? readPolicyFiles(process.cwd(), of.files)
      : readPolicyFiles(of.loaded.directory, of.loaded.config.policies);
  const tools = policyTools(compileOptions(of.loaded?.config, protocols));
  return { tools, files, output: cli.output, json: flags.json };
}

async function withWorld(
  cli: CliWorld,
  loaded: GatewayConfig,
  run: (world: ExplainWorld) => Promise<void>,
): Promise<void> {
  const { ExplainWorld: World } = await import('../explain-world.ts');
  const { protocols } = await import('#protocols/index.ts');
  const world = new World({
    loaded,
    registry: protocols,
    environment: process.env,
    report: (message) => cli.output.error(message),
  });
  try {
    await run(world);
  } finally {
    await world.close();
  }
}
