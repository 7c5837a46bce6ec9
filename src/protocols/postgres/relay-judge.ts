/**
 * From a text to permits: analyse it under the state that the server has now, ask the gate for each
 * statement, and answer with one permit for each or with one refusal. Answers at once where the
 * analysis is cached and nothing is held; else with a promise, and its caller reads no further.
 *
 * Invariant: every path that is not understood ends in a refusal. Nothing here throws.
 */
import type { BoundValue, Command } from '#core/command.ts';
import { type ErrorCode, toGatewayError } from '#core/errors.ts';
import { opaqueFacts } from '#core/facts.ts';
import type { MaskSet } from '#core/masking.ts';
import type { HoldNotice } from '#core/protocol.ts';
import type { AllowedCommand } from '#core/permit.ts';
import type { Refusal } from '#core/verdict.ts';
import { command, nothing, unknownStateText } from './commands.ts';
import { refuse } from './refusal.ts';
import { type Conversation, failed, isSeenThrough } from './relay-conversation.ts';
import { withDeclared } from './sql/declared.ts';
import type { SqlAnalyser, SqlAnalysis, SqlStatement } from './sql/types.ts';

/** What a text is, under one state of the session and one set of masks. */
export interface Analysed {
  readonly statements: readonly SqlStatement[];
  readonly masks: MaskSet;
  /** How many of the statements were read under a state that is known; the rest follow a change. */
  readonly settled: number;
  /** {@link Conversation.under} of that moment: another one needs another analysis. */
  readonly under: object;
  /** Why the text does not parse, by the server's own grammar. */
  readonly syntaxError: string | undefined;
}

export interface Allowed extends Analysed {
  readonly refused: false;
  /** One for each statement. */
  readonly permits: readonly AllowedCommand[];
}

export type Judged = Allowed | Refusal;

/** A value, or a promise of it where it takes a turn of the event loop. */
export type Soon<T> = T | Promise<T>;

/** Statements for the gate. */
interface Asked extends Analysed {
  readonly kind: Command['kind'];
  readonly values?: readonly BoundValue[] | undefined;
}

export interface JudgeParts {
  readonly conversation: Conversation;
  readonly analyser: SqlAnalyser;
  /** Reads the server's state back; only when the conversation is quiet. */
  readonly refresh: () => Promise<void>;
  readonly onHold: (notice: HoldNotice) => void;
}

/** How often state, names or masks may change while one text is analysed. */
const ROUNDS_MAX = 4;

export class Judge {
  readonly #parts: JudgeParts;
  #cancel = new AbortController();

  constructor(parts: JudgeParts) {
    this.#parts = parts;
  }

  /** Aborted by the next {@link cancel}. */
  get cancelled(): AbortSignal {
    return this.#cancel.signal;
  }

  /** Ends the wait of a command that is held. */
  cancel(): void {
    this.#cancel.abort();
    this.#cancel = new AbortController();
  }

