/**
 * The two ends of a channel: ids, windows, EOF and CLOSE, which each side sends once. What comes
 * from either side is read and put in order here; what it means is its owner's business.
 *
 * Invariants: nothing is heard from a side before it has the channel, no data behind its EOF, and
 * nothing behind its CLOSE; nothing is sent to a side behind our CLOSE.
 */
import { GatewayError } from '#core/errors.ts';
import { FieldReader, malformed } from '#core/ssh-fields.ts';
import {
  type ChannelOpen,
  type ChannelRequest,
  message,
  readChannelRequest,
  readData,
  typeOf,
  writeChannelMessage,
  writeChannelOpen,
  writeOpenConfirmation,
  writeWindowAdjust,
} from './codec/messages.ts';
import { Flow, PACKET_BYTES_MAX } from './flow.ts';
import type { ChannelHost } from './relay-host.ts';

export type Side = 'client' | 'target';

/** What a kind of channel makes of what comes. Bytes are valid only during the call. */
export interface ChannelOwner {
  /** The side that was asked has the channel too; its data flows when the owner opens the flow. */
  opened(window: number, packetMax: number): void;
  /** The side that was asked has refused. */
  notOpened(): void;
  data(from: Side, bytes: Uint8Array, isStderr: boolean): void;
  /** EOF. */
  ended(from: Side): void;
  /** CLOSE: it reads nothing more; it is answered behind this call. */
  left(from: Side): void;
  request(from: Side, request: ChannelRequest): void;
  /** The target's answer to a request. */
  replied(isSuccess: boolean): void;
}

interface End {
  id: number | undefined;
  /** Whether it was told that it has the channel, so that it may use it. */
  isOpen: boolean;
  hasEnded: boolean;
  closeSent: boolean;
  closeReceived: boolean;
}

const newEnd = (id: number | undefined): End => ({
  id,
  isOpen: false,
  hasEnded: false,
  closeSent: false,
  closeReceived: false,
});

export const otherSide = (side: Side): Side => (side === 'client' ? 'target' : 'client');

export class ChannelEnds {
  /** Our number for it, on both connections. */
  readonly id: number;
  readonly opener: Side;
  readonly toTarget: Flow;
  readonly toClient: Flow;
  readonly #host: ChannelHost;
  readonly #owner: ChannelOwner;
  readonly #ends: Readonly<Record<Side, End>>;
  #isAsked = false;
  #isGone = false;

