/**
 * `npm run evasion -- kubernetes [--only pattern] [--own | --corpus] [--direct] [--list]`: plays the
 * labelled corpus and the project's own cases through a gateway at a real API server, under the
 * developer's policy that ships.
 *
 * With `--direct` it plays them at the server itself: then every intent must show, or the case, or
 * this runner, proves nothing.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { startGateway, type TestGateway } from '../../support/gateway.ts';
import { corpusFile, ownFiles, readCases, type SuiteOptions, suiteOptions } from '../cases.ts';
import { type Case, kubernetesCase, placed } from './cases.ts';
import { type Answer, type Door, send } from './client.ts';
import { judge, judgeDirect, type Played, type Verdict } from './judge.ts';
import { ScratchCluster } from './world.ts';

type Options = Pick<SuiteOptions, 'only' | 'direct' | 'list'>;

interface Result extends Verdict {
  readonly one: Case;
  readonly played: Played;
}

/** By which clients name the cluster, so that paths stay as cases have them. */
const HOST = 'cluster.test';

export async function main(args: readonly string[]): Promise<boolean> {
  const options = suiteOptions(args);
  const labelled = options.own ? [] : readCases(corpusFile('kubernetes.jsonl'), kubernetesCase);
  const good = await runCases([...labelled, ...(options.corpus ? [] : ownCases())], options);
  console.log(good ? 'evasion: all as it must be' : 'evasion: FAILED');
  return good;
}

/** The cases of this repository; they only grow. */
export const ownCases = (): readonly Case[] =>
  ownFiles('kubernetes').flatMap((file) => readCases(file, kubernetesCase));

/** Plays cases and reports; true when all is as it must be. */
export async function runCases(cases: readonly Case[], options: Options): Promise<boolean> {
  const { only } = options;
  const chosen = cases.filter(
    ({ id, technique, intent }) => only?.test(`${id} ${technique} ${intent}`) ?? true,
  );
  const results = options.direct ? await directly(chosen) : await through(chosen);
  return report(results, options);
}

async function directly(cases: readonly Case[]): Promise<readonly Result[]> {
  const results: Result[] = [];
  let scratch = await ScratchCluster.start();
  try {
    for (const one of cases) {
      const played = await play(one, scratch, scratch.admin).catch(() => undefined);
      if (played !== undefined) {
        results.push({ one, played, ...judgeDirect(one, played) });
        continue;
      }
      // Some requests are the end of an old server.
      const nothing = { namespace: '', answers: [], asked: [], changed: [] };
      const note = 'the server went down';
      results.push({ one, played: nothing, good: true, note, isRefused: false });
      await scratch.stop();
      scratch = await ScratchCluster.start();
    }
  } finally {
    await scratch.stop();
  }
  return results;
}

async function through(cases: readonly Case[]): Promise<readonly Result[]> {
  const scratch = await ScratchCluster.start();
  const gateway = await gatewayFor(scratch);
  const results: Result[] = [];
  try {
    for (const one of cases) {
      const direct = one.must === 'allow' ? await play(one, scratch, scratch.admin) : undefined;
      const token = await gateway.job(`job-${one.id}`);
      const played = await play(one, scratch, {
        port: gateway.ports['kubernetes'] ?? 0,
        headers: { Host: HOST, Authorization: `Bearer ${token}` },
      });
      results.push({ one, played, ...judge(one, played, direct) });
    }
  } finally {
    await gateway.stop();
    await scratch.stop();
  }
  return results;
}

function gatewayFor({ cluster }: ScratchCluster): Promise<TestGateway> {
  const file = fileURLToPath(new URL('../../../policies/developer.yaml', import.meta.url));
  return startGateway({
    targets: [
      {
        name: 'scratch',
        protocol: 'kubernetes',
        host: '127.0.0.1',
        port: cluster.port,
        tls: { mode: 'verify-full', ca: cluster.ca },
        settings: { hosts: [HOST] },
        accounts: [{ name: 'developer', password: 'env:KUBERNETES_TOKEN' }],
      },
    ],
    grants: [
      { id: 'jobs', identities: ['issuer:ci'], targets: ['scratch'], accounts: ['developer'] },
    ],
    // The policy as it ships, but nobody waits for a reviewer.
    policies: {
      'policy.yaml': readFileSync(file, 'utf8').replaceAll(
        '{ reviewers: [role:reviewer] }',
        '{ reviewers: [role:reviewer], mode: refuse }',
      ),
    },
    env: { KUBERNETES_TOKEN: cluster.token },
  });
}

/** Plays a case in a namespace of its own, and looks at what came of it. */
async function play(one: Case, scratch: ScratchCluster, door: Door): Promise<Played> {
  const namespace = await scratch.place();
  const before = await scratch.state(namespace);
  const answers: readonly Answer[] = await send(door, placed(one, namespace).input);
  const asked = scratch.kubelet.asked();
  const after = await scratch.state(namespace);
  const changed = [...new Set([...before.keys(), ...after.keys()])].filter(
    (name) => before.get(name) !== after.get(name),
  );
  return { namespace, answers, asked, changed };
}

function report(results: readonly Result[], { direct, list }: Options): boolean {
  console.log(`\nkubernetes, ${direct ? 'without' : 'through'} the gateway`);
  for (const must of ['block', 'mask', 'allow'] as const) {
    const mine = results.filter(({ one }) => one.must === must && one.tier !== 'ambiguous');
    const passed = mine.filter(({ good }) => good).length;
    const refused = mine.filter(({ isRefused }) => isRefused).length;
    const also = must === 'mask' && !direct ? `, ${refused} of them by a refusal` : '';
    console.log(`  must ${must.padEnd(5)} ${passed} of ${mine.length}${also}`);
  }
  for (const { one, played, good, note } of results) {
    if (good && !list) continue;
    const word = good ? 'ok' : one.tier === 'ambiguous' ? 'ambiguous' : 'FAIL';
    const came = played.answers.map(({ status, body }) => `${status} ${body.toString('latin1')}`);
    console.log(
      [
        `  ${word} ${one.id} must ${one.must}: ${note}`,
        `    technique ${one.technique}; intent ${one.intent}`,
        `    input     ${JSON.stringify(one.input).slice(0, 400)}`,
        `    came      ${JSON.stringify(came.join('\n').replaceAll(/\s+/g, ' ').slice(0, 500))}`,
      ].join('\n'),
    );
  }
  return results.length > 0 && results.every(({ one, good }) => good || one.tier === 'ambiguous');
}
