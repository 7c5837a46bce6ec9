import { resolve } from 'node:path';
import type { TellReading } from '#core/ports/recording-archive.ts';
import { DirectoryArchive } from '#recording/archive.ts';
import { renderers } from '#recording/renderers/renderers.ts';
import type { GatewayConfig } from './gateway.ts';

/** The recordings of an installation, for the API and the command line. */
export function openArchive(
  { config, directory }: GatewayConfig,
  tell: TellReading,
): DirectoryArchive {
  return new DirectoryArchive({
    directory: resolve(directory, config.recordings.directory),
    keysDirectory: resolve(directory, config.recordings.keys),
    tell,
    renderers,
  });
}
