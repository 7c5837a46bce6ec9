/** What a template is: a condition over facts, with parameters and the cases that it must satisfy. */
import type { Facts } from '#core/facts.ts';
import { effectNames, type InputType, listOf, oneOf } from './inputs.ts';

/** A list of words that a rule may set. */
export interface TemplateParameter {
  readonly type: InputType;
  readonly default: readonly string[];
  readonly doc: string;
}

/** A test of a template. */
export interface TemplateCase {
  readonly name: string;
  readonly facts: Partial<Facts>;
  /** Whether the identity never did it before. */
  readonly novel?: boolean;
  readonly parameters?: Readonly<Record<string, readonly string[]>>;
  readonly matches: boolean;
}

/** A condition by name. */
export interface Template {
  readonly doc: string;
  readonly when: string;
  /** What a refusal says when the rule gives no reason of its own. */
  readonly reason: string;
  readonly parameters: Readonly<Record<string, TemplateParameter>>;
  readonly cases: readonly TemplateCase[];
}

/** A parameter that is a list of effects. */
export const effectParameter = (names: readonly string[], doc: string): TemplateParameter => ({
  type: listOf(oneOf(effectNames)),
  default: names,
  doc,
});

/** A template that asks for any of some effects. */
export function anyEffect(
  names: readonly string[],
  texts: { readonly doc: string; readonly reason: string; readonly parameter: string },
  cases: readonly TemplateCase[],
): Template {
  return {
    doc: texts.doc,
    when: 'facts.effects.exists(e, e in parameters.effects)',
    reason: texts.reason,
    parameters: { effects: effectParameter(names, texts.parameter) },
    cases,
  };
}
