/**
 * The schema of `sallyport.yaml`: the one table from which types, checks and the JSON Schema come.
 * Unknown keys are errors. Secrets stand here as references only (`env:NAME`, `file:/path`).
 */
import { z } from 'zod';
import { defaultLimits, type Limits } from '#core/limits.ts';
import { type ProtocolName, servedProtocols } from '#core/target.ts';
import { durationMs, sizeBytes } from './units.ts';

const name = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$/, 'lower-case letters, digits, dot, dash');
const secretReference = z.string().regex(/^[a-z0-9-]+:.+$/s, 'a reference such as env:NAME');

const address = z.string().transform((text, context) => {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3] ?? -1);
  if (match === null || port > 65_535 || port < 0) {
    context.addIssue({ code: 'custom', message: `not host:port: '${text}'` });
    return z.NEVER;
  }
  return { host: match[1] ?? match[2] ?? '', port };
});

export interface ConfigAddress {
  readonly host: string;
  readonly port: number;
}

export interface TlsServerConfig {
  readonly certificate: string;
  readonly key: string;
  readonly clientCa?: string | undefined;
}

export interface ListenerConfig {
  readonly name: string;
  readonly protocol: ProtocolName;
  readonly address: ConfigAddress;
  readonly target?: string | undefined;
  readonly tls?: TlsServerConfig | undefined;
  readonly plaintext: 'never' | 'loopback' | 'always';
  readonly authentication: 'password' | 'scram' | 'oauth';
  readonly oauth?: { readonly discovery: string; readonly scope: string } | undefined;
  readonly proxyProtocolFrom: readonly string[];
}

export interface AccountConfig {
  readonly name: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly clientCertificate?: string | undefined;
  readonly clientKey?: string | undefined;
}

export interface TargetConfig {
  readonly name: string;
  readonly protocol: ProtocolName;
  readonly address: ConfigAddress;
  readonly labels: Readonly<Record<string, string>>;
  readonly tls: {
    readonly mode: 'verify-full' | 'verify-ca' | 'disable';
    readonly ca?: string | undefined;
    readonly serverName?: string | undefined;
  };
  readonly accounts: readonly AccountConfig[];
  readonly settings: Readonly<Record<string, unknown>>;
}

const tlsServer = z.strictObject({
  /** PEM files; the key may be a secret reference. */
  certificate: z.string(),
  key: z.string(),
  clientCa: z.string().optional(),
});

const listener: z.ZodType<ListenerConfig> = z.strictObject({
  name,
  protocol: z.enum(servedProtocols),
  address,
  /** Bound to one target: the user name is then the account alone. */
  target: name.optional(),
  tls: tlsServer.optional(),
  /** Who may log in without TLS. */
  plaintext: z.enum(['never', 'loopback', 'always']).default('loopback'),
  authentication: z.enum(['password', 'scram', 'oauth']).default('password'),
  oauth: z.strictObject({ discovery: z.url(), scope: z.string().default('openid') }).optional(),
  /** Load balancers whose PROXY protocol header is believed: addresses or CIDR blocks. */
  proxyProtocolFrom: z.array(z.string()).default([]),
});

const account = z.strictObject({
  /** As grants and clients name it; `*` stands for every name that has no entry of its own. */
  name: z.string().regex(/^[^\p{C}@]{1,128}$/u, 'no control characters and no @'),
  username: z.string().min(1).optional(),
  password: secretReference.optional(),
  clientCertificate: z.string().optional(),
  clientKey: secretReference.optional(),
});

const target: z.ZodType<TargetConfig> = z.strictObject({
  name,
  protocol: z.enum(servedProtocols),
  address,
  labels: z.record(z.string(), z.string()).default({}),
  tls: z
    .strictObject({
      mode: z.enum(['verify-full', 'verify-ca', 'disable']).default('verify-full'),
      ca: z.string().optional(),
      serverName: z.string().optional(),
    })
    .prefault({}),
  accounts: z.array(account).min(1),
  /** Checked by the protocol's own schema. */
  settings: z.record(z.string(), z.unknown()).default({}),
});

const limits = z.partialRecord(z.enum(Object.keys(defaultLimits)), z.int().positive()).default({});

/** Schemas that other rooms own. */
export interface OwnedSchemas<Issuer, Grant, Person> {
  readonly issuer: z.ZodType<Issuer>;
  readonly grant: z.ZodType<Grant>;
  readonly person: z.ZodType<Person>;
}

