/**
 * The tests that stand in policy files (`tests:`) and those of the templates: each gives a command
 * and says what must become of it.
 */
import type { Command, SessionContext } from '#core/command.ts';
import { type ColumnFact, type Facts, noFacts, type ObjectFact } from '#core/facts.ts';
import { askedAbout, deedsOf, type History } from '#core/history.ts';
import { asEpochMs, asId, type EpochMs } from '#core/ids.ts';
import type { Identity } from '#core/identity.ts';
import type { PolicyAnalyser, PolicyTestResult } from '#core/ports/policy-tools.ts';
import type { AnalysedCommand } from '#core/protocol.ts';
import type { ProtocolName, Target } from '#core/target.ts';
import { bind, contextValues, factsEntries, factsValue } from './bindings.ts';
import { templateCondition } from './compile-rule.ts';
import type { CaseSource, FactsSource, HistorySource, IdentitySource } from './document.ts';
import {
  accessNames,
  analysisNames,
  columnUseNames,
  effectNames,
  isAccess,
  isAnalysis,
  isColumnUse,
  isEffect,
  isProtocol,
  isRole,
  protocolNames,
  roleNames,
} from './inputs.ts';
import type { PolicySet } from './policy-set.ts';
import { didYouMean } from './problems.ts';
import type { Path } from './source.ts';
import { templates } from './templates.ts';

/** A test with its place. */
export interface PolicyCase {
  readonly file: string;
  readonly line: number;
  readonly source: CaseSource;
}

/** Words of a test that can never occur. */
export function caseFaults(test: CaseSource): readonly { path: Path; message: string }[] {
  const faults: { path: Path; message: string }[] = [];
  const check = (path: Path, word: string, names: readonly string[]): void => {
    if (names.includes(word)) return;
    faults.push({ path, message: `unknown word '${word}'${didYouMean(word, names)}` });
  };
  const { command } = test;
  check(['command', 'protocol'], command.protocol, protocolNames);
  command.identity?.roles?.forEach((role, index) => {
    check(['command', 'identity', 'roles', index], role, roleNames);
  });
  const facts = ['command', 'facts'];
  command.facts?.effects?.forEach((effect, index) => {
    check([...facts, 'effects', index], effect, effectNames);
  });
  command.facts?.objects?.forEach(({ access }, index) => {
    check([...facts, 'objects', index, 'access'], access, accessNames);
  });
  command.facts?.columns?.forEach(({ use }, index) => {
    check([...facts, 'columns', index, 'use'], use, columnUseNames);
  });
  if (command.facts?.analysis !== undefined) {
    check([...facts, 'analysis'], command.facts.analysis, analysisNames);
  }
  if (command.facts === undefined && command.input === undefined) {
    faults.push({ path: ['command'], message: 'a test needs facts, or input to be analysed' });
  }
  return faults;
}

/** Runs the tests of a policy. A test whose `input` cannot be analysed here fails, and says so. */
export async function runCases(
  policy: PolicySet,
  cases: readonly PolicyCase[],
  analyse?: PolicyAnalyser,
): Promise<readonly PolicyTestResult[]> {
  const results: PolicyTestResult[] = [];
  for (const each of cases) results.push(await runCase(policy, each, analyse));
  return results;
}

async function runCase(
  policy: PolicySet,
  { file, line, source }: PolicyCase,
  analyse: PolicyAnalyser | undefined,
): Promise<PolicyTestResult> {
  const name = `${file}:${line} ${source.name}`;
  const context = caseContext(source);
  const masks = { rules: policy.maskRules(context), version: policy.version };
  const analysed = await caseFacts(source, async (input) => await analyse?.(input, context, masks));
  if (typeof analysed === 'string') return { name, ok: false, message: analysed };
  const now = source.command.at === undefined ? NOON : asEpochMs(Date.parse(source.command.at));
  const verdicts = analysed.map(({ text, facts }) =>
    policy.decide(caseCommand(source, context, text, facts), now),
  );
  const [first, ...rest] = verdicts;
  if (first === undefined) return { name, ok: false, message: 'the input is no command' };
  const verdict = rest.reduce(stricter, first);
  const expected = typeof source.expect === 'string' ? { outcome: source.expect } : source.expect;
  const rule = 'rule' in expected ? expected.rule : undefined;
  const ok = verdict.outcome === expected.outcome && (rule === undefined || verdict.rule === rule);
  const wanted = rule === undefined ? expected.outcome : `${expected.outcome} by ${rule}`;
  const message = `expected ${wanted}, got ${verdict.outcome} by ${verdict.rule}`;
  return { name, ok, message: ok ? '' : message };
}

const severity = { allow: 0, hold: 1, deny: 2 } as const;

/** The more restrictive of two verdicts; the first among equals. */
export function stricter<V extends { readonly outcome: keyof typeof severity }>(a: V, b: V): V {
  return severity[b.outcome] > severity[a.outcome] ? b : a;
}

