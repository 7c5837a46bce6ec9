/**
 * Counts connections that are not yet authenticated, per process and per address, so that strangers
 * cannot use up what those who belong here need.
 */
import { isIPv6 } from 'node:net';
import type { Limits } from '#core/limits.ts';

export class Strangers {
  readonly #limits: Pick<Limits, 'strangersMax' | 'strangersPerAddressMax'>;
  readonly #byAddress = new Map<string, number>();
  #count = 0;

  constructor(limits: Pick<Limits, 'strangersMax' | 'strangersPerAddressMax'>) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#count;
  }

  /**
   * Counts one in.
   *
   * @param address - undefined while only a balancer's address is known.
   * @returns counts it out again, once; undefined when there is no room.
   */
  enter(address: string | undefined): (() => void) | undefined {
    if (this.#count >= this.#limits.strangersMax) return undefined;
    const leaveAddress = address === undefined ? () => {} : this.enterAddress(address);
    if (leaveAddress === undefined) return undefined;
    this.#count += 1;
    return once(() => {
      this.#count -= 1;
      leaveAddress();
    });
  }

  /** Counts one in under its address alone, for one that is counted in the process already. */
  enterAddress(address: string): (() => void) | undefined {
    const key = networkOf(address);
    const count = this.#byAddress.get(key) ?? 0;
    if (count >= this.#limits.strangersPerAddressMax) return undefined;
    this.#byAddress.set(key, count + 1);
    return once(() => {
      const left = (this.#byAddress.get(key) ?? 1) - 1;
      if (left === 0) this.#byAddress.delete(key);
      else this.#byAddress.set(key, left);
    });
  }
}

/** An IPv6 client has a whole /64 to choose its addresses from, so that counts as one. */
function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = '', tail] = (address.split('%')[0] ?? '').split('::');
  const first = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  const length = Math.max(0, 8 - first.length - last.length);
  const zeros = Array.from({ length }, () => '0');
  const groups = tail === undefined ? first : [...first, ...zeros, ...last];
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}

function once(run: () => void): () => void {
  let hasRun = false;
  return () => {
    if (!hasRun) run();
    hasRun = true;
  };
}
