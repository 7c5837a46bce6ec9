import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import type { EventDraft } from '#core/events.ts';
import { DirectoryArchive } from '#recording/archive.ts';
import { postgresRenderer } from '#recording/renderers/postgres.ts';
import {
  type RecorderBench,
  recorderBench,
  testCommand,
  testContext,
  testPermit,
  testRefusal,
  testVerdict,
} from '../../test/support/recording.ts';
import {
  exportRecording,
  listRecordings,
  type RecordingsCommandContext,
  replayRecording,
  showRecording,
  verifyRecordings,
} from './recordings.ts';

describe('sallyport recordings', () => {
  let bench: RecorderBench;
  let identity: string;
  let context: RecordingsCommandContext;
  let lines: string[];
  let errors: string[];
  let chunks: Uint8Array[];
  const told: EventDraft[] = [];
  const pathOf = (name: string): string => join(bench.directory, '..', name);

  before(async () => {
    bench = recorderBench();
    identity = await generateIdentity();
    const recipient = await identityToRecipient(identity);
    for (const [session, recipients] of [
      ['s-1', []],
      ['s-2', [recipient]],
    ] as const) {
      const recorder = await bench.open({ recipients });
      const session1 = testContext(session);
      const tape = await recorder.start(session1);
      const read = testCommand(session1, 'c-1', 'select 1');
      tape.judged(read, testVerdict('allow'), testPermit(read));
      const drop = testCommand(session1, 'c-2', 'drop table\u001b[1A customers');
      tape.judged(drop, testVerdict('deny'), testRefusal);
      await tape.seal({ reason: 'client', code: undefined, detail: '' });
      await recorder.close();
    }
    writeFileSync(pathOf('auditor.txt'), `# the auditor's\n${identity}\n`);
    writeFileSync(pathOf('gateway.pub'), bench.options.signingKey.publicPem);
    const damaged = readFileSync(join(bench.directory, 's-1.sprec'));
    damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1;
    writeFileSync(pathOf('damaged.sprec'), damaged);
  });
  after(() => bench.remove());
  beforeEach(() => {
    lines = [];
    errors = [];
    chunks = [];
    context = {
      reader: 'auditor',
      archive: new DirectoryArchive({
        directory: bench.directory,
        keysDirectory: pathOf('keys'),
        tell: (draft) => Promise.resolve(told.push(draft)),
        renderers: { postgres: postgresRenderer },
      }),
      output: {
        line: (text) => lines.push(text),
        error: (text) => errors.push(text),
        bytes: (chunk) => Promise.resolve(void chunks.push(chunk)),
      },
    };
  });

  it('lists', async () => {
    assert.equal(await listRecordings(context, {}), 0);
    assert.equal(lines.length, 2);
    assert.match(
      lines[0] ?? '',
      /^s-2 {2}\S+ {2}sealed {5}ci\/build-17 readonly@orders {2}2 commands/,
    );
    assert.equal(await listRecordings(context, { json: true, limit: 1 }), 0);
    assert.equal(JSON.parse(lines[2] ?? '').session, 's-2');
    assert.equal(await listRecordings(context, { since: 'yesterday' }), 2);
    assert.equal(await listRecordings(context, { identity: 'nobody' }), 0);
    assert.deepEqual(errors.at(-1), 'no recordings');
  });

  it('shows the session and its commands, safe for a terminal', async () => {
    assert.equal(await showRecording(context, { recording: 's-1' }), 0);
    const text = lines.join('\n');
    assert.match(text, /^identity {3}ci\/build-17 \(Build 17\)$/m);
    assert.match(text, /allow by reads {2}execute\n {7}select 1/);
    assert.match(
      text,
      /deny by reads \(SP_POLICY_DENIED\) {2}execute\n {7}drop table\\u\{1b\}\[1A/,
    );
    assert.equal(told.at(-1)?.type, 'recording.read');
  });

  it('needs an identity for an encrypted one, from a file', async () => {
    assert.equal(await replayRecording(context, { recording: 's-2' }), 2);
    assert.match(errors.join(), /encrypted to age1/);
    lines = [];
    const identityFiles = [pathOf('auditor.txt')];
    assert.equal(await replayRecording(context, { recording: 's-2', identityFiles }), 0);
    assert.match(lines.join('\n'), /> select 1\n/);
  });

  it('verifies with a public key and files, and names what fails', async () => {
    const publicKeyFiles = [pathOf('gateway.pub')];
    const recordings = ['s-1', join(bench.directory, 's-2.sprec')];
    assert.equal(await verifyRecordings(context, { recordings, publicKeyFiles }), 0);
    assert.ok(lines.every((line) => line.startsWith('ok ')));
    lines = [];
    const damaged = [pathOf('damaged.sprec'), 's-1'];
    assert.equal(await verifyRecordings(context, { recordings: damaged, publicKeyFiles }), 1);
    assert.match(
      lines[0] ?? '',
      /^FAILED .*: edited: block 2 at byte \d+: .*; 2 blocks before it hold$/,
    );
    assert.match(lines[1] ?? '', /^ok /);
    assert.equal(await verifyRecordings(context, { recordings: ['none'], publicKeyFiles }), 2);
    assert.equal(await verifyRecordings(context, { recordings: ['s-1'] }), 0, "the gateway's keys");
  });

  it('fails when a damaged recording is shown', async () => {
    assert.equal(await showRecording(context, { recording: pathOf('damaged.sprec') }), 1);
    assert.match(errors.join(), /edited: block 2/);
  });

  it('exports', async () => {
    assert.equal(await exportRecording(context, { recording: 's-1', format: 'sql' }), 0);
    assert.match(Buffer.concat(chunks).toString(), /^select 1$/m);
    assert.equal(await exportRecording(context, { recording: 's-1', format: 'pdf' }), 2);
    assert.match(errors.join(), /ndjson, sql, raw/);
  });
});
