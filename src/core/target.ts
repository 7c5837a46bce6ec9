/** Names of the protocols that have a folder; `echo` exists only under `test/`. */
export type ProtocolName = 'postgres' | 'mysql' | 'ssh' | 'kubernetes' | 'http' | 'echo';

/** Those that a configuration can name; a test keeps it equal to the registry. */
export const servedProtocols: readonly ProtocolName[] = ['postgres', 'ssh', 'http', 'kubernetes'];

export interface TargetAddress {
  readonly host: string;
  readonly port: number;
}

/** `verify-full` checks the chain and the name, and is the default. */
export type TlsMode = 'verify-full' | 'verify-ca' | 'disable';

export interface TargetTls {
  readonly mode: TlsMode;
  /** PEM of the authorities that may sign the target's certificate; the system's when absent. */
  readonly ca: string | undefined;
  /** Name to verify and to send as SNI, when it is not the host. */
  readonly serverName: string | undefined;
}

/** An upstream credential. `password`, `key` are secret references, resolved when dialling. */
export interface Account {
  readonly name: string;
  /** The name at the target; the account's own name when absent. */
  readonly username: string;
  readonly password: string | undefined;
  readonly clientCertificate: string | undefined;
  readonly clientKey: string | undefined;
}

/** One upstream, as configured. */
export interface Target {
  readonly name: string;
  readonly protocol: ProtocolName;
  readonly address: TargetAddress;
  readonly labels: Readonly<Record<string, string>>;
  readonly tls: TargetTls;
  readonly accounts: readonly Account[];
  /** The protocol's own settings, checked by its schema. */
  readonly settings: unknown;
}

/**
 * The account of a target by its name. An account named `*` stands for every name that has none of
 * its own, and is then known to the target by that name: for targets that trust the gateway.
 */
export function accountNamed(target: Target, name: string): Account | undefined {
  if (name === '*') return undefined;
  const exact = target.accounts.find((account) => account.name === name);
  if (exact !== undefined) return exact;
  const any = target.accounts.find((account) => account.name === '*');
  return any === undefined ? undefined : { ...any, name, username: name };
}
