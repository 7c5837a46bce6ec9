/**
 * A protocol of one page, so that the seam is proven apart from any real one. Lines of UTF-8, at
 * most {@link LINE_BYTES_MAX} bytes, ended by LF.
 *
 *     client: LOGIN <user> <secret>      server: OK <cancel key>  |  ERR <code> <words>
 *     client: CANCEL <key>               (on a connection of its own; no answer)
 *     client: <command>                  server: NOTE <words>*  then  <answer>  |  ERR <code>
 * <words>
 *
 * The target answers each line with one line. `facts` come from the first word: `read` and `say`
 * read, `wipe` deletes all, `later` is for holds, everything else is not understood.
 */
import type { Command } from '#core/command.ts';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import { type Effect, type Facts, noFacts, opaqueFacts } from '#core/facts.ts';
import type { Admission, Door, Protocol, ProtocolServices, SessionEnd } from '#core/protocol.ts';
import { Secret } from '#core/secret.ts';
import type { AllowedCommand } from '#core/permit.ts';
import type { Refusal } from '#core/verdict.ts';
import type { Wire, WireSink } from '#core/wire.ts';

const LINE_BYTES_MAX = 4_096;
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

const effectsOf: Readonly<Record<string, readonly Effect[]>> = {
  read: ['read'],
  say: ['read'],
  wipe: ['delete-all'],
  later: ['delete'],
};

/** Facts of one line; the same object for the same line, as a real analyser's cache gives. */
const known = new Map<string, Facts>();
function factsOf(line: string): Facts {
  const verb = line.split(' ', 1)[0] ?? '';
  const effects = Object.hasOwn(effectsOf, verb) ? effectsOf[verb] : undefined;
  if (effects === undefined) return opaqueFacts(`unknown word '${verb}'`);
  let facts = known.get(verb);
  if (facts === undefined) {
    facts = { ...noFacts, effects, verbs: [verb], fingerprint: verb };
    known.set(verb, facts);
  }
  return facts;
}

/** Collects lines; anything that cannot be one is an error. */
class Lines {
  #rest: Uint8Array = new Uint8Array(0);

  push(chunk: Uint8Array, line: (text: string, bytes: Uint8Array) => void): void {
    let bytes = new Uint8Array(this.#rest.length + chunk.length);
    bytes.set(this.#rest);
    bytes.set(chunk, this.#rest.length);
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10)) {
      if (end > LINE_BYTES_MAX) throw new GatewayError('SP_FRAME_TOO_LARGE');
      line(text(bytes.subarray(0, end)), bytes.slice(0, end + 1));
      bytes = bytes.subarray(end + 1);
    }
    if (bytes.length > LINE_BYTES_MAX) throw new GatewayError('SP_FRAME_TOO_LARGE');
    this.#rest = bytes.slice();
  }
}

function text(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new GatewayError('SP_FRAME_MALFORMED', { cause });
  }
}

export const echo: Protocol = {
  name: 'echo',
  settings: { parse: (input) => input ?? {} },
  capabilities: {
    approval: 'notice',
    masking: 'text',
    recording: 'exchanges',
    survivesDenial: true,
  },
  start(services) {
    return Promise.resolve({
      serve: (wire, door, signal) => new EchoSession(services, wire, door, signal).run(),
      learn: () => Promise.resolve(),
      analyse: (input) => Promise.resolve([{ text: String(input), facts: factsOf(String(input)) }]),
      close: () => Promise.resolve(),
    });
  },
};

class EchoSession {
  readonly #services: ProtocolServices;
  readonly #wire: Wire;
  readonly #door: Door;
  readonly #signal: AbortSignal;
  readonly #cancelled = new AbortController();
  #admission: Admission | undefined;
  #up: Wire | undefined;
  #pending: string[] = [];
  #busy = false;
  #pendingBytes = 0;
  #end: SessionEnd | undefined;
  #finished: (() => void) | undefined;
  #removeCancel: (() => void) | undefined;
  #cancelHold = new AbortController();

  constructor(services: ProtocolServices, wire: Wire, door: Door, signal: AbortSignal) {
    this.#services = services;
    this.#wire = wire;
    this.#door = door;
    this.#signal = signal;
  }

