/**
 * What both directions of a session share: what the server owes, what names stand for, how the
 * server reads text at this moment. The client's side adds to it, the server's side settles it.
 *
 * Invariant: `state.known` is true only when nothing that could have changed the state was sent
 * since it was read back.
 */
import type { Limits } from '#core/limits.ts';
import type { Clock } from '#core/clock.ts';
import { unreachable } from '#core/errors.ts';
import type { MaskSet } from '#core/masking.ts';
import type { Stages } from '#core/protocol.ts';
import type { Portal, Prepared } from './commands.ts';
import { portalBySql, preparedBySql, stateText, unknownStateText } from './commands.ts';
import { Expected, type ExpectedKind, ExpectedQueue, type Running } from './relay-expected.ts';
import { type Lookup, Names } from './relay-names.ts';
import type { Catalogue } from './sql/catalogue.ts';
import type { CatalogueChanges } from './sql/catalogue-changes.ts';
import type { SessionState } from './sql/session-state.ts';
import type { SessionChange, SqlState, SqlStatement } from './sql/types.ts';

/** Transaction status as ReadyForQuery tells it. */
export const idle = 0x49; // I
export const inTransaction = 0x54; // T
export const failed = 0x45; // E

/** For how long a session believes a catalogue that it has not changed itself. */
const STATE_MS_MAX = 15_000;

/** For how long a catalogue that could not be read is left alone. */
const RETRY_MS = 2_000;

/** What the server told of itself, with the text of it that commands carry. */
export interface KnownState {
  readonly catalogue: Catalogue;
  readonly searchPath: readonly string[];
  readonly role: string;
  readonly database: string;
  readonly text: string;
}

export class Conversation {
  readonly queue: ExpectedQueue = new ExpectedQueue();
  readonly statements: Names<Prepared> = new Names<Prepared>();
  readonly portals: Names<Portal> = new Names<Portal>();
  readonly stages: Stages;
  readonly limits: Limits;
  /** What one Sync or simple query closes. */
  segment = 0;
  /** Whether extended messages were sent since the last Sync. */
  segmentOpen = false;
  /** What commands of this segment have done to the transaction, as far as that is certain. */
  segmentControl: 'none' | 'begun' | 'other' = 'none';
  /** Portals that this segment has bound, and commands that it has run. */
  segmentBinds = 0;
  segmentRuns = 0;
  /** This segment runs in a transaction of the gateway's own, which its Sync ends. */
  ownTransaction = false;
  status: number = idle;
  /** The server skips everything up to the next Sync. */
  skipping = false;
  /** The server takes CopyData, and nothing else. */
  copyIn = false;
  /** Syncs that the server may have read while it took CopyData, or after. */
  looseSyncs = 0;
  /** Messages of the server may carry masked values until its transaction is over. */
  leaky = false;
  /** Parts of the state that a statement may have changed since they were read. */
  settingsUnknown = true;
  catalogueUnknown = true;
  namesUnknown = false;
  /** A lookup met a name that an unanswered message may change. */
  conflict = false;
  /** Statements that a lookup met and whose analysis is of another moment. */
  readonly stale: Set<Prepared> = new Set();
  readonly #clock: Clock;
  #learnedAtMs = 0;
  #retryAtMs = 0;
  #touched = false;
  #opaque = false;
  #unsound = false;
  #known: KnownState | undefined;
  #state: SqlState | undefined;
  #under: object = {};
  #underMasks: MaskSet | undefined;
  #underGeneration = 0;
  /** What sessions do to the catalogue of this database, once it is known which one that is. */
  #changes: CatalogueChanges | undefined;
  /** The generation that the known catalogue was read in. */
  #readIn = 0;
  /** Ends the change of this session that is under way. */
  #changeOver: (() => void) | undefined;
  /** Beginnings and ends of this session's own changes. */
  #ownSteps = 0;
  /** SQL commands on the way that change names, and the segment of the last. */
  #naming = 0;
  #namingSegment = -1;
  readonly #whenEmpty: (() => void)[] = [];
  readonly #waiting: { readonly segment: number; readonly run: () => void }[] = [];

  constructor(stages: Stages, limits: Limits, clock: Clock) {
    this.stages = stages;
    this.limits = limits;
    this.#clock = clock;
  }

