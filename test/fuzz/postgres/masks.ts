/**
 * Plays random queries through the relay and says what is wrong with the answers:
 *
 * - a canary, or six digits of one in whatever form, in anything that the client received;
 * - a value that is not masked and yet differs between two databases that differ in masked values
 *   alone, unless the statement says that it compares, sorts or groups by one;
 * - an answer to a query that names nothing masked which is not, byte for byte, the server's own.
 */
import { cellsOf, columnNames, fieldsOf, refusalsIn } from '../../evasion/postgres/answers.ts';
import type { Received } from '../../evasion/postgres/wire.ts';
import type { SqlStatement } from '#protocols/postgres/sql/types.ts';
import { Dice, shrink } from '../dice.ts';
import { type FuzzCase, makeCase, makesObjects, textOf } from './carriers.ts';
import { type Answer, type Database, databases, World, type WorldOptions } from './world.ts';

/** What came of the cases, in the order of precedence. */
export interface Counts {
  queries: number;
  /** The server itself said no. */
  failed: number;
  refused: number;
  masked: number;
  untouched: number;
  /** Names nothing masked, and is the server's own answer, byte for byte. */
  exact: number;
  /** Both databases were compared value by value. */
  compared: number;
}

export interface Failure {
  readonly seed: number;
  readonly problem: string;
  /** The smallest case that was found to fail in the same way. */
  readonly text: string;
}

export interface FuzzResult {
  readonly counts: Counts;
  readonly failures: readonly Failure[];
}

export interface FuzzOptions extends WorldOptions {
  readonly queries: number;
  readonly seed: number;
  /** Ends the run early. */
  readonly minutesMax?: number;
  readonly failuresMax?: number;
  readonly onProgress?: (counts: Counts) => void;
}

const shrinkTriesMax = 400;

/** Runs cases until they are done, the time is up, or enough of them have failed. */
export async function fuzzMasks(options: FuzzOptions): Promise<FuzzResult> {
  const { queries, seed, minutesMax = Infinity, failuresMax = 1 } = options;
  const world = await World.start(options);
  const counts: Counts = {
    queries: 0,
    failed: 0,
    refused: 0,
    masked: 0,
    untouched: 0,
    exact: 0,
    compared: 0,
  };
  const failures: Failure[] = [];
  const started = performance.now();
  try {
    while (counts.queries < queries && failures.length < failuresMax) {
      if (performance.now() - started > minutesMax * 60_000) break;
      const own = seed + counts.queries;
      const dice = Dice.seeded(own);
      const problem = await examine(world, makeCase(dice), counts);
      if (problem !== undefined) failures.push(await smallest(world, own, dice, problem));
      counts.queries += 1;
      if (counts.queries % 10_000 === 0) options.onProgress?.(counts);
    }
  } finally {
    await world.stop();
  }
  return { counts, failures };
}

async function smallest(world: World, seed: number, dice: Dice, problem: string): Promise<Failure> {
  const kindOf = (text: string): string => text.split(':')[0] ?? '';
  const made = (choices: readonly number[]): FuzzCase => makeCase(Dice.replaying(choices));
  const fails = async (choices: readonly number[]): Promise<boolean> => {
    const again = await examine(world, made(choices));
    return again !== undefined && kindOf(again) === kindOf(problem);
  };
  const choices = await shrink(dice.choices, fails, shrinkTriesMax);
  const told = (await examine(world, made(choices))) ?? problem;
  return { seed, problem: told, text: textOf(made(choices)) };
}

/** Plays one case; the first thing that is wrong, or undefined. */
async function examine(world: World, one: FuzzCase, counts?: Counts): Promise<string | undefined> {
  const answers = await world.through(one);
  const all = databases.flatMap((name) => answers[name]);
  const received = all.flatMap((answer) => answer.received);
  const leak = leakOf(world, answers);
  if (leak !== undefined) return leak;
  if (received.some(isTimeout)) return undefined;
  const depends = dependenceOf(one, answers, counts);
  if (depends !== undefined) return depends;
  if (one.clean) {
    const differs = await differenceOf(world, one, answers.fuzz_a);
    if (differs !== undefined) return differs;
    if (counts !== undefined && !isError(answers.fuzz_a)) counts.exact += 1;
  }
  if (counts !== undefined) counts[outcomeOf(all)] += 1;
  return undefined;
}

function outcomeOf(answers: readonly Answer[]): 'failed' | 'refused' | 'masked' | 'untouched' {
  const received = answers.flatMap((answer) => answer.received);
  if (refusalsIn(received).length > 0) return 'refused';
  if (received.some(({ type }) => type === 'E')) return 'failed';
  const masks = answers.some(({ statements }) => statements.some(isMasked));
  return masks ? 'masked' : 'untouched';
}

