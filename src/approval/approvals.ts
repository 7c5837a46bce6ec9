/**
 * The desk where held commands wait for people.
 *
 * Invariants. An approval is bound to the digest of exactly one command of one requester at one
 * target, is spent at most once (in the store first, then the command may go), and dies on time.
 * Whatever fails, fails as a refusal.
 *
 * A hold has at most one claimant: the request that waits on it and will spend its approval. A
 * request may take over a hold that has none (its first sender was told to come back); two equal
 * requests that both wait need two approvals.
 */
import { type Command, digestInput } from '#core/command.ts';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import { type ApprovalId, asEpochMs, type HoldId } from '#core/ids.ts';
import type { Identity } from '#core/identity.ts';
import { type Limits, policyLimits } from '#core/limits.ts';
import type { HeldCommand, HoldOpinion, HoldRecord, HoldReview } from '#core/ports/holds.ts';
import type { LockSubject } from '#core/ports/locks.ts';
import type { HoldNotice } from '#core/protocol.ts';
import { newId, type Random } from '#core/random.ts';
import { type Refusal, sameRequirements, type Verdict } from '#core/verdict.ts';
import { holdNotice, overRefusal, pendingRefusal, refusal } from './answers.ts';
import { refusedReviewEvent } from './events.ts';
import { isFinal } from './hold.ts';
import { type ApprovalResult, type Live, LiveHolds, type LiveHoldParts } from './live-holds.ts';
import { eligibility } from './reviewers.ts';
import { showCommand } from './shown.ts';

export interface ApprovalParts extends LiveHoldParts {
  readonly random: Random;
  /** Lower-case hex SHA-256. */
  readonly sha256Hex: (bytes: Uint8Array) => string;
  readonly limits: Pick<Limits, 'holdsMax' | 'holdsPerIdentityMax'>;
  readonly locks: { check(subject: LockSubject): { readonly reason: string } | undefined };
}

/** What a request asks for, in the form that a hold keeps. */
type Wanted = Pick<
  HoldRecord,
  'digest' | 'mode' | 'rule' | 'reason' | 'policy' | 'terms' | 'command'
>;

const refused = (answer: Refusal): ApprovalResult => ({ outcome: 'refused', refusal: answer });

export class Approvals {
  readonly #parts: ApprovalParts;
  readonly #holds: LiveHolds;

  constructor(parts: ApprovalParts) {
    this.#parts = parts;
    this.#holds = new LiveHolds(parts, (live) => this.#spend(live));
  }

  /**
   * Takes up what an earlier process left. A hold whose sender was waiting is closed, since its
   * session is gone; one whose sender was told to come back goes on, approved or not.
   */
  async start(): Promise<void> {
    for (const hold of await this.#parts.store.live()) {
      const live = this.#holds.add(hold);
      await this.#holds.change(live, { kind: hold.mode === 'wait' ? 'cancel' : 'lapse' });
      if (!isFinal(live.hold.state)) this.#holds.arm(live);
    }
  }

  /**
   * Asks people about one command, and answers when they have; or at once with `SP_HOLD_PENDING`
   * when the session or the rule wants that. Never throws.
   *
   * @param onHold - called once if the command starts to wait; if it throws, that refuses it.
   */
  async request(
    command: Command,
    verdict: Verdict,
    onHold: (notice: HoldNotice) => void,
    cancelled: AbortSignal,
  ): Promise<ApprovalResult> {
    try {
      const wanted = this.#prepare(command, verdict, cancelled);
      if ('refused' in wanted) return refused(wanted);
      const unchanged = (): boolean => this.#digest(command) === wanted.digest;
      const result = await this.#obtain(wanted, unchanged, onHold, cancelled);
      // The sender may have left while the approval was being spent: then it is lost, not used.
      return cancelled.aborted ? refused(refusal('SP_HOLD_CANCELLED', verdict)) : result;
    } catch (thrown) {
      // Fails closed: a hold that could not be kept or told of is no approval.
      return refused(refusal(toGatewayError(thrown).code, verdict));
    }
  }

