/**
 * The seam that every wire protocol implements. A protocol's folder imports `core/` and itself,
 * nothing else; what it may do, it is handed here. It can ask, tell and transform; it cannot
 * decide, dial or store.
 */
import type { Command, SessionContext } from './command.ts';
import type { Clock } from './clock.ts';
import type { HoldId } from './ids.ts';
import type { Limits } from './limits.ts';
import type { MaskSet } from './masking.ts';
import type { AllowedCommand, TargetAuthorization } from './permit.ts';
import type { HoldRecord } from './ports/holds.ts';
import type { Random } from './random.ts';
import type { Secret } from './secret.ts';
import type { Tape } from './tape.ts';
import type { ProtocolName, Target } from './target.ts';
import type { ErrorCode } from './errors.ts';
import type { Excess, LimitName, Refusal } from './verdict.ts';
import type { TlsServerOptions, Wire } from './wire.ts';

/** What a zod schema offers, so that `core/` need not import zod. */
export interface SettingsSchema<Settings> {
  /** Settings that may be `file:PATH`: `parse` is given what the file holds. */
  readonly files?: readonly string[];
  parse(input: unknown): Settings;
}

export interface Capabilities {
  /** How a held command waits: with a notice, in silence, or not at all. */
  readonly approval: 'notice' | 'hold' | 'refuse';
  readonly masking: 'cells' | 'text' | 'none';
  readonly recording: 'statements' | 'terminal' | 'exchanges';
  /** Whether the session stays usable after one denied command. */
  readonly survivesDenial: boolean;
  /** Whether it can lift a mask for one command; it cannot when absent. */
  readonly lifting?: boolean;
  /** What it can bound while a command runs; nothing when absent. */
  readonly limits?: readonly LimitName[];
}

export interface Protocol<Settings = unknown> {
  /** Stable lower-case name used in configuration, URLs and events. */
  readonly name: ProtocolName;
  /** The target's settings of this protocol. */
  readonly settings: SettingsSchema<Settings>;
  /** What the core may rely on; a rule that needs what is missing is refused at load. */
  readonly capabilities: Capabilities;
  /** Called once a process, before the first listener: workers, warm-up. Closed at exit. */
  start(services: ProtocolServices): Promise<ProtocolRuntime>;
}

/** What a protocol is given once. */
export interface ProtocolServices {
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: Limits;
  /** Opens a connection of the gateway's own to a target, to read its catalogue. */
  readonly dial: (authorization: TargetAuthorization, signal: AbortSignal) => Promise<Wire>;
  /**
   * A private key of the gateway's own by its name: Ed25519, PKCS#8 PEM, made when it is first
   * asked for and kept from then on.
   *
   * @throws GatewayError `SP_CONFIG` when it cannot be read or others may read it.
   */
  readonly privateKey: (name: string) => Secret;
  /**
   * The targets that speak this protocol, for one whose clients name theirs by host name or path.
   * Absent where nobody is served.
   */
  readonly targets?: readonly Target[];
  /** For the operator's log; no data, no secrets. */
  readonly warn: (message: string, facts: Readonly<Record<string, string | number>>) => void;
}

export interface ProtocolRuntime {
  /**
   * Serves one client connection from its first byte to its end. Never throws: every failure is
   * answered in the protocol's words where it can be, and told to `door`.
   */
  serve(wire: Wire, door: Door, signal: AbortSignal): Promise<void>;
  /**
   * Reads what `analyse` needs to know of a target, by a connection of the gateway's own. Sessions
   * do not need it: they read for themselves.
   *
   * @throws GatewayError when the target cannot be reached or does not answer as it must.
   */
  learn(access: CatalogueAccess, signal: AbortSignal): Promise<void>;
  /**
   * The facts of a command outside a session, for `policy explain`. Uses what was learned of the
   * place, never dials; without that every command is opaque.
   */
  analyse(
    input: unknown,
    place: AnalysisPlace,
    masks: MaskSet,
  ): Promise<readonly AnalysedCommand[]>;
  close(): Promise<void>;
}

/** The gateway's own way into a target. */
export interface CatalogueAccess {
  readonly authorization: TargetAuthorization;
  /** The account's secrets, resolved now. */
  secrets(): Promise<AccountSecrets>;
  /** Database or the like; empty for the target's own default. */
  readonly namespace: string;
}

/** Where a command outside a session would run. */
export type AnalysisPlace = Pick<SessionContext, 'target' | 'account' | 'namespace'>;

export interface AnalysedCommand {
  readonly text: string;
  readonly facts: Command['facts'];
}

/** What a client said of itself when it logged in. */
export interface LoginAttempt {
  /** As sent: `account@target`, or the account alone on a bound listener. */
  readonly user: string;
  /** Database or the like; empty when the client named none. */
  readonly namespace: string;
  readonly clientName: string;
  readonly holdMode: 'wait' | 'refuse';
  /** How the client proved itself. */
  readonly proof:
    | { readonly kind: 'password'; readonly secret: Secret }
    | { readonly kind: 'bearer'; readonly secret: Secret }
    /** A SCRAM exchange that the protocol finished against {@link Door.scramKeys}. */
    | { readonly kind: 'scram'; readonly credential: string; readonly verified: true }
    /**
     * The client signed what only this connection has with the private half of `key`, a public key
     * or certificate in the form of RFC 4253 section 6.6. The protocol checked the signature.
     */
    | { readonly kind: 'public-key'; readonly key: Uint8Array; readonly verified: true };
}

