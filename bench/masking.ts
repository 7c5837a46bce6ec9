/**
 * `npm run bench -- masking`: MB/s of row data on one core, in CPU time of this process, beside one
 * regular expression after another and two libraries from npm on the same cells. `--quick` for a
 * look.
 */
import { OpenRedaction } from '@openredaction/core';
import { Redactor } from '@redactpii/node';
import type { CellKind, ContentScanner } from '../src/core/masking.ts';
import { detectors } from '../src/masking/detectors/table.ts';
import { createMaskSet } from '../src/masking/mask-set.ts';
import { median, table } from './table.ts';
import { type Cells, hostileCells, makeCells } from './masking-data.ts';

const MB = 1e6;
const decoder = new TextDecoder('latin1');

function scannerOf(detect: readonly string[]): ContentScanner {
  const rule = { id: 'bench', columns: [], detect, transform: { kind: 'redact' } as const };
  const { content } = createMaskSet([rule], { version: '1', hash: () => new Uint8Array(32) });
  if (content === undefined) throw new Error('no content scanner');
  return content;
}

/** Runs `work` over the cells for some seconds; MB of cells per second of CPU, the median round. */
function measure(cells: Cells, rounds: number, work: (cells: Cells) => number): number {
  const speeds: number[] = [];
  let kept = 0;
  for (let round = 0; round < rounds + 1; round += 1) {
    const before = process.cpuUsage();
    kept += work(cells);
    const { user, system } = process.cpuUsage(before);
    // The first round compiles.
    if (round > 0) speeds.push(cells.cellBytes / MB / ((user + system) / 1e6));
  }
  if (kept < 0) throw new Error('unreachable: keeps the work from being dropped');
  return median(speeds);
}

function scan(scanner: ContentScanner, cells: Cells): number {
  const hints = cells.columns.map((name) => scanner.hint(name));
  let hits = 0;
  const { bytes, starts, ends, kinds, columnOf } = cells;
  for (let index = 0; index < starts.length; index += 1) {
    const column = columnOf[index] ?? 0;
    const kind: CellKind = kinds[column] ?? 'text';
    const start = starts[index] ?? 0;
    const end = ends[index] ?? 0;
    if (scanner.cell(bytes, start, end, kind, hints[column] ?? 0) !== undefined) hits += 1;
  }
  return hits;
}