  /**
   * Judges every statement of a text.
   *
   * @param types - that the client declares for its parameters.
   */
  text(text: string, kind: Command['kind'], types: readonly number[] = []): Soon<Judged> {
    return closed(() =>
      chain(this.analyse(text, types), (found) => this.#gateAll({ ...found, kind })),
    );
  }

  /** Judges the execution of a statement whose analysis is known, with the values bound to it. */
  bound(analysed: Analysed, values: readonly BoundValue[] | undefined): Soon<Judged> {
    return closed(() => this.#gateAll({ ...analysed, kind: 'execute', values }));
  }

  /** Judges a call of a function by its number: nothing is known of it but its bytes. */
  call(text: string): Soon<Judged> {
    const { conversation } = this.#parts;
    const facts = { ...opaqueFacts('a function call without SQL'), verbs: ['FUNCTION CALL'] };
    const statement: SqlStatement = {
      text,
      facts: { ...facts, effects: ['execute-code', 'unknown'] },
      output: undefined,
      changes: [{ kind: 'settings' }, { kind: 'catalogue' }],
      copy: undefined,
      messagesMayLeak: true,
    };
    const found = {
      statements: [statement],
      masks: conversation.stages.masks,
      settled: 1,
      under: conversation.under(),
      syntaxError: undefined,
    };
    return closed(() => this.#gateAll({ ...found, kind: 'execute' }));
  }

  /** The statements of a text as the server would read it now, with those types. */
  analyse(text: string, types: readonly number[]): Soon<Analysed> {
    return chain(this.#analyse(text), (found) => this.#declared(found, types));
  }

  #declared(found: Analysed, types: readonly number[]): Analysed {
    const { state } = this.#parts.conversation;
    if (types.length === 0 || state === undefined) return found;
    const { catalogue } = state;
    const statements = found.statements.map((one) => withDeclared(one, types, catalogue));
    return { ...found, statements };
  }

  #analyse(text: string): Soon<Analysed> {
    const { conversation, analyser } = this.#parts;
    const { state } = conversation;
    if (state === undefined || this.#isDue) {
      return this.#analyseSlowly(text, undefined);
    }
    conversation.startLookups();
    const found = analyser.analyse(text, state, conversation.stages.masks);
    const isOpen = conversation.conflict || conversation.stale.size > 0;
    if (found instanceof Promise || isOpen || !this.isSettled(found.statements)) {
      return this.#analyseSlowly(text, isOpen ? undefined : found);
    }
    return this.#separate(text, found);
  }

  /** Whether the catalogue is old, at a moment when it can be read again. */
  get #isDue(): boolean {
    const { conversation } = this.#parts;
    return conversation.isIdle && conversation.isStale && conversation.stages.factsMatter;
  }

  /** With waiting: for the analyser, for names that are under way, for the state to be read back. */
  async #analyseSlowly(text: string, first: Soon<SqlAnalysis> | undefined): Promise<Analysed> {
    const { conversation } = this.#parts;
    if (this.#isDue) await this.refreshed();
    let pending = first;
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      const { masks } = conversation.stages;
      const found = await (pending ?? this.#lookUp(text));
      pending = undefined;
      // Masks may have changed meanwhile: what was found says nothing under others.
      if ((await this.#settleNames()) || masks !== conversation.stages.masks) continue;
      if (found !== undefined && this.isSettled(found.statements)) {
        return await this.#separate(text, found);
      }
      await conversation.whenAnswered();
      // In a failed transaction nothing can be asked; the server will refuse the statement too.
      const learned = await this.refreshed();
      if (!learned && found !== undefined && masks === conversation.stages.masks) {
        return await this.#separate(text, found);
      }
    }
    throw new Error('the state of the session does not come to rest');
  }

  /** Whether reading the state back now would tell nothing more, or is not possible. */
  isSettled(statements: readonly SqlStatement[]): boolean {
    const { stateKnown, isUnsound, isContested, stages, canRefresh } = this.#parts.conversation;
    return (
      stateKnown ||
      isUnsound ||
      isContested ||
      isComplete(statements) ||
      !stages.factsMatter ||
      !canRefresh
    );
  }

  #lookUp(text: string): Soon<SqlAnalysis> | undefined {
    const { conversation, analyser } = this.#parts;
    const { state } = conversation;
    if (state === undefined) return undefined;
    conversation.startLookups();
    return analyser.analyse(text, state, conversation.stages.masks);
  }

  /** Whether the analysis met names that have to be settled first; they are then. */
  async #settleNames(): Promise<boolean> {
    const { conversation } = this.#parts;
    if (conversation.conflict) {
      await conversation.whenAnswered();
      return true;
    }
    const stale = [...conversation.stale];
    for (const prepared of stale) {
      const analysed = await this.#analyseSlowly(prepared.text, undefined);
      prepared.analysed = this.#declared(analysed, prepared.declared);
    }
    return stale.length > 0;
  }

  /** Reads the state back if that is possible now; answers whether it is known then. */
  async refreshed(): Promise<boolean> {
    const { conversation, refresh } = this.#parts;
    if (!conversation.isQuiet || conversation.status === failed) return false;
    await refresh();
    return conversation.stateKnown || conversation.isUnsound;
  }

  /**
   * A statement behind one that changes how the next is read is judged as if nothing were known:
   * what the text does to the session is not known before it ran.
   */
  #separate(text: string, found: SqlAnalysis): Soon<Analysed> {
    const { conversation, analyser } = this.#parts;
    const { statements, syntaxError } = found;
    const { masks } = conversation.stages;
    const under = conversation.under();
    const first = statements.findIndex((each) => changesReading(each, conversation.touched));
    if (first < 0 || first === statements.length - 1) {
      return { statements, masks, settled: statements.length, under, syntaxError };
    }
    const { unknownState } = conversation;
    if (unknownState === undefined) throw new Error('no state to analyse under');
    return chain(analyser.analyse(text, unknownState, masks), (later) => {
      if (later.statements.length !== statements.length) throw new Error('two ways to read a text');
      const all = [...statements.slice(0, first + 1), ...later.statements.slice(first + 1)];
      return { statements: all, masks, settled: first + 1, under, syntaxError };
    });
  }

