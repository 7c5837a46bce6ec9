/**
 * What the gateway uses of `ssh2`: its transport and its parser of OpenSSH's private keys. Both are
 * behind its public interface, so the version is pinned and `transport.test.ts` watches them.
 */
declare module 'ssh2/lib/protocol/Protocol.js' {
  export interface HostKey {
    readonly type: string;
    getPublicSSH(): Uint8Array;
    sign(data: Uint8Array, hash?: string): Uint8Array;
  }

  interface Algorithms {
    readonly kex: readonly string[];
    readonly serverHostKey: readonly string[];
    readonly cs: DirectionAlgorithms;
    readonly sc: DirectionAlgorithms;
  }

  interface DirectionAlgorithms {
    readonly cipher: readonly string[];
    readonly mac: readonly string[];
    readonly compress: readonly string[];
    readonly lang: readonly string[];
  }

  interface ProtocolOptions {
    readonly server: boolean;
    readonly ident: string;
    readonly offer: Algorithms;
    readonly hostKeys?: Readonly<Record<string, HostKey>>;
    readonly hostVerifier?: (key: Uint8Array) => boolean;
    readonly onWrite: (bytes: Uint8Array) => void;
    readonly onError: (error: Error) => void;
    readonly onHeader: (header: { readonly identRaw: string }) => void;
    readonly onHandshakeComplete: () => void;
    readonly messageHandlers: {
      readonly DISCONNECT: (protocol: unknown, reason: number, text: string) => void;
    };
  }

  /** The parts of a packet's way that are used directly. */
  interface PacketWriter {
    /** Where a payload starts in an allocated packet. */
    readonly allocStart: number;
    alloc(payloadBytes: number): Uint8Array;
    finalize(packet: Uint8Array): Uint8Array;
  }

  /** Seals packets and hands them to `onWrite`. */
  export interface PacketCipher {
    outSeqno: number;
    /** A packet with its length and padding; the payload's place starts at its sixth byte. */
    allocPacket(payloadBytes: number): Uint8Array;
    encrypt(packet: Uint8Array): void;
    free(): void;
  }

  /** Opens packets and hands their payloads on. */
  export interface PacketDecipher {
    inSeqno: number;
    _onPayload: (payload: Uint8Array) => number | boolean | undefined;
    decrypt(chunk: Uint8Array, start: number, end: number): number | boolean | undefined;
    free(): void;
  }

  /** Those for AES-GCM, when the native addon is absent. */
  export interface GcmCipher extends PacketCipher {
    readonly _encSSLName: 'aes-128-gcm' | 'aes-256-gcm';
    readonly _encKey: Uint8Array;
    readonly _encIV: Uint8Array;
  }

  export interface GcmDecipher extends PacketDecipher {
    readonly _decipherSSLName: 'aes-128-gcm' | 'aes-256-gcm';
    readonly _decipherKey: Uint8Array;
    readonly _decipherIV: Uint8Array;
  }

  class Protocol {
    constructor(options: ProtocolOptions);
    start(): void;
    parse(chunk: Uint8Array, start: number, end: number): void;
    rekey(): void;
    disconnect(reason: number): void;
    cleanup(): void;
    _onPayload: (payload: Uint8Array) => number | boolean | undefined;
    readonly _packetRW: { readonly write: PacketWriter };
    readonly _kex:
      | { readonly sessionID: Uint8Array; readonly negotiated: { serverHostKey: string } }
      | undefined;
    readonly _strictMode: boolean | undefined;
    /** Our own KEXINIT while keys are exchanged; messages are queued then. */
    readonly _kexinit: Uint8Array | undefined;
    _cipher: PacketCipher | GcmCipher;
    _decipher: PacketDecipher | GcmDecipher;
  }

  export default Protocol;
}

declare module 'ssh2/lib/protocol/crypto.js' {
  import type { GcmCipher, GcmDecipher } from 'ssh2/lib/protocol/Protocol.js';

  interface CipherInfo {
    readonly sslName: GcmCipher['_encSSLName'];
    readonly keyLen: number;
    readonly ivLen: number;
  }

  const crypto: {
    readonly CIPHER_INFO: Readonly<Record<string, CipherInfo>>;
    readonly createCipher: (config: {
      readonly outbound: {
        readonly onWrite: (bytes: Uint8Array) => void;
        readonly seqno: number;
        readonly cipherInfo: CipherInfo;
        readonly cipherKey: Uint8Array;
        readonly cipherIV: Uint8Array;
      };
    }) => GcmCipher;
    readonly createDecipher: (config: {
      readonly inbound: {
        readonly onPayload: GcmDecipher['_onPayload'];
        readonly seqno: number;
        readonly decipherInfo: CipherInfo;
        readonly decipherKey: Uint8Array;
        readonly decipherIV: Uint8Array;
      };
    }) => GcmDecipher;
  };
  export default crypto;
}

declare module 'ssh2/lib/protocol/utils.js' {
  import type Protocol from 'ssh2/lib/protocol/Protocol.js';

  const utils: { readonly sendPacket: (protocol: Protocol, packet: Uint8Array) => boolean };
  export default utils;
}

declare module 'ssh2/lib/protocol/keyParser.js' {
  interface ParsedKey {
    getPrivatePEM(): string | null;
  }

  const parser: {
    readonly parseKey: (text: string) => ParsedKey | readonly ParsedKey[] | Error;
  };
  export default parser;
}
