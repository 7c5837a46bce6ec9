/**
 * Gathers the facts of one statement while it is walked. Everything that is not settled ends up in
 * `partial` or `opaque`; nothing here ever makes an analysis more complete than it was.
 */
import type {
  Access,
  Analysis,
  ColumnFact,
  ColumnUse,
  Effect,
  Facts,
  ObjectFact,
} from '#core/facts.ts';
import type { SessionChange } from './types.ts';
import type { Value } from './values.ts';

/** Stands for every masked column, where a value may come from any. */
export const anyColumn: string = '*';

/** Reasons that are kept; more say nothing new to a person. */
const reasonsMax = 16;
/** Characters of names that a reason repeats. */
const reasonCharactersMax = 300;

export class Collector {
  readonly verbs: string[] = [];
  readonly changes: SessionChange[] = [];
  messagesMayLeak = false;
  /** Set when rows come back that no part of the statement asks for. */
  returnsOthersRows = false;
  readonly #effects = new Set<Effect>();
  readonly #objects = new Map<string, ObjectFact>();
  readonly #columns = new Map<string, ColumnFact>();
  readonly #functions = new Set<string>();
  readonly #reasons = new Set<string>();
  #rowsChangedMax = 0;
  #analysis: Analysis = 'complete';
  #sawUnknown = false;

  get analysis(): Analysis {
    return this.#analysis;
  }

  /** Whether a value of unknown origin was used for anything. */
  get sawUnknown(): boolean {
    return this.#sawUnknown;
  }

  effect(...effects: readonly Effect[]): void {
    for (const effect of effects) this.#effects.add(effect);
  }

  /** Whether an object of the session's own schema is among those that are named. */
  get namesTemporary(): boolean {
    return [...this.#objects.values()].some(({ name }) => name.startsWith('pg_temp_'));
  }

  object(kind: string, name: string, access: Access): void {
    const key = `${access} ${kind} ${name}`;
    if (!this.#objects.has(key)) this.#objects.set(key, { kind, name, access });
  }

  /** Notes that a write may change or remove that many rows more. */
  rowsChanged(count: number): void {
    this.#rowsChangedMax += count;
  }

  function(name: string): void {
    this.#functions.add(name);
  }

  /** Notes what a masked column is used for. */
  use(value: Value, use: ColumnUse): void {
    if (value.unknown) this.#sawUnknown = true;
    const names = value.unknown && use !== 'return' ? [...value.sources, anyColumn] : value.sources;
    for (const name of names) {
      const key = `${use} ${name}`;
      if (!this.#columns.has(key)) this.#columns.set(key, { name, use, masked: true });
    }
    if (use === 'compute' && (value.unknown || value.sources.length > 0)) {
      this.messagesMayLeak = true;
    }
  }

  usesOf(...uses: readonly ColumnUse[]): readonly string[] {
    const found = [...this.#columns.values()].filter((column) => uses.includes(column.use));
    return [...new Set(found.map((column) => column.name))].sort();
  }

  partial(reason: string): void {
    if (this.#analysis === 'complete') this.#analysis = 'partial';
    this.#reason(reason);
  }

  opaque(reason: string): void {
    this.#analysis = 'opaque';
    this.#reason(reason);
  }

  /** Takes over what another statement does, for statements that run or hold one. */
  adopt(facts: Facts): void {
    this.effect(...facts.effects);
    for (const { kind, name, access } of facts.objects) this.object(kind, name, access);
    for (const column of facts.columns) this.#columns.set(`${column.use} ${column.name}`, column);
    for (const name of facts.functions) this.#functions.add(name);
    this.#rowsChangedMax += facts.rowsChangedMax ?? Number.POSITIVE_INFINITY;
    this.verbs.push(...facts.verbs);
    for (const reason of facts.reasons) this.#reason(reason);
    if (facts.analysis === 'opaque') this.#analysis = 'opaque';
    else if (facts.analysis === 'partial' && this.#analysis === 'complete') {
      this.#analysis = 'partial';
    }
  }

  /** Leaves out what a statement that is only planned does not do. */
  withoutWrites(): void {
    for (const effect of writes) this.#effects.delete(effect);
    this.#rowsChangedMax = 0;
    for (const [key, object] of this.#objects) {
      if (object.access === 'write') this.#objects.set(key, { ...object, access: 'read' });
    }
    for (const [key, column] of this.#columns) {
      if (column.use === 'copy' || column.use === 'write') {
        this.#columns.set(key, { ...column, use: 'compute' });
      }
    }
    this.effect('read');
  }

  build(fingerprint: string): Facts {
    const bounded = this.#analysis === 'complete' && Number.isFinite(this.#rowsChangedMax);
    return {
      ...(bounded ? { rowsChangedMax: this.#rowsChangedMax } : {}),
      effects: [...this.#effects],
      objects: [...this.#objects.values()],
      columns: [...this.#columns.values()],
      functions: [...this.#functions],
      verbs: this.verbs,
      analysis: this.#analysis,
      reasons: [...this.#reasons],
      fingerprint,
    };
  }

  #reason(reason: string): void {
    if (this.#reasons.size < reasonsMax) this.#reasons.add(reason.slice(0, reasonCharactersMax));
  }
}

/** Effects that EXPLAIN without ANALYZE does not have. */
const writes: readonly Effect[] = ['insert', 'update', 'update-all', 'delete', 'delete-all'];
