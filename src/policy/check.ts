/**
 * Checks a parsed CEL expression before it ever runs: names, fields, functions, types as far as
 * they are known, and words against the sets that their inputs allow. CEL itself finds out about a
 * misspelled field only when a command arrives, and a misspelled word never.
 *
 * The same walk learns which inputs the expression reads (the verdict cache depends on it) and how
 * deep its loops nest (its cost depends on it). What the walk does not know, it refuses.
 */
import type { parse } from '@bufbuild/cel';
import { policyLimits } from '#core/limits.ts';
import { type FunctionForm, functions } from './functions.ts';
import type { Fields, InputType } from './inputs.ts';
import { patternFault } from './patterns.ts';
import { didYouMean } from './problems.ts';

/** The syntax tree, as `@bufbuild/cel` gives it. */
export type Expr = ReturnType<typeof parse>['expr'];
type ExprKind = Expr['exprKind'];
type Of<Case extends ExprKind['case']> = Extract<ExprKind, { readonly case: Case }>;
type Call = Of<'callExpr'>['value'];
type Comprehension = Of<'comprehensionExpr'>['value'];

/** A mistake; `offset` counts characters from the start of the expression. */
export interface Fault {
  readonly offset: number;
  readonly message: string;
}

export interface Checked {
  readonly faults: readonly Fault[];
  /** Paths of the inputs that it reads, for example `facts.effects`; a whole object is its name. */
  readonly reads: ReadonlySet<string>;
  /** How deep loops over lists of unknown length nest. */
  readonly loops: number;
}

/** The type of a part, and its path when it is an input or a field of one. */
interface Typed {
  readonly type: InputType;
  readonly path?: string;
}

type Scope = ReadonlyMap<string, InputType>;

const dyn: InputType = { kind: 'dyn' };
const bool: InputType = { kind: 'bool' };
const unknownPart: Typed = { type: dyn };

const comparisons: ReadonlySet<string> = new Set(['_<_', '_<=_', '_>_', '_>=_']);
const arithmetic: ReadonlySet<string> = new Set(['_+_', '_-_', '_*_', '_/_', '_%_', '-_']);

/** Checks an expression that must give true or false. */
export function checkExpression(
  expr: Expr,
  positions: Readonly<Record<string, number>>,
  inputs: Fields,
): Checked {
  const checker = new Checker(positions, inputs);
  checker.boolean(expr, new Map(), 'a condition');
  return checker;
}

class Checker implements Checked {
  readonly faults: Fault[] = [];
  readonly reads: Set<string> = new Set();
  loops = 0;
  readonly #positions: Readonly<Record<string, number>>;
  readonly #inputs: Fields;
  #loopsNow = 0;
  #depth = 0;

  constructor(positions: Readonly<Record<string, number>>, inputs: Fields) {
    this.#positions = positions;
    this.#inputs = inputs;
  }

  boolean(expr: Expr | undefined, scope: Scope, what: string): void {
    const { type } = this.#value(expr, scope);
    if (expr !== undefined && type.kind !== 'bool' && type.kind !== 'dyn') {
      this.#fault(expr, `${what} must be true or false, this is ${nameOf(type)}`);
    }
  }

  #fault(expr: Expr, message: string): Typed {
    this.faults.push({ offset: this.#positions[expr.id.toString()] ?? 0, message });
    return unknownPart;
  }

  /** Infers a part whose value is used, so that its input counts as read. */
  #value(expr: Expr | undefined, scope: Scope): Typed {
    const typed = this.#infer(expr, scope);
    if (typed.path !== undefined) this.reads.add(typed.path);
    return typed;
  }

