/**
 * `sallyport policy explain`: one request (a statement with its target and identity) → the facts,
 * the verdict, the rule and why, for each command in it. A request that is not understood gets an
 * answer that says so; nothing is thrown.
 */
import { z } from 'zod';
import type { Command, SessionContext } from '#core/command.ts';
import type { Analysis, Facts } from '#core/facts.ts';
import { type History, unknownHistory } from '#core/history.ts';
import { asId } from '#core/ids.ts';
import type { Identity } from '#core/identity.ts';
import type { AnalysedCommand } from '#core/protocol.ts';
import type {
  ExplainedCommand,
  ExplainedRule,
  Explanation,
  PolicyWorld,
  RequestId,
} from '#core/ports/policy-tools.ts';
import { plainHistory, plainIdentity, stricter } from './cases.ts';
import { historySchema, identitySchema } from './document.ts';
import { isProtocol } from './inputs.ts';
import type { PolicySet } from './policy-set.ts';

const requestSchema = z.object({
  id: z.union([z.string(), z.number()]).optional(),
  protocol: z.string().optional(),
  target: z.string(),
  identity: z.union([z.string(), identitySchema]).optional(),
  account: z.string().optional(),
  namespace: z.string().optional(),
  purpose: z.string().optional(),
  kind: z.enum(['execute', 'prepare']).default('execute'),
  history: historySchema.optional(),
  startup: z.record(z.string(), z.string()).optional(),
  input: z.unknown().optional(),
});

type Request = z.infer<typeof requestSchema>;

/** Who asks from where; the same object for requests that say the same, so that plans are shared. */
interface Asker {
  readonly context: SessionContext;
  readonly identityKnown: boolean;
}

/** The past of a command, by its facts. */
type Past = (facts: Facts) => History;

/** Askers that are remembered. */
const ASKERS_MAX = 1_000;

/** Explains requests under one policy. */
export class Explainer {
  readonly #policy: PolicySet;
  readonly #world: PolicyWorld;
  readonly #askers = new Map<string, Asker>();
  readonly #pasts = new WeakMap<SessionContext, Past>();

  constructor(policy: PolicySet, world: PolicyWorld) {
    this.#policy = policy;
    this.#world = world;
  }

