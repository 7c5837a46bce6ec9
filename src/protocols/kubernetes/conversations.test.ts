/** `exec` and `port-forward` against a host of memory: what goes to the target, and when. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Command } from '#core/command.ts';
import { systemClock } from '#core/clock.ts';
import { GatewayError } from '#core/errors.ts';
import { asId } from '#core/ids.ts';
import { streamLimits } from '#core/limits.ts';
import type { AllowedCommand } from '#core/permit.ts';
import type { Stages } from '#core/protocol.ts';
import type { Refusal } from '#core/verdict.ts';
import type { ConversationHost, DialAnswer } from '#protocols/http/dialect.ts';
import type { HttpRequest } from '#protocols/http/request.ts';
import { refuse } from '#protocols/ssh/refusal.ts';
import { makeAuthorization } from '../../../test/support/admission.ts';
import { testPermit } from '../../../test/support/recording.ts';
import { ProgramConversation } from './exec.ts';
import { PortConversation } from './port-forward.ts';
import type { PortRequest, ProgramRequest } from './stream-request.ts';
import { plainCarrier } from './streams/spdy-carrier.ts';
import { headerOf } from './streams/spdy-headers.ts';
import { SpdyClientStreams } from './streams/spdy-streams.ts';
import { SpdyReader, type SpdySink, SpdyWriter } from './streams/spdy.ts';

type Answer = AllowedCommand | Refusal | Promise<AllowedCommand | Refusal>;

const request: HttpRequest = {
  method: 'GET',
  path: '/api/v1/namespaces/app/pods/web/portforward',
  query: undefined,
  fields: [],
  forwarded: [],
  host: 'api',
  clientHost: 'gateway',
  body: { kind: 'none' },
  upgrade: 'spdy/3.1',
};

/** Notes what one side is told, as lines. */
function noting(lines: string[]): SpdySink {
  return {
    opened: (stream, headers) =>
      lines.push(`open ${stream} ${headerOf(headers, 'streamtype')} ${headerOf(headers, 'port')}`),
    replied: () => undefined,
    data: (stream, bytes) => lines.push(`data ${stream} ${Buffer.from(bytes).toString()}`),
    finished: (stream) => lines.push(`fin ${stream}`),
    reset: (stream) => lines.push(`reset ${stream}`),
    ping: (id) => lines.push(`ping ${id}`),
    goAway: () => undefined,
  };
}

interface World {
  readonly host: ConversationHost;
  readonly commands: Command[];
  readonly dialled: HttpRequest[];
  /** What the client and the target are told. */
  readonly client: string[];
  readonly target: string[];
  readonly sent: AllowedCommand[];
  readonly held: boolean[];
  readonly ended: (GatewayError | undefined)[];
  epoch: number;
  isMasked: boolean;
}

interface WorldOptions {
  readonly gate?: (command: Command) => Answer;
  readonly answer?: DialAnswer;
  readonly features?: readonly string[];
  readonly isMasked?: boolean;
}

const agreed = (protocol: string): DialAnswer => ({
  head: {
    version: 1,
    status: 101,
    reason: '',
    fields: [{ name: 'x-stream-protocol-version', value: protocol }],
  },
  body: new Uint8Array(0),
});

