/**
 * `npm run evasion -- http [--only pattern] [--own | --corpus] [--direct] [--list]`: plays the
 * labelled corpus and the project's own cases through a gateway, at an application and at nginx
 * before it. With `--direct` at those themselves: then the intents must show.
 */
import { corpusFile, ownFiles, readCases, suiteOptions } from '../cases.ts';
import { type Case, httpCase } from './cases.ts';
import { play } from './run.ts';

/** The cases of this repository; they only grow. */
export const ownCases = (): readonly Case[] =>
  ownFiles('http').flatMap((file) => readCases(file, httpCase));

/** Refused although they are harmless, and why that stays. */
const accepted: ReadonlyMap<string, string> = new Map([
  ['http-095', 'a body that says it is JSON and is not: no reader that is known reads it'],
]);

export async function main(args: readonly string[]): Promise<boolean> {
  const { only, own, corpus, direct, list } = suiteOptions(args);
  const cases = [
    ...(own ? [] : readCases(corpusFile('http.jsonl'), httpCase)),
    ...(corpus ? [] : ownCases()),
  ].filter(
    ({ id, technique, tier }) => (only?.test(`${id} ${technique}`) ?? true) && tier !== 'ambiguous',
  );
  const outcomes = await play(cases, direct);
  const isAccepted = ({ id, what }: (typeof outcomes)[number]): boolean =>
    accepted.has(id.split(' ', 1)[0] ?? '') && what.startsWith('over-blocked');
  for (const one of outcomes) {
    const word = one.good ? 'ok  ' : isAccepted(one) ? 'over' : 'FAIL';
    if (list || !one.good) console.log(`${word} ${one.id}: ${one.what}`);
  }
  const good = outcomes.filter((each) => each.good).length;
  console.log(`evasion: http: ${good} of ${outcomes.length} as they must be`);
  return outcomes.every((each) => each.good || isAccepted(each));
}
