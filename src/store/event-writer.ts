/**
 * The gateway's side of the event thread. One request at a time reaches the disk; a failed batch
 * may be given again. If the thread dies, everything fails with `SP_STORE` from then on.
 */
import { Worker } from 'node:worker_threads';
import { GatewayError } from '#core/errors.ts';
import type { AuditEvent } from '#core/events.ts';
import type { EventWriter } from '#core/ports/events.ts';
import { lineOf } from './event-line.ts';
import type { EventAnswer, EventRequest, EventThreadData } from './event-thread.ts';

interface Waiting {
  readonly resolve: (lastNumber: number) => void;
  readonly reject: (error: GatewayError) => void;
}

/** Size at which the outbox file is closed and another begun. */
const ROTATE_BYTES = 256 * 1024 * 1024;

/** Where events go. */
export interface EventWriterOptions {
  /** The SQLite file; its schema must be up to date (open the store first). */
  readonly path: string;
  /** The outbox file, for example `events.ndjson`. */
  readonly file: string;
  readonly rotateBytes?: number;
}

/**
 * Starts the event thread and makes database and file agree.
 *
 * @throws GatewayError `SP_STORE` when they cannot be opened or reconciled.
 */
export async function openEventWriter(options: EventWriterOptions): Promise<EventWriter> {
  const writer = new ThreadedEventWriter({
    path: options.path,
    file: options.file,
    rotateBytes: options.rotateBytes ?? ROTATE_BYTES,
  });
  await writer.started();
  return writer;
}

class ThreadedEventWriter implements EventWriter {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #started: Promise<number>;
  #nextId = 1;
  #lastNumber = 0;
  #lost: GatewayError | undefined;

  constructor(data: EventThreadData) {
    const entry = import.meta.url.endsWith('.ts') ? './event-thread.ts' : './event-thread.js';
    this.#worker = new Worker(new URL(entry, import.meta.url), { workerData: data });
    this.#started = this.#wait(0);
    this.#worker.on('message', (answer: EventAnswer) => this.#answered(answer));
    this.#worker.on('error', (cause) => this.#fail(cause));
    this.#worker.on('exit', () => this.#fail(new Error('the event thread ended')));
  }

  get lastNumber(): number {
    return this.#lastNumber;
  }

  async started(): Promise<void> {
    try {
      await this.#started;
    } catch (thrown) {
      await this.#worker.terminate();
      throw thrown;
    }
  }

  async append(batch: readonly AuditEvent[]): Promise<void> {
    await this.#ask(batch.map(lineOf).join('\n'));
  }

  async close(): Promise<void> {
    if (this.#lost !== undefined) return;
    await this.#ask(null);
    this.#lost = new GatewayError('SP_STORE', { detail: 'the event log is closed' });
  }

  #ask(batch: string | null): Promise<number> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost);
    const request: EventRequest = { id: this.#nextId, batch };
    this.#nextId += 1;
    const answer = this.#wait(request.id);
    this.#worker.postMessage(request);
    return answer;
  }

  #wait(id: number): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.size === 0) this.#worker.ref();
      this.#waiting.set(id, { resolve, reject });
    });
  }

  #answered(answer: EventAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    // An idle thread does not keep the process alive; one that writes does.
    if (this.#waiting.size === 0) this.#worker.unref();
    if ('failure' in answer) {
      waiting?.reject(new GatewayError('SP_STORE', { cause: new Error(answer.failure) }));
    } else {
      this.#lastNumber = answer.lastNumber;
      waiting?.resolve(answer.lastNumber);
    }
  }

  #fail(cause: Error): void {
    this.#lost ??= new GatewayError('SP_STORE', { detail: 'the event log was lost', cause });
    for (const waiting of this.#waiting.values()) waiting.reject(this.#lost);
    this.#waiting.clear();
  }
}
