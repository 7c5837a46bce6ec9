/**
 * The session between a client that is logged in and a server that is ready: its two lanes, their
 * back-pressure, and its end. One object a session; all of it runs in the callbacks of two wires.
 *
 * Invariant: however it ends, both sides are closed within {@link CLOSE_MS_MAX}, a query that runs
 * is cancelled, and `run` resolves once.
 */
import type { Clock } from '#core/clock.ts';
import { type ErrorCode, GatewayError, toGatewayError } from '#core/errors.ts';
import type { Limits } from '#core/limits.ts';
import type { HoldNotice, SessionEnd } from '#core/protocol.ts';
import type { Refusal } from '#core/verdict.ts';
import type { Wire, WireSink } from '#core/wire.ts';
import { frameBytes, headerBytes } from './codec/frames.ts';
import { frontend } from './codec/messages.ts';
import { encodeBare, encodeGreeting } from './codec/write.ts';
import { encodeFatal, encodeHold } from './refusal.ts';
import { Bounded } from './relay-bounded.ts';
import { ClientSide } from './relay-client.ts';
import { Conversation } from './relay-conversation.ts';
import { Judge } from './relay-judge.ts';
import { Lane } from './relay-lane.ts';
import { Outlet } from './relay-outlet.ts';
import { OwnQueries } from './relay-own.ts';
import { checkLexer, ServerSide } from './relay-server.ts';
import { refreshState } from './relay-state.ts';
import type { CatalogueCache } from './sql/catalogue-cache.ts';
import type { SqlAnalyser } from './sql/types.ts';
import type { PgClient, PgServer } from './types.ts';

export interface RelayParts {
  readonly client: PgClient;
  readonly server: PgServer;
  readonly analyser: SqlAnalyser;
  readonly catalogues: Pick<CatalogueCache, 'current' | 'changes'>;
  readonly limits: Limits;
  readonly clock: Clock;
  /** The key that the client cancels with, made for this session. */
  readonly cancelKey: Uint8Array;
  /** A name for the gateway's own statements, that nobody can guess. */
  readonly secretName: string;
  /** Cancels what the server runs for this session. */
  readonly cancelUpstream: () => Promise<void>;
}

/** From the decision to end to both sides closed, whatever the peers do. */
const CLOSE_MS_MAX = 800;

export class Relay {
  readonly #parts: RelayParts;
  readonly #client: Wire;
  readonly #server: Wire;
  readonly #conversation: Conversation;
  readonly #toClient: Outlet;
  readonly #toServer: Outlet;
  readonly #serverSide: ServerSide;
  readonly #clientSide: ClientSide;
  readonly #serverLane: Lane;
  readonly #clientLane: Lane;
  readonly #judge: Judge;
  readonly #own: OwnQueries;
  readonly #bounded: Bounded;
  readonly #paused = { client: false, server: false };
  #holding = false;
  #waitingForTape = false;
  #ending: SessionEnd | undefined;
  #last: Uint8Array | undefined;
  #over = false;
  #resolve: (end: SessionEnd) => void = () => {};