function makeWorld(options: WorldOptions = {}): World {
  const { gate = testPermit, answer = agreed('portforward.k8s.io') } = options;
  const { features = ['port-forward'] } = options;
  const client: string[] = [];
  const target: string[] = [];
  const readers = [new SpdyReader(noting(client)), new SpdyReader(noting(target))];
  const { context } = makeAuthorization({ address: { host: 'api', port: 1 } });
  const stream = { push: (bytes: Uint8Array) => bytes, end: () => new Uint8Array(0) };
  const content = { hint: () => 0, cell: () => undefined, stream: () => stream };
  const masks = {
    version: '0',
    empty: false,
    columns: [],
    get content() {
      return world.isMasked ? content : undefined;
    },
    column: () => undefined,
    without: (): Stages['masks'] => masks,
    replace: () => null,
  };
  const stages: Stages = {
    context: { ...context, features },
    gate: (command) => {
      world.commands.push(command);
      return gate(command);
    },
    sent: (permit) => world.sent.push(permit),
    exceeded: () => refuse('SP_LIMIT_EXCEEDED'),
    get epoch() {
      return world.epoch;
    },
    masks,
    tape: {
      data: () => undefined,
      judged: () => undefined,
      mark: () => undefined,
      commit: () => undefined,
      behind: false,
      whenReady: () => undefined,
    },
    factsMatter: true,
    hold: () => Promise.resolve(undefined),
    commandId: () => asId(`c${world.commands.length}`),
  };
  const world: World = {
    commands: [],
    dialled: [],
    client,
    target,
    sent: [],
    held: [],
    ended: [],
    epoch: 0,
    isMasked: options.isMasked ?? false,
    host: {
      stages,
      clock: systemClock,
      signal: new AbortController().signal,
      toClient: (bytes) => readers[0]?.push(bytes),
      toTarget: (bytes) => readers[1]?.push(bytes),
      record: () => undefined,
      hold: (isHeld) => world.held.push(isHeld),
      dial: (permit, asked) => {
        stages.sent(permit);
        world.dialled.push(asked);
        return Promise.resolve(answer);
      },
      end: (error) => world.ended.push(error),
    },
  };
  return world;
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const ports: PortRequest = {
  kind: 'portforward',
  namespace: 'app',
  pod: 'web',
  container: '',
  ports: [],
};

/** A client of `port-forward`, and its connections. */
function forwarding(world: World) {
  const conversation = new PortConversation({
    host: world.host,
    request,
    asked: ports,
    carrier: plainCarrier,
  });
  const writer = new SpdyWriter();
  let next = 1;
  const open = (streamtype: string, port: string, requestid: string): number => {
    const stream = next;
    next += 2;
    const headers: [string, string][] = [
      ['streamtype', streamtype],
      ['port', port],
      ['requestid', requestid],
    ];
    conversation.fromClient(writer.open(stream, headers));
    return stream;
  };
  const connect = (port: number, id: string): { error: number; data: number } => ({
    error: open('error', String(port), id),
    data: open('data', String(port), id),
  });
  const send = (stream: number, text: string, fin = false): void =>
    conversation.fromClient(writer.data(stream, Buffer.from(text), fin));
  return { conversation, connect, open, send };
}

describe('port-forward', () => {
  it('opens streams at the target for a port that was allowed, and no sooner', async () => {
    const waiting = Promise.withResolvers<AllowedCommand>();
    const world = makeWorld({ gate: () => waiting.promise });
    const { connect, send, conversation } = forwarding(world);
    const { data } = connect(80, '0');
    send(data, 'early');
    await settled();
    assert.deepEqual([world.dialled.length, world.target], [0, []]);
    const [command] = world.commands;
    assert.ok(command);
    assert.equal(command.text, 'kubectl port-forward --namespace=app web :80');
    waiting.resolve(testPermit(command));
    await settled();
    assert.deepEqual(
      world.dialled.map(({ method, upgrade }) => `${method} ${upgrade}`),
      ['POST SPDY/3.1'],
    );
    assert.deepEqual(world.target, ['open 1 error 80', 'open 3 data 80', 'data 3 early']);
    const server = new SpdyWriter();
    conversation.fromTarget(server.data(3, Buffer.from('answer')));
    send(data, 'late', true);
    conversation.fromTarget(server.data(3, new Uint8Array(0), true));
    assert.deepEqual(world.client, [`data ${data} answer`, `fin ${data}`]);
    assert.deepEqual(world.target.slice(3), ['data 3 late', 'fin 3']);
  });

  it('judges each port once while the same rules are in force', async () => {
    const world = makeWorld();
    const { connect } = forwarding(world);
    for (const [port, id] of [
      [80, '0'],
      [80, '1'],
      [81, '2'],
    ] as const) {
      connect(port, id);
      await settled();
    }
    assert.equal(world.dialled.length, 1);
    assert.equal(world.commands.length, 2);
    world.epoch = 1;
    connect(80, '3');
    await settled();
    assert.equal(world.commands.length, 3);
    assert.deepEqual(
      world.sent.map(({ command }) => command),
      world.commands,
    );
    assert.equal(world.target.filter((line) => line.startsWith('open')).length, 8);
  });

  it('says why not, on the stream for errors, and asks again the next time', async () => {
    const world = makeWorld({ gate: () => refuse('SP_POLICY_DENIED', 'not that one') });
    const { connect, send } = forwarding(world);
    const { error, data } = connect(80, '0');
    await settled();
    assert.equal(world.client.length, 3);
    assert.match(world.client[0] ?? '', new RegExp(`data ${error} .*not that one`));
    assert.deepEqual(world.client.slice(1), [`fin ${error}`, `reset ${data}`]);
    send(data, 'what was under way');
    connect(80, '1');
    await settled();
    assert.equal(world.commands.length, 2);
    assert.deepEqual([world.dialled, world.target], [[], []]);
  });

  it('asks no rule where the grant lacks the port, or a mask could not be put on it', async () => {
    for (const options of [{ features: ['port-forward:80'] }, { isMasked: true }]) {
      const world = makeWorld(options);
      forwarding(world).connect(81, '0');
      await settled();
      assert.match(world.client[0] ?? '', /sallyport: /);
      assert.deepEqual([world.commands, world.dialled], [[], []]);
    }
  });

  it('ends for streams that are none of a port, and refuses too many', async () => {
    const world = makeWorld();
    const { open, connect } = forwarding(world);
    for (const [type, port, id] of [
      ['stdin', '80', '0'],
      ['data', '0', '0'],
      ['data', '65536', '0'],
      ['data', '80', ''],
    ] as const) {
      assert.throws(() => open(type, port, id), /malformed/);
    }
    open('data', '80', 'x');
    assert.throws(() => open('error', '81', 'x'), /malformed/);
    for (let at = 0; at < streamLimits.portConnectionsMax; at += 1) connect(80, String(at));
    await settled();
    assert.equal(world.client.filter((line) => line.startsWith('reset')).length, 2);
  });

  it('ends when a mask comes into force that could not be put on it', async () => {
    const world = makeWorld();
    const { connect, conversation } = forwarding(world);
    connect(80, '0');
    await settled();
    const answer = new SpdyWriter().data(3, Buffer.from('secret'));
    conversation.fromTarget(answer);
    world.isMasked = true;
    assert.throws(() => conversation.fromTarget(answer), /cannot be masked soundly/);
    assert.equal(world.client.length, 1);
  });

  it('ends in an error of ours for whatever else comes, and asks the target for nothing', () => {
    const session = ((): Uint8Array => {
      const writer = new SpdyWriter();
      const headers = (type: string): [string, string][] => [
        ['streamtype', type],
        ['port', '80'],
        ['requestid', '0'],
      ];
      return Buffer.concat([
        writer.open(1, headers('error')),
        writer.open(3, headers('data')),
        writer.data(3, Buffer.from('GET / HTTP/1.1')),
        writer.data(1, new Uint8Array(0), true),
        writer.reset(3, 5),
      ]);
    })();
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(), (noise, at) => {
        const world = makeWorld({ gate: () => refuse('SP_POLICY_DENIED') });
        const bytes = Uint8Array.from(session);
        bytes.set(noise.subarray(0, bytes.length - (at % bytes.length)), at % bytes.length);
        try {
          forwarding(world).conversation.fromClient(bytes);
        } catch (thrown) {
          assert.ok(thrown instanceof GatewayError, String(thrown));
        }
        assert.deepEqual([world.dialled, world.target], [[], []]);
      }),
      { numRuns: 500 },
    );
  });

  it('holds the client back while what it sends has to wait', async () => {
    const waiting = Promise.withResolvers<AllowedCommand>();
    const world = makeWorld({ gate: () => waiting.promise });
    const { connect, send } = forwarding(world);
    const { data } = connect(80, '0');
    send(data, 'x'.repeat(streamLimits.earlyBytesMax));
    assert.deepEqual(world.held, [true]);
    const [command] = world.commands;
    assert.ok(command);
    waiting.resolve(testPermit(command));
    await settled();
    assert.equal(world.held.at(-1), false);
  });

  it('tells what the target says when it says no', async () => {
    const body = Buffer.from('{"status":"Failure","message":"pods \\"web\\" not found"}');
    const head = { version: 1, status: 404, reason: '', fields: [] } as const;
    const world = makeWorld({ answer: { head, body } });
    const { error } = forwarding(world).connect(80, '0');
    await settled();
    assert.equal(world.client[0], `data ${error} pods "web" not found`);
    assert.deepEqual(world.ended, [undefined]);
  });
});

