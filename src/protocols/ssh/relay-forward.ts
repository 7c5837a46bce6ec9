/**
 * A `direct-tcpip` channel: a connection from the target to another place. What goes through is
 * recorded and not read, so a grant has to name the place, the policy has to allow it, and no mask
 * may be in force that could not be put on it.
 */
import { toGatewayError } from '#core/errors.ts';
import type { AllowedCommand } from '#core/permit.ts';
import type { Refusal } from '#core/verdict.ts';
import { ChannelEnds, type ChannelOwner, otherSide, type Side } from './channel-ends.ts';
import { FieldReader } from '#core/ssh-fields.ts';
import {
  type ChannelOpen,
  type ChannelRequest,
  message,
  openFailure,
  writeOpenFailure,
} from './codec/messages.ts';
import { forwardFacts, makeCommand } from './commands.ts';
import { refusalText, refuse } from './refusal.ts';
import type { Channel, ChannelHost } from './relay-host.ts';
import { mayForward } from './rights.ts';

/** Where a connection is to go. */
interface Destination {
  readonly host: string;
  readonly port: number;
}

export class ForwardChannel implements Channel, ChannelOwner {
  readonly ends: ChannelEnds;
  readonly #host: ChannelHost;
  readonly #open: ChannelOpen;
  readonly #cancelled = new AbortController();
  #isOpen = false;
  #isOver = false;

  constructor(host: ChannelHost, id: number, open: ChannelOpen) {
    this.#host = host;
    this.#open = { ...open, rest: open.rest.slice() };
    this.ends = new ChannelEnds(host, this, { id, opener: 'client', open });
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

  data(from: Side, bytes: Uint8Array, isStderr: boolean): void {
    this.ends.towards(otherSide(from)).push(bytes, isStderr);
  }

  ended(from: Side): void {
    const to = otherSide(from);
    this.ends.towards(to).behind(() => this.ends.tell(to, message.eof));
  }

  left(): void {
    // Both flows end with the channel; nothing of its own is under way.
  }

  request(from: Side, { wantReply }: ChannelRequest): void {
    if (wantReply) this.ends.tell(from, message.channelFailure);
  }

  replied(): void {
    // Nothing is asked of the target.
  }

  opened(window: number, packetMax: number): void {
    this.#isOpen = true;
    this.ends.confirm();
    this.ends.toTarget.open(window, packetMax);
  }

  notOpened(): void {
    this.#fail('the target could not connect', openFailure.connectFailed);
  }

  end(text: string): void {
    this.#cancelled.abort();
    if (this.#isOpen) {
      this.ends.close('target');
      this.ends.close('client');
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
    this.#host.stages.sent(answer);
    this.ends.ask(this.#open.type, this.#open.rest);
  }

  #fail(text: string, reason: number): void {
    if (this.#isOver || this.#isOpen) return;
    this.#isOver = true;
    const id = this.ends.idAt('client') ?? 0;
    this.#host.send('client', writeOpenFailure(id, reason, text));
    this.#host.gone(this.ends.id);
  }
}
