import type { Catalogue } from './catalogue.ts';

/**
 * A catalogue that knows nothing: for sessions of which no decision depends on facts. Under it
 * nothing is complete.
 */
export const emptyCatalogue: Catalogue = {
  version: 'unread',
  serverVersion: 0,
  database: '',
  relation: () => undefined,
  relationByOid: () => undefined,
  functions: () => [],
  functionByOid: () => undefined,
  operators: () => [],
  type: () => undefined,
  typeByOid: () => undefined,
  casts: () => [],
  schemas: new Map(),
  roles: new Map(),
  extensions: new Map(),
  eventTriggers: [],
  operatorClasses: [],
};
