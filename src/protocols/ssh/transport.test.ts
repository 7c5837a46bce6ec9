/** Keys are renewed in time, under traffic, by either side; over sockets, on a clock of its own. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { FieldReader, FieldWriter } from '#core/ssh-fields.ts';
import { SocketWire } from '#wire/socket-wire.ts';
import { type ManualClock, manualClock } from '../../../test/support/clock.ts';
import { until } from '../../../test/support/until.ts';
import { sign, writePublicKey } from './codec/keys.ts';
import { readData } from './codec/messages.ts';
import { SshTransport } from './transport.ts';

const ED25519 = 'ssh-ed25519';
const MINUTE_MS = 60_000;
/** Longer than a key exchange may take. */
const TOO_LONG_MS = 31_000;

const hostKey = generateKeyPairSync('ed25519').privateKey;
const role = {
  hostKey: {
    type: ED25519,
    getPublicSSH: () => writePublicKey(hostKey),
    sign: (data: Uint8Array) => {
      const fields = new FieldReader(sign(hostKey, ED25519, data));
      fields.text();
      return fields.string();
    },
  },
};

/** One end of a connection, and what came of it. */
class End {
  readonly transport: SshTransport;
  readonly clock: ManualClock = manualClock();
  readonly received: Uint8Array[] = [];
  receivedBytes = 0;
  isReady = false;
  /** How it ended: a code, or in order. */
  readonly endings: string[] = [];

  constructor(wire: SocketWire, side: 'client' | 'server', keyBytesMax?: number) {
    const asked = { hostKeyAlgorithms: [ED25519], keyOf: (shown: Uint8Array) => shown };
    this.transport = new SshTransport(wire, side === 'server' ? role : asked, {
      clock: this.clock,
      ...(keyBytesMax === undefined ? {} : { keyBytesMax }),
    });
    this.transport.start({
      ready: () => (this.isReady = true),
      message: (payload) => {
        if (payload[0] !== 94) return;
        const { bytes } = readData(payload);
        this.received.push(bytes.slice());
        this.receivedBytes += bytes.length;
      },
      drained: () => undefined,
      closed: (error) => void this.endings.push(error?.code ?? 'in order'),
    });
  }
}

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function connect(keyBytesMax?: number): Promise<{ client: End; server: End }> {
  const accepted: SocketWire[] = [];
  const listener = createServer({ pauseOnConnect: true }, (socket) => {
    const wire = SocketWire.accept(socket);
    if (wire !== undefined) accepted.push(wire);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const address = listener.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const dialled = await SocketWire.dial({ host: '127.0.0.1', port }, new AbortController().signal);
  await until(() => accepted.length > 0);
  const [wire] = accepted;
  assert.ok(wire !== undefined);
  closing.push(
    () => dialled.destroy(),
    () => wire.destroy(),
    () => listener.close(),
  );
  const client = new End(dialled, 'client', keyBytesMax);
  const server = new End(wire, 'server');
  await until(() => client.isReady && server.isReady);
  return { client, server };
}

/** KEXINIT of a client, sent by hand. */
function offer(): Uint8Array {
  const writer = new FieldWriter().byte(20).raw(randomBytes(16));
  const [cipher, mac] = ['aes128-ctr', 'hmac-sha2-256'];
  const lists = ['curve25519-sha256', ED25519, cipher, cipher, mac, mac, 'none', 'none', '', ''];
  for (const list of lists) writer.text(list);
  return writer.bool(false).uint32(0).done();
}

describe('the keys of a connection', () => {
  it('are renewed after an hour, by either side, and data goes on', async () => {
    const { client, server } = await connect();
    const { sessionId } = client.transport;
    const sent: Buffer[] = [];
    for (const end of [client, server, client]) {
      end.clock.advance(60 * MINUTE_MS);
      // While keys are exchanged data waits, and comes in order behind what was sent before.
      for (let count = 0; count < 20; count += 1) {
        const bytes = randomBytes(20_000);
        sent.push(bytes);
        client.transport.sendData(1, bytes, false);
        server.transport.sendData(1, bytes, false);
      }
      const wanted = Buffer.concat(sent);
      for (const receiver of [client, server]) {
        await until(() => receiver.receivedBytes === wanted.length);
        assert.ok(Buffer.concat(receiver.received).equals(wanted));
      }
      end.clock.advance(TOO_LONG_MS);
      assert.deepEqual(end.endings, []);
    }
    assert.deepEqual(client.transport.sessionId, sessionId);
  });

  it('are asked for again neither early nor late', async () => {
    const { client, server } = await connect();
    // A peer that reads no more answers no exchange, which is how one shows.
    server.transport.pause();
    client.clock.advance(59 * MINUTE_MS);
    assert.deepEqual(client.endings, []);
    client.clock.advance(MINUTE_MS + TOO_LONG_MS);
    assert.deepEqual(client.endings, ['SP_PROTOCOL']);
  });

  it('hold what is sent while a peer asks for new ones and stops, and not for long', async () => {
    const { client, server } = await connect();
    client.transport.pause();
    client.transport.sendData(1, Buffer.alloc(1), false);
    client.transport.send(offer());
    await until(() => server.receivedBytes === 1);
    await new Promise((resolve) => setImmediate(resolve));
    for (let count = 0; count < 40; count += 1) {
      server.transport.sendData(1, Buffer.alloc(32_768), false);
    }
    // The kernel would have taken as much as this at once.
    for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(server.transport.mustDrain());
    assert.deepEqual(server.endings, []);
    server.clock.advance(TOO_LONG_MS);
    assert.deepEqual(server.endings, ['SP_PROTOCOL']);
  });

  it('are renewed after so much data, and not before', async () => {
    const { client, server } = await connect(100_000);
    client.transport.sendData(1, Buffer.alloc(30_000), false);
    await until(() => server.receivedBytes === 30_000);
    server.transport.pause();
    client.transport.sendData(1, Buffer.alloc(30_000), false);
    client.clock.advance(TOO_LONG_MS);
    assert.deepEqual(client.endings, []);
    client.transport.sendData(1, Buffer.alloc(30_000), false);
    client.transport.sendData(1, Buffer.alloc(30_000), false);
    client.clock.advance(TOO_LONG_MS);
    assert.deepEqual(client.endings, ['SP_PROTOCOL']);
  });

  it('are renewed again and again in the middle of bulk', async () => {
    const { client, server } = await connect(100_000);
    const bytes = randomBytes(32_000);
    for (let count = 0; count < 60; count += 1) {
      client.transport.sendData(1, bytes, false);
      server.transport.sendData(2, bytes, true);
      server.transport.sendData(2, bytes, false);
      if (count % 10 === 9) await until(() => client.receivedBytes === (count + 1) * 32_000);
    }
    await until(() => server.receivedBytes === 60 * 32_000);
    for (const each of [...client.received, ...server.received]) assert.ok(bytes.equals(each));
    assert.deepEqual(client.endings, []);
  });
});
