/**
 * The shape of a policy file, strict: an unknown key is a mistake, never ignored. Only shapes are
 * checked here; what words mean (templates, groups, expressions) is checked in `compile.ts`.
 */
import { z } from 'zod';
import { policyLimits } from '#core/limits.ts';
import type { Outcome } from '#core/verdict.ts';
import { didYouMean } from './problems.ts';

type Maybe<T> = T | undefined;
/** Words, or one word standing for a list of one. */
type Words = readonly string[];
export type LabelWords = Readonly<Record<string, string | readonly string[]>>;
export type TargetWords = string | LabelWords | readonly (string | LabelWords)[];

export interface MatchSource {
  readonly identities?: Maybe<Words>;
  readonly targets?: Maybe<TargetWords>;
  readonly protocols?: Maybe<Words>;
  readonly accounts?: Maybe<Words>;
  readonly purposes?: Maybe<Words>;
}

export type TemplateArguments = Readonly<Record<string, Words>>;

export interface HoldSource {
  readonly reviewers: Words;
  readonly approvals: number;
  readonly wait?: Maybe<string>;
  readonly valid?: Maybe<string>;
  readonly mode?: Maybe<'wait' | 'refuse'>;
  readonly mayLift?: Maybe<Words>;
}

/** Bounds while a command runs, as written. */
export interface LimitsSource {
  readonly rowsReturned?: Maybe<number>;
  readonly bytes?: Maybe<number | string>;
  readonly time?: Maybe<string>;
  readonly rowsAffected?: Maybe<number>;
  readonly rowsAffectedTotal?: Maybe<number>;
}

export interface BudgetSource {
  readonly maskedFilters: number;
  readonly per: string;
}

/** What is known of the past of a command in a test, or in a request to explain one. */
export interface HistorySource {
  readonly novel?: Maybe<boolean>;
  readonly maskedFilters?: Maybe<number>;
}

export interface RuleSource {
  readonly id: string;
  readonly match?: Maybe<MatchSource>;
  readonly when?: Maybe<string>;
  readonly use?: Maybe<string | Readonly<Record<string, TemplateArguments>>>;
  readonly then: Outcome;
  readonly limits?: Maybe<LimitsSource>;
  readonly hold?: Maybe<HoldSource>;
  readonly budget?: Maybe<BudgetSource>;
  readonly reason?: Maybe<string>;
  readonly mode: 'enforce' | 'observe';
}

export type TransformSource =
  | 'redact'
  | 'hash'
  | 'generalise'
  | 'null'
  | null
  | {
      readonly partial: {
        readonly keepStart: number;
        readonly keepEnd: number;
        readonly keepDomain: boolean;
      };
    }
  | { readonly hash: { readonly scope: string } }
  | { readonly generalise: { readonly bucket: number } }
  | { readonly fixed: string };

export interface MaskSource {
  readonly id: string;
  readonly columns?: Maybe<Words>;
  readonly detect?: Maybe<Words>;
  readonly with: TransformSource;
  readonly match?: Maybe<Omit<MatchSource, 'accounts'>>;
  readonly unless?: Maybe<Omit<MatchSource, 'accounts'>>;
}

/** A command of a test; what is left out gets a plain default. */
export interface CaseCommandSource {
  readonly protocol: string;
  readonly target?: Maybe<string | { readonly name: string; readonly labels: LabelSource }>;
  readonly account: string;
  readonly namespace: string;
  readonly purpose?: Maybe<string>;
  readonly kind: 'execute' | 'prepare';
  readonly identity?: Maybe<IdentitySource>;
  readonly text: string;
  /** Judged instead of `facts` when the analyser of the protocol is at hand. */
  readonly input?: Maybe<unknown>;
  readonly facts?: Maybe<FactsSource>;
  readonly history?: Maybe<HistorySource>;
  /** RFC 3339; the time at which it is judged. */
  readonly at?: Maybe<string>;
}

type LabelSource = Readonly<Record<string, string>>;

export interface IdentitySource {
  readonly id?: Maybe<string>;
  readonly kind?: Maybe<'workload' | 'human'>;
  readonly groups?: Maybe<Words>;
  readonly roles?: Maybe<Words>;
  readonly owner?: Maybe<string>;
  readonly onBehalfOf?: Maybe<string>;
  readonly claims?: Maybe<LabelSource>;
}

export interface FactsSource {
  readonly effects?: Maybe<Words>;
  readonly objects?: Maybe<readonly { kind: string; name: string; access: string }[]>;
  readonly columns?: Maybe<readonly { name: string; use: string; masked: boolean }[]>;
  readonly functions?: Maybe<Words>;
  readonly fields?: Maybe<readonly { name: string; value: string }[]>;
  readonly verbs?: Maybe<Words>;
  readonly analysis?: Maybe<string>;
  readonly reasons?: Maybe<Words>;
  readonly rowsChangedMax?: Maybe<number>;
  readonly fingerprint?: Maybe<string>;
}

export interface CaseSource {
  readonly name: string;
  readonly command: CaseCommandSource;
  readonly expect: Outcome | { readonly outcome: Outcome; readonly rule?: Maybe<string> };
}

export interface PolicyDocument {
  readonly rules: readonly RuleSource[];
  readonly masks: readonly MaskSource[];
  readonly tests: readonly CaseSource[];
}

