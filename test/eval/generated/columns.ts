/** Names of columns as different schools write them. */
import type { Dice } from '../../fuzz/dice.ts';
import { oneOf } from './chance.ts';

const PREFIXES =
  'customer cust emp employee user usr patient client member acct contact person owner pri sec p c u tbl src stg legacy'.split(
    ' ',
  );
const capital = (word: string): string => word.slice(0, 1).toUpperCase() + word.slice(1);

/** One of `names` (comma separated), in some case, sometimes with an owner in front. */
export function columnName(dice: Dice, names: string): string {
  const words = oneOf(dice, names.split(', ')).split(' ');
  if (dice.chance(25)) words.unshift(oneOf(dice, PREFIXES));
  if (dice.chance(8)) words.push(oneOf(dice, ['1', '2', 'new', 'old', 'txt', 'enc']));
  const forms: readonly string[] = [
    words.join('_'),
    words.join('_'),
    words.join('_').toUpperCase(),
    words.map((word, at) => (at === 0 ? word : capital(word))).join(''),
    words.map(capital).join(''),
    words.join('-'),
    words.join('.'),
    words.map(capital).join(' '),
    words.join(''),
  ];
  return oneOf(dice, forms);
}

/** Columns that say nothing. */
export const neutralColumn = (dice: Dice): string =>
  oneOf(
    dice,
    'value data field1 col_7 ?column? result text attr info extra max v content payload'.split(' '),
  );
