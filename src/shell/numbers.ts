/**
 * Arithmetic and `[[ … ]]`. Bash evaluates a variable's text as arithmetic, subscripts and the
 * substitutions in them included, so only numbers are certain to be numbers.
 */
import type { ArithmeticExpression, TestExpression, Word } from 'unbash';
import type { Argument } from './arguments.ts';

/** Whether an expression has numbers and operators in it and nothing else. */
export function isPlainArithmetic(expression: ArithmeticExpression | undefined): boolean {
  if (expression === undefined) return false;
  switch (expression.type) {
    case 'ArithmeticBinary':
      return (
        !/^([*/%+&^|-]|<<|>>)?=$/.test(expression.operator) &&
        isPlainArithmetic(expression.left) &&
        isPlainArithmetic(expression.right)
      );
    case 'ArithmeticUnary':
      return /^[-+!~]$/.test(expression.operator) && isPlainArithmetic(expression.operand);
    case 'ArithmeticTernary':
      return (
        isPlainArithmetic(expression.test) &&
        isPlainArithmetic(expression.consequent) &&
        isPlainArithmetic(expression.alternate)
      );
    case 'ArithmeticGroup':
      return isPlainArithmetic(expression.expression);
    case 'ArithmeticWord':
      return /^(0|[1-9][0-9]{0,17})$/.test(expression.value);
    case 'ArithmeticCommandExpansion':
      return false;
    default:
      return expression satisfies never;
  }
}

/** What a `[[ … ]]` is read with. */
export interface TestReader {
  word(word: Word): Argument;
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
      const sides = [reader.word(expression.left), reader.word(expression.right)];
      if (textTests.has(operator)) return;
      if (!numberTests.has(operator)) reader.doubt(`the test ${operator}`);
      if (!sides.every((side) => side.kind === 'text' && /^-?(0|[1-9]\d{0,17})$/.test(side.text))) {
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
