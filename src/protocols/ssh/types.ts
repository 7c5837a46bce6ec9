/** What the parts of this folder hand to each other. */
import type { Admission } from '#core/protocol.ts';
import type { SshTransport } from './transport.ts';

/** A client that proved itself and waits for USERAUTH_SUCCESS. Made by `downstream.ts`. */
export interface SshClient {
  readonly transport: SshTransport;
  readonly admission: Admission;
  /** Lets it in. */
  welcome(): void;
  /** Tells it why not, and ends the connection. */
  turnAway(text: string): void;
}
