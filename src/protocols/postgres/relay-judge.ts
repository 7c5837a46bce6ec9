/**
 * From a text to permits: analyse it under the state that the server has now, ask the gate for each
 * statement, and answer with one permit for each or with one refusal. Answers at once where the
 * analysis is cached and nothing is held; else with a promise, and its caller reads no further.
 *
 * Invariant: every path that is not understood ends in a refusal. Nothing here throws.
 */
import type { BoundValue, Command } from '#core/command.ts';
import { toGatewayError } from '#core/errors.ts';
import type { HoldNotice } from '#core/protocol.ts';
import type { AllowedCommand } from '#core/permit.ts';
import type { Refusal } from '#core/verdict.ts';
import { command, nothing } from './commands.ts';
import { refuse } from './refusal.ts';
import { type Conversation, failed } from './relay-conversation.ts';
import type { SqlAnalyser, SqlAnalysis, SqlStatement } from './sql/types.ts';

export interface Allowed {
  readonly refused: false;
  readonly statements: readonly SqlStatement[];
  /** One for each statement. */
  readonly permits: readonly AllowedCommand[];
}

export type Judged = Allowed | Refusal;

/** A value, or a promise of it where it takes a turn of the event loop. */
export type Soon<T> = T | Promise<T>;

export interface JudgeParts {
  readonly conversation: Conversation;
  readonly analyser: SqlAnalyser;
  /** Reads the server's state back; only when the conversation is quiet. */
  readonly refresh: () => Promise<void>;
  readonly onHold: (notice: HoldNotice) => void;
}

/** How often a policy may change while one text is judged before it is refused. */
const ROUNDS_MAX = 4;

export class Judge {
  readonly #parts: JudgeParts;
  #cancel = new AbortController();

  constructor(parts: JudgeParts) {
    this.#parts = parts;
  }

  /** Ends the wait of a command that is held. */
  cancel(): void {
    this.#cancel.abort();
    this.#cancel = new AbortController();
  }

  /** Judges every statement of a text. */
  text(text: string, kind: Command['kind']): Soon<Judged> {
    return closed(() => chain(this.analyse(text), (found) => this.statements(found, kind)));
  }

  /** Judges statements whose analysis is known, with the values bound to them. */
  statements(
    statements: readonly SqlStatement[],
    kind: Command['kind'],
    values?: readonly BoundValue[],
  ): Soon<Judged> {
    return closed(() =>
      this.#gateAll(statements.length === 0 ? [nothing] : statements, kind, values),
    );
  }

  /** The statements of a text as the server would read it now. */
  analyse(text: string): Soon<readonly SqlStatement[]> {
    const { conversation } = this.#parts;
    conversation.conflict = false;
    const state = conversation.state;
    if (state === undefined || (conversation.isIdle && conversation.isStale)) {
      return this.#analyseSlowly(text);
    }
    const found = this.#parts.analyser.analyse(text, state, conversation.stages.masks);
    if (found instanceof Promise || conversation.conflict) return this.#analyseSlowly(text);
    if (!state.known && !isSettled(found)) return this.#analyseSlowly(text);
    return this.#separate(text, found);
  }

