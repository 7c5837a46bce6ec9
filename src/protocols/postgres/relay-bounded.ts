/**
 * Runs messages whose permits have limits. One at a time: nothing behind it is read, and nothing in
 * front of it is unanswered. What comes back is metered; what has to be counted runs inside of a
 * transaction, the client's or one of the gateway's own, its answer is kept back until the server's
 * counters were read, and above the limit it is undone.
 *
 * Invariants: no transaction is open while people are asked; what is not known to be within its
 * limits does not stay; a client's open transaction fails as a whole, as at any other error.
 */
import type { Clock } from '#core/clock.ts';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import { AllowedCommand } from '#core/permit.ts';
import type { HoldNotice } from '#core/protocol.ts';
import type { Excess, Refusal } from '#core/verdict.ts';
import { frontend } from './codec/messages.ts';
import { encodeBare, encodeReadyForQuery } from './codec/write.ts';
import { encodeRefusal, refuse } from './refusal.ts';
import {
  type Bounds,
  isUntouched,
  type Need,
  needOf,
  placeOf,
  type Plan,
  returnsRows,
  strictest,
  Tally,
  tooLarge,
  uncounted,
  type Work,
  writtenBy,
} from './relay-bounds.ts';
import { type Conversation, idle } from './relay-conversation.ts';
import {
  type Counts,
  countsSql,
  describeCounts,
  difference,
  readCounts,
  rowsOf,
  sumOf,
} from './relay-counts.ts';
import type { Expected } from './relay-expected.ts';
import { Meter, type Stop } from './relay-meter.ts';
import { dealtWith, harmless, type Outcome } from './relay-outcome.ts';
import type { Outlet } from './relay-outlet.ts';
import type { OwnQueries } from './relay-own.ts';

export interface BoundedParts {
  readonly conversation: Conversation;
  readonly own: OwnQueries;
  readonly clock: Clock;
  readonly toServer: Outlet;
  readonly toClient: Outlet;
  /** Tells the client something, between two messages of the server. */
  readonly tell: (message: Uint8Array) => void;
  /** Resolves when the server has been told, or cannot be. */
  readonly cancelUpstream: () => Promise<void>;
  readonly onHold: (notice: HoldNotice) => void;
  /** Aborted when the client cancels or leaves. */
  readonly cancelled: () => AbortSignal;
}

/** The first time, once more as people let it through, and no more. */
const ROUNDS_MAX = 3;

export class Bounded {
  readonly #parts: BoundedParts;
  readonly #conversation: Conversation;
  readonly #tally: Tally;
  #meter: Meter | undefined;
  #cancelling: Promise<void> | undefined;

  constructor(parts: BoundedParts) {
    this.#parts = parts;
    this.#conversation = parts.conversation;
    this.#tally = new Tally(parts.conversation.limits.countedTablesMax);
  }

  /** Runs a message under its limits; undefined when they ask for nothing and it can just be sent. */
  run(work: Work): Promise<Outcome> | undefined {
    if (work.permits.every(({ limits }) => limits === undefined)) return undefined;
    const { rowsReturned, bytes, time } = strictest(work.permits);
    const isWatched = rowsReturned !== undefined || bytes !== undefined || time !== undefined;
    const needs = this.#needs(work);
    if (!isWatched && needs.every((need) => need === 'none' || need === 'bounded')) {
      this.#addBounded(work, needs);
      return undefined;
    }
    return this.#run(work).catch(broken);
  }

  /** The session is over: nothing is watched any more. */
  stop(): void {
    this.#meter?.end();
  }

  /** What limits on rows ask of each statement; nothing where its permit has none. */
  #needs({ statements, permits }: Work): readonly Need[] {
    return permits.map((permit, index) => {
      const { limits } = permit;
      const facts = statements[index]?.facts ?? permit.command.facts;
      const { rowsAffected, rowsAffectedTotal } = limits?.bounds ?? {};
      if (rowsAffected === undefined && rowsAffectedTotal === undefined) return 'none';
      return needOf(facts, limits, this.#tally);
    });
  }

