/**
 * Choices by chance that can be made again: from a seed, or from the list of choices of a run
 * before. A generator that takes every choice from here, the simplest first, can be shrunk without
 * knowing what it makes: by shorter and smaller lists of choices.
 */
export class Dice {
  /** What was chosen so far. */
  readonly choices: number[] = [];
  readonly #next: () => number;

  private constructor(next: () => number) {
    this.#next = next;
  }

  static seeded(seed: number): Dice {
    let state = seed | 0;
    return new Dice(() => {
      // Mulberry32.
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return (mixed ^ (mixed >>> 14)) >>> 0;
    });
  }

  /** Makes the same choices again; the simplest behind the end of the list. */
  static replaying(choices: readonly number[]): Dice {
    let at = -1;
    return new Dice(() => {
      at += 1;
      return choices[at] ?? 0;
    });
  }

  /** 0 to `bound - 1`. */
  below(bound: number): number {
    const chosen = this.#next() % bound;
    this.choices.push(chosen);
    return chosen;
  }

  /** True in `percent` of 100 cases; false is the simpler one. */
  chance(percent: number): boolean {
    return this.below(100) >= 100 - percent;
  }

  pick<Item>(items: readonly [Item, ...Item[]]): Item {
    return items[this.below(items.length)] ?? items[0];
  }
}

/**
 * A shorter list of choices that still fails.
 *
 * @param fails - tells whether what is made of a list of choices fails in the same way.
 * @param triesMax - how often it may be asked.
 */
export async function shrink(
  choices: readonly number[],
  fails: (choices: readonly number[]) => Promise<boolean>,
  triesMax: number,
): Promise<readonly number[]> {
  let best = choices;
  const budget = { left: triesMax };
  const isBetter = async (candidate: readonly number[]): Promise<boolean> => {
    if (budget.left === 0) return false;
    budget.left -= 1;
    if (!(await fails(candidate))) return false;
    best = candidate;
    return true;
  };
  for (let before: readonly number[] = []; before !== best && budget.left > 0; ) {
    before = best;
    for (let size = Math.ceil(best.length / 2); size >= 1; size = size === 1 ? 0 : size >> 1) {
      for (let at = 0; at < best.length; ) {
        const without = [...best.slice(0, at), ...best.slice(at + size)];
        if (!(await isBetter(without))) at += size;
      }
    }
    for (let at = 0; at < best.length; at += 1) {
      if (best[at] !== 0) await isBetter(best.with(at, 0));
    }
  }
  return best;
}
