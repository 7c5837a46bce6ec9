/**
 * The settings that a PostgreSQL target has besides those of every target. They decide how the
 * gateway logs in there; nothing here loosens what a client may do.
 */
import { z } from 'zod';

export interface PostgresSettings {
  readonly database?: string | undefined;
  readonly directTls: boolean;
  readonly protocol: '3.0' | '3.2';
  readonly authentication: 'any' | 'scram';
  readonly channelBinding: 'prefer' | 'require';
  readonly allowLinkLocal: boolean;
}

/** Reads {@link PostgresSettings}; the descriptions are the documentation of the configuration. */
export const postgresSettings: z.ZodType<PostgresSettings> = z
  .strictObject({
    database: z
      .string()
      .min(1)
      .max(63)
      .optional()
      .describe('Database for clients that name none. Default: the account name at the target.'),
    directTls: z
      .boolean()
      .default(false)
      .describe('TLS from the first byte, as PostgreSQL 17 and newer take it; saves a round trip.'),
    protocol: z
      .enum(['3.0', '3.2'])
      .default('3.2')
      .describe('Newest protocol to ask for. A pooler that cannot negotiate needs 3.0.'),
    authentication: z
      .enum(['any', 'scram'])
      .default('any')
      .describe('What the target may ask of an account with a password. `scram` refuses the rest.'),
    channelBinding: z
      .enum(['prefer', 'require'])
      .default('prefer')
      .describe('Whether SCRAM must be bound to the TLS connection (SCRAM-SHA-256-PLUS).'),
    allowLinkLocal: z
      .boolean()
      .default(false)
      .describe('Lets the address be a link-local or cloud metadata address.'),
  })
  .describe('Settings of a PostgreSQL target.');
