/**
 * SSH peers without opinions, for tests: a client, or a host, that sends exactly the messages it is
 * given and keeps exactly what comes back. Both prove who they are; everything after is the test's.
 */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createServer, type Server } from 'node:net';
import { systemClock } from '#core/clock.ts';
import { FieldReader, FieldWriter } from '#core/ssh-fields.ts';
import { sign, writePublicKey } from '#protocols/ssh/codec/keys.ts';
import { message, typeOf } from '#protocols/ssh/codec/messages.ts';
import { type ClientRole, type ServerRole, SshTransport } from '#protocols/ssh/transport.ts';
import { SocketWire } from '#wire/socket-wire.ts';

const ED25519 = 'ssh-ed25519';

/** One side of a connection above the transport. */
export class RawPeer {
  readonly transport: SshTransport;
  /** Everything that came and was not taken, in order. */
  readonly received: Uint8Array[] = [];
  /** The connection is gone. */
  isClosed = false;
  #wake: () => void = () => undefined;

  constructor(wire: SocketWire, role: ClientRole | ServerRole) {
    this.transport = new SshTransport(wire, role, { clock: systemClock });
  }

  /** Agrees on keys. */
  async start(): Promise<void> {
    let isReady = false;
    this.transport.start({
      ready: () => {
        isReady = true;
        this.#wake();
      },
      message: (payload) => {
        this.received.push(Uint8Array.from(payload));
        this.#wake();
      },
      drained: () => undefined,
      closed: () => {
        this.isClosed = true;
        this.#wake();
      },
    });
    await this.until(() => isReady || this.isClosed);
  }

  /** Waits for something that a message, or the end, makes true. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  send(payload: Uint8Array): void {
    this.transport.send(payload);
  }

  /** The next message of one of these numbers; what came before it is forgotten. */
  async take(...types: readonly number[]): Promise<Uint8Array> {
    for (;;) {
      const next = this.received.shift();
      if (next !== undefined && types.includes(typeOf(next))) return next;
      if (next !== undefined) continue;
      if (this.isClosed) throw new Error(`the connection ended before message ${types.join()}`);
      await this.until(() => this.received.length > 0 || this.isClosed);
    }
  }

  /** Waits until the other side has ended the connection. */
  ended(): Promise<void> {
    return this.until(() => this.isClosed);
  }

  close(): void {
    this.transport.wire.destroy();
  }
}

/** Logs in with a password. */
export async function rawClient(port: number, user: string, secret: string): Promise<RawPeer> {
  const wire = await SocketWire.dial({ host: '127.0.0.1', port }, new AbortController().signal);
  const peer = new RawPeer(wire, { hostKeyAlgorithms: [ED25519], keyOf: (shown) => shown });
  await peer.start();
  peer.send(new FieldWriter().byte(message.serviceRequest).text('ssh-userauth').done());
  await peer.take(message.serviceAccept);
  const request = new FieldWriter()
    .byte(message.authRequest)
    .text(user)
    .text('ssh-connection')
    .text('password')
    .bool(false)
    .text(secret);
  peer.send(request.done());
  await peer.take(message.authSuccess);
  return peer;
}

/** A host that lets everybody in. */
export interface RawHost {
  readonly port: number;
  /** Its public key, as the settings of a target pin it. */
  readonly hostKey: string;
  /** The next connection that logged in. */
  accept(): Promise<RawPeer>;
  stop(): void;
}

export async function rawHost(): Promise<RawHost> {
  const { privateKey } = generateKeyPairSync('ed25519');
  const connections: RawPeer[] = [];
  const waiting: ((peer: RawPeer) => void)[] = [];
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    const wire = SocketWire.accept(socket);
    if (wire === undefined) return;
    const peer = new RawPeer(wire, { hostKey: hostKeyOf(privateKey) });
    void letIn(peer).then(() => {
      const next = waiting.shift();
      if (next === undefined) connections.push(peer);
      else next(peer);
    });
  });
  return {
    port: await listening(server),
    hostKey: `${ED25519} ${Buffer.from(writePublicKey(privateKey)).toString('base64')}`,
    accept: () =>
      new Promise((resolve) => {
        const peer = connections.shift();
        if (peer === undefined) waiting.push(resolve);
        else resolve(peer);
      }),
    stop: () => server.close(),
  };
}

async function letIn(peer: RawPeer): Promise<void> {
  await peer.start();
  await peer.take(message.serviceRequest);
  peer.send(new FieldWriter().byte(message.serviceAccept).text('ssh-userauth').done());
  await peer.take(message.authRequest);
  peer.send(Uint8Array.of(message.authSuccess));
}

const hostKeyOf = (key: KeyObject): ServerRole['hostKey'] => ({
  type: ED25519,
  getPublicSSH: () => writePublicKey(key),
  sign: (data) => {
    const fields = new FieldReader(sign(key, ED25519, data));
    fields.string();
    return Buffer.from(fields.string());
  },
});

function listening(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
}