  constructor(
    host: ChannelHost,
    owner: ChannelOwner,
    channel: { readonly id: number; readonly opener: Side; readonly open: ChannelOpen },
  ) {
    const { id, opener, open } = channel;
    this.#host = host;
    this.#owner = owner;
    this.id = id;
    this.opener = opener;
    this.#ends = {
      client: newEnd(opener === 'client' ? open.sender : undefined),
      target: newEnd(opener === 'target' ? open.sender : undefined),
    };
    this.toTarget = this.#flow('target', (recipient, bytes) => {
      host.dataToTarget(recipient, bytes);
    });
    this.toClient = this.#flow('client', (recipient, bytes, isStderr) => {
      host.dataToClient(recipient, bytes, isStderr);
    });
    this.towards(opener).open(open.window, open.packetMax);
  }

  /** The id that a side gave the channel; undefined until it has it. */
  idAt(side: Side): number | undefined {
    return this.#ends[side].id;
  }

  /** Whether the client can be told nothing more on this channel. */
  get isClosed(): boolean {
    return this.#ends.client.closeSent;
  }

  towards(side: Side): Flow {
    return side === 'client' ? this.toClient : this.toTarget;
  }

  /** Tells the side that asked for the channel that it has it. */
  confirm(): void {
    const { id } = this.#ends[this.opener];
    if (id === undefined) return;
    this.#ends[this.opener].isOpen = true;
    this.#host.send(this.opener, writeOpenConfirmation(id, this.#own()));
  }

  /** Asks the other side for the channel. */
  ask(type: string, rest: Uint8Array): void {
    this.#isAsked = true;
    const open = writeChannelOpen({ type, rest, ...this.#own() });
    this.#host.send(otherSide(this.opener), open);
  }

  /** A message for this channel. */
  receive(from: Side, payload: Uint8Array): void {
    const end = this.#ends[from];
    const type = typeOf(payload);
    if (type === message.openConfirmation || type === message.openFailure) {
      return this.#answered(from, payload);
    }
    if (!end.isOpen) throw outOfTurn(from);
    // A side may cross our CLOSE, not its own.
    if (end.closeReceived) return;
    switch (type) {
      case message.windowAdjust:
        return this.towards(from).adjust(new FieldReader(payload, 5).uint32());
      case message.data:
      case message.extendedData:
        return this.#data(from, payload);
      case message.eof:
        if (end.hasEnded) return;
        end.hasEnded = true;
        return this.#owner.ended(from);
      case message.close:
        return this.#left(from);
      case message.channelRequest:
        return this.#owner.request(from, readChannelRequest(payload));
      case message.channelSuccess:
      case message.channelFailure:
        // Nothing is asked of the client.
        if (from === 'client') throw outOfTurn(from);
        return this.#owner.replied(type === message.channelSuccess);
      default:
        throw outOfTurn(from);
    }
  }

  /** Sends a side a message that names nothing but the channel. */
  tell(side: Side, type: number): void {
    const { id, closeSent } = this.#ends[side];
    if (id !== undefined && !closeSent) this.#host.send(side, writeChannelMessage(type, id));
  }

  /** Sends a side our CLOSE. */
  close(side: Side): void {
    this.tell(side, message.close);
    this.#ends[side].closeSent = this.#ends[side].id !== undefined;
    const isOver = ({ id, closeSent, closeReceived }: End): boolean =>
      id === undefined || (closeSent && closeReceived);
    if (this.#isGone || !isOver(this.#ends.client) || !isOver(this.#ends.target)) return;
    this.#isGone = true;
    this.#host.gone(this.id);
  }

  #answered(from: Side, payload: Uint8Array): void {
    const end = this.#ends[from];
    if (!this.#isAsked || from === this.opener) throw outOfTurn(from);
    this.#isAsked = false;
    if (payload[0] === message.openFailure) return this.#owner.notOpened();
    const fields = new FieldReader(payload, 5);
    end.id = fields.uint32();
    end.isOpen = true;
    this.#owner.opened(fields.uint32(), fields.uint32());
  }

  #data(from: Side, payload: Uint8Array): void {
    const { bytes, isStderr } = readData(payload);
    if (isStderr && from === 'client') throw outOfTurn(from);
    this.towards(otherSide(from)).sent(bytes.length);
    if (!this.#ends[from].hasEnded) this.#owner.data(from, bytes, isStderr);
  }

  /**
   * CLOSE of the target is answered at once. CLOSE of the client is answered behind the target's,
   * since the exit status may still come: OpenSSH's client closes as soon as both ends of the data
   * are reached.
   */
  #left(from: Side): void {
    this.#ends[from].closeReceived = true;
    this.#owner.left(from);
    this.towards(from).discard();
    const { target } = this.#ends;
    if (from === 'target') this.toClient.behind(() => this.close('client'));
    else if (target.id === undefined || target.closeReceived) this.close('client');
    this.close('target');
  }

  #own(): { readonly sender: number; readonly window: number; readonly packetMax: number } {
    const { channelWindowBytes: window } = this.#host.services.limits;
    return { sender: this.id, window, packetMax: PACKET_BYTES_MAX };
  }

  #flow(
    side: Side,
    forward: (recipient: number, bytes: Uint8Array, isStderr: boolean) => void,
  ): Flow {
    const receiver = this.#ends[side];
    const sender = this.#ends[otherSide(side)];
    return new Flow(
      {
        forward(bytes, isStderr) {
          if (receiver.id !== undefined) forward(receiver.id, bytes, isStderr);
        },
        grant: (count) => {
          if (sender.id === undefined || sender.closeReceived || sender.closeSent) return;
          this.#host.send(otherSide(side), writeWindowAdjust(sender.id, count));
        },
      },
      this.#host.services.limits.channelWindowBytes,
    );
  }
}

const outOfTurn = (from: Side): GatewayError =>
  from === 'client'
    ? malformed('a message that does not fit the state of its channel')
    : new GatewayError('SP_TARGET_PROTOCOL', { detail: 'a message on a channel' });
