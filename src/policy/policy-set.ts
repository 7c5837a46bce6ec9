/**
 * One loaded policy, and the decision. Most restrictive wins: deny over hold over allow; what no
 * rule matches is denied. Whatever goes wrong while a rule is asked makes a deny or hold rule match
 * and an allow rule not match.
 *
 * The cache. For each session the rules that can ever match are picked once. For each Facts object
 * in it, the last verdicts are kept together with every other value that those rules read (text,
 * kind, number of parameters, hour, weekday, history) and are given again only while all of them
 * are equal. Rules that read `time.now`, or have a budget, are asked every time. Facts are immutable and cached by their analyser,
 * so the object itself stands for their value. A new policy is a new object with empty caches.
 */
import type { Command, SessionContext } from '#core/command.ts';
import type { Facts } from '#core/facts.ts';
import { type History, unknownHistory } from '#core/history.ts';
import type { EpochMs, PolicyVersion } from '#core/ids.ts';
import { policyLimits } from '#core/limits.ts';
import type { MaskRule } from '#core/masking.ts';
import type { ExplainedRule } from '#core/ports/policy-tools.ts';
import type {
  HoldRequirement,
  HoldTerms,
  LimitName,
  Outcome,
  RunLimit,
  RunLimits,
  Verdict,
} from '#core/verdict.ts';
import {
  bind,
  type Bindings,
  type ContextValues,
  contextValues,
  type FactsEntries,
  factsEntries,
  factsValue,
  hourOf,
  weekdayOf,
} from './bindings.ts';
import { isReleasable, limitNames } from './compile-limits.ts';
import { isInBudget } from './budget.ts';
import { explainRule } from './explain.ts';
import { historyInputs } from './inputs.ts';
import { mismatch } from './match.ts';
import type { CompiledMask, CompiledRule } from './rule.ts';

/** Which values besides context and facts the rules of a session read. */
interface Reads {
  readonly text: boolean;
  readonly kind: boolean;
  readonly parameterCount: boolean;
  readonly hour: boolean;
  readonly weekday: boolean;
  readonly history: boolean;
}

/** What masks depend on. */
export type MaskedSession = Pick<SessionContext, 'identity' | 'target' | 'purpose'>;

/** What never changes for a session under this policy. */
interface SessionPlan {
  readonly values: ContextValues;
  /** Rules that match the session and may be cached, most restrictive first. */
  readonly cached: readonly CompiledRule[];
  /** Rules that match the session and look at what changes with each command. */
  readonly live: readonly CompiledRule[];
  readonly reads: Reads;
  readonly verdicts: WeakMap<Facts, Slot[]>;
}

/** A kept answer with the values that it holds for. */
interface Slot {
  readonly text: string;
  readonly kind: Command['kind'];
  readonly parameterCount: number;
  readonly hour: number;
  readonly weekday: number;
  readonly history: History | undefined;
  readonly finding: Finding;
  readonly verdict: Verdict;
}

/** The rules that matched. */
interface Finding {
  readonly enforced: readonly CompiledRule[];
  readonly observed: readonly CompiledRule[];
  /** Allow rules whose limits bind: also those that could not be asked. */
  readonly bounding: readonly CompiledRule[];
}

/** Preparing and executing one text alternate; more than a few kept answers help nobody. */
const SLOTS_MAX = 4;

const rank: Readonly<Record<Outcome, number>> = { deny: 0, hold: 1, allow: 2 };

export class PolicySet {
  readonly version: PolicyVersion;
  readonly #rules: readonly CompiledRule[];
  readonly #masks: readonly CompiledMask[];
  readonly #plans = new WeakMap<SessionContext, SessionPlan>();
  readonly #facts = new WeakMap<Facts, FactsEntries>();

  constructor(
    version: PolicyVersion,
    rules: readonly CompiledRule[],
    masks: readonly CompiledMask[],
  ) {
    this.version = version;
    // The sort is stable: among equals the order of the files decides.
    this.#rules = rules.toSorted((left, right) => rank[left.outcome] - rank[right.outcome]);
    this.#masks = masks;
  }

  /** Ids of all rules, for messages and tests. */
  get ruleIds(): readonly string[] {
    return this.#rules.map(({ id }) => id);
  }

  get maskIds(): readonly string[] {
    return this.#masks.map(({ rule }) => rule.id);
  }

