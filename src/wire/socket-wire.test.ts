import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { connect as connectTls } from 'node:tls';
import type { TlsServerOptions, WireSink } from '#core/wire.ts';
import { makeAuthority } from '../../test/support/certificates.ts';
import { until } from '../../test/support/until.ts';
import { SocketWire } from './socket-wire.ts';
import { checkServerTls } from './tls.ts';

const never = new AbortController().signal;
const silent: WireSink = { data() {}, drained() {}, ended() {}, closed() {} };

/** A listener on loopback that hands each connection over as a wire. */
class Rig {
  readonly server: Server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
  readonly #waiting: ((wire: SocketWire) => void)[] = [];
  readonly wires: SocketWire[] = [];

  async open(): Promise<void> {
    this.server.on('connection', (socket) => {
      const wire = SocketWire.accept(socket);
      if (wire === undefined) return;
      this.wires.push(wire);
      this.#waiting.shift()?.(wire);
    });
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
  }

  get port(): number {
    const address = this.server.address();
    assert.ok(typeof address === 'object' && address !== null);
    return address.port;
  }

  async pair(): Promise<{ readonly near: Socket; readonly wire: SocketWire }> {
    const arrived = new Promise<SocketWire>((resolve) => this.#waiting.push(resolve));
    const near = connect({ host: '127.0.0.1', port: this.port, allowHalfOpen: true });
    near.on('error', () => {});
    return { near, wire: await arrived };
  }

  async close(): Promise<void> {
    for (const wire of this.wires) wire.destroy();
    this.server.close();
    await once(this.server, 'close');
  }
}

/** Everything that a wire tells, in order. */
function recorder(wire: SocketWire): { readonly told: string[]; readonly closed: Promise<void> } {
  const told: string[] = [];
  const closed = new Promise<void>((resolve) => {
    wire.attach({
      data: (chunk) => told.push(`data ${Buffer.from(chunk).toString('latin1')}`),
      drained: () => told.push('drained'),
      ended: () => told.push('ended'),
      closed: (error) => {
        told.push(error === undefined ? 'closed' : `closed ${error.message}`);
        resolve();
      },
    });
  });
  return { told, closed };
}

const rig = new Rig();
before(() => rig.open());
after(() => rig.close());

describe('a wire over TCP', () => {
  it('hands over what arrives, and tells the end and the close', async () => {
    const { near, wire } = await rig.pair();
    const { told, closed } = recorder(wire);
    near.end('hello');
    near.once('end', () => near.destroy());
    near.resume();
    await once(near, 'finish');
    await until(() => told.includes('ended'));
    assert.equal(wire.write(Buffer.from('still open this way')), true);
    wire.end();
    await closed;
    assert.deepEqual(told, ['data hello', 'ended', 'closed']);
  });

  it('lets its server close when its wires are gone', async () => {
    const own = new Rig();
    await own.open();
    const { wire } = await own.pair();
    wire.attach(silent);
    await own.close();
  });

  it('hands over nothing while it is paused, even when resumed and paused in one tick', async () => {
    const { near, wire } = await rig.pair();
    const { told } = recorder(wire);
    wire.pause();
    near.write('late');
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.deepEqual(told, []);
    wire.resume();
    await until(() => told.length > 0);
    assert.deepEqual(told, ['data late']);
    near.destroy();
  });

  it('gives bytes that were given back to the next sink first', async () => {
    const { near, wire } = await rig.pair();
    near.write('PROXY\nhello');
    await new Promise<void>((resolve) => {
      wire.attach({
        ...silent,
        data(chunk) {
          wire.pause();
          wire.unread(chunk.subarray(6));
          resolve();
        },
      });
    });
    near.write(' again');
    const { told } = recorder(wire);
    await until(() => told.length === 2);
    assert.deepEqual(told, ['data hello', 'data  again']);
    near.destroy();
  });

  it('tells a sink that comes late that the connection is gone', async () => {
    const { near, wire } = await rig.pair();
    const first = recorder(wire);
    near.resetAndDestroy();
    await first.closed;
    const second = recorder(wire);
    await second.closed;
    assert.match(second.told.at(-1) ?? '', /^closed .*ECONNRESET/);
  });

  it('ends the connection, and no other, when its sink throws', async () => {
    const { near, wire } = await rig.pair();
    const other = await rig.pair();
    const closed = new Promise<Error | undefined>((resolve) => {
      wire.attach({
        ...silent,
        data() {
          throw new Error('bug');
        },
        closed: resolve,
      });
    });
    near.write('x');
    assert.match(String(await closed), /bug/);
    const { told } = recorder(other.wire);
    other.near.write('fine');
    await until(() => told.length > 0);
    other.near.destroy();
  });

  it('holds what the kernel does not take, says so, and then says that it is out', async () => {
    const { near, wire } = await rig.pair();
    const { told } = recorder(wire);
    const block = Buffer.alloc(1024 * 1024, 7);
    let sent = 0;
    let taken = true;
    while (taken) {
      taken = wire.write(block);
      sent += block.length;
      assert.ok(sent < 100 * block.length, 'the kernel takes for ever');
    }
    assert.ok(wire.pendingBytes > 0);
    let received = 0;
    near.on('data', (chunk: Buffer) => {
      received += chunk.length;
    });
    await until(() => received === sent);
    await until(() => told.includes('drained'));
    assert.equal(wire.pendingBytes, 0);
    assert.equal(wire.write(Buffer.from('small')), true);
    near.destroy();
  });

  it('refuses to outlive its signal while it dials', async () => {
    const controller = new AbortController();
    const dialled = SocketWire.dial({ host: '127.0.0.1', port: rig.port }, controller.signal);
    controller.abort(new Error('too late'));
    await assert.rejects(dialled, /too late/);
    await assert.rejects(SocketWire.dial({ host: '127.0.0.1', port: 1 }, never), /ECONNREFUSED/);
  });
});

describe('forwarding from private buffers', () => {
  it('gives 12 slow readers at once exactly the bytes of their source', async () => {
    const source = randomBytes(8 * 1024 * 1024);
    const origin = createServer((socket) => {
      socket.on('error', () => {});
      // Chunks of odd sizes, so that reads fill the buffer at odd places.
      let at = 0;
      const more = (): void => {
        while (at < source.length) {
          const size = 1 + Math.floor(Math.random() * 300_000);
          const piece = source.subarray(at, at + size);
          at += size;
          if (!socket.write(piece)) return void socket.once('drain', more);
        }
        socket.end();
      };
      more();
    });
    origin.listen(0, '127.0.0.1');
    await once(origin, 'listening');
    const address = origin.address();
    assert.ok(typeof address === 'object' && address !== null);
    const { port } = address;
    const wanted = createHash('sha256').update(source).digest('hex');
    let pauses = 0;
    const readers = Array.from({ length: 12 }, async () => {
      const { near, wire } = await rig.pair();
      const upstream = await SocketWire.dial({ host: '127.0.0.1', port }, never);
      forwardBoth(upstream, wire, () => {
        pauses += 1;
      });
      return slowHash(near);
    });
    assert.deepEqual(
      await Promise.all(readers),
      Array.from({ length: 12 }, () => wanted),
    );
    assert.ok(pauses > 12, 'the readers were not slow enough to hold anything up');
    origin.close();
  });
});

/** Copies both ways as the relay does: one write a read, and the reader waits for the writer. */
function forwardBoth(upstream: SocketWire, downstream: SocketWire, paused: () => void): void {
  const link = (from: SocketWire, to: SocketWire): WireSink => ({
    data(chunk) {
      if (to.write(chunk)) return;
      paused();
      from.pause();
    },
    // Told by `from` of what was written to it, which the other side sent.
    drained: () => to.resume(),
    ended: () => to.end(),
    closed: () => to.destroy(),
  });
  upstream.attach(link(upstream, downstream));
  downstream.attach(link(downstream, upstream));
}

/** Reads pieces of random size, with pauses, and gives the hash of all. */
async function slowHash(socket: Socket): Promise<string> {
  const hash = createHash('sha256');
  for (;;) {
    const size = Math.min(1 + Math.floor(Math.random() * 60_000), socket.readableLength);
    const piece: unknown = size === 0 ? null : socket.read(size);
    if (piece instanceof Uint8Array) hash.update(piece);
    else if (socket.readableEnded || socket.destroyed) return hash.digest('hex');
    else socket.read(0);
    await new Promise((resolve) => setTimeout(resolve, Math.random() < 0.2 ? 2 : 0));
  }
}

describe('TLS on a wire', () => {
  const authority = makeAuthority();
  const issued = authority.issue(['localhost', '127.0.0.1']);
  const server: TlsServerOptions = {
    certificate: issued.certificate,
    key: issued.key,
    alpn: ['postgresql'],
    clientCa: undefined,
  };
  const client = {
    serverName: 'localhost',
    verify: 'full',
    ca: authority.certificate,
    certificate: undefined,
    key: undefined,
    alpn: ['postgresql'],
  } as const;

  /** Both ends of one connection as wires. */
  async function ends(): Promise<{ readonly down: SocketWire; readonly up: SocketWire }> {
    const up = await SocketWire.dial({ host: '127.0.0.1', port: rig.port }, never);
    const isOther = (wire: SocketWire): boolean => wire.peer.port === up.local.port;
    await until(() => rig.wires.some(isOther));
    const down = rig.wires.find(isOther);
    assert.ok(down !== undefined);
    return { down, up };
  }

  it('is checked at start: a key of another certificate is no surprise later', () => {
    checkServerTls(server, 'listener');
    const other = authority.issue(['localhost']);
    for (const bad of [
      { ...server, key: other.key },
      { ...server, key: 'nonsense' },
      { ...server, certificate: '' },
      { ...server, clientCa: 'nonsense' },
    ]) {
      assert.throws(() => checkServerTls(bad, "listener 'pg'"), /listener 'pg': TLS: /);
    }
  });

  it('starts in mid-stream, verifies, and binds both ends to the certificate', async () => {
    const { down, up } = await ends();
    const request = new Promise<void>((resolve) => {
      down.attach({
        ...silent,
        data() {
          down.pause();
          resolve();
        },
      });
    });
    up.write(Buffer.from('SSLRequest'));
    await request;
    down.write(Buffer.from('S'));
    await new Promise<void>((resolve) => {
      up.attach({
        ...silent,
        data() {
          up.pause();
          resolve();
        },
      });
    });
    await Promise.all([down.upgradeServer(server, never), up.upgradeClient(client, never)]);
    assert.equal(down.security?.protocol, 'TLSv1.3');
    assert.equal(down.security.alpn, 'postgresql');
    assert.equal(down.security.serverName, 'localhost');
    const expected = createHash('sha256').update(issued.der).digest();
    assert.deepEqual(Buffer.from(up.security?.serverEndPoint ?? []), expected);
    assert.deepEqual(Buffer.from(down.security.serverEndPoint ?? []), expected);
    assert.equal(up.security?.peerCertificate, expected.toString('hex'));
    const { told } = recorder(up);
    down.attach(silent);
    down.write(Buffer.from('over TLS'));
    await until(() => told.length > 0);
    assert.deepEqual(told, ['data over TLS']);
    const closed = recorder(down);
    up.end();
    await until(() => closed.told.includes('ended'));
    down.destroy();
  });

  it('carries every byte, also when the memory of a write is reused at once', async () => {
    const { down, up } = await ends();
    down.pause();
    await Promise.all([down.upgradeServer(server, never), up.upgradeClient(client, never)]);
    const wanted = createHash('sha256');
    const got = createHash('sha256');
    let received = 0;
    let drained = (): void => {};
    up.attach({ ...silent, drained: () => drained() });
    down.attach({
      ...silent,
      data(chunk) {
        got.update(chunk);
        received += chunk.length;
        // A slow reader, so that the kernel refuses more while TLS still has some to write.
        down.pause();
        setTimeout(() => down.resume(), 1);
      },
    });
    const scratch = Buffer.alloc(150_000);
    let sent = 0;
    for (let round = 0; round < 100; round += 1) {
      const size = 1 + Math.floor(Math.random() * scratch.length);
      randomBytes(size).copy(scratch);
      wanted.update(scratch.subarray(0, size));
      sent += size;
      const free = new Promise<void>((resolve) => {
        drained = resolve;
      });
      if (!up.write(scratch.subarray(0, size))) await free;
      scratch.fill(0);
    }
    await until(() => received === sent);
    assert.equal(got.digest('hex'), wanted.digest('hex'));
    up.destroy();
  });

  it('follows the signature of the certificate in what it binds to (RFC 5929)', async () => {
    const strong = authority.issue(['localhost'], { digest: 'sha512' });
    const { down, up } = await ends();
    await Promise.all([
      down.upgradeServer({ ...server, certificate: strong.certificate, key: strong.key }, never),
      up.upgradeClient(client, never),
    ]);
    const expected = createHash('sha512').update(strong.der).digest();
    assert.deepEqual(Buffer.from(up.security?.serverEndPoint ?? []), expected);
    up.destroy();
  });

  it('refuses a wrong name, an unknown authority and an expired certificate', async () => {
    const cases = [
      { shown: authority.issue(['elsewhere.example']), says: /does not match/ },
      { shown: makeAuthority().issue(['localhost']), says: /unable to verify|self.signed|issuer/ },
      { shown: authority.issue(['localhost'], { days: -1 }), says: /expired/ },
    ];
    for (const { shown, says } of cases) {
      const { down, up } = await ends();
      const offered = down.upgradeServer({ ...server, ...shown }, never).catch(() => {});
      await assert.rejects(up.upgradeClient(client, never), says);
      await offered;
      down.destroy();
    }
  });

  it('checks no name for verify-ca, but the authority still', async () => {
    const other = authority.issue(['elsewhere.example']);
    const { down, up } = await ends();
    const loose = { ...client, verify: 'ca' } as const;
    await Promise.all([
      down.upgradeServer({ ...server, ...other }, never),
      up.upgradeClient(loose, never),
    ]);
    up.destroy();
    const again = await ends();
    const foreign = makeAuthority().issue(['localhost']);
    const offered = again.down.upgradeServer({ ...server, ...foreign }, never).catch(() => {});
    await assert.rejects(again.up.upgradeClient(loose, never));
    await offered;
  });

  it('takes a client certificate of its authority and refuses another', async () => {
    const asking = { ...server, clientCa: authority.certificate };
    const good = authority.issue(['robot']);
    const { down, up } = await ends();
    await Promise.all([
      down.upgradeServer(asking, never),
      up.upgradeClient({ ...client, certificate: good.certificate, key: good.key }, never),
    ]);
    const print = createHash('sha256').update(good.der).digest('hex');
    assert.equal(down.security?.peerCertificate, print);
    up.destroy();
    const bad = makeAuthority().issue(['robot']);
    const again = await ends();
    const offered = again.up
      .upgradeClient({ ...client, certificate: bad.certificate, key: bad.key }, never)
      .catch(() => {});
    await assert.rejects(again.down.upgradeServer(asking, never), /does not verify/);
    await offered;
  });

  it('refuses bytes that came before TLS', async () => {
    const { near, wire } = await rig.pair();
    near.write('SSLRequest');
    await new Promise<void>((resolve) => {
      wire.attach({
        ...silent,
        data(chunk) {
          wire.pause();
          wire.unread(chunk.subarray(8));
          resolve();
        },
      });
    });
    await assert.rejects(wire.upgradeServer(server, never), /before TLS/);
    const { closed } = recorder(wire);
    await closed;
    near.destroy();
  });

  it('starts from the first byte, with what was read of the hello', async () => {
    const { near, wire } = await rig.pair();
    const ready = new Promise<void>((resolve, reject) => {
      wire.attach({
        ...silent,
        data(chunk) {
          wire.pause();
          assert.equal(chunk[0], 0x16);
          wire.upgradeServer(server, never, chunk).then(resolve, reject);
        },
      });
    });
    const secure = connectTls({
      socket: near,
      ca: authority.certificate,
      servername: 'localhost',
      ALPNProtocols: ['postgresql'],
    });
    await Promise.all([ready, once(secure, 'secureConnect')]);
    const { told } = recorder(wire);
    secure.write('direct');
    await until(() => told.length > 0);
    assert.deepEqual(told, ['data direct']);
    secure.destroy();
  });

  it('fails on a hello that is none, on TLS 1.1, and when its signal says so', async () => {
    const { near, wire } = await rig.pair();
    const refused = wire.upgradeServer(server, never);
    near.write('GET / HTTP/1.1\r\n\r\n');
    await assert.rejects(refused);
    const old = await rig.pair();
    const tooOld = old.wire.upgradeServer(server, never);
    const secure = connectTls({
      socket: old.near,
      ca: authority.certificate,
      minVersion: 'TLSv1.1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    });
    secure.on('error', () => {});
    await assert.rejects(tooOld);
    const slow = await rig.pair();
    const controller = new AbortController();
    const waiting = slow.wire.upgradeServer(server, controller.signal);
    controller.abort(new Error('login took too long'));
    await assert.rejects(waiting, /too long/);
    for (const socket of [near, old.near, slow.near]) socket.destroy();
  });
});
