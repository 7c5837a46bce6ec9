/**
 * Names of prepared statements and cursors that the statements of one text give to each other. The
 * server runs a text in order and stops at the first error, so a statement that runs at all finds
 * what those before it have named. Behind one that was not seen through no name means anything.
 */
import type { SessionChange, SqlState, SqlStatement } from './types.ts';

export class NamesWithin {
  /** The state that the next statement is read under. */
  readonly state: SqlState;
  readonly #prepared: Names;
  readonly #cursors: Names;
  #lost = false;

  constructor(before: SqlState) {
    this.#prepared = new Names((name) => before.prepared(name));
    this.#cursors = new Names((name) => before.cursor(name));
    this.state = {
      ...before,
      prepared: (name) => (this.#lost ? undefined : this.#prepared.get(name)),
      cursor: (name) => (this.#lost ? undefined : this.#cursors.get(name)),
    };
  }

  /** Takes over what a statement does to names, as if it succeeds: else nothing runs behind it. */
  follow({ facts, changes }: SqlStatement): void {
    const { analysis, effects } = facts;
    const code = effects.includes('execute-code') || effects.includes('unknown');
    if (analysis !== 'complete' || code) this.#lost = true;
    for (const change of changes) this.#apply(change);
  }

  #apply(change: SessionChange): void {
    switch (change.kind) {
      case 'prepare':
        this.#prepared.set(change.name, change.statement);
        return;
      case 'declare':
        this.#cursors.set(change.name, change.statement);
        return;
      case 'deallocate':
        this.#prepared.remove(change.name);
        return;
      case 'close':
        this.#cursors.remove(change.name);
        return;
      case 'settings':
      case 'catalogue':
      case 'transaction':
        // A cursor that went with its transaction has no rows to give: FETCH fails.
        return;
    }
  }
}

/** One kind of name: what the text did to it, else what it meant before. */
class Names {
  readonly #before: (name: string) => SqlStatement | undefined;
  readonly #own = new Map<string, SqlStatement | undefined>();
  #allRemoved = false;

  constructor(before: (name: string) => SqlStatement | undefined) {
    this.#before = before;
  }

  get(name: string): SqlStatement | undefined {
    if (this.#own.has(name)) return this.#own.get(name);
    return this.#allRemoved ? undefined : this.#before(name);
  }

  set(name: string, statement: SqlStatement): void {
    this.#own.set(name, statement);
  }

  /** Removes one name, or all. */
  remove(name: string | undefined): void {
    if (name !== undefined) {
      this.#own.set(name, undefined);
      return;
    }
    this.#own.clear();
    this.#allRemoved = true;
  }
}