  /** Judges one command. Never throws; costs a lookup when its facts were judged before. */
  decide(command: Command, now: EpochMs): Verdict {
    const plan = this.#plan(command.context);
    const slots = plan.verdicts.get(command.facts);
    let slot = slots?.find((each) => holdsFor(each, plan.reads, command, now));
    if (slot === undefined) {
      const finding = this.#ask(plan.cached, plan, command, now);
      slot = {
        text: command.text,
        kind: command.kind,
        parameterCount: command.parameters.length,
        hour: hourOf(now),
        weekday: weekdayOf(now),
        history: command.history,
        finding,
        verdict: this.#verdict(finding),
      };
      const kept = [slot, ...(slots ?? [])].slice(0, SLOTS_MAX);
      plan.verdicts.set(command.facts, kept);
    }
    if (plan.live.length === 0) return slot.verdict;
    const history = historyOf(command);
    const due = plan.live.filter((rule) => !isInBudget(rule, history, now));
    if (due.length === 0) return slot.verdict;
    const live = this.#ask(due, plan, command, now);
    return this.#verdict({
      enforced: [...slot.finding.enforced, ...live.enforced],
      observed: [...slot.finding.observed, ...live.observed],
      bounding: [...slot.finding.bounding, ...live.bounding],
    });
  }

  /** Whether a rule that can match the session reads facts, or has limits or a budget, which go by facts. */
  readsFacts(context: SessionContext): boolean {
    const { cached, live } = this.#plan(context);
    const read = ({ reads, limits, budget }: CompiledRule): boolean =>
      limits !== undefined ||
      budget !== undefined ||
      [...reads].some((path) => path === 'facts' || path.startsWith('facts.'));
    return cached.some(read) || live.some(read);
  }

  /** The masks for one identity and purpose at one target, in the order of the files. */
  maskRules(session: MaskedSession): readonly MaskRule[] {
    const { identity, target, purpose } = session;
    const subject = { identity, target, account: undefined, purpose };
    return this.#masks
      .filter(({ match }) => mismatch(match, subject) === undefined)
      .filter(({ unless }) => unless === undefined || mismatch(unless, subject) !== undefined)
      .map(({ rule }) => rule);
  }

  /** Every rule with whether it matches and why, most restrictive first. For people; not cached. */
  explain(command: Command, now: EpochMs): readonly ExplainedRule[] {
    const { context } = command;
    const values = contextValues(context);
    const facts = factsValue(factsEntries(command.facts), historyOf(command));
    const bindings = bind(values, facts, command, now);
    return this.#rules.map((rule) => explainRule(rule, command, bindings, now));
  }

  #plan(context: SessionContext): SessionPlan {
    const known = this.#plans.get(context);
    if (known !== undefined) return known;
    const subject = {
      identity: context.identity,
      target: context.target,
      account: context.account,
      purpose: context.purpose,
    };
    const rules = this.#rules.filter(({ match }) => mismatch(match, subject) === undefined);
    const readsNow = ({ reads, budget }: CompiledRule): boolean =>
      reads.has('time.now') || reads.has('time') || budget !== undefined;
    const cached = rules.filter((rule) => !readsNow(rule));
    const plan: SessionPlan = {
      values: contextValues(context),
      cached,
      live: rules.filter(readsNow),
      reads: readsOf(cached),
      verdicts: new WeakMap(),
    };
    this.#plans.set(context, plan);
    return plan;
  }

  #ask(rules: readonly CompiledRule[], plan: SessionPlan, command: Command, now: EpochMs): Finding {
    if (rules.length === 0) return { enforced: [], observed: [], bounding: [] };
    let entries = this.#facts.get(command.facts);
    if (entries === undefined) {
      entries = factsEntries(command.facts);
      this.#facts.set(command.facts, entries);
    }
    const history = historyOf(command);
    const bindings = bind(plan.values, factsValue(entries, history), command, now);
    const steps = new Steps(command, history);
    const enforced: CompiledRule[] = [];
    const bounding: CompiledRule[] = [];
    // Rules stand in order of severity: once one denies, no other can change the outcome.
    for (const rule of rules) {
      if (rule.observe) continue;
      const worst = enforced[0]?.outcome;
      if (worst === 'deny' || (worst === 'hold' && rule.outcome === 'allow')) break;
      // One that allows is enough, but the limits of every other count too.
      if (worst === 'allow' && rule.limits === undefined) continue;
      const answer = ask(rule, bindings, steps);
      if (isMatch(rule, answer)) enforced.push(rule);
      // Fails closed: limits that may be meant for it bind it.
      if (rule.limits !== undefined && answer !== false) bounding.push(rule);
    }
    const observed = rules.filter(
      (rule) => rule.observe && isMatch(rule, ask(rule, bindings, steps)),
    );
    return { enforced, observed, bounding };
  }

  #verdict({ enforced, observed, bounding }: Finding): Verdict {
    const decisive = enforced.reduce<CompiledRule | undefined>(
      (best, rule) => (best === undefined || rank[rule.outcome] < rank[best.outcome] ? rule : best),
      undefined,
    );
    const reports = observed.map(({ id, outcome }) => ({ rule: id, outcome }));
    if (decisive === undefined) {
      return {
        outcome: 'deny',
        rule: 'default',
        reason: 'no rule allows it',
        policy: this.version,
        hold: undefined,
        observed: reports,
      };
    }
    const holds = enforced.filter(({ outcome }) => outcome === 'hold');
    const limits = decisive.outcome === 'allow' ? combineLimits(bounding) : undefined;
    return {
      outcome: decisive.outcome,
      rule: decisive.id,
      reason: decisive.reason,
      policy: this.version,
      hold: decisive.outcome === 'hold' ? combineHolds(holds) : undefined,
      ...(limits === undefined ? {} : { limits }),
      observed: reports,
    };
  }
}

