/**
 * What the configuration says of identities: issuers, people known by a static credential, grants.
 * `config/` puts these schemas into `sallyport.yaml`; unknown keys are errors.
 */
import { RE2JS } from 're2js';
import { z } from 'zod';
import { parseDurationMs } from '#core/duration.ts';
import type { Role } from '#core/identity.ts';
import {
  type IdentitySelector,
  parseIdentitySelector,
  type TargetSelector,
} from '#core/selectors.ts';

/** Asymmetric algorithms only: a shared key would let the issuer's other clients mint tokens. */
export const algorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;

/** A claim: its name, taken literally, or the path to a nested one. */
export type ClaimPath = readonly [string, ...string[]];

/** One thing that a token's claims must show. An array claim fits when one of its items does. */
export interface ClaimCondition {
  readonly claim: ClaimPath;
  readonly equals?: string | undefined;
  readonly oneOf?: readonly string[] | undefined;
  /** A regular expression (RE2) that must fit the whole value. */
  readonly matches?: string | undefined;
}

/** How an issuer's claims become an identity. */
export interface ClaimMapping {
  readonly kind: 'workload' | 'human';
  /** The immutable name; `sub` unless a better one exists, such as `repository_id`. */
  readonly subject: ClaimPath;
  /** Who answers for a workload: a fixed word, or a claim. */
  readonly owner?: { readonly value: string } | { readonly claim: ClaimPath } | undefined;
  readonly groups?: { readonly claim: ClaimPath; readonly prefix: string } | undefined;
  /** Groups that everyone from this issuer is in. */
  readonly addGroups: readonly string[];
  /** Roles of the gateway, by group. */
  readonly roles: Readonly<Record<string, readonly Role[]>>;
  readonly displayName?: ClaimPath | undefined;
  /** The person for whom a workload acts: subject at the named issuer. */
  readonly onBehalfOf?: { readonly claim: ClaimPath; readonly issuer: string } | undefined;
  /** Claims that policies may read, by the name they get. */
  readonly claims: Readonly<Record<string, ClaimPath>>;
}

/** A trusted issuer of tokens. */
export interface IssuerConfig {
  readonly name: string;
  /** Compared with `iss` exactly; discovery starts here. */
  readonly url: string;
  /** Each audience of a token must be one of these. */
  readonly audience: readonly string[];
  readonly algorithms: readonly (typeof algorithms)[number][];
  /** Where keys come from, when not from discovery. */
  readonly jwks?: { readonly uri: string } | { readonly keys: readonly object[] } | undefined;
  /** SPIFFE: `sub` must be in this trust domain, and `iss` may be missing. */
  readonly trustDomain?: string | undefined;
  readonly require: readonly ClaimCondition[];
  readonly map: ClaimMapping;
  readonly maxAge: number;
  readonly clockSkew: number;
  /** `optional`, `required`, or `once`: a token opens one session, then it is spent. */
  readonly jti: 'optional' | 'required' | 'once';
}

/** A person known by a static credential, of which only the hash stands in the configuration. */
export interface PersonConfig {
  readonly name: string;
  readonly displayName?: string | undefined;
  readonly groups: readonly string[];
  readonly roles: readonly Role[];
  readonly credential: { readonly id: string; readonly sha256: string };
  /** Public keys that log in as this person, as in `authorized_keys`, without options. */
  readonly sshKeys: readonly string[];
}

/** When a grant is good, in the local time of a place. */
export interface GrantHours {
  readonly days: readonly ('mon' | 'tue' | 'wed' | 'thu' | 'fri' | 'sat' | 'sun')[];
  /** Minutes since midnight; `to` is not included. */
  readonly from: number;
  readonly to: number;
  readonly timezone: string;
}

