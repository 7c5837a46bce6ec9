/** `sallyport config`: check it, and its JSON Schema for editors. */
import type { Command } from 'commander';
import type { CliWorld } from './world.ts';

export function addConfigCommands(program: Command, world: CliWorld): void {
  const noun = program.command('config').description('the configuration');
  noun
    .command('check [file]')
    .description('say everything that is wrong with it, and with its policies')
    .action(async (file: string | undefined) => {
      const { loadGatewayConfig } = await import('../load.ts');
      const { loadPolicies } = await import('../policies.ts');
      const { policyOptions } = await import('../gateway.ts');
      const { protocols } = await import('#protocols/index.ts');
      const path = file ?? world.configPath();
      const loaded = loadGatewayConfig(path);
      const policy = loadPolicies(policyOptions(loaded, protocols));
      world.output.line(`${path}: valid; ${policy.ruleIds.length} rules`);
    });
  noun
    .command('schema')
    .description('JSON Schema of the configuration')
    .action(async () => {
      const { configJsonSchema } = await import('#config/schema.ts');
      const { ownedSchemas } = await import('../load.ts');
      world.output.line(JSON.stringify(configJsonSchema(ownedSchemas), null, 2));
    });
}
