/**
 * The CEL functions that conditions may call. Short on purpose: each is total, linear in its
 * input, and gives no more memory back than it was given. Operators and the macros `has`, `all`,
 * `exists`, `exists_one`, `map` and `filter` come with the language.
 */
import type { InputType } from './inputs.ts';

/** The form and the result of one function. */
export interface FunctionForm {
  /** Receiver's type for `value.name()`, undefined for `name(value)`. */
  readonly receiver: InputType['kind'] | 'sized' | undefined;
  readonly arguments: readonly [least: number, most: number];
  readonly result: InputType;
  /** One line for the reference page. */
  readonly doc: string;
}

const text: InputType = { kind: 'string' };
const int: InputType = { kind: 'int' };
const bool: InputType = { kind: 'bool' };

const form = (
  receiver: FunctionForm['receiver'],
  count: readonly [number, number],
  result: InputType,
  doc: string,
): FunctionForm => ({ receiver, arguments: count, result, doc });

const ofTime = (doc: string): FunctionForm =>
  form('timestamp', [0, 1], int, `${doc}; takes a time zone such as \`'Europe/Berlin'\``);

/** Functions by name; a name may have a form with and one without a receiver. */
export const functions: ReadonlyMap<string, readonly FunctionForm[]> = new Map([
  [
    'size',
    [
      form('sized', [0, 0], int, 'length of a string, list or map'),
      form(undefined, [1, 1], int, 'the same'),
    ],
  ],
  ['contains', [form('string', [1, 1], bool, 'whether the string has this part')]],
  ['startsWith', [form('string', [1, 1], bool, 'whether the string begins so')]],
  ['endsWith', [form('string', [1, 1], bool, 'whether the string ends so')]],
  [
    'matches',
    [form('string', [1, 1], bool, 'RE2 pattern, a literal, found anywhere in the string')],
  ],
  ['lowerAscii', [form('string', [0, 0], text, 'A to Z in lower case')]],
  ['upperAscii', [form('string', [0, 0], text, 'a to z in upper case')]],
  ['indexOf', [form('string', [1, 2], int, 'position of a part, -1 when absent')]],
  ['substring', [form('string', [1, 2], text, 'part of the string')]],
  ['trim', [form('string', [0, 0], text, 'without white space at both ends')]],
  ['int', [form(undefined, [1, 1], int, 'as a whole number')]],
  ['double', [form(undefined, [1, 1], { kind: 'double' }, 'as a floating-point number')]],
  ['string', [form(undefined, [1, 1], text, 'as a string')]],
  ['timestamp', [form(undefined, [1, 1], { kind: 'timestamp' }, 'from RFC 3339 text')]],
  ['duration', [form(undefined, [1, 1], { kind: 'duration' }, "from text such as `'90m'`")]],
  ['getFullYear', [ofTime('year')]],
  ['getMonth', [ofTime('month, 0 to 11')]],
  ['getDate', [ofTime('day of the month, 1 to 31')]],
  ['getDayOfWeek', [ofTime('day of the week, 0 is Sunday')]],
  ['getHours', [ofTime('hour, 0 to 23')]],
  ['getMinutes', [ofTime('minute, 0 to 59')]],
]);