  /** Others may have changed the catalogue since it was looked at. */
  get isStale(): boolean {
    return this.#clock.monotonicMs() - this.#learnedAtMs > STATE_MS_MAX;
  }

  /** Nothing is under way, and the server is in no transaction. */
  get isIdle(): boolean {
    return this.isQuiet && this.status === idle;
  }

  /** Everything was answered and no extended message waits for its Sync. */
  get isQuiet(): boolean {
    return this.isAnswered && !this.segmentOpen;
  }

  /** Everything that was sent was answered, and the server reads on. */
  get isAnswered(): boolean {
    return this.queue.length === 0 && !this.skipping && !this.copyIn;
  }

  /** Whether the state could be read back, once what is under way is answered. */
  get canRefresh(): boolean {
    if (this.#clock.monotonicMs() < this.#retryAtMs) return false;
    return !this.segmentOpen && !this.skipping && !this.copyIn;
  }

  /** Whether the open transaction has set or made something that its end may undo. */
  get touched(): boolean {
    return this.#touched;
  }

  get stateKnown(): boolean {
    if (this.isContested || this.isOutdated) return false;
    if (this.settingsUnknown || this.catalogueUnknown || this.#unsound) return false;
    return this.#known !== undefined;
  }

  /** Another session's change of the catalogue is under way: to read it again tells nothing new. */
  get isContested(): boolean {
    const own = this.#changeOver === undefined ? 0 : 1;
    return this.#changes !== undefined && this.#changes.underWay > own;
  }

  /** A session has changed the catalogue since it was read. */
  get isOutdated(): boolean {
    return this.#changes !== undefined && this.#changes.generation !== this.#readIn;
  }

  /** Differs when another session began or ended a change in between. */
  get othersGeneration(): number {
    return (this.#changes?.generation ?? 0) - this.#ownSteps;
  }

  /** Follows the changes of a database; answers the generation of this moment. */
  follow(changes: CatalogueChanges): number {
    this.#changes = changes;
    return changes.generation;
  }

  /** The session is over. What it sent last may still run: its change is not over at once. */
  close(): void {
    const over = this.#changeOver;
    if (over !== undefined) this.#clock.after(STATE_MS_MAX, over);
  }

  /** What the commands of this moment are relative to. */
  get stateText(): string {
    return this.stateKnown && this.#known !== undefined ? this.#known.text : unknownStateText;
  }

  get known(): KnownState | undefined {
    return this.#known;
  }

  /** A setting is on under which texts mean something else; reading again tells nothing new. */
  get isUnsound(): boolean {
    return this.#unsound && !this.settingsUnknown && !this.catalogueUnknown;
  }

  /** The catalogue could not be read; it is not tried again for a while. */
  catalogueFailed(): void {
    this.catalogueUnknown = true;
    this.#under = {};
    this.#retryAtMs = this.#clock.monotonicMs() + RETRY_MS;
  }

  /**
   * Takes what was read back from the server.
   *
   * @param generation - of the changes when the catalogue was begun to be read.
   */
  learn(catalogue: Catalogue, state: SessionState, generation: number = this.#readIn): void {
    this.#readIn = generation;
    const { searchPath, role, database } = state;
    const text = stateText(searchPath, role);
    if (this.#known?.text !== text || this.#known.catalogue.version !== catalogue.version) {
      this.#known = { catalogue, searchPath, role, database, text };
      this.#state = undefined;
      this.#under = {};
    }
    this.#unsound = state.unsound !== undefined;
    this.settingsUnknown = false;
    this.catalogueUnknown = false;
    this.#learnedAtMs = this.#clock.monotonicMs();
  }

  /** The state for the analyser; undefined before it was read the first time. */
  get state(): SqlState | undefined {
    if (this.#known === undefined) return undefined;
    this.#state ??= this.#makeState(this.#known, true);
    return this.stateKnown ? this.#state : this.#makeState(this.#known, false);
  }

  /** A state that vouches for nothing, for a statement behind one that changes things. */
  get unknownState(): SqlState | undefined {
    if (this.#known === undefined) return undefined;
    const state = this.#makeState(this.#known, false);
    return { ...state, prepared: () => undefined, cursor: () => undefined };
  }

  #makeState(known: KnownState, isKnown: boolean): SqlState {
    return {
      catalogue: known.catalogue,
      searchPath: known.searchPath,
      role: known.role,
      database: known.database,
      known: isKnown,
      prepared: (name) => this.#preparedFor(name),
      cursor: (name) => this.#cursorFor(name),
    };
  }

  /** The server plans a prepared statement anew, so its analysis has to be of this moment too. */
  #preparedFor(name: string): SqlStatement | undefined {
    const found = this.findStatement(name);
    if (found === 'wait' || found === undefined) return undefined;
    if (found.analysed.under === this.under()) return found.analysed.statements[0];
    this.stale.add(found);
    return undefined;
  }

  /** A cursor's query was read when it was opened; under other masks nothing is known of it. */
  #cursorFor(name: string): SqlStatement | undefined {
    const found = this.findPortal(name);
    if (found === 'wait' || found?.running.masks.version !== this.stages.masks.version) {
      return undefined;
    }
    return found.running.statement;
  }

  /** An analysis begins: it will say which names it met. */
  startLookups(): void {
    this.conflict = false;
    this.stale.clear();
  }

  /** What an analysis of this moment holds under: another object when it may not hold any more. */
  under(): object {
    const generation = this.#changes?.generation ?? 0;
    const isSame = this.#underMasks === this.stages.masks && this.#underGeneration === generation;
    if (!isSame) this.#under = {};
    this.#underMasks = this.stages.masks;
    this.#underGeneration = generation;
    return this.#under;
  }

  /** Finds what a name stands for when the next message is read; `wait` sets `conflict`. */
  findStatement(name: string): Lookup<Prepared> {
    if (this.namesUnknown && this.status === failed && this.queue.length === 0) {
      // In a failed transaction the server runs nothing but its end, whatever the name means by
      // now, and the server cannot be asked.
      const last = this.statements.lookup(name, this.segment);
      if (typeof last === 'object' && endsTransaction(last)) return last;
    }
    return this.#find(this.statements, name);
  }

  findPortal(name: string): Lookup<Portal> {
    return this.#find(this.portals, name);
  }

  #find<T extends object>(names: Names<T>, name: string): Lookup<T> {
    let found = names.lookup(name, this.segment);
    // SQL has no way to say the empty name: no command and no code can change what it stands for.
    if (name !== '') {
      if (this.namesUnknown) found = undefined;
      // In the same segment there is nothing to wait for: the server answers at its Sync.
      if (this.#naming > 0) found = this.#namingSegment === this.segment ? undefined : 'wait';
    }
    if (found === 'wait') this.conflict = true;
    return found;
  }

  /** A Sync or a simple query ends what stands or falls together. */
  endSegment(): void {
    this.segment += 1;
    this.segmentOpen = false;
    this.segmentControl = 'none';
    this.segmentBinds = 0;
    this.segmentRuns = 0;
    // Code that was not seen through may have given names another meaning.
    if (this.#opaque) this.namesUnknown = true;
    this.#opaque = false;
  }

  /** An entry for a message that is sent now. */
  expect(kind: ExpectedKind): Expected {
    const entry = new Expected(kind, this.segment, this.othersGeneration);
    this.queue.push(entry);
    return entry;
  }

  /** A Bind of a statement is on its way: planning can run code of it. */
  bound(statement: SqlStatement): void {
    this.segmentBinds += 1;
    if (statement.messagesMayLeak) this.leaky = true;
    if (!isSeenThrough(statement)) this.#distrust();
  }

  #distrust(): void {
    this.settingsUnknown = true;
    this.#under = {};
    this.#touched = true;
    this.#opaque = true;
  }

  /** A statement is on its way: what it may change is not known any more. */
  sent(statement: SqlStatement): void {
    this.segmentRuns += 1;
    if (statement.messagesMayLeak) this.leaky = true;
    if (mayChangeCatalogue(statement, this.stateKnown)) this.#beginChange();
    if (!isSeenThrough(statement)) this.#distrust();
    for (const change of statement.changes) this.#sending(change);
  }

  #beginChange(): void {
    if (this.#changes === undefined || this.#changeOver !== undefined) return;
    this.#ownSteps += 1;
    this.#changeOver = this.#changes.begin();
  }

  #endChange(): void {
    if (this.#changeOver === undefined) return;
    this.#ownSteps += 1;
    this.#changeOver();
    this.#changeOver = undefined;
  }

  #sending(change: SessionChange): void {
    switch (change.kind) {
      case 'settings':
        this.settingsUnknown = true;
        this.#touched = true;
        this.#under = {};
        return;
      case 'catalogue':
        this.#forget();
        this.#touched = true;
        return;
      case 'transaction':
        if (change.what !== 'other') {
          const isFirst = change.what === 'begin' && this.segmentControl === 'none';
          this.segmentControl = isFirst ? 'begun' : 'other';
        }
        if (this.#touched && change.what !== 'begin') this.#forget();
        return;
      case 'prepare':
      case 'deallocate':
      case 'declare':
      case 'close':
        this.#naming += 1;
        this.#namingSegment = this.segment;
        return;
      default:
        unreachable(change);
    }
  }

  #forget(): void {
    this.settingsUnknown = true;
    this.catalogueUnknown = true;
    this.#under = {};
  }

  /** The server has done, or skipped, a statement that was sent. */
  settle(item: Running, source: string, confirmed: boolean): void {
    for (const change of item.statement.changes) {
      if (change.kind === 'settings' || change.kind === 'catalogue') continue;
      if (change.kind === 'transaction') continue;
      this.#naming -= 1;
      if (confirmed) this.#apply(change, item, source);
    }
  }

  #apply(change: SessionChange, item: Running, source: string): void {
    switch (change.kind) {
      case 'prepare':
        this.statements.set(change.name, preparedBySql(change, item, source));
        return;
      case 'declare':
        this.portals.set(change.name, portalBySql(change, item, source));
        return;
      case 'deallocate':
        if (change.name === undefined) this.statements.clear((_, name) => name !== '');
        else this.statements.set(change.name, undefined);
        return;
      case 'close':
        if (change.name === undefined) this.portals.clear();
        else this.portals.set(change.name, undefined);
        return;
      case 'settings':
      case 'catalogue':
      case 'transaction':
        // Read back from the server when it matters.
        return;
      default:
        unreachable(change);
    }
  }