  async run(): Promise<void> {
    const finished = new Promise<void>((resolve) => {
      this.#finished = resolve;
    });
    this.#signal.addEventListener('abort', () =>
      this.#finish({ reason: 'drained', code: 'SP_DRAINING', detail: '' }),
    );
    this.#wire.attach(this.#clientSink());
    await finished;
    this.#removeCancel?.();
    this.#cancelHold.abort();
    this.#cancelled.abort();
    this.#up?.destroy();
    this.#wire.end();
    await this.#admission?.close(
      this.#end ?? { reason: 'error', code: 'SP_INTERNAL', detail: 'no reason' },
    );
  }

  #clientSink(): WireSink {
    const lines = new Lines();
    return {
      data: (chunk) => {
        try {
          if (this.#admission === undefined) this.#door.spend(chunk.length);
          lines.push(chunk, (line) => this.#enqueue(line));
        } catch (thrown) {
          this.#fail(thrown);
        }
      },
      drained: () => this.#up?.resume(),
      ended: () => this.#finish({ reason: 'client', code: undefined, detail: '' }),
      closed: () => this.#finish({ reason: 'client', code: undefined, detail: '' }),
    };
  }

  /** One line after the other; while one is worked on the others wait, up to a bound. */
  #enqueue(line: string): void {
    this.#pending.push(line);
    this.#pendingBytes += line.length;
    if (this.#pendingBytes > this.#services.limits.heldBytesMax) {
      throw new GatewayError('SP_FRAME_TOO_LARGE');
    }
    if (!this.#busy) void this.#work();
  }

  async #work(): Promise<void> {
    this.#busy = true;
    try {
      for (;;) {
        const line = this.#pending.shift();
        if (line === undefined || this.#end !== undefined) break;
        this.#pendingBytes -= line.length;
        if (this.#admission === undefined) await this.#login(line);
        else if (!(await this.#command(this.#admission, line))) return;
      }
    } catch (thrown) {
      this.#fail(thrown);
    }
    this.#busy = false;
  }

  async #login(line: string): Promise<void> {
    const [verb, user = '', secret = ''] = line.split(' ');
    if (verb === 'CANCEL') {
      this.#door.cancels.fire(user);
      this.#finish({ reason: 'client', code: undefined, detail: 'a cancel request' });
      return;
    }
    if (verb !== 'LOGIN') throw new GatewayError('SP_PROTOCOL');
    if (this.#wire.security === null && !this.#door.listener.plaintextAllowed) {
      throw new GatewayError('SP_TLS_REQUIRED');
    }
    const admission = await this.#door.admit(
      {
        user,
        namespace: 'echo',
        clientName: 'echo',
        holdMode: 'wait',
        proof: { kind: 'password', secret: new Secret(secret) },
      },
      this.#signal,
    );
    this.#admission = admission;
    admission.signal.addEventListener('abort', () => this.#ended(admission));
    if (admission.signal.aborted) this.#ended(admission);
    this.#up = await admission.dial(this.#signal);
    this.#up.attach(this.#targetSink(admission));
    const key = Array.from(this.#services.random.bytes(8), (byte) =>
      byte.toString(16).padStart(2, '0'),
    ).join('');
    this.#removeCancel = this.#door.cancels.add(key, () => this.#cancelHold.abort());
    this.#tell(`OK ${key}`);
  }

  /** The session was ended from outside: a lock, an expiry. */
  #ended(admission: Admission): void {
    const refusal: Refusal = admission.signal.reason;
    this.#tell(`ERR ${refusal.code} ${refusal.reason}`);
    this.#finish({ reason: 'refused', code: refusal.code, detail: refusal.reason });
  }

  /** Answers whether the next line may be worked on now; else the target's answer says when. */
  async #command(admission: Admission, line: string): Promise<boolean> {
    const { stages } = admission;
    const bytes = encoder.encode(`${line}\n`);
    stages.tape.data('from-client', bytes, 0, bytes.length);
    const command: Command = {
      id: stages.commandId(),
      context: stages.context,
      kind: 'execute',
      text: line,
      parameters: [],
      state: '',
      facts: factsOf(line),
    };
    this.#cancelHold = new AbortController();
    const result = await stages.gate(
      command,
      ({ hold, howToApprove }) => this.#tell(`NOTE held as ${hold}; ${howToApprove}`),
      this.#cancelHold.signal,
    );
    if (result.refused) {
      this.#tell(`ERR ${result.code} ${result.reason}`);
      if (result.endsSession) {
        this.#finish({ reason: 'refused', code: result.code, detail: result.reason });
      }
      return true;
    }
    this.#send(result);
    return false;
  }

  /** The only way upstream: what is sent is what was allowed. */
  #send(permit: AllowedCommand): void {
    this.#admission?.stages.sent(permit);
    this.#up?.write(encoder.encode(`${permit.command.text}\n`));
  }

  #targetSink(admission: Admission): WireSink {
    const lines = new Lines();
    const gone = (): void =>
      this.#finish({ reason: 'target', code: 'SP_TARGET_LOST', detail: 'the target hung up' });
    return {
      data: (chunk) => {
        try {
          lines.push(chunk, (_line, bytes) => {
            const { content } = admission.stages.masks;
            const end = bytes.length - 1;
            const clean = content?.cell(bytes, 0, end, 'text', 0) ?? bytes.subarray(0, end);
            this.#tell(text(clean));
            void this.#work();
          });
        } catch (thrown) {
          this.#fail(thrown);
        }
      },
      drained: () => undefined,
      ended: gone,
      closed: gone,
    };
  }

  /** Nothing is said after the end: the recording is sealed by then. */
  #tell(line: string): void {
    if (this.#end !== undefined) return;
    const bytes = encoder.encode(`${line}\n`);
    this.#admission?.stages.tape.data('to-client', bytes, 0, bytes.length);
    if (!this.#wire.write(bytes)) this.#up?.pause();
  }

  #fail(thrown: unknown): void {
    const error = toGatewayError(thrown);
    if (this.#admission === undefined) this.#door.failed(error.code, error.message);
    try {
      this.#tell(`ERR ${error.code} ${error.message}`);
    } finally {
      this.#finish({ reason: 'error', code: error.code, detail: error.message });
    }
  }

  #finish(end: SessionEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#finished?.();
  }
}
