/**
 * Policy files → a {@link PolicySet}, or every problem at once. Nothing is skipped: a rule that
 * cannot work as written (an unknown word, reviewers that cannot be reached, a wait that the
 * protocol cannot give) refuses the whole policy, so that the one in force stays in force.
 */
import { policyLimits } from '#core/limits.ts';
import { asId, type PolicyVersion } from '#core/ids.ts';
import type { Capabilities } from '#core/protocol.ts';
import type { ProtocolName } from '#core/target.ts';
import { compileMask } from './compile-mask.ts';
import { compileRule } from './compile-rule.ts';
import { caseFaults, type PolicyCase } from './cases.ts';
import type { PolicyDocument } from './document.ts';
import { PolicySet } from './policy-set.ts';
import { didYouMean, type Problem } from './problems.ts';
import type { CompiledMask, CompiledRule } from './rule.ts';
import { type Path, type PolicyFile, type PolicySource, readDocument } from './source.ts';
import { templates } from './templates.ts';

export type { PolicyFile } from './source.ts';

/** Names that the configuration knows. A list that is absent is not checked against. */
export interface KnownNames {
  readonly targets?: readonly string[];
  readonly groups?: readonly string[];
  readonly issuers?: readonly string[];
  readonly detectors?: readonly string[];
  readonly purposes?: readonly string[];
}

export interface PolicyOptions {
  /** Lower-case hex SHA-256; policies need no `node:` module for it. */
  readonly sha256Hex: (bytes: Uint8Array) => string;
  /** Capabilities of the protocols that are in use. */
  readonly capabilities?: ReadonlyMap<ProtocolName, Capabilities>;
  readonly known?: KnownNames;
}

export type PolicyResult =
  | { readonly ok: true; readonly policy: PolicySet; readonly cases: readonly PolicyCase[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Where the parts of a compilation put what is wrong. */
export interface Reporter {
  report(path: Path, message: string, offset?: number): void;
  problem(path: Path): Problem;
}

/**
 * Compiles the files of one policy. The order of the files does not matter: they are sorted by
 * path. Never throws for anything that is in a file.
 */
export function compilePolicies(
  files: readonly PolicyFile[],
  options: PolicyOptions,
): PolicyResult {
  if (files.length > policyLimits.documentsMax) {
    const message = `more than ${policyLimits.documentsMax} policy files`;
    return { ok: false, problems: [{ file: '', line: 1, column: 1, at: '', message }] };
  }
  const compilation = new Compilation(options);
  for (const file of files.toSorted((left, right) => (left.path < right.path ? -1 : 1))) {
    compilation.add(file);
  }
  return compilation.finish();
}

class Compilation {
  readonly #options: PolicyOptions;
  readonly #problems: Problem[] = [];
  readonly #rules: CompiledRule[] = [];
  readonly #masks: CompiledMask[] = [];
  readonly #cases: PolicyCase[] = [];
  readonly #documents: PolicyDocument[] = [];
  /** Where an id was first used; rules and masks share them, so that a name means one thing. */
  readonly #ids = new Map<string, Problem>();
  #files = 0;

  constructor(options: PolicyOptions) {
    this.#options = options;
  }

  add(file: PolicyFile): void {
    this.#files += 1;
    const { source, document, problems } = readDocument(file);
    this.#problems.push(...problems);
    if (document === undefined) return;
    this.#documents.push(document);
    document.rules.forEach((rule, index) => {
      const reporter = this.#reporter(source, ['rules', index]);
      this.#claim(rule.id, reporter);
      const compiled = compileRule(rule, reporter, this.#options);
      if (compiled !== undefined) this.#rules.push(compiled);
      rule.hold?.mayLift?.forEach((mask, at) => {
        this.#named.push({ kind: 'mask', id: mask, path: ['hold', 'mayLift', at], reporter });
      });
    });
    document.masks.forEach((mask, index) => {
      const reporter = this.#reporter(source, ['masks', index]);
      this.#claim(mask.id, reporter);
      const compiled = compileMask(mask, reporter, this.#options);
      if (compiled !== undefined) this.#masks.push(compiled);
    });
    document.tests.forEach((test, index) => {
      const reporter = this.#reporter(source, ['tests', index]);
      const { file: path, line } = reporter.problem([]);
      this.#cases.push({ file: path, line, source: test });
      for (const fault of caseFaults(test)) reporter.report(fault.path, fault.message);
      const rule = typeof test.expect === 'string' ? undefined : test.expect.rule;
      if (rule === undefined) return;
      this.#named.push({ kind: 'rule', id: rule, path: ['expect', 'rule'], reporter });
    });
  }

  /** Rules and masks that are named elsewhere, perhaps before they are read. */
  readonly #named: {
    readonly kind: 'rule' | 'mask';
    readonly id: string;
    readonly path: Path;
    readonly reporter: Reporter;
  }[] = [];

  finish(): PolicyResult {
    const ids = {
      rule: [...this.#rules.map(({ id }) => id), 'default'],
      mask: this.#masks.map(({ rule }) => rule.id),
    };
    if (this.#problems.length === 0) {
      for (const { kind, id, path, reporter } of this.#named) {
        if (ids[kind].includes(id)) continue;
        reporter.report(path, `no ${kind} '${id}'${didYouMean(id, ids[kind])}`);
      }
      this.#checkSize();
    }
    if (this.#problems.length > 0) return { ok: false, problems: this.#problems };
    const policy = new PolicySet(this.#version(), this.#rules, this.#masks);
    return { ok: true, policy, cases: this.#cases };
  }

  #checkSize(): void {
    const count = this.#rules.length;
    const limit = policyLimits.rulesMax;
    const tooMany = count > limit ? `${count} rules, the limit is ${limit}` : undefined;
    // Such a policy denies everything; a file that was emptied by accident is the likelier cause.
    const message = count === 0 ? 'the policy has no rules' : tooMany;
    if (message !== undefined) {
      this.#problems.push({
        file: this.#files === 1 ? 'policy' : 'policies',
        line: 1,
        column: 1,
        at: '',
        message,
      });
    }
  }

  #claim(id: string, reporter: Reporter): void {
    const first = this.#ids.get(id);
    if (first !== undefined) {
      reporter.report(['id'], `'${id}' is already used at ${first.file}:${first.line}`);
    } else if (id === 'default') {
      reporter.report(['id'], "'default' is what a denial without a rule is called");
    } else {
      this.#ids.set(id, reporter.problem(['id']));
    }
  }

  #reporter(source: PolicySource, base: Path): Reporter {
    return {
      report: (path, message, offset) => {
        this.#problems.push(source.problem([...base, ...path], message, offset));
      },
      problem: (path) => source.problem([...base, ...path], ''),
    };
  }

  /**
   * Over everything that can change a verdict: rules and masks as parsed, in their order, and the
   * text of the templates, so that a new release of the gateway with other templates shows.
   */
  #version(): PolicyVersion {
    const canonical = JSON.stringify(
      [
        'sallyport-policy-v1',
        this.#documents.map(({ rules, masks }) => [rules, masks]),
        [...templates].map(([name, { when, parameters }]) => [name, when, parameters]),
      ],
      sortKeys,
    );
    return asId(this.#options.sha256Hex(new TextEncoder().encode(canonical)));
  }
}

/** A replacer that gives every object the same order of keys. */
function sortKeys(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
