import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { GatewayError } from '#core/errors.ts';
import { defaultLimits } from '#core/limits.ts';
import type { SocketWire } from '#wire/socket-wire.ts';
import { manualClock } from '../../test/support/clock.ts';
import { until } from '../../test/support/until.ts';
import { Listener, type ListenerOptions, type Stranger } from './listener.ts';
import { Strangers } from './strangers.ts';

interface Served {
  readonly wire: SocketWire;
  readonly stranger: Stranger;
  readonly signal: AbortSignal;
  readonly finish: (failure?: Error) => void;
  /** What came from the client so far. */
  readonly seen: () => string;
}

const clock = manualClock();
const open: Listener[] = [];
afterEach(async () => {
  const closing = open.splice(0).map((listener) => listener.drain(0));
  await Promise.resolve();
  clock.advance(10_000);
  await Promise.all(closing);
});

/** A listener whose connections are served until the test says so. */
async function rig(changes: Partial<ListenerOptions> = {}) {
  const served: Served[] = [];
  const reports: { readonly code: string; readonly detail: string }[] = [];
  const limits = changes.limits ?? defaultLimits;
  const strangers = new Strangers(limits);
  const listener = await Listener.open({
    name: 'tests',
    host: '127.0.0.1',
    port: 0,
    proxies: [],
    limits,
    clock,
    strangers,
    serve: (wire, stranger, signal) =>
      new Promise((resolve, reject) => {
        let seen = '';
        wire.attach({
          data: (chunk) => {
            seen += Buffer.from(chunk).toString();
          },
          drained() {},
          ended() {},
          closed() {},
        });
        const finish = (failure?: Error): void =>
          failure === undefined ? resolve() : reject(failure);
        served.push({ wire, stranger, signal, finish, seen: () => seen });
      }),
    report: (code, detail) => void reports.push({ code, detail }),
    ...changes,
  });
  open.push(listener);
  return { listener, served, reports, strangers };
}

async function dial(listener: Listener): Promise<Socket> {
  const socket = connect(listener.address.port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    socket.resume();
    socket.once('close', () => resolve());
  });