const isFree = (column: { unknown: boolean; sources: readonly string[] }): boolean =>
  !column.unknown && column.sources.length === 0;

const isMasked = ({ output }: SqlStatement): boolean =>
  output === undefined || !output.every(isFree);

/** A canary of a database in what came from it; chance would have brought it from both. */
function leakOf(
  world: World,
  answers: Readonly<Record<Database, readonly Answer[]>>,
): string | undefined {
  const [a, b] = databases.map((name) => answers[name].flatMap((answer) => answer.received));
  for (const [name, own = [], other = []] of [
    ['fuzz_a', a, b],
    ['fuzz_b', b, a],
  ] as const) {
    const found = world.canaries[name].find(own);
    if (found.size === 0) continue;
    const chance = world.canaries[name].find(other);
    for (const [piece, canary] of found) {
      if (!chance.has(piece)) return `a canary came out: ${piece} of ${canary}`;
    }
  }
  return undefined;
}

/** Whether rows can differ for another reason than the values in their masked columns. */
const looksAtMasked = ({ facts }: SqlStatement): boolean =>
  facts.analysis !== 'complete' ||
  facts.columns.some(({ masked, use }) => masked && use !== 'return' && use !== 'compute');

function dependenceOf(
  { stable }: FuzzCase,
  answers: Readonly<Record<Database, readonly Answer[]>>,
  counts: Counts | undefined,
): string | undefined {
  if (!stable) return undefined;
  for (const [at, own] of answers.fuzz_a.entries()) {
    const other = answers.fuzz_b[at];
    if (other === undefined || own.statements.some(looksAtMasked)) return undefined;
    if ([...own.received, ...other.received].some(({ type }) => type === 'E')) return undefined;
    const left = freeRows(own);
    const right = freeRows(other);
    if (left === undefined || right === undefined) continue;
    if (counts !== undefined) counts.compared += 1;
    if (left !== right) return `a value that is not masked depends on one that is: step ${at + 1}`;
  }
  return undefined;
}

/** What is not masked in the rows, in an order that no plan decides; undefined when not known. */
function freeRows({ received, statements }: Answer): string | undefined {
  const outputs = statements.flatMap(({ output }) =>
    output === undefined || output.length === 0 ? [] : [output],
  );
  const [output] = outputs;
  if (output === undefined || outputs.length > 1) return undefined;
  const lines = received.flatMap(({ type, body }): string[] => {
    if (type === 'D') {
      const cells = cellsOf(body).map((cell) => cell?.toString('latin1') ?? '\\N');
      const free = cells.filter((_, at) => isFree(output[at] ?? { unknown: true, sources: [] }));
      return [free.join('|')];
    }
    return type === 'd' && output.every(isFree) ? [lineOf(body)] : [];
  });
  return lines.toSorted().join('\n');
}

/** A row of COPY; the header of the binary format comes in one message with whichever is first. */
const lineOf = (body: Buffer): string =>
  body.toString('latin1', body.indexOf('PGCOPY\n\xff\r\n\0', 0, 'latin1') === 0 ? 19 : 0);

/** Plans may differ between two runs, so that a difference counts only when it stays. */
async function differenceOf(
  world: World,
  one: FuzzCase,
  through: readonly Answer[],
): Promise<string | undefined> {
  let own = through;
  let seen = '';
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const server = await world.past(one);
    const [left, right] = [bytesOf(one, own), bytesOf(one, server)];
    if (left === right || isError(server)) return undefined;
    seen = `through ${sample(left, right)}, directly ${sample(right, left)}`;
    own = (await world.through(one)).fuzz_a;
  }
  return `a query without masked columns is not answered as by the server: ${seen}`;
}

/** The messages; without the numbers of what the case itself made. */
const bytesOf = ({ carrier }: FuzzCase, answers: readonly Answer[]): string =>
  answers
    .flatMap(({ received }) => received)
    .map(({ type, body }) =>
      type === 'T' && makesObjects.has(carrier)
        ? columnNames(body).join()
        : `${type}${body.toString('latin1')}`,
    )
    .join('\n');

/** An error's text is not the server's own where the statement was not understood. */
const isError = (answers: readonly Answer[]): boolean =>
  answers.some(({ received }) => received.some(({ type }) => type === 'E'));

/** Where two answers part. */
function sample(text: string, other: string): string {
  let at = 0;
  while (at < text.length && text[at] === other[at]) at += 1;
  return JSON.stringify(text.slice(Math.max(0, at - 20), at + 80));
}

const isTimeout = ({ type, body }: Received): boolean =>
  type === 'E' && fieldsOf(body).get('C') === '57014';
