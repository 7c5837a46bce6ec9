/**
 * What the limits of a message's permits ask for: nothing, to watch what comes back, or to count
 * what it changes. Closed: an effect without a place here cannot be counted, so under a limit on
 * rows it does not run uncounted.
 */
import type { Effect, Facts } from '#core/facts.ts';
import type { AllowedCommand } from '#core/permit.ts';
import type { Excess, LimitName, Refusal, RunLimit, RunLimits } from '#core/verdict.ts';
import { refuse } from './refusal.ts';
import { type Conversation, failed, idle } from './relay-conversation.ts';
import { type Counts, rowsOf } from './relay-counts.ts';
import type { Expected } from './relay-expected.ts';
import type { Returned } from './relay-meter.ts';
import type { SqlStatement } from './sql/types.ts';

/** A message with commands, as it would be sent. */
export interface Work {
  readonly statements: readonly SqlStatement[];
  /** One for each statement. */
  readonly permits: readonly AllowedCommand[];
  readonly isSimple: boolean;
  /** What it has returned before, where it is run in pieces. */
  readonly returned?: Returned;
  /** Notes what the server will answer; gives that, and what has to be sent. */
  readonly send: () => Sent;
  /** The same after a rollback took its portal; absent where that cannot be made again. */
  readonly again?: () => Sent;
}

/** What was noted as to be answered, and the messages that ask for it. */
export interface Sent {
  readonly entry: Expected;
  readonly messages: readonly Uint8Array[];
}

/** The strictest bound of one kind, and the permit that it is from. */
export interface Bound extends RunLimit {
  readonly permit: AllowedCommand;
}

export type Bounds = Readonly<Partial<Record<LimitName, Bound>>>;

/** Where something that is counted runs. */
export type Place = 'plain' | 'own' | 'theirs';

/** What was worked out before a message is sent. */
export interface Plan {
  readonly work: Work;
  readonly bounds: Bounds;
  readonly place: Place;
}

/** What a limit on rows asks of one statement. */
export type Need =
  /** It changes no rows. */
  | 'none'
  /** Keys and limits in its text bound it well below. */
  | 'bounded'
  | 'counted'
  /** It cannot be counted, and why. */
  | { readonly uncounted: string };

const changesNoRows: ReadonlySet<Effect> = new Set<Effect>([
  'read',
  'session',
  'transaction',
  'lock',
  'listen',
  // Told when the transaction commits, and not if it does not.
  'notify',
  'copy-out',
]);

/** Effects whose rows its facts bound; nothing bounds what is added. */
const boundable: ReadonlySet<Effect> = new Set<Effect>([
  'update',
  'update-all',
  'delete',
  'delete-all',
]);

/** What runs wholly inside of a transaction, and whose rows the server counts. */
const isCounted = (effect: Effect): boolean =>
  changesNoRows.has(effect) || boundable.has(effect) || effect === 'insert';

/** What the limits on rows of a permit ask of its statement. */
export function needOf(facts: Facts, limits: RunLimits | undefined, tally: Tally): Need {
  const { effects, analysis, rowsChangedMax = Number.POSITIVE_INFINITY, reasons } = facts;
  if (analysis !== 'complete') {
    const why = reasons[0] === undefined ? '' : ` (${reasons[0]})`;
    return { uncounted: `it is not fully understood${why}, so its rows cannot be counted` };
  }
  if (effects.every((effect) => changesNoRows.has(effect))) return 'none';
  const other = effects.find((effect) => !isCounted(effect));
  if (other !== undefined) return { uncounted: `the rows of '${other}' cannot be counted` };
  if (effects.includes('insert')) return 'counted';
  if (rowsChangedMax === 0) return 'none';
  const { rowsAffected, rowsAffectedTotal } = limits?.bounds ?? {};
  if (rowsChangedMax > (rowsAffected?.max ?? Number.POSITIVE_INFINITY)) return 'counted';
  const isWithin =
    rowsAffectedTotal === undefined ||
    writtenBy(facts).every((table) => tally.of(table) + rowsChangedMax <= rowsAffectedTotal.max);
  return isWithin ? 'bounded' : 'counted';
}

/** Tables that a statement writes to, by its facts. */
export const writtenBy = ({ objects }: Facts): readonly string[] =>
  objects.filter(({ access }) => access === 'write').map(({ name }) => name);

