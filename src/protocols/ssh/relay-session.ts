/**
 * A session channel: one command, shell or subsystem. Terminal and environment are collected; the
 * request that starts something is judged with them; only then is a channel opened at the target.
 *
 * Invariants: nothing but what an `AllowedCommand` names is started, once; what the client sends
 * before waits here; a refusal is an answer on this channel and leaves all others alone.
 */
import { toGatewayError } from '#core/errors.ts';
import type { Facts } from '#core/facts.ts';
import type { AllowedCommand } from '#core/permit.ts';
import type { Refusal } from '#core/verdict.ts';
import { ByteQueue } from './byte-queue.ts';
import { ChannelEnds, type ChannelOwner, type Side } from './channel-ends.ts';
import { FieldReader, FieldWriter, utf8 } from '#core/ssh-fields.ts';
import {
  type ChannelOpen,
  type ChannelRequest,
  message,
  readTerminal,
  readWindowSize,
  writeChannelRequest,
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
import { isPush, pushStartFacts } from './commands-git.ts';
import { asLines, exitStatus, holdText, refusalText, refuse } from './refusal.ts';
import type { Channel, ChannelHost } from './relay-host.ts';
import { PushFilter } from './relay-push.ts';
import { SftpFilter } from './relay-sftp.ts';
import { OutputMask } from './results.ts';
import { mayHaveShell, mayHaveTerminal, mayLendAgent } from './rights.ts';

/** Variables that a channel may set. */
const VARIABLES_MAX = 32;
const AGENT_REQUEST = 'auth-agent-req@openssh.com';
/** Bytes of a terminal request: its type and its modes. */
const TERMINAL_BYTES_MAX = 4_096;

/** What a request starts, once it is allowed. */
interface Start {
  readonly request: 'exec' | 'shell' | 'subsystem';
  /** Whether SFTP is spoken on it, which is judged operation by operation. */
  readonly isSftp: boolean;
  /** What a push would do, whose refs are judged before they are changed. */
  readonly push?: Facts;
  /** Whether its output is text that masks by content can be put on. */
  readonly isText: boolean;
  readonly wantReply: boolean;
}

type State = 'idle' | 'judging' | 'opening' | 'running' | 'ended';

export class SessionChannel implements Channel, ChannelOwner {
  readonly ends: ChannelEnds;
  readonly #host: ChannelHost;
  readonly #environment = new Map<string, string>();
  readonly #cancelled = new AbortController();
  #state: State = 'idle';
  /** The terminal request's own fields, passed on as they came. */
  #terminal: { readonly name: string; data: Uint8Array } | undefined;
  #hasAgent = false;
  #resize: Uint8Array | undefined;
  #start: (Start & { readonly permit: AllowedCommand }) | undefined;
  #isReplyOwed = false;
  readonly #early = new ByteQueue();
  #isEarlyEof = false;
  /** What the target said that it may say once. */
  readonly #told = new Set<'exit' | 'eow'>();
  #mask: OutputMask | undefined;
  #sftp: SftpFilter | undefined;
  /** What looks at the client's input before it goes on. */
  #filter: SftpFilter | PushFilter | undefined;

  constructor(host: ChannelHost, id: number, open: ChannelOpen) {
    this.#host = host;
    this.ends = new ChannelEnds(host, this, { id, opener: 'client', open });
    this.ends.confirm();
  }

  data(from: Side, bytes: Uint8Array, isStderr: boolean): void {
    if (from === 'client') this.#input(bytes);
    else if (this.#sftp !== undefined && !isStderr) this.#sftp.fromTarget(bytes);
    else this.#mask?.push(bytes, isStderr);
  }

  ended(from: Side): void {
    if (from === 'client') return this.#clientEof();
    this.#mask?.flush();
    this.ends.toClient.behind(() => this.ends.tell('client', message.eof));
  }

  left(from: Side): void {
    this.#filter?.close();
    if (from === 'client') {
      this.#cancelled.abort();
      if (this.ends.idAt('target') === undefined) this.#state = 'ended';
    } else {
      this.#mask?.flush();
      this.#state = 'ended';
    }
  }

  request(from: Side, request: ChannelRequest): void {
    if (from === 'client') this.#request(request);
    else this.#targetRequest(request);
  }

  notOpened(): void {
    this.#refuse(refuse('SP_TARGET_UNREACHABLE', 'the target opened no channel'));
  }

  end(text: string, status: number): void {
    this.#cancelled.abort();
    this.#filter?.close();
    this.#finish(text, status);
  }

  /** What comes before it is known who reads it waits here, so that nothing passes a judge by. */
  #input(bytes: Uint8Array): void {
    const { toTarget } = this.ends;
    if (this.#state === 'running') {
      if (this.#filter === undefined) toTarget.push(bytes, false);
      else this.#filter.fromClient(bytes);
    } else if (this.#state !== 'ended') {
      this.#early.push(bytes);
      toTarget.keep(this.#early.length);
    }
  }

  #clientEof(): void {
    if (this.#state !== 'running') {
      this.#isEarlyEof = true;
      return;
    }
    const { toTarget } = this.ends;
    const pass = (): void => toTarget.behind(() => this.ends.tell('target', message.eof));
    if (this.#filter === undefined) pass();
    else this.#filter.behindAll(pass);
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
      case AGENT_REQUEST:
        return this.#reply(wantReply, this.#lendAgent());
      case 'window-change':
        return this.#resized(request);
      case 'signal':
        return this.#signalled(request);
      default:
        // X11 forwarding, and what nobody knows.
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
    const name = readTerminal(data);
    if (name === undefined) return false;
    const isKnown = /^[A-Za-z0-9][A-Za-z0-9+._-]{0,63}$/.test(name);
    if (!isKnown || data.length > TERMINAL_BYTES_MAX || this.#state !== 'idle') return false;
    if (!mayHaveTerminal(this.#host.stages.context)) return false;
    this.#terminal = { name, data: data.slice() };
    return true;
  }

  #lendAgent(): boolean {
    if (this.#state !== 'idle' || !mayLendAgent(this.#host.stages.context)) return false;
    this.#hasAgent = true;
    return true;
  }

  #resized({ data, wantReply }: ChannelRequest): void {
    if (this.#terminal === undefined || !readWindowSize(data)) return this.#reply(wantReply, false);
    if (this.#state === 'running') this.#sendRequest('window-change', data);
    else this.#resize = data.slice();
    this.#reply(wantReply, true);
  }

  /** While a command waits for its reviewers, a signal is the client's way to take it back. */
  #signalled({ data, wantReply }: ChannelRequest): void {
    const name = new FieldReader(data).text();
    const isKnown = /^[A-Z][A-Z0-9]{1,15}$/.test(name);
    if (this.#state === 'judging') this.#cancelled.abort();
    else if (isKnown && this.#state === 'running') {
      this.#sendRequest('signal', new FieldWriter().text(name).done());
    }
    this.#reply(wantReply, isKnown && (this.#state === 'running' || this.#state === 'judging'));
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
    const { facts } = analysis;
    if (analysis.kind === 'git' && isPush(argv, facts)) {
      return this.#judge(
        { ...start, push: facts },
        { text, facts: pushStartFacts(facts), kind: 'exec' },
      );
    }
    this.#judge(start, { text, facts, kind: 'exec' });
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
      hasAgent: this.#hasAgent,
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
    this.ends.ask('session', new Uint8Array(0));
  }

  opened(window: number, packetMax: number): void {
    const start = this.#start;
    if (this.#state !== 'opening' || start === undefined) return this.ends.close('target');
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
    this.ends.toTarget.open(window, packetMax);
    this.#passEarly();
  }

  #passEarly(): void {
    this.#input(this.#early.peek());
    this.#early.clear();
    if (this.#filter === undefined) this.ends.toTarget.keep(0);
    if (this.#isEarlyEof) this.#clientEof();
  }

  #setUp(): void {
    for (const [name, value] of this.#environment) {
      this.#sendRequest('env', new FieldWriter().text(name).text(value).done());
    }
    if (this.#terminal !== undefined) this.#sendRequest('pty-req', this.#terminal.data);
    if (!this.#hasAgent) return;
    this.#host.lendAgent();
    this.#sendRequest(AGENT_REQUEST, new Uint8Array(0));
  }

  #startOutput(start: Start & { readonly permit: AllowedCommand }): void {
    const { isSftp, isText, permit, push } = start;
    const { stages, services } = this.#host;
    const { liftedMasks } = permit;
    const { toClient, toTarget } = this.ends;
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
    if (push !== undefined) this.#filter = this.#pushFilter(permit, push);
    if (!isSftp) return;
    this.#sftp = new SftpFilter({
      host: this.#host,
      kept: (bytes) => toTarget.keep(bytes),
      toTarget: (bytes) => toTarget.push(bytes, false),
      toClient: (bytes) => toClient.push(bytes, false),
      say: (text) => this.#say(text),
    });
    this.#filter = this.#sftp;
  }

  #pushFilter({ command }: AllowedCommand, facts: Facts): PushFilter {
    const { toTarget } = this.ends;
    return new PushFilter({
      host: this.#host,
      start: { text: command.text, facts },
      state: command.state,
      kept: (bytes) => toTarget.keep(bytes),
      toTarget: (bytes) => toTarget.push(bytes, false),
      refused: (refusal) => {
        this.#filter?.close();
        this.#refuse(refusal);
        if (refusal.endsSession) this.#host.ended(refusal);
      },
      say: (text) => this.#say(text),
    });
  }

  /** The target's answer to what was started. */
  replied(isSuccess: boolean): void {
    if (this.#state === 'running') this.#payReply(isSuccess);
  }

  #targetRequest({ type, wantReply, data }: ChannelRequest): void {
    if (wantReply) this.ends.tell('target', message.channelFailure);
    const isEow = type === 'eow@openssh.com';
    const told = isEow ? new Uint8Array(0) : exitOf(type, data);
    const kind = isEow ? 'eow' : 'exit';
    // What a target says again and again would wait here without bound.
    if (told === undefined || this.#told.has(kind)) return;
    this.#told.add(kind);
    if (!isEow) this.#mask?.flush();
    this.#tellClient(type, told);
  }

  #tellClient(type: string, data: Uint8Array): void {
    const { toClient } = this.ends;
    toClient.behind(() => {
      const id = this.ends.idAt('client');
      if (this.ends.isClosed || id === undefined) return;
      this.#host.send('client', writeChannelRequest(id, { type, wantReply: false, data }));
    });
  }

  /** Answers a request that started nothing: words on standard error and an exit status. */
  #refuse(refusal: Refusal): void {
    this.#finish(refusalText(refusal), exitStatus(refusal));
  }

  #finish(text: string, status: number): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    // OpenSSH shows what a command says, not why a request failed.
    this.#payReply(true);
    this.#mask?.flush();
    this.#say(text);
    this.#tellClient('exit-status', new FieldWriter().uint32(status).done());
    this.ends.toClient.behind(() => {
      this.ends.tell('client', message.eof);
      this.ends.close('client');
    });
    this.ends.close('target');
  }

  #say(text: string): void {
    if (this.ends.isClosed) return;
    this.#payReply(true);
    this.ends.toClient.push(asLines(text, this.#terminal !== undefined), true);
  }

  #payReply(isSuccess: boolean): void {
    this.#reply(this.#isReplyOwed, isSuccess);
    this.#isReplyOwed = false;
  }

  #reply(isWanted: boolean, isSuccess: boolean): void {
    if (!isWanted) return;
    this.ends.tell('client', isSuccess ? message.channelSuccess : message.channelFailure);
  }

  #sendRequest(type: string, data: Uint8Array, wantReply = false): void {
    const id = this.ends.idAt('target');
    if (id === undefined) return;
    this.#host.send('target', writeChannelRequest(id, { type, wantReply, data }));
  }
}

/**
 * What the target says of the end of a command, without the words, which no mask has seen;
 * undefined for every other request.
 */
function exitOf(type: string, data: Uint8Array): Uint8Array | undefined {
  const fields = new FieldReader(data);
  const writer = new FieldWriter();
  if (type === 'exit-status') return writer.uint32(fields.uint32()).done();
  if (type !== 'exit-signal') return undefined;
  return writer.text(fields.text()).bool(fields.bool()).text('').text('').done();
}

/** Whether a transfer sends files of the target to the client. */
function givesFiles(argv: readonly (string | null)[]): boolean {
  const [program = ''] = argv;
  if (program?.endsWith('git-receive-pack') === true) return false;
  const isScpUpload = argv.includes('-t') && !argv.includes('-f');
  const isRsyncUpload = argv.includes('--server') && !argv.includes('--sender');
  return !isScpUpload && !isRsyncUpload;
}
