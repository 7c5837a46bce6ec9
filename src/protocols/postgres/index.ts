/** PostgreSQL: protocol 3.0 and 3.2, servers 14 to 18. The rest of the folder is behind this. */
import type { Capabilities, Protocol } from '#core/protocol.ts';
import { type PostgresSettings, postgresSettings } from './config.ts';
import { postgresRuntime } from './runtime.ts';
import { createSqlAnalyser } from './sql/analyser.ts';
import { CatalogueCache } from './sql/catalogue-cache.ts';

const capabilities: Capabilities = {
  approval: 'notice',
  masking: 'cells',
  recording: 'statements',
  survivesDenial: true,
  lifting: true,
  limits: ['rowsReturned', 'bytes', 'time', 'rowsAffected', 'rowsAffectedTotal'],
};

/** PostgreSQL, as the registry knows it. */
export const postgres: Protocol<PostgresSettings> = {
  name: 'postgres',
  settings: postgresSettings,
  capabilities,
  async start(services) {
    const analyser = await createSqlAnalyser(services);
    const catalogues = new CatalogueCache({ clock: services.clock, limits: services.limits });
    return postgresRuntime(services, { analyser, catalogues, close: () => analyser.close() });
  },
};
