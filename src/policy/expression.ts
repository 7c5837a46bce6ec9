/**
 * A condition: CEL text that was parsed, checked and planned at load, and that answers without ever
 * throwing. An error of CEL is a *value* (a truthy one), so the only answer that counts as true is
 * `=== true`; errors are reported as such, and the caller decides which way they fail.
 */
import { celEnv, type CelInput, isCelError, parse, plan, unparse } from '@bufbuild/cel';
import { strings } from '@bufbuild/cel/ext';
import { policyLimits } from '#core/limits.ts';
import type { Bindings } from './bindings.ts';
import { checkExpression, type Expr, type Fault } from './check.ts';
import { type Fields, inputs } from './inputs.ts';
import { patterns } from './patterns.ts';

/** `error` when it could not be evaluated, for example because a label is missing. */
export type Answer = true | false | 'error';

export interface Condition {
  readonly text: string;
  readonly reads: ReadonlySet<string>;
  readonly loops: number;
  evaluate(bindings: Bindings): Answer;
  /** The terms that must all hold, with their answers and, for errors, the reason. */
  explain(bindings: Bindings): readonly Term[];
}

export interface Term {
  readonly text: string;
  readonly answer: Answer;
  readonly error: string | undefined;
}

export type ConditionResult =
  | { readonly ok: true; readonly condition: Condition }
  | { readonly ok: false; readonly faults: readonly Fault[] };

const environment = celEnv({ funcs: strings, re2: patterns });

/**
 * Parses, checks and plans a condition.
 *
 * @param parameters - a template's parameters: their types and values, seen as `parameters.name`.
 */
export function compileCondition(
  text: string,
  parameters?: { readonly fields: Fields; readonly value: CelInput },
): ConditionResult {
  if (text.length > policyLimits.conditionCharsMax) {
    const message = `longer than ${policyLimits.conditionCharsMax} characters`;
    return { ok: false, faults: [{ offset: 0, message }] };
  }
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(text);
  } catch (thrown) {
    return { ok: false, faults: [syntaxFault(thrown)] };
  }
  const known = new Map(inputs);
  if (parameters !== undefined) {
    known.set('parameters', { type: { kind: 'object', fields: parameters.fields }, doc: '' });
  }
  const checked = checkExpression(parsed.expr, parsed.sourceInfo?.positions ?? {}, known);
  if (checked.faults.length > 0) return { ok: false, faults: checked.faults };
  try {
    const reads = new Set([...checked.reads].filter((path) => !path.startsWith('parameters')));
    const condition = new PlannedCondition(text, parsed, {
      reads,
      loops: checked.loops,
      parameters: parameters?.value,
    });
    return { ok: true, condition };
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    return { ok: false, faults: [{ offset: 0, message }] };
  }
}

type Plan = (bindings: Bindings) => unknown;

class PlannedCondition implements Condition {
  readonly text: string;
  readonly reads: ReadonlySet<string>;
  readonly loops: number;
  readonly #parameters: CelInput | undefined;
  readonly #plan: Plan;
  readonly #terms: readonly { readonly text: string; readonly plan: Plan }[];

  constructor(
    text: string,
    parsed: ReturnType<typeof parse>,
    learnt: Pick<Condition, 'reads' | 'loops'> & { readonly parameters: CelInput | undefined },
  ) {
    this.text = text;
    this.reads = learnt.reads;
    this.loops = learnt.loops;
    this.#parameters = learnt.parameters;
    this.#plan = planOf(parsed.expr);
    this.#terms = conjuncts(parsed.expr).map((expr) => ({
      text: unparse({ ...parsed, expr }),
      plan: planOf(expr),
    }));
  }

  evaluate(bindings: Bindings): Answer {
    return answerOf(this.#run(this.#plan, bindings));
  }

  explain(bindings: Bindings): readonly Term[] {
    return this.#terms.map(({ text, plan: term }) => {
      const value = this.#run(term, bindings);
      const answer = answerOf(value);
      const error = answer !== 'error' ? undefined : errorText(value);
      return { text, answer, error };
    });
  }

  #run(run: Plan, bindings: Bindings): unknown {
    if (this.#parameters !== undefined) bindings['parameters'] = this.#parameters;
    try {
      return run(bindings);
    } catch (thrown) {
      return thrown instanceof Error ? thrown : new Error(String(thrown));
    }
  }
}

const planOf = (expr: Expr): Plan => plan(environment, expr);

/** Anything that is neither true nor false, an error value above all, is an error. */
function answerOf(value: unknown): Answer {
  return value === true ? true : value === false ? false : 'error';
}

function errorText(value: unknown): string {
  if (isCelError(value) || value instanceof Error) return value.message;
  return 'the result is neither true nor false';
}

/** `a && b && c` as its terms, in order. */
function conjuncts(expr: Expr): readonly Expr[] {
  const { exprKind } = expr;
  if (exprKind.case !== 'callExpr' || exprKind.value.function !== '_&&_') return [expr];
  return exprKind.value.args.flatMap(conjuncts);
}

function syntaxFault(thrown: unknown): Fault {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  // The parser puts the place in front of the message; here it goes into `offset`.
  const place = /^(?:syntax error )?<input>:(\d+):(\d+): /.exec(message);
  const offset = offsetOf(thrown);
  const rest = place === null ? message : message.slice(place[0].length);
  return { offset, message: `not an expression: ${rest.replace(/^syntax error /, '')}` };
}

function offsetOf(thrown: unknown): number {
  if (!(thrown instanceof Error) || !('location' in thrown)) return 0;
  const { location } = thrown;
  if (typeof location !== 'object' || location === null || !('start' in location)) return 0;
  const { start } = location;
  if (typeof start !== 'object' || start === null || !('offset' in start)) return 0;
  return typeof start.offset === 'number' ? start.offset : 0;
}
