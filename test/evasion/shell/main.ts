/**
 * `npm run evasion -- shell [--only pattern] [--own | --corpus] [--direct] [--list]`: plays the
 * labelled corpus and the project's own cases through a gateway at a real OpenSSH server.
 *
 * With `--direct` it plays them at the server itself: then every intent must show, or the case, or
 * this runner, proves nothing.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import { startGateway } from '../../support/gateway.ts';
import { type Case, placed, readCases } from './cases.ts';
import { ScratchHost } from './host.ts';
import { type Door, play, type Played } from './play.ts';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

interface Options {
  readonly only: RegExp | undefined;
  readonly direct: boolean;
  readonly list: boolean;
}

interface Result {
  readonly one: Case;
  readonly played: Played;
  readonly good: boolean;
  readonly note: string;
}

export async function main(args: readonly string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      own: { type: 'boolean', default: false },
      corpus: { type: 'boolean', default: false },
      direct: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
    },
  });
  const cases = [...(values.own ? [] : corpus()), ...(values.corpus ? [] : ownCases())];
  const only = values.only === undefined ? undefined : new RegExp(values.only);
  const good = await runCases(cases, { only, direct: values.direct, list: values.list });
  console.log(good ? 'evasion: all as it must be' : 'evasion: FAILED');
  return good;
}

/** The corpus beside the repository, or where `CORPUS` says. */
function corpus(): readonly Case[] {
  const directory = process.env['CORPUS'] ?? here('../../../../shared/corpus');
  const file = `${directory}/shell.jsonl`;
  if (!existsSync(file)) throw new Error(`there is no corpus at ${file}; CORPUS names its folder`);
  return readCases(file);
}

/** The cases of this repository; they only grow. */
export function ownCases(): readonly Case[] {
  const files = readdirSync(here('../cases')).filter((file) => /^shell.*\.jsonl$/.test(file));
  return files.sort().flatMap((file) => readCases(here(`../cases/${file}`)));
}

/** Plays cases and reports; true when all is as it must be. */
export async function runCases(cases: readonly Case[], options: Options): Promise<boolean> {
  const { only } = options;
  const chosen = cases.filter(
    (one) =>
      one.manual !== true && (only?.test(`${one.id} ${one.technique} ${one.intent}`) ?? true),
  );
  const host = await ScratchHost.start();
  try {
    const all = chosen.map((one) => placed(one, host.home, host.port));
    const results = options.direct ? await directly(all, host) : await through(all, host);
    return report(results, options);
  } finally {
    await host.stop();
  }
}

const directDoor = (host: ScratchHost): Door => ({
  port: host.sshd.port,
  username: host.user,
  privateKey: readFileSync(host.sshd.userKey),
});

/** Without a gateway every intent has to show. */
async function directly(cases: readonly Case[], host: ScratchHost): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (const one of cases) {
    const played = await play(one, host, directDoor(host));
    const good = played.happened && (one.proof.unchanged !== true || played.unchanged);
    results.push({ one, played, good, note: good ? '' : 'does not show' });
  }
  return results;
}

async function through(cases: readonly Case[], host: ScratchHost): Promise<readonly Result[]> {
  const policy = readFileSync(here('../../../policies/operator.yaml'), 'utf8');
  const { sshd, home, user } = host;
  const gateway = await startGateway({
    targets: [
      {
        name: 'scratch',
        protocol: 'ssh',
        host: sshd.host,
        port: sshd.port,
        settings: { hostKeys: [sshd.hostKey], shell: 'bash', home },
        accounts: [{ name: 'operator', username: user, clientKey: `file:${sshd.userKey}` }],
      },
    ],
    // The policy as it ships, but nobody waits for a reviewer.
    policies: {
      'policy.yaml': policy.replaceAll(
        '{ reviewers: [role:reviewer] }',
        '{ reviewers: [role:reviewer], mode: refuse }',
      ),
    },
  });
  const results: Result[] = [];
  try {
    for (const one of cases) {
      const direct = one.must === 'allow' ? await play(one, host, directDoor(host)) : undefined;
      const password = await gateway.job(`job-${one.id}`);
      const port = gateway.ports['ssh'] ?? 0;
      const played = await play(one, host, { port, username: 'operator@scratch', password });
      results.push({ one, played, ...judge(one, played, direct) });
    }
  } finally {
    await gateway.stop();
  }
  return results;
}

/** What must be blocked has no effect; what must pass is as it is without a gateway. */
function judge(
  one: Case,
  played: Played,
  direct: Played | undefined,
): Pick<Result, 'good' | 'note'> {
  if (one.must === 'block') {
    const good = !played.happened && played.unchanged;
    return { good, note: good ? '' : played.happened ? 'it happened' : 'something changed' };
  }
  const same =
    played.output === direct?.output &&
    JSON.stringify(played.statuses) === JSON.stringify(direct.statuses);
  const good = same && played.happened && played.unchanged;
  return { good, note: good ? '' : `not the same: ${JSON.stringify(direct?.output)}` };
}

function report(results: readonly Result[], options: Options): boolean {
  console.log(options.direct ? '\nshell, without the gateway' : '\nshell, through the gateway');
  for (const must of ['block', 'allow'] as const) {
    const mine = results.filter(({ one }) => one.must === must && one.tier !== 'ambiguous');
    const passed = mine.filter(({ good }) => good).length;
    console.log(`  must ${must.padEnd(5)} ${passed} of ${mine.length}`);
  }
  for (const { one, played, good, note } of results) {
    if (good && !options.list) continue;
    const word = good ? 'ok' : one.tier === 'ambiguous' ? 'ambiguous' : 'FAIL';
    console.log(
      [
        `  ${word} ${one.id} must ${one.must}: ${note}`,
        `    technique ${one.technique}; intent ${one.intent}`,
        `    input     ${JSON.stringify(one.input).slice(0, 400)}`,
        `    came      ${played.statuses.join(',')} ${JSON.stringify(played.output).slice(0, 400)}`,
      ].join('\n'),
    );
  }
  return results.length > 0 && results.every(({ one, good }) => good || one.tier === 'ambiguous');
}
