/** Where a reader's bytes come from: a file, or memory in tests. */
import { type FileHandle, open } from 'node:fs/promises';

/** Random access to a recording. */
export interface RecordingSource {
  readonly bytes: number;
  /** Up to `length` bytes from `at`; fewer at the end. The result is the caller's. */
  read(at: number, length: number): Promise<Uint8Array>;
}

/** Opens a file for reading; give the handle back with {@link FileSource.close}. */
export class FileSource implements RecordingSource {
  readonly bytes: number;
  readonly #handle: FileHandle;

  private constructor(handle: FileHandle, bytes: number) {
    this.#handle = handle;
    this.bytes = bytes;
  }

  static async open(path: string): Promise<FileSource> {
    const handle = await open(path, 'r');
    const { size } = await handle.stat();
    return new FileSource(handle, size);
  }

  async read(at: number, length: number): Promise<Uint8Array> {
    const buffer = new Uint8Array(Math.min(length, Math.max(0, this.bytes - at)));
    let got = 0;
    while (got < buffer.length) {
      const { bytesRead } = await this.#handle.read(buffer, got, buffer.length - got, at + got);
      if (bytesRead === 0) break;
      got += bytesRead;
    }
    return buffer.subarray(0, got);
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

/** @internal A recording in memory. */
export function memorySource(bytes: Uint8Array): RecordingSource {
  return {
    bytes: bytes.length,
    read: (at, length) => Promise.resolve(new Uint8Array(bytes.subarray(at, at + length))),
  };
}
