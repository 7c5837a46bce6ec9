/**
 * Scores detection against labelled data: `npm run eval -- masking`. The data is not in the
 * repository; `SALLYPORT_PII_EVAL` names its folder, by default `../shared/pii-eval` beside it.
 * With `--generated [--seed N]` it scores what `generated/` makes instead; `--misses` says which.
 *
 * Cells count as masked or not; text by spans (found when every letter and digit is covered, false
 * when a finding touches no label); secrets by coverage of nine tenths; streams by equality with
 * the document masked whole, and by what leaks. Exits with 1 when a bar is missed.
 */
import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { ContentScanner, Finding, MaskRule } from '../../src/core/masking.ts';
import { Detection } from '../../src/masking/detect.ts';
import { createMaskSet } from '../../src/masking/mask-set.ts';
import { generate } from './generated/data.ts';

const folder: string =
  process.env['SALLYPORT_PII_EVAL'] ??
  new URL('../../../shared/pii-eval', import.meta.url).pathname;
const isVerbose: boolean = process.argv.includes('--misses');
const isGenerated: boolean = process.argv.includes('--generated');
const seedAt: number = process.argv.indexOf('--seed');
const seed: number = seedAt < 0 ? 1 : Number(process.argv[seedAt + 1]);
/** Values of every kind, texts of every template. */
const ROUNDS = 20;

