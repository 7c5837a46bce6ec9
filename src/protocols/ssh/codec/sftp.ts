/**
 * SFTP version 3 (draft-ietf-secsh-filexfer-02), as OpenSSH speaks it with its extensions: packets,
 * and of each what has to be judged. Closed: a packet without a row in {@link requests} is refused.
 */
import { FieldReader, FieldWriter, malformed } from '#core/ssh-fields.ts';
import { ByteQueue } from '../byte-queue.ts';

/** The longest packet, as OpenSSH has it. */
export const SFTP_PACKET_BYTES_MAX: number = 256 * 1024;
/** The shortest: its type, and a number or a version. */
const SFTP_PACKET_BYTES_MIN = 5;
const LENGTH_BYTES = 4;

export const sftp = {
  init: 1,
  version: 2,
  open: 3,
  close: 4,
  read: 5,
  write: 6,
  lstat: 7,
  fstat: 8,
  setstat: 9,
  fsetstat: 10,
  opendir: 11,
  readdir: 12,
  remove: 13,
  mkdir: 14,
  rmdir: 15,
  realpath: 16,
  stat: 17,
  rename: 18,
  readlink: 19,
  symlink: 20,
  status: 101,
  handle: 102,
  data: 103,
  name: 104,
  attributes: 105,
  extended: 200,
  extendedReply: 201,
} as const;

/** Codes of STATUS. */
export const status = {
  ok: 0,
  eof: 1,
  noSuchFile: 2,
  denied: 3,
  failure: 4,
  unsupported: 8,
} as const;

/** Flags of OPEN. */
export const openFlag = {
  read: 1,
  write: 2,
  append: 4,
  create: 8,
  truncate: 16,
  exclusive: 32,
} as const;

/** How a request names what it is about. */
type Shape =
  /** A path, whose symbolic links are followed. */
  | 'path'
  /** A path, of which the last part is meant as it is. */
  | 'entry'
  /** Two such. */
  | 'entries'
  /** A symbolic link: what it says, and where it is put. */
  | 'link'
  | 'handle'
  | 'nothing';

/** One kind of request: how a person reads it, and how it names its object. */
export interface RequestKind {
  readonly verb: string;
  readonly shape: Shape;
}

const requests: Readonly<Record<number, RequestKind>> = {
  [sftp.open]: { verb: 'open', shape: 'path' },
  [sftp.close]: { verb: 'close', shape: 'handle' },
  [sftp.read]: { verb: 'read', shape: 'handle' },
  [sftp.write]: { verb: 'write', shape: 'handle' },
  [sftp.lstat]: { verb: 'stat', shape: 'entry' },
  [sftp.fstat]: { verb: 'stat', shape: 'handle' },
  [sftp.setstat]: { verb: 'setstat', shape: 'path' },
  [sftp.fsetstat]: { verb: 'setstat', shape: 'handle' },
  [sftp.opendir]: { verb: 'list', shape: 'path' },
  [sftp.readdir]: { verb: 'list', shape: 'handle' },
  [sftp.remove]: { verb: 'remove', shape: 'entry' },
  [sftp.mkdir]: { verb: 'mkdir', shape: 'entry' },
  [sftp.rmdir]: { verb: 'rmdir', shape: 'entry' },
  [sftp.realpath]: { verb: 'realpath', shape: 'path' },
  [sftp.stat]: { verb: 'stat', shape: 'path' },
  [sftp.rename]: { verb: 'rename', shape: 'entries' },
  [sftp.readlink]: { verb: 'readlink', shape: 'entry' },
  [sftp.symlink]: { verb: 'symlink', shape: 'link' },
};

const extensions: Readonly<Record<string, RequestKind>> = {
  'posix-rename@openssh.com': { verb: 'rename', shape: 'entries' },
  'hardlink@openssh.com': { verb: 'hardlink', shape: 'entries' },
  'lsetstat@openssh.com': { verb: 'setstat', shape: 'entry' },
  'statvfs@openssh.com': { verb: 'stat', shape: 'path' },
  'fstatvfs@openssh.com': { verb: 'stat', shape: 'handle' },
  'fsync@openssh.com': { verb: 'sync', shape: 'handle' },
  'expand-path@openssh.com': { verb: 'realpath', shape: 'path' },
  'limits@openssh.com': { verb: 'limits', shape: 'nothing' },
  'users-groups-by-id@openssh.com': { verb: 'names', shape: 'nothing' },
};

