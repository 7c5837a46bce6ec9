import type { Migration } from '../migrate.ts';

/**
 * The first schema. Written in what SQLite and PostgreSQL share: `text` and `bigint` only, JSON and
 * keys as text, times as epoch milliseconds, flags as times that may be null.
 */
export const initial: Migration = {
  number: 1,
  name: 'initial',
  statements: [
    `create table credentials (
      id text primary key,
      hash text not null,
      identity_id text not null,
      identity text not null,
      scope text not null,
      scram_stored_key text not null,
      scram_server_key text not null,
      created_at bigint not null,
      expires_at bigint not null,
      revoked_at bigint
    )`,
    'create index credentials_by_identity on credentials (identity_id)',
    'create index credentials_by_expiry on credentials (expires_at)',
    `create table spent_tokens (
      issuer text not null,
      token_key text not null,
      created_at bigint not null,
      expires_at bigint not null,
      primary key (issuer, token_key)
    )`,
    'create index spent_tokens_by_expiry on spent_tokens (expires_at)',
    `create table locks (
      id text primary key,
      kind text not null,
      value text not null,
      reason text not null,
      expires_at bigint,
      created_by text not null,
      created_at bigint not null
    )`,
    `create table holds (
      id text primary key,
      revision bigint not null,
      state text not null,
      record text not null,
      created_at bigint not null,
      closed_at bigint
    )`,
    'create index holds_by_state on holds (state, created_at)',
    'create index holds_by_time on holds (created_at)',
    `create table events (
      number bigint primary key,
      id text not null,
      created_at bigint not null,
      type text not null,
      actor text not null,
      session text,
      target text,
      data text not null
    )`,
    'create index events_by_session on events (session, number)',
    'create index events_by_actor on events (actor, number)',
    `create table recordings (
      session text primary key,
      identity_id text not null,
      owner text,
      target text not null,
      account text not null,
      protocol text not null,
      state text not null,
      created_at bigint not null,
      ended_at bigint,
      commands bigint not null,
      bytes bigint not null
    )`,
    'create index recordings_by_time on recordings (created_at)',
    'create index recordings_by_identity on recordings (identity_id, created_at)',
    'create index recordings_by_target on recordings (target, created_at)',
    `create table identities (
      id text primary key,
      identity text not null,
      created_at bigint not null,
      last_seen_at bigint not null
    )`,
    'create index identities_by_time on identities (last_seen_at)',
    `create table novelty (
      identity_id text not null,
      target text not null,
      kind text not null,
      deed_key text not null,
      created_at bigint not null,
      primary key (identity_id, target, kind, deed_key)
    )`,
    'create index novelty_by_time on novelty (identity_id, target, created_at)',
    `create table marks (
      name text primary key,
      created_at bigint not null
    )`,
  ],
};
