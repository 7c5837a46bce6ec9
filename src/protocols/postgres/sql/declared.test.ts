/** Types that a client declares for parameters can change what a statement does. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openShop, type Shop } from '../../../../test/support/sql-shop.ts';
import { withDeclared } from './declared.ts';
import { int4Type } from './type-oids.ts';

const float8Type = 701;
const bpcharType = 1042;

describe('declared types of parameters', () => {
  let shop: Shop;
  before(async () => {
    shop = await openShop(18, undefined, 'CREATE TYPE pair AS (n hostile)');
  });
  after(() => shop.stop());

  const typed = async (sql: string, types: readonly number[]) =>
    withDeclared(await shop.one(sql), types, shop.catalogue).facts;
  const numberOf = (name: string): number => {
    const type = shop.catalogue.type('public', name);
    assert.ok(type !== undefined, name);
    return type.oid;
  };

  it('changes nothing where the text says the same', async () => {
    for (const type of [0, int4Type]) {
      const facts = await typed('DELETE FROM notes WHERE id = $1', [type]);
      assert.equal(facts.analysis, 'complete');
      assert.equal(facts.rowsChangedMax, 1);
    }
    const facts = await typed('SELECT $1', [numberOf('size')]);
    assert.equal(facts.analysis, 'complete');
  });

  it('leaves a bound that does not rest on the parameter', async () => {
    for (const sql of [
      'UPDATE orders SET total = $1, note = $3 WHERE id = $2',
      'UPDATE orders SET note = $3 WHERE id = $2 AND total > $1',
    ]) {
      const facts = await typed(sql, [float8Type, int4Type, 25]);
      assert.equal(facts.rowsChangedMax, 1, sql);
    }
  });

  it('says that reading a value runs code', async () => {
    for (const name of ['hostile', 'pair', 'small']) {
      const facts = await typed('SELECT $1', [0, numberOf(name)]);
      assert.equal(facts.analysis, 'partial', name);
      assert.ok(facts.effects.includes('execute-code'), name);
    }
  });

  it('takes away a bound that only other types keep', async () => {
    for (const type of [float8Type, bpcharType, numberOf('size')]) {
      const facts = await typed('DELETE FROM notes WHERE id = $1', [type]);
      assert.equal(facts.rowsChangedMax, undefined, String(type));
    }
  });
});