  #infer(expr: Expr | undefined, scope: Scope): Typed {
    if (expr === undefined) return unknownPart;
    this.#depth += 1;
    try {
      // The walk ends here, so what lies deeper stays unseen: that is a fault, not a pass.
      if (this.#depth > policyLimits.conditionDepthMax) {
        return this.#fault(expr, 'the expression nests too deep');
      }
      return this.#inferKind(expr, scope);
    } finally {
      this.#depth -= 1;
    }
  }

  #inferKind(expr: Expr, scope: Scope): Typed {
    const { exprKind } = expr;
    switch (exprKind.case) {
      case 'constExpr':
        return { type: literalType(exprKind.value) };
      case 'identExpr':
        return this.#identifier(expr, exprKind.value.name, scope);
      case 'selectExpr':
        return this.#select(expr, exprKind.value, scope);
      case 'callExpr':
        return this.#call(expr, exprKind.value, scope);
      case 'listExpr':
        return { type: this.#list(exprKind.value.elements, scope) };
      case 'comprehensionExpr':
        return this.#comprehension(expr, exprKind.value, scope);
      case 'structExpr':
      case undefined:
      default:
        return this.#fault(expr, 'this form is not supported in conditions');
    }
  }

  #identifier(expr: Expr, name: string, scope: Scope): Typed {
    const local = scope.get(name);
    if (local !== undefined) return { type: local };
    const input = this.#inputs.get(name);
    if (input !== undefined) return { type: input.type, path: name };
    const known = [...scope.keys(), ...this.#inputs.keys()];
    return this.#fault(expr, `unknown name '${name}'${didYouMean(name, known)}`);
  }

  #select(expr: Expr, select: Of<'selectExpr'>['value'], scope: Scope): Typed {
    const operand = this.#infer(select.operand, scope);
    const field = this.#field(expr, operand, select.field);
    return select.testOnly ? { type: bool, ...(field.path && { path: field.path }) } : field;
  }

  #field(expr: Expr, operand: Typed, name: string): Typed {
    const { type } = operand;
    if (type.kind === 'object') {
      const field = type.fields.get(name);
      if (field === undefined) {
        const owner = operand.path === undefined ? '' : ` of '${operand.path}'`;
        const hint = didYouMean(name, type.fields.keys());
        return this.#fault(expr, `unknown field '${name}'${owner}${hint}`);
      }
      return operand.path === undefined
        ? { type: field.type }
        : { type: field.type, path: `${operand.path}.${name}` };
    }
    if (operand.path !== undefined) this.reads.add(operand.path);
    if (type.kind === 'map') return { type: type.of };
    if (type.kind === 'dyn') return unknownPart;
    return this.#fault(expr, `${nameOf(type)} has no field '${name}'`);
  }

  #call(expr: Expr, call: Call, scope: Scope): Typed {
    switch (call.function) {
      case '_&&_':
      case '_||_':
      case '!_':
      case '@not_strictly_false':
        for (const arg of call.args) this.boolean(arg, scope, `each side of '${symbol(call)}'`);
        return { type: bool };
      case '_==_':
      case '_!=_':
        return this.#equality(expr, call, scope);
      case '@in':
        return this.#membership(expr, call, scope);
      case '_[_]':
        return this.#index(expr, call, scope);
      case '_?_:_':
        this.boolean(call.args[0], scope, "what stands before '?'");
        return {
          type: join(this.#value(call.args[1], scope).type, this.#value(call.args[2], scope).type),
        };
      default:
        break;
    }
    if (comparisons.has(call.function) || arithmetic.has(call.function)) {
      return this.#operator(expr, call, scope);
    }
    return this.#function(expr, call, scope);
  }

  #equality(expr: Expr, call: Call, scope: Scope): Typed {
    const left = this.#value(call.args[0], scope).type;
    const right = this.#value(call.args[1], scope).type;
    if (!comparable(left, right)) {
      this.#fault(expr, `${nameOf(left)} never equals ${nameOf(right)}`);
    }
    this.#words(expr, left, right);
    this.#words(expr, right, left);
    return { type: bool };
  }

  #membership(expr: Expr, call: Call, scope: Scope): Typed {
    const left = this.#value(call.args[0], scope).type;
    const right = this.#value(call.args[1], scope).type;
    if (right.kind === 'list') {
      // `in` goes through the list too.
      const counts = call.args[1]?.exprKind.case !== 'listExpr' ? 1 : 0;
      this.loops = Math.max(this.loops, this.#loopsNow + counts);
      if (!comparable(left, right.of)) {
        this.#fault(expr, `a list of ${nameOf(right.of)} never holds ${nameOf(left)}`);
      }
      this.#words(expr, left, right.of);
      this.#words(expr, right.of, left);
    } else if (right.kind !== 'map' && right.kind !== 'dyn') {
      this.#fault(expr, `'in' needs a list or a map, not ${nameOf(right)}`);
    }
    return { type: bool };
  }

  /** Words written in the expression must be among those that the input can have. */
  #words(expr: Expr, written: InputType, allowed: InputType): void {
    if (written.kind !== 'string' || written.literal === undefined) return;
    if (allowed.kind !== 'string' || allowed.literal === true) return;
    if (allowed.values === undefined) return;
    for (const word of written.values ?? []) {
      if (allowed.values.includes(word)) continue;
      const hint =
        didYouMean(word, allowed.values) || `; it is one of ${allowed.values.join(', ')}`;
      this.#fault(expr, `'${word}' is not a value that can occur here${hint}`);
    }
  }

  #index(expr: Expr, call: Call, scope: Scope): Typed {
    const operand = this.#infer(call.args[0], scope);
    const index = this.#value(call.args[1], scope).type;
    if (operand.type.kind === 'object') {
      const name = index.kind === 'string' && index.literal ? index.values?.[0] : undefined;
      if (name === undefined) return this.#fault(expr, 'a field must be named by a literal');
      return this.#field(expr, operand, name);
    }
    if (operand.path !== undefined) this.reads.add(operand.path);
    if (operand.type.kind === 'list' || operand.type.kind === 'map')
      return { type: operand.type.of };
    if (operand.type.kind === 'dyn') return unknownPart;
    return this.#fault(expr, `${nameOf(operand.type)} cannot be indexed`);
  }

  #operator(expr: Expr, call: Call, scope: Scope): Typed {
    const types = call.args.map((arg) => this.#value(arg, scope).type);
    const left = types[0] ?? dyn;
    const right = types[1] ?? left;
    if (comparisons.has(call.function)) {
      if (!ordered(left, right)) {
        this.#fault(expr, `${nameOf(left)} and ${nameOf(right)} have no order`);
      }
      return { type: bool };
    }
    const isTime = [left, right].some(({ kind }) => kind === 'timestamp' || kind === 'duration');
    if (isTime) return { type: dyn };
    if (call.function === '_+_' && left.kind === 'list' && right.kind === 'list') {
      return { type: { kind: 'list', of: join(left.of, right.of) } };
    }
    if (left.kind === 'dyn' || right.kind === 'dyn') return unknownPart;
    const numbers = left.kind === 'int' || left.kind === 'double';
    const texts = call.function === '_+_' && left.kind === 'string';
    if (left.kind !== right.kind || !(numbers || texts)) {
      const what = `${nameOf(left)} and ${nameOf(right)}`;
      return this.#fault(expr, `'${symbol(call)}' does not work on ${what}`);
    }
    return { type: texts ? { kind: 'string' } : left };
  }

  #function(expr: Expr, call: Call, scope: Scope): Typed {
    const receiver = call.target === undefined ? undefined : this.#value(call.target, scope).type;
    for (const arg of call.args) this.#value(arg, scope);
    const forms = functions.get(call.function);
    if (forms === undefined) {
      const hint = didYouMean(call.function, [
        ...functions.keys(),
        'has',
        'all',
        'exists',
        'filter',
      ]);
      return this.#fault(expr, `unknown function '${call.function}'${hint}`);
    }
    const form = forms.find((each) => fits(each, receiver, call.args.length));
    if (form === undefined) {
      const on = receiver === undefined ? '' : ` on ${nameOf(receiver)}`;
      const count = `${call.args.length} argument${call.args.length === 1 ? '' : 's'}`;
      return this.#fault(expr, `'${call.function}' cannot be called so${on} with ${count}`);
    }
    if (call.function === 'matches') this.#pattern(expr, call.args[0], scope);
    return { type: form.result };
  }

  /** A pattern that a command could supply would let its sender choose the work of the judge. */
  #pattern(expr: Expr, pattern: Expr | undefined, scope: Scope): void {
    const { type } = this.#infer(pattern, scope);
    if (type.kind !== 'string' || type.literal === undefined) {
      this.#fault(expr, 'the pattern of matches() must be a literal');
      return;
    }
    for (const word of type.values ?? []) {
      const fault = patternFault(word);
      if (fault !== undefined) this.#fault(expr, fault);
    }
  }

  #list(elements: readonly Expr[], scope: Scope): InputType {
    const types = elements.map((element) => this.#value(element, scope).type);
    const [first, ...rest] = types;
    return { kind: 'list', of: first === undefined ? dyn : rest.reduce(join, first) };
  }

  #comprehension(expr: Expr, loop: Comprehension, scope: Scope): Typed {
    const { type } = this.#value(loop.iterRange, scope);
    if (type.kind !== 'list' && type.kind !== 'map' && type.kind !== 'dyn') {
      return this.#fault(expr, `${nameOf(type)} has no elements to go through`);
    }
    if (this.#inputs.has(loop.iterVar) || scope.has(loop.iterVar)) {
      return this.#fault(expr, `'${loop.iterVar}' hides another name; choose a new one`);
    }
    const element = type.kind === 'list' ? type.of : type.kind === 'map' ? textType : dyn;
    // A list written in the expression is as long as the expression; only others cost.
    const counts = loop.iterRange?.exprKind.case !== 'listExpr';
    if (counts) this.#loopsNow += 1;
    this.loops = Math.max(this.loops, this.#loopsNow);
    if (this.#loopsNow > policyLimits.conditionLoopsMax) {
      this.#fault(expr, `more than ${policyLimits.conditionLoopsMax} loops inside one another`);
    }
    const first = this.#value(loop.accuInit, scope).type;
    const inside = new Map(scope).set(loop.iterVar, element).set(loop.accuVar, first);
    this.#value(loop.loopCondition, inside);
    const step = this.#value(loop.loopStep, inside).type;
    if (counts) this.#loopsNow -= 1;
    return this.#value(loop.result, new Map(scope).set(loop.accuVar, join(first, step)));
  }
}