  /** The server is ready for the next segment. */
  ready(status: number): void {
    const wasOpen = this.status !== idle;
    this.status = status;
    if (status === idle) {
      this.leaky = this.queue.length > 0 && this.leaky;
      // What the transaction had set and made may be gone with it.
      if (this.#touched && wasOpen) this.#forget();
      if (this.queue.length === 0) {
        this.#touched = false;
        this.#endChange();
      }
      this.portals.clear((portal) => !portal.fromSql);
    }
    this.answered();
  }

  /** Resolves when nothing that was sent is unanswered. */
  whenEmpty(): Promise<void> {
    if (this.queue.length === 0) return Promise.resolve();
    return new Promise((run) => this.#whenEmpty.push(run));
  }

  /** Runs what waited for everything to be answered, if it is. */
  emptied(): void {
    if (this.#whenEmpty.length === 0 || this.queue.length > 0) return;
    for (const run of this.#whenEmpty.splice(0)) run();
  }

  /** Runs what waited for earlier segments to be answered. */
  answered(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (!this.#isAnswered(next.segment)) return;
      this.#waiting.shift();
      next.run();
    }
  }

  /** Resolves when nothing sent in earlier segments is unanswered. */
  whenAnswered(): Promise<void> {
    const { segment } = this;
    if (this.#isAnswered(segment)) return Promise.resolve();
    return new Promise((run) => this.#waiting.push({ segment, run }));
  }

  #isAnswered(segment: number): boolean {
    const { first } = this.queue;
    return first === undefined || first.segment >= segment;
  }
}

/** Whether everything that the statement can do is in its facts. */
export const isSeenThrough = ({ facts }: SqlStatement): boolean =>
  facts.analysis !== 'opaque' &&
  !facts.effects.includes('execute-code') &&
  !facts.effects.includes('unknown');

/**
 * Whether other sessions must doubt their catalogue while a statement runs. Code that was not seen
 * through may change definitions; but where nothing was known anyway that says nothing, and two
 * sessions must not keep each other in doubt.
 */
const mayChangeCatalogue = (statement: SqlStatement, isKnown: boolean): boolean =>
  statement.changes.some((change) => change.kind === 'catalogue' && change.ownOnly !== true) ||
  (isKnown && !isSeenThrough(statement));

const endsTransaction = ({ analysed }: Prepared): boolean =>
  analysed.statements.every(({ changes }) =>
    changes.some((change) => change.kind === 'transaction' && change.what === 'end'),
  );
