/** What a channel of a session works with; `relay.ts` is behind it. */
import type { GatewayError } from '#core/errors.ts';
import type { ProtocolServices, Stages } from '#core/protocol.ts';
import type { Refusal } from '#core/verdict.ts';
import type { ChannelEnds, Side } from './channel-ends.ts';
import type { SshSettings } from './config.ts';

export interface ChannelHost {
  readonly stages: Stages;
  readonly services: ProtocolServices;
  readonly settings: SshSettings;
  /** Sends a message; what goes to the client is recorded. */
  send(side: Side, payload: Uint8Array): void;
  /** Records and sends data of a channel to the client. */
  dataToClient(recipient: number, bytes: Uint8Array, isStderr: boolean): void;
  dataToTarget(recipient: number, bytes: Uint8Array): void;
  /** From now on the target may open channels to the client's agent. */
  lendAgent(): void;
  /** The channel is closed on both sides. */
  gone(id: number): void;
  /** A verdict or a control ended the session. */
  ended(refusal: Refusal): void;
  /** Something failed that no channel survives. */
  failed(thrown: GatewayError): void;
}

/** One channel, on both connections. */
export interface Channel {
  /** Where its messages go. */
  readonly ends: ChannelEnds;
  /** The session ends: says why, and waits for nothing. */
  end(text: string, status: number): void;
}