describe('a listener', () => {
  it('serves each connection, and closes it when it has been served', async () => {
    const { listener, served, strangers } = await rig();
    const socket = await dial(listener);
    await until(() => served.length === 1);
    assert.equal(listener.size, 1);
    assert.equal(strangers.size, 1);
    assert.equal(served[0]?.wire.peer.address, '127.0.0.1');
    let seen = '';
    socket.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
    });
    served[0].wire.write(Buffer.from('last words'));
    served[0].finish();
    await closed(socket);
    assert.equal(seen, 'last words');
    await until(() => listener.size === 0);
    assert.equal(strangers.size, 0);
  });

  it('says in plain words what is wrong with an address', async () => {
    const { listener } = await rig();
    const at = (host: string, port: number): Promise<unknown> => rig({ host, port });
    await assert.rejects(
      at('127.0.0.1', listener.address.port),
      /listener "tests": 127.0.0.1:\d+ is taken by another process/,
    );
    await assert.rejects(at('203.0.113.1', 0), /is not an address of this machine/);
    await assert.rejects(rig({ proxies: ['10.0.0.0/99'] }), /10.0.0.0\/99 is not an address/);
    await assert.rejects(rig({ proxies: ['balancer'] }), GatewayError);
  });

  it('goes on when serving a connection fails, and tells the operator', async () => {
    const { listener, served, reports } = await rig();
    const [one, two] = [await dial(listener), await dial(listener)];
    await until(() => served.length === 2);
    served[0]?.finish(new Error('a bug'));
    await closed(one);
    assert.deepEqual(reports, [{ code: 'SP_INTERNAL', detail: 'internal error: a bug' }]);
    assert.equal(two.destroyed, false);
    await dial(listener);
    await until(() => served.length === 3);
  });

  it('gives a stranger a deadline, which an admitted connection no longer has', async () => {
    const { listener, served, strangers } = await rig();
    const [slow, friend] = [await dial(listener), await dial(listener)];
    await until(() => served.length === 2);
    // Connections are accepted in the order in which they were made.
    served[1]?.stranger.admitted();
    assert.equal(strangers.size, 1);
    clock.advance(defaultLimits.loginMsMax);
    const reason: unknown = served[0]?.signal.reason;
    assert.ok(reason instanceof GatewayError && reason.code === 'SP_LOGIN_TIMEOUT');
    assert.equal(slow.destroyed, false);
    // It does not end by itself, so it is ended.
    clock.advance(1_000);
    await closed(slow);
    clock.advance(3_600_000);
    assert.equal(served[1]?.signal.aborted, false);
    assert.equal(friend.destroyed, false);
  });

  it('gives a stranger a budget of bytes, which an admitted connection no longer has', async () => {
    const { listener, served } = await rig();
    await dial(listener);
    await until(() => served.length === 1);
    const stranger = served[0]?.stranger;
    stranger?.spend(defaultLimits.strangerBytesMax);
    assert.throws(() => stranger?.spend(1), /too many bytes before login/);
    stranger?.admitted();
    stranger?.spend(1_000_000_000);
  });

  it('refuses strangers above the bound of an address and of the process', async () => {
    const limits = { ...defaultLimits, strangersPerAddressMax: 2 };
    const { listener, served, reports } = await rig({ limits });
    await dial(listener);
    await dial(listener);
    await closed(await dial(listener));
    assert.equal(served.length, 2);
    assert.equal(reports[0]?.code, 'SP_TOO_MANY');
    served[0]?.stranger.admitted();
    await dial(listener);
    await until(() => served.length === 3);
    const few = await rig({ limits: { ...defaultLimits, strangersMax: 1 } });
    await dial(few.listener);
    await closed(await dial(few.listener));
    // A flood of refusals is told once a second.
    await closed(await dial(few.listener));
    assert.equal(few.reports.length, 1);
  });

  it('counts a /64 of IPv6 as one address', () => {
    const strangers = new Strangers({ strangersMax: 9, strangersPerAddressMax: 1 });
    const leave = strangers.enter('2001:db8::1');
    assert.ok(leave !== undefined);
    assert.equal(strangers.enter('2001:db8:0:0:ffff::2'), undefined);
    assert.ok(strangers.enter('2001:db8:0:1::1') !== undefined);
    assert.ok(strangers.enter('::1') !== undefined);
    leave();
    leave();
    assert.equal(strangers.size, 2);
    assert.ok(strangers.enter('2001:db8::2') !== undefined);
  });

  it('drains: accepts nobody, waits for who is there, then ends them', async () => {
    const { listener, served } = await rig();
    const [first, second] = [await dial(listener), await dial(listener)];
    await until(() => served.length === 2);
    let isDrained = false;
    const drained = listener.drain(5_000).then(() => {
      isDrained = true;
    });
    const late = connect(listener.address.port, '127.0.0.1');
    await once(late, 'error');
    served[0]?.finish();
    await closed(first);
    assert.equal(isDrained, false);
    clock.advance(5_000);
    const reason: unknown = served[1]?.signal.reason;
    assert.ok(reason instanceof GatewayError && reason.code === 'SP_DRAINING');
    served[1]?.finish();
    await closed(second);
    await drained;
  });
});

describe('a listener behind a balancer', () => {
  it('believes a listed peer, and hands over what came behind the header', async () => {
    const { listener, served } = await rig({ proxies: ['127.0.0.0/8'] });
    const socket = await dial(listener);
    socket.write('PROXY TCP4 203.0.113.7 198.51.100.1 56324 443\r\nhello');
    await until(() => served.length === 1);
    assert.deepEqual(served[0]?.wire.peer, { address: '203.0.113.7', port: 56324 });
    await until(() => served[0]?.seen() === 'hello');
  });

  it('demands the header of a listed peer, and counts clients by what it says', async () => {
    const limits = { ...defaultLimits, strangersPerAddressMax: 1 };
    const { listener, served, reports } = await rig({ proxies: ['127.0.0.1'], limits });
    const plain = await dial(listener);
    plain.write('\x00\x00\x00\x08\x04\xd2\x16\x2f');
    await closed(plain);
    assert.equal(reports.at(-1)?.code, 'SP_FRAME_MALFORMED');
    for (const [address, count] of [
      ['203.0.113.7', 1],
      ['203.0.113.8', 2],
    ] as const) {
      const socket = await dial(listener);
      socket.write(`PROXY TCP4 ${address} 198.51.100.1 56324 443\r\n`);
      await until(() => served.length === count);
    }
    const third = await dial(listener);
    third.write('PROXY TCP4 203.0.113.8 198.51.100.1 56325 443\r\n');
    await closed(third);
    assert.equal(reports.at(-1)?.code, 'SP_TOO_MANY');
    assert.equal(served.length, 2);
  });

  it('does not wait for a header for ever', async () => {
    const { listener, served, reports } = await rig({ proxies: ['127.0.0.1'] });
    const socket = await dial(listener);
    socket.write('PROXY TCP4 ');
    await until(() => listener.size === 1);
    clock.advance(defaultLimits.loginMsMax);
    await closed(socket);
    assert.equal(served.length, 0);
    assert.equal(reports.at(-1)?.code, 'SP_LOGIN_TIMEOUT');
  });
});
