/** How the answers of each protocol are shown. One line a protocol. */
import type { ReplayRenderer } from '#core/ports/recording-archive.ts';
import { httpRenderer } from './http.ts';
import { postgresRenderer } from './postgres.ts';
import { sshRenderer } from './ssh.ts';

/** Makers of renderers by the protocol's name. */
export const renderers: Readonly<Record<string, () => ReplayRenderer>> = {
  postgres: postgresRenderer,
  ssh: sshRenderer,
  http: httpRenderer,
  kubernetes: httpRenderer,
};