const textType: InputType = { kind: 'string' };

function literalType(constant: Of<'constExpr'>['value']): InputType {
  const { constantKind } = constant;
  switch (constantKind.case) {
    case 'stringValue':
      return { kind: 'string', values: [constantKind.value], literal: true };
    case 'boolValue':
      return bool;
    case 'int64Value':
    case 'uint64Value':
      return { kind: 'int' };
    case 'doubleValue':
      return { kind: 'double' };
    case 'nullValue':
      return { kind: 'null' };
    case 'bytesValue':
    case 'durationValue':
    case 'timestampValue':
    case undefined:
    default:
      return dyn;
  }
}

/** What two branches have in common. */
function join(left: InputType, right: InputType): InputType {
  if (left.kind === 'list' && right.kind === 'list') {
    return { kind: 'list', of: join(left.of, right.of) };
  }
  // `dyn` stands for "no element yet" here: the accumulator of map and filter starts empty.
  if (left.kind === 'dyn') return right;
  if (right.kind === 'dyn' || left === right) return left;
  if (left.kind === 'string' && right.kind === 'string') {
    if (left.literal === undefined || right.literal === undefined) return textType;
    return {
      kind: 'string',
      values: [...(left.values ?? []), ...(right.values ?? [])],
      literal: true,
    };
  }
  return left.kind === right.kind && left.kind !== 'object' && left.kind !== 'map' ? left : dyn;
}

