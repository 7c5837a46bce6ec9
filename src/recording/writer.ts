/**
 * Writes the blocks of one recording: compress, encrypt, chain, sign, one write to the kernel.
 * Used by the recording thread and by recovery; never on the data path's thread.
 *
 * Invariant: block n is signed over its header, its stored payload and the hash of block n-1, so
 * a file proves everything before its last block.
 */
import { sign, type KeyObject } from 'node:crypto';
import { writeSync } from 'node:fs';
import { constants, zstdCompressSync } from 'node:zlib';
import { GatewayError } from '#core/errors.ts';
import { sealBytes } from './encryption.ts';
import {
  BLOCK_BYTES_MAX,
  BLOCK_HEADER_BYTES,
  blockFlags,
  type BlockType,
  encodeBlockHeader,
  firstPrevious,
  hashBlock,
  preamble,
  SIGNATURE_BYTES,
  signedMessage,
  TAG_BYTES,
} from './format.ts';

/** Who signs. */
export interface BlockSigner {
  readonly keyId: string;
  readonly privateKey: KeyObject;
}

/** A block to be written. */
export interface NewBlock {
  readonly type: BlockType;
  readonly startedUs: number;
  readonly raw: Uint8Array;
  /** {@link blockFlags.recovered}, and `encrypted` for a salvage block of sealed entries. */
  readonly flags: number;
}

/** How far a recording has come. */
export interface Position {
  /** Index of the next block. */
  readonly index: number;
  /** Hash of the block before it. */
  readonly head: Uint8Array;
}

const COMPRESSION = {
  // What most blocks shrink to. A chunk is allocated whatever comes out of it, so that large ones
  // cost more in garbage than they save in joining.
  chunkSize: 16 * 1024,
  params: { [constants.ZSTD_c_compressionLevel]: 1 },
};
/** Below this a compressed block saves nothing that matters. */
const COMPRESS_BYTES_MIN = 64;

/** The writer of one recording. Not for concurrent use. */
export class BlockWriter {
  readonly #fd: number;
  readonly #signer: BlockSigner;
  readonly #key: KeyObject | undefined;
  #index: number;
  #head: Uint8Array;
  #bytes: number;

  /** Continues a file that ends at `position`; {@link create} starts one. */
  constructor(
    file: { readonly fd: number; readonly bytes: number; readonly position: Position },
    signer: BlockSigner,
    key: KeyObject | undefined,
  ) {
    this.#fd = file.fd;
    this.#bytes = file.bytes;
    this.#index = file.position.index;
    this.#head = file.position.head;
    this.#signer = signer;
    this.#key = key;
  }

  /** Writes the preamble into an empty file. */
  static create(fd: number, signer: BlockSigner, key: KeyObject | undefined): BlockWriter {
    writeAll(fd, preamble, preamble.length, 0);
    const position = { index: 0, head: firstPrevious };
    return new BlockWriter({ fd, bytes: preamble.length, position }, signer, key);
  }

  get position(): Position {
    return { index: this.#index, head: this.#head };
  }

  /** Bytes of the file. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Writes one block; returns when the kernel has it. Throws what the write threw. */
  append(block: NewBlock): void {
    const { type, raw } = block;
    let { flags } = block;
    let body: Uint8Array = raw;
    const compressible = type === 'frames' || (flags & blockFlags.encrypted) === 0;
    if (compressible && type !== 'context' && type !== 'seal' && raw.length > COMPRESS_BYTES_MIN) {
      const smaller = zstdCompressSync(raw, { ...COMPRESSION, pledgedSrcSize: raw.length });
      if (smaller.length < raw.length) {
        body = smaller;
        flags |= blockFlags.zstd;
      }
    }
    const key = type === 'frames' ? this.#key : undefined;
    if (key !== undefined) flags |= blockFlags.encrypted;
    const storedBytes = body.length + (key === undefined ? 0 : TAG_BYTES);
    const header = scratch.subarray(0, BLOCK_HEADER_BYTES);
    const fields = { index: this.#index, type, flags, rawBytes: raw.length, storedBytes };
    const chain = { keyId: this.#signer.keyId, previous: this.#head };
    encodeBlockHeader({ ...fields, ...chain, startedUs: block.startedUs }, header);
    if (key === undefined) {
      scratch.set(body, BLOCK_HEADER_BYTES);
    } else {
      const [sealed, tag] = sealBytes(key, this.#index, header, body);
      scratch.set(sealed, BLOCK_HEADER_BYTES);
      scratch.set(tag, BLOCK_HEADER_BYTES + sealed.length);
    }
    this.#finish(BLOCK_HEADER_BYTES + storedBytes);
  }

  #finish(length: number): void {
    const head = hashBlock(scratch.subarray(0, length));
    scratch.set(sign(null, signedMessage(head), this.#signer.privateKey), length);
    writeAll(this.#fd, scratch, length + SIGNATURE_BYTES, this.#bytes);
    this.#head = head;
    this.#index += 1;
    this.#bytes += length + SIGNATURE_BYTES;
  }
}

/** One a thread is enough: `append` is synchronous and keeps nothing in it. */
const scratch = new Uint8Array(BLOCK_BYTES_MAX);

/** A regular file takes a write whole or not at all, save for a full disk: that is an error. */
function writeAll(fd: number, bytes: Uint8Array, length: number, at: number): void {
  if (writeSync(fd, bytes, 0, length, at) !== length) {
    throw new GatewayError('SP_RECORDING_SPACE', { detail: 'a block was cut' });
  }
}
