/**
 * Packets under AES-GCM (RFC 5647, with the cleartext length of OpenSSH), in the place of `ssh2`'s
 * once keys are agreed. A new cipher a packet is how Node does AES-GCM; what costs is the rest, so
 * keys are prepared once, a packet is opened where it was read and sealed where it was put
 * together, and the memory in between is given up at once instead of waiting for the collector.
 *
 * Invariants: no payload is handed over before its packet was authenticated; no number used once
 * is used twice under a key, since each packet counts it up and keys are renewed long before 2^64.
 */
import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  type KeyObject,
  randomFillSync,
} from 'node:crypto';
import type {
  GcmCipher,
  GcmDecipher,
  PacketCipher,
  PacketDecipher,
} from 'ssh2/lib/protocol/Protocol.js';
import { GatewayError } from '#core/errors.ts';
import { message } from './codec/messages.ts';
import { release } from './release.ts';

const LENGTH_BYTES = 4;
const TAG_BYTES = 16;
const BLOCK_BYTES = 16;
const PADDING_BYTES_MIN = 4;
/** RFC 4253 section 6.1. */
const PACKET_BYTES_MAX = 35_000;

const nothing = new Uint8Array(0);
/** Where a packet is put together; used within one call only. */
const scratch = Buffer.alloc(PACKET_BYTES_MAX);

/** Seals what is sent. */
export class PacketSealer implements PacketCipher {
  outSeqno: number;
  readonly #name: GcmCipher['_encSSLName'];
  readonly #key: KeyObject;
  readonly #nonce: Uint8Array;
  readonly #emit: (bytes: Uint8Array) => void;
  #isFree = false;

  /**
   * Goes on where `ssh2`'s cipher stands.
   *
   * @param emit - takes the pieces of a packet in order; they are valid only during the call.
   */
  constructor(cipher: GcmCipher, emit: (bytes: Uint8Array) => void) {
    this.outSeqno = cipher.outSeqno;
    this.#name = cipher._encSSLName;
    this.#key = createSecretKey(cipher._encKey);
    this.#nonce = cipher._encIV;
    this.#emit = emit;
  }

  /** Seals a payload that is in two parts. */
  seal(head: Uint8Array, body: Uint8Array): void {
    const packet = layOut(head.length + body.length, scratch);
    packet.set(head, LENGTH_BYTES + 1);
    packet.set(body, LENGTH_BYTES + 1 + head.length);
    this.encrypt(packet);
  }

  /** A packet for `ssh2`'s own messages, which it fills from the sixth byte on. */
  allocPacket(payloadBytes: number): Uint8Array {
    return layOut(payloadBytes, Buffer.alloc(packetBytes(payloadBytes)));
  }

