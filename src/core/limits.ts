/**
 * Every bound of the gateway, in one place. Units come last in the name. A value here is a default;
 * `limits:` in the configuration can lower or raise those that {@link Limits} lists.
 */
export interface Limits {
  /** Bytes that a connection may send before it is authenticated. */
  readonly strangerBytesMax: number;
  /** Milliseconds from accept to authenticated. */
  readonly loginMsMax: number;
  /** Connections that are not yet authenticated, per process and per address. */
  readonly strangersMax: number;
  readonly strangersPerAddressMax: number;
  /** Authenticated sessions per process. */
  readonly sessionsMax: number;
  /** One protocol frame that must be held whole (a statement, a parameter list). */
  readonly frameBytesMax: number;
  /** One result cell that must be held whole to be masked; a larger one is replaced unread. */
  readonly cellBytesMax: number;
  /** Statement text that the analyser accepts; more is `opaque`. */
  readonly statementBytesMax: number;
  /** Nesting that the analyser follows; more is `opaque`. */
  readonly statementDepthMax: number;
  /** Milliseconds that one analysis may take before its worker is replaced. */
  readonly analysisMsMax: number;
  /** Requests sent upstream and not yet answered, per session. */
  readonly pipelineDepthMax: number;
  /** Prepared statements and portals that a session may have. */
  readonly preparedMax: number;
  /** Bytes of a session read from the client while it waits for an approval. */
  readonly heldBytesMax: number;
  /** Holds that may wait at once, per identity and per process. */
  readonly holdsPerIdentityMax: number;
  readonly holdsMax: number;
  /** Bytes that the recorder may have taken and not yet written, per session and per process. */
  readonly recorderBytesMax: number;
  readonly recorderTotalBytesMax: number;
  /** Events taken and not yet stored. */
  readonly eventQueueMax: number;
  /** Milliseconds for dialling and logging in at a target. */
  readonly dialMsMax: number;
  /** Milliseconds that a drain waits for running sessions. */
  readonly drainMsMax: number;
}

const KiB = 1024;
const MiB = 1024 * KiB;

export const defaultLimits: Limits = {
  strangerBytesMax: 64 * KiB,
  loginMsMax: 15_000,
  strangersMax: 1_000,
  strangersPerAddressMax: 200,
  sessionsMax: 5_000,
  frameBytesMax: 64 * MiB,
  cellBytesMax: 8 * MiB,
  statementBytesMax: 4 * MiB,
  statementDepthMax: 200,
  analysisMsMax: 5_000,
  pipelineDepthMax: 16_384,
  preparedMax: 10_000,
  heldBytesMax: 256 * KiB,
  holdsPerIdentityMax: 20,
  holdsMax: 1_000,
  recorderBytesMax: 8 * MiB,
  recorderTotalBytesMax: 256 * MiB,
  eventQueueMax: 100_000,
  dialMsMax: 10_000,
  drainMsMax: 30_000,
};
