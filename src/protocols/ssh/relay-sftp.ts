/**
 * SFTP on one channel: each operation judged with the path that the target itself resolved, before
 * a byte of it goes on; what was resolved is what goes on. Operations on a handle follow from what
 * opened it. Denials and failures are STATUS replies; the channel goes on.
 *
 * Invariants: requests are judged in order, one at a time; an answer is passed on only where a
 * request is owed one; a handle works for what it was opened for. A link that is changed between
 * the question and the operation can still lead elsewhere: an account that must not reach a file
 * must not be able to reach it at the target (`docs/operate/ssh.md`).
 */
import { GatewayError, toGatewayError } from '#core/errors.ts';
import type { AllowedCommand } from '#core/permit.ts';
import type { Refusal } from '#core/verdict.ts';
import { FieldReader, malformed, utf8 } from '#core/ssh-fields.ts';
import {
  framed,
  openFlag,
  PacketSplitter,
  readOneName,
  readRequest,
  sftp,
  type SftpRequest,
  status,
  writeRealpath,
  writeRequest,
  writeStatus,
} from './codec/sftp.ts';
import { makeCommand } from './commands.ts';
import { fileOperation, verbOf } from './commands-sftp.ts';
import { OpenFiles } from './open-files.ts';
import { holdText, refusalText, refuse } from './refusal.ts';
import type { ChannelHost } from './relay-host.ts';

export interface SftpFilterParts {
  readonly host: ChannelHost;
  /** Tells how many bytes of the client wait here. */
  readonly kept: (bytes: number) => void;
  readonly toTarget: (bytes: Uint8Array) => void;
  readonly toClient: (bytes: Uint8Array) => void;
  /** A line for whoever watches, beside the protocol. */
  readonly say: (text: string) => void;
}

const encoder = new TextEncoder();
/** Requests that may wait here, for each that may be under way at the target. */
const WAITING_FACTOR = 4;

export class SftpFilter {
  readonly #parts: SftpFilterParts;
  readonly #cancelled = new AbortController();
  readonly #client = new PacketSplitter();
  readonly #target = new PacketSplitter();
  readonly #files: OpenFiles;
  /** Requests of the client that are owed an answer. */
  readonly #owed = new Map<number, SftpRequest>();
  /** The gateway's own question under way. */
  #asking: { readonly id: number; answer(packet: Uint8Array): void } | undefined;
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #isBusy = false;
  #hasStarted = false;
  #isClosed = false;
  #afterAll: (() => void) | undefined;
  /** Called when an answer makes room for another request. */
  #onRoom: (() => void) | undefined;

  constructor(parts: SftpFilterParts) {
    this.#parts = parts;
    const { tape } = parts.host.stages;
    this.#files = new OpenFiles((kind, data) => tape.mark(kind, data));
  }

