/**
 * The data path's end of the recording thread: starts it, sends to it, and routes its answers by
 * session. A thread that dies is told once to its owner; requests that wait are rejected.
 */
import { Worker } from 'node:worker_threads';
import { GatewayError } from '#core/errors.ts';
import type { BlockMemory } from './frames.ts';
import type { FullBlock } from './tape.ts';
import type { FromThread, ThreadData, ToThread } from './messages.ts';

/** What comes back for one session. */
export type ThreadAnswer = Extract<FromThread, { op: 'opened' | 'sealed' | 'recovered' }>;

/** Who is told what was not asked for by a promise. */
export interface ThreadOwner {
  written(slot: number, memory: BlockMemory): void;
  /** A write failed; `slot` undefined: the thread is gone, or recovery failed. */
  failed(slot: number | undefined, error: GatewayError): void;
}

interface Waiting {
  readonly resolve: (answer: ThreadAnswer) => void;
  readonly reject: (error: GatewayError) => void;
}

/** Slot under which the answer to `recover` is waited for; sessions count from 1. */
const RECOVERY_SLOT = 0;
/** The compiled package has the thread beside this file under another ending. */
const threadFile = import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js';

/** Starts the thread; a test keeps the worker to kill it. */
export type StartThread = (data: ThreadData) => Worker;

/** The real one. */
export const startThread: StartThread = (data) =>
  new Worker(new URL(threadFile, import.meta.url), { workerData: data });

/** One recording thread. */
export class RecordingThread {
  readonly #worker: Worker;
  readonly #owner: ThreadOwner;
  readonly #waiting = new Map<number, Waiting>();
  /** What the thread was sent, by id. */
  readonly #memories = new Map<number, BlockMemory>();
  #gone: GatewayError | undefined;

  constructor(data: ThreadData, owner: ThreadOwner, start: StartThread = startThread) {
    this.#owner = owner;
    this.#worker = start(data);
    this.#worker.on('message', (message: FromThread) => this.#take(message));
    this.#worker.on('error', (cause) => this.#end(cause));
    this.#worker.on('exit', (status) => this.#end(new Error(`status ${status}`)));
  }

  /** False when it has died. */
  get alive(): boolean {
    return this.#gone === undefined;
  }

  /** Sends what needs no answer. */
  send(message: Extract<ToThread, { op: 'drop' | 'forget' }>): void {
    if (message.op === 'forget') this.#memories.delete(message.memory);
    this.#worker.postMessage(message);
  }

  /** Sends a block; its memory is the thread's until `written` gives it back. */
  sendBlock(slot: number, { memory, used, startedUs }: FullBlock): void {
    const shared = this.#memories.has(memory.id) ? undefined : memory.bytes.buffer;
    this.#memories.set(memory.id, memory);
    const message: ToThread = { op: 'block', slot, memory: memory.id, shared, used, startedUs };
    this.#worker.postMessage(message);
  }

  /** Sends, and resolves with the answer to it; one question a session at a time. */
  ask(message: Extract<ToThread, { op: 'open' | 'seal' | 'recover' }>): Promise<ThreadAnswer> {
    const slot = message.op === 'recover' ? RECOVERY_SLOT : message.slot;
    return new Promise((resolve, reject) => {
      if (this.#gone !== undefined) {
        reject(this.#gone);
        return;
      }
      this.#waiting.set(slot, { resolve, reject });
      this.#worker.postMessage(message);
    });
  }

  /** Ends the thread; nobody is told. */
  async stop(): Promise<void> {
    this.#gone ??= new GatewayError('SP_RECORDING_FAILED', { detail: 'the recorder is closed' });
    this.#rejectAll(this.#gone);
    await this.#worker.terminate();
  }

  #take(message: FromThread): void {
    switch (message.op) {
      case 'written':
        for (let index = 0; index < message.blocks.length; index += 2) {
          const memory = this.#memories.get(message.blocks[index + 1] ?? 0);
          if (memory !== undefined) this.#owner.written(message.blocks[index] ?? 0, memory);
        }
        return;
      case 'failed': {
        const code = message.space ? 'SP_RECORDING_SPACE' : 'SP_RECORDING_FAILED';
        const error = new GatewayError(code, { detail: message.message });
        this.#settle(message.slot ?? RECOVERY_SLOT)?.reject(error);
        // A recording that could not be opened is refused; nothing that runs is touched by it.
        if (message.step !== 'open') this.#owner.failed(message.slot, error);
        return;
      }
      case 'recovered':
        this.#settle(RECOVERY_SLOT)?.resolve(message);
        return;
      case 'opened':
      case 'sealed':
        this.#settle(message.slot)?.resolve(message);
        return;
    }
  }

  #settle(slot: number): Waiting | undefined {
    const waiting = this.#waiting.get(slot);
    this.#waiting.delete(slot);
    return waiting;
  }

  #end(cause: unknown): void {
    if (this.#gone !== undefined) return;
    const detail = 'the recording thread died';
    this.#gone = new GatewayError('SP_RECORDING_FAILED', { detail, cause });
    this.#rejectAll(this.#gone);
    this.#owner.failed(undefined, this.#gone);
  }

  #rejectAll(error: GatewayError): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(error);
  }
}
