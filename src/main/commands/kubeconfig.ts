/** Commands that connect `kubectl` and the libraries of Kubernetes to the gateway. */
import type { Command } from 'commander';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { systemClock } from '#core/clock.ts';
import { GatewayError } from '#core/errors.ts';
import { Secret } from '#core/secret.ts';
import type { CliWorld } from './world.ts';

interface KubeconfigFlags {
  readonly server: string;
  readonly certificateAuthority?: string;
  readonly namespace?: string;
  readonly api?: string;
  readonly subjectTokenFile?: string;
}

interface ExecFlags {
  readonly api?: string;
  readonly audience: string;
  readonly subjectTokenFile?: string;
}

/** Variables of the process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Adds `sallyport kubeconfig`. */
export function addKubeconfig(program: Command, world: CliWorld): void {
  program
    .command('kubeconfig')
    .description('print a kubeconfig for a target; it holds no secret')
    .argument('<[account@]target>', 'the cluster, and the account where the grant has several')
    .requiredOption('--server <url>', 'where the gateway serves the cluster: https://host/k/prod')
    .option('--certificate-authority <file>', 'PEM; the system’s authorities when absent')
    .option('--namespace <name>', 'the namespace of the context')
    .option('--api <url>', 'the gateway’s API (SALLYPORT_API when the plugin runs)')
    .option('--subject-token-file <file>', 'the workload’s own token, read when the plugin runs')
    .action(async (audience: string, flags: KubeconfigFlags) => {
      const { printKubeconfig } = await import('#cli/kubeconfig.ts');
      const { server, certificateAuthority: file, namespace, api, subjectTokenFile } = flags;
      const args = [
        resolve(process.argv[1] ?? ''),
        'token',
        'exec-credential',
        ...(api === undefined ? [] : ['--api', api]),
        ...(subjectTokenFile === undefined
          ? []
          : ['--subject-token-file', resolve(subjectTokenFile)]),
      ];
      const certificateAuthority = file === undefined ? undefined : readFileSync(file, 'utf8');
      const options = { audience, server, certificateAuthority, namespace, args };
      world.done(printKubeconfig(world.output, { ...options, command: process.execPath }));
    });
}

/** Adds the exec plugin to the commands about credentials. */
export function addExecCredential(noun: Command, world: CliWorld, env: Environment): void {
  noun
    .command('exec-credential')
    .description(
      'for a kubeconfig: get a credential as an exec plugin, and keep it while it is good',
    )
    .requiredOption('--audience <name>', '[account@]target')
    .option('--api <url>', 'the gateway’s API (SALLYPORT_API, else http://127.0.0.1:7080)')
    .option(
      '--subject-token-file <file>',
      'the workload’s own token (SALLYPORT_SUBJECT_TOKEN_FILE, SALLYPORT_SUBJECT_TOKEN)',
    )
    .action(async ({ api, audience, subjectTokenFile }: ExecFlags) => {
      if (process.stdout.isTTY === true) {
        throw new GatewayError('SP_UNSUPPORTED', { detail: 'a credential is not for a terminal' });
      }
      const { execCredential } = await import('#cli/kubeconfig.ts');
      const { credentialCache, keyOf } = await import('./credential-cache.ts');
      const subjectToken = subjectTokenFrom(subjectTokenFile, env);
      const caches = env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
      const place = api ?? env['SALLYPORT_API'] ?? '';
      const context = {
        client: world.client(api === undefined ? {} : { api }),
        output: world.output,
        clock: systemClock,
        wait: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)),
        cache: credentialCache(join(caches, 'sallyport', 'credentials'), [place, audience]),
      };
      const subjectKey = keyOf(subjectToken.reveal());
      const execInfo = env['KUBERNETES_EXEC_INFO'];
      world.done(await execCredential(context, { audience, subjectToken, subjectKey, execInfo }));
    });
}

/** The workload's own token, from a file or the environment. */
export function subjectTokenFrom(flag: string | undefined, env: Environment): Secret {
  const path = flag ?? env['SALLYPORT_SUBJECT_TOKEN_FILE'];
  const value = env['SALLYPORT_SUBJECT_TOKEN'];
  if (path === undefined && value !== undefined) return new Secret(value);
  if (path === undefined) {
    const detail = 'no subject token: --subject-token-file or SALLYPORT_SUBJECT_TOKEN_FILE';
    throw new GatewayError('SP_CONFIG', { detail });
  }
  try {
    return new Secret(readFileSync(path, 'utf8').trim());
  } catch (cause) {
    throw new GatewayError('SP_CONFIG', { detail: `cannot read the token in ${path}`, cause });
  }
}
