/**
 * `port-forward`: each connection to a port is two streams of SPDY, one for its bytes and one for
 * what went wrong. The port is known only when they are opened, so it is judged then; connections
 * to a port that was allowed need no other verdict while the same rules are in force.
 *
 * Invariants: no stream is opened at the target for a port that is not allowed; what goes through
 * is recorded and not read, so no mask may be in force that could not be put on it.
 */
import { GatewayError, toGatewayError } from '#core/errors.ts';
import { streamLimits } from '#core/limits.ts';
import type { AllowedCommand } from '#core/permit.ts';
import type { Refusal } from '#core/verdict.ts';
import type { Conversation, ConversationHost } from '#protocols/http/dialect.ts';
import type { HttpRequest } from '#protocols/http/request.ts';
import { refusalText, refuse } from '#protocols/ssh/refusal.ts';
import { ChannelTape, markChannels } from './channel-tape.ts';
import { analyseRequest } from './commands.ts';
import { streamCommand } from './commands-stream.ts';
import { mayForward } from './rights.ts';
import { type PortRequest, portNumber, streamText } from './stream-request.ts';
import { checkAgreed, upstreamRequest } from './stream-upgrade.ts';
import { headerOf, type SpdyHeaders } from './streams/spdy-headers.ts';
import type { CarrierParts, SpdyCarrier } from './streams/spdy-carrier.ts';
import { SpdyReader, type SpdySink, SpdyWriter } from './streams/spdy.ts';
import { readStatus } from './streams/status.ts';

export interface PortParts {
  readonly host: ConversationHost;
  readonly request: HttpRequest;
  readonly asked: PortRequest;
  readonly carrier: (parts: CarrierParts) => SpdyCarrier;
}

type Part = 'error' | 'data';
const parts: readonly Part[] = ['error', 'data'];

/** A connection to a port: a stream for its bytes and one for errors, on either side. */
interface PortConnection {
  readonly id: string;
  readonly port: number;
  readonly client: Partial<Record<Part, number>>;
  readonly target: Partial<Record<Part, number>>;
  /** Ends of streams that came: `client data`. */
  readonly ended: Set<string>;
  early: Uint8Array[];
  tape: ChannelTape | undefined;
}

interface Stream {
  readonly connection: PortConnection;
  readonly part: Part;
}

const RESET_CANCEL = 5;
const RESET_REFUSED = 3;
const nothing: Uint8Array = new Uint8Array(0);

const malformed = (detail: string): GatewayError =>
  new GatewayError('SP_FRAME_MALFORMED', { detail });

export class PortConversation implements Conversation {
  readonly #parts: PortParts;
  readonly #carrier: SpdyCarrier;
  readonly #clientReader: SpdyReader;
  readonly #clientWriter: SpdyWriter = new SpdyWriter();
  readonly #targetReader: SpdyReader;
  readonly #targetWriter: SpdyWriter = new SpdyWriter();
  readonly #connections = new Map<string, PortConnection>();
  readonly #byClient = new Map<number, Stream>();
  readonly #byTarget = new Map<number, Stream>();
  /** Ports that were allowed, and under which rules. */
  readonly #allowed = new Map<number, { readonly epoch: number; readonly port: Promise<Answer> }>();
  /** Permits that were told to count as done. */
  readonly #counted = new WeakSet<AllowedCommand>();
  #dialled: Promise<void> | undefined;
  #lastClientStream: number = -1;
  #nextTargetStream: number = 1;
  #channels: number = 0;
  #heldBytes: number = 0;

