/**
 * Runs a policy over commands that were decided before, and says which decisions would change.
 * Only decisions: what other masks would have shown is not part of a recording.
 */
import { z } from 'zod';
import type { Command, SessionContext } from '#core/command.ts';
import { type Facts, opaqueFacts } from '#core/facts.ts';
import type { History } from '#core/history.ts';
import { asEpochMs, asId } from '#core/ids.ts';
import type { PastCommand, PolicyChange } from '#core/ports/policy-tools.ts';
import { factsSchema } from './document.ts';
import { fillFacts, plainHistory } from './cases.ts';
import { accessNames, analysisNames, columnUseNames, effectNames } from './inputs.ts';
import type { PolicySet } from './policy-set.ts';

/**
 * Yields every change, in the order of the commands.
 *
 * @param before - the policy to compare with; what was decided then when it is undefined.
 */
export async function* simulate(
  before: PolicySet | undefined,
  after: PolicySet,
  commands: AsyncIterable<PastCommand> | Iterable<PastCommand>,
): AsyncGenerator<PolicyChange> {
  let context: SessionContext | undefined;
  for await (const past of commands) {
    // One object for a session, so that what holds for all of it is found out once.
    if (context === undefined || !isOf(past, context)) context = contextOf(past);
    const command = commandOf(past, context);
    const old = before?.decide(command, past.at) ?? past.verdict;
    const { outcome, rule, reason } = after.decide(command, past.at);
    if (outcome === old.outcome && rule === old.rule) continue;
    yield {
      command: past,
      before: { outcome: old.outcome, rule: old.rule },
      after: { outcome, rule, reason },
    };
  }
}

const isOf = (past: PastCommand, context: SessionContext): boolean =>
  past.session === context.session &&
  past.identity === context.identity &&
  past.target === context.target &&
  past.account === context.account &&
  past.namespace === context.namespace &&
  past.purpose === context.purpose;

function contextOf(past: PastCommand): SessionContext {
  return {
    session: asId(past.session),
    protocol: past.target.protocol,
    identity: past.identity,
    target: past.target,
    account: past.account,
    namespace: past.namespace,
    purpose: past.purpose,
    clientAddress: '',
    clientName: '',
    features: [],
    holdMode: 'wait',
  };
}

function commandOf(past: PastCommand, context: SessionContext): Command {
  const empty = { type: '', format: 'text', bytes: null } as const;
  return {
    id: asId(past.id),
    context,
    kind: past.kind,
    text: past.text,
    parameters: Array.from({ length: past.parameterCount }, () => empty),
    state: '',
    facts: past.facts,
    ...(past.history === undefined ? {} : { history: past.history }),
  };
}

const historySchema = z.object({
  novel: z.array(z.object({ kind: z.string(), name: z.string(), access: z.string() })),
  since: z.number().nullable(),
});

/**
 * What an identity had done before a command, from the JSON in which a recording has it; undefined,
 * so that everything is new, when it is not as expected. How often it had asked about masked values
 * is not recorded: budgets count as unused.
 */
export function historyFromJson(text: string, facts: Facts): History | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  const history = historySchema.safeParse(parsed);
  if (!history.success) return undefined;
  const { novel, since } = history.data;
  const unused = plainHistory(facts, { maskedFilters: 0 });
  return {
    novel,
    since: since === null ? undefined : asEpochMs(since),
    told: (from) => unused.told(from),
  };
}

/**
 * Facts from the JSON in which a recording has them. What is not as expected (another release wrote
 * it, say) becomes opaque: dropping a word that is not known would make a command look harmless.
 */
export function factsFromJson(text: string): Facts {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return opaqueFacts('the recorded facts are not JSON');
  }
  const facts = factsSchema.safeParse(parsed);
  if (!facts.success) return opaqueFacts('the recorded facts have an unknown shape');
  const { effects = [], objects = [], columns = [], analysis } = facts.data;
  const known =
    effects.every((word) => effectNames.includes(word)) &&
    objects.every(({ access }) => accessNames.includes(access)) &&
    columns.every(({ use }) => columnUseNames.includes(use)) &&
    analysis !== undefined &&
    analysisNames.includes(analysis);
  return known ? fillFacts(facts.data) : opaqueFacts('the recorded facts have unknown words');
}