const program: ProgramRequest = {
  kind: 'exec',
  namespace: 'app',
  pod: 'web',
  container: '',
  argv: ['cat'],
  io: { stdin: true, stdout: true, stderr: true, tty: false },
};

/** A client of `exec` over SPDY: streams 1 error, 3 stdin, 5 stdout, 7 stderr. */
function executing(world: World, asked: ProgramRequest = program) {
  const conversation = new ProgramConversation({
    host: world.host,
    request: { ...request, path: '/api/v1/namespaces/app/pods/web/exec' },
    asked,
    client: (events, send) => new SpdyClientStreams(asked.io, events, send),
  });
  const writer = new SpdyWriter();
  for (const [at, name] of ['error', 'stdin', 'stdout', 'stderr'].entries()) {
    conversation.fromClient(writer.open(2 * at + 1, [['streamtype', name]]));
  }
  return { conversation, writer };
}

describe('exec', () => {
  it('starts nothing before the verdict, and then exactly what was judged', async () => {
    const waiting = Promise.withResolvers<AllowedCommand>();
    const world = makeWorld({ gate: () => waiting.promise, answer: agreed('v4.channel.k8s.io') });
    const { conversation, writer } = executing(world);
    conversation.fromClient(writer.data(3, Buffer.from('early'), true));
    await settled();
    assert.deepEqual([world.dialled, world.target], [[], []]);
    const [command] = world.commands;
    assert.ok(command);
    assert.equal(command.text, 'kubectl exec --namespace=app web --stdin -- cat');
    // The client asked by GET, as for WebSocket.
    assert.deepEqual(command.facts.verbs, ['create exec', 'cat']);
    waiting.resolve(testPermit(command));
    await settled();
    assert.equal(world.dialled[0]?.query, 'command=cat&stdin=true&stdout=true&stderr=true');
    assert.deepEqual(world.target.slice(-2), ['data 3 early', 'fin 3']);
    const server = new SpdyWriter();
    conversation.fromTarget(server.data(5, Buffer.from('early'), true));
    conversation.fromTarget(server.data(7, new Uint8Array(0), true));
    conversation.fromTarget(server.data(1, Buffer.from('{"status":"Success"}'), true));
    assert.deepEqual(world.client, [
      'data 5 early',
      'fin 5',
      'fin 7',
      'data 1 {"metadata":{},"status":"Success"}',
      'fin 1',
    ]);
  });

  it('is refused in words and by an exit status, before anybody is asked where a right lacks', () => {
    for (const [asked, why, commands] of [
      [program, /not that/, 1],
      [{ ...program, argv: ['sh'] }, /interactive shell/, 0],
      [{ ...program, io: { ...program.io, tty: true } }, /a terminal/, 0],
      [{ ...program, kind: 'attach' }, /to attach/, 0],
    ] as const) {
      const world = makeWorld({ gate: () => refuse('SP_POLICY_DENIED', 'not that') });
      const { conversation, writer } = executing(world, asked);
      if (asked.io.tty) conversation.fromClient(writer.open(9, [['streamtype', 'resize']]));
      assert.match(world.client.join('\n'), why);
      assert.match(world.client.join('\n'), /"NonZeroExitCode".*"126"/);
      assert.deepEqual([world.commands.length, world.dialled, world.target], [commands, [], []]);
    }
  });

  it('fails, and is not taken for done, when the target goes in the middle', async () => {
    const world = makeWorld({ answer: agreed('v4.channel.k8s.io') });
    const { conversation } = executing(world);
    await settled();
    conversation.targetGone();
    assert.match(world.client.join('\n'), /"Failure".*connection to the target was lost/);
  });

  it('ends when the target speaks another protocol', async () => {
    const world = makeWorld({ answer: agreed('channel.k8s.io') });
    executing(world);
    await settled();
    assert.equal(world.ended[0]?.code, 'SP_TARGET_PROTOCOL');
    assert.deepEqual(world.target, []);
  });
});
