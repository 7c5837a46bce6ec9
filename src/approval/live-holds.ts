/**
 * The holds that are not over, and the one way in which they change: decided by `step`, kept in the
 * store, told as an event, and only then acted on; one change of a hold after the other. A change
 * that cannot be kept or told has no effect but a refusal.
 */
import type { Clock } from '#core/clock.ts';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import type { EventDraft, EventLog } from '#core/events.ts';
import { type ApprovalId, asEpochMs, type EpochMs, type HoldId } from '#core/ids.ts';
import type { HoldRecord, HoldStore } from '#core/ports/holds.ts';
import type { Refusal } from '#core/verdict.ts';
import { overRefusal, refusal } from './answers.ts';
import { closedEvent, openedEvent, reviewedEvent } from './events.ts';
import { type HoldAction, isFinal, liftedMasks, step } from './hold.ts';

/** What became of a request. */
export type ApprovalResult =
  | {
      readonly outcome: 'approved';
      readonly approval: ApprovalId;
      readonly hold: HoldId;
      /** Identity ids of those who approved. */
      readonly reviewers: readonly string[];
      /** Ids of masks that all of them would lift for this command. */
      readonly lifted: readonly string[];
    }
  | { readonly outcome: 'refused'; readonly refusal: Refusal };

/** Somewhere to tell people of holds: a console, a chat. Its failures are its own. */
export interface ReviewChannel {
  opened(hold: HoldRecord): void;
  closed(hold: HoldRecord): void;
}

export interface LiveHoldParts {
  readonly clock: Clock;
  readonly events: EventLog;
  readonly store: HoldStore;
  readonly channels: readonly ReviewChannel[];
  /** For the operator's log: what failed where nobody waits for an answer. */
  readonly warn: (message: string, facts: Readonly<Record<string, string>>) => void;
}

/** The request that waits on a hold. */
export interface Claimant {
  /** Answers the request; only the first call counts. */
  settle(result: ApprovalResult): void;
  /** Whether the command in memory is still exactly the one that was shown. */
  unchanged(): boolean;
}

/** A hold that is not over. */
export interface Live {
  hold: HoldRecord;
  claimant: Claimant | undefined;
  stopTimer: () => void;
  /** Set while a claimant's approval is being spent: it is nobody else's any more. */
  isSpending: boolean;
  /** Settles after the last change that was asked for; never rejects. */
  tail: Promise<unknown>;
}

/** How long after a failed time-out it is tried again. */
const RETRY_MS = 10_000;

export class LiveHolds {
  readonly #parts: LiveHoldParts;
  readonly #live = new Map<HoldId, Live>();
  readonly #onApproved: (live: Live) => Promise<void>;

  /** @param onApproved - spends the approval for the hold's claimant, when there is one. */
  constructor(parts: LiveHoldParts, onApproved: (live: Live) => Promise<void>) {
    this.#parts = parts;
    this.#onApproved = onApproved;
  }

  get(id: HoldId): Live | undefined {
    return this.#live.get(id);
  }

  /** All, oldest first. */
  all(): readonly Live[] {
    return [...this.#live.values()];
  }

  add(hold: HoldRecord): Live {
    const live: Live = {
      hold,
      claimant: undefined,
      stopTimer: () => {},
      isSpending: false,
      tail: Promise.resolve(),
    };
    this.#live.set(hold.id, live);
    return live;
  }

  /** Keeps and tells of a hold that was just added; it is no more when this fails. */
  keepNew(live: Live): Promise<void> {
    return this.#next(live, async () => {
      try {
        if (!(await this.#parts.store.put(live.hold))) throw new GatewayError('SP_STORE');
      } catch (thrown) {
        this.#fail(live, thrown);
        throw thrown;
      }
      await this.#commit(live, [openedEvent(live.hold)]);
      this.arm(live);
      this.#tellChannels('opened', live.hold);
    });
  }

  /**
   * Changes a hold.
   *
   * @param at - not earlier than this: a timer knows better than a clock that was set back.
   * @returns the new revision, or undefined when the change is not possible (any more).
   */
  change(live: Live, action: HoldAction, at?: EpochMs): Promise<HoldRecord | undefined> {
    return this.#next(live, async () => {
      const now = asEpochMs(Math.max(this.#parts.clock.now(), at ?? 0));
      const next = step(live.hold, action, now);
      if (next === undefined) return undefined;
      if (!(await this.#parts.store.put(next))) {
        await this.#reload(live);
        return undefined;
      }
      live.hold = next;
      await this.#commit(live, eventsOf(next, action));
      this.#act(live);
      return next;
    });
  }

  /** The claimant goes. A hold that was only its own ends; one that it joined waits on. */
  leave(live: Live, answer: Refusal): void {
    live.claimant?.settle({ outcome: 'refused', refusal: answer });
    if (live.hold.mode === 'wait') this.#inBackground(this.change(live, { kind: 'cancel' }));
  }

  /** Ends the hold when its time is over, even if the wall clock is set back meanwhile. */
  arm(live: Live): void {
    live.stopTimer();
    const { state, expiresAt, validUntil } = live.hold;
    const until = state === 'approved' ? (validUntil ?? expiresAt) : expiresAt;
    this.#lapseAfter(live, until, until - this.#parts.clock.now());
  }

  stopTimers(): void {
    for (const live of this.#live.values()) live.stopTimer();
  }

  #lapseAfter(live: Live, until: EpochMs, ms: number): void {
    live.stopTimer = this.#parts.clock.after(ms, () => {
      const lapse = this.change(live, { kind: 'lapse' }, until).catch((thrown: unknown) => {
        // Nobody may wait for ever because the store is down: answer now, clear up later.
        this.leave(live, refusal(toGatewayError(thrown).code, live.hold));
        if (this.#live.has(live.hold.id)) this.#lapseAfter(live, until, RETRY_MS);
        throw thrown;
      });
      this.#inBackground(lapse);
    });
  }

  /** Runs after every earlier change of the same hold. */
  #next<T>(live: Live, run: () => Promise<T>): Promise<T> {
    const done = live.tail.then(run);
    live.tail = done.catch(() => {});
    return done;
  }

