/**
 * `sallyport policy check | test | explain | simulate`: options in, lines and an exit code out. The
 * policy room is handed in as {@link PolicyTools}, files as text.
 *
 * Exit codes: 0 fine, 1 the policy has a problem, a test failed, or a request was not understood;
 * `explain` of one statement answers 3 when it is denied and 5 when it is held.
 */
import type {
  ExplainedCommand,
  Explanation,
  PastCommand,
  PolicyAnalyser,
  PolicyChange,
  PolicyText,
  PolicyTools,
  PolicyWorld,
} from '#core/ports/policy-tools.ts';
import { printable, printableLine } from '#core/printable.ts';
import type { Outcome } from '#core/verdict.ts';
import { reporting, type TextOutput } from './output.ts';

/** What every command works with. */
export interface PolicyCommandContext {
  readonly tools: PolicyTools;
  readonly files: readonly PolicyText[];
  readonly output: TextOutput;
  readonly json?: boolean | undefined;
}

/** Says whether the policy loads, and if not, everything that is wrong. */
export function checkPolicy(context: PolicyCommandContext): Promise<number> {
  const { tools, files, output, json } = context;
  return reporting(output, async () => {
    const result = tools.check(files);
    if (json) output.line(JSON.stringify(result));
    if (!result.ok) {
      if (!json) for (const problem of result.problems) output.line(printableLine(problem));
      return 1;
    }
    const { version, rules, masks, tests } = result;
    if (!json) output.line(`ok: ${rules} rules, ${masks} masks, ${tests} tests; ${version}`);
    return 0;
  });
}

/** Runs the tests of the policy and of the templates; prints those that fail, and a count. */
export function testPolicy(
  context: PolicyCommandContext,
  analyse: PolicyAnalyser | undefined,
): Promise<number> {
  const { tools, files, output, json } = context;
  return reporting(output, async () => {
    const results = await tools.test(files, analyse);
    const failed = results.filter(({ ok }) => !ok);
    if (json) output.line(JSON.stringify({ passed: results.length - failed.length, failed }));
    else {
      for (const { name, message } of failed)
        output.line(`FAIL ${printableLine(name)}: ${message}`);
      output.line(`${results.length - failed.length} passed, ${failed.length} failed`);
    }
    return failed.length === 0 ? 0 : 1;
  });
}

/** What a request holds that does not say it itself. */
export interface RequestDefaults {
  readonly target?: string | undefined;
  readonly identity?: string | undefined;
  readonly account?: string | undefined;
  readonly namespace?: string | undefined;
}

const exitCodes: Readonly<Record<Outcome, number>> = { allow: 0, deny: 3, hold: 5 };
/** The worst first: what several statements answer together. */
const severity: readonly number[] = [1, exitCodes.deny, exitCodes.hold, exitCodes.allow];

/** Explains statements for a person, or with `json` as one line each. */
export function explainPolicy(
  context: PolicyCommandContext,
  world: PolicyWorld,
  statements: readonly string[],
  defaults: RequestDefaults,
): Promise<number> {
  const { tools, files, output, json } = context;
  return reporting(output, async () => {
    const explain = tools.explainer(files, world);
    const codes = new Set<number>();
    for (const input of statements) {
      const answer = await explain({ ...defaults, input });
      if (json) output.line(explanationJson(answer));
      else if (answer.ok) for (const text of explanationLines(answer.commands)) output.line(text);
      else output.error(printableLine(answer.error));
      codes.add(answer.ok ? exitCodes[answer.verdict] : 1);
    }
    return severity.find((code) => codes.has(code)) ?? 0;
  });
}

/** Explains JSON lines, one request each, one answer each, in order; never stops at a bad one. */
export function explainLines(
  context: PolicyCommandContext,
  world: PolicyWorld,
  lines: AsyncIterable<string>,
  defaults: RequestDefaults = {},
): Promise<number> {
  const { tools, files, output } = context;
  return reporting(output, async () => {
    const explain = tools.explainer(files, world);
    let status = 0;
    for await (const line of lines) {
      if (line.trim() === '') continue;
      const request = parseJson(line);
      const answer: Explanation =
        request === undefined
          ? { ok: false, id: undefined, error: 'the line is not JSON' }
          : await explain(withDefaults(request.value, defaults));
      if (!answer.ok) status = 1;
      output.line(explanationJson(answer));
    }
    return status;
  });
}

