/**
 * A session that was let in, for tests of what comes behind the door: the authorization of one
 * target and account, the account's secrets, and stages that nobody may reach.
 */
import { asEpochMs, asId, type SessionId } from '#core/ids.ts';
import type { SessionContext } from '#core/command.ts';
import { mintTargetAuthorization, type TargetAuthorization } from '#core/permit.ts';
import type { AccountSecrets, Admission } from '#core/protocol.ts';
import { Secret } from '#core/secret.ts';
import type { Account, Target, TargetAddress, TargetTls } from '#core/target.ts';
import type { Issued } from './certificates.ts';

export interface AdmissionOptions {
  readonly address: TargetAddress;
  readonly tls?: TargetTls;
  readonly settings?: unknown;
  readonly username?: string;
  readonly password?: string | undefined;
  readonly certificate?: Issued | undefined;
  readonly signal?: AbortSignal;
}

/** Proof for one account of one target. */
export function makeAuthorization(options: AdmissionOptions): TargetAuthorization {
  const account: Account = {
    name: 'account',
    username: options.username ?? 'account',
    password: undefined,
    clientCertificate: undefined,
    clientKey: undefined,
  };
  const target: Target = {
    name: 'orders',
    protocol: 'postgres',
    address: options.address,
    labels: {},
    tls: options.tls ?? { mode: 'disable', ca: undefined, serverName: undefined },
    accounts: [account],
    settings: options.settings ?? {},
  };
  const context: SessionContext = {
    session: asId<SessionId>('018f0000-0000-7000-8000-000000000001'),
    protocol: 'postgres',
    identity: {
      id: asId('tests/robot'),
      kind: 'workload',
      issuer: 'tests',
      subject: 'robot',
      displayName: 'robot',
      groups: [],
      roles: [],
      owner: undefined,
      onBehalfOf: undefined,
      claims: {},
      expiresAt: asEpochMs(4_000_000_000_000),
    },
    target,
    account: account.name,
    namespace: 'postgres',
    clientAddress: '127.0.0.1',
    clientName: 'tests',
    features: [],
    holdMode: 'wait',
  };
  return mintTargetAuthorization(context, account);
}

export function makeAdmission(options: AdmissionOptions): Admission {
  const { certificate, password } = options;
  const secrets: AccountSecrets = {
    username: options.username ?? 'account',
    password: password === undefined ? undefined : new Secret(password),
    clientCertificate: certificate?.certificate,
    clientKey: certificate === undefined ? undefined : new Secret(certificate.key),
  };
  return {
    authorization: makeAuthorization(options),
    dial: () => Promise.reject(new Error('the test dials')),
    release: () => undefined,
    secrets: () => Promise.resolve(secrets),
    get stages(): never {
      throw new Error('no command is judged in this test');
    },
    signal: options.signal ?? new AbortController().signal,
    close: () => Promise.resolve(),
  };
}