  encrypt(packet: Uint8Array): void {
    if (this.#isFree) return;
    const cipher = createCipheriv(this.#name, this.#key, this.#nonce);
    const length = packet.subarray(0, LENGTH_BYTES);
    cipher.setAAD(length);
    const sealed = cipher.update(packet.subarray(LENGTH_BYTES));
    cipher.final();
    this.#emit(length);
    this.#emit(sealed);
    this.#emit(cipher.getAuthTag());
    release(sealed);
    countUp(this.#nonce);
    this.outSeqno = (this.outSeqno + 1) >>> 0;
  }

  free(): void {
    this.#isFree = true;
  }
}

/** Opens what is received. */
export class PacketOpener implements PacketDecipher {
  inSeqno: number;
  /** Takes each payload; `ssh2` puts its own here during a key exchange. */
  _onPayload: PacketDecipher['_onPayload'];
  readonly #name: GcmDecipher['_decipherSSLName'];
  readonly #key: KeyObject;
  readonly #nonce: Uint8Array;
  /** A packet that came in parts: its length first, then all of it. */
  #packet: Uint8Array = nothing;
  #packetUsed = 0;

  /** Goes on where `ssh2`'s decipher stands. */
  constructor(decipher: GcmDecipher) {
    this.inSeqno = decipher.inSeqno;
    this._onPayload = decipher._onPayload;
    this.#name = decipher._decipherSSLName;
    this.#key = createSecretKey(decipher._decipherKey);
    this.#nonce = decipher._decipherIV;
  }

  /** Opens packet by packet. Answers where to go on when a payload ended the run. */
  decrypt(chunk: Uint8Array, start: number, end: number): number | boolean | undefined {
    for (let at = start; at < end; ) {
      let packet = this.#packetUsed === 0 ? wholePacket(chunk, at, end) : undefined;
      if (packet === undefined) {
        at += this.#take(chunk.subarray(at, end));
        if (this.#packetUsed < LENGTH_BYTES || this.#packetUsed < this.#packet.length) {
          continue;
        }
        packet = this.#packet;
        this.#packet = nothing;
        this.#packetUsed = 0;
      } else {
        at += packet.length;
      }
      const answer = this.#open(packet);
      if (answer !== undefined) return answer === false ? at : answer;
    }
    return undefined;
  }

  free(): void {
    this.#packet = nothing;
  }

  /** Keeps what belongs to the packet that is incomplete; answers how much that was. */
  #take(bytes: Uint8Array): number {
    if (this.#packetUsed === 0) this.#packet = new Uint8Array(LENGTH_BYTES);
    const part = bytes.subarray(0, this.#packet.length - this.#packetUsed);
    this.#packet.set(part, this.#packetUsed);
    this.#packetUsed += part.length;
    if (this.#packetUsed !== LENGTH_BYTES) return part.length;
    const whole = new Uint8Array(sealedBytes(this.#packet, 0));
    whole.set(this.#packet);
    this.#packet = whole;
    return part.length;
  }

  #open(packet: Uint8Array): number | boolean | undefined {
    const end = packet.length - TAG_BYTES;
    const decipher = createDecipheriv(this.#name, this.#key, this.#nonce);
    decipher.setAAD(packet.subarray(0, LENGTH_BYTES));
    decipher.setAuthTag(packet.subarray(end));
    const opened = decipher.update(packet.subarray(LENGTH_BYTES, end));
    decipher.final();
    countUp(this.#nonce);
    this.inSeqno = (this.inSeqno + 1) >>> 0;
    const padding = opened[0] ?? 0;
    if (padding < PADDING_BYTES_MIN || padding >= opened.length - 1) throw broken('padding');
    const payload = opened.subarray(1, opened.length - padding);
    const isData = payload[0] === message.data || payload[0] === message.extendedData;
    const answer = this._onPayload(payload);
    // Of other messages views may be kept while somebody is asked.
    if (isData) release(opened);
    return answer;
  }
}

/** Writes length and padding of a packet around the place for its payload. */
function layOut(payloadBytes: number, memory: Buffer): Buffer {
  const packet = memory.subarray(0, packetBytes(payloadBytes));
  const body = packet.length - LENGTH_BYTES;
  const padding = body - 1 - payloadBytes;
  packet.writeUInt32BE(body);
  packet[LENGTH_BYTES] = padding;
  fillRandom(packet.subarray(packet.length - padding));
  return packet;
}

/** Random bytes that no packet has had, drawn for many packets at once. */
const unused = Buffer.alloc(4_096);
let unusedFrom = unused.length;

/** Padding is random (RFC 4253 section 6). */
function fillRandom(padding: Uint8Array): void {
  if (unusedFrom + padding.length > unused.length) {
    randomFillSync(unused);
    unusedFrom = 0;
  }
  padding.set(unused.subarray(unusedFrom, unusedFrom + padding.length));
  unusedFrom += padding.length;
}

/** The size of a packet before it is sealed: its body fills whole blocks. */
function packetBytes(payloadBytes: number): number {
  const least = 1 + payloadBytes + PADDING_BYTES_MIN;
  return LENGTH_BYTES + Math.ceil(least / BLOCK_BYTES) * BLOCK_BYTES;
}

/** A sealed packet that is in the chunk with all its bytes. */
function wholePacket(chunk: Uint8Array, at: number, end: number): Uint8Array | undefined {
  if (end - at < LENGTH_BYTES) return undefined;
  const next = at + sealedBytes(chunk, at);
  return next > end ? undefined : chunk.subarray(at, next);
}

/** The size of the sealed packet that starts here, by what it says itself. */
function sealedBytes(bytes: Uint8Array, at: number): number {
  const body = new DataView(bytes.buffer, bytes.byteOffset + at, LENGTH_BYTES).getUint32(0);
  const size = LENGTH_BYTES + body + TAG_BYTES;
  if (size > PACKET_BYTES_MAX || body < BLOCK_BYTES || body % BLOCK_BYTES !== 0) {
    throw broken('length');
  }
  return size;
}

/** RFC 5647 section 7.1: the last eight bytes count the packets. */
function countUp(nonce: Uint8Array): void {
  const view = new DataView(nonce.buffer, nonce.byteOffset, nonce.length);
  view.setBigUint64(4, view.getBigUint64(4) + 1n);
}

const broken = (what: string): GatewayError =>
  new GatewayError('SP_PROTOCOL', { detail: `the ${what} of a packet` });
