/**
 * An engine on a thread of its own, so that a commit, which waits for the disk, never holds up the
 * data path. If the thread dies, every waiting and later call fails with `SP_STORE`.
 */
import { Worker } from 'node:worker_threads';
import { GatewayError } from '#core/errors.ts';
import type { SqlEngine, SqlResult, SqlValue } from './engine.ts';
import type { EngineAnswer, EngineRequest } from './engine-thread.ts';

interface Waiting {
  readonly resolve: (result: SqlResult) => void;
  readonly reject: (error: GatewayError) => void;
}

/** Statements that may wait for the thread at once. */
const WAITING_MAX = 10_000;

export class ThreadedEngine implements SqlEngine {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #lost: GatewayError | undefined;

  constructor(path: string) {
    const file = import.meta.url.endsWith('.ts') ? './engine-thread.ts' : './engine-thread.js';
    this.#worker = new Worker(new URL(file, import.meta.url), { workerData: { path } });
    // The process may end while the thread idles; it is kept alive only by work that waits.
    this.#worker.unref();
    this.#worker.on('message', (answer: EngineAnswer) => this.#answered(answer));
    this.#worker.on('error', (cause) => this.#fail(cause));
    this.#worker.on('exit', () => this.#fail(new Error('the store thread ended')));
  }

  run(sql: string, parameters: readonly SqlValue[]): Promise<SqlResult> {
    return this.#ask(sql, parameters);
  }

  async close(): Promise<void> {
    if (this.#lost !== undefined) return;
    await this.#ask(null, []);
    this.#lost = new GatewayError('SP_STORE', { detail: 'the store is closed' });
  }

  #ask(sql: string | null, parameters: readonly SqlValue[]): Promise<SqlResult> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost);
    if (this.#waiting.size >= WAITING_MAX) {
      return Promise.reject(new GatewayError('SP_STORE', { detail: 'the store is overloaded' }));
    }
    const id = this.#nextId;
    this.#nextId += 1;
    return new Promise((resolve, reject) => {
      if (this.#waiting.size === 0) this.#worker.ref();
      this.#waiting.set(id, { resolve, reject });
      const request: EngineRequest = { id, sql, parameters };
      this.#worker.postMessage(request);
    });
  }

  #answered(answer: EngineAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (this.#waiting.size === 0) this.#worker.unref();
    if (waiting === undefined) return;
    if ('failure' in answer) {
      waiting.reject(new GatewayError('SP_STORE', { cause: new Error(answer.failure) }));
    } else {
      waiting.resolve(answer);
    }
  }

  #fail(cause: Error): void {
    this.#lost ??= new GatewayError('SP_STORE', { detail: 'the store was lost', cause });
    for (const waiting of this.#waiting.values()) waiting.reject(this.#lost);
    this.#waiting.clear();
  }
}
