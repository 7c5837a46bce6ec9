/**
 * `npm run evasion -- postgres [--version 15|18] [--only pattern] [--own | --corpus]
 * [--direct | --explain | --lenient] [--list]`: plays the labelled corpus and the project's own
 * cases through a gateway at a real server, or asks `policy explain` about them.
 *
 * With `--direct` it plays them at the server itself: then every intent must show, or the case, or
 * this runner, proves nothing.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import type { PostgresVersion } from '../../support/postgres.ts';
import { corpusFile, ownFiles, readCases } from '../cases.ts';
import { postgresCase } from './cases.ts';
import { type Collection, runCollection } from './run.ts';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export async function main(args: readonly string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      version: { type: 'string' },
      only: { type: 'string' },
      own: { type: 'boolean', default: false },
      corpus: { type: 'boolean', default: false },
      direct: { type: 'boolean', default: false },
      explain: { type: 'boolean', default: false },
      lenient: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
    },
  });
  const versions = values.version === undefined ? ([15, 18] as const) : [version(values.version)];
  const collections = [...(values.own ? [] : [corpus()]), ...(values.corpus ? [] : [ownCases()])];
  const only = values.only === undefined ? undefined : new RegExp(values.only);
  let good = true;
  for (const each of versions) {
    for (const collection of collections) {
      const { direct, explain, lenient, list } = values;
      const options = { version: each, only, direct, explain, lenient, list };
      good = (await runCollection(collection, options)) && good;
    }
  }
  console.log(good ? 'evasion: all as it must be' : 'evasion: FAILED');
  return good;
}

function version(text: string): PostgresVersion {
  if (text === '15' || text === '18') return text === '15' ? 15 : 18;
  throw new Error(`no PostgreSQL ${text}: 15 or 18`);
}

/** The corpus beside the repository, or where `CORPUS` says. */
const corpus = (): Collection => ({
  name: 'corpus',
  cases: readCases(corpusFile('postgres.jsonl'), postgresCase),
  schema: readFileSync(corpusFile('schema/schema_pg.sql'), 'utf8'),
});

/** The cases of this repository; they only grow. */
export const ownCases = (): Collection => ({
  name: 'own cases',
  cases: ownFiles('postgres').flatMap((file) => readCases(file, postgresCase)),
  schema: readFileSync(here('schema.sql'), 'utf8'),
});
