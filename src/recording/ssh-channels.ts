/**
 * Takes the recorded messages of an SSH session apart (RFC 4254, each behind its length): which
 * channel started what, what went through it, how it ended. A pure function of the bytes, bounded;
 * bytes that are no messages end the telling.
 *
 * What was typed on a terminal is told apart from what a program was given: a terminal shows it by
 * itself, unless it is a password.
 */
import type { Direction } from '#core/tape.ts';

const MESSAGE_BYTES_MAX = 64 * 1024;
const CHANNELS_MAX = 1_024;

const type = { open: 90, confirmation: 91, data: 94, stderr: 95, close: 97, request: 98 } as const;

/** What happened on a channel. Bytes are valid only during the call. */
export type ChannelEvent =
  | { readonly kind: 'started'; readonly channel: number; readonly what: string }
  | {
      readonly kind: 'resized';
      readonly channel: number;
      readonly columns: number;
      readonly rows: number;
    }
  | {
      readonly kind: 'output' | 'errors' | 'input';
      readonly channel: number;
      readonly bytes: Uint8Array;
      /** Whether it is for a program rather than for eyes: SFTP, a forwarded connection. */
      readonly isBinary: boolean;
      readonly hasTerminal: boolean;
    }
  | { readonly kind: 'exited'; readonly channel: number; readonly status: string };

interface Channel {
  readonly number: number;
  hasTerminal: boolean;
  isBinary: boolean;
}

export class SshChannels {
  readonly #rests: Record<Direction, Uint8Array> = {
    'from-client': new Uint8Array(0),
    'to-client': new Uint8Array(0),
  };
  /** By the client's number, in which the gateway's messages name a channel. */
  readonly #byClient = new Map<number, Channel>();
  readonly #byGateway = new Map<number, Channel>();
  #count = 0;
  #isLost = false;

  /** Whether the bytes were no messages, so that nothing more is told. */
  get isLost(): boolean {
    return this.#isLost;
  }

  push(direction: Direction, bytes: Uint8Array, tell: (event: ChannelEvent) => void): void {
    if (this.#isLost) return;
    const rest = this.#rests[direction];
    const all = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    let at = 0;
    while (all.length - at >= 4) {
      const length = new DataView(all.buffer, all.byteOffset + at).getUint32(0);
      if (length < 1 || length > MESSAGE_BYTES_MAX) {
        this.#isLost = true;
        return;
      }
      if (all.length - at - 4 < length) break;
      this.#message(direction, new Fields(all.subarray(at + 4, at + 4 + length)), tell);
      at += 4 + length;
    }
    this.#rests[direction] = new Uint8Array(all.subarray(at));
  }

  #message(direction: Direction, fields: Fields, tell: (event: ChannelEvent) => void): void {
    const number = fields.byte();
    const isClient = direction === 'from-client';
    const own = isClient ? this.#byClient : this.#byGateway;
    const known = isClient ? this.#byGateway : this.#byClient;
    if (number === type.open) {
      const kind = fields.text();
      own.set(fields.uint32(), this.#opened(kind));
      return;
    }
    if (number === type.confirmation) {
      const channel = known.get(fields.uint32());
      if (channel !== undefined) own.set(fields.uint32(), channel);
      return;
    }
    const id = fields.uint32();
    const channel = known.get(id);
    if (channel === undefined) return;
    const { hasTerminal, isBinary } = channel;
    const about = { channel: channel.number, hasTerminal, isBinary };
    if (number === type.data) {
      tell({ kind: isClient ? 'input' : 'output', ...about, bytes: fields.string() });
    } else if (number === type.stderr) {
      fields.uint32();
      tell({ kind: 'errors', ...about, bytes: fields.string() });
    } else if (number === type.request) {
      this.#request(channel, fields, tell);
    } else if (number === type.close && !isClient) {
      this.#byClient.delete(id);
    }
  }

  /** What is passed on is for programs; what a session writes is for eyes, unless it is files. */
  #opened(kind: string): Channel {
    if (this.#byClient.size >= CHANNELS_MAX) this.#byClient.clear();
    if (this.#byGateway.size >= CHANNELS_MAX) this.#byGateway.clear();
    this.#count += 1;
    return { number: this.#count, hasTerminal: false, isBinary: kind !== 'session' };
  }

  #request(channel: Channel, fields: Fields, tell: (event: ChannelEvent) => void): void {
    const name = fields.text();
    fields.byte();
    const about = { channel: channel.number };
    switch (name) {
      case 'pty-req':
        fields.string();
        channel.hasTerminal = true;
        tell({ kind: 'resized', ...about, columns: fields.uint32(), rows: fields.uint32() });
        return;
      case 'window-change':
        tell({ kind: 'resized', ...about, columns: fields.uint32(), rows: fields.uint32() });
        return;
      case 'exec':
        tell({ kind: 'started', ...about, what: fields.text() });
        return;
      case 'shell':
        tell({ kind: 'started', ...about, what: 'shell' });
        return;
      case 'subsystem':
        channel.isBinary = true;
        tell({ kind: 'started', ...about, what: `subsystem ${fields.text()}` });
        return;
      case 'exit-status':
        tell({ kind: 'exited', ...about, status: String(fields.uint32()) });
        return;
      case 'exit-signal':
        tell({ kind: 'exited', ...about, status: `SIG${fields.text()}` });
        return;
      default:
        return;
    }
  }
}

/** Fields of a message; what is missing reads as nothing, since this only shows. */
class Fields {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  byte(): number {
    this.#at += 1;
    return this.#bytes[this.#at - 1] ?? 0;
  }

  uint32(): number {
    this.#at += 4;
    if (this.#at > this.#bytes.length) return 0;
    return new DataView(this.#bytes.buffer, this.#bytes.byteOffset + this.#at - 4).getUint32(0);
  }

  string(): Uint8Array {
    const length = this.uint32();
    const start = this.#at;
    this.#at += length;
    return this.#bytes.subarray(start, this.#at);
  }

  text(): string {
    return new TextDecoder().decode(this.string());
  }
}
