/**
 * `npm run evasion -- http [--only pattern] [--own | --corpus] [--direct] [--list]`: plays the
 * labelled corpus and the project's own cases through a gateway, at an application and at nginx
 * before it. With `--direct` at those themselves: then the intents must show.
 */
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import { type Case, readCases } from './cases.ts';
import { play } from './run.ts';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** The cases of this repository; they only grow. */
export const ownCases = (): readonly Case[] => readCases(here('../cases/http.jsonl'));

function corpus(): readonly Case[] {
  const file = `${process.env['CORPUS'] ?? here('../../../../shared/corpus')}/http.jsonl`;
  if (!existsSync(file)) throw new Error(`there is no corpus at ${file}; CORPUS names its folder`);
  return readCases(file);
}

/** Refused although they are harmless, and why that stays. */
const accepted: ReadonlyMap<string, string> = new Map([
  ['http-095', 'a body that says it is JSON and is not: no reader that is known reads it'],
]);

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
  const only = new RegExp(values.only ?? '');
  const cases = [...(values.own ? [] : corpus()), ...(values.corpus ? [] : ownCases())].filter(
    ({ id, technique, tier }) => only.test(`${id} ${technique}`) && tier !== 'ambiguous',
  );
  const outcomes = await play(cases, values.direct);
  const isAccepted = ({ id, what }: (typeof outcomes)[number]): boolean =>
    accepted.has(id.split(' ', 1)[0] ?? '') && what.startsWith('over-blocked');
  for (const one of outcomes) {
    const word = one.good ? 'ok  ' : isAccepted(one) ? 'over' : 'FAIL';
    if (values.list || !one.good) console.log(`${word} ${one.id}: ${one.what}`);
  }
  const good = outcomes.filter((each) => each.good).length;
  console.log(`evasion: http: ${good} of ${outcomes.length} as they must be`);
  return outcomes.every((each) => each.good || isAccepted(each));
}