/** Several rules hold it: all their reviewers are needed, and the shortest times count. */
function combineHolds(rules: readonly CompiledRule[]): HoldTerms | undefined {
  const terms = rules.flatMap(({ id, hold }) => (hold === undefined ? [] : [{ id, hold }]));
  const [first, ...more] = terms;
  if (first === undefined) return undefined;
  if (more.length === 0) return first.hold;
  const also: HoldRequirement[] = more.map(({ id, hold }) => ({
    rule: id,
    reviewers: hold.reviewers,
    approvals: hold.approvals,
  }));
  const refuse = terms.some(({ hold }) => hold.mode === 'refuse');
  // Safe as a union: a mask is lifted only when the reviewers of every rule would lift it.
  const mayLift = new Set(terms.flatMap(({ hold }) => hold.mayLift ?? []));
  return {
    ...first.hold,
    ...(refuse ? { mode: 'refuse' as const } : {}),
    ...(mayLift.size > 0 ? { mayLift: [...mayLift] } : {}),
    waitMs: Math.min(...terms.map(({ hold }) => hold.waitMs)),
    validMs: Math.min(...terms.map(({ hold }) => hold.validMs)),
    also,
  };
}

/** The strictest bound of each kind. People may lift them only where every rule names people. */
function combineLimits(rules: readonly CompiledRule[]): RunLimits | undefined {
  if (rules.length === 0) return undefined;
  const bounds: Partial<Record<LimitName, RunLimit>> = {};
  for (const { id, limits } of rules) {
    for (const name of limitNames) {
      const max = limits?.[name];
      const known = bounds[name];
      if (max === undefined || (known !== undefined && known.max <= max)) continue;
      bounds[name] = { max, rule: id };
    }
  }
  const counting = rules.filter(({ limits }) => isReleasable(limits));
  const terms = counting.every(({ hold }) => hold !== undefined)
    ? combineHolds(counting)
    : undefined;
  const rule = counting[0]?.id;
  const release = terms === undefined || rule === undefined ? undefined : { rule, terms };
  return { bounds, release };
}

/** Whether a rule's conditions hold; an error only when none is false. */
function ask(rule: CompiledRule, bindings: Bindings, steps: Steps): boolean | 'error' {
  let worst: true | 'error' = true;
  for (const condition of rule.conditions) {
    const answer = steps.spend(condition) ? condition.evaluate(bindings) : 'error';
    if (answer === false) return false;
    if (answer === 'error') worst = 'error';
  }
  return worst;
}

/** Fails closed: what cannot be asked is not allowed, and is held or denied. */
const isMatch = (rule: CompiledRule, answer: boolean | 'error'): boolean =>
  answer === true || (answer === 'error' && rule.outcome !== 'allow');

/** What is known of the past of a command; nothing known is the worst that there is. */
const historyOf = ({ history, facts }: Command): History => history ?? unknownHistory(facts);

/** Bounds the work that one command can cause, whatever the size of its facts and text. */
class Steps {
  readonly #items: number;
  readonly #textSteps: number;
  #left = policyLimits.decisionStepsMax;

  constructor({ facts, text }: Command, { novel }: History) {
    this.#items = Math.max(
      1,
      facts.effects.length,
      facts.objects.length,
      facts.columns.length,
      facts.functions.length,
      facts.fields?.length ?? 0,
      facts.verbs.length,
      facts.reasons.length,
      novel.length,
    );
    this.#textSteps = Math.ceil(text.length / 4);
  }

  /** False when the condition could cost more than what is left. */
  spend({
    loops,
    reads,
  }: {
    readonly loops: number;
    readonly reads: ReadonlySet<string>;
  }): boolean {
    const readsText = reads.has('command.text') || reads.has('command');
    if (loops === 0 && !readsText) return true;
    this.#left -= this.#items ** loops * (readsText ? Math.max(1, this.#textSteps) : 1);
    return this.#left >= 0;
  }
}

function readsOf(rules: readonly CompiledRule[]): Reads {
  const any = (...paths: string[]): boolean =>
    rules.some(({ reads }) => paths.some((path) => reads.has(path)));
  return {
    text: any('command.text', 'command'),
    kind: any('command.kind', 'command'),
    parameterCount: any('command.parameterCount', 'command'),
    hour: any('time.hour'),
    weekday: any('time.weekday'),
    history: any('facts', ...historyInputs),
  };
}

/** Whether a kept answer holds for this command: every value that a rule would look at is equal. */
function holdsFor(slot: Slot, reads: Reads, command: Command, now: EpochMs): boolean {
  if (reads.kind && slot.kind !== command.kind) return false;
  if (reads.parameterCount && slot.parameterCount !== command.parameters.length) return false;
  if (reads.hour && slot.hour !== hourOf(now)) return false;
  if (reads.weekday && slot.weekday !== weekdayOf(now)) return false;
  // The same object says the same; another one may not.
  if (reads.history && (slot.history === undefined || slot.history !== command.history)) {
    return false;
  }
  return !reads.text || slot.text === command.text;
}
