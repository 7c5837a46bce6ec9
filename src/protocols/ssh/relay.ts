/**
 * One session: the client's connection, the target's, and the channels between them.
 *
 * Invariants: a channel exists on both connections under one id of ours; a message for a channel
 * that does not exist, or of a kind that this side does not send, ends the session; the target
 * opens nothing towards the client but what the client was allowed to ask it for. What the client
 * sends and gets is recorded as the messages of RFC 4254, each behind its length; window
 * adjustments are left out.
 */
import { errorTable, GatewayError, toGatewayError } from '#core/errors.ts';
import type { Admission, ProtocolServices, SessionEnd } from '#core/protocol.ts';
import type { Refusal } from '#core/verdict.ts';
import type { Side } from './channel-ends.ts';
import { sshSettings } from './config.ts';
import { FieldReader, malformed } from '#core/ssh-fields.ts';
import {
  type ChannelOpen,
  dataHead,
  disconnect,
  message,
  openFailure,
  readChannelOpen,
  recipientOf,
  writeChannelMessage,
  writeOpenFailure,
  typeOf,
} from './codec/messages.ts';
import { listeningOf, passageOf } from './forwarding.ts';
import { exitStatus, refusalText, refuse } from './refusal.ts';
import { PACKET_BYTES_MIN } from './flow.ts';
import { ForwardChannel } from './relay-forward.ts';
import type { Channel, ChannelHost } from './relay-host.ts';
import { Listeners } from './relay-listen.ts';
import { SessionChannel } from './relay-session.ts';
import type { SshTransport } from './transport.ts';
import { targetError } from './upstream.ts';

const AGENT_CHANNEL = 'auth-agent@openssh.com';

export interface RelayParts {
  readonly client: SshTransport;
  readonly server: SshTransport;
  readonly admission: Admission;
  readonly services: ProtocolServices;
}

export class Relay {
  readonly #parts: RelayParts;
  readonly #host: ChannelHost;
  readonly #channels = new Map<number, Channel>();
  #lastId = -1;
  readonly #listeners: Listeners;
  #mayOpenMore = true;
  #isAgentLent = false;
  #end: SessionEnd | undefined;
  #finish: (end: SessionEnd) => void = () => undefined;

  constructor(parts: RelayParts) {
    this.#parts = parts;
    const { client, server, admission, services } = parts;
    const { tape } = admission.stages;
    this.#host = {
      stages: admission.stages,
      services,
      settings: sshSettings.parse(admission.authorization.target.settings),
      send: (side, payload) => {
        if (side === 'client') {
          if (payload[0] !== message.windowAdjust) this.#record('to-client', payload);
          client.send(payload);
        } else {
          server.send(payload);
        }
        this.#hold();
      },
      dataToClient: (recipient, bytes, isStderr) => {
        const head = dataHead(recipient, isStderr, bytes.length);
        tape.data('to-client', lengthOf(head.length + bytes.length), 0, LENGTH_BYTES);
        tape.data('to-client', head, 0, head.length);
        tape.data('to-client', bytes, 0, bytes.length);
        client.sendData(recipient, bytes, isStderr);
        this.#hold();
      },
      dataToTarget: (recipient, bytes) => {
        server.sendData(recipient, bytes, false);
        this.#hold();
      },
      lendAgent: () => (this.#isAgentLent = true),
      gone: (id) => this.#channels.delete(id),
      ended: (refusal) => this.end(refusal),
      failed: (error) => this.#failed(error),
    };
    this.#listeners = new Listeners(this.#host);
  }

  /** Serves the session to its end. Never rejects. */
  async run(): Promise<SessionEnd> {
    const { client, server, admission } = this.#parts;
    const finished = new Promise<SessionEnd>((resolve) => {
      this.#finish = resolve;
    });
    client.handOver({
      ready: () => undefined,
      message: (payload) => this.#guarded('client', () => this.#fromClient(payload)),
      drained: () => this.#release(),
      closed: (error) => this.#gone('client', error),
    });
    server.handOver({
      ready: () => undefined,
      message: (payload) => this.#guarded('target', () => this.#fromTarget(payload)),
      drained: () => this.#release(),
      closed: (error) => this.#gone('target', error),
    });
    const ended = (): void => this.end(refusalOf(admission.signal));
    admission.signal.addEventListener('abort', ended, { once: true });
    if (admission.signal.aborted) ended();
    else if (client.isClosed) this.#gone('client', undefined);
    else if (server.isClosed) this.#gone('target', undefined);
    const end = await finished;
    admission.signal.removeEventListener('abort', ended);
    return end;
  }