const isNumber = (type: InputType): boolean => type.kind === 'int' || type.kind === 'double';

function comparable(left: InputType, right: InputType): boolean {
  if (left.kind === 'dyn' || right.kind === 'dyn') return true;
  if (left.kind === 'list' && right.kind === 'list') return comparable(left.of, right.of);
  return left.kind === right.kind || (isNumber(left) && isNumber(right));
}

function ordered(left: InputType, right: InputType): boolean {
  if (left.kind === 'dyn' || right.kind === 'dyn') return true;
  if (isNumber(left) && isNumber(right)) return true;
  if (left.kind !== right.kind) return false;
  return left.kind === 'string' || left.kind === 'timestamp' || left.kind === 'duration';
}

function fits(form: FunctionForm, receiver: InputType | undefined, count: number): boolean {
  const [least, most] = form.arguments;
  if (count < least || count > most) return false;
  if (receiver === undefined || form.receiver === undefined) {
    return (receiver === undefined) === (form.receiver === undefined);
  }
  if (receiver.kind === 'dyn') return true;
  if (form.receiver === 'sized') return ['string', 'list', 'map'].includes(receiver.kind);
  return receiver.kind === form.receiver;
}

function nameOf(type: InputType): string {
  switch (type.kind) {
    case 'string':
      return type.literal && type.values?.length === 1 ? `'${type.values[0]}'` : 'a string';
    case 'int':
      return 'a whole number';
    case 'double':
      return 'a number';
    case 'bool':
      return 'true or false';
    case 'timestamp':
      return 'a time';
    case 'duration':
      return 'a duration';
    case 'null':
      return 'null';
    case 'list':
      return 'a list';
    case 'map':
      return 'a map';
    case 'object':
      return 'an object';
    case 'dyn':
      return 'a value';
  }
}

/** `_==_` as it is written. */
const symbol = (call: Call): string => call.function.replaceAll('_', '').replace('@', '');
