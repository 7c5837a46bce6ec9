import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, it } from 'node:test';
import { systemClock } from '#core/clock.ts';
import { opaqueFacts } from '#core/facts.ts';
import { asEpochMs, asId } from '#core/ids.ts';
import type { HoldRecord } from '#core/ports/holds.ts';
import { openStore } from './store.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-holds-'));
after(() => rmSync(folder, { recursive: true }));

const hold = (id: string, openedAt: number): HoldRecord => ({
  id: asId(id),
  revision: 1,
  state: 'pending',
  mode: 'wait',
  digest: 'ab'.repeat(32),
  command: {
    id: asId('s.1'),
    session: asId('s'),
    protocol: 'postgres',
    requester: {
      id: asId('ci/1'),
      kind: 'workload',
      displayName: 'job',
      groups: ['ci'],
      owner: undefined,
      onBehalfOf: undefined,
    },
    target: 'orders',
    labels: { env: 'prod' },
    account: 'app',
    namespace: 'shop',
    sessionState: '',
    text: `delete from "ö" -- \u2028`,
    parameters: [{ type: '25', value: { kind: 'null' } }],
    facts: opaqueFacts('test'),
    clientAddress: '127.0.0.1',
    clientName: 'psql',
  },
  rule: 'destructive',
  reason: 'deletes',
  policy: asId('p'),
  terms: { reviewers: ['group:dba'], approvals: 1, waitMs: 1_000, validMs: 1_000 },
  reviews: [],
  openedAt: asEpochMs(openedAt),
  expiresAt: asEpochMs(openedAt + 1_000),
  approval: undefined,
  validUntil: undefined,
  closedAt: undefined,
});

describe('stored holds', () => {
  it('replace exactly the revision before, once', async () => {
    const path = join(folder, 'state.db');
    const store = await openStore({ path, clock: systemClock, thread: 'own' });
    const { holds } = store;
    const first = hold('h1', 1);
    assert.equal(await holds.put(first), true);
    assert.equal(await holds.put(first), false);
    assert.deepEqual(await holds.find(first.id), first);
    const approved: HoldRecord = {
      ...first,
      revision: 2,
      state: 'approved',
      approval: asId('a'),
      validUntil: asEpochMs(9),
    };
    const tries = await Promise.all(Array.from({ length: 9 }, () => holds.put(approved)));
    assert.equal(tries.filter((won) => won).length, 1);
    assert.equal(await holds.put({ ...approved, revision: 4, state: 'spent' }), false);
    assert.equal(await holds.put({ ...hold('none', 1), revision: 2 }), false);
    assert.deepEqual(await holds.find(first.id), approved);

    await holds.put(hold('h2', 2));
    assert.deepEqual(
      (await holds.live()).map(({ id }) => id),
      ['h1', 'h2'],
    );
    const spent: HoldRecord = { ...approved, revision: 3, state: 'spent', closedAt: asEpochMs(5) };
    assert.equal(await holds.put(spent), true);
    assert.deepEqual(
      (await holds.live()).map(({ id }) => id),
      ['h2'],
    );
    assert.deepEqual(
      (await holds.recent(5)).map(({ id }) => id),
      ['h2', 'h1'],
    );
    await holds.purge(asEpochMs(6));
    assert.equal(await holds.find(first.id), undefined);
    assert.equal((await holds.recent(5)).length, 1);
    await store.close();

    const database = new DatabaseSync(path);
    database.exec(`update holds set record = '{"id":"h2"}'`);
    database.close();
    const again = await openStore({ path, clock: systemClock, thread: 'own' });
    await assert.rejects(again.holds.live(), { code: 'SP_STORE' });
    await again.close();
  });
});
