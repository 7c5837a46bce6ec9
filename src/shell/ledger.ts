/** What was found out of one text so far. Only grows: a fact that was seen is never taken back. */
import type { Access, Analysis, Effect, Facts, ObjectFact } from '#core/facts.ts';
import type { ShellLimits } from '#core/limits.ts';
import type { ShellCommand } from './command-record.ts';

/**
 * Ends an analysis: the text is larger than the limits, or no shell command. Caught where the
 * analysis began, where it makes the whole text opaque.
 */
export class Unreadable extends Error {}

export class Ledger {
  readonly commands: ShellCommand[] = [];
  readonly #limits: ShellLimits;
  readonly #effects = new Set<Effect>();
  readonly #objects = new Map<string, ObjectFact>();
  readonly #verbs = new Set<string>();
  readonly #reasons = new Set<string>();
  readonly #shape: string[] = [];
  #texts = 0;
  #pipelines = 0;

  constructor(limits: ShellLimits) {
    this.#limits = limits;
  }

  effect(...effects: readonly Effect[]): void {
    for (const effect of effects) this.#effects.add(effect);
  }

  object(kind: string, name: string, access: Access): void {
    if (this.#objects.size >= this.#limits.objectsMax) throw new Unreadable('too many objects');
    this.#objects.set(`${kind}\0${name}\0${access}`, { kind, name, access });
  }

  verb(name: string): void {
    this.#verbs.add(name);
    this.#shape.push(name);
  }

  /** Something that is not settled: from here on the analysis is not complete. */
  doubt(reason: string): void {
    this.#reasons.add(reason.slice(0, 200));
    this.#effects.add('unknown');
  }

  command(command: ShellCommand): void {
    if (this.commands.length >= this.#limits.commandsMax) throw new Unreadable('too many commands');
    this.commands.push(command);
  }

  /** A further text that a command gives to a shell. */
  text(length: number): void {
    this.#texts += length;
    if (this.#texts > this.#limits.textCharsMax) throw new Unreadable('too long');
  }

  /** The number of the next pipeline. */
  pipeline(): number {
    this.#pipelines += 1;
    return this.#pipelines;
  }

  facts(): Facts {
    const analysis: Analysis = this.#reasons.size === 0 ? 'complete' : 'partial';
    return {
      effects: [...this.#effects],
      objects: [...this.#objects.values()],
      columns: [],
      functions: [],
      verbs: [...this.#verbs],
      analysis,
      reasons: [...this.#reasons].slice(0, 20),
      fingerprint: this.#shape.join(' ').slice(0, 200),
    };
  }
}