  /** Adds what is not counted because its text bounds it. */
  #addBounded({ permits }: Work, needs: readonly Need[]): void {
    for (const [index, { command, limits }] of permits.entries()) {
      if (needs[index] !== 'bounded' || limits?.bounds.rowsAffectedTotal === undefined) continue;
      for (const table of writtenBy(command.facts)) {
        this.#tally.add(table, command.facts.rowsChangedMax ?? 0);
      }
    }
  }

  async #run(first: Work): Promise<Outcome> {
    const { stages } = this.#conversation;
    let { epoch } = stages;
    let work = first;
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      await this.#answered();
      if (this.#conversation.skipping) return dealtWith;
      const asked = await this.#askUncounted(work);
      if (asked.refused) return asked.refusal;
      if (asked.permits !== work.permits) ({ epoch } = stages);
      work = { ...work, permits: asked.permits };
      if (stages.epoch !== epoch) {
        return refuse('SP_POLICY_DENIED', 'the policy changed while it waited', 'Send it again.');
      }
      const plan = this.#plan(work);
      if ('code' in plan) return plan;
      const result = plan.place === 'plain' ? await this.#plain(plan) : await this.#counted(plan);
      if (!(result instanceof AllowedCommand)) return result;
      work = { ...work, permits: [result], send: work.again ?? work.send };
      ({ epoch } = stages);
    }
    return refuse('SP_LIMIT_EXCEEDED', 'it changes more each time that it runs');
  }

  /** What cannot be counted runs only as people say, who are asked before anything is sent. */
  async #askUncounted(
    work: Work,
  ): Promise<
    | { readonly refused: false; readonly permits: readonly AllowedCommand[] }
    | { readonly refused: true; readonly refusal: Refusal }
  > {
    const needs = this.#needs(work);
    if (needs.every((need) => typeof need === 'string')) {
      return { refused: false, permits: work.permits };
    }
    const permits = [...work.permits];
    for (const [index, need] of needs.entries()) {
      const permit = permits[index];
      if (typeof need === 'string' || permit === undefined) continue;
      const people = isUntouched(this.#conversation) ? 'ask' : 'now';
      const answer = await this.#exceeded(permit, uncounted(permit, need.uncounted), people);
      if (answer.refused) return { refused: true, refusal: answer };
      permits[index] = answer;
    }
    return { refused: false, permits };
  }

  #plan(work: Work): Plan | Refusal {
    const bounds = strictest(work.permits);
    const needs = this.#needs(work);
    const isMetered = bounds.rowsReturned !== undefined || bounds.bytes !== undefined;
    // A write whose rows are cut off has to be undone as well.
    const undoable = work.statements.some(
      (each) =>
        isMetered && returnsRows(each) && needOf(each.facts, undefined, this.#tally) !== 'none',
    );
    const isCounted = undoable || needs.includes('counted');
    if (!isCounted) {
      this.#addBounded(work, needs);
      return { work, bounds, place: 'plain' };
    }
    const place = placeOf(work, this.#conversation);
    return typeof place === 'string' ? { work, bounds, place } : place;
  }

  /** Sends it, and watches what comes back. */
  async #plain(plan: Plan): Promise<Outcome> {
    const { work } = plan;
    const { entry, meter } = this.#send(plan);
    // Its data comes from the client, which has to be read.
    if (work.statements.some(({ facts }) => facts.effects.includes('copy-in'))) return dealtWith;
    entry.isReadyHidden = work.isSimple;
    await this.#answered();
    if (meter.refusal !== undefined && !entry.errored) return meter.refusal;
    if (work.isSimple) this.#tellReady();
    return dealtWith;
  }

  /** Sends it inside of a transaction, and lets what it did stand if it is within its limits. */
  async #counted(plan: Plan): Promise<Outcome | AllowedCommand> {
    const { toClient, tell } = this.#parts;
    const { limits } = this.#conversation;
    const before = await this.#before(plan);
    if ('code' in before) return this.#refused(plan, before);
    toClient.withhold(limits.withheldBytesMax, () => this.#cancel());
    const { entry, meter } = this.#send(plan);
    entry.isReadyHidden = plan.work.isSimple;
    await this.#answered();
    const kept = toClient.release();
    if (kept === undefined) {
      return (await this.#above(plan, tooLarge(plan), undefined)) ?? refuse('SP_INTERNAL');
    }
    if (entry.errored) return this.#failedThere(plan, kept);
    if (meter.refusal !== undefined) return this.#refused(plan, meter.refusal);
    const changes = await this.#changes(before);
    if ('code' in changes) return this.#refused(plan, changes);
    const excess = this.#excessOf(plan, changes, meter.changed);
    if (excess !== undefined) {
      const answer = await this.#above(plan, excess, changes);
      // Let through where it stands: only in a transaction in which nobody was waited for.
      if (answer !== undefined) return answer;
    }
    for (const [table, count] of changes) this.#tally.add(table, rowsOf(count));
    this.#mark(plan, changes, true);
    if (plan.place === 'own' && plan.work.isSimple) return this.#commit(kept);
    tell(kept);
    if (plan.work.isSimple) this.#tellReady();
    return dealtWith;
  }

  /** Opens the gateway's own transaction, unless there is one, and reads the counters. */
  async #before({ place, work }: Plan): Promise<Counts | Refusal> {
    const conversation = this.#conversation;
    try {
      if (place === 'own' && !conversation.ownTransaction) {
        await this.#parts.own.query('BEGIN');
        conversation.ownTransaction = !work.isSimple;
      }
      return readCounts(await this.#parts.own.query(countsSql)) ?? notCounting;
    } catch (thrown) {
      return failedToCount(thrown);
    }
  }

  async #changes(before: Counts): Promise<Counts | Refusal> {
    try {
      const after = readCounts(await this.#parts.own.query(countsSql));
      return (after && difference(before, after)) ?? notCounting;
    } catch (thrown) {
      return failedToCount(thrown);
    }
  }

  /** What is above a limit, if anything. */
  #excessOf({ bounds }: Plan, changes: Counts, tagged: number): Excess | undefined {
    const { rowsAffected, rowsAffectedTotal } = bounds;
    // What a foreign or an uncounted table lost is in the command tag alone.
    const rows = Math.max(sumOf(changes), tagged);
    const detail = describeCounts(changes);
    if (rowsAffected !== undefined && rows > rowsAffected.max) {
      return { limit: 'rowsAffected', max: rowsAffected.max, found: rows, detail };
    }
    if (rowsAffectedTotal === undefined) return undefined;
    const { max } = rowsAffectedTotal;
    const worst = this.#tally.above(changes, max);
    if (worst === undefined) return undefined;
    const found = Math.min(worst.rows, Number.MAX_SAFE_INTEGER);
    const told = `${detail}; with what the session did before, ${worst.table} comes to ${found}`;
    return { limit: 'rowsAffectedTotal', max, found, detail: told };
  }

  /**
   * Above a limit. Where the transaction is the gateway's and holds nothing else, it is undone
   * first and people can be waited for; elsewhere only what they said before counts. Undefined when
   * it stands.
   */
  async #above(
    plan: Plan,
    excess: Excess,
    changes: Counts | undefined,
  ): Promise<Outcome | AllowedCommand | undefined> {
    const { work, place, bounds } = plan;
    const permit = bounds[excess.limit]?.permit ?? work.permits[0];
    if (permit === undefined) throw new GatewayError('SP_INTERNAL');
    this.#mark(plan, changes ?? new Map(), false);
    const isAlone = work.permits.length === 1;
    if (place === 'own' && (await this.#undo(work))) {
      const answer = await this.#exceeded(permit, excess, isAlone ? 'ask' : 'none');
      return answer.refused ? this.#refused(plan, answer) : answer;
    }
    const canStand = isAlone && changes !== undefined;
    const answer = await this.#exceeded(permit, excess, canStand ? 'now' : 'none');
    return answer.refused ? this.#refused(plan, answer) : undefined;
  }

  /** Undoes the gateway's own transaction if that holds nothing else; answers whether it has. */
  async #undo({ isSimple, again }: Work): Promise<boolean> {
    const conversation = this.#conversation;
    if (isSimple) {
      await this.#rollback();
      return true;
    }
    const { skipping, segmentRuns, segmentBinds } = conversation;
    if (skipping || segmentRuns !== 1 || segmentBinds !== 1 || again === undefined) return false;
    try {
      await this.#parts.own.query('ROLLBACK');
    } catch (thrown) {
      // A cancel that came late; the Sync of the segment ends the transaction.
      if (!isAnswer(thrown)) throw thrown;
      return false;
    }
    conversation.ownTransaction = false;
    return true;
  }

  async #exceeded(
    permit: AllowedCommand,
    excess: Excess,
    people: 'ask' | 'now' | 'none',
  ): Promise<AllowedCommand | Refusal> {
    const { onHold, cancelled } = this.#parts;
    const how = { people, onHold, cancelled: cancelled() };
    return this.#conversation.stages.exceeded(permit, excess, how);
  }

  /** The server gave an error of its own: that is the answer. */
  async #failedThere({ place, work }: Plan, kept: Uint8Array): Promise<Outcome> {
    if (place === 'own' && work.isSimple) await this.#rollback();
    this.#parts.tell(kept);
    if (work.isSimple) this.#tellReady();
    return dealtWith;
  }

  /** Makes sure that nothing of it stays, and says so in step. */
  async #refused({ place, work }: Plan, refusal: Refusal): Promise<Outcome> {
    const conversation = this.#conversation;
    if (place === 'own' && work.isSimple) await this.#rollback();
    if (work.isSimple || !conversation.skipping) return refusal;
    // The server skips to the next Sync already, for an error that the client has not seen.
    this.#parts.tell(encodeRefusal(refusal));
    return dealtWith;
  }

  /** Ends the gateway's own transaction; if the server cannot, its error is the client's answer. */
  async #commit(kept: Uint8Array): Promise<Outcome> {
    try {
      await this.#parts.own.query('COMMIT', { tells: true });
      this.#parts.tell(kept);
    } catch (thrown) {
      if (!isAnswer(thrown)) throw thrown;
      await this.#rollback();
    }
    this.#tellReady();
    return dealtWith;
  }

  async #rollback(): Promise<void> {
    const conversation = this.#conversation;
    for (let round = 0; round < ROUNDS_MAX && conversation.status !== idle; round += 1) {
      // A cancel that came late may hit this one.
      await this.#parts.own.query('ROLLBACK').catch((thrown: unknown) => {
        if (!isAnswer(thrown)) throw thrown;
      });
    }
    if (conversation.status !== idle) throw new GatewayError('SP_TARGET_PROTOCOL');
  }

  /**
   * A Sync behind messages that run in a transaction of the gateway's own: what they did is
   * committed, or undone where one of them failed, as the server does by itself without one.
   */
  sync(forward: () => void): Promise<Outcome> {
    return this.#sync(forward).catch(broken);
  }

  async #sync(forward: () => void): Promise<Outcome> {
    const conversation = this.#conversation;
    await this.#answered();
    conversation.ownTransaction = false;
    if (!conversation.skipping) {
      try {
        await this.#parts.own.query('COMMIT', { tells: true });
        return harmless(forward);
      } catch (thrown) {
        if (!isAnswer(thrown)) throw thrown;
      }
    }
    const entry = conversation.expect('sync');
    entry.isReadyHidden = true;
    this.#parts.toServer.put(encodeBare(frontend.sync));
    conversation.skipping = false;
    conversation.endSegment();
    await this.#answered();
    await this.#rollback();
    this.#tellReady();
    return dealtWith;
  }

  #send({ work, bounds }: Plan): { readonly entry: Expected; readonly meter: Meter } {
    const { permits } = work;
    if (!permits.every((permit) => AllowedCommand.isGenuine(permit))) {
      throw new GatewayError('SP_INTERNAL', { detail: 'a command without a permit' });
    }
    const meter = new Meter({
      returned: work.returned ?? { rows: 0, bytes: 0 },
      rowsMax: bounds.rowsReturned?.max ?? Number.POSITIVE_INFINITY,
      bytesMax: bounds.bytes?.max ?? Number.POSITIVE_INFINITY,
      msMax: bounds.time?.max,
      clock: this.#parts.clock,
      refusal: (limit, found) => this.#stopped(bounds, limit, found),
      cancel: () => this.#cancel(),
    });
    for (const permit of permits) this.#conversation.stages.sent(permit);
    const { entry, messages } = work.send();
    entry.meter = meter;
    this.#meter = meter;
    for (const message of messages) this.#parts.toServer.put(message);
    meter.start();
    this.#parts.toServer.flush();
    return { entry, meter };
  }

  /** A limit that nobody is asked about was met: what the sender is told. */
  #stopped(bounds: Bounds, limit: Stop, found: number): Refusal {
    const bound = bounds[limit];
    if (bound === undefined) throw new GatewayError('SP_INTERNAL');
    const how = {
      people: 'none' as const,
      onHold: this.#parts.onHold,
      cancelled: this.#parts.cancelled(),
    };
    const excess: Excess = { limit, max: bound.max, found, detail: '' };
    const answer = this.#conversation.stages.exceeded(bound.permit, excess, how);
    return 'code' in answer ? answer : refuse('SP_LIMIT_EXCEEDED');
  }

  #cancel(): void {
    this.#cancelling = this.#parts.cancelUpstream();
  }

  /** Resolves when the server has answered everything, and a cancel cannot hit what comes next. */
  async #answered(): Promise<void> {
    const conversation = this.#conversation;
    const { toServer } = this.#parts;
    // What was read in front of this message leaves when that reading is through.
    await Promise.resolve();
    const waits = conversation.queue.length > 0 && conversation.segmentOpen;
    if (waits && !conversation.skipping) toServer.put(encodeBare(frontend.flush));
    toServer.flush();
    await conversation.whenEmpty();
    this.#meter?.end();
    this.#meter = undefined;
    await this.#cancelling;
    this.#cancelling = undefined;
  }

  #tellReady(): void {
    this.#parts.tell(encodeReadyForQuery(this.#conversation.status));
  }

  /** In the recording before it stands: what was counted, and what the gateway ran to count it. */
  #mark({ work, place }: Plan, changes: Counts, stands: boolean): void {
    const { tape } = this.#conversation.stages;
    tape.mark('counted', {
      commands: work.permits.map(({ command }) => command.id),
      rows: sumOf(changes),
      tables: describeCounts(changes),
      stands,
      transaction: place === 'own' ? 'gateway' : 'client',
    });
    tape.commit();
  }
}

const notCounting: Refusal = refuse(
  'SP_LIMIT_EXCEEDED',
  'the server does not count the rows that change',
  'track_counts has to be on.',
);

/** Fails closed: what it did is not known to be within its limits, so its connection goes. */
const broken = (thrown: unknown): Refusal => ({
  ...refuse(toGatewayError(thrown).code),
  endsSession: true,
});

/** An error that the server gave to a query of the gateway's own. */
const isAnswer = (thrown: unknown): boolean =>
  toGatewayError(thrown).facts['sqlstate'] !== undefined;

function failedToCount(thrown: unknown): Refusal {
  if (!isAnswer(thrown)) throw toGatewayError(thrown);
  return refuse('SP_LIMIT_EXCEEDED', 'the rows that it changes could not be counted');
}
