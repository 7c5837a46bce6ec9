/**
 * SSH's transport (RFC 4253) over a `Wire`: whole messages in, whole messages out. Key exchange,
 * ciphers and re-keying are `ssh2`'s; every message above the transport comes here as its decrypted
 * payload, before `ssh2` would read it, so that nothing but our own codec interprets it.
 *
 * Invariants: one write a turn of the event loop, whatever was sent in it; keys are renewed after
 * {@link REKEY_BYTES} or {@link REKEY_MS}; after `closed` nothing is sent and nothing handed over.
 */
import Protocol from 'ssh2/lib/protocol/Protocol.js';
import type { HostKey } from 'ssh2/lib/protocol/Protocol.js';
import utils from 'ssh2/lib/protocol/utils.js';
import type { Clock } from '#core/clock.ts';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import type { Wire } from '#core/wire.ts';
import { plainAlgorithm } from './codec/keys.ts';
import { dataHead, disconnect, disconnectMessage } from './codec/messages.ts';
import { Outbox } from './outbox.ts';
import { PacketOpener, PacketSealer } from './packets.ts';

/** Data under one set of keys, and its age (RFC 4253 section 9). */
const REKEY_BYTES = 1024 ** 3;
const REKEY_MS = 60 * 60 * 1_000;
/** A peer that does not answer a key exchange is gone. */
const EXCHANGE_MS_MAX = 30_000;
/** Unsent bytes above which nothing more should be read from the other side. */
const BEHIND_BYTES = 1024 * 1024;
/** Unsent bytes above which the peer that does not take them is not read either. */
const STUCK_BYTES = 4 * BEHIND_BYTES;
/** Time that last words have. */
const GOODBYE_MS = 500;
const IDENT = 'Sallyport';
const KEXINIT = 20;
const nothing = new Uint8Array(0);

/**
 * AES-GCM first. No ChaCha20-Poly1305, which Terrapin could cut where strict key exchange is
 * missing, and which is slow here; no CBC, no encrypt-then-MAC, no SHA-1, no finite-field groups
 * below 3072 bits.
 */
const ciphers = ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com', 'aes256-ctr', 'aes128-ctr'];
const macs = ['hmac-sha2-256', 'hmac-sha2-512'];
const exchanges = [
  'curve25519-sha256',
  'curve25519-sha256@libssh.org',
  'ecdh-sha2-nistp256',
  'ecdh-sha2-nistp384',
  'ecdh-sha2-nistp521',
  'diffie-hellman-group16-sha512',
];

/** What a transport tells. */
export interface TransportSink {
  /** The first key exchange is done. */
  ready(): void;
  /** One message from service requests (5) on, without its packet. Valid only during the call. */
  message(payload: Uint8Array): void;
  /** Everything sent is in the kernel's hands; told after {@link SshTransport.mustDrain}. */
  drained(): void;
  /** The connection is gone; last call. Undefined when the peer left in order. */
  closed(error: GatewayError | undefined): void;
}

export interface TransportOptions {
  readonly clock: Clock;
  /** Counts bytes as they come, until authentication; throws above the budget. */
  readonly spend?: (count: number) => void;
  /** Data under one set of keys, both ways; a gibibyte when absent. */
  readonly keyBytesMax?: number;
}

/** The gateway as server: the key that proves it. */
export interface ServerRole {
  readonly hostKey: HostKey;
}

/** The gateway as client: what keys of the target are good. */
export interface ClientRole {
  /** Host key algorithms to ask for, best first. */
  readonly hostKeyAlgorithms: readonly string[];
  /**
   * The key that the target has to sign with, by the blob that it shows: the blob itself, or what a
   * certificate certifies. Undefined for another host.
   */
  keyOf(shown: Uint8Array): Uint8Array | undefined;
}

export class SshTransport {
  readonly wire: Wire;
  readonly #clock: Clock;
  readonly #protocol: Protocol;
  readonly #spend: ((count: number) => void) | undefined;
  #sink: TransportSink | undefined;
  readonly #outbox: Outbox;
  /** Under AES-GCM; undefined before the first keys, and under other ciphers. */
  #sealer: PacketSealer | undefined;
  /** Bytes that `ssh2` keeps back until keys are agreed. */
  #queuedBytes = 0;
  #isFlushing = false;
  #isReady = false;
  #isAuthenticated = false;
  #isClosed = false;
  /** Somebody waits for `drained`. */
  #isAwaited = false;
  #peer = '';
  readonly #keyBytesMax: number;
  #keyedBytes = 0;
  #stopRekeyTimer: () => void = () => undefined;
  #stopExchangeTimer: () => void = () => undefined;

