/** The policy room as `sallyport policy` sees it. */
import { GatewayError } from '#core/errors.ts';
import type { PolicyText, PolicyTools } from '#core/ports/policy-tools.ts';
import { runCases, runTemplateCases } from './cases.ts';
import { compilePolicies, type PolicyOptions, type PolicyResult } from './compile.ts';
import { Explainer } from './explain-request.ts';
import { formatProblem } from './problems.ts';
import { simulate } from './simulate.ts';

/** Makes the tools for policies that are compiled with these options. */
export function policyTools(options: PolicyOptions): PolicyTools {
  const load = (files: readonly PolicyText[]): Extract<PolicyResult, { ok: true }> => {
    const result = compilePolicies(files, options);
    if (result.ok) return result;
    const detail = result.problems.map(formatProblem).join('\n');
    throw new GatewayError('SP_CONFIG', { detail });
  };
  return {
    check: (files) => {
      const result = compilePolicies(files, options);
      if (!result.ok) return { ok: false, problems: result.problems.map(formatProblem) };
      const { version, ruleIds, maskIds } = result.policy;
      const { length: tests } = result.cases;
      return { ok: true, version, rules: ruleIds.length, masks: maskIds.length, tests };
    },
    test: async (files, analyse) => {
      const { policy, cases } = load(files);
      return [...(await runCases(policy, cases, analyse)), ...runTemplateCases()];
    },
    explainer: (files, world) => {
      const { policy } = load(files);
      const explainer = new Explainer(policy, world);
      return (request) => explainer.explain(request);
    },
    simulate: (files, commands, onCommand) => {
      const { policy } = load(files);
      return simulate(undefined, policy, counted(commands, onCommand));
    },
  };
}

async function* counted<T>(
  items: AsyncIterable<T> | Iterable<T>,
  onItem: () => void,
): AsyncGenerator<T> {
  for await (const item of items) {
    onItem();
    yield item;
  }
}
