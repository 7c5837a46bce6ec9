/**
 * The sessions of one HTTP/2 connection. Each proof and target has one, which all streams that
 * show it share; a stream has a view of it that ends with the stream. What streams say is recorded
 * in one recording, with a mark wherever another stream goes on.
 *
 * Invariant: a session ends with its connection, or when room is needed and no stream uses it.
 */
import { GatewayError, toGatewayError } from '#core/errors.ts';
import { httpLimits } from '#core/limits.ts';
import type { Admission, Door, LoginAttempt, SessionEnd, Stages } from '#core/protocol.ts';
import type { Direction, Tape } from '#core/tape.ts';
import type { SharedAdmission, SharedSessions } from '../downstream.ts';
import { Spares } from '../spares.ts';

interface Shared {
  readonly admission: Admission;
  readonly spares: Spares;
  readonly streams: Set<AbortController>;
  /** The stream whose bytes were recorded last. */
  recorded: number;
}

export interface SharedParts {
  readonly door: Door;
  readonly signal: AbortSignal;
  /** A session has to end: the connection goes down with it. */
  readonly ended: () => void;
}

export class ConnectionSessions {
  readonly #parts: SharedParts;
  readonly #shared = new Map<string, Promise<Shared>>();

  constructor(parts: SharedParts) {
    this.#parts = parts;
  }

  /** What one stream is given. */
  of(stream: number): SharedSessions {
    return {
      admit: async (key, attempt) => this.#view(await this.#find(key, attempt), stream),
    };
  }

  /** Ends all of them. */
  async close(end: SessionEnd): Promise<void> {
    const all = [...this.#shared.values()];
    this.#shared.clear();
    for (const opening of all) await this.#end(opening, end);
  }

  async #end(opening: Promise<Shared>, end: SessionEnd): Promise<void> {
    try {
      const { admission, spares } = await opening;
      spares.close();
      await admission.close(end);
    } catch (thrown) {
      this.#parts.door.failed(toGatewayError(thrown).code, 'a session did not end cleanly');
    }
  }

  async #find(key: string, attempt: LoginAttempt): Promise<Shared> {
    let opening = this.#shared.get(key);
    if (opening === undefined) {
      await this.#makeRoom();
      opening = this.#open(attempt);
      this.#shared.set(key, opening);
      opening.catch(() => this.#shared.delete(key));
    }
    return opening;
  }

  async #makeRoom(): Promise<void> {
    if (this.#shared.size < httpLimits.sessionsPerConnectionMax) return;
    for (const [key, opening] of this.#shared) {
      if ((await opening).streams.size > 0) continue;
      this.#shared.delete(key);
      return this.#end(opening, { reason: 'client', code: undefined, detail: '' });
    }
    throw new GatewayError('SP_TOO_MANY', { detail: 'sessions of one connection' });
  }

  async #open(attempt: LoginAttempt): Promise<Shared> {
    const admission = await this.#parts.door.admit(attempt, this.#parts.signal);
    const shared: Shared = {
      admission,
      spares: new Spares(admission),
      streams: new Set(),
      recorded: 0,
    };
    const stop = (): void => {
      for (const controller of shared.streams) controller.abort(admission.signal.reason);
      this.#parts.ended();
    };
    admission.signal.addEventListener('abort', stop, { once: true });
    if (admission.signal.aborted) stop();
    return shared;
  }

  #view(shared: Shared, stream: number): SharedAdmission {
    const { admission, spares } = shared;
    const controller = new AbortController();
    shared.streams.add(controller);
    if (admission.signal.aborted) controller.abort(admission.signal.reason);
    const tape = new StreamTape(shared, stream);
    const view: Admission = {
      authorization: admission.authorization,
      dial: (signal) => admission.dial(signal),
      release: (wire) => admission.release(wire),
      secrets: () => admission.secrets(),
      stages: stagesOf(admission.stages, tape),
      signal: controller.signal,
      close: async ({ code, detail }) => {
        shared.streams.delete(controller);
        if (code !== undefined) tape.mark('stream-failed', { stream, code, detail });
      },
    };
    return { admission: view, spares };
  }
}

/** The stages of the session, with what the stream says marked as its. */
function stagesOf(stages: Stages, tape: StreamTape): Stages {
  return {
    context: stages.context,
    gate: (command, onHold, cancelled) => stages.gate(command, onHold, cancelled),
    sent: (permit) => stages.sent(permit),
    hold: (id) => stages.hold(id),
    exceeded: (permit, excess, how) => stages.exceeded(permit, excess, how),
    get epoch() {
      return stages.epoch;
    },
    get masks() {
      return stages.masks;
    },
    get factsMatter() {
      return stages.factsMatter;
    },
    tape,
    commandId() {
      tape.select();
      return stages.commandId();
    },
  };
}

class StreamTape implements Tape {
  readonly #shared: Shared;
  readonly #stream: number;

  constructor(shared: Shared, stream: number) {
    this.#shared = shared;
    this.#stream = stream;
  }

  /** Says that what is recorded next is of this stream. */
  select(): void {
    if (this.#shared.recorded === this.#stream) return;
    this.#shared.recorded = this.#stream;
    this.#tape.mark('stream', { stream: this.#stream });
  }

  data(direction: Direction, bytes: Uint8Array, start: number, end: number): void {
    this.select();
    this.#tape.data(direction, bytes, start, end);
  }

  judged: Tape['judged'] = (command, verdict, result) => {
    this.select();
    this.#tape.judged(command, verdict, result);
  };

  mark(kind: string, data: Readonly<Record<string, unknown>>): void {
    this.#tape.mark(kind, data);
  }

  commit(): void {
    this.#tape.commit();
  }

  get behind(): boolean {
    return this.#tape.behind;
  }

  whenReady(callback: () => void): void {
    this.#tape.whenReady(callback);
  }

  get #tape(): Tape {
    return this.#shared.admission.stages.tape;
  }
}