/** A request of a client, decoded as far as it is judged. */
export interface SftpRequest {
  readonly type: number;
  readonly id: number;
  /** Name of an extended request; empty for others. */
  readonly extension: string;
  /** Undefined for a request that is not known here. */
  readonly kind: RequestKind | undefined;
  /** Zero to two paths, as bytes, in the order of the wire. */
  readonly paths: readonly Uint8Array[];
  readonly handle: Uint8Array | undefined;
  /** Everything behind paths or handle. */
  readonly rest: Uint8Array;
}

const pathCounts: Readonly<Record<Shape, number>> = {
  path: 1,
  entry: 1,
  entries: 2,
  link: 2,
  handle: 0,
  nothing: 0,
};

/** Decodes a request; malformed when its fields do not fit its type. */
export function readRequest(packet: Uint8Array): SftpRequest {
  const fields = new FieldReader(packet);
  const type = fields.byte();
  const id = fields.uint32();
  const extension = type === sftp.extended ? fields.text() : '';
  const table: Readonly<Record<string, RequestKind>> =
    type === sftp.extended ? extensions : requests;
  const key = type === sftp.extended ? extension : String(type);
  const kind = Object.hasOwn(table, key) ? table[key] : undefined;
  const paths: Uint8Array[] = [];
  const count = kind === undefined ? 0 : pathCounts[kind.shape];
  while (paths.length < count) paths.push(fields.string());
  const handle = kind?.shape === 'handle' ? fields.string() : undefined;
  return { type, id, extension, kind, paths, handle, rest: fields.rest() };
}

/** The packet of a request with other paths. */
export function writeRequest(request: SftpRequest, paths: readonly Uint8Array[]): Uint8Array {
  const writer = new FieldWriter().byte(request.type).uint32(request.id);
  if (request.type === sftp.extended) writer.text(request.extension);
  for (const path of paths) writer.string(path);
  if (request.handle !== undefined) writer.string(request.handle);
  return framed(writer.raw(request.rest).done());
}

/** A packet behind its length. */
export const framed = (packet: Uint8Array): Uint8Array => new FieldWriter().string(packet).done();

/** STATUS, as the server answers a request with. */
export const writeStatus = (id: number, code: number, text: string): Uint8Array =>
  framed(new FieldWriter().byte(sftp.status).uint32(id).uint32(code).text(text).text('en').done());

export const writeRealpath = (id: number, path: Uint8Array): Uint8Array =>
  framed(new FieldWriter().byte(sftp.realpath).uint32(id).string(path).done());

/** The one name that REALPATH is answered with; undefined for an answer without one. */
export function readOneName(packet: Uint8Array): Uint8Array | undefined {
  const fields = new FieldReader(packet);
  if (fields.byte() !== sftp.name) return undefined;
  fields.uint32();
  return fields.uint32() === 1 ? fields.string() : undefined;
}

/** Cuts a stream of bytes into packets. Keeps one packet at most. */
export class PacketSplitter {
  readonly #rest = new ByteQueue();

  /** Gives each packet without its length; a view that is valid only during the call. */
  push(chunk: Uint8Array, take: (packet: Uint8Array) => void): void {
    const isContinued = this.#rest.length > 0;
    if (isContinued) this.#rest.push(chunk);
    const bytes = isContinued ? this.#rest.peek() : chunk;
    let at = 0;
    while (bytes.length - at >= LENGTH_BYTES) {
      const length = new DataView(bytes.buffer, bytes.byteOffset + at).getUint32(0);
      if (length < SFTP_PACKET_BYTES_MIN || length > SFTP_PACKET_BYTES_MAX) {
        throw malformed('the length of a packet');
      }
      const end = at + LENGTH_BYTES + length;
      if (end > bytes.length) break;
      take(bytes.subarray(at + LENGTH_BYTES, end));
      at = end;
    }
    if (isContinued) this.#rest.drop(at);
    else this.#rest.push(bytes.subarray(at));
  }
}
