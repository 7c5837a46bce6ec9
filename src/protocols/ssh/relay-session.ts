/**
 * A session channel: one command, shell or subsystem. Terminal and environment are collected; the
 * request that starts something is judged with them; only then is a channel opened at the target.
 *
 * Invariants: nothing but what an `AllowedCommand` names is started, once; what the client sends
 * before waits here; a refusal is an answer on this channel and leaves all others alone.
 */
import { GatewayError, toGatewayError } from '#core/errors.ts';
import type { AllowedCommand } from '#core/permit.ts';
import type { Refusal } from '#core/verdict.ts';
import { ChannelEnds } from './channel-ends.ts';
import { FieldReader, FieldWriter, malformed, utf8 } from '#core/ssh-fields.ts';
import {
  type ChannelOpen,
  type ChannelRequest,
  message,
  readChannelRequest,
  readData,
  writeChannelOpen,
  writeChannelRequest,
  writeOpenConfirmation,
  typeOf,
} from './codec/messages.ts';
import {
  analyseExec,
  channelState,
  type ChannelState,
  isPlainValue,
  makeCommand,
  mayBeSet,
  sftpFacts,
  shellFacts,
} from './commands.ts';
import { PACKET_BYTES_MAX } from './flow.ts';
import { asLines, exitStatus, holdText, refusalText, refuse } from './refusal.ts';
import type { Channel, ChannelHost } from './relay-host.ts';
import { SftpFilter } from './relay-sftp.ts';
import { OutputMask } from './results.ts';
import { mayHaveShell, mayHaveTerminal } from './rights.ts';

/** Variables that a channel may set. */
const VARIABLES_MAX = 32;
/** Bytes of a terminal request: its type and its modes. */
const TERMINAL_BYTES_MAX = 4_096;

/** What a request starts, once it is allowed. */
interface Start {
  readonly request: 'exec' | 'shell' | 'subsystem';
  /** Whether SFTP is spoken on it, which is judged operation by operation. */
  readonly isSftp: boolean;
  /** Whether its output is text that masks by content can be put on. */
  readonly isText: boolean;
  readonly wantReply: boolean;
}

type State = 'idle' | 'judging' | 'opening' | 'running' | 'ended';

export class SessionChannel implements Channel {
  readonly #host: ChannelHost;
  readonly #ends: ChannelEnds;
  readonly #environment = new Map<string, string>();
  readonly #cancelled = new AbortController();
  #state: State = 'idle';
  /** The terminal request's own fields, passed on as they came. */
  #terminal: { readonly name: string; data: Uint8Array } | undefined;
  #resize: Uint8Array | undefined;
  #start: (Start & { readonly permit: AllowedCommand }) | undefined;
  #isReplyOwed = false;
  #early: Uint8Array[] = [];
  #earlyBytes = 0;
  #isEarlyEof = false;
  #mask: OutputMask | undefined;
  #sftp: SftpFilter | undefined;

  constructor(host: ChannelHost, id: number, open: ChannelOpen) {
    this.#host = host;
    this.#ends = new ChannelEnds(host, id, open);
    const window = host.services.limits.channelWindowBytes;
    const own = { sender: id, window, packetMax: PACKET_BYTES_MAX };
    host.toClient(writeOpenConfirmation(open.sender, own));
  }

