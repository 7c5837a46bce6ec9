/**
 * `sallyport ssh login` and `sallyport ssh config`: how OpenSSH and what builds on it log in at the
 * gateway without a password. The key never leaves its file; the certificate beside it is good for
 * minutes, and is fetched again when `ssh` starts.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Clock } from '#core/clock.ts';
import { GatewayError } from '#core/errors.ts';
import { printableLine } from '#core/printable.ts';
import type { Secret } from '#core/secret.ts';
import { FieldReader } from '#core/ssh-fields.ts';
import { type ApiClient, command, textOf } from './api-client.ts';
import type { TextOutput } from './output.ts';
import { exchangeForm } from './tokens.ts';

/** A certificate that ends sooner is fetched again: a login must not outlast it. */
const LEFT_MS_MIN = 60_000;

export interface SshLoginContext {
  readonly client: ApiClient;
  readonly output: TextOutput;
  readonly clock: Clock;
  /** A new private key, as `ssh-keygen` writes it. */
  readonly makeKey: () => Secret;
  /** A name that nobody else uses at the same time. */
  readonly freshName: () => string;
}

export interface SshLoginOptions {
  /** `account@target`. */
  readonly audience: string;
  /** Where key and certificate are kept; made for its owner alone. */
  readonly directory: string;
  readonly subjectToken: () => Secret;
}

/** Makes sure that a key and a certificate for one target are there, and good for a minute. */
export function sshLogin(context: SshLoginContext, options: SshLoginOptions): Promise<number> {
  const { client, output, clock } = context;
  return command(output, async () => {
    const path = keyPath(options);
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
    if (!existsSync(path)) {
      writeFileSync(path, context.makeKey().reveal(), { mode: 0o600, flag: 'wx' });
    }
    if (endOf(`${path}-cert.pub`) - clock.now() >= LEFT_MS_MIN) return;
    const form = exchangeForm(options.subjectToken(), [options.audience]);
    form.append('ssh_public_key', publicKeyOf(path));
    const certificate = textOf(await client.post('/v1/token', form), 'ssh_certificate');
    if (certificate === '') {
      throw new GatewayError('SP_PROTOCOL', { detail: 'no certificate in the answer' });
    }
    // Whole or not at all, whoever else logs in at the same time.
    const fresh = `${path}-${context.freshName()}`;
    writeFileSync(fresh, `${certificate}\n`, { flag: 'wx' });
    renameSync(fresh, `${path}-cert.pub`);
    output.error(`the certificate is in ${printableLine(path)}-cert.pub`);
  });
}

export interface SshConfigOptions {
  readonly audience: string;
  readonly directory: string;
  /** Where the gateway serves SSH. */
  readonly host: string;
  readonly port: number;
  /** What logs in: a program and its words. */
  readonly login: readonly string[];
}

/** Prints the lines of an `ssh_config` with which `ssh TARGET` goes through the gateway. */
export function printSshConfig(output: TextOutput, options: SshConfigOptions): number {
  const { audience, host, port, login } = options;
  const name = audience.slice(audience.lastIndexOf('@') + 1);
  const path = keyPath(options);
  for (const line of [
    // Apart from the rest: a failed login must not lead past the gateway.
    `Match originalhost ${name} exec "${login.map(quoted).join(' ')}"`,
    `Match originalhost ${name}`,
    `  HostName ${plain(host)}`,
    `  Port ${port}`,
    `  User ${audience}`,
    `  IdentityFile "${plain(path)}"`,
    `  CertificateFile "${plain(path)}-cert.pub"`,
    '  IdentitiesOnly yes',
  ]) {
    output.line(line);
  }
  return 0;
}

function keyPath({ audience, directory }: SshLoginOptions | SshConfigOptions): string {
  if (!/^[\w.-]+@[\w.-]+$/.test(audience)) {
    throw new GatewayError('SP_CONFIG', { detail: 'name the account: account@target' });
  }
  return `${directory}/${audience}`;
}

/** A value between double quotes of `ssh_config`, whose `%` and `${` stand for something else. */
function plain(text: string): string {
  if (/["'\\$\n\r]/.test(text)) {
    throw new GatewayError('SP_CONFIG', { detail: 'a path or name that ssh_config cannot hold' });
  }
  return text.replaceAll('%', '%%');
}

/** One word of a command that the shell of `ssh` splits. */
const quoted = (word: string): string => `'${plain(word)}'`;

/** The public half, which OpenSSH's form (its PROTOCOL.key) has in the clear. */
function publicKeyOf(path: string): string {
  const base64 = readFileSync(path, 'utf8').replaceAll(/^-.*$/gm, '');
  const fields = new FieldReader(Buffer.from(base64, 'base64'), 'openssh-key-v1\0'.length);
  for (const _ of ['cipher', 'derivation', 'its options']) fields.string();
  fields.uint32();
  const blob = fields.string();
  return `${new FieldReader(blob).text()} ${Buffer.from(blob).toString('base64')}`;
}

/** When a certificate ends; 0 when there is none that can be read. */
function endOf(path: string): number {
  try {
    const [, base64 = ''] = readFileSync(path, 'utf8').split(' ');
    const fields = new FieldReader(Buffer.from(base64, 'base64'));
    for (const _ of ['type', 'nonce', 'key']) fields.string();
    fields.uint64();
    fields.uint32();
    for (const _ of ['key id', 'principals']) fields.string();
    fields.uint64();
    return Number(fields.uint64()) * 1_000;
  } catch {
    return 0;
  }
}
