/** Values from a template and a seed. */
import type { Dice } from '../../fuzz/dice.ts';

/** Makes one value. */
export type Maker = (dice: Dice) => string;

const UPPER = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const DIGITS = '0123456789';
/** What the signs of a template stand for; every other sign is itself. */
const SIGNS: Readonly<Record<string, string>> = {
  '#': DIGITS,
  '^': UPPER,
  '~': UPPER.toLowerCase(),
  '¢': '0123456789abcdef',
  '¤': DIGITS + UPPER,
  '•': DIGITS + UPPER + UPPER.toLowerCase(),
  '°': `${DIGITS}${UPPER}${UPPER.toLowerCase()}_-`,
  '§': `${DIGITS}${UPPER}${UPPER.toLowerCase()}+/`,
  '¹': '123456789',
};

/** A value of a template: `#` a digit, `¹` not 0, `^` `~` letters, `¢` hexadecimal, `•` base 62. */
export function fill(dice: Dice, template: string): string {
  return Array.from(template, (sign) => {
    const set = SIGNS[sign];
    return set === undefined ? sign : (set[dice.below(set.length)] ?? '');
  }).join('');
}

/** One of `items`. */
export function oneOf<Item>(dice: Dice, items: readonly Item[]): Item {
  const item = items[dice.below(items.length)];
  if (item === undefined) throw new RangeError('nothing to choose from');
  return item;
}

/** Values of templates. */
export const like =
  (...templates: readonly string[]): Maker =>
  (dice) =>
    fill(dice, oneOf(dice, templates));

/** Values of templates for which a check holds; other code than ours computes it. */
export const valid =
  (isValid: (value: string) => boolean, ...templates: readonly string[]): Maker =>
  (dice) => {
    for (let tries = 0; tries < 200_000; tries += 1) {
      const value = fill(dice, oneOf(dice, templates));
      if (isValid(value)) return value;
    }
    throw new Error(`no valid value like ${templates.join(', ')}`);
  };

/** `count` times a sign of a template. */
export const times = (sign: string, count: number): string => sign.repeat(count);

const two = (value: number): string => String(value).padStart(2, '0');

/** A day between 1930 and 2009, as the format writes it: `YYYY`, `YY`, `MM`, `DD`, `Mon`. */
export function day(dice: Dice, format: string): string {
  const year = 1930 + dice.below(80);
  const month = 1 + dice.below(12);
  const months = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');
  const long =
    'January February March April May June July August September October November December'.split(
      ' ',
    );
  return format
    .replace('YYYY', String(year))
    .replace('YY', String(year).slice(2))
    .replace('MM', two(month))
    .replace('DD', two(1 + dice.below(28)))
    .replace('Month', long[month - 1] ?? '')
    .replace('Mon', months[month - 1] ?? '');
}
