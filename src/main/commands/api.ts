/** Commands over the HTTP API of a running gateway. */
import { type Command, InvalidArgumentError } from 'commander';
import { readFileSync } from 'node:fs';
import { systemClock } from '#core/clock.ts';
import type { LockKind } from '#core/ports/locks.ts';
import { systemRandom } from '#core/random.ts';
import { Secret } from '#core/secret.ts';
import { addExecCredential, type Environment } from './kubeconfig.ts';
import type { ApiFlags, CliWorld } from './world.ts';

const LOCK_KINDS: readonly LockKind[] = ['identity', 'owner', 'target', 'session'];

function lockKind(text: string): LockKind {
  const kind = LOCK_KINDS.find((each) => each === text);
  if (kind === undefined) throw new InvalidArgumentError(`one of ${LOCK_KINDS.join(', ')}`);
  return kind;
}

const withApi = (command: Command): Command =>
  command
    .option('--api <url>', 'the gateway’s API (SALLYPORT_API, else http://127.0.0.1:7080)')
    .option('--token-file <file>', 'your credential (SALLYPORT_TOKEN_FILE, SALLYPORT_TOKEN)');

interface Json extends ApiFlags {
  readonly json?: boolean;
}

export function addApiCommands(program: Command, world: CliWorld, env: Environment): void {
  addApprovals(program, world);
  addLocks(program, world);
  addTokens(program, world, env);
}

function addApprovals(program: Command, world: CliWorld): void {
  const noun = program.command('approvals').description('commands that wait for a person');
  const context = (flags: Json) => ({
    client: world.client(flags),
    output: world.output,
    json: flags.json,
  });
  withApi(noun.command('list').description('what waits, oldest first'))
    .option('--recent <count>', 'the newest in any state', Number)
    .option('--json', 'as JSON lines')
    .action(async (flags: Json & { recent?: number }) => {
      const { listApprovals } = await import('#cli/approvals.ts');
      world.done(await listApprovals(context(flags), { recent: flags.recent }));
    });
  withApi(noun.command('show <id>').description('one hold, whole'))
    .option('--json', 'as JSON')
    .action(async (id: string, flags: Json) => {
      const { showApproval } = await import('#cli/approvals.ts');
      world.done(await showApproval(context(flags), id));
    });
  for (const decision of ['approve', 'deny'] as const) {
    const verb = withApi(noun.command(`${decision} <id>`).description(`${decision} a held command`))
      .option('--reason <text>', 'for the record', '')
      .option('--json', 'as JSON');
    if (decision === 'approve') {
      verb.option('--lift <mask...>', 'masks to lift for this one command, where the rule lets it');
    }
    verb.action(async (id: string, flags: Json & { reason: string; lift?: string[] }) => {
      const { reviewApproval } = await import('#cli/approvals.ts');
      const { reason, lift = [] } = flags;
      world.done(await reviewApproval(context(flags), id, { decision, reason, lift }));
    });
  }
}

function addLocks(program: Command, world: CliWorld): void {
  const noun = program.command('lock').description('stop an identity, owner, target or session');
  const context = (flags: ApiFlags) => ({
    client: world.client(flags),
    output: world.output,
    clock: systemClock,
  });
  withApi(noun.command('add').description('lock; live sessions end within a second'))
    .argument('<kind>', LOCK_KINDS.join(', '), lockKind)
    .argument('<value>', 'identity id, owner, target name or session id')
    .requiredOption('--reason <text>', 'why, for the record')
    .option('--for <duration>', 'such as 8h; until it is removed when absent')
    .option('--json', 'as JSON')
    .action(
      async (
        kind: LockKind,
        value: string,
        flags: Json & { readonly reason: string; readonly for?: string },
      ) => {
        const { addLock } = await import('#cli/locks.ts');
        const { reason, json } = flags;
        world.done(
          await addLock(context(flags), { kind, value, reason, duration: flags.for, json }),
        );
      },
    );
  withApi(noun.command('remove <id>').description('remove a lock')).action(
    async (id: string, flags: ApiFlags) => {
      const { removeLock } = await import('#cli/locks.ts');
      world.done(await removeLock(context(flags), { id }));
    },
  );
  withApi(noun.command('list').description('locks in force'))
    .option('--json', 'as JSON lines')
    .action(async (flags: Json) => {
      const { listLocks } = await import('#cli/locks.ts');
      world.done(await listLocks(context(flags), { json: flags.json }));
    });
}

interface ExchangeFlags extends Json, ApiFlags {
  readonly subjectTokenFile: string;
  readonly audience?: readonly string[];
  readonly sshKey?: string;
}

function addTokens(program: Command, world: CliWorld, env: Environment): void {
  const noun = program.command('token').description('credentials');
  const context = (flags: ApiFlags) => ({ client: world.client(flags), output: world.output });
  withApi(noun.command('exchange').description('trade an OIDC token for a credential (RFC 8693)'))
    .requiredOption('--subject-token-file <file>', 'the workload’s own token')
    .option('--audience <name...>', '[account@]target; narrows the credential')
    .option('--ssh-key <file>', 'a public key, NAME.pub; its certificate goes to NAME-cert.pub')
    .option('--json', 'as JSON')
    .action(async (flags: ExchangeFlags) => {
      const { exchangeToken } = await import('#cli/tokens.ts');
      const subjectToken = new Secret(readFileSync(flags.subjectTokenFile, 'utf8').trim());
      const { audience, sshKey, json } = flags;
      world.done(await exchangeToken(context(flags), { subjectToken, audience, sshKey, json }));
    });
  addExecCredential(noun, world, env);
  withApi(noun.command('whoami').description('who the gateway takes you for'))
    .option('--json', 'as JSON')
    .action(async (flags: Json) => {
      const { whoami } = await import('#cli/tokens.ts');
      world.done(await whoami(context(flags), { json: flags.json }));
    });
  withApi(noun.command('revoke').description('revoke credentials; their sessions end'))
    .option('--credential <id>', 'one')
    .option('--identity <id>', 'every one of an identity')
    .action(async (flags: ApiFlags & { credential?: string; identity?: string }) => {
      const { revokeCredentials } = await import('#cli/tokens.ts');
      const { credential, identity } = flags;
      if ((credential === undefined) === (identity === undefined)) {
        program.error('name either --credential or --identity');
      }
      const which = credential === undefined ? { identity: identity ?? '' } : { credential };
      world.done(await revokeCredentials(context(flags), which));
    });
  noun
    .command('new-person <name>')
    .description('make a static credential for a person, and its lines for the configuration')
    .option('--role <role...>', 'reviewer, admin, auditor', [])
    .option('--group <group...>', 'groups', [])
    .action(async (name: string, flags: { role: string[]; group: string[] }) => {
      const { newPerson } = await import('#cli/tokens.ts');
      const { hashOfToken, newToken } = await import('#identity/credentials.ts');
      const make = () => {
        const { id, token } = newToken(systemClock.now(), systemRandom);
        return { id, token, sha256: hashOfToken(token) };
      };
      world.done(newPerson(world.output, { name, roles: flags.role, groups: flags.group }, make));
    });
}