  constructor(parts: RelayParts) {
    this.#parts = parts;
    const { client, server, limits } = parts;
    const { stages } = client.admission;
    this.#client = client.wire;
    this.#server = server.wire;
    this.#conversation = new Conversation(stages, limits, parts.clock);
    const conversation = this.#conversation;
    this.#toClient = new Outlet(client.wire, (bytes, start, end) =>
      stages.tape.data('to-client', bytes, start, end),
    );
    this.#toServer = new Outlet(server.wire);
    this.#serverSide = new ServerSide({
      conversation,
      outlet: this.#toClient,
      parameters: server.parameters,
    });
    this.#own = new OwnQueries(conversation, this.#toServer, parts.secretName);
    this.#judge = new Judge({
      conversation,
      analyser: parts.analyser,
      refresh: () => this.#refresh(),
      onHold: (notice) => this.#held(notice),
    });
    this.#bounded = new Bounded({
      conversation,
      own: this.#own,
      clock: parts.clock,
      toServer: this.#toServer,
      toClient: this.#toClient,
      tell: (message) => this.#serverSide.insert(message),
      cancelUpstream: parts.cancelUpstream,
      onHold: (notice) => this.#held(notice),
      cancelled: () => this.#judge.cancelled,
    });
    this.#clientSide = new ClientSide({
      conversation,
      outlet: this.#toServer,
      judge: this.#judge,
      bounded: this.#bounded,
      tape: stages.tape,
      tell: (message) => this.#serverSide.insert(message),
      resume: () => this.#guard(() => this.#resumeClient()),
      end: (refusal) => this.end(refusal),
      fail: (thrown) => this.#fail(thrown),
      secretName: `${parts.secretName} refused`,
    });
    this.#serverLane = new Lane(this.#serverSide, this.#toClient);
    this.#clientLane = new Lane(this.#clientSide, this.#toServer);
  }

  /** Serves the session to its end. Never rejects. */
  async run(): Promise<SessionEnd> {
    const ended = new Promise<SessionEnd>((resolve) => {
      this.#resolve = resolve;
    });
    const { client, server } = this.#parts;
    const { signal } = client.admission;
    const abort = (): void => this.end(refusalOf(signal.reason));
    signal.addEventListener('abort', abort, { once: true });
    try {
      if (signal.aborted) abort();
      this.#server.attach(this.#serverSink());
      this.#client.attach(this.#clientSink());
      for (const [name, value] of server.parameters) checkLexer(name, value);
      if (server.rest.length > 0) this.#serverData(server.rest);
      await this.#refresh();
      this.#greet();
      this.#clientSide.start();
      if (client.rest.length > 0) this.#clientData(client.rest);
      else this.#resumeClient();
    } catch (thrown) {
      this.#fail(thrown);
    }
    const end = await ended;
    this.#conversation.close();
    signal.removeEventListener('abort', abort);
    return end;
  }

  /** The client's CancelRequest: ends a wait for approval, or what the server runs. */
  cancel(): void {
    // A wait begins before the client is told of it: while the hold is being kept.
    if (this.#holding || this.#clientSide.isJudging) this.#judge.cancel();
    if (!this.#holding && this.#conversation.queue.length > 0) void this.#parts.cancelUpstream();
  }

  /** Ends the session because it may not go on; the client is told why. */
  end(refusal: Refusal): void {
    this.#conclude(
      { reason: 'refused', code: refusal.code, detail: refusal.reason },
      encodeFatal(refusal.code, refusal.reason, refusal.hint),
    );
  }

  #greet(): void {
    if (this.#ending !== undefined) return;
    const { client, server, cancelKey } = this.#parts;
    const greeting = encodeGreeting(server.parameters, server.processId, cancelKey);
    // Who reads the recording while the session lives must not be able to cancel in it.
    const hidden = new Uint8Array(cancelKey.length);
    const shown = encodeGreeting(server.parameters, server.processId, hidden);
    client.admission.stages.tape.data('to-client', shown, 0, shown.length);
    this.#client.write(greeting);
  }

  #refresh(): Promise<void> {
    const { catalogues, client } = this.#parts;
    return refreshState({
      conversation: this.#conversation,
      catalogues,
      target: client.admission.authorization.target.name,
      query: (sql) => this.#own.query(sql),
    });
  }

  #held(notice: HoldNotice): void {
    this.#holding = true;
    this.#serverSide.insert(encodeHold(notice));
  }

  #clientSink(): WireSink {
    return {
      data: (chunk) => this.#guard(() => this.#clientData(chunk)),
      drained: () => {
        this.#toClient.drained();
        this.#guard(() => this.#pace());
      },
      ended: () => this.#clientGone(undefined),
      closed: (error) => this.#clientGone(error),
    };
  }

  #serverSink(): WireSink {
    return {
      data: (chunk) => this.#guard(() => this.#serverData(chunk)),
      drained: () => {
        this.#toServer.drained();
        this.#guard(() => this.#pace());
      },
      ended: () => this.#serverGone(),
      closed: () => this.#serverGone(),
    };
  }

  #guard(run: () => void): void {
    if (this.#over) return;
    try {
      run();
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  #clientData(chunk: Uint8Array): void {
    if (this.#ending !== undefined) return;
    this.#clientLane.feed(chunk);
    this.#afterClient();
  }

  #resumeClient(): void {
    if (this.#ending !== undefined) return;
    if (!this.#clientSide.stalled) this.#holding = false;
    this.#clientLane.resume();
    this.#afterClient();
  }

  #afterClient(): void {
    if (this.#holding && this.#saidGoodbye()) this.#judge.cancel();
    if (this.#clientSide.terminated) {
      this.#conclude({ reason: 'client', code: undefined, detail: '' }, undefined);
      return;
    }
    this.#pace();
  }

  /** Whether a Terminate waits behind the command that is held. */
  #saidGoodbye(): boolean {
    const held = this.#clientLane.held();
    let at = 0;
    while (at + headerBytes <= held.length) {
      if (held[at] === frontend.terminate) return true;
      at += frameBytes(held, at);
    }
    return false;
  }

  #serverData(chunk: Uint8Array): void {
    this.#serverLane.feed(chunk);
    if (this.#ending !== undefined) {
      if (!this.#serverSide.inMessage) this.#finish();
      return;
    }
    if (this.#conversation.copyIn && this.#clientSide.isJudging) {
      // It would wait for the copy to end, and the copy for the data behind it.
      throw new GatewayError('SP_PROTOCOL', { detail: 'a command while the server takes data' });
    }
    if (this.#clientLane.heldBytes > 0 && !this.#clientSide.stalled) this.#resumeClient();
    else this.#pace();
  }

  /** Reads each side only while the other, the recorder and the backlog keep up. */
  #pace(): void {
    if (this.#over) return;
    const { tape } = this.#conversation.stages;
    const { behind } = tape;
    if (behind && !this.#waitingForTape) {
      this.#waitingForTape = true;
      tape.whenReady(() => {
        this.#waitingForTape = false;
        this.#guard(() => this.#pace());
      });
    }
    const { stalled } = this.#clientSide;
    const full = stalled && this.#clientLane.heldBytes > this.#parts.limits.heldBytesMax;
    this.#setPaused('client', behind || this.#toServer.blocked || full);
    this.#setPaused('server', behind || this.#toClient.blocked);
  }

  #setPaused(side: 'client' | 'server', paused: boolean): void {
    if (this.#paused[side] === paused) return;
    this.#paused[side] = paused;
    const wire = side === 'client' ? this.#client : this.#server;
    if (paused) wire.pause();
    else wire.resume();
  }

  #clientGone(error: Error | undefined): void {
    const detail = error === undefined ? '' : 'the connection broke';
    this.#conclude({ reason: 'client', code: undefined, detail }, undefined);
  }

  #serverGone(): void {
    const end: SessionEnd = { reason: 'target', code: 'SP_TARGET_LOST', detail: '' };
    // A server that ends the session says why itself, and then there is nothing to add.
    const told = this.#serverSide.saidFatal;
    this.#conclude(end, told ? undefined : encodeFatal('SP_TARGET_LOST', ''));
  }

  #fail(thrown: unknown): void {
    const error: GatewayError = toGatewayError(thrown);
    const code: ErrorCode = error.code;
    const end: SessionEnd = { reason: 'error', code, detail: error.message };
    this.#conclude(end, encodeFatal(code, ''));
  }

  /**
   * Begins the end. A message that the client has been given the beginning of is given whole if the
   * server is quick, so that what is said last can be read.
   */
  #conclude(end: SessionEnd, last: Uint8Array | undefined): void {
    if (this.#ending !== undefined) {
      if (end.reason === 'client' || end.reason === 'target') this.#finish();
      return;
    }
    this.#ending = end;
    this.#last = last;
    this.#judge.cancel();
    if (this.#conversation.queue.length > 0) void this.#parts.cancelUpstream();
    this.#parts.clock.after(CLOSE_MS_MAX, () => {
      this.#finish();
      this.#client.destroy();
      this.#server.destroy();
    });
    const inMessage = this.#serverSide.inMessage && !this.#toClient.withholds;
    const waits = last !== undefined && inMessage && end.reason !== 'target';
    if (waits) this.#serverSide.stopAtMessage();
    else this.#finish();
  }

  #finish(): void {
    if (this.#over || this.#ending === undefined) return;
    this.#over = true;
    const end = this.#ending;
    this.#bounded.stop();
    // What was kept back does not leave; the client has not seen the beginning of it either.
    const isWhole = this.#toClient.withholds || !this.#serverSide.inMessage;
    this.#toClient.release();
    try {
      this.#clientSide.abandon(this.#clientLane.held());
      if (this.#last !== undefined && isWhole) {
        this.#toClient.put(this.#last);
        this.#toClient.flush();
      }
    } catch {
      // The recording is lost, and with it the session; there is nobody left to tell.
    }
    this.#toClient.shut();
    this.#toServer.shut();
    this.#own.lost(toGatewayError(undefined, 'SP_TARGET_LOST'));
    this.#setPaused('client', false);
    this.#setPaused('server', false);
    this.#client.end();
    if (!this.#clientSide.terminated && end.reason !== 'target') {
      this.#server.write(encodeBare(frontend.terminate));
    }
    this.#server.end();
    this.#resolve(end);
  }
}

/** What an abort was given as its reason. */
function refusalOf(reason: unknown): Refusal {
  if (isRefusal(reason)) return reason;
  return {
    refused: true,
    code: 'SP_LOCKED',
    rule: '',
    reason: '',
    hint: '',
    hold: undefined,
    endsSession: true,
  };
}

function isRefusal(reason: unknown): reason is Refusal {
  return typeof reason === 'object' && reason !== null && 'refused' in reason && 'code' in reason;
}
