/** Checks and compiles what `match`, `unless` and `reviewers` say about who and where. */
import {
  type IdentitySelector,
  type SelectorKind,
  selectorKinds,
  selectsName,
  type TargetSelector,
} from '#core/selectors.ts';
import type { Reporter, PolicyOptions } from './compile.ts';
import type { LabelWords, MatchSource, TargetWords } from './document.ts';
import { isProtocol, isRole, protocolNames, roleNames } from './inputs.ts';
import type { Match } from './match.ts';
import { didYouMean } from './problems.ts';
import type { Path } from './source.ts';

const kinds: readonly string[] = ['workload', 'human'];

/** A match that fits everything. */
const anything: Match = {
  identities: undefined,
  targets: undefined,
  protocols: undefined,
  accounts: undefined,
  purposes: undefined,
};

export function compileMatch(
  source: MatchSource | undefined,
  base: Path,
  reporter: Reporter,
  options: PolicyOptions,
): Match {
  if (source === undefined) return anything;
  const { known } = options;
  source.protocols?.forEach((name, index) => {
    if (isProtocol(name)) return;
    const hint = didYouMean(name, protocolNames);
    reporter.report([...base, 'protocols', index], `unknown protocol '${name}'${hint}`);
  });
  const targets = source.targets === undefined ? undefined : targetSelectors(source.targets);
  for (const target of targets ?? []) {
    if (known?.targets === undefined || !('name' in target)) continue;
    if (known.targets.some((name) => selectsName(target.name, name))) continue;
    const hint = didYouMean(target.name, known.targets);
    reporter.report([...base, 'targets'], `no target '${target.name}'${hint}`);
  }
  const identities = source.identities?.flatMap((word, index) => {
    const selector = parseSelector(word, selectorKinds);
    const fault = typeof selector === 'string' ? selector : selectorFault(selector, options);
    if (fault !== undefined) reporter.report([...base, 'identities', index], fault);
    return typeof selector === 'string' ? [] : [selector];
  });
  source.purposes?.forEach((name, index) => {
    if (known?.purposes === undefined || known.purposes.includes(name)) return;
    const hint = didYouMean(name, known.purposes);
    reporter.report([...base, 'purposes', index], `no grant has the purpose '${name}'${hint}`);
  });
  const { protocols, accounts, purposes } = source;
  return { identities, targets, protocols, accounts, purposes };
}

function targetSelectors(source: TargetWords): readonly TargetSelector[] {
  const entries: readonly (string | LabelWords)[] = isList(source) ? source : [source];
  return entries.map((entry) => {
    if (typeof entry === 'string') return { name: entry };
    const labels = Object.entries(entry).map(
      ([key, value]) => [key, typeof value === 'string' ? [value] : value] as const,
    );
    return { labels: Object.fromEntries(labels) };
  });
}

/** `Array.isArray` does not narrow a readonly list. */
const isList = (source: TargetWords): source is readonly (string | LabelWords)[] =>
  Array.isArray(source);

/** A selector, or what is wrong with it. */
export function parseSelector(
  word: string,
  allowed: readonly SelectorKind[],
): IdentitySelector | string {
  const colon = word.indexOf(':');
  const name = word.slice(0, Math.max(colon, 0));
  const value = word.slice(colon + 1);
  const kind = allowed.find((each) => each === name);
  if (kind === undefined || value === '') {
    const forms = allowed.map((each) => `${each}:…`).join(', ');
    return `'${word}' is not a selector; write ${forms}${didYouMean(name, allowed)}`;
  }
  return { kind, value };
}

/** What is wrong with the word of a selector, given the names that the configuration has. */
export function selectorFault(
  selector: IdentitySelector,
  options: PolicyOptions,
): string | undefined {
  const { kind, value } = selector;
  const unknown = (what: string, names: readonly string[]): string | undefined =>
    names.includes(value) ? undefined : `unknown ${what} '${value}'${didYouMean(value, names)}`;
  switch (kind) {
    case 'role':
      return isRole(value) ? undefined : unknown('role', roleNames);
    case 'kind':
      return unknown('kind', kinds);
    case 'group':
      return options.known?.groups === undefined
        ? undefined
        : unknown('group', options.known.groups);
    case 'issuer':
      return options.known?.issuers === undefined
        ? undefined
        : unknown('issuer', options.known.issuers);
    case 'identity':
      return value.includes('/') || value === '*'
        ? undefined
        : `'${value}' is not an identity; it is written <issuer>/<subject>`;
    case 'owner':
      return undefined;
  }
}