  async explain(request: unknown): Promise<Explanation> {
    const parsed = requestSchema.safeParse(request);
    if (!parsed.success) {
      const error = parsed.error.issues
        .map(({ path, message }) => [...path.map(String), message].join(': '))
        .join('; ');
      return { ok: false, id: idOf(request), error };
    }
    const { id } = parsed.data;
    const asker = await this.#asker(parsed.data);
    if (typeof asker === 'string') return { ok: false, id, error: asker };
    const { context, identityKnown } = asker;
    const analysed = await this.#analyse(parsed.data, context);
    if (typeof analysed === 'string') return { ok: false, id, error: analysed };
    const past = await this.#past(parsed.data, asker);
    const commands = analysed.map((each) => this.#command(context, parsed.data.kind, each, past));
    const [first, ...rest] = commands.map((command) => ({ command, outcome: command.verdict }));
    if (first === undefined) return { ok: false, id, error: 'the input is no command' };
    const { command } = rest.reduce(stricter, first);
    const { verdict, rule, reason } = command;
    const facts = together(command, commands);
    const policy = this.#policy.version;
    return { ok: true, id, identityKnown, verdict, rule, reason, policy, facts, commands };
  }

  async #asker(request: Request): Promise<Asker | string> {
    const { target, protocol, identity, account, namespace, purpose } = request;
    const key = JSON.stringify([target, protocol, identity, account, namespace, purpose]);
    const known = this.#askers.get(key);
    if (known !== undefined) return known;
    const asker = await askerOf(request, this.#world);
    if (typeof asker === 'string') return asker;
    if (this.#askers.size >= ASKERS_MAX) this.#askers.clear();
    this.#askers.set(key, asker);
    return asker;
  }

  /** As the request says, else as the gateway remembers it, else nothing is known. */
  async #past({ history, identity }: Request, { context, identityKnown }: Asker): Promise<Past> {
    if (history !== undefined) return (facts) => plainHistory(facts, history);
    const known = this.#pasts.get(context);
    if (known !== undefined) return known;
    // An identity that the request describes is nobody whom the gateway has met.
    const isMet = identityKnown && typeof identity === 'string';
    const masks = { rules: this.#policy.maskRules(context), version: this.#policy.version };
    const past = (isMet && (await this.#world.past?.(context, masks))) || unknownHistory;
    this.#pasts.set(context, past);
    return past;
  }

  async #analyse(
    { input, startup }: Request,
    context: SessionContext,
  ): Promise<readonly AnalysedCommand[] | string> {
    const { version } = this.#policy;
    const masks = { rules: this.#policy.maskRules(context), version };
    try {
      const sent = startup === undefined ? input : { startup, input };
      return await this.#world.analyse(sent, context, masks);
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown.message : String(thrown);
      return `it could not be analysed: ${error}`;
    }
  }

  #command(
    context: SessionContext,
    kind: Command['kind'],
    { text, facts }: AnalysedCommand,
    past: Past,
  ): ExplainedCommand {
    const id: Command['id'] = asId('explain');
    const history = past(facts);
    const command: Command = { id, context, kind, text, parameters: [], state: '', facts, history };
    const { now } = this.#world;
    const { outcome, rule, reason, observed, limits } = this.#policy.decide(command, now);
    const rules = (): readonly ExplainedRule[] => this.#policy.explain(command, now);
    const bound = limits === undefined ? {} : { limits };
    return { text, facts, verdict: outcome, rule, reason, observed, ...bound, rules };
  }
}

const completeness: readonly Analysis[] = ['complete', 'partial', 'opaque'];

/** Facts of all the commands of a request; the shape is that of the one that decided. */
function together(decisive: ExplainedCommand, commands: readonly ExplainedCommand[]): Facts {
  if (commands.length === 1) return decisive.facts;
  const all = commands.map(({ facts }) => facts);
  const distinct = <T>(items: readonly T[]): T[] => [
    ...new Map(items.map((item) => [JSON.stringify(item), item])).values(),
  ];
  const worst = Math.max(...all.map(({ analysis }) => completeness.indexOf(analysis)));
  const fields = distinct(all.flatMap((each) => each.fields ?? []));
  const rows = all.reduce((sum, each) => sum + (each.rowsChangedMax ?? Number.NaN), 0);
  return {
    ...(Number.isNaN(rows) ? {} : { rowsChangedMax: rows }),
    effects: distinct(all.flatMap(({ effects }) => effects)),
    objects: distinct(all.flatMap(({ objects }) => objects)),
    columns: distinct(all.flatMap(({ columns }) => columns)),
    functions: distinct(all.flatMap(({ functions }) => functions)),
    ...(fields.length === 0 ? {} : { fields }),
    verbs: all.flatMap(({ verbs }) => verbs),
    analysis: completeness[worst] ?? 'opaque',
    reasons: distinct(all.flatMap(({ reasons }) => reasons)),
    fingerprint: decisive.facts.fingerprint,
  };
}

function idOf(request: unknown): RequestId {
  if (typeof request !== 'object' || request === null || !('id' in request)) return undefined;
  const { id } = request;
  return typeof id === 'string' || typeof id === 'number' ? id : undefined;
}

async function askerOf(request: Request, world: PolicyWorld): Promise<Asker | string> {
  const target = world.target(request.target);
  if (target === undefined) return `no target '${request.target}'`;
  // What a shell is given reaches it by SSH.
  const protocol = request.protocol === 'shell' ? 'ssh' : request.protocol;
  if (protocol !== undefined && (!isProtocol(protocol) || protocol !== target.protocol)) {
    return `target '${target.name}' speaks ${target.protocol}, not ${protocol}`;
  }
  const usual = world.place(target);
  const { identity, identityKnown } = await identityOf(request.identity, world);
  const context: SessionContext = {
    session: asId('explain'),
    protocol: target.protocol,
    identity,
    target,
    account: request.account ?? usual.account,
    namespace: request.namespace ?? usual.namespace,
    clientAddress: '',
    clientName: '',
    features: [],
    purpose: request.purpose,
    holdMode: 'wait',
  };
  return { context, identityKnown };
}

async function identityOf(
  source: Request['identity'],
  world: PolicyWorld,
): Promise<{ readonly identity: Identity; readonly identityKnown: boolean }> {
  if (typeof source !== 'string') return { identity: plainIdentity(source), identityKnown: true };
  const seen = await world.identity(source);
  return { identity: seen ?? plainIdentity({ id: source }), identityKnown: seen !== undefined };
}