/** Who reaches what, as whom, and when. */
export interface GrantConfig {
  readonly id: string;
  /** One of them has to fit. */
  readonly identities: readonly IdentitySelector[];
  /** All of them have to be in the identity's claims. */
  readonly claims: Readonly<Record<string, readonly string[]>>;
  readonly targets: readonly TargetSelector[];
  readonly accounts: readonly string[];
  /** The account of a client that names none. */
  readonly defaultAccount?: string | undefined;
  readonly from?: number | undefined;
  readonly until?: number | undefined;
  readonly hours?: GrantHours | undefined;
  /** The longest life of a session. */
  readonly sessionMax?: number | undefined;
  /** What a protocol refuses unless a grant names it, for example `replication`. */
  readonly features: readonly string[];
  /** What its sessions are for; masks and rules may look at it. */
  readonly purpose?: string | undefined;
}

const name = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'lower-case letters, digits, - and _');
const word = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[^\p{C}\p{Zl}\p{Zp}]*$/u, 'control characters');
const roles = z.array(z.enum(['admin', 'reviewer', 'auditor', 'member']));

const duration = z.string().transform((text, context) => {
  const value = parseDurationMs(text);
  if (value !== undefined) return value;
  context.addIssue({ code: 'custom', message: `not a duration such as 30s or 15m: '${text}'` });
  return z.NEVER;
});

const claimPath = z.union([word, z.array(word).min(1).max(8)]).transform((given): ClaimPath => {
  if (typeof given === 'string') return [given];
  const [first = '', ...rest] = given;
  return [first, ...rest];
});

/** Numbers and booleans are written as they are; claims are compared as text. */
const claimValue = z.union([z.string().max(4_096), z.number(), z.boolean()]).transform(String);

function compiles(pattern: string): boolean {
  try {
    RE2JS.compile(pattern);
    return true;
  } catch {
    return false;
  }
}

const condition = z
  .strictObject({
    claim: claimPath,
    equals: claimValue.optional(),
    oneOf: z.array(claimValue).min(1).max(1_000).optional(),
    matches: z.string().min(1).max(1_000).refine(compiles, 'not an RE2 expression').optional(),
  })
  .refine(
    ({ equals, oneOf, matches }) =>
      [equals, oneOf, matches].filter((given) => given !== undefined).length === 1,
    'exactly one of equals, oneOf, matches',
  );

const loopback = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Keys and discovery travel by https; plain http reaches no further than this machine. */
const trustedUrl = z.url().refine((text) => {
  const url = new URL(text);
  const safe =
    url.protocol === 'https:' || (url.protocol === 'http:' && loopback.has(url.hostname));
  return safe && url.username === '' && url.password === '' && url.hash === '';
}, 'https (http on loopback only), without user and fragment');

const mapping = z
  .strictObject({
    kind: z.enum(['workload', 'human']),
    subject: claimPath.prefault('sub'),
    owner: z
      .union([z.strictObject({ value: word }), z.strictObject({ claim: claimPath })])
      .optional(),
    groups: z.strictObject({ claim: claimPath, prefix: z.string().default('') }).optional(),
    addGroups: z.array(word).default([]),
    roles: z.record(word, roles).default({}),
    displayName: claimPath.optional(),
    onBehalfOf: z.strictObject({ claim: claimPath, issuer: name }).optional(),
    claims: z.record(word, claimPath).default({}),
  })
  .refine(({ kind, owner }) => kind === 'human' || owner !== undefined, {
    path: ['owner'],
    error: 'a workload needs an owner',
  });

/** Names that identities of the gateway's own have. */
const reserved = ['people', 'bootstrap', 'system'];

