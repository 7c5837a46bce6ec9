/**
 * Budgets of rules: how many commands may ask about masked values, which tells a bit of each value
 * that they are compared with, before the rule matches.
 */
import type { History } from '#core/history.ts';
import type { EpochMs } from '#core/ids.ts';
import { asEpochMs } from '#core/ids.ts';
import type { CompiledRule } from './rule.ts';

/** Whether a rule does not match because the command asks nothing, or its budget is not used up. */
export const isInBudget = (rule: CompiledRule, history: History, now: EpochMs): boolean =>
  rule.budget !== undefined && left(rule.budget, history, now) !== 0;

/** Why a rule with a budget matches or not, in words; undefined when it has none. */
export function budgetWords(
  rule: CompiledRule,
  history: History,
  now: EpochMs,
): string | undefined {
  if (rule.budget === undefined) return undefined;
  const free = left(rule.budget, history, now);
  if (free === undefined) return 'it asks about no masked value';
  const { maskedFilters } = rule.budget;
  return free === 0
    ? `its budget of ${maskedFilters} is used up`
    : `${free} of its budget of ${maskedFilters} are left`;
}

/** How many are left; undefined for a command that asks about no masked value. */
function left(
  { maskedFilters, perMs }: NonNullable<CompiledRule['budget']>,
  history: History,
  now: EpochMs,
): number | undefined {
  const told = history.told(asEpochMs(now - perMs));
  return told === undefined ? undefined : Math.max(0, maskedFilters - told);
}
