/** Comparing runs the code of operator classes: where it can, and only there, that is said. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openShop, type Shop } from '../../../../test/support/sql-shop.ts';

const oddClass = `
  CREATE FUNCTION odd_cmp(macaddr, macaddr) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
    'BEGIN PERFORM wipe(); RETURN 0; END';
  CREATE OPERATOR <<< (LEFTARG = macaddr, RIGHTARG = macaddr, FUNCTION = macaddr_lt);
  CREATE OPERATOR CLASS odd_ops FOR TYPE macaddr USING btree AS
    OPERATOR 1 <<<, FUNCTION 1 odd_cmp(macaddr, macaddr);
  CREATE TABLE cards (id int, address macaddr);`;

describe('an operator class that runs code', () => {
  let shop: Shop;
  before(async () => {
    shop = await openShop(18, undefined, oddClass);
  });
  after(() => shop.stop());

  for (const sql of [
    'SELECT id FROM cards ORDER BY address USING <<<',
    'SELECT id FROM cards ORDER BY address',
    'SELECT id FROM cards WHERE address = $1',
    'SELECT $1 = $2',
    'SELECT id FROM cards ORDER BY $1',
  ]) {
    it(`may run: ${sql}`, async () => {
      assert.notEqual((await shop.one(sql)).facts.analysis, 'complete');
    });
  }

  for (const sql of [
    'SELECT id FROM orders WHERE id = $1 AND total > $2 AND note LIKE $3 AND id = ANY ($4)',
    'SELECT id FROM orders WHERE status IN ($1, $2) ORDER BY id',
    'SELECT id FROM cards WHERE id = $1',
  ]) {
    it(`cannot run: ${sql}`, async () => {
      const { facts } = await shop.one(sql);
      assert.equal(facts.analysis, 'complete', facts.reasons.join('; '));
    });
  }
});
