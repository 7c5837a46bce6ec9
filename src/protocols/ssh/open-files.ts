/**
 * The files and directories that an SFTP channel has open: which path a handle is, what it may be
 * used for, and what went through it, told when it is closed.
 *
 * The SHA-256 is of the bytes in the order of the file; it is left out when they were not read or
 * written from the start without a gap.
 */
import { createHash, type Hash } from 'node:crypto';
import { FieldReader } from '#core/ssh-fields.ts';
import { openFlag, sftp, type SftpRequest, status } from './codec/sftp.ts';
import { malformed } from '#core/ssh-fields.ts';

const HANDLES_MAX = 1_024;
/** Of one handle, as the protocol has it. */
const HANDLE_BYTES_MAX = 256;

/** One open handle. */
export interface OpenFile {
  readonly path: string;
  readonly writes: boolean;
  readonly isDirectory: boolean;
  readonly read: Passage;
  readonly written: Passage;
}

/** What went one way. Undefined hash: not in order. */
interface Passage {
  bytes: number;
  hash: Hash | undefined;
  next: bigint;
}

/** A request under way that will change what is known of a file. */
interface Pending {
  readonly file?: OpenFile | undefined;
  readonly path?: string | undefined;
  readonly offset?: bigint;
}

export class OpenFiles {
  readonly #tell: (kind: string, data: Readonly<Record<string, unknown>>) => void;
  readonly #open = new Map<string, OpenFile>();
  readonly #pending = new Map<number, Pending>();

  constructor(tell: (kind: string, data: Readonly<Record<string, unknown>>) => void) {
    this.#tell = tell;
  }

  find(handle: Uint8Array): OpenFile | undefined {
    return this.#open.get(keyOf(handle));
  }

  /** An OPEN or OPENDIR of this path went on. */
  opening(request: SftpRequest, path: string): void {
    if (request.type !== sftp.open && request.type !== sftp.opendir) return;
    if (this.#open.size >= HANDLES_MAX) throw malformed('too many open files');
    this.#pending.set(request.id, { path });
  }

  /** A request on a handle goes on. */
  requested(file: OpenFile, request: SftpRequest): void {
    if (request.type === sftp.read) {
      this.#pending.set(request.id, { file, offset: new FieldReader(request.rest).uint64() });
    } else if (request.type === sftp.write) {
      const fields = new FieldReader(request.rest);
      const offset = fields.uint64();
      pass(file.written, offset, fields.string());
    } else if (request.type === sftp.close && request.handle !== undefined) {
      this.#open.delete(keyOf(request.handle));
      this.#closed(file);
    }
  }

  /** The target answered. */
  answered(request: SftpRequest, packet: Uint8Array): void {
    const pending = this.#pending.get(request.id);
    this.#pending.delete(request.id);
    if (pending === undefined) return;
    const fields = new FieldReader(packet);
    const type = fields.byte();
    fields.uint32();
    if (type === sftp.handle && pending.path !== undefined) {
      const handle = fields.string();
      if (handle.length > HANDLE_BYTES_MAX) throw malformed('a handle');
      this.#open.set(keyOf(handle), openedFile(request, pending.path));
    } else if (type === sftp.data && pending.file !== undefined) {
      pass(pending.file.read, pending.offset ?? 0n, fields.string());
    } else if (type === sftp.status && fields.uint32() === status.ok) {
      throw malformed('a file that was opened without a handle');
    }
  }

  closeAll(): void {
    for (const file of this.#open.values()) this.#closed(file);
    this.#open.clear();
  }

  #closed(file: OpenFile): void {
    if (file.isDirectory) return;
    this.#tell('file.closed', {
      path: file.path,
      ...told('read', file.read),
      ...told('written', file.written),
    });
  }
}

const keyOf = (handle: Uint8Array): string => Buffer.from(handle).toString('base64');

function openedFile(request: SftpRequest, path: string): OpenFile {
  const isDirectory = request.type === sftp.opendir;
  const flags = isDirectory ? 0 : new FieldReader(request.rest).uint32();
  const writing = openFlag.write | openFlag.append | openFlag.create | openFlag.truncate;
  return {
    path,
    isDirectory,
    writes: (flags & writing) !== 0,
    read: passage(),
    written: passage(),
  };
}

const passage = (): Passage => ({ bytes: 0, hash: createHash('sha256'), next: 0n });

function pass(way: Passage, offset: bigint, bytes: Uint8Array): void {
  if (offset !== way.next) way.hash = undefined;
  way.hash?.update(bytes);
  way.next = offset + BigInt(bytes.length);
  way.bytes += bytes.length;
}

function told(name: string, { bytes, hash }: Passage): Readonly<Record<string, unknown>> {
  if (bytes === 0) return {};
  return { [`${name}Bytes`]: bytes, [`${name}Sha256`]: hash?.digest('hex') ?? null };
}
