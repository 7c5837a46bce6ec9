/**
 * The live sessions of this process, and what can end them from outside: a lock, an expiry, a lost
 * recording, a drain. A protocol that does not close by itself within {@link GRACE_MS} loses both
 * its connections, so that a control acts within a second whatever the session is doing (law 9).
 */
import type { SessionContext } from '#core/command.ts';
import type { Clock } from '#core/clock.ts';
import type { EventLog } from '#core/events.ts';
import type { CredentialId, EpochMs, SessionId } from '#core/ids.ts';
import type { LockSubject } from '#core/ports/locks.ts';
import type { Refusal } from '#core/verdict.ts';
import type { Wire } from '#core/wire.ts';
import { refuse } from './gate.ts';
import type { Locks, PolicySource } from './ports.ts';

/** Milliseconds that a protocol has to say goodbye in its own words. */
const GRACE_MS = 600;
/** Revoked credentials that are remembered: far more than are revoked during one login. */
const REVOKED_MAX = 10_000;

/** One live session, as the register holds it. */
export interface LiveSession {
  readonly context: SessionContext;
  readonly startedAt: EpochMs;
  readonly expiresAt: EpochMs;
  readonly grant: string;
  readonly credential: CredentialId | undefined;
}

interface Entry extends LiveSession {
  readonly controller: AbortController;
  readonly wires: Set<Wire>;
  readonly cancelExpiry: () => void;
  refusal: Refusal | undefined;
  cancelGrace: (() => void) | undefined;
}

export class LiveSessions {
  readonly #sessions = new Map<SessionId, Entry>();
  readonly #locks: Locks;
  readonly #clock: Clock;
  readonly #events: EventLog;
  /** For logins that were under way; a later one is refused by the store. */
  readonly #revoked = new Set<CredentialId>();
  #epoch = 0;
  #whenEmpty: (() => void) | undefined;

  constructor(parts: {
    readonly locks: Locks;
    readonly policies: PolicySource;
    readonly clock: Clock;
    readonly events: EventLog;
  }) {
    this.#locks = parts.locks;
    this.#clock = parts.clock;
    this.#events = parts.events;
    parts.locks.onChange(() => this.#enforceLocks());
    parts.policies.onChange(() => {
      this.#epoch += 1;
    });
  }

  /** Rises when an answer of a gate may have changed. */
  get epoch(): number {
    return this.#epoch;
  }

  get size(): number {
    return this.#sessions.size;
  }

  list(): readonly LiveSession[] {
    return [...this.#sessions.values()];
  }

  /** Registers a session; `signal` is aborted with a {@link Refusal} when it must end. */
  add(session: LiveSession, wire: Wire): AbortSignal {
    const controller = new AbortController();
    const id = session.context.session;
    const cancelExpiry = this.#clock.after(session.expiresAt - this.#clock.now(), () => {
      this.end(id, refuse('SP_EXPIRED', { endsSession: true }));
    });
    this.#sessions.set(id, {
      ...session,
      controller,
      cancelExpiry,
      wires: new Set([wire]),
      refusal: undefined,
      cancelGrace: undefined,
    });
    // A lock that was added, or a credential that was revoked, between the check at login and now
    // must not be missed.
    this.#enforceLocks();
    if (session.credential !== undefined && this.#revoked.has(session.credential)) {
      this.end(id, credentialRevoked());
    }
    return controller.signal;
  }

  /** Adds a connection that goes down with the session. */
  addWire(id: SessionId, wire: Wire): void {
    const entry = this.#sessions.get(id);
    if (entry === undefined) wire.destroy();
    else entry.wires.add(wire);
  }

  /** Forgets a connection that is closed, so that a long session does not collect them. */
  removeWire(id: SessionId, wire: Wire): void {
    this.#sessions.get(id)?.wires.delete(wire);
  }

  /** Why the session has to end, once it has. */
  refusalOf(id: SessionId): Refusal | undefined {
    const entry = this.#sessions.get(id);
    if (entry === undefined) return refuse('SP_EXPIRED', { endsSession: true });
    if (entry.refusal === undefined && this.#clock.now() >= entry.expiresAt) {
      // A timer can be late; a deadline that has passed is enforced at the next command anyway.
      this.end(id, refuse('SP_EXPIRED', { endsSession: true }));
    }
    return entry.refusal;
  }

  /** Ends a session from outside. The first reason stays. */
  end(id: SessionId, refusal: Refusal): void {
    const entry = this.#sessions.get(id);
    if (entry === undefined || entry.refusal !== undefined) return;
    entry.refusal = { ...refusal, endsSession: true };
    entry.cancelGrace = this.#clock.after(GRACE_MS, () => {
      for (const wire of entry.wires) wire.destroy();
    });
    entry.controller.abort(entry.refusal);
  }

  /** Ends every session that came with a credential that was revoked. */
  endOfCredential(credential: CredentialId): void {
    const [oldest] = this.#revoked;
    if (this.#revoked.size >= REVOKED_MAX && oldest !== undefined) this.#revoked.delete(oldest);
    this.#revoked.add(credential);
    for (const [id, entry] of this.#sessions) {
      if (entry.credential === credential) this.end(id, credentialRevoked());
    }
  }

  endAll(refusal: Refusal): void {
    for (const id of this.#sessions.keys()) this.end(id, refusal);
  }

  /** Forgets a session that is over. */
  remove(id: SessionId): void {
    const entry = this.#sessions.get(id);
    if (entry === undefined) return;
    entry.cancelExpiry();
    entry.cancelGrace?.();
    this.#sessions.delete(id);
    if (this.#sessions.size === 0) this.#whenEmpty?.();
  }

  /** Resolves when no session is left. */
  async empty(): Promise<void> {
    if (this.#sessions.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#whenEmpty = resolve;
    });
  }

  #enforceLocks(): void {
    for (const [id, entry] of this.#sessions) {
      if (entry.refusal !== undefined) continue;
      const lock = this.#locks.check(subjectOf(entry.context));
      if (lock === undefined) continue;
      this.#events.emit({
        type: 'lock.enforced',
        actor: 'system',
        session: id,
        target: entry.context.target.name,
        data: { lock: lock.id, identity: entry.context.identity.id },
      });
      this.end(id, lockRefusal(lock));
    }
  }
}

const credentialRevoked = (): Refusal =>
  refuse('SP_EXPIRED', { reason: 'the credential was revoked' });

export function subjectOf(context: SessionContext): LockSubject {
  return {
    identity: context.identity.id,
    owner: context.identity.owner,
    onBehalfOf: context.identity.onBehalfOf,
    target: context.target.name,
    session: context.session,
  };
}

export const lockRefusal = (lock: { readonly id: string; readonly reason: string }): Refusal =>
  refuse('SP_LOCKED', {
    rule: lock.id,
    reason: `locked: ${lock.reason}`,
    hint: 'An administrator can remove the lock.',
    endsSession: true,
  });
