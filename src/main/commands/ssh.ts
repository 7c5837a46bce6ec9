/** Commands that let OpenSSH log in at the gateway with a certificate. */
import type { Command } from 'commander';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { systemClock } from '#core/clock.ts';
import { GatewayError } from '#core/errors.ts';
import { Secret } from '#core/secret.ts';
import { FieldWriter } from '#core/ssh-fields.ts';
import { type Environment, subjectTokenFrom } from './kubeconfig.ts';
import type { CliWorld } from './world.ts';

interface LoginFlags {
  readonly api?: string;
  readonly subjectTokenFile?: string;
  readonly directory?: string;
}

interface ConfigFlags extends LoginFlags {
  readonly gateway: string;
}

/** Adds `sallyport ssh`. */
export function addSsh(program: Command, world: CliWorld, env: Environment): void {
  const noun = program.command('ssh').description('let OpenSSH log in at the gateway');
  const directoryOf = ({ directory }: LoginFlags): string =>
    resolve(directory ?? join(homedir(), '.ssh', 'sallyport'));
  withLogin(noun.command('login').description('make a key, and get a certificate when it is due'))
    .argument('<account@target>', 'whom to be there')
    .action(async (audience: string, flags: LoginFlags) => {
      const { sshLogin } = await import('#cli/ssh-login.ts');
      const { api, subjectTokenFile } = flags;
      const context = {
        client: world.client(api === undefined ? {} : { api }),
        output: world.output,
        clock: systemClock,
        makeKey,
        freshName: randomUUID,
      };
      const subjectToken = (): Secret => subjectTokenFrom(subjectTokenFile, env);
      const options = { audience, directory: directoryOf(flags), subjectToken };
      world.done(await sshLogin(context, options));
    });
  withLogin(noun.command('config').description('print lines for ~/.ssh/config; no secret in them'))
    .argument('<account@target>', 'whom to be there')
    .requiredOption('--gateway <host:port>', 'where the gateway serves SSH')
    .action(async (audience: string, flags: ConfigFlags) => {
      const { printSshConfig } = await import('#cli/ssh-login.ts');
      const [, host = '', port = ''] =
        /^([\w.-]+|\[[\da-f:]+\]):(\d{1,5})$/.exec(flags.gateway) ?? [];
      if (host === '') throw new GatewayError('SP_CONFIG', { detail: '--gateway is host:port' });
      const directory = directoryOf(flags);
      const { api, subjectTokenFile } = flags;
      const login = [
        process.execPath,
        resolve(process.argv[1] ?? ''),
        'ssh',
        'login',
        audience,
        '--directory',
        directory,
        ...(api === undefined ? [] : ['--api', api]),
        ...(subjectTokenFile === undefined
          ? []
          : ['--subject-token-file', resolve(subjectTokenFile)]),
      ];
      const place = { host: host.replaceAll(/[[\]]/g, ''), port: Number(port) };
      world.done(printSshConfig(world.output, { audience, directory, ...place, login }));
    });
}

const withLogin = (command: Command): Command =>
  command
    .option('--directory <path>', 'where keys and certificates are kept (~/.ssh/sallyport)')
    .option('--api <url>', 'the gateway’s API (SALLYPORT_API, else http://127.0.0.1:7080)')
    .option(
      '--subject-token-file <file>',
      'the workload’s own token (SALLYPORT_SUBJECT_TOKEN_FILE, SALLYPORT_SUBJECT_TOKEN)',
    );

/** A new Ed25519 key, as `ssh-keygen` writes it (OpenSSH's PROTOCOL.key), without a pass phrase. */
function makeKey(): Secret {
  const { privateKey } = generateKeyPairSync('ed25519');
  const { x = '', d = '' } = privateKey.export({ format: 'jwk' });
  const [point, seed] = [Buffer.from(x, 'base64url'), Buffer.from(d, 'base64url')];
  const blob = new FieldWriter().text('ssh-ed25519').string(point).done();
  // The same number twice shows whether a pass phrase was right; there is none.
  const inner = new FieldWriter().uint32(0).uint32(0).raw(blob);
  inner.string(Buffer.concat([seed, point])).text('sallyport');
  for (let pad = 1; inner.length % 8 !== 0; pad += 1) inner.byte(pad);
  const outer = new FieldWriter().raw(Buffer.from('openssh-key-v1\0')).text('none').text('none');
  const bytes = outer.text('').uint32(1).string(blob).string(inner.done()).done();
  const body = Buffer.from(bytes)
    .toString('base64')
    .replaceAll(/(.{70})/g, '$1\n');
  const mark = (word: string): string => `-----${word} OPENSSH PRIVATE KEY-----\n`;
  return new Secret(`${mark('BEGIN')}${body}\n${mark('END')}`);
}
