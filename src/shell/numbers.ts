/**
 * Arithmetic and `[[ … ]]`. Bash evaluates a variable's text as arithmetic, subscripts and the
 * substitutions in them included, so only numbers are certain to be numbers.
 */
import type { ArithmeticExpression, TestExpression, Word } from 'unbash';
import type { Argument } from './arguments.ts';

/**
 * Whether an expression has numbers, operators and variables that are known to be numbers in it,
 * and nothing else.
 */
export function isPlainArithmetic(
  expression: ArithmeticExpression | undefined,
  numbers: ReadonlySet<string>,
): boolean {
  if (expression === undefined) return false;
  const plain = (part: ArithmeticExpression): boolean => isPlainArithmetic(part, numbers);
  switch (expression.type) {
    case 'ArithmeticBinary':
      return plain(expression.left) && plain(expression.right);
    case 'ArithmeticUnary':
      return plain(expression.operand);
    case 'ArithmeticTernary':
      return plain(expression.test) && plain(expression.consequent) && plain(expression.alternate);
    case 'ArithmeticGroup':
      return plain(expression.expression);
    case 'ArithmeticWord': {
      if (/^(0|[1-9][0-9]{0,17})$/.test(expression.value)) return true;
      const name = /^(?:\$?([A-Za-z]\w*)|\$\{([A-Za-z]\w*)\})$/.exec(expression.value);
      return name !== null && numbers.has(name[1] ?? name[2] ?? '');
    }
    case 'ArithmeticCommandExpansion':
      return false;
    default:
      return expression satisfies never;
  }
}

/** The variables that an expression surely assigns: `i = 0`, and several of them with commas. */
export function assignedIn(expression: ArithmeticExpression | undefined): readonly string[] {
  if (expression?.type !== 'ArithmeticBinary') return [];
  const { operator, left, right } = expression;
  if (operator === ',') return [...assignedIn(left), ...assignedIn(right)];
  return operator === '=' && left.type === 'ArithmeticWord' ? [left.value] : [];
}

/**
 * Whether the text of an expression is arithmetic for every shell. With parentheses that do not
 * match, bash reads commands in subshells instead.
 */
export function isArithmeticText(text: string): boolean {
  if (!/^[\w\s$+\-*/%<>=!&|^~?:(),{}]*$/.test(text)) return false;
  let depth = 0;
  for (const char of text) {
    if (char === '(') depth += 1;
    if (char === ')') depth -= 1;
    if (depth < 0) return false;
  }
  return depth === 0;
}

/** What a `[[ … ]]` is read with. */
export interface TestReader {
  word(word: Word): Argument;
  /** Whether a word is surely a number, and no text that would be evaluated. */
  isNumber(word: Word, value: Argument): boolean;
  /** A path that the test looks at. */
  look(argument: Argument): void;
  doubt(reason: string): void;
}

/** Unary operators that look at a file. */
export const fileTests: ReadonlySet<string> = new Set(
  'a b c d e f g h k L N O G p r s S u w x'.split(' ').map((letter) => `-${letter}`),
);

/** Operators of `[[` that compare numbers: both sides are evaluated. */
const numberTests: ReadonlySet<string> = new Set(['-eq', '-ne', '-lt', '-le', '-gt', '-ge']);

const textTests: ReadonlySet<string> = new Set(['=', '==', '!=', '<', '>', '=~']);

/** Looks at a test; `[[` splits and globs nothing, so any text will do for its text operators. */
export function readTest(expression: TestExpression, reader: TestReader): void {
  switch (expression.type) {
    case 'TestUnary':
      readUnary(expression.operator, expression.operand, reader);
      return;
    case 'TestBinary': {
      const { operator } = expression;
      const { left, right } = expression;
      const sides = [left, right].map((word): readonly [Word, Argument] => [
        word,
        reader.word(word),
      ]);
      if (textTests.has(operator)) return;
      if (!numberTests.has(operator)) reader.doubt(`the test ${operator}`);
      if (!sides.every(([word, value]) => reader.isNumber(word, value))) {
        reader.doubt('a comparison that evaluates text');
      }
      return;
    }
    case 'TestLogical':
      for (const operand of expression.operands) readTest(operand, reader);
      return;
    case 'TestNot':
      readTest(expression.operand, reader);
      return;
    case 'TestGroup':
      readTest(expression.expression, reader);
      return;
    default:
      expression satisfies never;
  }
}

function readUnary(operator: string, operand: Word, reader: TestReader): void {
  const argument = reader.word(operand);
  if (operator === '-n' || operator === '-z') return;
  if (fileTests.has(operator)) {
    reader.look(argument);
    return;
  }
  // `-v` and `-R` evaluate a subscript.
  if (operator !== '-t') reader.doubt(`the test ${operator}`);
}
