/**
 * The world of the end-to-end tests: the quickstart's shop on a real server that asks for a
 * password, the policy that ships, a gateway process, and people with their tools.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { rightsSql, roleSql, shopSql } from '../../quickstart/shop.ts';
import {
  type GatewayOptions,
  type GatewayTarget,
  startGateway,
  type TestGateway,
} from '../support/gateway.ts';
import {
  type PostgresOptions,
  type PostgresVersion,
  startPostgres,
  type TestPostgres,
} from '../support/postgres.ts';
import type { PsqlTarget } from '../support/psql.ts';

/** What the gateway logs in with upstream; never to be seen anywhere. */
export const UPSTREAM_PASSWORD = 'upstream-canary-9f2c41d7';

/** The policy that ships with the quickstart. */
export const defaultPolicy: string = readFileSync(
  fileURLToPath(new URL('../../policies/default.yaml', import.meta.url)),
  'utf8',
);

export interface Shop {
  readonly server: TestPostgres;
  readonly gateway: TestGateway;
  /** How psql reaches the shop as a job. */
  psqlAs(subject: string, more?: Partial<PsqlTarget>): Promise<PsqlTarget>;
  /** A reviewer's token. */
  readonly reviewer: string;
  readonly admin: string;
  /** A command that waits and was not given by this before, once there is one. */
  held(): Promise<Hold>;
  /** Says yes or no to a hold; a yes may lift masks. Answers the status. */
  review(hold: Hold, decision: 'approve' | 'deny', lift?: readonly string[]): Promise<number>;
  stop(): Promise<void>;
}

export interface Hold {
  readonly id: string;
  readonly text: string;
  readonly digest: string;
}

export interface ShopOptions {
  readonly version?: PostgresVersion;
  readonly server?: PostgresOptions;
  readonly gateway?: Partial<GatewayOptions>;
  /** Policy files besides the one that ships. */
  readonly policies?: Readonly<Record<string, string>>;
  /** Merged over the target of the configuration. */
  readonly target?: Partial<GatewayTarget>;
}

export async function startShop(options: ShopOptions = {}): Promise<Shop> {
  const server = await startPostgres({
    version: options.version ?? 18,
    hba: ['host all all 127.0.0.1/32 scram-sha-256'],
    ...options.server,
  });
  await server.query('create database shop');
  for (const role of ['app', 'readonly']) await server.query(roleSql(role, UPSTREAM_PASSWORD));
  await server.query(shopSql + rightsSql, 'shop');
  const gateway = await startGateway({
    targets: [
      {
        name: 'shop',
        host: server.host,
        port: server.port,
        accounts: ['app', 'readonly'].map((name) => ({ name, password: 'env:SHOP_PASSWORD' })),
        ...options.target,
      },
    ],
    policies: { 'default.yaml': defaultPolicy, ...options.policies },
    env: { SHOP_PASSWORD: UPSTREAM_PASSWORD },
    // A test that failed may have left a session behind.
    config: { limits: { drainMsMax: 1_000 } },
    ...options.gateway,
  });
  const reviewer = await gateway.person('rita', ['dba']);
  const seen = new Set<string>();
  return {
    server,
    gateway,
    reviewer,
    admin: await gateway.person('anna', ['admins']),
    psqlAs: async (subject, more = {}) => ({
      port: gateway.port,
      user: 'app@shop',
      password: await gateway.job(subject),
      database: 'shop',
      ...more,
    }),
    held: () => newHold(gateway, reviewer, seen),
    async review(hold, decision, lift) {
      const path = `/v1/holds/${hold.id}/${decision}`;
      const body = { digest: hold.digest, ...(lift === undefined ? {} : { lift }) };
      const { status } = await gateway.call('POST', path, reviewer, body);
      return status;
    },
    async stop() {
      await gateway.stop();
      await server.stop();
    },
  };
}

/** Milliseconds between two looks, and looks after which it will never come to it. */
const LOOK_MS = 25;
const LOOKS_MAX = 1_200;

/** The next command that waits. @param seen - ids that were given before; grows. */
export async function newHold(
  gateway: TestGateway,
  reviewer: string,
  seen: Set<string>,
): Promise<Hold> {
  for (let look = 0; look < LOOKS_MAX; look += 1) {
    const { status, body } = await gateway.call('GET', '/v1/holds', reviewer);
    if (status !== 200) throw new Error(JSON.stringify(body));
    const hold = holdsIn(body['holds']).find(({ id }) => !seen.has(id));
    if (hold !== undefined) {
      seen.add(hold.id);
      return hold;
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  throw new Error('nothing is held');
}

function holdsIn(answer: unknown): readonly Hold[] {
  if (!Array.isArray(answer)) return [];
  return answer.map((each: unknown) => ({
    id: textAt(each, 'id'),
    text: textAt(each, 'command', 'text'),
    digest: textAt(each, 'digest'),
  }));
}

/** A text inside an answer. */
function textAt(value: unknown, ...path: readonly string[]): string {
  let at = value;
  for (const key of path) {
    at = typeof at === 'object' && at !== null ? Reflect.get(at, key) : undefined;
  }
  return typeof at === 'string' ? at : '';
}