function rootSchema<Issuer, Grant, Person>(
  owned: OwnedSchemas<Issuer, Grant, Person>,
): z.ZodType<Root<Issuer, Grant, Person>> {
  return z.strictObject({
    version: z.literal(1),
    listeners: z.array(listener).min(1),
    api: z
      .strictObject({ address: address.prefault('127.0.0.1:7080'), tls: tlsServer.optional() })
      .prefault({}),
    targets: z.array(target),
    issuers: z.array(owned.issuer).default([]),
    /** People known by a static credential; for the first start and for break-glass. */
    people: z.array(owned.person).default([]),
    grants: z.array(owned.grant).default([]),
    /** Files and directories of policy documents, relative to this file. */
    policies: z.array(z.string()).default(['policies']),
    credentials: z.strictObject({ lifeMax: durationMs.prefault('15m') }).prefault({}),
    store: z.strictObject({ file: z.string().default('sallyport.db') }).prefault({}),
    events: z.strictObject({ file: z.string().default('events.ndjson') }).prefault({}),
    recordings: z
      .strictObject({
        directory: z.string().default('recordings'),
        keys: z.string().default('keys'),
        /** Below this much free disk no session starts and running ones end. */
        reserve: sizeBytes.prefault('512MiB'),
        /** age X25519 recipients; recordings are readable by anyone with the files when empty. */
        recipients: z.array(z.string().regex(/^age1[0-9a-z]{50,80}$/)).default([]),
      })
      .prefault({}),
    masking: z.strictObject({ key: secretReference.optional() }).prefault({}),
    limits,
  });
}

interface Root<Issuer, Grant, Person> {
  readonly version: 1;
  readonly listeners: readonly ListenerConfig[];
  readonly api: { readonly address: ConfigAddress; readonly tls?: TlsServerConfig | undefined };
  readonly targets: readonly TargetConfig[];
  readonly issuers: readonly Issuer[];
  readonly people: readonly Person[];
  readonly grants: readonly Grant[];
  readonly policies: readonly string[];
  readonly credentials: { readonly lifeMax: number };
  readonly store: { readonly file: string };
  readonly events: { readonly file: string };
  readonly recordings: {
    readonly directory: string;
    readonly keys: string;
    readonly reserve: number;
    readonly recipients: readonly string[];
  };
  readonly masking: { readonly key?: string | undefined };
  readonly limits: Readonly<Partial<Record<string, number>>>;
}

/** A checked configuration; `limits` are complete. */
export type Config<Issuer, Grant, Person> = Omit<Root<Issuer, Grant, Person>, 'limits'> & {
  readonly limits: Limits;
};

export interface ConfigProblem {
  /** `file:line:column` where the file tells, else the file. */
  readonly at: string;
  readonly path: string;
  readonly message: string;
}

/**
 * Checks a parsed document.
 *
 * @returns the configuration, or every problem at once.
 */
export function checkConfig<Issuer, Grant, Person>(
  document: unknown,
  owned: OwnedSchemas<Issuer, Grant, Person>,
): Config<Issuer, Grant, Person> | readonly z.core.$ZodIssue[] {
  const result = rootSchema(owned).safeParse(document);
  if (!result.success) return result.error.issues;
  const issues = crossChecks(result.data);
  if (issues.length > 0) return issues;
  return { ...result.data, limits: { ...defaultLimits, ...defined(result.data.limits) } };
}

/** The JSON Schema that editors complete from. */
export function configJsonSchema<I, G, P>(owned: OwnedSchemas<I, G, P>): unknown {
  return z.toJSONSchema(rootSchema(owned), { io: 'input', unrepresentable: 'any' });
}

function defined(values: Readonly<Partial<Record<string, number>>>): Partial<Limits> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

interface Named {
  readonly name: string;
}

/** What one object cannot say of another. */
function crossChecks<I, G, P>(config: Root<I, G, P>): z.core.$ZodIssue[] {
  const issues: z.core.$ZodIssue[] = [];
  const issue = (path: (string | number)[], message: string): void => {
    issues.push({ code: 'custom', path, message, input: undefined });
  };
  const unique = (key: string, items: readonly Named[]): void => {
    const seen = new Set<string>();
    items.forEach((item, index) => {
      if (seen.has(item.name)) issue([key, index, 'name'], `'${item.name}' is there twice`);
      seen.add(item.name);
    });
  };
  unique('listeners', config.listeners);
  unique('targets', config.targets);
  const targets = new Map(config.targets.map((item) => [item.name, item]));
  config.listeners.forEach((item, index) => {
    if (item.target !== undefined) {
      const bound = targets.get(item.target);
      if (bound === undefined) {
        issue(['listeners', index, 'target'], `no target '${item.target}'`);
      } else if (bound.protocol !== item.protocol) {
        issue(['listeners', index, 'target'], `'${item.target}' speaks ${bound.protocol}`);
      }
    }
    if (item.authentication === 'oauth' && item.oauth === undefined) {
      issue(['listeners', index, 'oauth'], 'authentication oauth needs `oauth`');
    }
  });
  config.targets.forEach((item, index) => {
    item.accounts.forEach((entry, at) => {
      const twice = item.accounts.findIndex((other) => other.name === entry.name) !== at;
      if (twice)
        issue(['targets', index, 'accounts', at, 'name'], `'${entry.name}' is there twice`);
    });
  });
  return issues;
}