  /** With waiting: for the analyser, for names that are under way, for the state to be read back. */
  async #analyseSlowly(text: string): Promise<readonly SqlStatement[]> {
    const { conversation, analyser } = this.#parts;
    if (conversation.isIdle && conversation.isStale) await this.refreshed();
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      const { state } = conversation;
      conversation.conflict = false;
      const found =
        state === undefined
          ? undefined
          : await analyser.analyse(text, state, conversation.stages.masks);
      if (conversation.conflict) {
        await conversation.whenAnswered();
        continue;
      }
      if (found !== undefined) {
        const settled = conversation.stateKnown || conversation.isUnsound || isSettled(found);
        if (settled || !conversation.canRefresh) return await this.#separate(text, found);
      }
      await conversation.whenAnswered();
      // In a failed transaction nothing can be asked; the server will refuse the statement too.
      if (!(await this.refreshed()) && found !== undefined) {
        return await this.#separate(text, found);
      }
    }
    throw new Error('the state of the session does not come to rest');
  }

  /** Reads the state back if that is possible now. */
  async refreshed(): Promise<boolean> {
    const { conversation, refresh } = this.#parts;
    if (!conversation.isQuiet || conversation.status === failed) return false;
    await refresh();
    return true;
  }

  /**
   * A statement behind one that changes how the next is read is judged as if nothing were known:
   * what the text does to the session is not known before it ran.
   */
  #separate(text: string, found: SqlAnalysis): Soon<readonly SqlStatement[]> {
    const { statements } = found;
    const { unknownState, touched } = this.#parts.conversation;
    const first = statements.findIndex((statement) => changesReading(statement, touched));
    if (first < 0 || first === statements.length - 1) return statements;
    if (unknownState === undefined) throw new Error('no state to analyse under');
    const { masks } = this.#parts.conversation.stages;
    const again = this.#parts.analyser.analyse(text, unknownState, masks);
    const join = (later: SqlAnalysis): readonly SqlStatement[] => {
      if (later.statements.length !== statements.length) throw new Error('two ways to read a text');
      return [...statements.slice(0, first + 1), ...later.statements.slice(first + 1)];
    };
    return again instanceof Promise ? again.then(join) : join(again);
  }

  #gateAll(
    statements: readonly SqlStatement[],
    kind: Command['kind'],
    values: readonly BoundValue[] | undefined,
  ): Soon<Judged> {
    const permits: AllowedCommand[] = [];
    for (const statement of statements) {
      const answer = this.#gate(statement, kind, values);
      if (answer instanceof Promise) {
        return this.#gateSlowly({ statements, kind, values }, permits, answer);
      }
      if (answer.refused) return this.#refused(answer, permits);
      permits.push(answer);
    }
    return { refused: false, statements, permits };
  }

  /** Goes on behind a held statement; what was allowed before the wait must still be. */
  async #gateSlowly(
    all: {
      readonly statements: readonly SqlStatement[];
      readonly kind: Command['kind'];
      readonly values: readonly BoundValue[] | undefined;
    },
    permits: AllowedCommand[],
    first: Promise<AllowedCommand | Refusal>,
  ): Promise<Judged> {
    const { stages } = this.#parts.conversation;
    const epochs: number[] = permits.map(() => stages.epoch);
    let pending: Soon<AllowedCommand | Refusal> = first;
    for (let index = permits.length; index < all.statements.length; index += 1) {
      const answer = await pending;
      if (answer.refused) return this.#refused(answer, permits);
      permits.push(answer);
      epochs.push(stages.epoch);
      const next = all.statements[index + 1];
      if (next !== undefined) pending = this.#gate(next, all.kind, all.values);
    }
    for (const [index, statement] of all.statements.entries()) {
      if (epochs[index] === stages.epoch) continue;
      const answer = this.#gate(statement, all.kind, all.values);
      // It was allowed without a person and now needs one: the client can send the text again.
      if (answer instanceof Promise || answer.refused) {
        return this.#refused(await this.#changed(answer), permits);
      }
      permits[index] = answer;
    }
    return { refused: false, statements: all.statements, permits };
  }

  async #changed(answer: Soon<AllowedCommand | Refusal>): Promise<Refusal> {
    if (!(answer instanceof Promise)) {
      if (answer.refused) return answer;
    } else {
      this.cancel();
      await answer;
    }
    return refuse('SP_POLICY_DENIED', 'the policy changed while the text waited', 'Send it again.');
  }

  #gate(
    statement: SqlStatement,
    kind: Command['kind'],
    values: readonly BoundValue[] | undefined,
  ): Soon<AllowedCommand | Refusal> {
    const { conversation, onHold } = this.#parts;
    const { stages } = conversation;
    return stages.gate(
      command(stages, kind, statement, conversation.stateText, values),
      onHold,
      this.#cancel.signal,
    );
  }

  /** Says in the recording which of the text's statements had a permit and were not sent. */
  #refused(refusal: Refusal, permits: readonly AllowedCommand[]): Refusal {
    if (permits.length > 0) {
      const commands = permits.map((permit) => permit.command.id);
      this.#parts.conversation.stages.tape.mark('not-forwarded', { commands });
    }
    return refusal;
  }
}

/** Calls `next` with the value, at once when it is there. */
export function chain<T, U>(value: Soon<T>, next: (value: T) => Soon<U>): Soon<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** Fails closed: what the analyser or the gate could not deal with is refused. */
export function closed<T>(run: () => Soon<T>): Soon<T | Refusal> {
  try {
    const value = run();
    return value instanceof Promise ? value.catch(notUnderstood) : value;
  } catch (thrown) {
    return notUnderstood(thrown);
  }
}

function notUnderstood(thrown: unknown): Refusal {
  const error = toGatewayError(thrown, 'SP_NOT_UNDERSTOOD');
  const lost = error.code === 'SP_RECORDING_FAILED' || error.code === 'SP_RECORDING_SPACE';
  return { ...refuse(error.code), endsSession: lost };
}

/** Facts that hold whatever the state is. */
const isSettled = (found: SqlAnalysis): boolean =>
  found.statements.every((statement) => statement.facts.analysis === 'complete');

/**
 * Whether what follows in the same text may be read in another way. The end of a transaction undoes
 * what was set in it, if anything was.
 */
const changesReading = (statement: SqlStatement, touched: boolean): boolean =>
  statement.facts.analysis === 'opaque' ||
  statement.changes.some((change) => change.kind !== 'transaction' || touched);