  /** Ends the session with the gateway's own words on every channel. */
  end(refusal: Refusal): void {
    const reason = refusal.code === 'SP_DRAINING' ? 'drained' : 'refused';
    this.#close({ reason, code: refusal.code, detail: refusal.reason }, refusal);
  }

  #fromClient(payload: Uint8Array): void {
    const type = payload[0] ?? 0;
    if (type !== message.windowAdjust) this.#record('from-client', payload);
    switch (type) {
      case message.globalRequest:
        return this.#globalRequest(payload);
      case message.channelOpen:
        return this.#open(readChannelOpen(payload));
      case message.windowAdjust:
      case message.data:
      case message.eof:
      case message.close:
      case message.channelRequest:
      // Of a channel that the target asked for.
      case message.openConfirmation:
      case message.openFailure:
        return this.#clientChannel(payload);
      // A second request after the login (RFC 4252 section 5.1), and what clients may tell.
      case message.authRequest:
      case message.extInfo:
        return;
      default:
        throw malformed('a message that clients do not send');
    }
  }

  #fromTarget(payload: Uint8Array): void {
    switch (typeOf(payload)) {
      case message.globalRequest: {
        const fields = new FieldReader(payload, 1);
        fields.string();
        if (fields.bool()) this.#host.send('target', Uint8Array.of(message.requestFailure));
        return;
      }
      case message.requestSuccess:
      case message.requestFailure:
        return this.#listeners.answered(payload);
      case message.channelOpen:
        return this.#openByTarget(readChannelOpen(payload));
      case message.openConfirmation:
      case message.openFailure:
      case message.windowAdjust:
      case message.data:
      case message.extendedData:
      case message.eof:
      case message.close:
      case message.channelRequest:
      case message.channelSuccess:
      case message.channelFailure:
        return this.#targetChannel(payload);
      case message.authBanner:
      case message.extInfo:
        return;
      default:
        throw new GatewayError('SP_TARGET_PROTOCOL', { detail: 'an unknown message' });
    }
  }

  #clientChannel(payload: Uint8Array): void {
    const channel = this.#channels.get(recipientOf(payload));
    if (channel === undefined) throw malformed('a message for a channel that does not exist');
    channel.ends.receive('client', payload);
  }

  #targetChannel(payload: Uint8Array): void {
    const channel = this.#channels.get(recipientOf(payload));
    if (channel !== undefined) return channel.ends.receive('target', payload);
    // Its client left while it was being opened; what else comes for it is of no use to anybody.
    if (payload[0] !== message.openConfirmation) return;
    const sender = new FieldReader(payload, 5).uint32();
    this.#host.send('target', writeChannelMessage(message.close, sender));
  }

  #globalRequest(payload: Uint8Array): void {
    const fields = new FieldReader(payload, 1);
    const request = { name: fields.text(), wantReply: fields.bool(), data: fields.rest() };
    const passage = listeningOf(request.name, request.data);
    if (passage !== undefined && request.name.startsWith('cancel-')) {
      return this.#listeners.cancel(request, passage);
    }
    if (passage !== undefined) return this.#listeners.listen(request, passage);
    const isLast = request.name === 'no-more-sessions@openssh.com';
    if (isLast) this.#mayOpenMore = false;
    this.#listeners.answer(request, isLast);
  }

  #open(open: ChannelOpen): void {
    const refused = (reason: number, text: string): void =>
      this.#host.send('client', writeOpenFailure(open.sender, reason, text));
    if (this.#cannotHave(open)) {
      return refused(openFailure.resources, 'sallyport: too many channels, or too small packets');
    }
    if (open.type === 'session') {
      if (!this.#mayOpenMore) return refused(openFailure.prohibited, 'no more sessions');
      const id = this.#nextId();
      this.#channels.set(id, new SessionChannel(this.#host, id, open));
      return;
    }
    const passage = passageOf(open);
    if (passage === undefined || passage.right.startsWith('forwarded')) {
      const what = refusalText(refuse('SP_UNSUPPORTED', 'this type of channel'));
      return refused(openFailure.prohibited, what);
    }
    this.#forward('client', open).judge(passage);
  }

  /** The target opens channels only for what it was asked to listen for, or lent. */
  #openByTarget(open: ChannelOpen): void {
    const passage = passageOf(open);
    const isAgent = open.type === AGENT_CHANNEL && open.rest.length === 0 && this.#isAgentLent;
    const isListenedFor = passage !== undefined && this.#listeners.mayPass(passage);
    if (this.#cannotHave(open) || !(isAgent || isListenedFor)) {
      const failure = writeOpenFailure(open.sender, openFailure.prohibited, 'not allowed');
      return this.#host.send('target', failure);
    }
    this.#forward('target', open).pass();
  }

  #cannotHave({ packetMax }: ChannelOpen): boolean {
    const isFull = this.#channels.size >= this.#parts.services.limits.channelsMax;
    return isFull || packetMax < PACKET_BYTES_MIN;
  }

  #forward(opener: Side, open: ChannelOpen): ForwardChannel {
    const id = this.#nextId();
    const channel = new ForwardChannel(this.#host, { id, opener, open });
    this.#channels.set(id, channel);
    return channel;
  }

  #nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  /**
   * Stops reading where the other side, or the recorder, does not keep up, and where a side does
   * not take the answers that it causes.
   */
  #hold(): void {
    const { client, server, admission } = this.#parts;
    if (client.mustDrain()) server.pause();
    if (server.mustDrain()) client.pause();
    if (client.isStuck) client.pause();
    if (server.isStuck) server.pause();
    const { tape } = admission.stages;
    if (!tape.behind) return;
    client.pause();
    server.pause();
    tape.whenReady(() => this.#release());
  }

  #release(): void {
    const { client, server, admission } = this.#parts;
    if (admission.stages.tape.behind) return;
    if (!client.mustDrain()) server.resume();
    if (!server.mustDrain()) client.resume();
    this.#hold();
  }

  #record(direction: 'from-client' | 'to-client', payload: Uint8Array): void {
    const { tape } = this.#parts.admission.stages;
    tape.data(direction, lengthOf(payload.length), 0, LENGTH_BYTES);
    tape.data(direction, payload, 0, payload.length);
  }

  #guarded(from: Side, run: () => void): void {
    if (this.#end !== undefined) return;
    try {
      run();
    } catch (thrown) {
      const error = toGatewayError(thrown);
      this.#failed(from === 'target' ? targetError(error) : error);
    }
  }

  #failed(error: GatewayError): void {
    const { audience } = errorTable[error.code];
    const told = refuse(audience === 'client' ? error.code : 'SP_INTERNAL');
    this.#close({ reason: 'error', code: error.code, detail: error.message }, told);
  }

  #gone(side: 'client' | 'target', error: GatewayError | undefined): void {
    if (side === 'client') {
      const code = error?.code;
      const reason = error === undefined ? 'client' : 'error';
      return this.#close({ reason, code, detail: error?.message ?? '' }, undefined);
    }
    const detail = error?.message ?? 'the target hung up';
    this.#close({ reason: 'target', code: 'SP_TARGET_LOST', detail }, refuse('SP_TARGET_LOST'));
  }

  #close(end: SessionEnd, told: Refusal | undefined): void {
    if (this.#end !== undefined) return;
    const { client, server } = this.#parts;
    try {
      for (const channel of this.#channels.values()) {
        channel.end(told === undefined ? '' : refusalText(told), told ? exitStatus(told) : 255);
      }
    } catch {
      // The recording is lost, or a channel is in no state for words; the end is the same.
    }
    this.#end = end;
    this.#channels.clear();
    this.#listeners.close();
    client.disconnect(disconnect.byApplication, told === undefined ? '' : refusalText(told));
    server.disconnect(disconnect.byApplication);
    this.#finish(end);
  }
}

const LENGTH_BYTES = 4;

function lengthOf(length: number): Uint8Array {
  const bytes = new Uint8Array(LENGTH_BYTES);
  new DataView(bytes.buffer).setUint32(0, length);
  return bytes;
}

/** Why a session was ended from outside; anything but a refusal fails closed the same way. */
function refusalOf(signal: AbortSignal): Refusal {
  const reason: unknown = signal.reason;
  const isRefusal = typeof reason === 'object' && reason !== null && 'refused' in reason;
  return isRefusal ? signal.reason : refuse('SP_DRAINING');
}
