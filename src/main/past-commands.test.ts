import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { opaqueFacts } from '#core/facts.ts';
import { asEpochMs } from '#core/ids.ts';
import type { PastCommand } from '#core/ports/policy-tools.ts';
import { DirectoryArchive } from '#recording/archive.ts';
import type { RecorderOptions } from '#recording/recorder.ts';
import { manualClock } from '../../test/support/clock.ts';
import {
  type RecorderBench,
  recorderBench,
  testCommand,
  testContext,
  testPermit,
  testRefusal,
  testVerdict,
} from '../../test/support/recording.ts';
import { pastCommands } from './past-commands.ts';

const HOUR_MS = 3_600_000;

describe('commands that were decided before', () => {
  let bench: RecorderBench;
  let archive: DirectoryArchive;
  let told: number;
  const clock = manualClock();
  beforeEach(() => {
    bench = recorderBench();
    told = 0;
    archive = new DirectoryArchive({
      directory: bench.directory,
      keysDirectory: join(bench.directory, '..', 'keys'),
      tell: async () => (told += 1),
      renderers: {},
    });
  });
  afterEach(() => bench.remove());

  /** A session: one command, an hour, one that is refused. */
  const record = async (name: string, change: Partial<RecorderOptions> = {}): Promise<void> => {
    const recorder = await bench.open({ clock, ...change });
    const context = testContext(name);
    const tape = await recorder.start(context);
    const first = testCommand(context, `${name}.1`, 'select 1');
    tape.judged(first, testVerdict('allow'), testPermit(first));
    clock.advance(HOUR_MS);
    const second = testCommand(context, `${name}.2`, 'drop table t');
    tape.judged(second, testVerdict('deny'), testRefusal);
    tape.commit();
    await tape.seal({ reason: 'client', code: undefined, detail: '' });
    await recorder.close();
  };
  const gather = async (
    since: number,
    identities: readonly string[] = [],
  ): Promise<{ found: PastCommand[]; missed: string[] }> => {
    const missed: string[] = [];
    const found: PastCommand[] = [];
    const options = {
      archive,
      reading: { reader: 'os/olga', identities },
      since: asEpochMs(since),
      missed: (message: string) => void missed.push(message),
    };
    for await (const command of pastCommands(options)) found.push(command);
    return { found, missed };
  };
  const ids = (found: readonly PastCommand[]): string[] => found.map(({ id }) => id);

  it('come with all that rules look at, the oldest session first', async () => {
    const start = clock.now();
    await record('s-1');
    await record('s-2');
    const { found, missed } = await gather(start);
    assert.deepEqual(missed, []);
    assert.deepEqual(ids(found), ['s-1.1', 's-1.2', 's-2.1', 's-2.2']);
    const { identity, target } = testContext('s-1');
    const [first, second] = found;
    assert.deepEqual(first?.identity, identity);
    assert.deepEqual(first?.target.labels, target.labels);
    assert.deepEqual(first?.facts, opaqueFacts('a test'));
    assert.deepEqual([first?.at, second?.at], [start, start + HOUR_MS]);
    assert.deepEqual(second?.verdict, { outcome: 'deny', rule: 'reads' });
    assert.equal(told, 2);
  });

  it('begin at a time, also within a session, and what ended before is not read', async () => {
    await record('s-1');
    clock.advance(1);
    const start = clock.now();
    await record('s-2');
    const { found } = await gather(start + 1);
    assert.deepEqual(ids(found), ['s-2.2']);
    assert.equal(told, 1);
  });

  it('are told to be missing where a recording is encrypted or damaged', async () => {
    const identity = await generateIdentity();
    const start = clock.now();
    await record('s-1', { recipients: [await identityToRecipient(identity)] });
    await record('s-2');
    const blind = await gather(start);
    assert.deepEqual(ids(blind.found), ['s-2.1', 's-2.2']);
    assert.match(blind.missed.join('\n'), /^\S+s-1\.sprec: .*encrypted/);
    assert.equal((await gather(start, [identity])).found.length, 4);
    const [, last = ''] = readdirSync(bench.directory)
      .filter((name) => name.endsWith('.sprec'))
      .toSorted();
    const path = join(bench.directory, last);
    const bytes = readFileSync(path);
    const at = bytes.lastIndexOf('SPB1', bytes.lastIndexOf('SPB1') - 1) + 80;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    const damaged = await gather(start, [identity]);
    assert.deepEqual(ids(damaged.found), ['s-1.1', 's-1.2', 's-2.1']);
    assert.match(damaged.missed.join('\n'), /^\S+s-2\.sprec: edited: /);
  });
});