  constructor(wire: Wire, role: ServerRole | ClientRole, options: TransportOptions) {
    this.wire = wire;
    this.#outbox = new Outbox(wire);
    this.#clock = options.clock;
    this.#spend = options.spend;
    this.#keyBytesMax = options.keyBytesMax ?? REKEY_BYTES;
    const isServer = 'hostKey' in role;
    const direction = { cipher: ciphers, mac: macs, compress: ['none'], lang: [] };
    this.#protocol = new Protocol({
      server: isServer,
      ident: IDENT,
      offer: {
        kex: exchanges,
        serverHostKey: isServer ? [role.hostKey.type] : role.hostKeyAlgorithms,
        cs: direction,
        sc: direction,
      },
      ...(isServer
        ? { hostKeys: { [role.hostKey.type]: role.hostKey } }
        : { hostVerifier: (shown) => this.#isHost(role, shown) }),
      onWrite: (bytes) => this.#collect(bytes),
      onError: (error) => this.#failed(protocolError(error)),
      onHeader: ({ identRaw }) => (this.#peer = identRaw.slice(0, 256)),
      onHandshakeComplete: () => this.#exchanged(),
      messageHandlers: { DISCONNECT: () => this.#close(undefined) },
    });
    this.#interceptMessages();
  }

  /** Starts; every event goes to `sink`, until another takes over. */
  start(sink: TransportSink): void {
    this.#sink = sink;
    this.#watchExchange();
    this.#protocol.start();
    this.wire.attach({
      data: (chunk) => this.#received(chunk),
      drained: () => this.#drained(),
      ended: () => this.#close(undefined),
      closed: (error) =>
        this.#close(error === undefined ? undefined : new GatewayError('SP_TARGET_LOST')),
    });
  }

  /** Hands every later event to another sink. */
  handOver(sink: TransportSink): void {
    this.#sink = sink;
  }

  /** No more counting of bytes: the peer has proven who it is. */
  authenticated(): void {
    this.#isAuthenticated = true;
  }

  /** The identification string of the peer, as it sent it. */
  get peerIdent(): string {
    return this.#peer;
  }

  /** What signatures of this connection are bound to. */
  get sessionId(): Uint8Array {
    return this.#protocol._kex?.sessionID ?? new Uint8Array(0);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get #unsentBytes(): number {
    return this.#outbox.bytes + this.#queuedBytes;
  }

  /** Whether so much is unsent that the other side should not be read before `drained`. */
  mustDrain(): boolean {
    if (this.#unsentBytes <= BEHIND_BYTES) return false;
    this.#isAwaited = true;
    return true;
  }

  /** Whether the peer takes so little that it should not be read: its own messages are answered. */
  get isStuck(): boolean {
    if (this.#unsentBytes <= STUCK_BYTES) return false;
    this.#isAwaited = true;
    return true;
  }

  /** Sends one message. */
  send(payload: Uint8Array): void {
    this.#sendParts(payload, nothing);
  }

  /** Sends data of a channel, copied once. */
  sendData(recipient: number, bytes: Uint8Array, isStderr: boolean): void {
    this.#sendParts(dataHead(recipient, isStderr, bytes.length), bytes);
  }

  pause(): void {
    this.wire.pause();
  }

  resume(): void {
    if (!this.#isClosed) this.wire.resume();
  }

  /**
   * Ends the connection with a reason of RFC 4253.
   *
   * @param text - what the other side may show: OpenSSH drops output that comes just before.
   */
  disconnect(reason: number, text = ''): void {
    if (this.#isClosed) return;
    if (text === '') this.#guarded(() => this.#protocol.disconnect(reason));
    else this.#guarded(() => this.send(disconnectMessage(reason, text)));
    this.#close(undefined);
  }

  /**
   * `ssh2` knows no host certificates. It reads `_hostKey` twice: first the blob that came, for the
   * hash that was signed, then the key in it, to check the signature with. So the first reading
   * gets the certificate, and those after it the key that it certifies. In any other order the
   * signature does not verify.
   */
  #isHost(role: ClientRole, shown: Uint8Array): boolean {
    const key = role.keyOf(shown);
    const exchange = this.#protocol._kex;
    if (key === undefined || exchange === undefined) return false;
    if (key === shown) return true;
    const { negotiated } = exchange;
    negotiated.serverHostKey = plainAlgorithm(negotiated.serverHostKey);
    let isHashed = false;
    Object.defineProperty(exchange, '_hostKey', {
      get() {
        if (isHashed) return Buffer.from(key);
        isHashed = true;
        return shown;
      },
      set() {
        // It is set to nothing when the exchange is over.
      },
    });
    return true;
  }

  /**
   * `ssh2` gives `_onPayload` every payload that is no part of a key exchange. Its own handler sees
   * those of the transport and of key exchange; all others are ours.
   */
  #interceptMessages(): void {
    const own = this.#protocol._onPayload;
    this.#protocol._onPayload = (payload) => {
      const type = payload[0] ?? 0;
      const isTransport = type < 5 || (type >= 20 && type < 50);
      // A peer that asks for new keys has to finish, too.
      if (type === KEXINIT && this.#isReady) this.#watchExchange();
      if (isTransport) return own(payload);
      // Not a `Buffer`, whose `slice` copies nothing: this memory is not there for long.
      const { buffer, byteOffset, length } = payload;
      this.#sink?.message(new Uint8Array(buffer, byteOffset, length));
      // Stops the loop over the rest of the chunk when the message ended the connection.
      return this.#isClosed ? Number.POSITIVE_INFINITY : undefined;
    };
  }

  #received(chunk: Uint8Array): void {
    try {
      if (!this.#isAuthenticated) this.#spend?.(chunk.length);
      // Until the keys are agreed `ssh2` keeps views of what it reads, and this memory is reused.
      const bytes = this.#isReady
        ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
        : Buffer.from(chunk);
      this.#protocol.parse(bytes, 0, bytes.length);
    } catch (thrown) {
      this.#guarded(() => this.#protocol.disconnect(disconnect.protocolError));
      this.#failed(thrown instanceof GatewayError ? thrown : protocolError(thrown));
    }
    this.#renewKeys(chunk.length);
    this.#flush();
  }

  #sendParts(head: Uint8Array, body: Uint8Array): void {
    if (this.#isClosed) return;
    const length = head.length + body.length;
    if (this.#sealer !== undefined && this.#protocol._kexinit === undefined) {
      this.#sealer.seal(head, body);
    } else {
      const { write } = this.#protocol._packetRW;
      const packet = write.alloc(length);
      const start = write.allocStart;
      packet.set(head, start);
      packet.set(body, start + head.length);
      const isSent = utils.sendPacket(this.#protocol, write.finalize(packet));
      if (!isSent) this.#queuedBytes += length;
    }
    this.#renewKeys(length);
  }

  #collect(bytes: Uint8Array): void {
    this.#outbox.append(bytes);
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    this.#isFlushing = false;
    // What the kernel takes at once is drained without the wire's saying so.
    if (this.#outbox.flush()) this.#drained();
  }

  #drained(): void {
    this.#outbox.drained();
    if (!this.#isAwaited) return;
    this.#isAwaited = false;
    this.#sink?.drained();
  }

  #exchanged(): void {
    this.#stopExchangeTimer();
    this.#stopRekeyTimer();
    this.#keyedBytes = 0;
    this.#queuedBytes = 0;
    this.#stopRekeyTimer = this.#clock.after(REKEY_MS, () => this.#rekey());
    this.#takeOverPackets();
    if (this.#isReady) return;
    this.#isReady = true;
    this.#sink?.ready();
  }

  #takeOverPackets(): void {
    const { _cipher, _decipher } = this.#protocol;
    this.#sealer = undefined;
    if ('_encKey' in _cipher) {
      this.#sealer = new PacketSealer(_cipher, (bytes) => this.#collect(bytes));
      this.#protocol._cipher = this.#sealer;
    }
    if ('_decipherKey' in _decipher) this.#protocol._decipher = new PacketOpener(_decipher);
  }

  #renewKeys(bytes: number): void {
    this.#keyedBytes += bytes;
    if (this.#keyedBytes > this.#keyBytesMax && this.#isReady) this.#rekey();
  }

  #rekey(): void {
    if (this.#isClosed) return;
    this.#keyedBytes = 0;
    this.#guarded(() => this.#protocol.rekey());
    this.#watchExchange();
  }

  #watchExchange(): void {
    this.#stopExchangeTimer();
    this.#stopExchangeTimer = this.#clock.after(EXCHANGE_MS_MAX, () =>
      this.#failed(new GatewayError('SP_PROTOCOL', { detail: 'no answer to a key exchange' })),
    );
  }

  #failed(error: GatewayError): void {
    this.#close(error);
  }

  #close(error: GatewayError | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stopRekeyTimer();
    this.#stopExchangeTimer();
    this.#flush();
    this.wire.end();
    this.#clock.after(GOODBYE_MS, () => this.wire.destroy());
    this.#sink?.closed(error);
    this.#guarded(() => this.#protocol.cleanup());
  }

  /** `ssh2` throws when it is used after it has given up; then the connection is over anyway. */
  #guarded(run: () => void): void {
    try {
      run();
    } catch (thrown) {
      if (!this.#isClosed) this.#failed(protocolError(thrown));
    }
  }
}

function protocolError(thrown: unknown): GatewayError {
  const detail = thrown instanceof Error ? thrown.message : 'the transport failed';
  return toGatewayError(new GatewayError('SP_PROTOCOL', { detail, cause: thrown }));
}
