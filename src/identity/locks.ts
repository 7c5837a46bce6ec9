/**
 * The locks in force. Kept in memory, so that asking costs nothing, and in the store, so that a
 * restart forgets none. A lock acts before it is stored: if storing fails, whoever asked is told,
 * and it acts all the same until the process ends.
 */
import type { Clock } from '#core/clock.ts';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import type { EventLog } from '#core/events.ts';
import type { EpochMs, LockId } from '#core/ids.ts';
import type { Lock, LockKind, LockStore, LockSubject } from '#core/ports/locks.ts';
import { newId, type Random } from '#core/random.ts';

/** Locks that may be in force at once. */
const LOCKS_MAX = 10_000;

/** What a new lock is to be. */
export interface LockOrder {
  readonly kind: LockKind;
  readonly value: string;
  readonly reason: string;
  readonly until: EpochMs | undefined;
  /** Identity id of who asks. */
  readonly by: string;
}

export interface LockSetParts {
  readonly store: LockStore;
  readonly events: EventLog;
  readonly clock: Clock;
  readonly random: Random;
}

export class LockSet {
  readonly #parts: LockSetParts;
  /** By kind and value; several locks may name the same. */
  readonly #byValue = new Map<string, Lock[]>();
  readonly #byId = new Map<LockId, Lock>();
  readonly #callbacks = new Set<() => void>();

  /** Reads the locks of the store. Fails when they cannot be read: then nobody is let in. */
  static async load(parts: LockSetParts): Promise<LockSet> {
    const set = new LockSet(parts);
    for (const lock of await parts.store.list()) set.#put(lock);
    return set;
  }

  private constructor(parts: LockSetParts) {
    this.#parts = parts;
  }

  /**
   * The lock that stops this subject now, or undefined. An owner's lock stops the owner too, and
   * an identity's lock stops those who act for it.
   */
  check(subject: LockSubject): Lock | undefined {
    if (this.#byId.size === 0) return undefined;
    const { identity, owner, onBehalfOf, target, session } = subject;
    return (
      this.#find('identity', identity) ??
      this.#find('identity', onBehalfOf) ??
      this.#find('owner', owner) ??
      this.#find('owner', identity) ??
      this.#find('owner', onBehalfOf) ??
      this.#find('target', target) ??
      this.#find('session', session)
    );
  }

  /** Calls back after each change; the returned function unsubscribes. */
  onChange(callback: () => void): () => void {
    this.#callbacks.add(callback);
    return () => this.#callbacks.delete(callback);
  }

  /** Those in force, oldest first. */
  list(): readonly Lock[] {
    const now = this.#parts.clock.now();
    return [...this.#byId.values()].filter((lock) => lock.until === undefined || lock.until > now);
  }

  /** Adds a lock; it has acted on live sessions when this resolves. */
  async add(order: LockOrder): Promise<Lock> {
    const { clock, random, store, events } = this.#parts;
    if (this.#byId.size >= LOCKS_MAX) await this.sweep();
    if (this.#byId.size >= LOCKS_MAX) {
      throw new GatewayError('SP_CONFLICT', { detail: 'too many locks; remove some' });
    }
    const now = clock.now();
    const lock: Lock = {
      id: newId<LockId>(now, random),
      kind: order.kind,
      value: order.value,
      reason: order.reason,
      until: order.until,
      createdBy: order.by,
      createdAt: now,
    };
    this.#put(lock);
    const failure = this.#changed();
    await store.add(lock);
    await events.commit({
      type: 'lock.added',
      actor: order.by,
      session: lock.kind === 'session' ? lock.value : undefined,
      target: lock.kind === 'target' ? lock.value : undefined,
      data: {
        lock: lock.id,
        kind: lock.kind,
        value: lock.value,
        reason: lock.reason,
        until: lock.until ?? null,
      },
    });
    if (failure !== undefined) throw failure;
    return lock;
  }

  /** Removes a lock; answers false when there is none. The event comes first: no silent unlock. */
  async remove(id: LockId, by: string): Promise<boolean> {
    const lock = this.#byId.get(id);
    if (lock === undefined) return false;
    await this.#removed(lock, by, false);
    return true;
  }

  /** Removes what ran out. To be called now and then; `check` does not wait for it. */
  async sweep(): Promise<void> {
    const now = this.#parts.clock.now();
    const over = [...this.#byId.values()].filter(
      ({ until }) => until !== undefined && until <= now,
    );
    for (const lock of over) await this.#removed(lock, 'system', true);
  }

  async #removed(lock: Lock, by: string, ranOut: boolean): Promise<void> {
    const { store, events } = this.#parts;
    await events.commit({
      type: 'lock.removed',
      actor: by,
      session: undefined,
      target: undefined,
      data: { lock: lock.id, kind: lock.kind, value: lock.value, ranOut },
    });
    await store.remove(lock.id);
    this.#byId.delete(lock.id);
    const key = keyOf(lock.kind, lock.value);
    const rest = (this.#byValue.get(key) ?? []).filter(({ id }) => id !== lock.id);
    if (rest.length === 0) this.#byValue.delete(key);
    else this.#byValue.set(key, rest);
    const failure = this.#changed();
    if (failure !== undefined) throw failure;
  }

  #put(lock: Lock): void {
    const key = keyOf(lock.kind, lock.value);
    this.#byValue.set(key, [...(this.#byValue.get(key) ?? []), lock]);
    this.#byId.set(lock.id, lock);
  }

  #find(kind: LockKind, value: string | undefined): Lock | undefined {
    if (value === undefined) return undefined;
    const now = this.#parts.clock.now();
    return this.#byValue
      .get(keyOf(kind, value))
      ?.find(({ until }) => until === undefined || until > now);
  }

  /** Tells everybody: one subscriber that fails must not keep the others from acting. */
  #changed(): GatewayError | undefined {
    let failure: GatewayError | undefined;
    for (const callback of this.#callbacks) {
      try {
        callback();
      } catch (thrown) {
        failure ??= toGatewayError(thrown);
      }
    }
    return failure;
  }
}

const keyOf = (kind: LockKind, value: string): string => `${kind}:${value}`;
