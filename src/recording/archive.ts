/**
 * Reads the recordings of a directory. Law 11: every reading is told before anything of it is
 * given, and when it cannot be told nothing is read.
 *
 * Blocks are checked as they are read, so nobody is shown an edited block; the first thing that is
 * wrong is the last thing that is given.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { GatewayError } from '#core/errors.ts';
import type {
  ExportFormat,
  ListFilter,
  Reading,
  RecordedCommand,
  RecordedSubject,
  RecordingArchive,
  RecordingProblem,
  RecordingSummary,
  ReplayLine,
  ReplayRenderer,
  TellReading,
  VerifyReport,
} from '#core/ports/recording-archive.ts';
import type { RecordedContext, RecordedSeal } from './documents.ts';
import { deriveKeys, type FileKeys, unwrapFileKey } from './encryption.ts';
import { type Entry, EntryReader } from './entries.ts';
import { exporters } from './export.ts';
import { parsePublicKey, type PublicKey, readPublicKeys } from './keys.ts';
import { OPEN_SUFFIX, SEALED_SUFFIX } from './messages.ts';
import { Replay } from './replay.ts';
import { scan } from './scan.ts';
import { FileSource } from './source.ts';
import { readSubject, summarise } from './summary.ts';
import { verifyRecording } from './verify.ts';

/** What a reading gives: the context first; the seal or a problem last. */
export type ReadItem =
  | { readonly kind: 'context'; readonly context: RecordedContext; readonly trusted: boolean }
  | { readonly kind: 'entry'; readonly entry: Entry }
  | { readonly kind: 'seal'; readonly seal: RecordedSeal }
  | { readonly kind: 'problem'; readonly problem: RecordingProblem };

/** What an archive needs. */
export interface ArchiveOptions {
  readonly directory: string;
  /** Where the gateway keeps its public keys. */
  readonly keysDirectory: string;
  readonly tell: TellReading;
  /** Renderers by protocol; sessions of others are shown without their answers' content. */
  readonly renderers: Readonly<Record<string, () => ReplayRenderer>>;
}

/** An archive in a directory. */
export class DirectoryArchive implements RecordingArchive {
  readonly #options: ArchiveOptions;

  constructor(options: ArchiveOptions) {
    this.#options = options;
  }

  async list(filter: ListFilter): Promise<readonly RecordingSummary[]> {
    const found: RecordingSummary[] = [];
    for (const path of this.#paths()) {
      if (found.length >= filter.limit) break;
      const summary = await summarise(path);
      if (filter.identity !== undefined && summary.identity !== filter.identity) continue;
      if (filter.target !== undefined && summary.target !== filter.target) continue;
      if (filter.since !== undefined && summary.startedAt < filter.since) continue;
      found.push(summary);
    }
    return found;
  }

