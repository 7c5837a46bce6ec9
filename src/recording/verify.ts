/**
 * Verification: a public key and files, nothing else. Checks what `scan.ts` checks, and for
 * recordings that are not encrypted also that their content can be read and is as the seal counts.
 */
import type { RecordingProblem, VerifyReport } from '#core/ports/recording-archive.ts';
import type { RecordedSeal, TapeCounts } from './documents.ts';
import { type Entry, EntryReader } from './entries.ts';
import type { PublicKey } from './keys.ts';
import { scan, type ScannedBlock } from './scan.ts';
import type { RecordingSource } from './source.ts';

/** Verifies one recording. Never throws for what is in the file; memory is bounded by a block. */
export async function verifyRecording(
  source: RecordingSource,
  path: string,
  keys: readonly PublicKey[],
): Promise<VerifyReport> {
  const check = new Check(path, source.bytes);
  for await (const item of scan(source, keys)) {
    switch (item.kind) {
      case 'context':
        check.context(item.context.session, item.context.encryption !== undefined, item.keyId);
        break;
      case 'block':
        check.block(item.block);
        break;
      case 'seal':
        check.seal(item.seal, item.hash, item.keyId);
        break;
      case 'problem':
        check.problem ??= item.problem;
        break;
    }
    if (check.problem !== undefined) break;
  }
  return check.report();
}

/** What is known so far of one file. */
class Check {
  problem: RecordingProblem | undefined;
  readonly #path: string;
  readonly #bytes: number;
  readonly #keyIds = new Set<string>();
  readonly #counts = { frames: 0, commands: 0, fromClientBytes: 0, toClientBytes: 0 };
  #session = '';
  #reader: EntryReader | undefined;
  #blocks = 0;
  #offset = 0;
  #hash = '';
  #seal: RecordedSeal | undefined;

  constructor(path: string, bytes: number) {
    this.#path = path;
    this.#bytes = bytes;
  }

  context(session: string, encrypted: boolean, keyId: string): void {
    this.#session = session;
    this.#reader = encrypted ? undefined : new EntryReader(undefined);
    this.#keyIds.add(keyId);
    this.#blocks = 1;
  }

  block(block: ScannedBlock): void {
    this.#keyIds.add(block.header.keyId);
    this.#offset = block.offset;
    const entries = this.#reader?.read(block) ?? [];
    if (typeof entries === 'string') {
      this.#unreadable(entries);
      return;
    }
    for (const entry of entries) this.#count(entry);
    this.#blocks += 1;
  }

  seal(seal: RecordedSeal, hash: Uint8Array, keyId: string): void {
    this.#keyIds.add(keyId);
    if (this.#reader !== undefined && seal.counts !== undefined) {
      const wrong = this.#reader.unfinished
        ? 'the last record breaks off'
        : wrongCounts(seal.counts, this.#counts);
      if (wrong !== undefined) {
        this.#unreadable(wrong);
        return;
      }
    }
    this.#seal = seal;
    this.#hash = Buffer.from(hash).toString('hex');
    this.#blocks += 1;
  }

  report(): VerifyReport {
    const { problem } = this;
    const whole = this.#seal?.state === 'recovered' ? 'recovered' : 'verified';
    return {
      path: this.#path,
      session: this.#session,
      verdict: problem === undefined && this.#seal !== undefined ? whole : 'failed',
      problem,
      blocks: this.#blocks,
      bytes: this.#bytes,
      keyIds: [...this.#keyIds],
      hash: problem === undefined ? this.#hash : '',
      lost: this.#seal?.lost,
    };
  }

  #unreadable(detail: string): void {
    this.problem = { kind: 'unreadable', block: this.#blocks, offset: this.#offset, detail };
  }

  #count(entry: Entry): void {
    const counts = this.#counts;
    if (entry.kind === 'command') counts.commands += 1;
    if (entry.kind !== 'data') return;
    counts.frames += 1;
    if (entry.direction === 'from-client') counts.fromClientBytes += entry.bytes.length;
    else counts.toClientBytes += entry.bytes.length;
  }
}

function wrongCounts(said: TapeCounts, found: TapeCounts): string | undefined {
  for (const key of ['frames', 'commands', 'fromClientBytes', 'toClientBytes'] as const) {
    if (said[key] !== found[key]) {
      return `the seal counts ${said[key]} ${key}, the blocks hold ${found[key]}`;
    }
  }
  return undefined;
}
