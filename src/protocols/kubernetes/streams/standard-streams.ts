/** The standard streams of a program in a container, whatever carries them. */
import type { TerminalSize } from './resize.ts';

/** What a client does on its streams. Views are valid during the call. */
export interface ClientEvents {
  /** All streams are there. */
  opened(): void;
  input(bytes: Uint8Array): void;
  inputEnded(): void;
  resized(size: TerminalSize): void;
  /** The client wants no more. */
  left(): void;
}

/** The client's end. What it is given is copied. */
export interface ClientStreams {
  /** Called once, before anything else. */
  start(): void;
  /** Bytes of the client. @throws GatewayError `SP_FRAME_MALFORMED` */
  push(bytes: Uint8Array): void;
  output(bytes: Uint8Array, isStderr: boolean): void;
  /** Nothing to tell, but all is well: for a client that is not read for a while. */
  alive(): void;
  /** The last word: how the program ended, as a `Status`. Ends all streams. */
  finish(status: Uint8Array): void;
}

/** What the target tells on the streams of a program. Views are valid during the call. */
export interface TargetEvents {
  output(bytes: Uint8Array, isStderr: boolean): void;
  /** All has been told. @param status - how the program ended, as a `Status`; empty if not told. */
  finished(status: Uint8Array): void;
}

/** Which streams there are. */
export interface StreamSet {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** The streams of a set by the names that SPDY gives them; what tells the end comes first. */
export const streamNames = ({ stdin, stdout, stderr, tty }: StreamSet): readonly string[] => [
  'error',
  ...(stdin ? ['stdin'] : []),
  ...(stdout ? ['stdout'] : []),
  ...(stderr ? ['stderr'] : []),
  ...(tty ? ['resize'] : []),
];
