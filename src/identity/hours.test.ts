import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { asEpochMs } from '#core/ids.ts';
import type { GrantHours } from './config.ts';
import { windowEnd } from './hours.ts';

const berlin = (from: number, to: number): GrantHours => ({
  days: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'],
  from: from * 60,
  to: to * 60,
  timezone: 'Europe/Berlin',
});

function end(hours: GrantHours, now: string): string | undefined {
  const found = windowEnd(hours, asEpochMs(new Date(now).getTime()));
  return found === undefined ? undefined : new Date(found).toISOString();
}

describe('hours of a grant', () => {
  it('are those of the place', () => {
    assert.equal(end(berlin(8, 18), '2026-01-14T06:59:59Z'), undefined);
    assert.equal(end(berlin(8, 18), '2026-01-14T07:00:00Z'), '2026-01-14T17:00:00.000Z');
    assert.equal(end(berlin(8, 18), '2026-01-14T16:59:59.999Z'), '2026-01-14T17:00:00.000Z');
    assert.equal(end(berlin(8, 18), '2026-01-14T17:00:00Z'), undefined);
    assert.equal(end(berlin(0, 24), '2026-01-14T22:30:00Z'), '2026-01-14T23:00:00.000Z');
  });

  it('are days of the place too', () => {
    const monday: GrantHours = { ...berlin(0, 24), days: ['mon'] };
    assert.equal(end(monday, '2026-01-11T22:59:00Z'), undefined);
    assert.equal(end(monday, '2026-01-11T23:00:00Z'), '2026-01-12T23:00:00.000Z');
    assert.equal(end(monday, '2026-01-12T23:00:00Z'), undefined);
  });

  it('end at the local time on the days when clocks change', () => {
    assert.equal(end(berlin(1, 18), '2026-03-29T00:30:00Z'), '2026-03-29T16:00:00.000Z');
    assert.equal(end(berlin(1, 18), '2026-10-24T23:30:00Z'), '2026-10-25T17:00:00.000Z');
    assert.equal(end(berlin(0, 24), '2026-03-29T00:30:00Z'), '2026-03-29T22:00:00.000Z');
    assert.equal(end(berlin(0, 24), '2026-10-25T00:30:00Z'), '2026-10-25T23:00:00.000Z');
  });
});