const withDefaults = (request: unknown, defaults: RequestDefaults): unknown =>
  typeof request === 'object' && request !== null ? { ...defaults, ...request } : request;

function parseJson(line: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(line) };
  } catch {
    return undefined;
  }
}

function explanationJson(answer: Explanation): string {
  if (!answer.ok) return JSON.stringify({ id: answer.id, error: answer.error });
  const { id, facts, verdict, rule, reason, policy, identityKnown, commands } = answer;
  return JSON.stringify({
    id,
    facts,
    verdict,
    rule,
    reason,
    policy,
    ...(identityKnown ? {} : { identityKnown }),
    observed: commands.flatMap(({ observed }) => observed),
    ...(commands.length === 1 && commands[0]?.limits ? { limits: commands[0].limits } : {}),
    // One command says nothing that is not above.
    ...(commands.length > 1 ? { commands } : {}),
  });
}

function explanationLines(commands: readonly ExplainedCommand[]): readonly string[] {
  return commands.flatMap((command) => {
    const { text, facts, verdict, rule, reason, rules } = command;
    return [
      printable(text),
      `  ${verdict} by ${rule}: ${reason}`,
      `  effects ${facts.effects.join(', ') || 'none'}; analysis ${facts.analysis}`,
      ...Object.entries(command.limits?.bounds ?? {}).map(
        ([name, bound]) => `  limit ${name} ${bound.max} by ${bound.rule}`,
      ),
      ...facts.reasons.map((why) => `  not understood: ${printableLine(why)}`),
      ...facts.objects.map(({ kind, name, access }) =>
        printableLine(`  ${access} ${kind} ${name}`),
      ),
      ...facts.columns
        .filter(({ masked }) => masked)
        .map(({ name, use }) => printableLine(`  masked ${name}: ${use}`)),
      ...rules().map((each) => {
        const mark = each.matched ? '*' : ' ';
        const mode = each.mode === 'observe' ? ' (observe)' : '';
        const head = `  ${mark} ${each.outcome.padEnd(5)} ${each.rule}${mode}`;
        return printableLine(`${head}  ${each.where}  ${each.because}`);
      }),
    ];
  });
}

/** Prints every decision that the policy would make differently, and a summary. */
export function simulatePolicy(
  context: PolicyCommandContext,
  commands: AsyncIterable<PastCommand> | Iterable<PastCommand>,
): Promise<number> {
  const { tools, files, output, json } = context;
  return reporting(output, async () => {
    let looked = 0;
    const counts = new Map<string, number>();
    for await (const change of tools.simulate(files, commands, () => (looked += 1))) {
      const kind = `${change.before.outcome} → ${change.after.outcome}`;
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
      output.line(json ? changeJson(change) : changeLine(change));
    }
    const changed = [...counts].map(([kind, count]) => `${count} ${kind}`).join(', ');
    output.error(`${looked} commands; ${changed || 'nothing would change'}`);
    return 0;
  });
}

function changeJson({ command, before, after }: PolicyChange): string {
  const { id, at, identity, target, account, text } = command;
  const where = { target: target.name, account };
  return JSON.stringify({ id, at, identity: identity.id, ...where, text, before, after });
}

const LINE_CHARS = 200;

function changeLine({ command, before, after }: PolicyChange): string {
  const { at, identity, target, account, text, id } = command;
  const head = `${new Date(at).toISOString()} ${identity.id} ${account}@${target.name}`;
  const change = `${before.outcome} (${before.rule}) → ${after.outcome} (${after.rule})`;
  const shown = text.length > LINE_CHARS ? `${text.slice(0, LINE_CHARS)}…` : text;
  return printableLine(`${head}: ${change}  ${id}  ${shown}`);
}
