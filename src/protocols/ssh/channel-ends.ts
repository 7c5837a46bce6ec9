/**
 * The two ends of a channel: ids, windows, EOF and CLOSE, which each side sends once. What goes
 * between them is the business of whoever owns this.
 */
import {
  type ChannelOpen,
  message,
  writeChannelMessage,
  writeWindowAdjust,
} from './codec/messages.ts';
import { FieldReader } from '#core/ssh-fields.ts';
import { Flow } from './flow.ts';
import type { ChannelHost } from './relay-host.ts';

export class ChannelEnds {
  readonly id: number;
  readonly toTarget: Flow;
  readonly toClient: Flow;
  readonly #host: ChannelHost;
  readonly #clientId: number;
  #targetId: number | undefined;
  #client = { closeSent: false, closeReceived: false };
  #target = { closeSent: false, closeReceived: false };
  #isGone = false;

  constructor(host: ChannelHost, id: number, open: ChannelOpen) {
    this.#host = host;
    this.id = id;
    this.#clientId = open.sender;
    const window = host.services.limits.channelWindowBytes;
    this.toTarget = new Flow(
      {
        forward: (bytes) => {
          if (this.#targetId !== undefined) host.dataToTarget(this.#targetId, bytes);
        },
        grant: (count) => {
          if (!this.#client.closeReceived) host.toClient(writeWindowAdjust(this.#clientId, count));
        },
      },
      window,
    );
    this.toClient = new Flow(
      {
        forward: (bytes, isStderr) => host.dataToClient(this.#clientId, bytes, isStderr),
        grant: (count) => {
          const id = this.#targetId;
          if (id !== undefined && !this.#target.closeReceived) {
            host.toTarget(writeWindowAdjust(id, count));
          }
        },
      },
      window,
    );
    this.toClient.open(open.window, open.packetMax);
  }

  /** The id that the client gave the channel. */
  get clientId(): number {
    return this.#clientId;
  }

  /** The id that the target gave it; undefined until it is open there. */
  get targetId(): number | undefined {
    return this.#targetId;
  }

  /** Whether the client can be told nothing more on this channel. */
  get isClosed(): boolean {
    return this.#client.closeSent;
  }

  /** Whether the client has sent CLOSE: it reads no data any more, but still takes an exit status. */
  get hasLeft(): boolean {
    return this.#client.closeReceived;
  }

  /** OPEN_CONFIRMATION of the target. The client's data flows when the owner says so. */
  confirmed(payload: Uint8Array): { readonly window: number; readonly packetMax: number } {
    const fields = new FieldReader(payload, 5);
    this.#targetId = fields.uint32();
    const own = { window: fields.uint32(), packetMax: fields.uint32() };
    // The client left while it was being opened.
    if (this.#client.closeReceived) this.closeTarget();
    return own;
  }

  /** Sends the client a message that names nothing but the channel. */
  tellClient(type: number): void {
    if (!this.#client.closeSent) this.#host.toClient(writeChannelMessage(type, this.#clientId));
  }

  tellTarget(type: number): void {
    if (this.#targetId === undefined || this.#target.closeSent) return;
    this.#host.toTarget(writeChannelMessage(type, this.#targetId));
  }

  closeClient(): void {
    if (this.#client.closeSent) return;
    this.#host.toClient(writeChannelMessage(message.close, this.#clientId));
    this.#client.closeSent = true;
    this.#check();
  }

  closeTarget(): void {
    this.tellTarget(message.close);
    if (this.#targetId !== undefined) this.#target.closeSent = true;
    this.#check();
  }

  /**
   * CLOSE came from the client. It is answered behind the target's own, since the exit status may
   * still come: OpenSSH's client closes as soon as both ends of the data are reached.
   */
  clientClosed(): void {
    this.#client.closeReceived = true;
    this.toClient.discard();
    if (this.#targetId === undefined || this.#target.closeReceived) this.closeClient();
    this.closeTarget();
  }

  /** CLOSE came from the target, or it never opened. */
  targetClosed(): void {
    this.#target.closeReceived = true;
    this.toTarget.discard();
    this.closeTarget();
    this.toClient.behind(() => this.closeClient());
    this.#check();
  }

  /** The target has no part of it any more, or never had. */
  #check(): void {
    const client = this.#client.closeSent && this.#client.closeReceived;
    const target =
      this.#targetId === undefined || (this.#target.closeSent && this.#target.closeReceived);
    if (!client || !target || this.#isGone) return;
    this.#isGone = true;
    this.#host.gone(this.id);
  }
}
