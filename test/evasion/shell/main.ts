/**
 * `npm run evasion -- shell [--only pattern] [--own | --corpus] [--direct] [--list]`: plays the
 * labelled corpus and the project's own cases through a gateway at a real OpenSSH server.
 *
 * With `--direct` it plays them at the server itself: then every intent must show, or the case, or
 * this runner, proves nothing.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { startGateway } from '../../support/gateway.ts';
import { corpusFile, ownFiles, readCases, type SuiteOptions, suiteOptions } from '../cases.ts';
import { type Case, placed, shellCase } from './cases.ts';
import { ScratchHost } from './host.ts';
import { type Door, play, type Played } from './play.ts';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

type Options = Pick<SuiteOptions, 'only' | 'direct' | 'list'>;

interface Result {
  readonly one: Case;
  readonly played: Played;
  readonly good: boolean;
  readonly note: string;
}

export async function main(args: readonly string[]): Promise<boolean> {
  const options = suiteOptions(args);
  const labelled = options.own ? [] : readCases(corpusFile('shell.jsonl'), shellCase);
  const good = await runCases([...labelled, ...(options.corpus ? [] : ownCases())], options);
  console.log(good ? 'evasion: all as it must be' : 'evasion: FAILED');
  return good;
}

/** The cases of this repository; they only grow. */
export const ownCases = (): readonly Case[] =>
  ownFiles('shell').flatMap((file) => readCases(file, shellCase));

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
