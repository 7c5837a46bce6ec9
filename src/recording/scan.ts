/**
 * Reads a recording block by block and checks each before anybody sees what is in it. The bytes are
 * a stranger's: every length is bounded before it is believed, the first thing that is wrong is
 * named and ends the scan, nothing is thrown.
 *
 * Order of the checks: framing, signature, place in the chain, content. So an edited byte is told
 * from a missing block, and both from a block that another recording lent.
 */
import { verify } from 'node:crypto';
import type { RecordingProblem } from '#core/ports/recording-archive.ts';
import {
  BLOCK_HEADER_BYTES,
  type BlockHeader,
  decodeBlockHeader,
  blockFlags,
  firstPrevious,
  hashBlock,
  preamble,
  PREAMBLE_BYTES,
  SIGNATURE_BYTES,
  signedMessage,
} from './format.ts';
import { decodeContext, decodeSeal, type RecordedContext, type RecordedSeal } from './documents.ts';
import type { PublicKey } from './keys.ts';
import type { RecordingSource } from './source.ts';

/** A block that holds so far. */
export interface ScannedBlock {
  readonly header: BlockHeader;
  /** The header's bytes: what encryption is bound to. */
  readonly headerBytes: Uint8Array;
  readonly stored: Uint8Array;
  /** Where in the file it starts. */
  readonly offset: number;
}

/** What a scan gives, in the order of the file. */
export type ScanItem =
  | { readonly kind: 'context'; readonly context: RecordedContext; readonly keyId: string }
  | { readonly kind: 'block'; readonly block: ScannedBlock }
  | {
      readonly kind: 'seal';
      readonly seal: RecordedSeal;
      readonly hash: Uint8Array;
      readonly keyId: string;
    }
  | { readonly kind: 'problem'; readonly problem: RecordingProblem };

type Kind = RecordingProblem['kind'];

/** How far a scan is. */
interface Place {
  index: number;
  at: number;
  previous: Uint8Array;
  contextKeyId: string;
}

/** Blocks that are looked at to tell missing from reordered. */
const LOOKAHEAD_BLOCKS_MAX = 100_000;

/**
 * Scans a recording.
 *
 * @param keys - whose signatures count. Undefined checks the chain only, for listings.
 * @returns items; a `problem` or the `seal` is the last, and one of them always comes.
 */
export async function* scan(
  source: RecordingSource,
  keys: readonly PublicKey[] | undefined,
): AsyncGenerator<ScanItem, void, undefined> {
  const start = await source.read(0, PREAMBLE_BYTES);
  const place: Place = { index: 0, at: start.length, previous: firstPrevious, contextKeyId: '' };
  const wrong = (kind: Kind, detail: string): ScanItem => ({
    kind: 'problem',
    problem: { kind, block: place.index, offset: place.at, detail },
  });
  if (Buffer.compare(start, preamble) !== 0) {
    const cut = Buffer.compare(start, preamble.subarray(0, start.length)) === 0;
    place.at = 0;
    if (cut) yield wrong('truncated', 'the file ends in its first bytes');
    else yield wrong('not-a-recording', 'the first bytes are not those of a recording');
    return;
  }
  for (;;) {
    const read = await readBlock(source, place.at);
    if ('kind' in read) {
      yield wrong(read.kind, read.detail);
      return;
    }
    const { header, hash } = read;
    const found =
      wrongSignature(read, place, keys) ?? (await wrongPlace(source, read, place)) ?? content(read);
    if ('detail' in found) {
      yield wrong(found.kind, found.detail);
      return;
    }
    if (found.item.kind === 'context') place.contextKeyId = header.keyId;
    if (found.item.kind === 'seal') {
      const unsound = wrongSeal(found.item.seal, place, read.end, source.bytes);
      if (unsound !== undefined) {
        yield wrong(unsound.kind, unsound.detail);
        return;
      }
    }
    yield found.item;
    if (found.item.kind === 'seal') return;
    place.index += 1;
    place.at = read.end;
    place.previous = hash;
  }
}

interface ReadBlock extends ScannedBlock {
  readonly hash: Uint8Array;
  readonly signature: Uint8Array;
  /** Where the next block starts. */
  readonly end: number;
}

interface Fault {
  readonly kind: Kind;
  readonly detail: string;
}

const fault = (kind: Kind, detail: string): Fault => ({ kind, detail });

