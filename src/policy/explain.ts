/** Says of each rule whether it matches a command and why, in words. Cold: for people. */
import type { Command } from '#core/command.ts';
import { unknownHistory } from '#core/history.ts';
import type { EpochMs } from '#core/ids.ts';
import type { ExplainedRule } from '#core/ports/policy-tools.ts';
import type { Bindings } from './bindings.ts';
import { budgetWords, isInBudget } from './budget.ts';
import { mismatch } from './match.ts';
import type { CompiledRule } from './rule.ts';

/** Explains one rule against one command. */
export function explainRule(
  rule: CompiledRule,
  command: Command,
  bindings: Bindings,
  now: EpochMs,
): ExplainedRule {
  const answer = judge(rule, command, bindings, now);
  return {
    rule: rule.id,
    outcome: rule.outcome,
    mode: rule.observe ? 'observe' : 'enforce',
    where: `${rule.file}:${rule.line}`,
    ...answer,
  };
}

function judge(
  rule: CompiledRule,
  { context, facts, history = unknownHistory(facts) }: Command,
  bindings: Bindings,
  now: EpochMs,
): Pick<ExplainedRule, 'matched' | 'because'> {
  const { identity, target, account, purpose } = context;
  const why = mismatch(rule.match, { identity, target, account, purpose });
  if (why !== undefined) return { matched: false, because: why };
  const budget = budgetWords(rule, history, now);
  if (budget !== undefined && isInBudget(rule, history, now)) {
    return { matched: false, because: budget };
  }
  let failed: string | undefined;
  for (const condition of rule.conditions) {
    const answer = condition.evaluate(bindings);
    if (answer === true) continue;
    const term = condition.explain(bindings).find((each) => each.answer === answer);
    const text = term?.text ?? condition.text;
    if (answer === false) return { matched: false, because: `${text} is false` };
    const error = `${text} cannot be evaluated: ${term?.error ?? 'not true or false'}`;
    if (rule.outcome === 'allow') return { matched: false, because: error };
    failed ??= `${error}; counts as a match for ${rule.outcome}`;
  }
  if (failed !== undefined) return { matched: true, because: failed };
  const reasons = [
    ...rule.conditions.map(({ text }) => text),
    ...(budget === undefined ? [] : [budget]),
  ];
  return { matched: true, because: reasons.join(' && ') || 'it has no condition' };
}