  async summary(recording: string): Promise<RecordingSummary> {
    return summarise(this.#find(recording));
  }

  async subject(recording: string): Promise<RecordedSubject> {
    const subject = await readSubject(this.#find(recording));
    if (subject !== undefined) return subject;
    throw new GatewayError('SP_NOT_FOUND', { detail: `${recording} does not say whose it is` });
  }

  async *commands(
    recording: string,
    reading: Reading,
  ): AsyncGenerator<RecordedCommand | { readonly problem: RecordingProblem }> {
    let command: RecordedCommand | undefined;
    for await (const item of this.#read(recording, reading, 'show')) {
      if (item.kind === 'problem' || item.kind === 'seal') {
        if (command !== undefined) yield command;
        if (item.kind === 'problem') yield { problem: item.problem };
        return;
      }
      if (item.kind !== 'entry') continue;
      const { entry } = item;
      if (entry.kind === 'command') {
        if (command !== undefined) yield command;
        command = entry.command;
      } else if (entry.kind === 'verdict' && entry.command === command?.id) {
        yield { ...command, verdict: entry.verdict };
        command = undefined;
      }
    }
  }

  async *replay(recording: string, reading: Reading): AsyncGenerator<ReplayLine> {
    const replay = new Replay(this.#options.renderers);
    for await (const item of this.#read(recording, reading, 'replay')) yield* replay.lines(item);
  }

  async *export(
    recording: string,
    format: ExportFormat,
    reading: Reading,
  ): AsyncGenerator<Uint8Array> {
    const encode = exporters[format]();
    for await (const item of this.#read(recording, reading, 'export')) {
      const bytes = encode(item);
      if (bytes.length > 0) yield bytes;
    }
  }

  async verify(
    paths: readonly string[],
    publicKeys: readonly string[],
  ): Promise<readonly VerifyReport[]> {
    const keys = publicKeys.map(parsePublicKey);
    const reports: VerifyReport[] = [];
    for (const path of paths) {
      const source = await openSource(this.#find(path));
      try {
        reports.push(await verifyRecording(source, path, keys));
      } finally {
        await source.close();
      }
    }
    return reports;
  }

  publicKeys(): ReadonlyMap<string, string> {
    const pem = ({ key }: PublicKey): string =>
      key.export({ type: 'spki', format: 'pem' }).toString();
    return new Map(readPublicKeys(this.#options.keysDirectory).map((key) => [key.keyId, pem(key)]));
  }

  async *#read(
    recording: string,
    reading: Reading,
    how: 'show' | 'replay' | 'export',
  ): AsyncGenerator<ReadItem> {
    const path = this.#find(recording);
    const known = readPublicKeys(this.#options.keysDirectory);
    const keys = known.length === 0 ? undefined : known;
    const source = await openSource(path);
    let reader = new EntryReader(undefined);
    try {
      for await (const item of scan(source, keys)) {
        if (item.kind === 'context') {
          await this.#tellReading(item.context, path, reading, how);
          reader = new EntryReader(await fileKeys(item.context, reading));
          yield { kind: 'context', context: item.context, trusted: keys !== undefined };
        } else if (item.kind === 'block') {
          const { header, offset } = item.block;
          const entries = reader.read(item.block);
          if (typeof entries === 'string') {
            const where = { block: header.index, offset, detail: entries };
            yield { kind: 'problem', problem: { kind: 'unreadable', ...where } };
            return;
          }
          for (const entry of entries) yield { kind: 'entry', entry };
        } else {
          yield item;
        }
      }
    } finally {
      await source.close();
    }
  }

  async #tellReading(
    context: RecordedContext,
    path: string,
    reading: Reading,
    how: string,
  ): Promise<void> {
    const target = context.target['name'];
    await this.#options.tell({
      type: 'recording.read',
      actor: reading.reader,
      session: context.session,
      target: typeof target === 'string' ? target : undefined,
      data: { how, path },
    });
  }

  /** Ids sort by time, so names do. */
  #paths(): string[] {
    const { directory } = this.#options;
    return readdirSync(directory)
      .filter((name) => name.endsWith(SEALED_SUFFIX) || name.endsWith(OPEN_SUFFIX))
      .sort()
      .reverse()
      .map((name) => join(directory, name));
  }

  /** A session id, or a path: anything with a slash or an ending. */
  #find(recording: string): string {
    if (/[./]/.test(recording)) {
      if (existsSync(recording)) return recording;
    } else {
      for (const suffix of [SEALED_SUFFIX, OPEN_SUFFIX]) {
        const path = join(this.#options.directory, recording + suffix);
        if (existsSync(path)) return path;
      }
    }
    throw new GatewayError('SP_NOT_FOUND', { detail: `no recording ${recording}` });
  }
}

async function openSource(path: string): Promise<FileSource> {
  try {
    return await FileSource.open(path);
  } catch (cause) {
    throw new GatewayError('SP_NOT_FOUND', { detail: `${path} cannot be opened`, cause });
  }
}

async function fileKeys(context: RecordedContext, reading: Reading): Promise<FileKeys | undefined> {
  if (context.encryption === undefined) return undefined;
  const fileKey = await unwrapFileKey(context.encryption.wrappedKey, reading.identities);
  if (fileKey === undefined) {
    const recipients = context.encryption.recipients.join(', ');
    const detail = `the recording is encrypted to ${recipients}; give the age identity of one`;
    throw new GatewayError('SP_FORBIDDEN', { detail });
  }
  return deriveKeys(fileKey);
}
