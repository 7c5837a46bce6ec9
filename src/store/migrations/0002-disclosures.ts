import type { Migration } from '../migrate.ts';

/** Commands that told something of masked values, for budgets; a row each, for a day. */
export const disclosures: Migration = {
  number: 2,
  name: 'disclosures',
  statements: [
    `create table disclosures (
      identity_id text not null,
      target text not null,
      mask text not null,
      created_at bigint not null
    )`,
    'create index disclosures_by_place on disclosures (identity_id, target, created_at)',
    'create index disclosures_by_time on disclosures (created_at)',
  ],
};
