/** The adapters between rooms: each a few lines, none with a decision of its own. */
import { isAbsolute, join, resolve } from 'node:path';
import { systemClock } from '#core/clock.ts';
import type { AccountSecrets } from '#core/protocol.ts';
import { Secret } from '#core/secret.ts';
import type { Account, Target } from '#core/target.ts';
import { loadPrivateKey } from '#recording/keys.ts';
import { builtInSources } from '#secrets/sources.ts';
import { SecretResolver } from '#secrets/secrets.ts';
import type { UpstreamPort } from '#session/ports.ts';
import { dialTarget } from '#upstream/dial.ts';
import type { GatewayConfig } from './gateway.ts';

/** Secret references of the configuration; a relative `file:` is beside the configuration. */
export class ConfiguredSecrets {
  readonly #resolver: SecretResolver;
  readonly #directory: string;

  constructor(directory: string, environment: Readonly<Record<string, string | undefined>>) {
    this.#resolver = new SecretResolver(builtInSources(environment));
    this.#directory = directory;
  }

  check(reference: string): void {
    this.#resolver.check(this.#absolute(reference));
  }

  resolve(reference: string): Promise<Secret> {
    return this.#resolver.resolve(this.#absolute(reference));
  }

  #absolute(reference: string): string {
    if (!reference.startsWith('file:')) return reference;
    const path = reference.slice('file:'.length);
    return isAbsolute(path) ? reference : `file:${join(this.#directory, path)}`;
  }
}

/** Says at the start what could only fail at the first session. */
export function checkSecrets(
  targets: ReadonlyMap<string, Target>,
  secrets: ConfiguredSecrets,
): void {
  for (const { accounts } of targets.values()) {
    for (const { password, clientKey } of accounts) {
      if (password !== undefined) secrets.check(password);
      if (clientKey !== undefined) secrets.check(clientKey);
    }
  }
}

export function createUpstream(loaded: GatewayConfig, secrets: ConfiguredSecrets): UpstreamPort {
  const parts = { clock: systemClock, limits: loaded.config.limits };
  return {
    dial: (authorization, signal) => dialTarget(authorization, parts, signal),
    secrets: (account) => accountSecrets(account, secrets),
  };
}

async function accountSecrets(
  account: Account,
  secrets: ConfiguredSecrets,
): Promise<AccountSecrets> {
  const { password, clientKey } = account;
  return {
    username: account.username,
    password: password === undefined ? undefined : await secrets.resolve(password),
    clientCertificate: account.clientCertificate,
    clientKey: clientKey === undefined ? undefined : await secrets.resolve(clientKey),
  };
}

/** A private key of the gateway's own, beside the one that signs recordings. */
export function gatewayKey({ config, directory }: GatewayConfig, name: string): Secret {
  return new Secret(loadPrivateKey(resolve(directory, config.recordings.keys), `${name}.key`));
}
