/**
 * `sallyport policy explain`: one request (a statement with its target and identity) → the facts,
 * the verdict, the rule and why, for each command in it. A request that is not understood gets an
 * answer that says so; nothing is thrown.
 */
import { z } from 'zod';
import type { Command, SessionContext } from '#core/command.ts';
import { asId } from '#core/ids.ts';
import type { Identity } from '#core/identity.ts';
import type { AnalysedCommand } from '#core/protocol.ts';
import type {
  ExplainedCommand,
  Explanation,
  PolicyWorld,
  RequestId,
} from '#core/ports/policy-tools.ts';
import { plainIdentity, stricter } from './cases.ts';
import { identitySchema } from './document.ts';
import { isProtocol } from './inputs.ts';
import type { PolicySet } from './policy-set.ts';

const requestSchema = z.object({
  id: z.union([z.string(), z.number()]).optional(),
  protocol: z.string().optional(),
  target: z.string(),
  identity: z.union([z.string(), identitySchema]).optional(),
  account: z.string().optional(),
  namespace: z.string().optional(),
  kind: z.enum(['execute', 'prepare']).default('execute'),
  startup: z.record(z.string(), z.string()).optional(),
  input: z.unknown().optional(),
});

type Request = z.infer<typeof requestSchema>;

/** Explains one request under a policy. */
export async function explainRequest(
  policy: PolicySet,
  world: PolicyWorld,
  request: unknown,
): Promise<Explanation> {
  const parsed = requestSchema.safeParse(request);
  if (!parsed.success) {
    const error = parsed.error.issues
      .map(({ path, message }) => `${path.join('.')}: ${message}`)
      .join('; ');
    return { ok: false, id: idOf(request), error };
  }
  const { id, input, startup } = parsed.data;
  const found = await contextOf(parsed.data, world);
  if (typeof found === 'string') return { ok: false, id, error: found };
  const { context, identityKnown } = found;
  const masks = {
    rules: policy.maskRules(context.identity, context.target),
    version: policy.version,
  };
  let analysed: readonly AnalysedCommand[];
  try {
    const sent = startup === undefined ? input : { startup, input };
    analysed = await world.analyse(sent, context, masks);
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown.message : String(thrown);
    return { ok: false, id, error: `it could not be analysed: ${error}` };
  }
  const commands = analysed.map((each) =>
    explainCommand(policy, world, context, parsed.data, each),
  );
  const [first, ...rest] = commands.map((command) => ({ command, outcome: command.verdict }));
  if (first === undefined) return { ok: false, id, error: 'the input is no command' };
  const { command } = rest.reduce(stricter, first);
  const { verdict, rule, reason, facts } = command;
  const { version } = policy;
  return { ok: true, id, identityKnown, verdict, rule, reason, policy: version, facts, commands };
}

function idOf(request: unknown): RequestId {
  if (typeof request !== 'object' || request === null || !('id' in request)) return undefined;
  const { id } = request;
  return typeof id === 'string' || typeof id === 'number' ? id : undefined;
}

async function contextOf(
  request: Request,
  world: PolicyWorld,
): Promise<{ readonly context: SessionContext; readonly identityKnown: boolean } | string> {
  const target = world.target(request.target);
  if (target === undefined) return `no target '${request.target}'`;
  const { protocol } = request;
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

function explainCommand(
  policy: PolicySet,
  world: PolicyWorld,
  context: SessionContext,
  request: Request,
  { text, facts }: AnalysedCommand,
): ExplainedCommand {
  const { kind } = request;
  const id: Command['id'] = asId('explain');
  const command: Command = { id, context, kind, text, parameters: [], state: '', facts };
  const { outcome, rule, reason, observed } = policy.decide(command, world.now);
  const rules = policy.explain(command, world.now);
  return { text, facts, verdict: outcome, rule, reason, observed, rules };
}
