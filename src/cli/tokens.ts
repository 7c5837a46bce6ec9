/**
 * `sallyport token exchange | revoke | whoami | person`: what a job or a person does with
 * credentials. The token itself is the only thing on standard output, so that it can be piped.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { GatewayError } from '#core/errors.ts';
import { printableLine } from '#core/printable.ts';
import type { Secret } from '#core/secret.ts';
import { type ApiClient, command, textOf, timeOf } from './api-client.ts';
import type { TextOutput } from './output.ts';

export interface TokenCommandContext {
  readonly client: ApiClient;
  readonly output: TextOutput;
}

export interface ExchangeOptions {
  /** The workload's own token, read from the environment or a file. */
  readonly subjectToken: Secret;
  /** `[account@]target`; the credential is good for these alone. */
  readonly audience?: readonly string[] | undefined;
  /** A public key file, `NAME.pub`, to get an SSH certificate for; written to `NAME-cert.pub`. */
  readonly sshKey?: string | undefined;
  readonly json?: boolean | undefined;
}

/** The form that asks for a credential (RFC 8693). It holds the workload's token. */
export function exchangeForm(subjectToken: Secret, audience: readonly string[]): URLSearchParams {
  const form = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: subjectToken.reveal(),
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
  });
  for (const one of audience) form.append('audience', one);
  return form;
}

/** Trades a workload's token for a short-lived credential (RFC 8693), and prints it. */
export function exchangeToken(
  { client, output }: TokenCommandContext,
  options: ExchangeOptions,
): Promise<number> {
  return command(output, async () => {
    const { sshKey } = options;
    const form = exchangeForm(options.subjectToken, options.audience ?? []);
    if (sshKey !== undefined) form.append('ssh_public_key', readFileSync(sshKey, 'utf8').trim());
    const answer = await client.post('/v1/token', form);
    if (sshKey !== undefined) {
      const path = `${sshKey.replace(/\.pub$/, '')}-cert.pub`;
      writeFileSync(path, `${textOf(answer, 'ssh_certificate')}\n`);
      output.error(`the certificate is in ${printableLine(path)}`);
    }
    const token = textOf(answer, 'access_token');
    if (token === '') throw new GatewayError('SP_PROTOCOL', { detail: 'no token in the answer' });
    output.line(options.json ? JSON.stringify(answer) : token);
    if (!options.json) output.error(`good for ${String(answer['expires_in'])} seconds`);
  });
}

/** Says who the credential stands for. */
export function whoami(
  { client, output }: TokenCommandContext,
  options: { readonly json?: boolean | undefined },
): Promise<number> {
  return command(output, async () => {
    const me = await client.get('/v1/me');
    if (options.json) return output.line(JSON.stringify(me));
    const list = (name: string): string => {
      const value = me[name];
      return Array.isArray(value) && value.length > 0 ? value.join(', ') : 'none';
    };
    output.line(printableLine(`${textOf(me, 'id')} (${textOf(me, 'displayName')})`));
    output.line(printableLine(`roles: ${list('roles')}`));
    output.line(printableLine(`groups: ${list('groups')}`));
    output.line(`until: ${timeOf(me, 'expiresAt')}`);
  });
}

/** Revokes one credential by its id, or every one of an identity; their sessions end. */
export function revokeCredentials(
  { client, output }: TokenCommandContext,
  options: { readonly credential: string } | { readonly identity: string },
): Promise<number> {
  return command(output, async () => {
    if ('credential' in options) {
      await client.delete(`/v1/credentials/${encodeURIComponent(options.credential)}`);
      return output.line(`revoked ${options.credential}`);
    }
    const path = `/v1/credentials?identity=${encodeURIComponent(options.identity)}`;
    const { revoked } = await client.delete(path);
    output.line(`revoked ${Array.isArray(revoked) ? revoked.length : 0} credentials`);
  });
}

export interface PersonOptions {
  readonly name: string;
  readonly roles: readonly string[];
  readonly groups: readonly string[];
}

/**
 * Prints a new static credential for a person, and what to put under `people:`. The gateway keeps
 * the hash alone, so this is the one time that the token is seen.
 */
export function newPerson(
  output: TextOutput,
  options: PersonOptions,
  make: () => { readonly id: string; readonly token: string; readonly sha256: string },
): number {
  const { id, token, sha256 } = make();
  output.line(token);
  for (const line of [
    'keep the line above secret; put this into sallyport.yaml:',
    'people:',
    `  - name: ${options.name}`,
    `    roles: [${options.roles.join(', ')}]`,
    `    groups: [${options.groups.join(', ')}]`,
    '    credential:',
    `      id: '${id}'`,
    `      sha256: '${sha256}'`,
  ]) {
    output.error(printableLine(line));
  }
  return 0;
}