/** An object without unknown keys, which says what was probably meant. */
function strict<Shape extends z.ZodRawShape>(shape: Shape): z.ZodObject<Shape, z.core.$strict> {
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== 'unrecognized_keys') return undefined;
      const keys = issue.keys.map((key) => `'${key}'${didYouMean(key, Object.keys(shape))}`);
      return `unknown key ${keys.join(', ')}`;
    },
  });
}

const word = z.string().min(1).max(500);
const id = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'an id is lower case letters, digits, `.`, `_`, `-`');
const words = z.array(word).min(1).max(1_000);
const labels = z.record(word, z.union([word, words], 'a label is a word or a list of words'));
const outcome = z.enum(['allow', 'hold', 'deny']);

const targets = z.union(
  [word, labels, z.array(z.union([word, labels])).min(1)],
  'targets is a name, labels such as `{ env: prod }`, or a list of those',
);

const matchShape = {
  identities: words.optional(),
  targets: targets.optional(),
  protocols: words.optional(),
  purposes: words.optional(),
};

const match = strict({ ...matchShape, accounts: words.optional() });
const maskMatch = strict(matchShape);

const count = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

const rule = strict({
  id,
  match: match.optional(),
  when: word.max(10_000).optional(),
  use: z
    .union(
      [word, z.record(word, z.record(word, words))],
      'use is the name of a template, or `{ template: { parameter: [words] } }`',
    )
    .optional(),
  then: outcome,
  limits: strict({
    rowsReturned: count.optional(),
    bytes: z.union([count, word], 'bytes is a number, or a size such as 10MiB').optional(),
    time: word.optional(),
    rowsAffected: count.optional(),
    rowsAffectedTotal: count.optional(),
  }).optional(),
  hold: strict({
    reviewers: words,
    approvals: z.int().min(1).max(20).default(1),
    wait: word.optional(),
    valid: word.optional(),
    mode: z.enum(['wait', 'refuse']).optional(),
    mayLift: words.optional(),
  }).optional(),
  budget: strict({
    maskedFilters: z.int().min(0).max(policyLimits.budgetMax),
    per: word,
  }).optional(),
  reason: z.string().min(1).max(300).optional(),
  mode: z.enum(['enforce', 'observe']).default('enforce'),
});

const length = z.int().min(0).max(1_000).default(0);
const transform = z.union(
  [
    z.enum(['redact', 'hash', 'generalise', 'null']),
    z.null(),
    strict({
      partial: strict({
        keepStart: length,
        keepEnd: length,
        keepDomain: z.boolean().default(false),
      }),
    }),
    strict({ hash: strict({ scope: word }) }),
    strict({ generalise: strict({ bucket: z.number().positive() }) }),
    strict({ fixed: z.string().max(1_000) }),
  ],
  'with is redact, null, hash, generalise, or one of { partial: {keepStart, keepEnd, ' +
    'keepDomain} }, { hash: {scope} }, { generalise: {bucket} }, { fixed: text }',
);

const mask = strict({
  id,
  columns: words.optional(),
  detect: words.optional(),
  with: transform,
  match: maskMatch.optional(),
  unless: maskMatch.optional(),
});

/** The facts of a test, a request or a recording. */
export const factsSchema: z.ZodType<FactsSource> = strict({
  effects: z.array(word).optional(),
  objects: z.array(strict({ kind: word, name: word, access: word })).optional(),
  columns: z.array(strict({ name: word, use: word, masked: z.boolean() })).optional(),
  functions: z.array(word).optional(),
  fields: z.array(strict({ name: word, value: z.string() })).optional(),
  verbs: z.array(word).optional(),
  analysis: word.optional(),
  reasons: z.array(word).optional(),
  rowsChangedMax: z.int().min(0).optional(),
  fingerprint: z.string().optional(),
});

/** The past of a test or a request. */
export const historySchema: z.ZodType<HistorySource> = strict({
  novel: z.boolean().optional(),
  maskedFilters: z.int().min(0).optional(),
});

/** The identity of a test or a request. */
export const identitySchema: z.ZodType<IdentitySource> = strict({
  id: word.optional(),
  kind: z.enum(['workload', 'human']).optional(),
  groups: z.array(word).optional(),
  roles: z.array(word).optional(),
  owner: word.optional(),
  onBehalfOf: word.optional(),
  claims: z.record(word, z.string()).optional(),
});

const testCase = strict({
  name: z.string().min(1).max(200),
  command: strict({
    protocol: word.default('postgres'),
    target: z.union([word, strict({ name: word, labels: z.record(word, z.string()) })]).optional(),
    account: word.default('account'),
    namespace: z.string().default('database'),
    purpose: word.optional(),
    kind: z.enum(['execute', 'prepare']).default('execute'),
    identity: identitySchema.optional(),
    text: z.string().default(''),
    input: z.unknown().optional(),
    facts: factsSchema.optional(),
    history: historySchema.optional(),
    at: z.iso.datetime({ offset: true }).optional(),
  }),
  expect: z.union([outcome, strict({ outcome, rule: word.optional() })]),
});

/** The schema of a whole file. */
export const documentSchema: z.ZodType<PolicyDocument> = strict({
  rules: z.array(rule).default([]),
  masks: z.array(mask).default([]),
  tests: z.array(testCase).default([]),
});
