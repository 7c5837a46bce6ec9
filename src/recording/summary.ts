/**
 * What a listing shows: the context and the seal of a recording, found without reading what is
 * between. Nothing here is checked; `verify` does that.
 */
import type {
  ArchiveState,
  RecordedSubject,
  RecordingSummary,
} from '#core/ports/recording-archive.ts';
import {
  decodeContext,
  decodeSeal,
  type RecordedContext,
  type RecordedSeal,
  subjectOf,
} from './documents.ts';
import {
  BLOCK_HEADER_BYTES,
  decodeBlockHeader,
  PREAMBLE_BYTES,
  preamble,
  SIGNATURE_BYTES,
} from './format.ts';
import { optionalTextOf, textOf } from './json.ts';
import { OPEN_SUFFIX, SEALED_SUFFIX } from './messages.ts';
import { FileSource, type RecordingSource } from './source.ts';

/** A seal is a small document; a longer end of file holds none that a listing would find. */
const SEAL_SEARCH_BYTES = 8 * 1024;
const BLOCK_MAGIC: Uint8Array = new TextEncoder().encode('SPB1');

/** Summarises one file. A damaged one is listed as such. */
export async function summarise(path: string): Promise<RecordingSummary> {
  const { source, path: found } = await openNow(path);
  try {
    const context = await readContext(source);
    const seal = await readSeal(source);
    return describe(found, source.bytes, context, seal);
  } finally {
    await source.close();
  }
}

/** A recording that was sealed since it was looked for has its other name. */
async function openNow(path: string): Promise<{ source: FileSource; path: string }> {
  try {
    return { source: await FileSource.open(path), path };
  } catch (thrown) {
    if (!path.endsWith(OPEN_SUFFIX)) throw thrown;
    const sealed = path.slice(0, -OPEN_SUFFIX.length) + SEALED_SUFFIX;
    return { source: await FileSource.open(sealed), path: sealed };
  }
}

/** Whom and what rules looked at; undefined when the recording does not say it whole. */
export async function readSubject(path: string): Promise<RecordedSubject | undefined> {
  const source = await FileSource.open(path);
  try {
    const context = await readContext(source);
    return context === undefined ? undefined : subjectOf(context);
  } finally {
    await source.close();
  }
}

function describe(
  path: string,
  bytes: number,
  context: RecordedContext | undefined,
  seal: RecordedSeal | undefined,
): RecordingSummary {
  const { identity, target } = context ?? { identity: undefined, target: undefined };
  const unsealed: ArchiveState = path.endsWith(OPEN_SUFFIX) ? 'open' : 'damaged';
  return {
    session: context?.session ?? '',
    path,
    state: context === undefined ? 'damaged' : (seal?.state ?? unsealed),
    startedAt: context?.startedAt ?? 0,
    endedAt: seal?.endedAt,
    identity: textOf(identity, 'id'),
    identityName: textOf(identity, 'displayName'),
    owner: optionalTextOf(identity, 'owner'),
    target: textOf(target, 'name'),
    account: context?.account ?? '',
    namespace: context?.namespace ?? '',
    protocol: context?.protocol ?? '',
    clientAddress: context?.clientAddress ?? '',
    clientName: context?.clientName ?? '',
    gateway: context?.gateway ?? '',
    encrypted: context?.encryption !== undefined,
    bytes,
    commands: seal?.counts?.commands,
    endReason: seal?.reason ?? '',
    endDetail: seal?.detail ?? '',
  };
}

async function readContext(source: RecordingSource): Promise<RecordedContext | undefined> {
  const start = await source.read(0, PREAMBLE_BYTES + BLOCK_HEADER_BYTES);
  if (Buffer.compare(start.subarray(0, PREAMBLE_BYTES), preamble) !== 0) return undefined;
  const header = decodeBlockHeader(start.subarray(PREAMBLE_BYTES));
  if (typeof header === 'string' || header.type !== 'context') return undefined;
  return decodeContext(await source.read(start.length, header.storedBytes));
}

/** The last block, if it is a seal: the one whose end is the file's. */
async function readSeal(source: RecordingSource): Promise<RecordedSeal | undefined> {
  const from = Math.max(0, source.bytes - SEAL_SEARCH_BYTES);
  const tail = Buffer.from(await source.read(from, SEAL_SEARCH_BYTES));
  for (let at = tail.length; at > 0; ) {
    at = tail.lastIndexOf(BLOCK_MAGIC, at - 1);
    if (at < 0) return undefined;
    const header = decodeBlockHeader(tail.subarray(at));
    if (typeof header === 'string' || header.type !== 'seal') continue;
    const bodyAt = at + BLOCK_HEADER_BYTES;
    const end = bodyAt + header.storedBytes;
    if (end + SIGNATURE_BYTES === tail.length) return decodeSeal(tail.subarray(bodyAt, end));
  }
  return undefined;
}