async function caseFacts(
  source: CaseSource,
  analyse: (input: unknown) => Promise<readonly AnalysedCommand[] | undefined>,
): Promise<readonly AnalysedCommand[] | string> {
  const { command } = source;
  if (command.facts !== undefined) return [{ text: command.text, facts: fillFacts(command.facts) }];
  try {
    const analysed = await analyse(command.input);
    return analysed ?? 'it has input but no facts, and no analyser is at hand';
  } catch (thrown) {
    return `analysis failed: ${thrown instanceof Error ? thrown.message : String(thrown)}`;
  }
}

/** Checks the templates that ship with the gateway against their own cases. */
export function runTemplateCases(): readonly PolicyTestResult[] {
  const context = plainContext('postgres');
  return [...templates].flatMap(([name, template]) =>
    template.cases.map((each) => {
      const condition = templateCondition(template, each.parameters ?? {});
      const facts = { ...noFacts, ...each.facts };
      const command = { text: '', kind: 'execute', parameters: [] } as const;
      const past = plainHistory(facts, { novel: each.novel ?? false });
      const value = factsValue(factsEntries(facts), past);
      const bindings = bind(contextValues(context), value, command, NOON);
      const answer = condition.evaluate(bindings);
      const ok = answer === each.matches;
      const message = ok ? '' : `expected ${String(each.matches)}, got ${String(answer)}`;
      return { name: `template ${name}: ${each.name}`, ok, message };
    }),
  );
}

/** Thursday, 1 January 2026, noon in UTC: when a test judges if it does not say. */
const NOON: EpochMs = asEpochMs(Date.UTC(2026, 0, 1, 12));

/** Facts with plain defaults for what is left out. Words were checked by {@link caseFaults}. */
export function fillFacts(source: FactsSource): Facts {
  const objects: ObjectFact[] = (source.objects ?? []).flatMap(({ kind, name, access }) =>
    isAccess(access) ? [{ kind, name, access }] : [],
  );
  const columns: ColumnFact[] = (source.columns ?? []).flatMap(({ name, use, masked }) =>
    isColumnUse(use) ? [{ name, use, masked }] : [],
  );
  const analysis = source.analysis ?? 'complete';
  const { rowsChangedMax, fields } = source;
  return {
    ...(fields === undefined ? {} : { fields }),
    ...(rowsChangedMax === undefined ? {} : { rowsChangedMax }),
    effects: (source.effects ?? []).filter(isEffect),
    objects,
    columns,
    functions: source.functions ?? [],
    verbs: source.verbs ?? [],
    analysis: isAnalysis(analysis) ? analysis : 'opaque',
    reasons: source.reasons ?? [],
    fingerprint: source.fingerprint ?? '',
  };
}

/** An identity with plain defaults, for tests and `explain`. */
export function plainIdentity(source: IdentitySource = {}): Identity {
  const id = source.id ?? 'test/somebody';
  const slash = id.indexOf('/');
  return {
    id: asId(id),
    kind: source.kind ?? 'workload',
    issuer: slash === -1 ? 'test' : id.slice(0, slash),
    subject: id.slice(slash + 1),
    displayName: id,
    groups: source.groups ?? [],
    roles: (source.roles ?? []).filter(isRole),
    owner: source.owner,
    onBehalfOf: source.onBehalfOf === undefined ? undefined : asId(source.onBehalfOf),
    claims: source.claims ?? {},
    expiresAt: asEpochMs(Number.MAX_SAFE_INTEGER),
  };
}

/** A target with plain defaults, for tests and `explain`. */
export function plainTarget(
  name: string,
  protocol: ProtocolName,
  labels: Readonly<Record<string, string>> = {},
): Target {
  return {
    name,
    protocol,
    address: { host: '', port: 0 },
    labels,
    tls: { mode: 'verify-full', ca: undefined, serverName: undefined },
    accounts: [],
    settings: undefined,
  };
}

function plainContext(protocol: ProtocolName): SessionContext {
  return {
    session: asId('session'),
    protocol,
    identity: plainIdentity(),
    target: plainTarget('target', protocol),
    account: 'account',
    namespace: 'database',
    clientAddress: '',
    clientName: '',
    features: [],
    holdMode: 'wait',
  };
}

function caseContext({ command }: CaseSource): SessionContext {
  const protocol = isProtocol(command.protocol) ? command.protocol : 'postgres';
  const { target } = command;
  const named = typeof target === 'object' ? target : { name: target ?? 'target', labels: {} };
  return {
    ...plainContext(protocol),
    identity: plainIdentity(command.identity),
    target: plainTarget(named.name, protocol, named.labels),
    account: command.account,
    namespace: command.namespace,
    purpose: command.purpose,
  };
}

function caseCommand(
  { command }: CaseSource,
  context: SessionContext,
  text: string,
  facts: Facts,
): Command {
  const history = plainHistory(facts, { novel: false, ...command.history });
  const { kind } = command;
  return { id: asId('test'), context, kind, text, parameters: [], state: '', facts, history };
}

/** A past in which everything was done before or nothing was, and so many masked values told. */
export function plainHistory(facts: Facts, { novel, maskedFilters }: HistorySource): History {
  const asks = askedAbout(facts).length > 0;
  return {
    novel: novel === false ? [] : deedsOf(facts),
    since: novel === false ? asEpochMs(0) : undefined,
    told: () => (asks ? (maskedFilters ?? 0) : undefined),
  };
}