  fromClient(bytes: Uint8Array): void {
    const { fileRequestsMax } = this.#parts.host.services.limits;
    this.#client.push(bytes, (packet) => {
      if (this.#waiting.length >= WAITING_FACTOR * fileRequestsMax) {
        throw malformed('more requests than anybody waits for');
      }
      this.#waiting.push(packet.slice());
      this.#waitingBytes += packet.length;
    });
    this.#parts.kept(this.#waitingBytes);
    if (!this.#isBusy) void this.#work();
  }

  fromTarget(bytes: Uint8Array): void {
    this.#target.push(bytes, (packet) => this.#answer(packet));
  }

  /** Runs `action` once everything that the client sent has gone on. */
  behindAll(action: () => void): void {
    if (this.#isBusy || this.#waiting.length > 0) this.#afterAll = action;
    else action();
  }

  /** The channel is over: nothing is waited for, and what was open is told. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelled.abort();
    this.#waiting.length = 0;
    this.#files.closeAll();
    this.#onRoom?.();
  }

  /** One request after the other; a usual one costs no turn of the event loop. */
  async #work(): Promise<void> {
    this.#isBusy = true;
    try {
      for (;;) {
        const packet = this.#waiting.shift();
        if (packet === undefined || this.#isClosed) break;
        this.#waitingBytes -= packet.length;
        const working = this.#request(packet);
        if (working !== undefined) await working;
        this.#parts.kept(this.#waitingBytes);
      }
      this.#isBusy = false;
      this.#afterAll?.();
      this.#afterAll = undefined;
    } catch (thrown) {
      this.#parts.host.failed(toGatewayError(thrown));
    }
  }

  #request(packet: Uint8Array): Promise<void> | undefined {
    if (!this.#hasStarted) return this.#init(packet);
    const request = readRequest(packet);
    if (this.#owed.has(request.id)) throw malformed('two requests under one number');
    if (this.#owed.size >= this.#parts.host.services.limits.fileRequestsMax) {
      return this.#room().then(() => this.#request(packet));
    }
    if (request.kind === undefined) {
      this.#deny(request, status.unsupported, 'not supported by the gateway');
      return undefined;
    }
    switch (request.kind.shape) {
      case 'nothing':
        this.#forward(request, framed(packet));
        return undefined;
      case 'handle':
        return this.#onHandle(request, packet);
      case 'path':
      case 'entry':
      case 'entries':
      case 'link':
        return this.#onPaths(request);
    }
  }

  #init(packet: Uint8Array): undefined {
    if (packet[0] !== sftp.init) throw malformed('SFTP that does not start');
    this.#hasStarted = true;
    this.#parts.toTarget(framed(packet));
    return undefined;
  }

  #onHandle(request: SftpRequest, packet: Uint8Array): Promise<void> | undefined {
    const file = request.handle === undefined ? undefined : this.#files.find(request.handle);
    if (file === undefined) {
      this.#deny(request, status.failure, 'no such handle');
      return undefined;
    }
    // What changes a file through a handle that was opened to read it is an operation of its own.
    const changes = request.type === sftp.fsetstat && !file.writes;
    const isFit = request.type !== sftp.write || file.writes;
    if (!isFit) {
      this.#deny(request, status.denied, 'the file is not open for writing');
      return undefined;
    }
    if (changes) {
      return this.#judge(request, verbOf(request), [file.path]).then((allowed) => {
        if (allowed) this.#forward(request, framed(packet));
      });
    }
    this.#files.requested(file, request);
    this.#forward(request, framed(packet));
    return undefined;
  }

  async #onPaths(request: SftpRequest): Promise<void> {
    const paths: string[] = [];
    try {
      paths.push(...request.paths.map(utf8));
    } catch {
      return this.#deny(request, status.denied, 'a path that is not UTF-8');
    }
    if (paths.some((path) => path.includes('\0'))) throw malformed('a path with a zero byte');
    const verb = verbOf(request);
    const reads = verb === 'read' || verb === 'read-write';
    if (reads && this.#parts.host.stages.masks.content !== undefined) {
      const why = refuse('SP_MASK_UNSOUND', 'files in transfer cannot be masked');
      return this.#deny(request, status.denied, refusalText(why));
    }
    const resolved: string[] = [];
    for (const [index, path] of paths.entries()) {
      resolved.push(await this.#resolve(path, followsLast(request, index)));
    }
    if (!(await this.#judge(request, verb, resolved))) return;
    this.#forward(
      request,
      writeRequest(
        request,
        resolved.map((path) => encoder.encode(path)),
      ),
      resolved[0],
    );
  }

  /** The gate's answer for an operation; a refusal is answered here. */
  async #judge(request: SftpRequest, verb: string, paths: readonly string[]): Promise<boolean> {
    const { host } = this.#parts;
    const { stages } = host;
    const operation = fileOperation(verb, paths, host.settings.home);
    const command = makeCommand(stages, { ...operation, state: 'sftp' });
    const answer: AllowedCommand | Refusal = await stages.gate(
      command,
      (notice) => this.#parts.say(holdText(notice)),
      this.#cancelled.signal,
    );
    if (this.#isClosed) return false;
    if (!answer.refused) {
      stages.sent(answer);
      return true;
    }
    this.#deny(request, status.denied, refusalText(answer));
    if (answer.endsSession) host.ended(answer);
    return false;
  }

  /**
   * The absolute path that the target makes of one; as it was where the target has none.
   *
   * @param isFollowed - whether the operation follows a link in the last part.
   */
  async #resolve(path: string, isFollowed: boolean | 'no'): Promise<string> {
    if (isFollowed === 'no') return path;
    if (isFollowed) return (await this.#realpath(path)) ?? path;
    const plain = path.replace(/\/+$/, '');
    const slash = plain.lastIndexOf('/');
    const last = plain.slice(slash + 1);
    // The root, and parts that mean another directory, have no entry of their own.
    if (last === '' || last === '.' || last === '..') return (await this.#realpath(path)) ?? path;
    const parent = slash < 0 ? '.' : plain.slice(0, slash + 1);
    const directory = await this.#realpath(parent);
    return directory === undefined ? path : `${directory.replace(/\/$/, '')}/${last}`;
  }

  async #realpath(path: string): Promise<string | undefined> {
    const packet = await new Promise<Uint8Array>((resolve) => {
      let id = 0xffffffff;
      while (this.#owed.has(id)) id -= 1;
      this.#asking = { id, answer: (answer) => resolve(answer.slice()) };
      this.#parts.toTarget(writeRealpath(id, encoder.encode(path)));
      this.#cancelled.signal.addEventListener('abort', () => resolve(new Uint8Array([0])), {
        once: true,
      });
    });
    const name = readOneName(packet);
    return name === undefined ? undefined : utf8(name);
  }

  #forward(request: SftpRequest, packet: Uint8Array, path?: string): void {
    if (this.#isClosed) return;
    this.#owed.set(request.id, request);
    if (path !== undefined) this.#files.opening(request, path);
    this.#parts.toTarget(packet);
  }

  #deny({ id }: SftpRequest, code: number, text: string): void {
    if (!this.#isClosed) this.#parts.toClient(writeStatus(id, code, text));
  }

  /** One packet of the target. */
  #answer(packet: Uint8Array): void {
    const fields = new FieldReader(packet);
    const type = fields.byte();
    if (type === sftp.version) return this.#parts.toClient(framed(packet));
    const id = fields.uint32();
    if (this.#asking?.id === id) {
      const asking = this.#asking;
      this.#asking = undefined;
      return asking.answer(packet);
    }
    const request = this.#owed.get(id);
    if (request === undefined) {
      throw new GatewayError('SP_TARGET_PROTOCOL', { detail: 'an SFTP answer to no request' });
    }
    this.#owed.delete(id);
    this.#files.answered(request, packet);
    this.#parts.toClient(framed(packet));
    this.#onRoom?.();
  }

  #room(): Promise<void> {
    return new Promise((resolve) => {
      this.#onRoom = () => {
        this.#onRoom = undefined;
        resolve();
      };
    });
  }
}

/** Whether an operation follows a link at the end of a path of its; `no` leaves the path alone. */
function followsLast(request: SftpRequest, index: number): boolean | 'no' {
  // OpenSSH has the text of the link first, and it need not be a path of this host at all.
  if (request.kind?.shape === 'link') return index === 0 ? 'no' : false;
  if (request.kind?.shape !== 'path') return false;
  if (request.type !== sftp.open) return true;
  return (new FieldReader(request.rest).uint32() & openFlag.exclusive) === 0;
}
