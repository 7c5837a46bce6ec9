/**
 * Masks on what a command or a shell writes. Text is detected as a stream, whatever way it is cut;
 * what could be the start of something waits for its rest, but no longer than a moment without
 * output, so that a prompt is seen and a dialogue over pipes does not stall.
 *
 * What is cut there is masked as it stands: detection by content is a net, not a wall.
 */
import type { Clock } from '#core/clock.ts';
import type { MaskSet, TextStream } from '#core/masking.ts';

/** How long output may wait for its rest: on a terminal, where somebody watches, and elsewhere. */
const TERMINAL_WAIT_MS = 15;
const PIPE_WAIT_MS = 100;

export interface OutputMaskParts {
  readonly clock: Clock;
  readonly isTerminal: boolean;
  /** The masks in force now. */
  readonly masks: () => Pick<MaskSet, 'version' | 'content'>;
  /** Takes what may leave. */
  readonly deliver: (bytes: Uint8Array, isStderr: boolean) => void;
  /** What went wrong where nobody calls: output that waited could not be recorded. */
  readonly failed: (thrown: unknown) => void;
}

interface Open {
  readonly stream: TextStream;
  readonly version: string;
}

export class OutputMask {
  readonly #parts: OutputMaskParts;
  readonly #open = new Map<boolean, Open>();
  #stopTimer: (() => void) | undefined;

  constructor(parts: OutputMaskParts) {
    this.#parts = parts;
  }

  push(bytes: Uint8Array, isStderr: boolean): void {
    const { clock, deliver, isTerminal } = this.#parts;
    const stream = this.#stream(isStderr);
    if (stream === undefined) {
      deliver(bytes, isStderr);
      return;
    }
    const ready = stream.push(bytes);
    if (ready.length > 0) deliver(ready, isStderr);
    this.#stopTimer?.();
    const waitMs = isTerminal ? TERMINAL_WAIT_MS : PIPE_WAIT_MS;
    this.#stopTimer = clock.after(waitMs, () => this.#flushLate());
  }

  #flushLate(): void {
    try {
      this.flush();
    } catch (thrown) {
      this.#parts.failed(thrown);
    }
  }

  /** Lets everything go that waits. */
  flush(): void {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    for (const isStderr of this.#open.keys()) this.#end(isStderr);
  }

  /** The stream under the masks in force; undefined when none looks at content. */
  #stream(isStderr: boolean): TextStream | undefined {
    const masks = this.#parts.masks();
    const open = this.#open.get(isStderr);
    if (open !== undefined && open.version === masks.version) return open.stream;
    if (open !== undefined) this.#end(isStderr);
    const stream = masks.content?.stream();
    if (stream !== undefined) this.#open.set(isStderr, { stream, version: masks.version });
    return stream;
  }

  #end(isStderr: boolean): void {
    const open = this.#open.get(isStderr);
    this.#open.delete(isStderr);
    const rest = open?.stream.end();
    if (rest !== undefined && rest.length > 0) this.#parts.deliver(rest, isStderr);
  }
}
