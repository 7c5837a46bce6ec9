import type { EpochMs } from './ids.ts';

/**
 * A value that must not be printed. Every way in which JavaScript turns an object into text answers
 * `[secret]`; only {@link Secret.reveal} gives the value, so that its call sites can be audited.
 */
export class Secret {
  readonly #value: string;
  /** When the value stops being valid, if its source said so. */
  readonly expiresAt: EpochMs | undefined;

  constructor(value: string, expiresAt?: EpochMs) {
    this.#value = value;
    this.expiresAt = expiresAt;
  }

  /** The value itself. Never log, store or put into an error what this returns. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  static {
    // `console.log` and `util.inspect` ask for this symbol.
    Object.defineProperty(Secret.prototype, Symbol.for('nodejs.util.inspect.custom'), {
      value: () => '[secret]',
    });
  }
}
