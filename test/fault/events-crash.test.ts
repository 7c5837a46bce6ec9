import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-crash-'));
after(() => rmSync(folder, { recursive: true }));
const storm = fileURLToPath(new URL('../support/event-storm.ts', import.meta.url));
const ROUNDS = 5;

/** Runs the storm until it has stored `batches` more, then kills it; answers the last promise. */
async function stormUntil(batches: number): Promise<number> {
  const child = spawn(process.execPath, [storm, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  let told = '';
  child.stdout.on('data', (chunk: Buffer) => {
    told += chunk.toString();
    if (told.split('\n').length > batches) child.kill('SIGKILL');
  });
  const signal = await new Promise<NodeJS.Signals | null>((resolve) => {
    child.on('close', (_code, by) => resolve(by));
  });
  assert.equal(signal, 'SIGKILL', 'the storm ended by itself');
  const whole = told.slice(0, told.lastIndexOf('\n')).split('\n');
  return Number(whole.at(-1));
}

function numbersInDatabase(): number[] {
  const database = new DatabaseSync(join(folder, 'state.db'));
  const rows = database.prepare('select number from events order by number').all();
  database.close();
  return rows.map((row) => Number(row['number']));
}

/** Whole lines of all files, in order; after a crash the last one may be torn. */
function numbersInFiles(): number[] {
  const names = readdirSync(folder).filter((name) => /^events(-\d+)?\.ndjson$/.test(name));
  // The open file comes last; between the renaming of a full one and the next there is none.
  const closed = names.filter((name) => name !== 'events.ndjson').sort();
  const open = names.filter((name) => name === 'events.ndjson');
  return [...closed, ...open].flatMap((name) => {
    const text = readFileSync(join(folder, name), 'utf8');
    const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
    return lines.filter(Boolean).map((line) => Number(JSON.parse(line).number));
  });
}

const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);

describe('kill -9 while events are told', () => {
  it('loses nothing that was promised, leaves no gap and gives no number twice', async () => {
    for (let round = 1; round <= ROUNDS; round += 1) {
      const promised = await stormUntil(round * 3);
      const stored = numbersInDatabase();
      assert.deepEqual(stored, upTo(stored.length), 'gap-free in the database');
      assert.ok(stored.length >= promised, `${promised} were promised, ${stored.length} stored`);
      const written = numbersInFiles();
      assert.deepEqual(written, upTo(written.length), 'gap-free in the files');
      assert.ok(written.length >= promised && written.length <= stored.length);
    }
  });
});