/** The schema of one entry of `issuers:`. */
export const issuerSchema: z.ZodType<IssuerConfig> = z.strictObject({
  name: name.refine((text) => !reserved.includes(text), `reserved: ${reserved.join(', ')}`),
  url: trustedUrl,
  audience: z
    .union([word, z.array(word).min(1)])
    .transform((given) => (typeof given === 'string' ? [given] : given)),
  algorithms: z.array(z.enum(algorithms)).min(1).default(['RS256', 'ES256', 'EdDSA']),
  jwks: z
    .union([
      z.strictObject({ uri: trustedUrl }),
      z.strictObject({
        keys: z.array(z.looseObject({ kty: z.enum(['RSA', 'EC', 'OKP']) })).min(1),
      }),
    ])
    .optional(),
  trustDomain: z
    .string()
    .regex(/^[a-z0-9._-]{1,255}$/)
    .optional(),
  require: z.array(condition).min(1),
  map: mapping,
  maxAge: duration.prefault('1h'),
  clockSkew: duration.prefault('30s').refine((ms) => ms <= 300_000, 'at most 5m'),
  jti: z.enum(['optional', 'required', 'once']).default('optional'),
});

/** Certificates are no keys: what they say would have to be checked against an authority. */
const sshKey = z
  .string()
  .regex(
    /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]{32,4096}={0,2}( .{0,256})?$/,
    'a public key such as in authorized_keys, without options',
  );

/** The schema of one entry of `people:`. */
export const personSchema: z.ZodType<PersonConfig> = z.strictObject({
  name,
  displayName: word.optional(),
  groups: z.array(word).default([]),
  roles: roles.default([]),
  credential: z.strictObject({
    id: z.string().regex(/^[0-9a-f]{32}$/),
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
  }),
  sshKeys: z.array(sshKey).default([]),
});

const selector = z.string().transform((text, context) => {
  const parsed = parseIdentitySelector(text);
  if (parsed !== undefined) return parsed;
  const message = `'${text}' is not a selector such as group:ci or identity:github/123`;
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
});

const oneOrMore = z
  .union([z.string(), z.array(z.string()).min(1)])
  .transform((given) => (typeof given === 'string' ? [given] : given));

const targetSelector = z.union([
  z.string().transform((text) => ({ name: text })),
  z
    .record(z.string(), oneOrMore)
    .refine((labels) => Object.keys(labels).length > 0, 'no label is named')
    .transform((labels) => ({ labels })),
]);

const minutes = z.string().transform((text, context) => {
  const match = /^(\d{2}):(\d{2})$/.exec(text);
  const value = Number(match?.[1]) * 60 + Number(match?.[2]);
  if (Number(match?.[2]) < 60 && value <= 24 * 60) return value;
  context.addIssue({ code: 'custom', message: `not a time such as 08:30: '${text}'` });
  return z.NEVER;
});

const instant = z.iso.datetime({ offset: true }).transform((text) => new Date(text).getTime());

function isTimezone(text: string): boolean {
  try {
    return Intl.DateTimeFormat('en', { timeZone: text }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

const hours = z
  .strictObject({
    days: z
      .array(z.enum(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']))
      .min(1)
      .default(['mon', 'tue', 'wed', 'thu', 'fri']),
    from: minutes.prefault('00:00'),
    to: minutes.prefault('24:00'),
    timezone: z.string().refine(isTimezone, 'not a time zone').default('UTC'),
  })
  .refine(({ from, to }) => from < to, 'from must be before to; write two grants for a night');

/** The schema of one entry of `grants:`. */
export const grantSchema: z.ZodType<GrantConfig> = z
  .strictObject({
    id: name,
    identities: z.array(selector).min(1),
    claims: z.record(word, oneOrMore).default({}),
    targets: z.union([z.array(targetSelector).min(1), targetSelector.transform((one) => [one])]),
    accounts: z.array(word).min(1),
    defaultAccount: word.optional(),
    from: instant.optional(),
    until: instant.optional(),
    hours: hours.optional(),
    sessionMax: duration.optional(),
    features: z.array(word).default([]),
    purpose: name.optional(),
  })
  .refine(
    ({ accounts, defaultAccount }) =>
      defaultAccount === undefined || accounts.includes(defaultAccount),
    { path: ['defaultAccount'], error: 'must be one of accounts' },
  );
