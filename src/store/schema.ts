/** The tables as Kysely sees them. Column types are `text` and `bigint` only; JSON is text. */

export interface CredentialsTable {
  readonly id: string;
  readonly hash: string;
  readonly identity_id: string;
  readonly identity: string;
  readonly scope: string;
  readonly scram_stored_key: string;
  readonly scram_server_key: string;
  readonly created_at: number;
  readonly expires_at: number;
  readonly revoked_at: number | null;
}

export interface SpentTokensTable {
  readonly issuer: string;
  readonly token_key: string;
  readonly created_at: number;
  readonly expires_at: number;
}

export interface LocksTable {
  readonly id: string;
  readonly kind: string;
  readonly value: string;
  readonly reason: string;
  readonly expires_at: number | null;
  readonly created_by: string;
  readonly created_at: number;
}

export interface HoldsTable {
  readonly id: string;
  readonly revision: number;
  readonly state: string;
  readonly record: string;
  readonly created_at: number;
  readonly closed_at: number | null;
}

export interface EventsTable {
  readonly number: number;
  readonly id: string;
  readonly created_at: number;
  readonly type: string;
  readonly actor: string;
  readonly session: string | null;
  readonly target: string | null;
  readonly data: string;
}

export interface RecordingsTable {
  readonly session: string;
  readonly identity_id: string;
  readonly owner: string | null;
  readonly target: string;
  readonly account: string;
  readonly protocol: string;
  readonly state: string;
  readonly created_at: number;
  readonly ended_at: number | null;
  readonly commands: number;
  readonly bytes: number;
}

export interface IdentitiesTable {
  readonly id: string;
  readonly identity: string;
  readonly created_at: number;
  readonly last_seen_at: number;
}

export interface NoveltyTable {
  readonly identity_id: string;
  readonly target: string;
  readonly kind: string;
  readonly deed_key: string;
  readonly created_at: number;
}

export interface DisclosuresTable {
  readonly identity_id: string;
  readonly target: string;
  readonly mask: string;
  readonly created_at: number;
}

/** Things that happen once in the life of an installation. */
export interface MarksTable {
  readonly name: string;
  readonly created_at: number;
}

export interface Schema {
  readonly credentials: CredentialsTable;
  readonly spent_tokens: SpentTokensTable;
  readonly locks: LocksTable;
  readonly holds: HoldsTable;
  readonly events: EventsTable;
  readonly recordings: RecordingsTable;
  readonly identities: IdentitiesTable;
  readonly novelty: NoveltyTable;
  readonly disclosures: DisclosuresTable;
  readonly marks: MarksTable;
}
