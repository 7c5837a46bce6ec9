/** Runs a collection of cases and reports: counts, and every failure with what came. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { startGateway, type TestGateway } from '../../support/gateway.ts';
import type { PostgresVersion } from '../../support/postgres.ts';
import { errorsIn } from './answers.ts';
import { CanaryFinder } from './canaries.ts';
import type { Case } from './cases.ts';
import { explainCases } from './explain.ts';
import { judge, type Judgement, reasonsOf, toldOf } from './judge.ts';
import { type Door, play, type Played } from './play.ts';
import { Scratch } from './scratch.ts';

export interface Collection {
  readonly name: string;
  readonly cases: readonly Case[];
  readonly schema: string;
}

export interface RunOptions {
  readonly version: PostgresVersion;
  /** Over id, technique and intent. */
  readonly only: RegExp | undefined;
  readonly direct: boolean;
  /** Ask what would be decided, and play nothing. */
  readonly explain: boolean;
  /** Let what computes with masked columns run, so that masks alone have to hold. */
  readonly lenient: boolean;
  /** Print what came of every case. */
  readonly list: boolean;
}

interface Result {
  readonly one: Case;
  readonly played: Played;
  readonly judgement: Judgement;
}

const target = 'scratch';

export async function runCollection(collection: Collection, options: RunOptions): Promise<boolean> {
  const chosen = collection.cases.filter((one) => fits(one, options));
  const scratch = await Scratch.start(options.version, collection.schema);
  const title = `${collection.name}, PostgreSQL ${options.version}`;
  try {
    if (options.explain) return await explainAll(title, chosen, scratch);
    const results = options.direct
      ? await playDirectly(chosen, scratch)
      : await playThrough(chosen, scratch, options.lenient);
    if (options.list) for (const result of results) console.log(lineOf(result));
    return report(options.direct ? `${title}, without the gateway` : title, results);
  } finally {
    await scratch.stop();
  }
}

function fits(one: Case, { version, only }: RunOptions): boolean {
  if (one.versions !== undefined && !one.versions.includes(version)) return false;
  return only === undefined || only.test(`${one.id} ${one.technique} ${one.intent}`);
}

/** What the policy holds besides other uses of masked columns. */
const computing = ', compute';

/** A gateway before the server, with the policy that ships for an analyst. */
function gatewayFor(scratch: Scratch, lenient: boolean): Promise<TestGateway> {
  const { host, port } = scratch.server;
  const policy = fileURLToPath(new URL('../../../policies/analyst.yaml', import.meta.url));
  const text = readFileSync(policy, 'utf8');
  if (!text.includes(computing)) throw new Error('the policy does not hold what computes');
  return startGateway({
    targets: [{ name: target, host, port, accounts: ['postgres'] }],
    bind: target,
    policies: { 'policy.yaml': lenient ? text.replace(computing, '') : text },
  });
}

async function playThrough(
  cases: readonly Case[],
  scratch: Scratch,
  lenient: boolean,
): Promise<readonly Result[]> {
  const gateway = await gatewayFor(scratch, lenient);
  const results: Result[] = [];
  try {
    const finder = new CanaryFinder(await scratch.canaries());
    for (const one of cases) {
      const direct = one.must === 'allow' ? await play(one, scratch, directly(scratch)) : undefined;
      // A job for each, so that no case meets the bounds of another's.
      const door = { port: gateway.port, password: await gateway.job(`job-${one.id}`) };
      const played = await play(one, scratch, door);
      results.push({ one, played, judgement: judge(one, played, finder, direct) });
    }
  } finally {
    await gateway.stop();
  }
  return results;
}

/** Only asks what would be decided. */
async function explainAll(
  title: string,
  cases: readonly Case[],
  scratch: Scratch,
): Promise<boolean> {
  const gateway = await gatewayFor(scratch, false);
  try {
    const answers = await explainCases(cases, scratch, gateway);
    console.log(`\n${title}, explained`);
    for (const must of ['block', 'mask', 'allow'] as const) {
      const mine = answers.filter(({ one }) => one.must === must);
      const passed = mine.filter(({ good }) => good).length;
      const how = counts(mine.map(({ verdict }) => verdict));
      console.log(`  must ${must.padEnd(5)} ${passed} of ${mine.length}   ${how}`);
    }
    const failed = answers.filter(({ good }) => !good);
    for (const { one, verdict, why } of failed) {
      const sent = JSON.stringify(one.input).slice(0, 300);
      console.log(
        `  ${one.tier} ${one.id} must ${one.must}: ${verdict} ${one.technique}\n    ${sent}`,
      );
      console.log(`    ${why.slice(0, 600)}`);
    }
    return answers.length > 0 && failed.every(({ one }) => one.tier === 'ambiguous');
  } finally {
    await gateway.stop();
  }
}

const directly = (scratch: Scratch): Door => ({ port: scratch.server.port, password: '' });

/** Without a gateway every intent has to show. */
async function playDirectly(cases: readonly Case[], scratch: Scratch): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (const one of cases) {
    const played = await play(one, scratch, directly(scratch));
    const calm = one.proof.unchanged !== true || played.unchanged;
    const smooth =
      one.must !== 'allow' || one.errs === true || errorsIn(played.received).length === 0;
    const shown = played.happened && calm && smooth;
    const note = shown ? '' : `no ${played.why || 'calm'}: ${errorsIn(played.received).join('; ')}`;
    results.push({ one, played, judgement: { good: shown, outcome: 'allowed', note } });
  }
  return results;
}

const lineOf = ({ one, judgement, played }: Result): string =>
  [
    `${one.id} must ${one.must}: ${judgement.outcome}`,
    one.technique,
    JSON.stringify(one.input).slice(0, 120),
    reasonsOf(played).slice(0, 300),
  ].join(' | ');

function report(title: string, results: readonly Result[]): boolean {
  console.log(`\n${title}`);
  for (const must of ['block', 'mask', 'allow'] as const) {
    const mine = results.filter(({ one }) => one.must === must);
    const passed = mine.filter(({ judgement }) => judgement.good).length;
    const how = counts(mine.map(({ judgement }) => judgement.outcome));
    console.log(`  must ${must.padEnd(5)} ${passed} of ${mine.length}   ${how}`);
  }
  const failed = results.filter(({ judgement }) => !judgement.good);
  const hard = failed.filter(({ one }) => one.tier !== 'ambiguous');
  const lost = failed.map(({ one }) => `${one.effect}: ${one.technique}`);
  if (lost.length > 0) console.log(`  failing: ${counts(lost)}`);
  for (const { one, played, judgement } of failed) {
    console.log(
      [
        `  ${one.tier === 'ambiguous' ? 'ambiguous' : 'FAIL'} ${one.id} must ${one.must}: ` +
          `${judgement.outcome} ${judgement.note}`,
        `    technique ${one.technique}; intent ${one.intent}`,
        `    input     ${JSON.stringify(one.input).slice(0, 400)}`,
        `    refusals  ${reasonsOf(played).slice(0, 400)}`,
        `    came      ${JSON.stringify(toldOf(played))}`,
      ].join('\n'),
    );
  }
  return hard.length === 0 && results.length > 0;
}

/** `denied 3, held 120`. */
function counts(words: readonly string[]): string {
  const tally = new Map<string, number>();
  for (const word of words) tally.set(word, (tally.get(word) ?? 0) + 1);
  return [...tally]
    .sort(([, a], [, b]) => b - a)
    .map(([word, count]) => `${word} ${count}`)
    .join(', ');
}
