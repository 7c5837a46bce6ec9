/** The configuration of a gateway that runs in a test's own process: one listener, one target. */
import { join } from 'node:path';
import { defaultLimits } from '#core/limits.ts';
import type { GatewayConfig } from '../../src/main/gateway.ts';
import type { TestIssuer } from './issuer.ts';

type Config = GatewayConfig['config'];
type Listener = Config['listeners'][number];
type Target = Config['targets'][number];

export interface GatewayParts {
  readonly home: string;
  readonly issuer: TestIssuer;
  /** What the listener and the target speak. */
  readonly protocol: Listener['protocol'];
  /** The listener's name; what else of it is not usual. */
  readonly listener: Pick<Listener, 'name'> & Readonly<Partial<Listener>>;
  readonly target: Pick<Target, 'name' | 'address' | 'accounts' | 'settings'> &
    Readonly<Partial<Target>>;
  readonly limits?: Readonly<Partial<Config['limits']>>;
}

/** Every job of team `ci` may use every account of the target; policies are in `policies/`. */
export function gatewayConfig(parts: GatewayParts): GatewayConfig {
  const { home, issuer, protocol, listener, target } = parts;
  return {
    path: join(home, 'sallyport.yaml'),
    directory: home,
    config: {
      version: 1,
      listeners: [
        {
          protocol,
          address: { host: '127.0.0.1', port: 0 },
          plaintext: 'loopback',
          authentication: 'password',
          proxyProtocolFrom: [],
          ...listener,
        },
      ],
      api: { address: { host: '127.0.0.1', port: 0 } },
      targets: [{ protocol, labels: { env: 'prod' }, tls: { mode: 'disable' }, ...target }],
      issuers: [issuerOf(issuer.url)],
      people: [],
      grants: [
        {
          id: 'all',
          identities: [{ kind: 'issuer', value: 'ci' }],
          claims: {},
          targets: [{ name: target.name }],
          accounts: target.accounts.map(({ name }) => name),
          features: [],
        },
      ],
      policies: ['policies'],
      credentials: { lifeMax: 900_000 },
      store: { file: 'sallyport.db' },
      events: { file: 'events.ndjson' },
      recordings: { directory: 'recordings', keys: 'keys', reserve: 1, recipients: [] },
      masking: {},
      limits: { ...defaultLimits, ...parts.limits },
    },
  };
}

function issuerOf(url: string): Config['issuers'][number] {
  return {
    name: 'ci',
    url,
    audience: ['sallyport'],
    algorithms: ['RS256'],
    require: [{ claim: ['team'], equals: 'ci' }],
    map: {
      kind: 'workload',
      subject: ['sub'],
      owner: { value: 'people/olga' },
      addGroups: [],
      roles: {},
      claims: {},
    },
    maxAge: 3_600_000,
    clockSkew: 30_000,
    jti: 'optional',
  };
}
