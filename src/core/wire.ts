/**
 * A byte connection as the data path wants it. Not a stream: bytes are handed over in place, one
 * callback a read, and a write says whether the bytes are still needed.
 */
export interface Wire {
  readonly peer: PeerAddress;
  /** Null while the connection is plain text. */
  readonly security: WireSecurity | null;
  /** Hands every later event to `sink`, and starts reading. Replaces the sink before. */
  attach(sink: WireSink): void;
  /** Stops reading until {@link Wire.resume}. Idempotent. */
  pause(): void;
  resume(): void;
  /**
   * Writes `bytes`.
   *
   * @returns true when the kernel has them all and the memory may be reused; false when the wire
   * still holds the view: then do not touch it before {@link WireSink.drained}.
   */
  write(bytes: Uint8Array): boolean;
  /** Bytes taken by `write` that the kernel does not have yet. */
  readonly pendingBytes: number;
  /** Sends what was written, then FIN. */
  end(): void;
  /** Closes at once, both ways. */
  destroy(): void;
  /**
   * Server side of a mid-stream TLS upgrade. Fails when bytes beyond the upgrade request were
   * already read (they were not protected, so they must not be believed).
   *
   * @param head - for TLS from the first byte: what was read of the client's hello.
   */
  upgradeServer(options: TlsServerOptions, signal: AbortSignal, head?: Uint8Array): Promise<void>;
  /** Client side of the same. */
  upgradeClient(options: TlsClientOptions, signal: AbortSignal): Promise<void>;
}

export interface WireSink {
  /**
   * Bytes as read. The view is valid only during the call: copy what is kept.
   * Call {@link Wire.pause} inside to stop the next read.
   */
  data(chunk: Uint8Array): void;
  /** Everything written so far is in the kernel's hands. */
  drained(): void;
  /** The peer sent FIN. */
  ended(): void;
  /** The connection is gone; last call. `error` when it did not end in order. */
  closed(error: Error | undefined): void;
}

export interface PeerAddress {
  readonly address: string;
  readonly port: number;
}

export interface WireSecurity {
  readonly protocol: string;
  readonly cipher: string;
  readonly alpn: string | undefined;
  readonly serverName: string | undefined;
  /** SHA-256 of the verified peer certificate's DER, hex; undefined when none was given. */
  readonly peerCertificate: string | undefined;
  /** RFC 5929 `tls-server-end-point` data of the server's certificate, for channel binding. */
  readonly serverEndPoint: Uint8Array | undefined;
}

export interface TlsServerOptions {
  readonly certificate: string;
  readonly key: string;
  readonly alpn: readonly string[];
  /** PEM of authorities for client certificates; none are asked for when absent. */
  readonly clientCa: string | undefined;
}

export interface TlsClientOptions {
  readonly serverName: string;
  readonly verify: 'full' | 'ca';
  readonly ca: string | undefined;
  readonly certificate: string | undefined;
  readonly key: string | undefined;
  readonly alpn: readonly string[];
}