  fromClient(payload: Uint8Array): void {
    const { toClient, toTarget } = this.#ends;
    switch (typeOf(payload)) {
      case message.windowAdjust:
        return toClient.adjust(new FieldReader(payload, 5).uint32());
      case message.data: {
        const { bytes } = readData(payload);
        toTarget.sent(bytes.length);
        return this.#input(bytes);
      }
      case message.eof:
        return this.#clientEof();
      case message.close:
        this.#cancelled.abort();
        this.#sftp?.close();
        this.#state = this.#ends.targetId === undefined ? 'ended' : this.#state;
        return this.#ends.clientClosed();
      case message.channelRequest:
        return this.#request(readChannelRequest(payload));
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
        return this.#refuse(refuse('SP_TARGET_UNREACHABLE', 'the target opened no channel'));
      case message.windowAdjust:
        return toTarget.adjust(new FieldReader(payload, 5).uint32());
      case message.data:
      case message.extendedData: {
        const { bytes, isStderr } = readData(payload);
        toClient.sent(bytes.length);
        if (this.#sftp !== undefined && !isStderr) this.#sftp.fromTarget(bytes);
        else this.#mask?.push(bytes, isStderr);
        return;
      }
      case message.eof:
        this.#mask?.flush();
        return toClient.behind(() => this.#ends.tellClient(message.eof));
      case message.close:
        this.#mask?.flush();
        this.#sftp?.close();
        this.#state = 'ended';
        return this.#ends.targetClosed();
      case message.channelRequest:
        return this.#targetRequest(readChannelRequest(payload));
      case message.channelSuccess:
      case message.channelFailure:
        return this.#replied(payload[0] === message.channelSuccess);
      default:
        throw new GatewayError('SP_TARGET_PROTOCOL', { detail: 'a message on a channel' });
    }
  }

  end(text: string, status: number): void {
    this.#cancelled.abort();
    this.#sftp?.close();
    this.#finish(text, status);
  }

  /** What comes before it is known who reads it waits here, so that nothing passes a judge by. */
  #input(bytes: Uint8Array): void {
    const { toTarget } = this.#ends;
    if (this.#state === 'running') {
      if (this.#sftp === undefined) toTarget.push(bytes, false);
      else this.#sftp.fromClient(bytes);
    } else if (this.#state !== 'ended') {
      this.#early.push(bytes.slice());
      this.#earlyBytes += bytes.length;
      toTarget.keep(this.#earlyBytes);
    }
  }

  #clientEof(): void {
    if (this.#state !== 'running') {
      this.#isEarlyEof = true;
      return;
    }
    const { toTarget } = this.#ends;
    const pass = (): void => toTarget.behind(() => this.#ends.tellTarget(message.eof));
    if (this.#sftp === undefined) pass();
    else this.#sftp.behindAll(pass);
  }

  #request(request: ChannelRequest): void {
    const { type, wantReply, data } = request;
    switch (type) {
      case 'env':
        return this.#reply(wantReply, this.#setVariable(data));
      case 'pty-req':
        return this.#reply(wantReply, this.#setTerminal(data));
      case 'exec':
      case 'shell':
      case 'subsystem':
        return this.#begin(type, request);
      case 'window-change':
        return this.#resized(request);
      case 'signal':
        return this.#signalled(request);
      default:
        // Agent and X11 forwarding, and what nobody knows.
        return this.#reply(wantReply, false);
    }
  }

  #setVariable(data: Uint8Array): boolean {
    const fields = new FieldReader(data);
    const [name, value] = [utf8(fields.string()), utf8(fields.string())];
    const isKept = mayBeSet(name) && isPlainValue(value) && this.#environment.size < VARIABLES_MAX;
    if (!isKept || this.#state !== 'idle') return false;
    this.#environment.set(name, value);
    return true;
  }

  #setTerminal(data: Uint8Array): boolean {
    const name = new FieldReader(data).text();
    const isKnown = /^[A-Za-z0-9][A-Za-z0-9+._-]{0,63}$/.test(name);
    if (!isKnown || data.length > TERMINAL_BYTES_MAX || this.#state !== 'idle') return false;
    if (!mayHaveTerminal(this.#host.stages.context)) return false;
    this.#terminal = { name, data: data.slice() };
    return true;
  }

  #resized({ data, wantReply }: ChannelRequest): void {
    if (this.#terminal === undefined || data.length !== 16) return this.#reply(wantReply, false);
    if (this.#state === 'running') this.#sendRequest('window-change', data);
    else this.#resize = data.slice();
    this.#reply(wantReply, true);
  }

  /** While a command waits for its reviewers, a signal is the client's way to take it back. */
  #signalled({ data, wantReply }: ChannelRequest): void {
    if (this.#state === 'judging') this.#cancelled.abort();
    else if (this.#state === 'running') this.#sendRequest('signal', data);
    this.#reply(wantReply, this.#state === 'running' || this.#state === 'judging');
  }

  #begin(request: 'exec' | 'shell' | 'subsystem', { data, wantReply }: ChannelRequest): void {
    if (this.#state !== 'idle') return this.#reply(wantReply, false);
    this.#isReplyOwed = wantReply;
    const text = request === 'shell' ? '' : this.#readText(data);
    if (text === undefined) return this.#refuse(refuse('SP_NOT_UNDERSTOOD', 'not UTF-8 text'));
    if (request === 'shell') return this.#beginShell();
    if (request === 'subsystem' && text !== 'sftp') {
      return this.#refuse(refuse('SP_UNSUPPORTED', 'no such subsystem'));
    }
    if (request === 'subsystem') return this.#beginSftp('subsystem', 'subsystem sftp');
    this.#beginExec(text);
  }

  #readText(data: Uint8Array): string | undefined {
    const bytes = new FieldReader(data).string();
    try {
      return utf8(bytes);
    } catch {
      return undefined;
    }
  }

  #beginShell(): void {
    if (!mayHaveShell(this.#host.stages.context)) {
      const hint = 'Name a command, or ask for a grant with the feature `shell`.';
      return this.#refuse(refuse('SP_POLICY_DENIED', 'no grant allows an interactive shell', hint));
    }
    const start: Start = { request: 'shell', isSftp: false, isText: true, wantReply: true };
    this.#judge(start, { text: 'interactive shell', facts: shellFacts, kind: 'shell' });
  }

  #beginSftp(request: 'exec' | 'subsystem', text: string): void {
    const start: Start = { request, isSftp: true, isText: false, wantReply: true };
    this.#judge(start, { text, facts: sftpFacts, kind: 'sftp' });
  }

  #beginExec(text: string): void {
    const analysis = analyseExec(text, this.#host.settings, this.#terminal !== undefined);
    // A file server that was started as a command speaks what the subsystem speaks.
    if (analysis.kind === 'sftp') return this.#beginSftp('exec', text);
    const isText = analysis.kind === 'shell';
    const argv = analysis.commands[0]?.argv ?? [];
    if (!isText && givesFiles(argv) && this.#host.stages.masks.content !== undefined) {
      const reason = 'a mask by content is in force, and files in transfer cannot be masked';
      return this.#refuse(refuse('SP_MASK_UNSOUND', reason));
    }
    const start: Start = { request: 'exec', isSftp: false, isText, wantReply: true };
    this.#judge(start, { text, facts: analysis.facts, kind: 'exec' });
  }

  /** Asks the gate; the usual answer is there at once. */
  #judge(
    start: Start,
    what: {
      readonly text: string;
      readonly facts: Parameters<typeof makeCommand>[1]['facts'];
      readonly kind: string;
    },
  ): void {
    this.#state = 'judging';
    const { stages } = this.#host;
    const state: ChannelState = {
      terminal: this.#terminal?.name,
      environment: this.#environment,
    };
    const { text, facts, kind } = what;
    const command = makeCommand(stages, { text, facts, state: channelState(kind, state) });
    const answer = stages.gate(
      command,
      (notice) => this.#say(holdText(notice)),
      this.#cancelled.signal,
    );
    if (!(answer instanceof Promise)) return this.#judged(start, answer);
    answer
      .then((result) => this.#judged(start, result))
      .catch((thrown: unknown) => this.#host.failed(toGatewayError(thrown)));
  }

  #judged(start: Start, answer: AllowedCommand | Refusal): void {
    if (answer.refused) {
      this.#refuse(answer);
      if (answer.endsSession) this.#host.ended(answer);
      return;
    }
    if (this.#state !== 'judging') return;
    this.#state = 'opening';
    this.#start = { ...start, permit: answer };
    this.#host.toTarget(
      writeChannelOpen({
        type: 'session',
        sender: this.#ends.id,
        window: this.#host.services.limits.channelWindowBytes,
        packetMax: PACKET_BYTES_MAX,
        rest: new Uint8Array(0),
      }),
    );
  }

  #opened(payload: Uint8Array): void {
    const start = this.#start;
    if (this.#state !== 'opening' || start === undefined) {
      throw new GatewayError('SP_TARGET_PROTOCOL', { detail: 'a channel that was not asked for' });
    }
    const { window, packetMax } = this.#ends.confirmed(payload);
    if (this.#ends.hasLeft) return;
    this.#state = 'running';
    this.#setUp();
    this.#startOutput(start);
    this.#host.stages.sent(start.permit);
    const { text } = start.permit.command;
    const name = start.request === 'subsystem' ? 'sftp' : text;
    const data = new FieldWriter();
    if (start.request !== 'shell') data.text(name);
    this.#sendRequest(start.request, data.done(), true);
    if (this.#resize !== undefined) this.#sendRequest('window-change', this.#resize);
    this.#ends.toTarget.open(window, packetMax);
    this.#passEarly();
  }

  #passEarly(): void {
    const early = this.#early;
    this.#early = [];
    for (const bytes of early) this.#input(bytes);
    if (this.#sftp === undefined) this.#ends.toTarget.keep(0);
    if (this.#isEarlyEof) this.#clientEof();
  }

  #setUp(): void {
    for (const [name, value] of this.#environment) {
      this.#sendRequest('env', new FieldWriter().text(name).text(value).done());
    }
    if (this.#terminal !== undefined) this.#sendRequest('pty-req', this.#terminal.data);
  }

  #startOutput({ isSftp, isText, permit }: Start & { readonly permit: AllowedCommand }): void {
    const { stages, services } = this.#host;
    const { liftedMasks } = permit;
    const { toClient, toTarget } = this.#ends;
    const deliver = (bytes: Uint8Array, isStderr: boolean): void => toClient.push(bytes, isStderr);
    const nothing = { version: '', content: undefined };
    this.#mask = new OutputMask({
      clock: services.clock,
      isTerminal: this.#terminal !== undefined,
      // What a transfer writes to standard output is its protocol, not text.
      masks: () => (isText ? stages.masks.without(liftedMasks) : nothing),
      deliver,
      failed: (thrown) => this.#host.failed(toGatewayError(thrown)),
    });
    if (!isSftp) return;
    this.#sftp = new SftpFilter({
      host: this.#host,
      kept: (bytes) => toTarget.keep(bytes),
      toTarget: (bytes) => toTarget.push(bytes, false),
      toClient: (bytes) => toClient.push(bytes, false),
      say: (text) => this.#say(text),
    });
  }

  /** The target's answer to what was started. */
  #replied(isSuccess: boolean): void {
    if (this.#start === undefined || this.#state !== 'running') return;
    this.#payReply(isSuccess);
  }

  #targetRequest({ type, wantReply, data }: ChannelRequest): void {
    const { toClient, clientId } = this.#ends;
    if (wantReply) this.#ends.tellTarget(message.channelFailure);
    if (type !== 'exit-status' && type !== 'exit-signal' && type !== 'eow@openssh.com') return;
    if (type !== 'eow@openssh.com') this.#mask?.flush();
    const payload = writeChannelRequest(clientId, { type, wantReply: false, data });
    toClient.behind(() => {
      if (!this.#ends.isClosed) this.#host.toClient(payload);
    });
  }

  /** Answers a request that started nothing: words on standard error and an exit status. */
  #refuse(refusal: Refusal): void {
    this.#finish(refusalText(refusal), exitStatus(refusal));
  }

  #finish(text: string, status: number): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    const { toClient, clientId } = this.#ends;
    // OpenSSH shows what a command says, not why a request failed.
    this.#payReply(true);
    this.#mask?.flush();
    this.#say(text);
    const data = new FieldWriter().uint32(status).done();
    const exit = writeChannelRequest(clientId, { type: 'exit-status', wantReply: false, data });
    toClient.behind(() => {
      if (this.#ends.isClosed) return;
      this.#host.toClient(exit);
      this.#ends.tellClient(message.eof);
      this.#ends.closeClient();
    });
    this.#ends.closeTarget();
  }

  #say(text: string): void {
    if (this.#ends.isClosed) return;
    this.#payReply(true);
    this.#ends.toClient.push(asLines(text, this.#terminal !== undefined), true);
  }

  #payReply(isSuccess: boolean): void {
    this.#reply(this.#isReplyOwed, isSuccess);
    this.#isReplyOwed = false;
  }

  #reply(isWanted: boolean, isSuccess: boolean): void {
    if (!isWanted) return;
    this.#ends.tellClient(isSuccess ? message.channelSuccess : message.channelFailure);
  }

  #sendRequest(type: string, data: Uint8Array, wantReply = false): void {
    const { targetId } = this.#ends;
    if (targetId === undefined) return;
    this.#host.toTarget(writeChannelRequest(targetId, { type, wantReply, data }));
  }
}

/** Whether a transfer sends files of the target to the client. */
function givesFiles(argv: readonly (string | null)[]): boolean {
  const [program = ''] = argv;
  if (program?.endsWith('git-receive-pack') === true) return false;
  const isScpUpload = argv.includes('-t') && !argv.includes('-f');
  const isRsyncUpload = argv.includes('--server') && !argv.includes('--sender');
  return !isScpUpload && !isRsyncUpload;
}
