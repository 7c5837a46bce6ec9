/**
 * Cases on disk: one JSON object a line, in the form of the labelled corpus. What a case says is
 * checked when it is read, so that a misspelt key cannot turn a case into one that always passes.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { z } from 'zod';

const own = fileURLToPath(new URL('cases', import.meta.url));

const shared: string =
  process.env['CORPUS'] ?? fileURLToPath(new URL('../../../shared/corpus', import.meta.url));

/** What every suite that plays cases can be told. */
export interface SuiteOptions {
  /** Over id, technique and intent. */
  readonly only: RegExp | undefined;
  readonly own: boolean;
  readonly corpus: boolean;
  /** Leave out the gateway: then every intent has to show. */
  readonly direct: boolean;
  /** Print what came of every case. */
  readonly list: boolean;
}

/** Reads `[--only pattern] [--own | --corpus] [--direct] [--list]`. */
export function suiteOptions(args: readonly string[]): SuiteOptions {
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
  return { ...values, only: values.only === undefined ? undefined : new RegExp(values.only) };
}

/** A file of the corpus beside the repository, or where `CORPUS` says. */
export function corpusFile(name: string): string {
  const file = join(shared, name);
  if (!existsSync(file)) throw new Error(`there is no corpus at ${file}; CORPUS names its folder`);
  return file;
}

/** The files of this repository's own cases for a protocol; they only grow. */
export const ownFiles = (protocol: string): readonly string[] =>
  readdirSync(own)
    .filter((file) => file.startsWith(protocol) && file.endsWith('.jsonl'))
    .sort()
    .map((file) => join(own, file));

/** @throws Error that names file and line of what is not a case. */
export function readCases<Case extends { readonly id: string }>(
  file: string,
  schema: z.ZodType<Case>,
): readonly Case[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  const seen = new Set<string>();
  return lines.flatMap((line, index) => {
    if (line.trim() === '') return [];
    const read = schema.safeParse(JSON.parse(line));
    if (!read.success) throw new Error(`${file}:${index + 1}: ${z.prettifyError(read.error)}`);
    if (seen.has(read.data.id)) throw new Error(`${file}:${index + 1}: ${read.data.id} again`);
    seen.add(read.data.id);
    return [read.data];
  });
}
