import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { SessionEnd } from '#core/protocol.ts';
import {
  type RecorderBench,
  recorderBench,
  testCommand,
  testContext,
  testPermit,
  testRefusal,
  testVerdict,
} from '../../test/support/recording.ts';
import { EntryReader, type Entry } from './entries.ts';
import { parsePublicKey } from './keys.ts';
import { scan, type ScanItem } from './scan.ts';
import { memorySource } from './source.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const end: SessionEnd = { reason: 'client', code: undefined, detail: '' };

describe('Recorder', () => {
  let bench: RecorderBench;
  beforeEach(() => {
    bench = recorderBench();
  });
  afterEach(() => bench.remove());

  const read = async (session: string): Promise<{ items: ScanItem[]; entries: Entry[] }> => {
    const file = readFileSync(join(bench.directory, `${session}.sprec`));
    const items: ScanItem[] = [];
    const entries: Entry[] = [];
    const reader = new EntryReader(undefined);
    const key = parsePublicKey(bench.options.signingKey.publicPem);
    for await (const item of scan(memorySource(file), [key])) {
      items.push(item);
      if (item.kind !== 'block') continue;
      const found = reader.read(item.block);
      assert.ok(typeof found !== 'string', 'what the recorder wrote can be read');
      entries.push(...found);
    }
    return { items, entries };
  };

  it('records both directions, commands and verdicts, and seals', async () => {
    const recorder = await bench.open();
    const context = testContext('s-1');
    const tape = await recorder.start(context);
    const asked = bytes('Q select 1');
    tape.data('from-client', asked, 0, asked.length);
    const first = testCommand(context, 'c-1', 'select 1', [
      { type: '25', format: 'text', bytes: bytes('ä') },
      { type: '', format: 'binary', bytes: Uint8Array.of(0, 1, 0) },
      { type: '23', format: 'text', bytes: null },
      { type: '25', format: 'text', bytes: bytes('') },
    ]);
    tape.judged(first, testVerdict('allow'), testPermit(first));
    tape.commit();
    tape.data('to-client', bytes('xxanswerxx'), 2, 8);
    const second = testCommand(context, 'c-2', 'drop table t');
    tape.judged(second, testVerdict('deny'), testRefusal);
    tape.mark('hold.opened', { hold: 'h-1' });
    const sealed = await tape.seal(end);
    await recorder.close();

    const { items, entries } = await read('s-1');
    assert.deepEqual(
      entries.map((entry) => entry.kind),
      ['data', 'command', 'verdict', 'data', 'command', 'verdict', 'mark'],
    );
    const [, command, , answer, , refused] = entries;
    assert.ok(command?.kind === 'command');
    assert.equal(command.command.text, 'select 1');
    assert.deepEqual(
      command.command.parameters.map(({ type, format, bytes: value }) => [
        type,
        format,
        value === null ? null : [...value],
      ]),
      [
        ['25', 'text', [0xc3, 0xa4]],
        ['', 'binary', [0, 1, 0]],
        ['23', 'text', null],
        ['25', 'text', []],
      ],
    );
    assert.ok(answer?.kind === 'data' && Buffer.from(answer.bytes).toString() === 'answer');
    assert.ok(refused?.kind === 'verdict' && !refused.verdict.allowed);
    const last = items.at(-1);
    assert.ok(last?.kind === 'seal', JSON.stringify(last));
    assert.equal(Buffer.from(last.hash).toString('hex'), sealed.hash);
    assert.deepEqual(last.seal.counts, {
      frames: 2,
      commands: 2,
      fromClientBytes: 10,
      toClientBytes: 6,
    });
    assert.deepEqual(bench.events.types(), ['recording.sealed']);
  });
});
