/** Commands over recordings: they work without a gateway, from files and keys. */
import type { Command } from 'commander';
import { once } from 'node:events';
import { appendFileSync, existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { RecordingsCommandContext } from '#cli/recordings.ts';
import { systemClock } from '#core/clock.ts';
import type { TellReading } from '#core/ports/recording-archive.ts';
import { DirectoryArchive } from '#recording/archive.ts';
import { renderers } from '#recording/renderers/renderers.ts';
import { loadGatewayConfig } from '../load.ts';
import { type CliWorld, repeated } from './world.ts';

interface Flags {
  readonly config?: string;
  readonly directory?: string;
  readonly json?: boolean;
  readonly identity?: string[];
}

/** Where recordings and public keys are: named, beside a file, or as the configuration says. */
function places(
  world: CliWorld,
  flags: Flags,
  recording: string | undefined,
): { directory: string; keys: string } {
  const isFile = recording !== undefined && existsSync(recording);
  const named = flags.directory ?? (isFile ? dirname(recording) : undefined);
  if (named !== undefined && flags.config === undefined) {
    const directory = resolve(named);
    return { directory, keys: join(dirname(directory), 'keys') };
  }
  const path = flags.config ?? world.configPath();
  if (!existsSync(path)) return { directory: process.cwd(), keys: join(process.cwd(), 'keys') };
  const { config, directory } = loadGatewayConfig(path);
  return {
    directory: resolve(directory, config.recordings.directory),
    keys: resolve(directory, config.recordings.keys),
  };
}

/**
 * Readings outside the gateway are told in a file beside the recordings, before anything is shown;
 * where it cannot be written, for example on an auditor's read-only copy, only verifying works.
 */
export const tellIn =
  (directory: string): TellReading =>
  async (draft) => {
    const line = JSON.stringify({ at: systemClock.now(), ...draft });
    appendFileSync(join(directory, 'readings.ndjson'), `${line}\n`, { mode: 0o600 });
  };

function contextOf(world: CliWorld, flags: Flags, recording?: string): RecordingsCommandContext {
  const { directory, keys } = places(world, flags, recording);
  return {
    archive: new DirectoryArchive({
      directory,
      keysDirectory: keys,
      tell: tellIn(directory),
      renderers,
    }),
    output: {
      ...world.output,
      async bytes(chunk) {
        if (!process.stdout.write(chunk)) await once(process.stdout, 'drain');
      },
    },
    reader: world.reader,
  };
}

/** Public keys in files, or in every `.pub` of a directory. */
function keyFiles(paths: readonly string[]): string[] {
  return paths.flatMap((path) =>
    statSync(path).isDirectory()
      ? readdirSync(path)
          .filter((name) => name.endsWith('.pub'))
          .map((name) => join(path, name))
      : [path],
  );
}

const ageIdentity = [
  '--identity <file>',
  'an age identity, for encrypted recordings; repeatable',
  repeated,
] as const;

const withPlaces = (command: Command): Command =>
  command
    .option('-c, --config <file>', 'the configuration that says where recordings are')
    .option('--directory <dir>', 'the recordings, without a configuration')
    .option('--json', 'as JSON lines');

export function addRecordingCommands(program: Command, world: CliWorld): void {
  const noun = program.command('recordings').description('the evidence of sessions');
  withPlaces(noun.command('list').description('newest first'))
    .option('--identity <id>', 'of one identity')
    .option('--target <name>', 'at one target')
    .option('--since <time>', 'ISO 8601')
    .option('--limit <count>', 'at most', Number)
    .action(
      async (
        flags: Omit<Flags, 'identity'> & {
          identity?: string;
          target?: string;
          since?: string;
          limit?: number;
        },
      ) => {
        const { listRecordings } = await import('#cli/recordings.ts');
        const { identity, target, since, limit, json, ...where } = flags;
        const options = { identity, target, since, limit, json };
        world.done(await listRecordings(contextOf(world, where), options));
      },
    );
  for (const verb of ['show', 'replay'] as const) {
    withPlaces(noun.command(`${verb} <recording>`).description(describeVerb[verb]))
      .option(...ageIdentity)
      .action(async (recording: string, flags: Flags) => {
        const { replayRecording, showRecording } = await import('#cli/recordings.ts');
        const options = { recording, identityFiles: flags.identity, json: flags.json };
        const run = verb === 'show' ? showRecording : replayRecording;
        world.done(await run(contextOf(world, flags, recording), options));
      });
  }
  addVerify(noun, world);
  withPlaces(noun.command('export <recording>').description('ndjson, sql, raw or asciicast'))
    .requiredOption('--format <format>', 'ndjson, sql, raw or asciicast')
    .option(...ageIdentity)
    .action(async (recording: string, flags: Flags & { format: string }) => {
      const { exportRecording } = await import('#cli/recordings.ts');
      const options = {
        recording,
        format: flags.format,
        identityFiles: flags.identity,
        json: flags.json,
      };
      world.done(await exportRecording(contextOf(world, flags, recording), options));
    });
}

const describeVerb: Readonly<Record<'show' | 'replay', string>> = {
  show: 'the session and its commands with their verdicts',
  replay: 'commands, verdicts and answers, in order',
};

function addVerify(noun: Command, world: CliWorld): void {
  withPlaces(
    noun.command('verify <recordings...>').description('prove that nothing was edited or left out'),
  )
    .option(
      '--keys <path>',
      'public keys: a file, or a directory of .pub files; repeatable',
      repeated,
    )
    .action(async (recordings: string[], flags: Flags & { keys?: string[] }) => {
      const { verifyRecordings } = await import('#cli/recordings.ts');
      const publicKeyFiles = keyFiles(flags.keys ?? []);
      const options = { recordings, publicKeyFiles, json: flags.json };
      world.done(await verifyRecordings(contextOf(world, flags, recordings[0]), options));
    });
}
