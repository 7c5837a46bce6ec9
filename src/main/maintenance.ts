/** What is done now and then, and once. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '#core/clock.ts';
import { asEpochMs } from '#core/ids.ts';
import { policyLimits } from '#core/limits.ts';
import { systemRandom } from '#core/random.ts';
import { bootstrapAdmin } from '#identity/bootstrap.ts';
import { Credentials } from '#identity/credentials.ts';
import { chainOf } from '#ops/log.ts';
import type { Services } from './gateway.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** How long holds that are over can be looked up; the events stay. */
const HOLDS_KEPT_MS = 90 * DAY_MS;
/** An identity that stays away for so long is new again in all that it does. */
const PASTS_KEPT_MS = 180 * DAY_MS;

/** Forgets what is over, each minute; the returned function stops it. */
export function startMaintenance({ store, locks, log }: Services): () => void {
  return systemClock.every(MINUTE_MS, () => {
    const now = systemClock.now();
    const work = [
      locks.sweep(),
      store.purge(now),
      store.holds.purge(asEpochMs(now - HOLDS_KEPT_MS)),
      store.history.purge({
        disclosed: asEpochMs(now - policyLimits.budgetMsMax),
        seen: asEpochMs(now - PASTS_KEPT_MS),
      }),
    ];
    void Promise.allSettled(work).then((results) => {
      for (const result of results) {
        if (result.status === 'fulfilled') continue;
        log.error('maintenance failed', { error: chainOf(result.reason) });
      }
    });
  });
}

/**
 * On the first start of an installation without people and issuers, leaves an administrator's token
 * in a file of its directory: once, for a day.
 */
export async function leaveBootstrapToken(services: Services): Promise<void> {
  const { loaded, store, events, log } = services;
  const { people, issuers } = loaded.config;
  if (people.length > 0 || issuers.some(({ map }) => map.kind === 'human')) return;
  const credentials = new Credentials({
    store: store.credentials,
    clock: systemClock,
    random: systemRandom,
    lifeMsMax: DAY_MS,
  });
  const token = await bootstrapAdmin({
    marks: store.marks,
    credentials,
    events,
    clock: systemClock,
  });
  if (token === undefined) return;
  const path = join(loaded.directory, 'bootstrap-admin.token');
  writeFileSync(path, token.reveal(), { mode: 0o600 });
  log.warn('nobody can administer yet: a token for a day is in a file', { path });
}
