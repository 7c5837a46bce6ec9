/**
 * A connection through the session: from the client to the target's side, or the other way. What
 * goes through is recorded and not read. Towards the target's side each is judged: a grant has to
 * name the place, the policy has to allow it, and no mask may be in force that could not be put on
 * it. The other way, what the target listens for was judged (`relay-listen.ts`).
 */
import { toGatewayError } from '#core/errors.ts';
import type { AllowedCommand } from '#core/permit.ts';
import type { Refusal } from '#core/verdict.ts';
import { ChannelEnds, type ChannelOwner, otherSide, type Side } from './channel-ends.ts';
import {
  type ChannelOpen,
  type ChannelRequest,
  message,
  openFailure,
  writeOpenFailure,
} from './codec/messages.ts';
import { makeCommand } from './commands.ts';
import { featureOf, mayPass, type Passage, passageFacts, passageText } from './forwarding.ts';
import { refusalText, refuse } from './refusal.ts';
import type { Channel, ChannelHost } from './relay-host.ts';

export class ForwardChannel implements Channel, ChannelOwner {
  readonly ends: ChannelEnds;
  readonly #host: ChannelHost;
  readonly #open: ChannelOpen;
  readonly #cancelled = new AbortController();
  #isOpen = false;
  #isOver = false;

  constructor(
    host: ChannelHost,
    channel: { readonly id: number; readonly opener: Side; readonly open: ChannelOpen },
  ) {
    this.#host = host;
    this.#open = { ...channel.open, rest: channel.open.rest.slice() };
    this.ends = new ChannelEnds(host, this, channel);
  }

  /** Judges a connection of the client, and opens it if it may be. */
  judge(passage: Passage): void {
    const { stages } = this.#host;
    const why = this.#forbidden(passage);
    if (why !== undefined) return this.#fail(refusalText(why), openFailure.prohibited);
    const command = makeCommand(stages, {
      text: passageText(passage),
      state: this.#open.type,
      facts: passageFacts(passage),
    });
    const answer = stages.gate(command, () => undefined, this.#cancelled.signal);
    if (!(answer instanceof Promise)) return this.#judged(answer);
    answer
      .then((result) => this.#judged(result))
      .catch((thrown: unknown) => this.#host.failed(toGatewayError(thrown)));
  }

  /** Asks the other side for the channel. */
  pass(): void {
    this.ends.ask(this.#open.type, this.#open.rest);
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
    this.ends.towards(otherSide(this.ends.opener)).open(window, packetMax);
  }

  notOpened(): void {
    this.#fail('the other side could not connect', openFailure.connectFailed);
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

  #forbidden(passage: Passage): Refusal | undefined {
    const { context, masks } = this.#host.stages;
    if (!mayPass(context, passage)) {
      return refuse('SP_POLICY_DENIED', `no grant has the feature ${featureOf(passage)}`);
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
    this.pass();
  }

  #fail(text: string, reason: number): void {
    if (this.#isOver || this.#isOpen) return;
    this.#isOver = true;
    const { opener } = this.ends;
    const id = this.ends.idAt(opener) ?? 0;
    this.#host.send(opener, writeOpenFailure(id, reason, text));
    this.#host.gone(this.ends.id);
  }
}
