import type { Clock } from '#core/clock.ts';
import { asEpochMs } from '#core/ids.ts';

/** A clock that stands still until it is told. Timers run in the order of their times. */
export interface ManualClock extends Clock {
  /** Moves time on by `ms` and runs what falls due. */
  advance(ms: number): void;
}

export function manualClock(startMs = 1_800_000_000_000): ManualClock {
  let now = startMs;
  let serial = 0;
  const timers = new Map<number, { at: number; everyMs: number | undefined; run: () => void }>();
  const add = (ms: number, everyMs: number | undefined, run: () => void): (() => void) => {
    serial += 1;
    const id = serial;
    timers.set(id, { at: now + ms, everyMs, run });
    return () => timers.delete(id);
  };
  return {
    now: () => asEpochMs(now),
    monotonicMs: () => now - startMs,
    after: (ms, run) => add(Math.max(ms, 0), undefined, run),
    every: (ms, run) => add(ms, ms, run),
    advance(ms) {
      const end = now + ms;
      for (;;) {
        let next:
          | [number, { at: number; everyMs: number | undefined; run: () => void }]
          | undefined;
        for (const entry of timers) {
          if (entry[1].at <= end && (next === undefined || entry[1].at < next[1].at)) next = entry;
        }
        if (next === undefined) break;
        const [id, timer] = next;
        now = Math.max(now, timer.at);
        if (timer.everyMs === undefined) timers.delete(id);
        else timer.at += timer.everyMs;
        timer.run();
      }
      now = end;
    },
  };
}
