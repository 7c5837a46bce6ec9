/** Says of each rule whether it matches a command and why, in words. Cold: for people. */
import type { SessionContext } from '#core/command.ts';
import type { ExplainedRule } from '#core/ports/policy-tools.ts';
import type { Bindings } from './bindings.ts';
import { mismatch } from './match.ts';
import type { CompiledRule } from './rule.ts';

/** Explains one rule against one command. */
export function explainRule(
  rule: CompiledRule,
  context: SessionContext,
  bindings: Bindings,
): ExplainedRule {
  const answer = judge(rule, context, bindings);
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
  context: SessionContext,
  bindings: Bindings,
): Pick<ExplainedRule, 'matched' | 'because'> {
  const { identity, target, account, purpose } = context;
  const why = mismatch(rule.match, { identity, target, account, purpose });
  if (why !== undefined) return { matched: false, because: why };
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
  if (rule.conditions.length === 0) return { matched: true, because: 'it has no condition' };
  return { matched: true, because: rule.conditions.map(({ text }) => text).join(' && ') };
}
