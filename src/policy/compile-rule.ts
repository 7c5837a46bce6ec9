/** Compiles one rule of a policy file: conditions, template, match, and the terms of its hold. */
import { celMap } from '@bufbuild/cel';
import { parseDurationMs } from '#core/duration.ts';
import { policyLimits } from '#core/limits.ts';
import type { SelectorKind } from '#core/selectors.ts';
import type { HoldTerms } from '#core/verdict.ts';
import { compileLimits, isReleasable } from './compile-limits.ts';
import { compileMatch, parseSelector, selectorFault } from './compile-match.ts';
import type { PolicyOptions, Reporter } from './compile.ts';
import type { HoldSource, RuleSource, TemplateArguments } from './document.ts';
import { compileCondition, type Condition } from './expression.ts';
import { isProtocol } from './inputs.ts';
import { didYouMean } from './problems.ts';
import type { CompiledRule } from './rule.ts';
import type { Path } from './source.ts';
import { type Template, templates } from './templates.ts';

export function compileRule(
  source: RuleSource,
  reporter: Reporter,
  options: PolicyOptions,
): CompiledRule | undefined {
  const match = compileMatch(source.match, ['match'], reporter, options);
  const conditions: Condition[] = [];
  const template = source.use === undefined ? undefined : compileUse(source.use, reporter);
  if (template !== undefined) conditions.push(template.condition);
  if (source.when !== undefined) {
    const result = compileCondition(source.when);
    if (result.ok) conditions.push(result.condition);
    else {
      for (const { offset, message } of result.faults) reporter.report(['when'], message, offset);
    }
  }
  const limits = compileLimits(source, reporter, options);
  const hasHold = source.then === 'hold' || (source.hold !== undefined && isReleasable(limits));
  if (!hasHold && source.hold !== undefined) {
    const message = `only a rule with 'then: hold', or with limits on rows affected, has hold terms`;
    reporter.report(['hold'], message);
  }
  const hold = hasHold ? compileHold(source, reporter, options) : undefined;
  const { file, line } = reporter.problem([]);
  return {
    id: source.id,
    file,
    line,
    match,
    conditions,
    outcome: source.then,
    hold,
    limits,
    budget: compileBudget(source, reporter),
    reason: source.reason ?? template?.reason ?? `rule ${source.id}`,
    observe: source.mode === 'observe',
    reads: new Set(conditions.flatMap(({ reads }) => [...reads])),
  };
}

function compileUse(
  use: NonNullable<RuleSource['use']>,
  reporter: Reporter,
): { readonly condition: Condition; readonly reason: string } | undefined {
  const entries = typeof use === 'string' ? [[use, {}] as const] : Object.entries(use);
  const [first, ...more] = entries;
  if (first === undefined || more.length > 0) {
    reporter.report(['use'], 'use names one template');
    return undefined;
  }
  const [name, given] = first;
  const template = templates.get(name);
  if (template === undefined) {
    const hint = didYouMean(name, templates.keys());
    reporter.report(['use'], `unknown template '${name}'${hint}`);
    return undefined;
  }
  checkArguments(template, given, reporter, ['use', name]);
  const condition = templateCondition(template, given);
  return { condition, reason: template.reason };
}

function checkArguments(
  template: Template,
  given: TemplateArguments,
  reporter: Reporter,
  path: Path,
): void {
  const names = Object.keys(template.parameters);
  for (const [name, words] of Object.entries(given)) {
    const parameter = Object.hasOwn(template.parameters, name)
      ? template.parameters[name]
      : undefined;
    if (parameter === undefined) {
      reporter.report([...path, name], `unknown parameter '${name}'${didYouMean(name, names)}`);
      continue;
    }
    const { type } = parameter;
    const allowed = type.kind === 'list' && type.of.kind === 'string' ? type.of.values : undefined;
    words.forEach((word, index) => {
      if (allowed === undefined || allowed.includes(word)) return;
      const hint = didYouMean(word, allowed) || `; it is one of ${allowed.join(', ')}`;
      reporter.report([...path, name, index], `'${word}' cannot occur here${hint}`);
    });
  }
}

/** A template's condition with its parameters; templates are ours, so a fault in one is a bug. */
export function templateCondition(template: Template, given: TemplateArguments): Condition {
  const parameters = Object.entries(template.parameters);
  const result = compileCondition(template.when, {
    fields: new Map(parameters.map(([name, { type, doc }]) => [name, { type, doc }])),
    value: celMap(
      new Map(
        parameters.map(([name, parameter]) => [
          name,
          [...(Object.hasOwn(given, name) ? (given[name] ?? []) : parameter.default)],
        ]),
      ),
    ),
  });
  if (!result.ok) throw new Error(`template: ${result.faults.map((f) => f.message).join('; ')}`);
  return result.condition;
}

const reviewerKinds: readonly SelectorKind[] = ['group', 'role', 'identity'];

