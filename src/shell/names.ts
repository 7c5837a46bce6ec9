/**
 * What the whole tree of a text says of its names, before it is walked: a variable that is assigned
 * at one place holds what that place says, one that is only ever given numbers is a number.
 */
import {
  type ArithmeticExpression,
  type Assignment,
  forEachChild,
  type Script,
  type SyntaxNode,
  type Word,
} from 'unbash';
import { coversText } from './coverage.ts';
import { Unreadable } from './ledger.ts';
import { isPlainArithmetic } from './numbers.ts';
import { isPlainName } from './scope.ts';

/** What is known of the names in one text. */
export interface Names {
  /** Variables whose content depends on the course of the script. */
  readonly changing: ReadonlySet<string>;
  /** Variables that hold numbers, wherever they are assigned. */
  readonly numbers: ReadonlySet<string>;
  /** Functions that are defined more than once. */
  readonly redefined: ReadonlySet<string>;
}

/** Of a text that assigns and defines nothing. */
export const noNames: Names = { changing: new Set(), numbers: new Set(), redefined: new Set() };

/** What a variable is given at one place; undefined when that may be no number. */
type Given = 'a number' | ArithmeticExpression | undefined;

/**
 * Looks at the whole tree.
 *
 * @throws Unreadable when a script within it has errors, or a tree leaves out some of its text.
 */
export function readNames(script: Script, text: string): Names {
  const found = new Found();
  const todo: Visit[] = [{ node: script, source: text, inFunction: false }];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const { node } = next;
    const source = node.type === 'Script' ? (node.source ?? next.source) : next.source;
    if (node.type === 'Script') {
      const broken = 'errors' in node && node.errors !== undefined;
      if (broken || !coversText(node, source)) throw new Unreadable('not a shell command');
    }
    found.look(node, next.inFunction);
    const inFunction = next.inFunction || node.type === 'Function';
    forEachChild(node, (child) => {
      todo.push({ node: child, source, inFunction });
    });
  }
  return found.names();
}

interface Visit {
  readonly node: SyntaxNode;
  readonly source: string;
  readonly inFunction: boolean;
}

class Found {
  readonly #given = new Map<string, Given[]>();
  readonly #changing = new Set<string>();
  readonly #functions = new Set<string>();
  readonly #redefined = new Set<string>();
  /** Assignments of `local`, which begin anew with each call of their function. */
  readonly #local = new Set<SyntaxNode>();

  look(node: SyntaxNode, inFunction: boolean): void {
    if (node.type === 'Assignment') {
      this.#note(node.name, givenBy(node), inFunction && !this.#local.has(node));
    }
    if (node.type === 'For') {
      const numbers = node.wordlist?.every(isNumbers) === true;
      this.#note(node.name.value, numbers ? 'a number' : undefined, inFunction);
    }
    if (node.type === 'Command') {
      const name = node.name?.value;
      for (const word of node.args) {
        if (name === 'read' && word.type === 'Word') this.#note(word.value, undefined, inFunction);
        if (name === 'local') this.#local.add(word);
      }
    }
    if (node.type === 'ArithmeticUnary' && /^(\+\+|--)$/.test(node.operator)) {
      this.#noteOperand(node.operand);
    }
    if (node.type === 'ArithmeticBinary' && isAssigning(node.operator)) {
      this.#noteOperand(node.left);
    }
    if (node.type === 'Function') {
      const { value } = node.name;
      (this.#functions.has(value) ? this.#redefined : this.#functions).add(value);
    }
  }

  /** What arithmetic assigns is a number, or else there is a doubt where it stands. */
  #noteOperand(operand: ArithmeticExpression): void {
    if (operand.type !== 'ArithmeticWord') return;
    this.#note(operand.value, isPlainName(operand.value) ? 'a number' : undefined, true);
  }

  #note(name: string, given: Given, again: boolean): void {
    const before = this.#given.get(name) ?? [];
    this.#given.set(name, [...before.slice(0, 20), before.length > 20 ? undefined : given]);
    if (again || before.length > 0) this.#changing.add(name);
  }

  names(): Names {
    const numbers = new Set(this.#given.keys());
    for (let before = -1; before !== numbers.size; ) {
      before = numbers.size;
      for (const name of numbers) {
        if (!this.#given.get(name)?.every((given) => isNumber(given, numbers)))
          numbers.delete(name);
      }
    }
    return { changing: this.#changing, numbers, redefined: this.#redefined };
  }
}

function isNumber(given: Given, numbers: ReadonlySet<string>): boolean {
  if (given === undefined || given === 'a number') return given !== undefined;
  return isPlainArithmetic(given, numbers);
}

function givenBy({ value, append, index }: Assignment): Given {
  if (value.type === 'ArrayValue' || append === true || index !== undefined) return undefined;
  if (isNumbers(value)) return 'a number';
  const [part] = value.parts ?? [];
  const lone = value.parts?.length === 1 && part?.type === 'ArithmeticExpansion';
  return lone ? part.expression : undefined;
}

const isNumbers = (word: Word): boolean =>
  /^(0|-?[1-9]\d{0,8}|\{\d{1,5}\.\.\d{1,5}\})$/.test(word.text);

/** Whether an operator of arithmetic assigns its left side. */
const isAssigning = (operator: string): boolean => /^([*/%+&^|-]|<<|>>)?=$/.test(operator);
