/**
 * `npm run bench -- facts`: what it costs to know what a statement does. Times are CPU of the data
 * path's thread, since a shared machine only ever adds to the clock's; those of single texts are
 * the clock's, and count by their median, because the kernel counts CPU in steps of 4 ms. A
 * statement of a megabyte is measured by the longest turn of the event loop while it is dealt with.
 */
import { loadModule, parseSync } from 'libpg-query';
import {
  maskedColumns,
  maskSet,
  openShop,
  type Shop,
  usualState,
} from '../test/support/sql-shop.ts';
import { median, table } from './table.ts';

const SEEN = 20_000;
const NEW = 600;
const ROUNDS = 5;
const MEGABYTE = 1_000_000;

export async function main(): Promise<void> {
  const shop = await openShop(18);
  try {
    await loadModule();
    const seen = await measureSeen(shop);
    const fresh = await measureNew(shop);
    const long = await measureLong(shop);
    console.log(
      table(
        ['statement', 'facts', 'libpg-query alone'],
        [
          ['the same text again', us(seen.text), ''],
          ['a shape seen before, other literals', us(seen.shape), us(seen.parse)],
          ['new text of 1 KB, median', us(fresh.median), us(fresh.parse)],
          ['new text of 1 KB, 99th of 100', us(fresh.high), ''],
        ],
      ),
    );
    console.log(
      `\n${table(['1 MB of', 'longest turn, ms', 'all of it, ms', 'analysis'], long.rows)}\n`,
    );
    const bars: readonly [string, boolean][] = [
      ['shape seen before <= 5 us', seen.shape <= 5],
      ['new text of 1 KB <= 1 ms, median', fresh.median <= 1_000],
      ['a turn <= 20 ms, whatever the megabyte', long.longest <= 20],
    ];
    for (const [name, good] of bars) console.log(`${good ? 'ok    ' : 'MISSED'} ${name}`);
  } finally {
    await shop.stop();
  }
}

const us = (value: number): string => `${value.toFixed(value < 100 ? 1 : 0)} us`;

/** Microseconds of CPU that this thread has used. */
function threadUs(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}

/** Of each call, the median round. */
async function each(count: number, run: (index: number) => unknown): Promise<number> {
  const rounds: number[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const before = threadUs();
    for (let index = 0; index < count; index += 1) {
      const answer = run(index);
      if (answer instanceof Promise) await answer;
    }
    // The first round compiles.
    if (round > 0) rounds.push((threadUs() - before) / count);
  }
  return median(rounds);
}

const usual = (id: number): string =>
  `SELECT o.id, o.total, p.city FROM orders o JOIN people p ON p.id = o.person ` +
  `WHERE o.id = ${id} AND o.status = 'open${id}' ORDER BY o.total DESC LIMIT 10`;

async function measureSeen(shop: Shop): Promise<Record<'text' | 'shape' | 'parse', number>> {
  await shop.one(usual(0));
  const state = usualState(shop.catalogue);
  const masks = maskSet(maskedColumns);
  const facts = (text: string): unknown => shop.analyser.analyse(text, state, masks);
  const texts = Array.from({ length: SEEN }, (_, index) => usual(index + 1));
  let next = 0;
  return {
    text: await each(SEEN, () => facts(usual(0))),
    // Never the same text twice, so that nothing but the shape is found.
    shape: await each(SEEN, () => facts(usual((next += 1) + SEEN))),
    parse: await each(NEW, (index) => parseSync(texts[index] ?? '')),
  };
}

/** Texts of about a kilobyte with a shape of their own each. */
function kilobyte(index: number): string {
  const name = (what: string): string => `${what}_${index}`;
  const columns = Array.from(
    { length: 8 },
    (_, at) => `coalesce(upper(p.name), 'none') || o.total::text AS ${name(`c${at}`)}`,
  );
  const tests = Array.from(
    { length: 5 },
    (_, at) => `o.total + ${at} > (SELECT avg(total) FROM orders ${name(`s${at}`)})`,
  );
  return (
    `WITH ${name('recent')} AS (SELECT id, person, total FROM orders WHERE status = 'open') ` +
    `SELECT ${columns.join(', ')} FROM people p JOIN ${name('recent')} o ON o.person = p.id ` +
    `LEFT JOIN LATERAL (SELECT count(*) FROM notes n WHERE n.id = o.id) ${name('l')} ON true ` +
    `WHERE ${tests.join(' AND ')} GROUP BY p.name, o.total ORDER BY 1, 2 LIMIT 50`
  );
}