async function readBlock(source: RecordingSource, at: number): Promise<ReadBlock | Fault> {
  const headerBytes = await source.read(at, BLOCK_HEADER_BYTES);
  if (headerBytes.length === 0) return fault('unsealed', 'the recording ends without a seal');
  if (headerBytes.length < BLOCK_HEADER_BYTES) {
    return fault('truncated', 'the file ends in a block header');
  }
  const header = decodeBlockHeader(headerBytes);
  if (typeof header === 'string') return fault('malformed', header);
  const whole = await source.read(at, BLOCK_HEADER_BYTES + header.storedBytes + SIGNATURE_BYTES);
  const signedBytes = BLOCK_HEADER_BYTES + header.storedBytes;
  if (whole.length < signedBytes + SIGNATURE_BYTES) {
    return fault('truncated', 'the file ends in the middle of the block');
  }
  return {
    header,
    headerBytes,
    offset: at,
    stored: whole.subarray(BLOCK_HEADER_BYTES, signedBytes),
    hash: hashBlock(whole.subarray(0, signedBytes)),
    signature: whole.subarray(signedBytes),
    end: at + whole.length,
  };
}

function wrongSignature(
  block: ReadBlock,
  place: Place,
  keys: readonly PublicKey[] | undefined,
): Fault | undefined {
  if (keys === undefined) return undefined;
  const { keyId, flags } = block.header;
  const recovered = (flags & blockFlags.recovered) !== 0;
  if (place.index > 0 && keyId !== place.contextKeyId && !recovered) {
    return fault('edited', 'the block names another key than the recording');
  }
  const key = keys.find((candidate) => candidate.keyId === keyId);
  if (key === undefined) {
    return fault('wrong-key', `it is signed with key ${keyId}, which was not given`);
  }
  if (!verify(null, signedMessage(block.hash), key.key, block.signature)) {
    return fault('edited', 'the bytes of the block are not those that were signed');
  }
  return undefined;
}

/** The block itself is sound; is it the one that belongs here? */
async function wrongPlace(
  source: RecordingSource,
  block: ReadBlock,
  place: Place,
): Promise<Fault | undefined> {
  const { header } = block;
  if (header.index > place.index) {
    const later = await findBlock(source, block.end, place.index);
    return later
      ? fault('reordered', `block ${header.index} stands here, block ${place.index} later`)
      : fault(
          'missing',
          `block ${header.index} follows; ${header.index - place.index} are missing`,
        );
  }
  if (header.index < place.index) {
    return fault('reordered', `block ${header.index} stands here, out of its place`);
  }
  if (Buffer.compare(header.previous, place.previous) !== 0) {
    return fault('spliced', 'the block does not follow from the one before: it is from elsewhere');
  }
  return undefined;
}

/** Whether a block of that index comes later in the file. */
async function findBlock(source: RecordingSource, from: number, index: number): Promise<boolean> {
  let at = from;
  for (let looked = 0; looked < LOOKAHEAD_BLOCKS_MAX; looked += 1) {
    const bytes = await source.read(at, BLOCK_HEADER_BYTES);
    const header = decodeBlockHeader(bytes);
    if (typeof header === 'string') return false;
    if (header.index === index) return true;
    at += BLOCK_HEADER_BYTES + header.storedBytes + SIGNATURE_BYTES;
  }
  return false;
}

function content(block: ReadBlock): { readonly item: ScanItem } | Fault {
  const { header, headerBytes, stored, offset, hash } = block;
  if ((header.type === 'context') !== (header.index === 0)) {
    return fault('malformed', 'the context is the first block, and only that');
  }
  switch (header.type) {
    case 'context': {
      const context = decodeContext(stored);
      if (context === undefined) return fault('malformed', 'the context cannot be read');
      return { item: { kind: 'context', context, keyId: header.keyId } };
    }
    case 'seal': {
      const seal = decodeSeal(stored);
      if (seal === undefined) return fault('malformed', 'the seal cannot be read');
      return { item: { kind: 'seal', seal, hash, keyId: header.keyId } };
    }
    case 'frames':
    case 'salvage':
      return { item: { kind: 'block', block: { header, headerBytes, stored, offset } } };
  }
}

function wrongSeal(
  seal: RecordedSeal,
  place: Place,
  end: number,
  fileBytes: number,
): Fault | undefined {
  const head = Buffer.from(place.previous).toString('hex');
  if (seal.blocks !== place.index || seal.head !== head) {
    return fault('malformed', 'the seal is not that of the blocks before it');
  }
  if (end < fileBytes) return fault('trailing', `${fileBytes - end} bytes follow the seal`);
  return undefined;
}
