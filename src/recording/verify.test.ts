import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import type { VerifyReport } from '#core/ports/recording-archive.ts';
import {
  type RecorderBench,
  recorderBench,
  testCommand,
  testContext,
  testPermit,
  testVerdict,
} from '../../test/support/recording.ts';
import {
  BLOCK_HEADER_BYTES,
  decodeBlockHeader,
  PREAMBLE_BYTES,
  SIGNATURE_BYTES,
} from './format.ts';
import { parsePublicKey, type PublicKey, signingKeyOf } from './keys.ts';
import { memorySource } from './source.ts';
import { verifyRecording } from './verify.ts';

const BLOCKS = 3;

/** A recording of a context, three blocks of frames and a seal. */
async function makeRecording(bench: RecorderBench, session: string): Promise<Uint8Array> {
  const recorder = await bench.open();
  const context = testContext(session);
  const tape = await recorder.start(context);
  for (let number = 0; number < BLOCKS; number += 1) {
    const command = testCommand(context, `${session}-${number}`, `select ${number}`);
    tape.data('from-client', new TextEncoder().encode(`select ${number}`), 0, 8);
    tape.judged(command, testVerdict('allow'), testPermit(command));
    tape.flush();
  }
  await tape.seal({ reason: 'client', code: undefined, detail: '' });
  await recorder.close();
  return new Uint8Array(readFileSync(join(bench.directory, `${session}.sprec`)));
}

/** Where each block starts, and the end. */
function blockStarts(file: Uint8Array): number[] {
  const starts: number[] = [];
  let at = PREAMBLE_BYTES;
  while (at < file.length) {
    starts.push(at);
    const header = decodeBlockHeader(file.subarray(at));
    assert.ok(typeof header !== 'string', `no block at ${at}`);
    at += BLOCK_HEADER_BYTES + header.storedBytes + SIGNATURE_BYTES;
  }
  return [...starts, at];
}

describe('verifyRecording', () => {
  let bench: RecorderBench;
  let file: Uint8Array;
  let other: Uint8Array;
  let starts: readonly number[];
  let key: PublicKey;
  before(async () => {
    bench = recorderBench();
    file = await makeRecording(bench, 'session-1');
    other = await makeRecording(bench, 'session-2');
    starts = blockStarts(file);
    key = parsePublicKey(bench.options.signingKey.publicPem);
  });
  after(() => bench.remove());

  const verify = (bytes: Uint8Array, keys: readonly PublicKey[] = [key]): Promise<VerifyReport> =>
    verifyRecording(memorySource(bytes), 'file', keys);
  const block = (bytes: Uint8Array, index: number): Uint8Array =>
    bytes.subarray(starts[index], starts[index + 1]);
  const blockAt = (at: number): number =>
    Math.max(
      0,
      starts.findLastIndex((start) => start <= at),
    );
  const expectProblem = async (
    bytes: Uint8Array,
    kind: string,
    index: number,
    keys?: readonly PublicKey[],
  ): Promise<void> => {
    const { verdict, problem, hash } = await verify(bytes, keys);
    assert.deepEqual([verdict, problem?.kind, problem?.block, hash], ['failed', kind, index, '']);
  };

  it('holds for a recording as it was written', async () => {
    const report = await verify(file);
    assert.equal(report.verdict, 'verified', JSON.stringify(report));
    assert.equal(report.session, 'session-1');
    assert.equal(report.blocks, BLOCKS + 2);
    assert.deepEqual(report.keyIds, [key.keyId]);
    assert.match(report.hash, /^[0-9a-f]{64}$/);
  });

  it('names the block of a changed bit, for every byte', async () => {
    for (let at = 0; at < file.length; at += 1) {
      const changed = file.slice();
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
      const { verdict, problem } = await verify(changed);
      assert.equal(verdict, 'failed', `byte ${at}`);
      assert.equal(problem?.block, at < PREAMBLE_BYTES ? 0 : blockAt(at), `byte ${at}`);
    }
  });

  it('names the block of a cut, at every byte', async () => {
    for (let at = 0; at < file.length; at += 1) {
      const { verdict, problem } = await verify(file.subarray(0, at));
      const between = at > 0 && starts.includes(at);
      assert.equal(verdict, 'failed');
      assert.equal(problem?.kind, between ? 'unsealed' : 'truncated', `byte ${at}`);
      assert.equal(problem?.block, between ? starts.indexOf(at) : blockAt(at), `byte ${at}`);
    }
  });

  it('names bytes behind the seal', () =>
    expectProblem(Buffer.concat([file, Uint8Array.of(0)]), 'trailing', BLOCKS + 1));

  it('tells a removed block from an edited one', async () => {
    const head = file.subarray(0, starts[2]);
    await expectProblem(Buffer.concat([head, file.subarray(starts[3])]), 'missing', 2);
    const edited = file.slice();
    edited.fill(0x20, (starts[2] ?? 0) + BLOCK_HEADER_BYTES, starts[3]);
    await expectProblem(edited, 'edited', 2);
  });

  it('names blocks that changed places, or came twice', async () => {
    const parts = starts.slice(0, -1).map((_, index) => block(file, index));
    const [context, one, two, three, seal] = parts;
    assert.ok(context && one && two && three && seal);
    const start = file.subarray(0, PREAMBLE_BYTES);
    const swapped = Buffer.concat([start, context, two, one, three, seal]);
    await expectProblem(swapped, 'reordered', 1);
    await expectProblem(
      Buffer.concat([start, context, one, one, two, three, seal]),
      'reordered',
      2,
    );
  });

  it('names a block that another recording lent', async () => {
    const foreign = Buffer.concat([
      file.subarray(0, starts[2]),
      other.subarray(...blockStarts(other).slice(2, 4)),
      file.subarray(starts[3]),
    ]);
    await expectProblem(foreign, 'spliced', 2);
  });

  it('names a key that was not given', async () => {
    const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
    const stranger = parsePublicKey(signingKeyOf(pem.toString()).publicPem);
    await expectProblem(file, 'wrong-key', 0, [stranger]);
    await expectProblem(file, 'wrong-key', 0, []);
    assert.equal((await verify(file, [stranger, key])).verdict, 'verified');
  });

  it('answers whatever it is given, and never says that it holds', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), fc.nat(), async (bytes, where) => {
        const at = where % file.length;
        const changed = Buffer.concat([file.subarray(0, at), bytes, file.subarray(at)]);
        if (Buffer.compare(changed, file) === 0) return;
        assert.equal((await verify(changed)).verdict, 'failed');
        assert.equal((await verify(bytes)).verdict, 'failed');
      }),
      { numRuns: 300 },
    );
  });
});
