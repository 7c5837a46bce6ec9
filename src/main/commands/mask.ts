/** `sallyport mask scan`: what detection finds in one's own data. */
import type { Command } from 'commander';
import { createInterface } from 'node:readline';
import type { CliWorld } from './world.ts';

export function addMaskCommands(program: Command, world: CliWorld): void {
  const noun = program.command('mask').description('detection of personal data and secrets');
  noun
    .command('scan')
    .description('read JSON lines ({id, value, column?} or {id, text}), write what is in them')
    .option('--detect <name...>', 'detectors or groups', ['pii', 'secret'])
    .action(async ({ detect }: { detect: string[] }) => {
      const { maskScan } = await import('#cli/mask.ts');
      const { Detection } = await import('#masking/detect.ts');
      const lines = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY });
      for await (const line of maskScan(lines, new Detection(detect))) world.output.line(line);
    });
}
