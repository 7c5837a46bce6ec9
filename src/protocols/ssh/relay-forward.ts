/**
 * A `direct-tcpip` channel: a connection from the target to another place. What goes through is
 * recorded and not read, so a grant has to name the place, the policy has to allow it, and no mask
 * may be in force that could not be put on it.
 */
import { GatewayError, toGatewayError } from '#core/errors.ts';
import type { AllowedCommand } from '#core/permit.ts';
import type { Refusal } from '#core/verdict.ts';
import { ChannelEnds } from './channel-ends.ts';
import { FieldReader, malformed } from '#core/ssh-fields.ts';
import {
  type ChannelOpen,
  message,
  openFailure,
  readChannelRequest,
  readData,
  writeChannelOpen,
  writeOpenConfirmation,
  writeOpenFailure,
  typeOf,
} from './codec/messages.ts';
import { forwardFacts, makeCommand } from './commands.ts';
import { PACKET_BYTES_MAX } from './flow.ts';
import { refusalText, refuse } from './refusal.ts';
import type { Channel, ChannelHost } from './relay-host.ts';
import { mayForward } from './rights.ts';

/** Where a connection is to go. */
interface Destination {
  readonly host: string;
  readonly port: number;
}

export class ForwardChannel implements Channel {
  readonly #host: ChannelHost;
  readonly #ends: ChannelEnds;
  readonly #open: ChannelOpen;
  readonly #cancelled = new AbortController();
  #permit: AllowedCommand | undefined;
  #isOpen = false;
  #isOver = false;

  constructor(host: ChannelHost, id: number, open: ChannelOpen) {
    this.#host = host;
    this.#open = { ...open, rest: open.rest.slice() };
    this.#ends = new ChannelEnds(host, id, open);
  }

  /** Judges the connection, and opens it if it may be. */
  begin(): void {
    const fields = new FieldReader(this.#open.rest);
    const destination = { host: fields.text(), port: fields.uint32() };
    const { stages } = this.#host;
    const why = this.#forbidden(destination);
    if (why !== undefined) return this.#fail(refusalText(why), openFailure.prohibited);
    const { host, port } = destination;
    const command = makeCommand(stages, {
      text: `connect to ${JSON.stringify(host)} port ${port}`,
      state: 'direct-tcpip',
      facts: forwardFacts(host, port),
    });
    const answer = stages.gate(command, () => undefined, this.#cancelled.signal);
    if (!(answer instanceof Promise)) return this.#judged(answer);
    answer
      .then((result) => this.#judged(result))
      .catch((thrown: unknown) => this.#host.failed(toGatewayError(thrown)));
  }

  fromClient(payload: Uint8Array): void {
    const { toClient, toTarget } = this.#ends;
    if (!this.#isOpen && payload[0] !== message.close) throw malformed('a channel is not open yet');
    switch (typeOf(payload)) {
      case message.windowAdjust:
        return toClient.adjust(new FieldReader(payload, 5).uint32());
      case message.data: {
        const { bytes } = readData(payload);
        toTarget.sent(bytes.length);
        return toTarget.push(bytes, false);
      }
      case message.eof:
        return toTarget.behind(() => this.#ends.tellTarget(message.eof));
      case message.close:
        return this.#ends.clientClosed();
      case message.channelRequest:
        if (readChannelRequest(payload).wantReply) this.#ends.tellClient(message.channelFailure);
        return;
      default:
        throw malformed('a message that clients do not send');
    }
  }

  fromTarget(payload: Uint8Array): void {
    const { toClient, toTarget } = this.#ends;
    switch (typeOf(payload)) {
      case message.openConfirmation:
        return this.#opened(payload);
      case message.openFailure:
        return this.#fail('the target could not connect', openFailure.connectFailed);
      case message.windowAdjust:
        return toTarget.adjust(new FieldReader(payload, 5).uint32());
      case message.data: {
        const { bytes } = readData(payload);
        toClient.sent(bytes.length);
        return toClient.push(bytes, false);
      }
      case message.eof:
        return toClient.behind(() => this.#ends.tellClient(message.eof));
      case message.close:
        return this.#ends.targetClosed();
      case message.channelRequest:
        if (readChannelRequest(payload).wantReply) this.#ends.tellTarget(message.channelFailure);
        return;
      default:
        throw new GatewayError('SP_TARGET_PROTOCOL', { detail: 'a message on a channel' });
    }
  }

  end(text: string): void {
    this.#cancelled.abort();
    if (this.#isOpen) {
      this.#ends.closeTarget();
      this.#ends.closeClient();
    } else {
      this.#fail(text, openFailure.prohibited);
    }
  }

  #forbidden({ host, port }: Destination): Refusal | undefined {
    const { context, masks } = this.#host.stages;
    if (!mayForward(context, host, port)) {
      return refuse('SP_POLICY_DENIED', `no grant has the feature direct-tcpip:${host}:${port}`);
    }
    if (masks.content === undefined) return undefined;
    return refuse('SP_MASK_UNSOUND', 'a mask by content is in force');
  }

  #judged(answer: AllowedCommand | Refusal): void {
    if (answer.refused) {
      this.#fail(refusalText(answer), openFailure.prohibited);
      if (answer.endsSession) this.#host.ended(answer);
      return;
    }
    if (this.#isOver) return;
    this.#permit = answer;
    this.#host.stages.sent(answer);
    const { type, rest } = this.#open;
    const { channelWindowBytes: window } = this.#host.services.limits;
    const own = { sender: this.#ends.id, window, packetMax: PACKET_BYTES_MAX };
    this.#host.toTarget(writeChannelOpen({ type, rest, ...own }));
  }

  #opened(payload: Uint8Array): void {
    if (this.#permit === undefined || this.#isOpen) {
      throw new GatewayError('SP_TARGET_PROTOCOL', { detail: 'a channel that was not asked for' });
    }
    const { window, packetMax } = this.#ends.confirmed(payload);
    this.#isOpen = true;
    const { channelWindowBytes } = this.#host.services.limits;
    const own = { sender: this.#ends.id, window: channelWindowBytes, packetMax: PACKET_BYTES_MAX };
    this.#host.toClient(writeOpenConfirmation(this.#ends.clientId, own));
    this.#ends.toTarget.open(window, packetMax);
  }

  #fail(text: string, reason: number): void {
    if (this.#isOver || this.#isOpen) return;
    this.#isOver = true;
    this.#host.toClient(writeOpenFailure(this.#ends.clientId, reason, text));
    this.#host.gone(this.#ends.id);
  }
}
