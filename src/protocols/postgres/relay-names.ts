/**
 * What the names of prepared statements and portals stand for. A name means what the server has
 * confirmed, or what a message of the same segment will make of it before the server reads on: if
 * that message fails, the server skips the rest of the segment too.
 *
 * A name that an earlier, unanswered segment may have changed cannot be told yet: `wait`.
 */

/** The value, undefined for a name that nothing is known of, or `wait`. */
export type Lookup<T> = T | undefined | 'wait';

interface Change<T> {
  readonly segment: number;
  /** Undefined closes the name. */
  readonly value: T | undefined;
}

export interface NameChange {
  confirmed(): void;
  dropped(): void;
}

export class Names<T extends object> {
  readonly #confirmed = new Map<string, T>();
  /** The latest change of each name that the server has not answered. */
  readonly #pending = new Map<string, Change<T>>();

  /** Names that are known or about to be. */
  get size(): number {
    return this.#confirmed.size + this.#pending.size;
  }

  lookup(name: string, segment: number): Lookup<T> {
    const change = this.#pending.get(name);
    if (change === undefined) return this.#confirmed.get(name);
    return change.segment === segment ? change.value : 'wait';
  }

  /** A message that gives `name` a value, or closes it, is on its way. */
  change(name: string, value: T | undefined, segment: number): NameChange {
    const change: Change<T> = { segment, value };
    this.#pending.set(name, change);
    return {
      confirmed: () => {
        if (this.#pending.get(name) === change) this.#pending.delete(name);
        this.set(name, value);
      },
      dropped: () => {
        if (this.#pending.get(name) === change) this.#pending.delete(name);
      },
    };
  }

  /** The server has confirmed it by another way (an SQL command). */
  set(name: string, value: T | undefined): void {
    if (value === undefined) this.#confirmed.delete(name);
    else this.#confirmed.set(name, value);
  }

  /** Forgets those that `stale` says; all without it. */
  clear(stale?: (value: T, name: string) => boolean): void {
    for (const [name, value] of this.#confirmed) {
      if (stale === undefined || stale(value, name)) this.#confirmed.delete(name);
    }
  }

  entries(): IterableIterator<[string, T]> {
    return this.#confirmed.entries();
  }
}
