/**
 * The threads that parse: one at work, one warm beside it. Texts wait in a bounded queue; a text
 * that outlives its deadline, or that ends its thread, is refused, and the warm thread takes over.
 */
import { Worker } from 'node:worker_threads';
import type { Clock } from '#core/clock.ts';
import type { ParserReply, ParserRequest } from './parser-worker.ts';

export interface ParserPoolOptions {
  readonly clock: Clock;
  readonly module: WebAssembly.Module;
  /** Milliseconds that one text may take in the thread. */
  readonly parseMsMax: number;
  /** Texts, and UTF-16 units of them, that may wait. */
  readonly queueMax: number;
  readonly queuedCharactersMax: number;
  readonly statementsMax: number;
}

type Answer = (reply: ParserReply) => void;

interface Job {
  readonly text: string;
  readonly answer: Answer;
}

interface Thread {
  readonly worker: Worker;
  ready: boolean;
  gone: boolean;
}

/** Threads are started again after this many in a row died before they were ready. */
const deadStartsMax = 3;

const workerUrl = new URL(
  import.meta.url.endsWith('.ts') ? './parser-worker.ts' : './parser-worker.js',
  import.meta.url,
);

export class ParserPool {
  readonly #options: ParserPoolOptions;
  readonly #queue: Job[] = [];
  #queuedCharacters = 0;
  #threads: Thread[] = [];
  #running: { readonly job: Job; readonly thread: Thread; readonly cancel: () => void } | undefined;
  #deadStarts = 0;
  #closed = false;

  constructor(options: ParserPoolOptions) {
    this.#options = options;
    this.#fill();
  }

  /** Parses in a thread. Never rejects. */
  parse(text: string): Promise<ParserReply> {
    return new Promise((resolve) => {
      const { queueMax, queuedCharactersMax } = this.#options;
      const tooMany = this.#queue.length >= queueMax;
      if (this.#closed || tooMany || this.#queuedCharacters + text.length > queuedCharactersMax) {
        resolve({ kind: 'refused', reason: 'too many statements wait to be parsed' });
        return;
      }
      this.#queue.push({ text, answer: resolve });
      this.#queuedCharacters += text.length;
      this.#deadStarts = 0;
      this.#fill();
      this.#next();
    });
  }

  /** Ends the threads; what waits is refused. */
  async close(): Promise<void> {
    this.#closed = true;
    const running = this.#running;
    this.#running = undefined;
    running?.cancel();
    for (const job of [...(running === undefined ? [] : [running.job]), ...this.#queue.splice(0)]) {
      job.answer({ kind: 'refused', reason: 'the parser was closed' });
    }
    await Promise.all(this.#threads.splice(0).map((thread) => thread.worker.terminate()));
  }

  #fill(): void {
    while (!this.#closed && this.#threads.length < 2 && this.#deadStarts < deadStartsMax) {
      this.#start();
    }
  }

  #start(): void {
    const worker = new Worker(workerUrl, {
      workerData: this.#options.module,
      // A long chain of operators is as deep as it is long. The heap holds a tree and its JSON; the
      // parser's own memory, up to 1 GiB, is beside it, and one thread works at a time.
      resourceLimits: { stackSizeMb: 16, maxOldGenerationSizeMb: 768 },
      stdout: false,
      stderr: false,
    });
    worker.unref();
    const thread: Thread = { worker, ready: false, gone: false };
    this.#threads.push(thread);
    worker.on('message', (reply: ParserReply | 'ready') => this.#said(thread, reply));
    worker.on('error', () => this.#lost(thread, 'the parser failed on it'));
    worker.on('exit', () => this.#lost(thread, 'the parser failed on it'));
  }

  #said(thread: Thread, reply: ParserReply | 'ready'): void {
    if (reply === 'ready') {
      thread.ready = true;
      this.#deadStarts = 0;
    } else if (this.#running?.thread === thread) {
      const { job, cancel } = this.#running;
      this.#running = undefined;
      cancel();
      job.answer(reply);
    }
    this.#next();
  }

  #lost(thread: Thread, reason: string): void {
    if (thread.gone) return;
    thread.gone = true;
    if (!thread.ready) this.#deadStarts += 1;
    this.#threads = this.#threads.filter((each) => each !== thread);
    void thread.worker.terminate();
    if (this.#running?.thread === thread) {
      const { job, cancel } = this.#running;
      this.#running = undefined;
      cancel();
      job.answer({ kind: 'refused', reason });
    }
    this.#fill();
    if (this.#threads.length === 0) {
      this.#queuedCharacters = 0;
      for (const job of this.#queue.splice(0)) {
        job.answer({ kind: 'refused', reason: 'the parser cannot be started' });
      }
    }
    this.#next();
  }

  #next(): void {
    if (this.#running !== undefined || this.#closed) return;
    const thread = this.#threads.find((each) => each.ready);
    if (thread === undefined) return;
    const job = this.#queue.shift();
    if (job === undefined) return;
    this.#queuedCharacters -= job.text.length;
    const { clock, parseMsMax, statementsMax } = this.#options;
    const cancel = clock.after(parseMsMax, () => this.#lost(thread, 'it took too long to parse'));
    this.#running = { job, thread, cancel };
    const request: ParserRequest = { text: job.text, statementsMax };
    thread.worker.postMessage(request);
  }
}
