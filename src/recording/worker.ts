/**
 * The recording thread: one a process, for all sessions. Takes full blocks, writes them through
 * {@link BlockWriter}, and gives the memory back.
 *
 * Invariant: an answer is sent after the kernel has the bytes. After a failed write a session's
 * later blocks are refused, so that a recording has no gap in its middle.
 */
import { close, closeSync, existsSync, fdatasync, openSync, renameSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { encodeSeal } from './documents.ts';
import {
  type FromThread,
  OPEN_SUFFIX,
  SEALED_SUFFIX,
  type ThreadData,
  type ToThread,
} from './messages.ts';
import { recoverDirectory } from './recovery.ts';
import { recordingError } from './recording-error.ts';
import { type BlockSigner, BlockWriter } from './writer.ts';

interface OpenRecording {
  readonly path: string;
  readonly fd: number;
  readonly writer: BlockWriter;
}

type BlockRequest = Extract<ToThread, { op: 'block' }>;
type OpenRequest = Extract<ToThread, { op: 'open' }>;
type SealRequest = Extract<ToThread, { op: 'seal' }>;

if (parentPort === null) throw new Error('this file runs as a thread of the recorder');
const port = parentPort;
const data: ThreadData = workerData;
const signer: BlockSigner = { keyId: data.keyId, privateKey: data.privateKey };
const recordings = new Map<number, OpenRecording>();
/** Blocks' memory by id, shared with the data path's thread. */
const memories = new Map<number, Uint8Array>();

/** Blocks that were written and not yet told of: one message for as many as came at once. */
let written: number[] = [];
const WRITTEN_MAX = 2 * 32;

function tellWritten(): void {
  if (written.length === 0) return;
  const message: FromThread = { op: 'written', blocks: written };
  written = [];
  port.postMessage(message);
}

/** What was written before is told before. */
function tell(message: FromThread): void {
  tellWritten();
  port.postMessage(message);
}

function tellFailure(step: ToThread['op'], slot: number | undefined, thrown: unknown): void {
  const error = recordingError(thrown);
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : '';
  const message = `${error.message}${cause}`;
  tell({ op: 'failed', step, slot, message, space: error.code === 'SP_RECORDING_SPACE' });
}

port.on('message', (message: ToThread) => {
  try {
    handle(message);
  } catch (thrown) {
    const slot = 'slot' in message ? message.slot : undefined;
    if (slot !== undefined) drop(slot);
    tellFailure(message.op, slot, thrown);
  }
});

function handle(message: ToThread): void {
  switch (message.op) {
    case 'open':
      openRecording(message);
      return;
    case 'block':
      writeBlock(message);
      return;
    case 'forget':
      memories.delete(message.memory);
      return;
    case 'seal':
      seal(message);
      return;
    case 'drop':
      drop(message.slot);
      return;
    case 'recover':
      tell({ op: 'recovered', recordings: recoverDirectory(message.request, signer) });
      return;
  }
}

function writeBlock({ slot, memory, shared, used, startedUs }: BlockRequest): void {
  if (shared !== undefined) memories.set(memory, new Uint8Array(shared));
  const raw = memories.get(memory)?.subarray(0, used);
  if (raw === undefined) throw new Error(`memory ${memory} was never shared`);
  // Blocks of a session that failed are passed over; it was told.
  recordings.get(slot)?.writer.append({ type: 'frames', flags: 0, startedUs, raw });
  if (written.length === 0) setImmediate(tellWritten);
  written.push(slot, memory);
  if (written.length >= WRITTEN_MAX) tellWritten();
}

function openRecording({ slot, path, context, key }: OpenRequest): void {
  if (existsSync(sealedName(path))) throw new Error('the session was recorded before');
  const fd = openSync(path, 'wx', 0o600);
  const writer = BlockWriter.create(fd, signer, key);
  recordings.set(slot, { path, fd, writer });
  writer.append({ type: 'context', flags: 0, startedUs: 0, raw: context });
  tell({ op: 'opened', slot });
}

function seal({ slot, startedUs, facts }: SealRequest): void {
  const recording = recordings.get(slot);
  if (recording === undefined) return;
  recordings.delete(slot);
  const { fd, path, writer } = recording;
  const { index, head } = writer.position;
  const raw = encodeSeal(facts, index, head);
  writer.append({ type: 'seal', flags: 0, startedUs, raw });
  const hash = Buffer.from(writer.position.head).toString('hex');
  // Off this thread: a slow disk must not hold up the others' blocks.
  fdatasync(fd, (syncError) => {
    close(fd, (closeError) => {
      try {
        if (syncError !== null) throw syncError;
        if (closeError) throw closeError;
        renameSync(path, sealedName(path));
        tell({ op: 'sealed', slot, hash, blocks: index + 1, bytes: writer.bytes });
      } catch (thrown) {
        tellFailure('seal', slot, thrown);
      }
    });
  });
}

function drop(slot: number): void {
  const recording = recordings.get(slot);
  recordings.delete(slot);
  if (recording !== undefined) closeSync(recording.fd);
}

const sealedName = (path: string): string => path.slice(0, -OPEN_SUFFIX.length) + SEALED_SUFFIX;