/** Keys that let a server check a SCRAM-SHA-256 client without knowing its password (RFC 5802). */
export interface ScramKeys {
  readonly salt: Uint8Array;
  readonly iterations: number;
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

/** The gateway's side of one connection, before and after login. */
export interface Door {
  readonly listener: {
    readonly name: string;
    /** A listener bound to one target takes account names alone. */
    readonly target: string | undefined;
    readonly tls: TlsServerOptions | undefined;
    /** Whether a login in plain text may go on from this peer. */
    readonly plaintextAllowed: boolean;
    /** How the listener asks for credentials. */
    readonly authentication: 'password' | 'scram' | 'oauth';
    /** OpenID Connect discovery URL and scope to tell OAUTHBEARER clients. */
    readonly oauth: { readonly discovery: string; readonly scope: string } | undefined;
  };
  /**
   * For SCRAM: the keys of a credential. For an unknown credential the answer looks the same and
   * never verifies, so that ids cannot be probed.
   */
  scramKeys(credential: string): Promise<ScramKeys>;
  /**
   * Whether a signature by this public key could let anybody in, so that a client with many keys
   * learns which one to sign with. Decides nothing.
   */
  knowsKey(key: Uint8Array): boolean;
  /**
   * Checks the proof, finds target, account and grant, and opens the session with its recording.
   * The only way to get a session. Every wrong proof looks alike (`SP_LOGIN_FAILED`); after a right
   * one, an unknown target and a missing grant look alike (`SP_NO_GRANT`). The event tells which.
   *
   * @throws GatewayError
   */
  admit(attempt: LoginAttempt, signal: AbortSignal): Promise<Admission>;
  /** Routes a cancel request: finds the live session that was given this key. */
  readonly cancels: CancelRegistry;
  /** The stranger sent `count` bytes; throws `SP_FRAME_TOO_LARGE` above the budget. */
  spend(count: number): void;
  /** A failure before or without a session, for the log and the metrics. */
  failed(code: ErrorCode, detail: string): void;
}

/** Cancel keys of live sessions, across the listeners of one process. */
export interface CancelRegistry {
  /** Registers `cancel` under a key; the returned function removes it. */
  add(key: string, cancel: () => void): () => void;
  /** Runs the cancel of that key if there is one; answers nothing, as the protocols want it. */
  fire(key: string): void;
}

/** A session that was let in. */
export interface Admission {
  readonly authorization: TargetAuthorization;
  /** Dials the authorised target; TLS is the protocol's to start where it starts in mid-stream. */
  dial(signal: AbortSignal): Promise<Wire>;
  /** Forgets a connection of `dial` that is closed, where a session dials more than once. */
  release(wire: Wire): void;
  /** The account's secrets, resolved now. Do not keep. */
  secrets(): Promise<AccountSecrets>;
  readonly stages: Stages;
  /** Aborted when the session must end now; `signal.reason` is a {@link Refusal}. */
  readonly signal: AbortSignal;
  /** Ends the session: seals the recording, tells the event. Idempotent. */
  close(end: SessionEnd): Promise<void>;
}

export interface AccountSecrets {
  readonly username: string;
  readonly password: Secret | undefined;
  readonly clientCertificate: string | undefined;
  readonly clientKey: Secret | undefined;
}

export interface SessionEnd {
  readonly reason: 'client' | 'target' | 'refused' | 'error' | 'drained';
  readonly code: ErrorCode | undefined;
  readonly detail: string;
}

/** What a held command's sender is told while it waits. */
export interface HoldNotice {
  readonly hold: HoldId;
  readonly rule: string;
  readonly reason: string;
  /** A command line that releases it. */
  readonly howToApprove: string;
  readonly waitMs: number;
}

/** What the relay of a session works with. */
export interface Stages {
  readonly context: SessionContext;
  /**
   * Judges one command: policy, then approval where it asks for one. Records command and verdict
   * and gives them to the kernel before it answers with a permit. Synchronous unless the command
   * is held, so that the usual case costs no turn of the event loop.
   *
   * @param onHold - called once if the command starts to wait.
   * @param cancelled - aborts the wait (the client cancelled or left).
   */
  gate(
    command: Command,
    onHold: (notice: HoldNotice) => void,
    cancelled: AbortSignal,
  ): AllowedCommand | Refusal | Promise<AllowedCommand | Refusal>;
  /** Tells that the command of a permit goes on to the target now, so that it counts as done. */
  sent(permit: AllowedCommand): void;
  /**
   * Says what becomes of a command that met a limit of its permit and whose effects were, or will
   * be, undone. A refusal, or, where people may let it through and have, a permit to run it once
   * more under a bound of what they were shown.
   *
   * @param how - `ask`: whoever sent it may wait for people. `now`: only what they gave before
   *   counts. `none`: they are not asked.
   */
  exceeded(
    permit: AllowedCommand,
    excess: Excess,
    how: {
      readonly people: 'ask' | 'now' | 'none';
      readonly onHold: (notice: HoldNotice) => void;
      readonly cancelled: AbortSignal;
    },
  ): AllowedCommand | Refusal | Promise<AllowedCommand | Refusal>;
  /** Changes when a policy, lock or expiry could change an answer of `gate`. */
  readonly epoch: number;
  /** The masks in force now; compare `version` before reusing anything derived from it. */
  readonly masks: MaskSet;
  readonly tape: Tape;
  /**
   * Whether an answer of `gate`, or a mask, can depend on the facts of a command. When it cannot,
   * what it would take to make them complete need not be done.
   */
  readonly factsMatter: boolean;
  /** Makes the id of a new command. */
  commandId(): Command['id'];
  /** What became of a hold of this identity at this target; undefined for every other id. */
  hold(id: string): Promise<HoldStatus | undefined>;
}

/** What the sender of a held command may know of its hold. */
export interface HoldStatus
  extends Pick<HoldRecord, 'id' | 'state' | 'rule' | 'reason' | 'expiresAt' | 'validUntil'> {
  /** How many people have approved so far. */
  readonly approvals: number;
}
