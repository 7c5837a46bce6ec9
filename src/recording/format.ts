/**
 * The bytes of a recording: preamble, block header, chain. `docs/recording-format.md` says the same
 * for strangers; a change here is a new format version there. All numbers are big-endian.
 *
 * Pure. Decoding never trusts a length: it is checked against the limits of its block type before
 * anybody allocates by it.
 */
import { hash } from 'node:crypto';

/** Version in the preamble. Readers refuse any other. */
export const FORMAT_VERSION = 1;
/** Raw bytes of one block of frames. */
export const BLOCK_RAW_BYTES_MAX: number = 64 * 1024;
/** Raw bytes of the context and the seal. */
export const DOCUMENT_BYTES_MAX: number = 1024 * 1024;
/** Raw bytes of one salvaged block: a whole block of frames, its entry header and its tag. */
export const SALVAGE_BYTES_MAX: number = BLOCK_RAW_BYTES_MAX + 64;
/** What authenticated encryption adds to a payload. */
export const TAG_BYTES = 16;
export const PREAMBLE_BYTES = 16;
export const BLOCK_HEADER_BYTES = 72;
export const HASH_BYTES = 32;
export const KEY_ID_BYTES = 8;
export const SIGNATURE_BYTES = 64;
/** The largest block: what a reader's and a writer's buffer must hold. */
export const BLOCK_BYTES_MAX: number =
  BLOCK_HEADER_BYTES + DOCUMENT_BYTES_MAX + TAG_BYTES + SIGNATURE_BYTES;

/** What a block holds. */
export const blockTypes = { context: 1, frames: 2, seal: 3, salvage: 4 } as const;
export type BlockType = keyof typeof blockTypes;

/** Bits of the block header's flags. */
export const blockFlags = { zstd: 1, encrypted: 2, recovered: 4 } as const;
const KNOWN_FLAGS = blockFlags.zstd | blockFlags.encrypted | blockFlags.recovered;

const BLOCK_MAGIC = 0x53504231; // 'SPB1'
const SIGNED_PREFIX: Uint8Array = new TextEncoder().encode('sallyport-recording-v1\n');
const rawBytesMax: Readonly<Record<BlockType, number>> = {
  context: DOCUMENT_BYTES_MAX,
  frames: BLOCK_RAW_BYTES_MAX,
  seal: DOCUMENT_BYTES_MAX,
  salvage: SALVAGE_BYTES_MAX,
};

/** The first bytes of every recording: magic, version, zeros. */
export const preamble: Uint8Array = Uint8Array.of(
  // biome-ignore format: eight bytes a line, as the format's page has them
  0x89,
  0x53,
  0x50,
  0x52,
  0x45,
  0x43,
  0x0d,
  0x0a,
  FORMAT_VERSION >> 8,
  FORMAT_VERSION & 0xff,
  0,
  0,
  0,
  0,
  0,
  0,
);

/** What stands in a block's header. */
export interface BlockHeader {
  /** Position in the file; the context is 0. */
  readonly index: number;
  readonly type: BlockType;
  readonly flags: number;
  /** Length of the payload once it is decrypted and decompressed. */
  readonly rawBytes: number;
  /** Length of the payload in the file. */
  readonly storedBytes: number;
  /** Microseconds from the start of the session to the block's time zero. */
  readonly startedUs: number;
  /** Which key signed the block: the first 8 bytes of SHA-256 over the raw public key, hex. */
  readonly keyId: string;
  /** Hash of the block before; of the preamble for block 0. */
  readonly previous: Uint8Array;
}

/** Writes a block header into the first 72 bytes of `out`. */
export function encodeBlockHeader(header: BlockHeader, out: Uint8Array): void {
  const view = new DataView(out.buffer, out.byteOffset, BLOCK_HEADER_BYTES);
  view.setUint32(0, BLOCK_MAGIC);
  view.setUint32(4, header.index);
  view.setUint8(8, blockTypes[header.type]);
  view.setUint8(9, header.flags);
  view.setUint16(10, 0);
  view.setUint32(12, header.rawBytes);
  view.setUint32(16, header.storedBytes);
  view.setUint32(20, 0);
  writeUint53(view, 24, header.startedUs);
  out.set(Buffer.from(header.keyId, 'hex').subarray(0, KEY_ID_BYTES), 32);
  out.set(header.previous.subarray(0, HASH_BYTES), 40);
}