/** A shape as the source of a regular expression. */
function source(shape: string): string {
  const classes: Readonly<Record<string, string>> = {
    '#': '\\d',
    '@': '[A-Za-z]',
    '*': '[0-9A-Za-z]',
    '&': '[0-9A-Fa-f]',
    $: '\\$',
    '+': '\\+',
    '(': '\\(',
    ')': '\\)',
  };
  return shape.replace(/\[[^\]]+\]|\\.|[#@*&$+()]/g, (part) => classes[part] ?? part);
}

/** The recognisers that are written by hand, in short. */
const BY_HAND: Readonly<Record<string, string>> = {
  email: '[\\w.%+-]{1,64}@[\\w-]+(?:\\.[\\w-]+)*\\.[A-Za-z]{2,}',
  phone: '(?:\\+|\\b00)\\d{1,3}[ .-]?\\(?\\d{1,4}\\)?(?:[ .-]?\\d{2,4}){2,4}',
  'ip-address': '\\b(?:\\d{1,3}\\.){3}\\d{1,3}\\b|\\b(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{1,4}\\b',
  'mac-address': '\\b(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}\\b',
  iban: '\\b[A-Z]{2}\\d{2}[ ]?(?:[0-9A-Z]{4}[ ]?){2,7}[0-9A-Z]{1,4}\\b',
  'private-key': '-----BEGIN [A-Z ]*PRIVATE KEY',
  'url-password': '://[^/\\s:@]+:[^/\\s:@]+@',
};

/** The same detectors, a regular expression each: shapes, and names in front of what needs them. */
function regularExpressions(): RegExp[] {
  return detectors
    .filter(({ groups }) => !groups.includes('special-category'))
    .map(({ name, free = [], near = [], names }) => {
      const phrases = (names ?? '')
        .split(', ')
        .map((phrase) => phrase.replace(/^[=+]|[$?]+$/g, '').replaceAll(' ', '[ _-]?'))
        .filter((phrase) => phrase !== '');
      const values = [...free, ...near].map(source).join('|');
      return new RegExp(
        [
          ...free.map((shape) => `\\b(?:${source(shape)})(?![0-9A-Za-z])`),
          ...(BY_HAND[name] === undefined ? [] : [BY_HAND[name]]),
          ...(phrases.length === 0
            ? []
            : [
                `(?:${phrases.join('|')})["' :=#]{1,6}(?:${values === '' ? '[^"\\s,;]{4,}' : values})`,
              ]),
        ].join('|'),
        'i',
      );
    });
}

function runRegularExpressions(list: readonly RegExp[], cells: Cells): number {
  let hits = 0;
  const { bytes, starts, ends } = cells;
  for (let index = 0; index < starts.length; index += 1) {
    const text = decoder.decode(bytes.subarray(starts[index], ends[index]));
    for (const expression of list) if (expression.test(text)) hits += 1;
  }
  return hits;
}

function texts(cells: Cells): string[] {
  return Array.from(cells.starts, (start, index) =>
    decoder.decode(cells.bytes.subarray(start, cells.ends[index])),
  );
}

async function measureOpenRedaction(cells: Cells): Promise<number> {
  const library = new OpenRedaction();
  const list = texts(cells);
  const before = process.cpuUsage();
  for (const text of list) await library.detect(text);
  const { user, system } = process.cpuUsage(before);
  return cells.cellBytes / MB / ((user + system) / 1e6);
}

function measureRedactPii(cells: Cells): number {
  const library = new Redactor();
  const list = texts(cells);
  return measure(cells, 1, () => list.reduce((sum, text) => sum + library.redact(text).length, 0));
}

/** Nanoseconds per byte of the worst cell of a megabyte, as ms per 100 KB. */
function measureHostile(scanner: ContentScanner): { name: string; ms: number } {
  let worst = { name: '', ms: 0 };
  for (const { name, bytes } of hostileCells()) {
    for (let round = 0; round < 2; round += 1) scanner.cell(bytes, 0, bytes.length, 'text', 0);
    const before = process.cpuUsage();
    scanner.cell(bytes, 0, bytes.length, 'text', 0);
    const { user, system } = process.cpuUsage(before);
    const ms = (user + system) / 1e3 / (bytes.length / 1e5);
    if (ms > worst.ms) worst = { name, ms };
  }
  return worst;
}

export async function main(args: readonly string[]): Promise<void> {
  const isQuick = args.includes('--quick');
  const cells = makeCells(isQuick ? 4 * MB : 20 * MB, 1);
  const some = makeCells(isQuick ? 0.2 * MB : MB, 2);
  const few = makeCells(0.05 * MB, 3);
  const rounds = isQuick ? 3 : 7;
  const everything = scannerOf(['pii', 'secret']);
  const two = scannerOf(['email', 'credit-card']);
  const list = regularExpressions();

  const all = measure(cells, rounds, (data) => scan(everything, data));
  const hits = scan(everything, cells);
  const pair = measure(cells, rounds, (data) => scan(two, data));
  const naive = measure(some, 2, (data) => runRegularExpressions(list, data));
  const redactPii = measureRedactPii(some);
  const openRedaction = await measureOpenRedaction(few);
  const hostile = measureHostile(everything);

  const row = (name: string, speed: number): string[] => [
    name,
    speed < 1 ? speed.toFixed(3) : speed.toFixed(0),
    (all / speed).toFixed(speed > all ? 2 : 0),
  ];
  console.log(
    `${cells.starts.length} cells, ${(cells.cellBytes / MB).toFixed(0)} MB, ${hits} masked\n`,
  );
  console.log(
    table(
      ['method', 'MB/s per core', 'everything is faster by'],
      [
        row(`everything: ${detectors.length} detectors`, all),
        row('e-mail and card', pair),
        row(`${list.length} regular expressions, one after another`, naive),
        row('@redactpii/node', redactPii),
        row('@openredaction/core', openRedaction),
      ],
    ),
  );
  console.log(`\nhostile cell: ${hostile.ms.toFixed(1)} ms per 100 KB (${hostile.name})`);
  const bars: readonly [string, boolean][] = [
    ['everything >= 100 MB/s', all >= 100],
    ['e-mail and card >= 350 MB/s', pair >= 350],
    ['everything >= 20 x regular expressions', all / naive >= 20],
    ['hostile <= 50 ms per 100 KB', hostile.ms <= 50],
  ];
  for (const [name, good] of bars) console.log(`${good ? 'ok    ' : 'MISSED'} ${name}`);
}
