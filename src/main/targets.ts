/** Targets and accounts as the configuration has them, with the files that they name read. */
import { readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import type { ListenerConfig, TargetConfig } from '#config/schema.ts';
import { GatewayError } from '#core/errors.ts';
import type { SettingsSchema } from '#core/protocol.ts';
import type { ProtocolName, Target } from '#core/target.ts';
import type { TlsServerOptions } from '#core/wire.ts';
import { checkServerTls } from '#wire/tls.ts';

/** Reads a file that the configuration names, relative to the configuration. */
export function readNamed(directory: string, path: string, what: string): string {
  const full = isAbsolute(path) ? path : join(directory, path);
  try {
    return readFileSync(full, 'utf8');
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new GatewayError('SP_CONFIG', { detail: `${what}: ${why}`, cause });
  }
}

export function buildTarget(
  config: TargetConfig,
  directory: string,
  schemas: ReadonlyMap<ProtocolName, SettingsSchema<unknown>>,
): Target {
  const what = `target '${config.name}'`;
  const file = (path: string | undefined): string | undefined =>
    path === undefined ? undefined : readNamed(directory, path, what);
  const schema = schemas.get(config.protocol);
  if (schema === undefined) {
    throw new GatewayError('SP_CONFIG', { detail: `${what}: no protocol '${config.protocol}'` });
  }
  let settings: unknown;
  try {
    settings = schema.parse(withFiles(config.settings, schema.files ?? [], file));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new GatewayError('SP_CONFIG', { detail: `${what}: settings: ${why}`, cause });
  }
  return {
    name: config.name,
    protocol: config.protocol,
    address: config.address,
    labels: config.labels,
    tls: {
      mode: config.tls.mode,
      ca: file(config.tls.ca),
      serverName: config.tls.serverName,
    },
    accounts: config.accounts.map((account) => ({
      name: account.name,
      username: account.username ?? account.name,
      password: account.password,
      clientCertificate: file(account.clientCertificate),
      clientKey: account.clientKey,
    })),
    settings,
  };
}

/** Settings with the files that they name in place of the names. */
function withFiles(
  settings: TargetConfig['settings'],
  names: readonly string[],
  read: (path: string) => string | undefined,
): TargetConfig['settings'] {
  const given = { ...settings };
  for (const name of names) {
    const value = given[name];
    if (typeof value !== 'string' || !value.startsWith('file:')) continue;
    given[name] = read(value.slice('file:'.length));
  }
  return given;
}

/** What a client may ask for by ALPN, by protocol. */
const alpnNames: Readonly<Partial<Record<ProtocolName, readonly string[]>>> = {
  postgres: ['postgresql'],
  http: ['h2', 'http/1.1'],
  kubernetes: ['h2', 'http/1.1'],
};

export function tlsOf(config: ListenerConfig, directory: string): TlsServerOptions | undefined {
  const { tls } = config;
  if (tls === undefined) return undefined;
  const what = `listener '${config.name}'`;
  const options: TlsServerOptions = {
    certificate: readNamed(directory, tls.certificate, what),
    key: readNamed(directory, tls.key.replace(/^file:/, ''), what),
    alpn: alpnNames[config.protocol] ?? [],
    clientCa: tls.clientCa === undefined ? undefined : readNamed(directory, tls.clientCa, what),
  };
  checkServerTls(options, what);
  return options;
}
