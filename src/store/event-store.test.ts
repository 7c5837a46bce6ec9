import assert from 'node:assert/strict';
import {
  appendFileSync,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { systemClock } from '#core/clock.ts';
import type { AuditEvent } from '#core/events.ts';
import { asEpochMs } from '#core/ids.ts';
import { lineOf, rowOf } from './event-line.ts';
import { EventStore } from './event-store.ts';
import { openEventWriter } from './event-writer.ts';
import { openStore } from './store.ts';

const root = mkdtempSync(join(tmpdir(), 'sallyport-events-'));
after(() => rmSync(root, { recursive: true }));
let places = 0;

interface Place {
  readonly path: string;
  readonly folder: string;
  readonly file: string;
}

async function freshPlace(): Promise<Place> {
  const folder = join(root, `${(places += 1)}`);
  const path = join(folder, 'state.db');
  await (await openStore({ path, clock: systemClock, thread: 'inline' })).close();
  return { path, folder, file: join(folder, 'events.ndjson') };
}

const event = (number: number, text = 'ö\u2028"\n'): AuditEvent => ({
  number,
  id: `id-${number}`,
  at: asEpochMs(1_800_000_000_000 + number),
  type: 'config.loaded',
  actor: 'system',
  session: number % 2 === 0 ? undefined : 's',
  target: undefined,
  data: { text },
});
const events = (from: number, to: number): AuditEvent[] =>
  Array.from({ length: to - from + 1 }, (_, index) => event(from + index));

const lines = (from: number, to: number): string[] => events(from, to).map(lineOf);

const open = (place: Place, rotateBytes = 1 << 20): EventStore =>
  new EventStore(place.path, place.file, rotateBytes);

const numbersInFile = (place: Place): number[] =>
  readFileSync(place.file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line).number);

async function numbersInDatabase(place: Place): Promise<number[]> {
  const store = await openStore({ path: place.path, clock: systemClock, thread: 'inline' });
  const found = await store.events.after(0, 1_000);
  await store.close();
  return found.map(({ number }) => number);
}

const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);

describe('the line of an event', () => {
  it('gives back every column, whatever the texts', () => {
    const text = fc.oneof(fc.string(), fc.constantFrom(',"data":', '"},"data":{', '\\', '\n'));
    fc.assert(
      fc.property(text, text, fc.option(text, { nil: undefined }), (actor, value, session) => {
        const told = { ...event(1), actor, session, data: { [value]: value, data: actor } };
        const { data, ...columns } = rowOf(lineOf(told));
        assert.deepEqual(JSON.parse(data), JSON.parse(JSON.stringify(told.data)));
        assert.deepEqual(columns, JSON.parse(JSON.stringify({ ...told, data: undefined })));
      }),
    );
    assert.throws(() => rowOf('{"number":1}'), { code: 'SP_STORE' });
  });
});

describe('the event store', () => {
  it('writes both, goes on where it stopped, and refuses a gap', async () => {
    const place = await freshPlace();
    let store = open(place);
    store.append(lines(1, 3));
    assert.throws(() => store.append([lineOf(event(5))]), /event 4 is missing/);
    store.close();
    store = open(place);
    assert.equal(store.lastNumber, 3);
    store.append([lineOf(event(4))]);
    store.append(lines(3, 5)); // A batch that is tried again writes only what is new.
    store.close();
    assert.deepEqual(numbersInFile(place), upTo(5));
    assert.deepEqual(await numbersInDatabase(place), upTo(5));
    assert.equal(statSync(place.file).mode & 0o777, 0o600);
    const line = readFileSync(place.file, 'utf8').split('\n')[2];
    assert.deepEqual(JSON.parse(line ?? ''), JSON.parse(JSON.stringify(event(3))));
  });

  it('cuts a torn line wherever it was torn, and writes it again', async () => {
    const place = await freshPlace();
    const first = open(place);
    first.append(lines(1, 6));
    first.close();
    const whole = readFileSync(place.file);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: whole.length }), (size) => {
        writeFileSync(place.file, whole);
        truncateSync(place.file, size);
        const store = open(place);
        assert.equal(store.lastNumber, 6);
        store.close();
        assert.deepEqual(readFileSync(place.file), whole);
      }),
      { numRuns: 60 },
    );
  });

  it('fills a database that is behind its file, and never gives a number twice', async () => {
    const place = await freshPlace();
    let store = open(place);
    store.append(lines(1, 2));
    store.close();
    copyFileSync(place.path, `${place.path}.backup`);
    store = open(place);
    store.append(lines(3, 2_500));
    store.close();
    copyFileSync(`${place.path}.backup`, place.path);
    store = open(place);
    assert.equal(store.lastNumber, 2_500);
    store.append([lineOf(event(2_501))]);
    store.close();
    assert.deepEqual(numbersInFile(place), upTo(2_501));
    assert.equal((await numbersInDatabase(place)).length, 1_000);
  });

  it('refuses to start when events are missing from both', async () => {
    const place = await freshPlace();
    const store = open(place);
    store.append(lines(1, 3));
    store.close();
    appendFileSync(place.file, `${JSON.stringify(event(9))}\n`);
    assert.throws(() => open(place), /missing/);
  });

  it('refuses to start over a damaged line', async () => {
    const place = await freshPlace();
    writeFileSync(place.file, '{"number":1}\nnot json\n');
    assert.throws(() => open(place));
  });

  it('closes a full file under the number of its last event', async () => {
    const place = await freshPlace();
    let store = open(place, 400);
    for (const number of upTo(9)) store.append([lineOf(event(number))]);
    store.close();
    const closed = readdirSync(place.folder).filter((name) => /^events-\d+/.test(name));
    assert.ok(closed.length >= 2);
    store = open(place, 400);
    assert.equal(store.lastNumber, 9);
    store.append([lineOf(event(10))]);
    store.close();
    const lines = [...closed, 'events.ndjson'].flatMap((name) =>
      readFileSync(join(place.folder, name), 'utf8').split('\n').filter(Boolean),
    );
    assert.deepEqual([...new Set(lines.map((line) => JSON.parse(line).number))], upTo(10));
  });
});

describe('the event thread', () => {
  it('stores what it was given and says where numbers go on', async () => {
    const place = await freshPlace();
    let writer = await openEventWriter(place);
    assert.equal(writer.lastNumber, 0);
    await Promise.all([writer.append(events(1, 2)), writer.append(events(3, 4))]);
    await assert.rejects(writer.append([event(9)]), { code: 'SP_STORE' });
    await writer.close();
    await assert.rejects(writer.append([event(5)]), { code: 'SP_STORE' });
    writer = await openEventWriter(place);
    assert.equal(writer.lastNumber, 4);
    await writer.close();
    assert.deepEqual(await numbersInDatabase(place), upTo(4));
  });

  it('does not start without its tables', async () => {
    const path = join(root, 'empty', 'state.db');
    await assert.rejects(openEventWriter({ path, file: join(root, 'empty', 'e') }), {
      code: 'SP_STORE',
    });
  });
});