  /** Another process changed the hold; what it says counts, and nothing of ours was spent. */
  async #reload(live: Live): Promise<void> {
    const stored = await this.#parts.store.find(live.hold.id);
    if (stored !== undefined) live.hold = stored;
    if (stored !== undefined && !isFinal(stored.state)) return;
    this.#drop(live);
    live.claimant?.settle({ outcome: 'refused', refusal: overRefusal(live.hold) });
  }

  /** Tells of a change that was kept. Fails closed: what cannot be told must have no effect. */
  async #commit(live: Live, drafts: readonly EventDraft[]): Promise<void> {
    try {
      for (const draft of drafts) await this.#parts.events.commit(draft);
    } catch (thrown) {
      this.#fail(live, thrown);
      const cancelled = step(live.hold, { kind: 'cancel' }, this.#parts.clock.now());
      if (cancelled !== undefined) {
        live.hold = cancelled;
        await this.#parts.store.put(cancelled);
      }
      throw thrown;
    }
  }

  /** What follows from the state that a hold now has. */
  #act(live: Live): void {
    const { hold, claimant } = live;
    if (hold.state === 'approved') {
      this.arm(live);
      if (claimant !== undefined) this.#inBackground(this.#onApproved(live));
    }
    if (!isFinal(hold.state)) return;
    this.#drop(live);
    this.#tellChannels('closed', hold);
    if (hold.state === 'spent' && hold.approval !== undefined) {
      const reviewers = hold.reviews.map(({ reviewer }) => reviewer);
      const { id, approval } = hold;
      const lifted = liftedMasks(hold);
      claimant?.settle({ outcome: 'approved', approval, hold: id, reviewers, lifted });
    } else {
      claimant?.settle({ outcome: 'refused', refusal: overRefusal(hold) });
    }
  }

  /** The hold is no more; whoever waits on it is answered. */
  #fail(live: Live, thrown: unknown): void {
    this.#drop(live);
    const { code } = toGatewayError(thrown);
    live.claimant?.settle({ outcome: 'refused', refusal: refusal(code, live.hold) });
  }

  #drop(live: Live): void {
    live.stopTimer();
    this.#live.delete(live.hold.id);
  }

  #tellChannels(what: 'opened' | 'closed', hold: HoldRecord): void {
    for (const channel of this.#parts.channels) {
      try {
        channel[what](hold);
      } catch (thrown) {
        this.#warn(thrown);
      }
    }
  }

  #inBackground(work: Promise<unknown>): void {
    work.catch((thrown: unknown) => this.#warn(thrown));
  }

  #warn(thrown: unknown): void {
    const { code, message } = toGatewayError(thrown);
    this.#parts.warn('a hold could not be changed', { code, message });
  }
}

function eventsOf(hold: HoldRecord, action: HoldAction): readonly EventDraft[] {
  const events: EventDraft[] = [];
  if (action.kind === 'review') events.push(reviewedEvent(hold, action.review));
  if (isFinal(hold.state)) events.push(closedEvent(hold));
  return events;
}
