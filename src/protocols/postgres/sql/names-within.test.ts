/** What names mean to the statements of one text. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openShop, type Shop } from '../../../../test/support/sql-shop.ts';

describe('names within one text', () => {
  let shop: Shop;
  before(async () => {
    shop = await openShop(18);
  });
  after(() => shop.stop());

  const last = async (text: string) => (await shop.analyse(text)).statements.at(-1);

  it('follows a cursor to its query', async () => {
    const fetched = await last('BEGIN; DECLARE c CURSOR FOR SELECT id, ssn FROM people; FETCH c');
    assert.equal(fetched?.facts.analysis, 'complete', fetched?.facts.reasons.join());
    assert.deepEqual(
      fetched?.output?.map(({ name, direct }) => [name, direct]),
      [
        ['id', undefined],
        ['ssn', 'public.people.ssn'],
      ],
    );
  });

  it('follows a prepared statement', async () => {
    const run = await last('PREPARE p AS SELECT ssn FROM people; EXECUTE p');
    assert.equal(run?.facts.analysis, 'complete', run?.facts.reasons.join());
    assert.equal(run?.output?.[0]?.direct, 'public.people.ssn');
  });

  it('takes the latest meaning, not that of before the text', async () => {
    const { statements } = await shop.analyse('PREPARE p AS SELECT 1');
    const [change] = statements[0]?.changes ?? [];
    assert.ok(change?.kind === 'prepare');
    const analysis = await shop.analyse('DEALLOCATE p; PREPARE p AS DELETE FROM notes; EXECUTE p', {
      prepared: () => change.statement,
    });
    assert.ok(analysis.statements.at(-1)?.facts.effects.includes('delete-all'));
    const gone = await shop.analyse('PREPARE q AS SELECT 1; DEALLOCATE ALL; EXECUTE p', {
      prepared: () => change.statement,
    });
    assert.equal(gone.statements.at(-1)?.facts.analysis, 'opaque');
  });

  it('knows no name behind what was not seen through', async () => {
    for (const between of ["DO $$ BEGIN EXECUTE 'DEALLOCATE p' ; END $$", 'SELECT wipe()']) {
      const run = await last(`PREPARE p AS SELECT 1; ${between}; EXECUTE p`);
      assert.equal(run?.facts.analysis, 'opaque', between);
    }
  });
});
