/** What the parts of this folder hand to each other. */
import type { Admission } from '#core/protocol.ts';
import type { Wire } from '#core/wire.ts';

/** A client that has logged in and waits for `AuthenticationOk`. Made by `downstream.ts`. */
export interface PgClient {
  readonly wire: Wire;
  readonly admission: Admission;
  /** Database as the client named it; empty when it named none (the target's settings decide). */
  readonly database: string;
  /** Allow-listed start-up parameters to hand to the server, lower-case names. */
  readonly parameters: ReadonlyMap<string, string>;
  /** Protocol version agreed with the client: 3.0 is 0x30000, 3.2 is 0x30002. */
  readonly version: number;
  /** Bytes that came behind the last login message; the relay reads them first. */
  readonly rest: Uint8Array;
}

/** A server that has said `ReadyForQuery` for the first time. Made by `upstream.ts`. */
export interface PgServer {
  readonly wire: Wire;
  /** Every ParameterStatus of the start-up; the relay keeps it current. */
  readonly parameters: Map<string, string>;
  readonly processId: number;
  /** 4 bytes in protocol 3.0, up to 256 in 3.2. */
  readonly cancelKey: Uint8Array;
  readonly version: number;
  readonly rest: Uint8Array;
}

/** Runs one simple query of the gateway's own on a connection that is idle; rows as text. */
export type ServerQuery = (sql: string) => Promise<readonly (readonly (string | null)[])[]>;
