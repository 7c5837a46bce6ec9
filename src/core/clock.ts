import { asEpochMs, type EpochMs } from './ids.ts';

/**
 * Time as the gateway sees it. Injected everywhere, so that a test can move it; nothing outside
 * this file and `ops/` reads the system clock or sets a timer.
 */
export interface Clock {
  /** Wall clock, for what people and other systems read. */
  now(): EpochMs;
  /** Milliseconds that never go backwards, for deadlines and durations. */
  monotonicMs(): number;
  /** Calls `run` once after `ms`; the returned function cancels. Does not keep the process alive. */
  after(ms: number, run: () => void): () => void;
  /** Calls `run` each `ms`; the returned function cancels. Does not keep the process alive. */
  every(ms: number, run: () => void): () => void;
}

const LONGEST_TIMER_MS = 0x7fffffff;

export const systemClock: Clock = {
  now: () => asEpochMs(Date.now()),
  monotonicMs: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, Math.min(Math.max(ms, 0), LONGEST_TIMER_MS));
    timer.unref();
    return () => clearTimeout(timer);
  },
  every(ms, run) {
    const timer = setInterval(run, Math.min(Math.max(ms, 1), LONGEST_TIMER_MS));
    timer.unref();
    return () => clearInterval(timer);
  },
};