interface Cell {
  readonly id: string;
  readonly value: string;
  readonly column: string;
  readonly entity: string | null;
  readonly sqltype: string;
  readonly tags: readonly string[];
}
interface Span {
  readonly start: number;
  readonly end: number;
  readonly entity: string;
}
interface Text {
  readonly id: string;
  readonly kind: string;
  readonly text: string;
  readonly spans: readonly Span[];
}
interface Secret {
  readonly id: string;
  readonly type: string | null;
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

interface Data {
  readonly cells: readonly Cell[];
  readonly texts: readonly Text[];
  readonly secrets: readonly Secret[];
  readonly streams: readonly Streamed[];
}

function loaded(): Data {
  if (!existsSync(folder)) {
    console.error(`THE LABELLED DATA IS NOT THERE: ${folder}. Nothing was scored.`);
    console.error('Set SALLYPORT_PII_EVAL to the folder with cells.jsonl.gz and its like.');
    process.exit(2);
  }
  return {
    cells: load<Cell>('cells'),
    texts: load<Text>('text'),
    secrets: load<Secret>('secrets'),
    streams: load<Streamed>('stream'),
  };
}

function generated(): Data {
  const made = generate(seed, ROUNDS);
  const numbered = <Row extends object>(rows: readonly Row[]): (Row & { id: string })[] =>
    rows.map((row, index) => ({ ...row, id: `g${index}` }));
  return {
    cells: numbered(made.cells).map((cell) => ({
      ...cell,
      sqltype: 'text',
      tags: cell.isClear ? ['neutral-col'] : [cell.kind],
    })),
    texts: numbered(made.texts),
    secrets: numbered(made.secrets),
    streams: [],
  };
}

function load<T>(name: string): T[] {
  const text = gunzipSync(readFileSync(`${folder}/${name}.jsonl.gz`)).toString('utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line): T => JSON.parse(line));
}

/** Hits, misses and false alarms, per entity and overall. */
class Score {
  readonly #rows: Map<string, { hit: number; missed: number; wrong: number }> = new Map();

  #row(entity: string): { hit: number; missed: number; wrong: number } {
    const row = this.#rows.get(entity) ?? { hit: 0, missed: 0, wrong: 0 };
    this.#rows.set(entity, row);
    return row;
  }
  hit(entity: string): void {
    this.#row(entity).hit += 1;
  }
  miss(entity: string): void {
    this.#row(entity).missed += 1;
  }
  wrong(entity: string): void {
    this.#row(entity).wrong += 1;
  }
  total(without: readonly string[] = []): { p: number; r: number; f1: number; n: number } {
    let [hit, missed, wrong] = [0, 0, 0];
    for (const [entity, row] of this.#rows) {
      if (without.includes(entity)) continue;
      hit += row.hit;
      missed += row.missed;
      wrong += row.wrong;
    }
    return rates(hit, missed, wrong);
  }
  print(title: string): void {
    console.log(`\n${title}`);
    console.log(`${'entity'.padEnd(20)} ${'n'.padStart(5)}  precision  recall     F1`);
    for (const [entity, row] of [...this.#rows].sort(([a], [b]) => a.localeCompare(b))) {
      console.log(line(entity, rates(row.hit, row.missed, row.wrong)));
    }
    console.log(line('overall', this.total()));
  }
}

function rates(hit: number, missed: number, wrong: number): ReturnType<Score['total']> {
  const p = hit + wrong === 0 ? 1 : hit / (hit + wrong);
  const r = hit + missed === 0 ? 1 : hit / (hit + missed);
  return { p, r, f1: p + r === 0 ? 0 : (2 * p * r) / (p + r), n: hit + missed };
}

function line(name: string, { p, r, f1, n }: ReturnType<Score['total']>): string {
  const cell = (value: number): string => value.toFixed(3).padStart(9);
  return `${name.padEnd(20)} ${String(n).padStart(5)} ${cell(p)}${cell(r)}${cell(f1)}`;
}

const bars: { name: string; value: number; bar: number; atMost?: boolean }[] = [];
const say = (kind: string, id: string, text: string): void => {
  if (isVerbose) console.log(`  ${kind} ${id} ${text}`);
};

function scoreCells(detection: Detection): void {
  for (const withNames of [true, false]) {
    const score = new Score();
    for (const { id, value, column, entity, sqltype, tags } of data.cells) {
      // Without names, only what can be told without a name can be asked for: the cells whose
      // columns are called `value`, `data`, `?column?`.
      if (!withNames && entity !== null && !tags.some((tag) => NEUTRAL.has(tag))) continue;
      const found = detection.value(value, withNames ? column : undefined, kindOf(sqltype));
      const what = `${column} ${JSON.stringify(value.slice(0, 80))} ${sqltype}`;
      if (entity !== null && found.length > 0) score.hit(entity);
      else if (entity !== null) {
        score.miss(entity);
        say('missed', id, `${entity} ${what}`);
      } else if (found.length > 0) {
        score.wrong(found[0]?.entity ?? '');
        say('wrong', id, `${found[0]?.detector} ${what}`);
      }
    }
    score.print(withNames ? 'Cells, with column names' : 'Cells, without column names');
    const { f1, r } = score.total();
    if (withNames) bars.push({ name: 'cells F1 with names', value: f1, bar: 0.985 });
    else bars.push({ name: 'cells recall without names', value: r, bar: 0.93 });
  }
}

const NEUTRAL: ReadonlySet<string> = new Set(['neutral-col', 'embedded', 'any-col']);

const KINDS = {
  integer: 'integer',
  bigint: 'integer',
  numeric: 'decimal',
  'double precision': 'float',
  boolean: 'boolean',
  uuid: 'uuid',
  date: 'date',
  time: 'time',
  timestamptz: 'timestamp',
  jsonb: 'json',
} as const;

function kindOf(sqltype: string): (typeof KINDS)[keyof typeof KINDS] | 'text' {
  return sqltype in KINDS ? KINDS[sqltype as keyof typeof KINDS] : 'text';
}

/** Whether every letter and digit of a span is in some finding. */
function covers(text: string, span: Span, found: readonly Finding[]): boolean {
  for (let at = span.start; at < span.end; at += 1) {
    if (!/[\p{L}\p{N}]/u.test(text[at] ?? '')) continue;
    // The letters of a colour sequence are no part of the value.
    if (inEscape(text, at)) continue;
    if (!found.some(({ start, end }) => at >= start && at < end)) return false;
  }
  return true;
}

function inEscape(text: string, at: number): boolean {
  const from = text.lastIndexOf('\u001b', at);
  return from >= 0 && /^\[[0-9;]*[A-Za-z]?$/.test(text.slice(from + 1, at + 1));
}

function scoreText(detection: Detection): void {
  const score = new Score();
  for (const { id, text, spans } of data.texts) {
    const found = detection.text(text);
    for (const span of spans) {
      if (covers(text, span, found)) score.hit(span.entity);
      else {
        score.miss(span.entity);
        say(
          'missed',
          id,
          `${span.entity} ${JSON.stringify(text.slice(Math.max(0, span.start - 30), span.end))}`,
        );
      }
    }
    for (const { entity, start, end, detector } of found) {
      if (spans.some((span) => span.start < end && start < span.end)) continue;
      score.wrong(entity);
      say('wrong', id, `${detector} ${JSON.stringify(text.slice(Math.max(0, start - 30), end))}`);
    }
  }
  score.print('Text, by spans');
  const structured = score.total(['PERSON', 'ADDRESS']);
  console.log(line('structured', structured));
  bars.push({ name: 'text F1', value: score.total().f1, bar: 0.9 });
  bars.push({ name: 'text F1, structured', value: structured.f1, bar: 0.97 });
}

function scannerOf(): ContentScanner {
  const rule: MaskRule = {
    id: 'eval',
    columns: [],
    detect: ['pii', 'secret'],
    transform: { kind: 'redact' },
  };
  const masks = createMaskSet([rule], { version: '1', hash: () => new Uint8Array(32) });
  if (masks.content === undefined) throw new Error('no content scanner');
  return masks.content;
}

interface Streamed {
  readonly id: string;
  readonly chunks_b64: readonly string[];
  readonly byte_spans: readonly { readonly start: number; readonly end: number }[];
}

function maskedStream(chunks: readonly Uint8Array[]): Buffer {
  const stream = content.stream();
  const out = chunks.map((chunk) => stream.push(chunk));
  return Buffer.concat([...out, stream.end()]);
}

/** Cuts `bytes` into pieces of at most `size`. */
function cut(bytes: Uint8Array, size: number): Uint8Array[] {
  const count = Math.ceil(bytes.length / size);
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
}

function scoreStreams(): void {
  const documents = [
    ...data.streams.map(({ id, chunks_b64, byte_spans }) => {
      const chunks = chunks_b64.map((chunk) => Buffer.from(chunk, 'base64'));
      return { id, chunks, spans: byte_spans };
    }),
    ...data.texts.map(({ id, text }) => ({ id, chunks: [Buffer.from(text)], spans: [] })),
    ...data.secrets.map(({ id, text }) => ({
      id,
      chunks: [Buffer.from(text)],
      spans: [],
    })),
  ];
  let [unequal, cuts, leaked, spanBytes] = [0, 0, 0, 0];
  for (const { id, chunks, spans } of documents) {
    const bytes = Buffer.concat(chunks);
    const whole = maskedStream([bytes]);
    const ways = [chunks, ...[1, 2, 3, 5, 17, 64].map((size) => cut(bytes, size))];
    for (let at = 1; at < bytes.length; at += 1)
      ways.push([bytes.subarray(0, at), bytes.subarray(at)]);
    for (const way of ways) {
      cuts += 1;
      if (maskedStream(way).equals(whole)) continue;
      unequal += 1;
      say('unequal', id, `${way.length} pieces`);
    }
    // A span leaks when its bytes can still be read in what left.
    for (const { start, end } of spans) {
      spanBytes += end - start;
      if (!whole.includes(bytes.subarray(start, end))) continue;
      leaked += end - start;
      say('leaked', id, bytes.subarray(start, end).toString());
    }
  }
  console.log(
    `\nStreams: ${documents.length} documents, ${cuts} ways to cut them, ${spanBytes} bytes in spans`,
  );
  bars.push({ name: 'streams unlike the whole', value: unequal, bar: 0, atMost: true });
  // Names and addresses are not found by rules alone, cut or not.
  console.log(`left by whole-document masking: ${leaked} bytes (names and addresses)`);
}

function scoreSecrets(detection: Detection): void {
  const score = new Score();
  let [nears, nearsHit] = [0, 0];
  for (const { id, type, text, start, end } of data.secrets) {
    const found = detection.text(text).filter(({ entity }) => entity === 'SECRET');
    if (type === null) {
      nears += 1;
      if (found.length === 0) continue;
      nearsHit += 1;
      score.wrong('near miss');
      say('wrong', id, `${found[0]?.detector} ${JSON.stringify(text.slice(0, 100))}`);
      continue;
    }
    let covered = 0;
    for (let at = start; at < end; at += 1) {
      if (found.some((span) => at >= span.start && at < span.end)) covered += 1;
    }
    if (covered >= 0.9 * (end - start)) score.hit(type);
    else {
      score.miss(type);
      say('missed', id, `${type} ${JSON.stringify(text.slice(0, 160))}`);
    }
  }
  score.print('Secrets');
  bars.push({ name: 'secrets F1', value: score.total().f1, bar: 0.98 });
  bars.push({ name: 'near misses hit', value: nearsHit / nears, bar: 0.005, atMost: true });
}

const data: Data = isGenerated ? generated() : loaded();
const detection = new Detection();
const content = scannerOf();
scoreCells(detection);
scoreText(detection);
scoreSecrets(detection);
// Every cut of every text is work for minutes; generated text is no harder to cut.
if (!isGenerated) scoreStreams();
console.log('');
let missed = 0;
for (const { name, value, bar, atMost } of bars) {
  const good = atMost === true ? value <= bar : value >= bar;
  if (!good) missed += 1;
  console.log(`${good ? 'ok    ' : 'MISSED'} ${name.padEnd(28)} ${value.toFixed(4)} (bar ${bar})`);
}
process.exitCode = missed === 0 ? 0 : 1;