async function measureNew(shop: Shop): Promise<Record<'median' | 'high' | 'parse', number>> {
  const times: number[] = [];
  for (let index = 0; index < NEW; index += 1) {
    const text = kilobyte(index);
    const before = performance.now();
    await shop.one(text);
    if (index >= NEW / 6) times.push((performance.now() - before) * 1000);
  }
  const parse = await each(NEW / 6, (index) => parseSync(kilobyte(NEW + index)));
  const sorted = times.toSorted((a, b) => a - b);
  return { median: median(times), high: sorted[Math.floor(sorted.length * 0.99)] ?? 0, parse };
}

const repeat = (unit: (at: number) => string, between: string): string => {
  const parts: string[] = [];
  for (let size = 0, at = 0; size < MEGABYTE; at += 1) {
    const part = unit(at);
    parts.push(part);
    size += part.length + between.length;
  }
  return parts.join(between);
};

const megabytes: Readonly<Record<string, () => string>> = {
  'rows of INSERT': () =>
    `INSERT INTO notes (id, body) VALUES ${repeat((at) => `(${at}, 'note ${at}')`, ', ')}`,
  'constants in IN': () => `SELECT id FROM orders WHERE id IN (${repeat(String, ', ')})`,
  'conditions by OR': () =>
    `SELECT id FROM orders WHERE ${repeat((at) => `(id = ${at} AND note = 'x')`, ' OR ')}`,
  'a sum': () => `SELECT ${repeat(() => '1', ' + ')}`,
  parentheses: () => `SELECT ${'('.repeat(MEGABYTE / 2)}1${')'.repeat(MEGABYTE / 2)}`,
  'output columns': () => `SELECT ${repeat((at) => `total + ${at} AS c${at}`, ', ')} FROM orders`,
  'calls of functions': () =>
    `SELECT ${repeat((at) => `upper(lower(note || '${at}'))`, ', ')} FROM orders`,
  joins: () =>
    `SELECT 1 FROM orders o ${repeat((at) => `JOIN notes n${at} ON n${at}.id = o.id`, ' ')}`,
  'UNION ALL': () => repeat((at) => `SELECT id, ssn, ${at} FROM people`, ' UNION ALL '),
  CTEs: () =>
    `WITH a0 AS (SELECT 1 AS x), ` +
    `${repeat((at) => `a${at + 1} AS (SELECT x FROM a${at})`, ', ')} SELECT 1`,
  subqueries: () => `SELECT ${repeat(() => '(SELECT max(id) FROM orders WHERE id = 1)', ', ')}`,
  'short statements': () => repeat((at) => `SELECT ${at} FROM orders`, '; '),
  'distinct statements': () =>
    repeat((at) => `UPDATE notes SET body = '${at}' WHERE id = ${at}`, '; '),
  'one string': () => `SELECT '${'x'.repeat(MEGABYTE)}'`,
  'one comment': () => `SELECT 1 /* ${'x '.repeat(MEGABYTE / 2)} */`,
  'no SQL at all': () => 'x '.repeat(MEGABYTE / 2),
};

async function measureLong(
  shop: Shop,
): Promise<{ readonly rows: readonly (readonly string[])[]; readonly longest: number }> {
  const rows: string[][] = [];
  let longest = 0;
  for (const [name, make] of Object.entries(megabytes)) {
    const text = make();
    const turns = watchTurns();
    const started = performance.now();
    const { statements } = await shop.analyse(text);
    const all = performance.now() - started;
    const turn = await turns.stop();
    longest = Math.max(longest, turn);
    const [first] = statements;
    const analysis = first?.facts.analysis ?? '';
    rows.push([name, turn.toFixed(1), all.toFixed(0), `${analysis} (${statements.length})`]);
  }
  return { rows, longest };
}

/** The longest turn of the event loop from now on, in milliseconds of this thread's CPU. */
function watchTurns(): { readonly stop: () => Promise<number> } {
  let longest = 0;
  let before = threadUs();
  let isOver = false;
  const look = (): void => {
    const now = threadUs();
    longest = Math.max(longest, now - before);
    before = now;
    if (!isOver) setImmediate(look);
  };
  setImmediate(look);
  return {
    stop: async () => {
      await new Promise((resolve) => setImmediate(resolve));
      isOver = true;
      await new Promise((resolve) => setImmediate(resolve));
      return longest / 1000;
    },
  };
}
