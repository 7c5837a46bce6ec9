/**
 * What recording costs: bytes a second for each second of CPU of both threads, and the time of one
 * `commit`. Figures are the best of several rounds, since a shared machine only ever adds.
 *
 *     npm run bench -- recording
 */
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { defaultLimits } from '#core/limits.ts';
import type { Recorder } from '#recording/recorder.ts';
import {
  recorderBench,
  testCommand,
  testContext,
  testPermit,
  testVerdict,
} from '../test/support/recording.ts';
import { table } from './table.ts';

const MiB = 1024 * 1024;
const BULK_BYTES = 256 * MiB;
const READ_BYTES = 16 * 1024;
const ROUNDS = 5;
const COMMANDS = 20_000;

const rows = resultRows(8 * MiB);

/** Prints the table. */
export async function main(): Promise<void> {
  const plain = await rates([]);
  const sealed = await rates([await identityToRecipient(await generateIdentity())]);
  const header = ['recording', 'MB/s per core', 'MB/s wall', 'judged + commit us, p50'];
  console.log(table(header, [row('plain', plain), row('encrypted', sealed)]));
}

interface Rates {
  /** For each second of CPU of both threads. */
  readonly perCore: number;
  readonly wall: number;
  readonly commitUs: number;
}

function row(name: string, { perCore, wall, commitUs }: Rates): readonly string[] {
  return [name, perCore.toFixed(0), wall.toFixed(0), commitUs.toFixed(1)];
}

async function rates(recipients: readonly string[]): Promise<Rates> {
  const bench = recorderBench();
  const recorder = await bench.open({ recipients, limits: defaultLimits });
  let perCore = 0;
  let wall = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const measured = await bulk(recorder, `bulk-${round}`);
    perCore = Math.max(perCore, measured.perCore);
    wall = Math.max(wall, measured.wall);
  }
  const commitUs = await commands(recorder);
  await recorder.close();
  bench.remove();
  return { perCore, wall, commitUs };
}

/** A large result, in reads of 16 KiB, paused when the recorder is behind. */
async function bulk(
  recorder: Recorder,
  session: string,
): Promise<{ readonly perCore: number; readonly wall: number }> {
  const tape = await recorder.start(testContext(session));
  const cpu = process.cpuUsage();
  const started = performance.now();
  for (let at = 0; at < BULK_BYTES; at += READ_BYTES) {
    const from = at % (rows.length - READ_BYTES);
    tape.data('to-client', rows, from, from + READ_BYTES);
    if (tape.behind) await new Promise<void>((resolve) => tape.whenReady(resolve));
  }
  await tape.seal({ reason: 'client', code: undefined, detail: '' });
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const megabytes = BULK_BYTES / 1e6;
  return { perCore: megabytes / ((user + system) / 1e6), wall: megabytes / seconds };
}

/** A small query with its verdict, committed, and a small answer. */
async function commands(recorder: Recorder): Promise<number> {
  const context = testContext('commands');
  const tape = await recorder.start(context);
  const command = testCommand(context, 'c', 'select abalance from pgbench_accounts where aid = $1');
  const verdict = testVerdict('allow');
  const permit = testPermit(command);
  const times = new Float64Array(COMMANDS);
  for (let index = 0; index < COMMANDS; index += 1) {
    tape.data('from-client', rows, 0, 60);
    const started = performance.now();
    tape.judged(command, verdict, permit);
    tape.commit();
    times[index] = (performance.now() - started) * 1000;
    tape.data('to-client', rows, 0, 90);
    if (index % 64 === 0) await new Promise<void>((resolve) => setImmediate(resolve));
    if (tape.behind) await new Promise<void>((resolve) => tape.whenReady(resolve));
  }
  await tape.seal({ reason: 'client', code: undefined, detail: '' });
  return times.sort()[COMMANDS / 2] ?? 0;
}

/** DataRows as a shop has them. */
function resultRows(bytes: number): Uint8Array {
  let text = '';
  for (let id = 1; text.length < bytes; id += 1) {
    text += `D\0\0\0_\0\x06${id}\0\0\0\x14user${(id * 7919) % 100_003}@example.com\0\0\0\x10`;
    text += `First${id % 977} Last${(id * 31) % 1931}\0\0\0\n${(id * 48_271) % 2_147_483_647}`;
    text += `\0\0\0\x132026-11-${10 + (id % 19)} 10:${10 + (id % 49)}:${10 + ((id * 7) % 49)}`;
  }
  return Buffer.from(text, 'latin1').subarray(0, bytes);
}
