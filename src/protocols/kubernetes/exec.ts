/**
 * `exec` and `attach`: the gateway speaks with the client over WebSocket or SPDY, judges what is to
 * run, and only then asks the API server for it, over SPDY, which every server speaks.
 *
 * Invariants: what was judged is what is asked for, in one form of our own; what the client sends
 * before waits here; a refusal is words on standard error and an exit status.
 */
import { GatewayError, toGatewayError } from '#core/errors.ts';
import { streamLimits } from '#core/limits.ts';
import type { AllowedCommand } from '#core/permit.ts';
import type { Refusal } from '#core/verdict.ts';
import type { Conversation, ConversationHost } from '#protocols/http/dialect.ts';
import type { HttpRequest } from '#protocols/http/request.ts';
import { asLines, exitStatus, holdText, refusalText, refuse } from '#protocols/ssh/refusal.ts';
import { OutputMask } from '#protocols/ssh/results.ts';
import { ChannelTape, markChannels } from './channel-tape.ts';
import { analyseRequest } from './commands.ts';
import { analyseExec, givesArchive, readsCommands, streamCommand } from './commands-stream.ts';
import { mayAttach, mayHaveShell, mayHaveTerminal } from './rights.ts';
import { type ProgramRequest, streamText } from './stream-request.ts';
import { checkAgreed, upstreamRequest } from './stream-upgrade.ts';
import type { TerminalSize } from './streams/resize.ts';
import { SpdyTargetStreams } from './streams/spdy-streams.ts';
import type { ClientEvents, ClientStreams } from './streams/standard-streams.ts';
import { encodeEnd, type ProgramEnd, readStatus } from './streams/status.ts';

export interface ProgramParts {
  readonly host: ConversationHost;
  readonly request: HttpRequest;
  readonly asked: ProgramRequest;
  /** Makes the client's end. */
  readonly client: (events: ClientEvents, send: (bytes: Uint8Array) => void) => ClientStreams;
}

type State = 'opening' | 'judging' | 'dialling' | 'running' | 'ended';

export class ProgramConversation implements Conversation, ClientEvents {
  readonly #parts: ProgramParts;
  readonly #client: ClientStreams;
  readonly #tape: ChannelTape;
  readonly #mask: OutputMask;
  readonly #target: SpdyTargetStreams;
  #stopWaiting: () => void;
  #stopSigns: (() => void) | undefined;
  #state: State = 'opening';
  #permit: AllowedCommand | undefined;
  #early: Uint8Array[] = [];
  #earlyBytes: number = 0;
  #isEarlyEnd: boolean = false;
  #size: TerminalSize | undefined;

