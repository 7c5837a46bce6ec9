import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { GatewayError } from '#core/errors.ts';
import { defaultLimits } from '#core/limits.ts';
import type { SessionEnd } from '#core/protocol.ts';
import { manualClock } from '../../test/support/clock.ts';
import {
  type RecorderBench,
  recorderBench,
  testCommand,
  testContext,
  testPermit,
  testVerdict,
} from '../../test/support/recording.ts';
import { until } from '../../test/support/until.ts';
import { DirectoryArchive } from './archive.ts';
import { systemJournalFiles } from './journal.ts';
import type { Recorder } from './recorder.ts';
import { startThread } from './recording-thread.ts';
import type { SessionTape } from './tape.ts';

const end: SessionEnd = { reason: 'client', code: undefined, detail: '' };
const some = new Uint8Array(1000).fill(0x61);
const code = (expected: string) => (thrown: unknown) =>
  thrown instanceof GatewayError && thrown.code === expected;

function judge(tape: SessionTape, id: string): void {
  const command = testCommand(tape.context, id, `select '${id}'`);
  tape.judged(command, testVerdict('allow'), testPermit(command));
  tape.commit();
}

const outcomes = (recorder: Recorder): string[] =>
  recorder.recovered.map(({ session, outcome }) => `${session} ${outcome}`).sort();

