/** The dice repeat themselves, and what they made shrinks to what matters. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Dice, shrink } from './dice.ts';

describe('dice', () => {
  it('fall the same way for the same seed, and for the same choices', () => {
    const first = Dice.seeded(7);
    const fell = Array.from({ length: 50 }, () => first.below(10));
    const again = Dice.seeded(7);
    assert.deepEqual(
      fell,
      fell.map(() => again.below(10)),
    );
    const replayed = Dice.replaying(first.choices);
    assert.deepEqual(
      fell,
      fell.map(() => replayed.below(10)),
    );
    assert.equal(replayed.below(10), 0);
    assert.ok(new Set(fell).size > 5);
  });

  it('shrink a list of choices to those that fail', async () => {
    const choices = Array.from({ length: 200 }, (_, at) => at % 10);
    const fails = async (list: readonly number[]): Promise<boolean> =>
      list.filter((one) => one === 9).length >= 2;
    assert.deepEqual(await shrink(choices, fails, 1_000), [9, 9]);
  });
});
