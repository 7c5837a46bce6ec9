/** Hours of a week in a place's local time, also on the days when its clocks change. */
import type { EpochMs } from '#core/ids.ts';
import type { GrantHours } from './config.ts';

const MINUTE_MS = 60_000;
const formats = new Map<string, Intl.DateTimeFormat>();

interface LocalTime {
  readonly day: string;
  /** Since midnight. */
  readonly minutes: number;
}

function localTime(timezone: string, at: number): LocalTime {
  let format = formats.get(timezone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: timezone,
      weekday: 'short',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    });
    // Zones come from the configuration, so there are few.
    formats.set(timezone, format);
  }
  const parts = new Map(format.formatToParts(at).map(({ type, value }) => [type, value]));
  return {
    day: (parts.get('weekday') ?? '').toLowerCase(),
    minutes: Number(parts.get('hour')) * 60 + Number(parts.get('minute')),
  };
}

/** When the present window ends; undefined outside of it. */
export function windowEnd(hours: GrantHours, now: EpochMs): number | undefined {
  const { day, minutes } = localTime(hours.timezone, now);
  if (!hours.days.some((each) => each === day)) return undefined;
  if (minutes < hours.from || minutes >= hours.to) return undefined;
  const minuteStart = now - (now % MINUTE_MS);
  const end = minuteStart + (hours.to - minutes) * MINUTE_MS;
  // Clocks that change before then move the end by as much as the local time there is off.
  const there = localTime(hours.timezone, end);
  const off =
    hours.to === 24 * 60 && there.minutes < 12 * 60 ? there.minutes : there.minutes - hours.to;
  return end - off * MINUTE_MS;
}