/** Whether rows may come back. */
export const returnsRows = (statement: SqlStatement): boolean =>
  statement.output?.length !== 0 || statement.facts.effects.includes('copy-out');

export const controlsTransaction = ({ changes }: SqlStatement): boolean =>
  changes.some(({ kind }) => kind === 'transaction');

/** Whether nothing has run yet in a transaction that would stay open while people are asked. */
export const isUntouched = ({ status, ownTransaction, segmentRuns }: Conversation): boolean =>
  status === idle && !ownTransaction && segmentRuns === 0;

/** The transaction that it will run in; a refusal where that is not certain. */
export function placeOf(
  { statements, isSimple }: Work,
  { segmentOpen, segmentControl, ownTransaction, status }: Conversation,
): Place | Refusal {
  const why = 'the rows that it changes cannot be counted';
  if (statements.some(controlsTransaction)) {
    return refuse('SP_UNSUPPORTED', `${why} beside BEGIN or COMMIT in one text`, 'Send it alone.');
  }
  if ((isSimple && segmentOpen) || segmentControl === 'other') {
    return refuse('SP_UNSUPPORTED', `${why} behind what was sent before`, 'Send a Sync first.');
  }
  if (segmentControl === 'begun') return 'theirs';
  // In a failed transaction the server runs nothing.
  if (status === failed) return 'plain';
  return ownTransaction || status === idle ? 'own' : 'theirs';
}

/** Of all permits, the strictest bound of each kind. */
export function strictest(permits: readonly AllowedCommand[]): Bounds {
  const found: Partial<Record<LimitName, Bound>> = {};
  for (const permit of permits) {
    const { bounds = {} } = permit.limits ?? {};
    for (const name of names) {
      const bound = bounds[name];
      const known = found[name];
      if (bound === undefined || (known !== undefined && known.max <= bound.max)) continue;
      found[name] = { ...bound, permit };
    }
  }
  return found;
}

const names: readonly LimitName[] = [
  'rowsReturned',
  'bytes',
  'time',
  'rowsAffected',
  'rowsAffectedTotal',
];

/** A write that cannot be counted, against its limit on rows. */
export const uncounted = ({ limits }: AllowedCommand, detail: string): Excess => {
  const { rowsAffected, rowsAffectedTotal } = limits?.bounds ?? {};
  const limit = rowsAffected === undefined ? 'rowsAffectedTotal' : 'rowsAffected';
  const max = (rowsAffected ?? rowsAffectedTotal)?.max ?? 0;
  return { limit, max, found: undefined, detail };
};

/** More came back than is kept until it is known whether it may leave. */
export function tooLarge({ bounds }: Plan): Excess {
  const detail = 'more comes back than is kept until its rows are counted';
  const counting = bounds.rowsAffected ?? bounds.rowsAffectedTotal;
  if (counting !== undefined) return uncounted(counting.permit, detail);
  const limit = bounds.bytes === undefined ? 'rowsReturned' : 'bytes';
  return { limit, max: bounds[limit]?.max ?? 0, found: undefined, detail };
}

/** The rows that a session has changed, table by table. */
export class Tally {
  readonly #rows = new Map<string, number>();
  readonly #tablesMax: number;

  constructor(tablesMax: number) {
    this.#tablesMax = tablesMax;
  }

  /** Rows of a table so far. Beyond the tables that fit, every row counts as too many. */
  of(table: string): number {
    const known = this.#rows.get(table);
    if (known !== undefined) return known;
    return this.#rows.size < this.#tablesMax ? 0 : Number.POSITIVE_INFINITY;
  }

  add(table: string, rows: number): void {
    const sum = this.of(table) + rows;
    if (Number.isFinite(sum)) this.#rows.set(table, sum);
  }

  /** The table that `counts` would take furthest above `max`, with what it would come to. */
  above(
    counts: Counts,
    max: number,
  ): { readonly table: string; readonly rows: number } | undefined {
    let worst: { readonly table: string; readonly rows: number } | undefined;
    for (const [table, count] of counts) {
      const rows = this.of(table) + rowsOf(count);
      if (rows > max && rows > (worst?.rows ?? 0)) worst = { table, rows };
    }
    return worst;
  }
}