/**
 * Reads a block header.
 *
 * @param bytes - at least 72 bytes; views of it are kept in the result.
 * @returns the header, or what is wrong with it, in words.
 */
export function decodeBlockHeader(bytes: Uint8Array): BlockHeader | string {
  if (bytes.length < BLOCK_HEADER_BYTES) return 'the block header is cut';
  const view = new DataView(bytes.buffer, bytes.byteOffset, BLOCK_HEADER_BYTES);
  if (view.getUint32(0) !== BLOCK_MAGIC) return 'no block starts here';
  const type = blockType(view.getUint8(8));
  if (type === undefined) return 'the block type is unknown';
  const flags = view.getUint8(9);
  if ((flags & ~KNOWN_FLAGS) !== 0) return 'the block has unknown flags';
  if (view.getUint16(10) !== 0 || view.getUint32(20) !== 0) return 'reserved bytes are not zero';
  const startedUs = readUint53(view, 24);
  if (startedUs === undefined) return 'the time is out of range';
  const rawBytes = view.getUint32(12);
  const storedBytes = view.getUint32(16);
  if (rawBytes > rawBytesMax[type]) return 'the raw length is above the limit';
  const wrong = wrongLength(type, flags, rawBytes, storedBytes);
  if (wrong !== undefined) return wrong;
  return {
    index: view.getUint32(4),
    type,
    flags,
    rawBytes,
    storedBytes,
    startedUs,
    keyId: Buffer.from(bytes.subarray(32, 32 + KEY_ID_BYTES)).toString('hex'),
    previous: bytes.subarray(40, 40 + HASH_BYTES),
  };
}

/** Stored and raw length must fit each other: the only freedom is how far zstd got. */
function wrongLength(
  type: BlockType,
  flags: number,
  rawBytes: number,
  storedBytes: number,
): string | undefined {
  const zstd = (flags & blockFlags.zstd) !== 0;
  const sealed = type === 'frames' && (flags & blockFlags.encrypted) !== 0;
  const body = storedBytes - (sealed ? TAG_BYTES : 0);
  if (zstd ? body < 1 || body >= rawBytes : body !== rawBytes) {
    return 'the lengths do not fit each other';
  }
  const document = type === 'context' || type === 'seal';
  if (document && (flags & ~blockFlags.recovered) !== 0) return 'a document block has odd flags';
  if (type === 'salvage' && zstd && (flags & blockFlags.encrypted) !== 0) {
    return 'a salvaged block is both encrypted and compressed';
  }
  return undefined;
}

function blockType(code: number): BlockType | undefined {
  switch (code) {
    case blockTypes.context:
      return 'context';
    case blockTypes.frames:
      return 'frames';
    case blockTypes.seal:
      return 'seal';
    case blockTypes.salvage:
      return 'salvage';
    default:
      return undefined;
  }
}

/** Hash of a block: SHA-256 over its header and stored payload, which lie next to each other. */
export const hashBlock = (headerAndPayload: Uint8Array): Uint8Array =>
  hash('sha256', headerAndPayload, 'buffer');

/** What the first block has as `previous`. */
export const firstPrevious: Uint8Array = hashBlock(preamble);

/** The message that a block's signature is over. */
export function signedMessage(blockHash: Uint8Array): Uint8Array {
  const message = new Uint8Array(SIGNED_PREFIX.length + HASH_BYTES);
  message.set(SIGNED_PREFIX);
  message.set(blockHash.subarray(0, HASH_BYTES), SIGNED_PREFIX.length);
  return message;
}

/** Writes a safe integer as 8 bytes. */
export function writeUint53(view: DataView, at: number, value: number): void {
  view.setUint32(at, Math.floor(value / 0x1_0000_0000));
  view.setUint32(at + 4, value >>> 0);
}

/** Reads 8 bytes as a safe integer; undefined when it is not one. */
export function readUint53(view: DataView, at: number): number | undefined {
  const high = view.getUint32(at);
  return high > 0x1f_ffff ? undefined : high * 0x1_0000_0000 + view.getUint32(at + 4);
}
