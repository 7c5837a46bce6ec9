import { loadConfig } from '#config/load.ts';
import type { OwnedSchemas } from '#config/schema.ts';
import {
  type GrantConfig,
  grantSchema,
  type IssuerConfig,
  issuerSchema,
  type PersonConfig,
  personSchema,
} from '#identity/config.ts';
import type { GatewayConfig } from './gateway.ts';

/** The parts of the configuration's schema that other rooms own. */
export const ownedSchemas: OwnedSchemas<IssuerConfig, GrantConfig, PersonConfig> = {
  issuer: issuerSchema,
  grant: grantSchema,
  person: personSchema,
};

/** Reads and checks `sallyport.yaml`. Throws `SP_CONFIG` with every problem. */
export const loadGatewayConfig = (path: string): GatewayConfig => loadConfig(path, ownedSchemas);
