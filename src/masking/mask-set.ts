/**
 * The masks of a policy, compiled for one identity and target: which columns, which content, and
 * how each is changed.
 *
 * Invariant: where several rules speak of one column or one kind, the most restrictive holds.
 */
import { GatewayError } from '#core/errors.ts';
import { defaultLimits } from '#core/limits.ts';
import type { ColumnMask, MaskRule, MaskSet, Transform } from '#core/masking.ts';
import { type ColumnPattern, parseColumn } from './columns.ts';
import { Content } from './content.ts';
import { detectorsNamed, knownDetectors } from './detectors/table.ts';
import { Examiner } from './examine.ts';
import { compilePattern, type CustomPattern } from './patterns.ts';
import { Plan } from './plan.ts';
import type { KeyedHash } from './pseudonym.ts';
import { replaceValue } from './transforms.ts';

/** What a mask set needs besides its rules. */
export interface MaskSetOptions {
  /** See {@link MaskSet.version}. */
  readonly version: string;
  /** HMAC-SHA-256 under the key of a scope. */
  readonly hash: KeyedHash;
  /** Longer cells are replaced unread. */
  readonly cellBytesMax?: number;
  /** The customer's own patterns; rules name them under `detect`. */
  readonly patterns?: readonly CustomPattern[];
}

/** Column look-ups that are remembered: names come from catalogues, which are large. */
const COLUMNS_CACHED_MAX = 10_000;

/** Sets without some of the rules that are remembered: approvals lift the same ones again. */
const LIFTED_CACHED_MAX = 16;

/** From what hides least to what hides most. */
const STRICTNESS: readonly Transform['kind'][] = [
  'partial',
  'generalise',
  'hash',
  'fixed',
  'null',
  'redact',
];

/**
 * Compiles the rules.
 *
 * @throws GatewayError `SP_CONFIG` for an unknown detector or a column that has not three parts.
 */
export function createMaskSet(rules: readonly MaskRule[], options: MaskSetOptions): MaskSet {
  return new CompiledMasks(rules, options);
}

/** The rule of the two that hides more; the first when they hide the same. */
function stricter<T extends { readonly transform: Transform }>(a: T | undefined, b: T): T {
  if (a === undefined) return b;
  const rank = ({ transform }: T): number => STRICTNESS.indexOf(transform.kind);
  return rank(b) > rank(a) ? b : a;
}

class CompiledMasks implements MaskSet {
  readonly version: string;
  readonly empty: boolean;
  readonly columns: readonly string[];
  readonly content: Content | undefined;
  readonly #exact: Map<string, ColumnMask> = new Map();
  readonly #patterns: { readonly pattern: ColumnPattern; readonly mask: ColumnMask }[] = [];
  readonly #cache: Map<string, ColumnMask | undefined> = new Map();
  readonly #rules: readonly MaskRule[];
  readonly #options: MaskSetOptions;
  readonly #left: Map<string, MaskSet> = new Map();

  /** @param content - of other rules that look for the same; compiled when it is not given. */
  constructor(
    rules: readonly MaskRule[],
    options: MaskSetOptions,
    content: Content | undefined = compileContent(rules, options),
  ) {
    this.version = options.version;
    this.#rules = rules;
    this.#options = options;
    this.columns = [...new Set(rules.flatMap((rule) => rule.columns))];
    for (const rule of rules) this.#addColumns(rule);
    this.content = content;
    this.empty = this.columns.length === 0 && this.content === undefined;
  }

