/**
 * A `git push` on one channel: the refs that it would change are judged as one command before a
 * byte of it goes on, with the ids that they would get; then the pack passes.
 */
import { toGatewayError } from '#core/errors.ts';
import type { Facts } from '#core/facts.ts';
import type { AllowedCommand } from '#core/permit.ts';
import type { Refusal } from '#core/verdict.ts';
import { ByteQueue } from './byte-queue.ts';
import { type RefChange, RefListReader } from './codec/git.ts';
import { makeCommand } from './commands.ts';
import { pushFacts } from './commands-git.ts';
import { holdText, refuse } from './refusal.ts';
import type { ChannelHost } from './relay-host.ts';

export interface PushFilterParts {
  readonly host: ChannelHost;
  /** The command that started it, and what it would do without looking at the refs. */
  readonly start: { readonly text: string; readonly facts: Facts };
  /** The state of that command. */
  readonly state: string;
  /** Tells how many bytes of the client wait here. */
  readonly kept: (bytes: number) => void;
  readonly toTarget: (bytes: Uint8Array) => void;
  readonly refused: (refusal: Refusal) => void;
  readonly say: (text: string) => void;
}

export class PushFilter {
  readonly #parts: PushFilterParts;
  readonly #cancelled = new AbortController();
  readonly #waiting = new ByteQueue();
  readonly #list = new RefListReader();
  #state: 'reading' | 'judging' | 'passing' | 'closed' = 'reading';
  #afterAll: (() => void) | undefined;

  constructor(parts: PushFilterParts) {
    this.#parts = parts;
  }

  fromClient(bytes: Uint8Array): void {
    if (this.#state === 'closed') return;
    if (this.#state === 'passing') return this.#parts.toTarget(bytes);
    this.#waiting.push(bytes);
    this.#parts.kept(this.#waiting.length);
    if (this.#state === 'reading') this.#read();
  }

  /** Runs `action` once everything that was let through has gone on. */
  behindAll(action: () => void): void {
    if (this.#state === 'judging') this.#afterAll = action;
    else action();
  }

  close(): void {
    this.#state = 'closed';
    this.#cancelled.abort();
    this.#waiting.clear();
  }

  #read(): void {
    const list = this.#list.read(this.#waiting.peek());
    if (list.kind === 'more') return;
    if (list.kind === 'refused') {
      this.#parts.refused(refuse('SP_NOT_UNDERSTOOD', list.reason));
    } else if (list.changes.length === 0) {
      // Nothing is to be changed, as when everything is there already.
      this.#pass();
    } else this.#judge(list.changes);
  }

  #judge(changes: readonly RefChange[]): void {
    this.#state = 'judging';
    const { host, start, state, say } = this.#parts;
    const command = makeCommand(host.stages, {
      ...pushFacts(start, changes),
      state: `push ${state}`,
    });
    const answer = host.stages.gate(
      command,
      (notice) => say(holdText(notice)),
      this.#cancelled.signal,
    );
    if (!(answer instanceof Promise)) return this.#judged(answer);
    answer
      .then((result) => this.#judged(result))
      .catch((thrown: unknown) => host.failed(toGatewayError(thrown)));
  }

  #judged(answer: AllowedCommand | Refusal): void {
    if (this.#state !== 'judging') return;
    if (answer.refused) {
      this.#parts.refused(answer);
      return;
    }
    this.#parts.host.stages.sent(answer);
    this.#pass();
  }

  #pass(): void {
    this.#state = 'passing';
    this.#parts.toTarget(this.#waiting.peek());
    this.#waiting.clear();
    this.#parts.kept(0);
    this.#afterAll?.();
    this.#afterAll = undefined;
  }
}