  /**
   * Takes one person's word on a hold.
   *
   * @returns the hold as it then is.
   * @throws GatewayError `SP_NOT_FOUND`; `SP_FORBIDDEN` with the reason; `SP_CONFLICT` when it is
   * over, or this person said so before; `SP_LOCKED`; `SP_BAD_REQUEST`; `SP_STORE`.
   */
  async review(id: HoldId, reviewer: Identity, opinion: HoldOpinion): Promise<HoldRecord> {
    const { decision, reason, lift = [] } = opinion;
    if (reason.length > policyLimits.reviewReasonCharsMax) {
      throw new GatewayError('SP_BAD_REQUEST', { detail: 'the reason is too long' });
    }
    const live = this.#holds.get(id);
    if (live === undefined) {
      const { state } = await this.show(id);
      throw new GatewayError('SP_CONFLICT', { detail: `the hold is over (${state})` });
    }
    const now = this.#parts.clock.now();
    const meets = eligibility(live.hold, reviewer, now);
    if (typeof meets === 'string') {
      this.#parts.events.emit(refusedReviewEvent(live.hold, reviewer.id, meets));
      throw new GatewayError('SP_FORBIDDEN', { detail: meets });
    }
    if (decision === 'approve' && this.#isLocked(live.hold.command)) {
      throw new GatewayError('SP_LOCKED');
    }
    const fault = liftFault(live.hold, decision, lift);
    if (fault !== undefined) throw new GatewayError('SP_BAD_REQUEST', { detail: fault });
    const { id: person, displayName } = reviewer;
    const review: HoldReview = {
      reviewer: person,
      displayName,
      decision,
      reason,
      at: now,
      meets,
      ...(lift.length > 0 ? { lift: [...new Set(lift)] } : {}),
    };
    const approval: ApprovalId = newId(now, this.#parts.random);
    const next = await this.#holds.change(live, { kind: 'review', review, approval });
    if (next !== undefined) return next;
    const { state } = live.hold;
    const detail =
      state === 'pending' ? 'reviewed by this person, or out of time' : `the hold is ${state}`;
    throw new GatewayError('SP_CONFLICT', { detail });
  }

  /** The holds that are not over, oldest first. */
  list(): readonly HoldRecord[] {
    return this.#holds.all().map(({ hold }) => hold);
  }

  /** Holds in any state, newest first. */
  recent(count: number): Promise<readonly HoldRecord[]> {
    return this.#parts.store.recent(count);
  }

  /** One hold, whole. Throws `SP_NOT_FOUND`. */
  async show(id: HoldId): Promise<HoldRecord> {
    const hold = this.#holds.get(id)?.hold ?? (await this.#parts.store.find(id));
    if (hold === undefined) throw new GatewayError('SP_NOT_FOUND', { detail: 'no such hold' });
    return hold;
  }

  /** Stops the timers, for a shutdown. Sessions cancel what waits; the store keeps the rest. */
  stop(): void {
    this.#holds.stopTimers();
  }

  /** Everything that is asked of a command before a hold is looked for. Synchronous on purpose. */
  #prepare(command: Command, verdict: Verdict, cancelled: AbortSignal): Wanted | Refusal {
    const { rule, reason, policy, hold: terms } = verdict;
    if (verdict.outcome !== 'hold' || terms === undefined) return refusal('SP_INTERNAL', verdict);
    if (cancelled.aborted) return refusal('SP_HOLD_CANCELLED', verdict);
    // Bound values are views that are good only now: digest and copy come before the first await.
    const digest = this.#digest(command);
    const shown = showCommand(command);
    if ('unshown' in shown) return refusal('SP_POLICY_DENIED', verdict, { reason: shown.unshown });
    if (this.#isLocked(shown)) return refusal('SP_LOCKED', verdict);
    const refuse = terms.mode === 'refuse' || command.context.holdMode === 'refuse';
    const mode = refuse ? 'refuse' : 'wait';
    return { digest, mode, rule, reason, policy, terms, command: shown };
  }

  async #obtain(
    wanted: Wanted,
    unchanged: () => boolean,
    onHold: (notice: HoldNotice) => void,
    cancelled: AbortSignal,
  ): Promise<ApprovalResult> {
    const free = this.#findFree(wanted);
    const full = free === undefined ? this.#isFull(wanted) : undefined;
    if (full !== undefined) return refused(refusal('SP_HOLDS_FULL', wanted, { reason: full }));
    const live = free ?? this.#holds.add(this.#newHold(wanted));
    const isApproved = live.hold.state === 'approved';
    // One that is joined may still be on its way into the store.
    const kept = free === undefined ? this.#holds.keepNew(live) : live.tail;
    if (wanted.mode === 'refuse' && !isApproved) {
      await kept;
      const isOver = this.#holds.get(live.hold.id) === undefined;
      return refused(isOver ? overRefusal(live.hold) : pendingRefusal(live.hold));
    }
    // Claimed before the first await, so that no other request can take it meanwhile.
    const waiting = this.#claim(live, unchanged, cancelled);
    try {
      await kept;
      if (isApproved) await this.#spend(live);
      else if (live.claimant !== undefined) onHold(holdNotice(live.hold, this.#parts.clock.now()));
    } catch (thrown) {
      this.#holds.leave(live, refusal(toGatewayError(thrown).code, wanted));
    }
    return waiting;
  }

  /** A hold without a claimant that this request may take: same command, requester and people. */
  #findFree(wanted: Wanted): Live | undefined {
    const now = this.#parts.clock.now();
    const { requester } = wanted.command;
    const fits = this.#holds.all().filter(({ hold, claimant, isSpending }) => {
      const until = hold.state === 'approved' ? hold.validUntil : hold.expiresAt;
      const other = hold.command.requester;
      return (
        claimant === undefined &&
        !isSpending &&
        hold.mode === 'refuse' &&
        hold.digest === wanted.digest &&
        until !== undefined &&
        now < until &&
        // The digest has the identity; who answers for it and for whom it acts must be equal too,
        // or the person whom this command serves could be the one who approved the other.
        other.owner === requester.owner &&
        other.onBehalfOf === requester.onBehalfOf &&
        sameRequirements(
          { rule: hold.rule, hold: hold.terms },
          { rule: wanted.rule, hold: wanted.terms },
        )
      );
    });
    return fits.find(({ hold }) => hold.state === 'approved') ?? fits[0];
  }

  #isFull({ command }: Wanted): string | undefined {
    const { holdsMax, holdsPerIdentityMax } = this.#parts.limits;
    const holds = this.list();
    if (holds.length >= holdsMax) return `${holdsMax} commands wait for approval`;
    const own = holds.filter((hold) => hold.command.requester.id === command.requester.id);
    if (own.length < holdsPerIdentityMax) return undefined;
    return `${holdsPerIdentityMax} commands of this identity wait for approval`;
  }

  #newHold(wanted: Wanted): HoldRecord {
    const now = this.#parts.clock.now();
    return {
      ...wanted,
      id: newId(now, this.#parts.random),
      revision: 1,
      state: 'pending',
      reviews: [],
      openedAt: now,
      expiresAt: asEpochMs(now + wanted.terms.waitMs),
      approval: undefined,
      validUntil: undefined,
      closedAt: undefined,
    };
  }

  #claim(live: Live, unchanged: () => boolean, cancelled: AbortSignal): Promise<ApprovalResult> {
    const { promise, resolve } = Promise.withResolvers<ApprovalResult>();
    const left = (): void => {
      const { id } = live.hold;
      this.#holds.leave(live, refusal('SP_HOLD_CANCELLED', live.hold, { hold: id }));
    };
    cancelled.addEventListener('abort', left, { once: true });
    live.claimant = {
      unchanged,
      settle: (result) => {
        cancelled.removeEventListener('abort', left);
        live.claimant = undefined;
        resolve(result);
      },
    };
    return promise;
  }

  /** Spends the approval for the claimant, if nothing speaks against it at this very moment. */
  async #spend(live: Live): Promise<void> {
    const { claimant, hold } = live;
    if (claimant === undefined) return;
    const refuse = (answer: Refusal): void => this.#holds.leave(live, answer);
    live.isSpending = true;
    try {
      if (this.#isLocked(hold.command)) return refuse(refusal('SP_LOCKED', hold));
      if (!claimant.unchanged()) return refuse(refusal('SP_INTERNAL', hold));
      // When it works, the claimant is answered as soon as the store has it.
      const next = await this.#holds.change(live, { kind: 'spend' });
      if (next === undefined) refuse(overRefusal(live.hold));
    } catch (thrown) {
      refuse(refusal(toGatewayError(thrown).code, hold));
      throw thrown;
    } finally {
      live.isSpending = false;
    }
  }

  #isLocked({ requester, target, session }: HeldCommand): boolean {
    const { id, owner, onBehalfOf } = requester;
    const subject = { identity: id, owner, onBehalfOf, target, session };
    return this.#parts.locks.check(subject) !== undefined;
  }

  #digest(command: Command): string {
    return this.#parts.sha256Hex(digestInput(command));
  }
}

/** A mask is lifted by an approval, and only where a rule that holds the command lets it be. */
function liftFault(
  { terms }: HoldRecord,
  decision: HoldOpinion['decision'],
  lift: readonly string[],
): string | undefined {
  if (lift.length === 0) return undefined;
  if (decision === 'deny') return 'a denial lifts no mask';
  const other = lift.find((id) => !terms.mayLift?.includes(id));
  return other === undefined ? undefined : `no rule lets an approval lift the mask '${other}'`;
}
