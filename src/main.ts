/** The command line. Each command loads what it needs when it runs, so that `--help` is quick. */
import { Command, CommanderError } from 'commander';
import { toGatewayError } from '#core/errors.ts';
import { addApiCommands } from './main/commands/api.ts';
import { addConfigCommands } from './main/commands/config.ts';
import { addKubeconfig } from './main/commands/kubeconfig.ts';
import { addMaskCommands } from './main/commands/mask.ts';
import { addPolicyCommands } from './main/commands/policy.ts';
import { addRecordingCommands } from './main/commands/recordings.ts';
import { addSsh } from './main/commands/ssh.ts';
import { createWorld } from './main/commands/world.ts';
import { VERSION } from './main/version.ts';

/** Exit codes: 1 failure, 2 usage, 3 denied by policy, 4 not logged in, 5 approval pending. */
const USAGE = 2;
/** How long a command that failed may take to put away what it had opened. */
const EXIT_MS = 5_000;

const program = new Command('sallyport')
  .description('Layer-7 access gateway: judges every command, masks every result, records it all')
  .version(VERSION)
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(text) });

program
  .command('serve')
  .description('run the gateway in the foreground')
  .requiredOption('-c, --config <file>', 'the configuration', 'sallyport.yaml')
  .action(async ({ config }: { config: string }) => {
    const { serve } = await import('./main/serve.ts');
    await serve(config);
  });

const world = createWorld(process.env);
addApiCommands(program, world, process.env);
addKubeconfig(program, world);
addSsh(program, world, process.env);
addRecordingCommands(program, world);
addPolicyCommands(program, world);
addConfigCommands(program, world);
addMaskCommands(program, world);

try {
  await program.parseAsync(process.argv);
} catch (thrown) {
  if (thrown instanceof CommanderError) {
    process.exitCode = thrown.exitCode === 0 ? 0 : USAGE;
  } else {
    const error = toGatewayError(thrown);
    process.stderr.write(`sallyport: ${error.message} (${error.code})\n`);
    if (error.code === 'SP_INTERNAL') process.stderr.write(`${String(error.cause)}\n`);
    process.exitCode = 1;
    // What was half started must not keep the process: a supervisor waits for its end.
    setTimeout(() => process.exit(), EXIT_MS).unref();
  }
}