function compileHold(
  rule: RuleSource,
  reporter: Reporter,
  options: PolicyOptions,
): HoldTerms | undefined {
  const { hold } = rule;
  if (hold === undefined) {
    reporter.report(
      [],
      "'then: hold' needs hold with reviewers; without any, nobody could approve",
    );
    return undefined;
  }
  if (hold.mayLift !== undefined && rule.then !== 'hold') {
    reporter.report(['hold', 'mayLift'], "only a rule with 'then: hold' lets masks be lifted");
  }
  if (hold.mayLift !== undefined) checkLifting(rule, reporter, options);
  checkReviewers(hold, reporter, options);
  checkWaiting(rule, hold, reporter, options);
  const waitMs = duration(hold.wait ?? '10m', policyLimits.holdWaitMsMax);
  const validMs = duration(hold.valid ?? '15m', policyLimits.holdValidMsMax);
  if (typeof waitMs === 'string') reporter.report(['hold', 'wait'], waitMs);
  if (typeof validMs === 'string') reporter.report(['hold', 'valid'], validMs);
  if (typeof waitMs === 'string' || typeof validMs === 'string') return undefined;
  return {
    reviewers: [...new Set(hold.reviewers)],
    approvals: hold.approvals,
    waitMs,
    validMs,
    ...(hold.mode === undefined ? {} : { mode: hold.mode }),
    ...(hold.mayLift === undefined ? {} : { mayLift: [...new Set(hold.mayLift)] }),
  };
}

function compileBudget(rule: RuleSource, reporter: Reporter): CompiledRule['budget'] {
  const { budget } = rule;
  if (budget === undefined) return undefined;
  if (rule.then === 'allow') {
    // Else using it up would take nothing away that another rule allows.
    reporter.report(['budget'], "a budget says when a rule with 'then: hold' or 'deny' matches");
  }
  const perMs = duration(budget.per, policyLimits.budgetMsMax);
  if (typeof perMs === 'number') return { maskedFilters: budget.maskedFilters, perMs };
  reporter.report(['budget', 'per'], perMs);
  return undefined;
}

function checkReviewers(hold: HoldSource, reporter: Reporter, options: PolicyOptions): void {
  const path = ['hold', 'reviewers'];
  if (hold.reviewers.length > policyLimits.reviewersMax) {
    reporter.report(path, `more than ${policyLimits.reviewersMax} entries`);
  }
  hold.reviewers.forEach((word, index) => {
    const selector = parseSelector(word, reviewerKinds);
    const fault = typeof selector === 'string' ? selector : selectorFault(selector, options);
    if (fault !== undefined) reporter.report([...path, index], fault);
    else if (word.includes('*')) reporter.report([...path, index], 'reviewers are named, not `*`');
  });
  // Named one by one, they can be counted; groups and roles may hold any number of people.
  const named = new Set(hold.reviewers.filter((word) => word.startsWith('identity:')));
  if (named.size === new Set(hold.reviewers).size && named.size < hold.approvals) {
    const message = `${hold.approvals} approvals can never come from ${named.size} reviewers`;
    reporter.report(['hold', 'approvals'], message);
  }
}

/** A wait that was asked for, on a protocol that cannot make its client wait: refused. */
function checkWaiting(
  rule: RuleSource,
  hold: HoldSource,
  reporter: Reporter,
  options: PolicyOptions,
): void {
  if (hold.mode !== 'wait') return;
  const named = rule.match?.protocols?.filter(isProtocol);
  for (const [protocol, { approval }] of options.capabilities ?? []) {
    if (named !== undefined && !named.includes(protocol)) continue;
    if (approval !== 'refuse') continue;
    const hint = named === undefined ? '; name the protocols in `match`, or leave `mode` out' : '';
    reporter.report(['hold', 'mode'], `${protocol} cannot let a held command wait${hint}`);
  }
}

/** A mask that an approval lifts on a protocol that cannot lift it would silently stay: refused. */
function checkLifting(rule: RuleSource, reporter: Reporter, options: PolicyOptions): void {
  const named = rule.match?.protocols?.filter(isProtocol);
  for (const [protocol, { lifting }] of options.capabilities ?? []) {
    if (lifting === true || (named !== undefined && !named.includes(protocol))) continue;
    const hint = named === undefined ? '; name the protocols in `match`' : '';
    const message = `${protocol} cannot lift a mask for one command${hint}`;
    reporter.report(['hold', 'mayLift'], message);
  }
}

/** Milliseconds of `30s`, `10m`, `2h`; or what is wrong. */
function duration(text: string, mostMs: number): number | string {
  const ms = parseDurationMs(text) ?? 0;
  if (ms === 0) return `'${text}' is not a duration such as 30s, 10m or 2h`;
  return ms > mostMs ? `'${text}' is longer than the limit of ${mostMs / 3_600_000}h` : ms;
}