describe('when evidence cannot be kept', () => {
  let bench: RecorderBench;
  beforeEach(() => {
    bench = recorderBench();
  });
  afterEach(() => bench.remove());

  const archive = (): DirectoryArchive =>
    new DirectoryArchive({
      directory: bench.directory,
      keysDirectory: join(bench.directory, '..', 'keys'),
      tell: () => Promise.resolve(),
      renderers: {},
    });
  const commandsOf = async (session: string): Promise<string[]> => {
    const found: string[] = [];
    for await (const item of archive().commands(session, { reader: 'test', identities: [] })) {
      assert.ok(!('problem' in item), JSON.stringify(item));
      found.push(item.id);
    }
    return found;
  };

  it('ends sessions below the reserve of free disk, and takes new ones above it', async () => {
    const clock = manualClock();
    let free = 1_000_000;
    const recorder = await bench.open({
      clock,
      reserveBytes: 500_000,
      system: { freeBytes: () => Promise.resolve(free) },
    });
    const tape = await recorder.start(testContext('s-1'));
    judge(tape, 'c-1');
    free = 499_999;
    clock.advance(1000);
    await until(() => bench.failures.length > 0);
    assert.deepEqual(
      bench.failures.map(({ session, error }) => [session, error.code]),
      [['s-1', 'SP_RECORDING_SPACE']],
    );
    assert.throws(() => tape.data('to-client', some, 0, 10), code('SP_RECORDING_SPACE'));
    assert.throws(() => judge(tape, 'c-2'), code('SP_RECORDING_SPACE'));
    await assert.rejects(recorder.start(testContext('s-2')), code('SP_RECORDING_SPACE'));
    // What is left of the disk is enough for an honest end.
    await tape.seal({ reason: 'error', code: 'SP_RECORDING_SPACE', detail: 'the disk' });
    assert.deepEqual(await commandsOf('s-1'), ['c-1']);
    clock.advance(1000);
    free = 500_000;
    await until(() => {
      clock.advance(1000);
      return recorder.refusal === undefined;
    });
    const next = await recorder.start(testContext('s-2'));
    await next.seal(end);
    await recorder.close();
    assert.equal(bench.failures.length, 1);
    assert.ok(bench.events.types().includes('recording.failed'));
  });

  it('ends every session when the journal cannot be written, then recovers them', async () => {
    const clock = manualClock();
    let full = false;
    const recorder = await bench.open({
      clock,
      system: {
        journalFiles: {
          ...systemJournalFiles,
          write: (fd, parts, at) => {
            if (full) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
            return systemJournalFiles.write(fd, parts, at);
          },
        },
      },
    });
    const first = await recorder.start(testContext('s-1'));
    const second = await recorder.start(testContext('s-2'));
    judge(first, 'c-1');
    judge(second, 'c-2');
    full = true;
    assert.throws(() => judge(first, 'c-3'), code('SP_RECORDING_SPACE'));
    assert.throws(() => second.data('to-client', some, 0, 10), code('SP_RECORDING_SPACE'));
    await assert.rejects(recorder.start(testContext('s-3')), code('SP_RECORDING_SPACE'));
    await assert.rejects(second.seal(end), code('SP_RECORDING_SPACE'));
    await until(() => bench.failures.length === 2);
    full = false;
    await until(() => {
      clock.advance(1000);
      return recorder.refusal === undefined;
    });
    assert.deepEqual(await commandsOf('s-1'), ['c-1']);
    assert.deepEqual(await commandsOf('s-2'), ['c-2']);
    assert.deepEqual(outcomes(recorder), ['s-1 recovered', 's-2 recovered']);
    const next = await recorder.start(testContext('s-3'));
    judge(next, 'c-4');
    await next.seal(end);
    await recorder.close();
    assert.deepEqual(readdirSync(join(bench.directory, 'journal')), []);
  });

  it('ends every session when the recording thread dies, and starts another', async () => {
    const clock = manualClock();
    const workers: Worker[] = [];
    const recorder = await bench.open({
      clock,
      system: {
        startThread: (data) => {
          const worker = startThread(data);
          workers.push(worker);
          return worker;
        },
      },
    });
    const tape = await recorder.start(testContext('s-1'));
    judge(tape, 'c-1');
    tape.flush();
    judge(tape, 'c-2');
    await workers[0]?.terminate();
    await until(() => bench.failures.length === 1);
    assert.throws(() => judge(tape, 'c-3'), code('SP_RECORDING_FAILED'));
    await assert.rejects(tape.seal(end), code('SP_RECORDING_FAILED'));
    await until(() => {
      clock.advance(1000);
      return recorder.refusal === undefined;
    });
    assert.equal(workers.length, 2);
    assert.deepEqual(await commandsOf('s-1'), ['c-1', 'c-2']);
    const next = await recorder.start(testContext('s-2'));
    judge(next, 'c-4');
    await next.seal(end);
    await recorder.close();
    assert.deepEqual(await commandsOf('s-2'), ['c-4']);
  });

  it('keeps what was promised when the kernel refuses a write', async () => {
    const child = new URL('../../test/support/recording-child.ts', import.meta.url).pathname;
    const home = join(bench.directory, '..');
    // 64 KiB a file (the unit is 512 bytes), by the kernel's own limit.
    const command = `ulimit -f 128; exec "${process.execPath}" "${child}" "${home}" r`;
    const writer = spawn('sh', ['-c', command]);
    let out = '';
    let error = '';
    writer.stdout.on('data', (chunk: Buffer) => (out += chunk.toString('latin1')));
    writer.stderr.on('data', (chunk: Buffer) => (error += chunk.toString('latin1')));
    const status = await new Promise((resolve) => writer.on('close', resolve));
    assert.notEqual(status, 0);
    assert.match(error, /SP_RECORDING_/);
    const recorder = await bench.open();
    await recorder.close();
    const promised = out.split('\n').slice(0, -1);
    const found = new Set<string>();
    for (const { session } of recorder.recovered) {
      for (const id of await commandsOf(session)) found.add(id);
    }
    assert.ok(promised.length > 0);
    assert.deepEqual(
      promised.filter((id) => !found.has(id)),
      [],
    );
  });

  it('bounds what it holds, and says so', async () => {
    const limits = { ...defaultLimits, recorderBytesMax: 200_000, frameBytesMax: 100_000 };
    const clock = manualClock();
    const recorder = await bench.open({ limits, clock });
    const tape = await recorder.start(testContext('s-1'));
    const large = new Uint8Array(50_000).fill(0x62);
    let taken = 0;
    while (!tape.behind) {
      tape.data('to-client', large, 0, large.length);
      taken += large.length;
    }
    assert.ok(taken <= 400_000, `${taken} bytes before it said that it is behind`);
    await new Promise<void>((resolve) => tape.whenReady(resolve));
    assert.equal(tape.behind, false);
    // Who does not listen is stopped; its recording is completed, and others go on.
    const other = await recorder.start(testContext('s-2'));
    judge(tape, 'c-1');
    assert.throws(() => {
      for (let round = 0; round < 100; round += 1) tape.data('to-client', large, 0, large.length);
    }, code('SP_RECORDING_FAILED'));
    judge(other, 'c-2');
    await until(() => bench.failures.length > 0);
    assert.deepEqual(
      bench.failures.map(({ session }) => session),
      ['s-1'],
    );
    await until(() => {
      clock.advance(1000);
      return recorder.recovered.length > 0;
    });
    judge(other, 'c-3');
    await other.seal(end);
    await recorder.close();
    assert.deepEqual(outcomes(recorder), ['s-1 recovered']);
    assert.deepEqual(await commandsOf('s-1'), ['c-1']);
    assert.deepEqual(await commandsOf('s-2'), ['c-2', 'c-3']);
    assert.deepEqual(readdirSync(join(bench.directory, 'journal')), []);
  });

  it('bounds what all sessions hold together', async () => {
    const limits = { ...defaultLimits, recorderTotalBytesMax: 300_000 };
    const recorder = await bench.open({ limits });
    const first = await recorder.start(testContext('s-1'));
    const second = await recorder.start(testContext('s-2'));
    const large = new Uint8Array(60_000);
    while (!first.behind) first.data('to-client', large, 0, large.length);
    assert.equal(second.behind, true);
    await new Promise<void>((resolve) => second.whenReady(resolve));
    assert.equal(first.behind, false);
    await recorder.close();
  });

  it('lets one recorder into a directory, and a dead one does not hold it', async () => {
    const recorder = await bench.open();
    await assert.rejects(bench.open(), code('SP_CONFIG'));
    await recorder.close();
    writeFileSync(join(bench.directory, 'recorder.lock'), '1 123456789012');
    const next = await bench.open();
    await next.close();
    assert.equal(existsSync(join(bench.directory, 'recorder.lock')), false);
  });

  it('refuses a session whose recording exists, and leaves the first alone', async () => {
    const recorder = await bench.open();
    const tape = await recorder.start(testContext('s-1'));
    await assert.rejects(recorder.start(testContext('s-1')), code('SP_RECORDING_FAILED'));
    judge(tape, 'c-1');
    await tape.seal(end);
    await assert.rejects(recorder.start(testContext('s-1')), code('SP_RECORDING_FAILED'));
    await assert.rejects(recorder.start(testContext('../x')), code('SP_RECORDING_FAILED'));
    await recorder.close();
    assert.deepEqual(await commandsOf('s-1'), ['c-1']);
    assert.deepEqual(bench.failures, []);
  });

  it('refuses a recipient that is none', () =>
    assert.rejects(bench.open({ recipients: ['age1nonsense'] }), code('SP_CONFIG')));

  it('sets aside what fits nowhere, and recovers the rest', async () => {
    // A process that was killed: its directory is taken over with one file gone, one damaged.
    const recorder = await bench.open({ clock: manualClock() });
    for (const session of ['gone', 'hurt', 'fine']) {
      const tape = await recorder.start(testContext(session));
      judge(tape, `${session}-1`);
    }
    const home = join(bench.directory, '..', 'after');
    cpSync(bench.directory, join(home, 'recordings'), { recursive: true });
    await recorder.close();
    const directory = join(home, 'recordings');
    rmSync(join(directory, 'gone.sprec.open'));
    const hurt = readFileSync(join(directory, 'hurt.sprec.open'));
    hurt.fill(0, 100);
    writeFileSync(join(directory, 'hurt.sprec.open'), Buffer.concat([hurt, Buffer.alloc(100_000)]));
    rmSync(join(directory, 'recorder.lock'));
    const next = await bench.open({ directory });
    await next.close();
    assert.deepEqual(outcomes(next), ['fine recovered', 'gone missing', 'hurt damaged']);
    assert.deepEqual(readdirSync(directory).sort(), [
      'fine.sprec',
      'gone.orphan.spj',
      'hurt.orphan.spj',
      'hurt.sprec.open',
      'journal',
    ]);
  });
});