  #gateAll(asked: Asked): Soon<Judged> {
    const all = asked.statements.length === 0 ? { ...asked, statements: [nothing] } : asked;
    const permits: AllowedCommand[] = [];
    for (const index of all.statements.keys()) {
      const answer = this.#gate(all, index);
      if (answer instanceof Promise) return this.#gateSlowly(all, permits, answer);
      if (answer.refused) return this.#refused(explained(answer, all.syntaxError), permits);
      permits.push(answer);
    }
    return { ...all, refused: false, permits };
  }

  /** Goes on behind a held statement; what was allowed before the wait must still be. */
  async #gateSlowly(
    all: Asked,
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
      if (index + 1 < all.statements.length) pending = this.#gate(all, index + 1);
    }
    for (const index of all.statements.keys()) {
      if (epochs[index] === stages.epoch) continue;
      const answer = this.#gate(all, index);
      // It was allowed without a person and now needs one: the client can send the text again.
      if (answer instanceof Promise || answer.refused) {
        return this.#refused(await this.#changed(answer), permits);
      }
      permits[index] = answer;
    }
    // What a person released is what was known of it then: definitions may mean something else now.
    if (stages.factsMatter && all.under !== this.#parts.conversation.under()) {
      const reason = 'definitions or masks changed while the text waited';
      return this.#refused(refuse('SP_POLICY_DENIED', reason, 'Send it again.'), permits);
    }
    return { ...all, refused: false, permits };
  }

  async #changed(answer: Soon<AllowedCommand | Refusal>): Promise<Refusal> {
    if (answer instanceof Promise) {
      this.cancel();
      await answer;
    } else if (answer.refused) {
      return answer;
    }
    return refuse('SP_POLICY_DENIED', 'the policy changed while the text waited', 'Send it again.');
  }

  #gate(all: Asked, index: number): Soon<AllowedCommand | Refusal> {
    const { conversation, onHold } = this.#parts;
    const { stages } = conversation;
    const statement = all.statements[index] ?? nothing;
    const state = index < all.settled ? conversation.stateText : unknownStateText;
    const asked = command(stages, all.kind, statement, { state, parameters: all.values ?? [] });
    return stages.gate(asked, onHold, this.#cancel.signal);
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

/** A client that mistyped is told so: it sent every word of the parser's complaint itself. */
function explained(refusal: Refusal, syntaxError: string | undefined): Refusal {
  if (syntaxError === undefined || refusal.code !== 'SP_POLICY_DENIED') return refusal;
  return { ...refusal, hint: `${refusal.hint} It does not parse: ${syntaxError}.`.trim() };
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

/** Failures after which the session cannot go on: no evidence, or a target that is out of step. */
const lost: ReadonlySet<ErrorCode> = new Set([
  'SP_RECORDING_FAILED',
  'SP_RECORDING_SPACE',
  'SP_TARGET_LOST',
  'SP_TARGET_PROTOCOL',
]);

function notUnderstood(thrown: unknown): Refusal {
  const { code, facts } = toGatewayError(thrown, 'SP_NOT_UNDERSTOOD');
  // An error that the server gave to a query of the gateway's own is an answer in step.
  const endsSession = lost.has(code) && facts['sqlstate'] === undefined;
  return { ...refuse(code), endsSession };
}

/** Facts that hold whatever the state is. */
const isComplete = (statements: readonly SqlStatement[]): boolean =>
  statements.every((statement) => statement.facts.analysis === 'complete');

/**
 * Whether what follows in the same text may be read in another way. The end of a transaction undoes
 * what was set in it, if anything was. Names that a text gives are followed by the analysis.
 */
export const changesReading = (statement: SqlStatement, touched: boolean): boolean =>
  !isSeenThrough(statement) ||
  statement.changes.some(
    ({ kind }) =>
      kind === 'settings' || kind === 'catalogue' || (kind === 'transaction' && touched),
  );