  constructor(parts: ProgramParts) {
    const { host, asked } = parts;
    this.#parts = parts;
    markChannels(host.stages.tape);
    this.#tape = new ChannelTape((way, bytes) => host.record(way, bytes), 0, 'session');
    if (asked.io.tty) this.#tape.terminal();
    this.#tape.started(streamText(asked));
    this.#mask = this.#outputMask();
    this.#target = new SpdyTargetStreams(
      asked.io,
      {
        output: (bytes, isStderr) => this.#mask.push(bytes, isStderr),
        finished: (status) => this.#finished(status),
      },
      (bytes) => host.toTarget(bytes),
    );
    this.#stopWaiting = host.clock.after(streamLimits.openMsMax, () => {
      if (this.#state === 'opening') host.end(new GatewayError('SP_PROTOCOL'));
    });
    this.#client = parts.client(this, (bytes) => host.toClient(bytes));
    this.#client.start();
  }

  fromClient(bytes: Uint8Array): void {
    this.#client.push(bytes);
  }

  fromTarget(bytes: Uint8Array): void {
    this.#target.push(bytes);
  }

  targetGone(): void {
    this.#target.gone();
  }

  refused(refusal: Refusal): void {
    this.#refuse(refusal);
  }

  closed(): void {
    this.#state = 'ended';
    this.#stopWaiting();
    this.#stopSigns?.();
    this.#mask.flush();
  }

  opened(): void {
    if (this.#state !== 'opening') return;
    this.#stopWaiting();
    const why = this.#forbidden();
    if (why === undefined) this.#judge();
    else this.#refuse(why);
  }

  input(bytes: Uint8Array): void {
    if (this.#state === 'ended') return;
    if (this.#state === 'running') {
      this.#tape.input(bytes);
      this.#target.input(bytes);
      return;
    }
    this.#early.push(bytes.slice());
    this.#earlyBytes += bytes.length;
    if (this.#earlyBytes >= streamLimits.earlyBytesMax) this.#holdBack();
  }

  inputEnded(): void {
    if (this.#state === 'running') this.#target.inputEnded();
    else this.#isEarlyEnd = true;
  }

  resized(size: TerminalSize): void {
    if (this.#state !== 'running') {
      this.#size = size;
      return;
    }
    this.#tape.resized(size);
    this.#target.resized(size);
  }

  left(): void {
    this.#parts.host.end();
  }

  /** Its pings are not read either: so that it does not give up, it gets signs of life. */
  #holdBack(): void {
    const { host } = this.#parts;
    host.hold(true);
    this.#stopSigns ??= host.clock.every(streamLimits.aliveMs, () => this.#client.alive());
  }

  #goOn(): void {
    this.#stopSigns?.();
    this.#stopSigns = undefined;
    this.#parts.host.hold(false);
  }

  #outputMask(): OutputMask {
    const { host, asked } = this.#parts;
    return new OutputMask({
      clock: host.clock,
      isTerminal: asked.io.tty,
      masks: () => host.stages.masks.without(this.#permit?.liftedMasks ?? []),
      deliver: (bytes, isStderr) => {
        if (this.#state === 'ended') return;
        this.#tape.output(bytes, isStderr);
        this.#client.output(bytes, isStderr);
      },
      failed: (thrown) => host.end(toGatewayError(thrown)),
    });
  }

  /** Why it may not be, whatever the policy says. */
  #forbidden(): Refusal | undefined {
    const { host, asked } = this.#parts;
    const { context, masks } = host.stages;
    const lacks = (what: string, feature: string): Refusal =>
      refuse('SP_POLICY_DENIED', `no grant allows ${what}`, `Ask for the feature \`${feature}\`.`);
    if (asked.io.tty && !mayHaveTerminal(context)) return lacks('a terminal', 'pty');
    if (asked.kind === 'attach') {
      return mayAttach(context) ? undefined : lacks('to attach', 'attach');
    }
    const isShell = asked.io.stdin && readsCommands(analyseExec(asked.argv, asked.io.tty));
    if (isShell && !mayHaveShell(context)) return lacks('an interactive shell', 'shell');
    if (masks.content === undefined || !givesArchive(asked.argv)) return undefined;
    const reason = 'a mask by content is in force, and files in transfer cannot be masked';
    return refuse('SP_MASK_UNSOUND', reason);
  }

  #judge(): void {
    const { host, request, asked } = this.#parts;
    this.#state = 'judging';
    const facts = analyseRequest(upstreamRequest(request, asked), host.stages.masks);
    const command = streamCommand(host.stages, asked, facts);
    const answer = host.stages.gate(command, (notice) => this.#say(holdText(notice)), host.signal);
    if (!(answer instanceof Promise)) return this.#judged(answer);
    answer
      .then((result) => this.#judged(result))
      .catch((thrown: unknown) => host.end(toGatewayError(thrown)));
  }

  #judged(answer: AllowedCommand | Refusal): void {
    if (this.#state !== 'judging') return;
    if (answer.refused) return this.#refuse(answer);
    this.#permit = answer;
    this.#state = 'dialling';
    this.#dial(answer).catch((thrown: unknown) => this.#failed(toGatewayError(thrown)));
  }

  async #dial(permit: AllowedCommand): Promise<void> {
    const { host, request, asked } = this.#parts;
    const { head, body } = await host.dial(permit, upstreamRequest(request, asked));
    if (this.#state !== 'dialling') return;
    if (head.status !== 101)
      return this.#end({ exit: undefined, message: readStatus(body).message });
    checkAgreed(head, asked.kind);
    this.#state = 'running';
    this.#target.open();
    if (this.#size !== undefined) this.resized(this.#size);
    for (const bytes of this.#early.splice(0)) this.input(bytes);
    if (this.#isEarlyEnd) this.inputEnded();
    this.#goOn();
  }

  #failed(error: GatewayError): void {
    if (error.code === 'SP_TARGET_UNREACHABLE') return this.#refuse(refuse(error.code));
    this.#parts.host.end(error);
  }

  /** The program ended, or the connection to it did. */
  #finished(status: Uint8Array): void {
    if (this.#state !== 'running') return;
    this.#end(
      status.length === 0
        ? { exit: undefined, message: 'the connection to the target was lost' }
        : readStatus(status),
    );
  }

  /** Words on standard error, and the exit status of what did not run. */
  #refuse(refusal: Refusal): void {
    if (this.#state === 'ended') return;
    const text = refusalText(refusal);
    this.#say(text);
    this.#end({ exit: exitStatus(refusal), message: text });
  }

  #say(text: string): void {
    const { io } = this.#parts.asked;
    this.#mask.flush();
    const bytes = asLines(text, io.tty);
    const isStderr = io.stderr;
    if (!isStderr && !io.stdout) return;
    this.#tape.output(bytes, isStderr);
    this.#client.output(bytes, isStderr);
  }

  #end(end: ProgramEnd): void {
    this.#mask.flush();
    const { host } = this.#parts;
    this.#tape.exited(end.exit ?? 1);
    this.#tape.closed();
    this.#client.finish(encodeEnd({ ...end, message: this.#masked(end.message) }));
    this.#state = 'ended';
    // The client leaves when it has read everything.
    this.#stopWaiting = host.clock.after(streamLimits.lingerMsMax, () => host.end());
  }

  /** What the target says in a status is text like all its text. */
  #masked(message: string): string {
    const stream = this.#parts.host.stages.masks.content?.stream();
    if (stream === undefined) return message;
    const parts = [stream.push(new TextEncoder().encode(message)), stream.end()];
    return new TextDecoder().decode(Buffer.concat(parts));
  }
}
