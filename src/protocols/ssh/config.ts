/**
 * The settings that an SSH target has besides those of every target: how the gateway knows the
 * host, and what reads the commands there.
 */
import { z } from 'zod';

export interface SshSettings {
  readonly hostKeys: readonly string[];
  readonly hostAuthorities: readonly string[];
  readonly hostName?: string | undefined;
  readonly shell: 'bash' | 'sh';
  readonly home?: string | undefined;
  readonly allowLinkLocal: boolean;
}

const hostKey = z
  .string()
  .regex(
    /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]{32,4096}={0,2}( .{0,256})?$/,
    'a public key: its type and its base64',
  );

/** Reads {@link SshSettings}; the descriptions are the documentation of the configuration. */
export const sshSettings: z.ZodType<SshSettings> = z
  .strictObject({
    hostKeys: z
      .array(hostKey)
      .max(16)
      .default([])
      .describe('Public keys of the host, as in known_hosts. A host with another is not entered.'),
    hostAuthorities: z
      .array(hostKey)
      .max(16)
      .default([])
      .describe('Public keys that sign certificates of hosts, as behind @cert-authority.'),
    hostName: z
      .string()
      .min(1)
      .max(253)
      .optional()
      .describe('The name that a certificate of the host has to have; the address when absent.'),
    shell: z
      .enum(['bash', 'sh'])
      .default('bash')
      .describe('Login shell of the accounts: the grammar that reads their commands.'),
    home: z
      .string()
      .startsWith('/')
      .max(1_024)
      .optional()
      .describe('Home directory of the accounts; without it every write counts as outside of one.'),
    allowLinkLocal: z
      .boolean()
      .default(false)
      .describe('Lets the address be a link-local or cloud metadata address.'),
  })
  .refine(({ hostKeys, hostAuthorities }) => hostKeys.length + hostAuthorities.length > 0, {
    error: 'hostKeys or hostAuthorities have to say how the host is known',
  })
  .describe('Settings of an SSH target.');
