/**
 * A process that tells events as fast as it can until it is killed. Writes the number of each event
 * that it was promised is stored. For `test/fault/events-crash.test.ts`.
 */
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '#core/clock.ts';
import type { EventDraft } from '#core/events.ts';
import { systemRandom } from '#core/random.ts';
import { QueuedEventLog } from '#events/log.ts';
import { openEventWriter } from '#store/event-writer.ts';
import { openStore } from '#store/store.ts';

const [folder = ''] = process.argv.slice(2);
const path = join(folder, 'state.db');
await openStore({ path, clock: systemClock, thread: 'own' });
const log = new QueuedEventLog({
  writer: await openEventWriter({ path, file: join(folder, 'events.ndjson'), rotateBytes: 40_000 }),
  clock: systemClock,
  random: systemRandom,
  queueMax: 100_000,
  onTrouble: (error) => {
    throw error;
  },
});
const draft: EventDraft = {
  type: 'alarm.raised',
  actor: 'system',
  session: undefined,
  target: undefined,
  data: { alarm: 'storm', detail: 'x'.repeat(50) },
};
for (;;) {
  for (let count = 0; count < 20; count += 1) log.emit(draft);
  const { number } = await log.commit(draft);
  writeSync(1, `${number}\n`);
}
