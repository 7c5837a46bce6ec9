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

  class Protocol {
    constructor(options: ProtocolOptions);
    start(): void;
    parse(chunk: Uint8Array, start: number, end: number): void;
    rekey(): void;
    disconnect(reason: number): void;
    cleanup(): void;
    _onPayload: (payload: Uint8Array) => number | boolean | undefined;
    readonly _packetRW: { readonly write: PacketWriter };
    readonly _kex: { readonly sessionID: Uint8Array } | undefined;
    readonly _strictMode: boolean | undefined;
  }

  export default Protocol;
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
