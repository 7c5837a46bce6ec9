/**
 * Bounds what one address may ask: a bucket of calls that fills again with time. The table of
 * buckets is bounded too; when it is full the one that was used longest ago goes.
 */
import type { Clock } from '#core/clock.ts';

export interface RateLimits {
  /** Calls at once. */
  readonly burst: number;
  /** Calls a second after that. */
  readonly perSecond: number;
}

interface Bucket {
  left: number;
  atMs: number;
}

const ADDRESSES_MAX = 10_000;

export class RateLimiter {
  readonly #limits: RateLimits;
  readonly #clock: Clock;
  /** In the order of last use. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(limits: RateLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Takes one call of an address; false when it has none left. */
  take(address: string): boolean {
    const bucket = this.#bucketOf(address);
    if (bucket.left < 1) return false;
    bucket.left -= 1;
    return true;
  }

  /** Takes more, for something that should not happen often; down to nothing, not below. */
  charge(address: string, calls: number): void {
    const bucket = this.#bucketOf(address);
    bucket.left = Math.max(0, bucket.left - calls);
  }

  #bucketOf(address: string): Bucket {
    const { burst, perSecond } = this.#limits;
    const now = this.#clock.monotonicMs();
    const bucket = this.#buckets.get(address) ?? { left: burst, atMs: now };
    bucket.left = Math.min(burst, bucket.left + ((now - bucket.atMs) / 1_000) * perSecond);
    bucket.atMs = now;
    this.#buckets.delete(address);
    if (this.#buckets.size >= ADDRESSES_MAX) {
      const [oldest] = this.#buckets.keys();
      if (oldest !== undefined) this.#buckets.delete(oldest);
    }
    this.#buckets.set(address, bucket);
    return bucket;
  }
}