  column(schema: string, table: string, column: string): ColumnMask | undefined {
    const key = keyOf(schema, table, column);
    if (this.#patterns.length === 0) return this.#exact.get(key);
    if (this.#cache.has(key)) return this.#cache.get(key);
    let mask = this.#exact.get(key);
    for (const candidate of this.#patterns) {
      if (candidate.pattern.matches(schema, table, column)) mask = stricter(mask, candidate.mask);
    }
    if (this.#cache.size >= COLUMNS_CACHED_MAX) this.#cache.clear();
    this.#cache.set(key, mask);
    return mask;
  }

  replace(
    transform: Transform,
    kind: Parameters<MaskSet['replace']>[1],
    text: string | undefined,
  ): string | null {
    return replaceValue(transform, kind, text, this.#options.hash);
  }

  without(ids: readonly string[]): MaskSet {
    const lifted = this.#rules.filter(({ id }) => ids.includes(id));
    if (lifted.length === 0) return this;
    const key = JSON.stringify(lifted.map(({ id }) => id));
    const known = this.#left.get(key);
    if (known !== undefined) return known;
    const rules = this.#rules.filter((rule) => !lifted.includes(rule));
    const options = { ...this.#options, version: `${this.version}-${key}` };
    // What looks at content is costly to compile, so it is shared where it stays the same.
    const isSame = lifted.every(({ detect }) => detect.length === 0);
    const left = isSame
      ? new CompiledMasks(rules, options, this.content)
      : new CompiledMasks(rules, options);
    if (this.#left.size >= LIFTED_CACHED_MAX) this.#left.clear();
    this.#left.set(key, left);
    return left;
  }

  #addColumns(rule: MaskRule): void {
    const mask: ColumnMask = { id: rule.id, transform: rule.transform };
    for (const written of rule.columns) {
      const pattern = parseColumn(written);
      if (pattern === undefined) {
        throw new GatewayError('SP_CONFIG', {
          detail: `mask ${rule.id}: ${written} is not schema.table.column`,
        });
      }
      if (pattern.exact === undefined) {
        this.#patterns.push({ pattern, mask });
        continue;
      }
      const key = keyOf(...pattern.exact);
      this.#exact.set(key, stricter(this.#exact.get(key), mask));
    }
  }
}

const keyOf = (schema: string, table: string, column: string): string =>
  `${schema}\0${table}\0${column}`;

function compileContent(rules: readonly MaskRule[], options: MaskSetOptions): Content | undefined {
  const patterns = (options.patterns ?? []).map(compilePattern);
  const clash = patterns.find(({ name }) => knownDetectors.has(name));
  if (clash !== undefined) {
    throw new GatewayError('SP_CONFIG', { detail: `pattern ${clash.name}: the name is taken` });
  }
  const own = new Set(patterns.map(({ name }) => name));
  const chosen = new Map<string, MaskRule>();
  for (const rule of rules) {
    for (const name of rule.detect) {
      if (own.has(name)) {
        chosen.set(name, stricter(chosen.get(name), rule));
        continue;
      }
      if (!knownDetectors.has(name)) {
        throw new GatewayError('SP_CONFIG', {
          detail: `mask ${rule.id}: no detector or group is called ${name}`,
        });
      }
      for (const detector of detectorsNamed(name)) {
        chosen.set(detector.name, stricter(chosen.get(detector.name), rule));
      }
    }
  }
  if (chosen.size === 0) return undefined;
  const examiner = examinerFor([...chosen.keys()], options.patterns ?? []);
  return new Content({
    examiner,
    transforms: examiner.plan.kinds.map(({ name }) => chosen.get(name)?.transform),
    hash: options.hash,
    cellBytesMax: options.cellBytesMax ?? defaultLimits.cellBytesMax,
  });
}

/** Examiners by what they look for: mask sets differ in transforms more often than in detectors. */
const examiners: Map<string, Examiner> = new Map();
const EXAMINERS_MAX = 16;

function examinerFor(names: readonly string[], patterns: readonly CustomPattern[]): Examiner {
  const key = JSON.stringify([names.toSorted(), patterns]);
  const known = examiners.get(key);
  if (known !== undefined) return known;
  const made = new Examiner(new Plan(new Set(names), patterns.map(compilePattern)));
  const [oldest] = examiners.keys();
  if (examiners.size >= EXAMINERS_MAX && oldest !== undefined) examiners.delete(oldest);
  examiners.set(key, made);
  return made;
}