  constructor(given: PortParts) {
    const { host } = given;
    this.#parts = given;
    markChannels(host.stages.tape);
    this.#clientReader = new SpdyReader(this.#clientSink());
    this.#targetReader = new SpdyReader(this.#targetSink());
    this.#carrier = given.carrier({
      take: (bytes) => this.#clientReader.push(bytes),
      write: (bytes) => host.toClient(bytes),
      left: () => host.end(),
    });
  }

  fromClient(bytes: Uint8Array): void {
    this.#carrier.push(bytes);
  }

  fromTarget(bytes: Uint8Array): void {
    this.#targetReader.push(bytes);
  }

  targetGone(): void {
    this.#carrier.end();
    this.#parts.host.end();
  }

  refused(refusal: Refusal): void {
    for (const connection of this.#connections.values()) {
      if (connection.tape === undefined) this.#fail(connection, refusalText(refusal));
    }
    this.#carrier.end();
  }

  closed(): void {
    for (const { tape } of this.#connections.values()) tape?.closed();
    this.#connections.clear();
  }

  #clientSink(): SpdySink {
    return {
      opened: (stream, headers, fin) => this.#opened(stream, headers, fin),
      replied: () => {
        throw malformed('an answer to a stream that nobody opened');
      },
      data: (stream, bytes) => this.#fromClient(stream, bytes),
      finished: (stream) => this.#finished('client', stream),
      reset: (stream) => this.#reset('client', stream),
      ping: (id) => this.#carrier.send(this.#clientWriter.ping(id)),
      goAway: () => undefined,
    };
  }

  #targetSink(): SpdySink {
    return {
      opened: (stream) => this.#toTarget(this.#targetWriter.reset(stream, RESET_REFUSED)),
      replied: (stream, _headers, fin) => {
        if (fin) this.#finished('target', stream);
      },
      data: (stream, bytes) => this.#fromTarget(stream, bytes),
      finished: (stream) => this.#finished('target', stream),
      reset: (stream) => this.#reset('target', stream),
      ping: (id) => this.#toTarget(this.#targetWriter.ping(id)),
      goAway: () => undefined,
    };
  }

  #opened(stream: number, headers: SpdyHeaders, fin: boolean): void {
    const part = parts.find((each) => each === headerOf(headers, 'streamtype'));
    const port = portNumber(headerOf(headers, 'port') ?? '');
    const id = headerOf(headers, 'requestid') ?? '';
    const isNew = stream % 2 === 1 && stream > this.#lastClientStream;
    if (part === undefined || port === undefined || id === '' || !isNew) {
      throw malformed('a stream of a port');
    }
    this.#lastClientStream = stream;
    const connection = this.#connections.get(id) ?? this.#connection(id, port);
    if (connection === undefined || connection.client[part] !== undefined) {
      return this.#toClient(this.#clientWriter.reset(stream, RESET_REFUSED));
    }
    if (connection.port !== port) throw malformed('two ports of one connection');
    connection.client[part] = stream;
    this.#byClient.set(stream, { connection, part });
    this.#toClient(this.#clientWriter.reply(stream));
    if (fin) this.#finished('client', stream);
    if (parts.every((each) => connection.client[each] !== undefined)) this.#admit(connection);
  }

  #connection(id: string, port: number): PortConnection | undefined {
    if (this.#connections.size >= streamLimits.portConnectionsMax) return undefined;
    const connection: PortConnection = {
      id,
      port,
      client: {},
      target: {},
      ended: new Set(),
      early: [],
      tape: undefined,
    };
    this.#connections.set(id, connection);
    return connection;
  }

  #admit(connection: PortConnection): void {
    const { host } = this.#parts;
    this.#start(connection).catch((thrown: unknown) => {
      const error = toGatewayError(thrown);
      if (error.code !== 'SP_TARGET_UNREACHABLE') return host.end(error);
      return this.#fail(connection, refusalText(refuse(error.code)));
    });
  }

  async #start(connection: PortConnection): Promise<void> {
    const why = this.#forbidden(connection.port);
    if (why !== undefined) return this.#fail(connection, refusalText(why));
    const answer = await this.#judge(connection.port);
    if (answer.refused) {
      this.#allowed.delete(connection.port);
      this.#fail(connection, refusalText(answer));
      if (answer.endsSession) this.#parts.host.end();
      return;
    }
    if (this.#dialled === undefined) {
      this.#counted.add(answer);
      this.#dialled = this.#dial(answer);
    }
    await this.#dialled;
    if (!this.#counted.has(answer)) this.#parts.host.stages.sent(answer);
    this.#counted.add(answer);
    if (this.#connections.get(connection.id) === connection) this.#connect(connection);
  }

  /** Why it may not be, whatever the policy says. */
  #forbidden(port: number): Refusal | undefined {
    const { context, masks } = this.#parts.host.stages;
    if (!mayForward(context, port)) {
      return refuse('SP_POLICY_DENIED', `no grant has the feature port-forward:${port}`);
    }
    if (masks.content === undefined) return undefined;
    return refuse('SP_MASK_UNSOUND', 'a mask by content is in force');
  }

  #judge(port: number): Promise<Answer> {
    const { host, request, asked } = this.#parts;
    const { stages } = host;
    const known = this.#allowed.get(port);
    if (known !== undefined && known.epoch === stages.epoch) return known.port;
    const facts = analyseRequest(upstreamRequest(request, asked), stages.masks, port);
    const command = streamCommand(stages, asked, facts, port);
    const answer = Promise.resolve(stages.gate(command, () => undefined, host.signal));
    // A port that is forgotten is judged again.
    if (this.#allowed.size >= streamLimits.portConnectionsMax) this.#allowed.clear();
    this.#allowed.set(port, { epoch: stages.epoch, port: answer });
    return answer;
  }

  async #dial(permit: AllowedCommand): Promise<void> {
    const { host, request, asked } = this.#parts;
    const { head, body } = await host.dial(permit, upstreamRequest(request, asked));
    if (head.status !== 101) {
      const { message } = readStatus(body);
      for (const connection of this.#connections.values()) this.#fail(connection, message);
      this.#carrier.end();
      return host.end();
    }
    checkAgreed(head, asked.kind);
  }

  /** Opens the streams at the target. */
  #connect(connection: PortConnection): void {
    const { host, asked } = this.#parts;
    const { port, id, ended } = connection;
    this.#channels += 1;
    const record: ConversationHost['record'] = (way, bytes) => host.record(way, bytes);
    connection.tape = new ChannelTape(record, this.#channels, 'direct-tcpip');
    connection.tape.started(streamText(asked, port));
    for (const part of parts) {
      const stream = this.#nextTargetStream;
      this.#nextTargetStream += 2;
      connection.target[part] = stream;
      this.#byTarget.set(stream, { connection, part });
      const headers: SpdyHeaders = [
        ['streamtype', part],
        ['port', String(port)],
        ['requestid', id],
      ];
      this.#toTarget(this.#targetWriter.open(stream, headers));
    }
    for (const bytes of connection.early.splice(0)) {
      this.#heldBytes -= bytes.length;
      this.#dataToTarget(connection, bytes);
    }
    host.hold(this.#heldBytes >= streamLimits.earlyBytesMax);
    for (const part of parts) if (ended.has(`client ${part}`)) this.#endAtTarget(connection, part);
  }

  #fromClient(stream: number, bytes: Uint8Array): void {
    const found = this.#byClient.get(stream);
    // Of a stream that is over: what was under way when it ended.
    if (found === undefined) return;
    const { connection, part } = found;
    if (part === 'error') throw malformed('data of a stream that the target writes');
    if (connection.target.data !== undefined) return this.#dataToTarget(connection, bytes);
    connection.early.push(bytes.slice());
    this.#heldBytes += bytes.length;
    if (this.#heldBytes >= streamLimits.earlyBytesMax) this.#parts.host.hold(true);
  }

  #dataToTarget({ tape, target }: PortConnection, bytes: Uint8Array): void {
    if (target.data === undefined) return;
    tape?.input(bytes);
    for (let at = 0; at < bytes.length; at += DATA_BYTES_MAX) {
      const piece = bytes.subarray(at, at + DATA_BYTES_MAX);
      this.#toTarget(this.#targetWriter.data(target.data, piece));
    }
  }

  #fromTarget(stream: number, bytes: Uint8Array): void {
    if (this.#parts.host.stages.masks.content !== undefined) {
      throw new GatewayError('SP_MASK_UNSOUND', { detail: 'a mask by content came into force' });
    }
    const found = this.#byTarget.get(stream);
    const to = found?.connection.client[found.part];
    if (found === undefined || to === undefined) return;
    found.connection.tape?.output(bytes, found.part === 'error');
    this.#toClient(this.#clientWriter.data(to, bytes));
  }

  /** One side has said all that it had to say on a stream. */
  #finished(side: 'client' | 'target', stream: number): void {
    const found = (side === 'client' ? this.#byClient : this.#byTarget).get(stream);
    if (found === undefined) return;
    const { connection, part } = found;
    if (connection.ended.has(`${side} ${part}`)) return;
    connection.ended.add(`${side} ${part}`);
    if (side === 'client') this.#endAtTarget(connection, part);
    else {
      const to = connection.client[part];
      if (to !== undefined) this.#toClient(this.#clientWriter.data(to, nothing, true));
    }
    if (connection.ended.size === 2 * parts.length) this.#forget(connection);
  }

  #endAtTarget({ target }: PortConnection, part: Part): void {
    const stream = target[part];
    if (stream !== undefined) this.#toTarget(this.#targetWriter.data(stream, nothing, true));
  }

  /** One side gives a stream up; without its bytes there is no connection. */
  #reset(side: 'client' | 'target', stream: number): void {
    const found = (side === 'client' ? this.#byClient : this.#byTarget).get(stream);
    if (found === undefined) return;
    const { connection, part } = found;
    const isClient = side === 'client';
    const other = (isClient ? connection.target : connection.client)[part];
    if (other !== undefined) {
      const writer = isClient ? this.#targetWriter : this.#clientWriter;
      const bytes = writer.reset(other, RESET_CANCEL);
      if (isClient) this.#toTarget(bytes);
      else this.#toClient(bytes);
    }
    connection.ended.add(`client ${part}`).add(`target ${part}`);
    if (connection.ended.size === 2 * parts.length) this.#forget(connection);
  }

  /** Tells a client why there is no connection. */
  #fail(connection: PortConnection, text: string): void {
    if (this.#connections.get(connection.id) !== connection) return;
    const { error, data } = connection.client;
    if (error !== undefined) {
      this.#toClient(this.#clientWriter.data(error, Buffer.from(text), true));
    }
    if (data !== undefined) this.#toClient(this.#clientWriter.reset(data, RESET_CANCEL));
    this.#forget(connection);
  }

  #forget(connection: PortConnection): void {
    this.#connections.delete(connection.id);
    connection.tape?.closed();
    for (const bytes of connection.early.splice(0)) this.#heldBytes -= bytes.length;
    for (const part of parts) {
      const { [part]: client } = connection.client;
      const { [part]: target } = connection.target;
      if (client !== undefined) this.#byClient.delete(client);
      if (target !== undefined) this.#byTarget.delete(target);
    }
  }

  #toClient(bytes: Uint8Array): void {
    this.#carrier.send(bytes);
  }

  #toTarget(bytes: Uint8Array): void {
    this.#parts.host.toTarget(bytes);
  }
}

type Answer = AllowedCommand | Refusal;

/** Servers hold a frame whole. */
const DATA_BYTES_MAX = 32 * 1024;
