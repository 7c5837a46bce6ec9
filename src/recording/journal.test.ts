import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Journal, type JournalEntry, segmentNumber, systemJournalFiles } from './journal.ts';
import { type JournalRecord, readSegment } from './journal-reader.ts';

const body = new Uint8Array(60_000).fill(0x61);
const entry = (counter: number): JournalEntry => ({
  session: new TextEncoder().encode('session'),
  block: counter + 1,
  offset: 0,
  startedUs: counter,
  counter,
});

describe('Journal', () => {
  let directory: string;
  let journal: Journal;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sallyport-journal-'));
    journal = new Journal(directory, { ...systemJournalFiles, remove: (path) => rmSync(path) });
    journal.rotate();
  });
  afterEach(() => {
    journal.close();
    rmSync(directory, { recursive: true });
  });

  const read = (name: string): readonly JournalRecord[] =>
    readSegment(new Uint8Array(readFileSync(join(directory, name))), segmentNumber(name)).records;
  const append = (counter: number): ReturnType<Journal['append']> => {
    const segment = journal.append(entry(counter), body, undefined);
    segment.blocks += 1;
    return segment;
  };

  it('gives back what was appended', () => {
    append(0);
    append(1);
    const [name = ''] = readdirSync(directory);
    const records = read(name);
    assert.deepEqual(
      records.map(({ session, entry: { counter, block, body: bytes } }) => [
        session,
        counter,
        block,
        bytes.length,
      ]),
      [
        ['session', 0, 1, 60_000],
        ['session', 1, 2, 60_000],
      ],
    );
  });

  it('keeps a segment while a block needs it, and those after it', () => {
    const first = append(0);
    const all: ReturnType<Journal['append']>[] = [];
    for (let counter = 1; counter < 600; counter += 1) all.push(append(counter));
    assert.equal(readdirSync(directory).length, 3);
    for (const segment of all) journal.release(segment);
    assert.equal(readdirSync(directory).length, 3, 'the oldest block is not in its recording');
    journal.release(first);
    assert.equal(journal.names.length, 3, 'two files are kept to be written over');
  });

  it('does not take the bytes of an earlier use for records', () => {
    // Nothing needs the segment each time: the one file is written over again and again.
    for (let counter = 0; counter < 100; counter += 1) journal.release(append(counter));
    const names = readdirSync(directory);
    assert.equal(names.length, 1);
    const [name = ''] = names;
    assert.ok(statSync(join(directory, name)).size < 2_000_000, 'it does not grow');
    const counters = read(name).map((record) => record.entry.counter);
    assert.ok(counters.length < 20);
    const first = counters[0] ?? 0;
    assert.deepEqual(
      counters,
      counters.map((_, index) => first + index),
    );
    assert.equal(counters.at(-1) ?? first, 99);
  });

  it('tells a record that was lost between others, and not a torn end', () => {
    for (let counter = 0; counter < 3; counter += 1) append(counter);
    const [name = ''] = readdirSync(directory);
    const path = join(directory, name);
    const bytes = new Uint8Array(readFileSync(path));
    const number = segmentNumber(name);
    const torn = readSegment(bytes.subarray(0, bytes.length - 1), number);
    assert.deepEqual([torn.records.length, torn.damaged], [2, false]);
    bytes[70_000] = (bytes[70_000] ?? 0) ^ 1;
    const damaged = readSegment(bytes, number);
    assert.deepEqual([damaged.records.length, damaged.damaged], [2, true]);
  });

  it('gives every segment a number that none had', () => {
    writeFileSync(join(directory, '000000000041.spj'), '');
    const next = new Journal(directory, systemJournalFiles);
    next.rotate();
    assert.deepEqual(next.names, ['000000000042.spj']);
    next.close();
  });
});
