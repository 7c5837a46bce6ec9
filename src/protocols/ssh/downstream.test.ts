/** The client's authentication, against a client that says whatever a test wants. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createServer } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { systemClock } from '#core/clock.ts';
import { GatewayError } from '#core/errors.ts';
import { defaultLimits } from '#core/limits.ts';
import type { Door, LoginAttempt, ProtocolServices } from '#core/protocol.ts';
import { systemRandom } from '#core/random.ts';
import { FieldReader, FieldWriter } from '#core/ssh-fields.ts';
import { SocketWire } from '#wire/socket-wire.ts';
import { makeAdmission } from '../../../test/support/admission.ts';
import { sign, writePublicKey } from './codec/keys.ts';
import { message } from './codec/messages.ts';
import { acceptClient } from './downstream.ts';
import { SshTransport } from './transport.ts';

const newKey = (): KeyObject => generateKeyPairSync('ed25519').privateKey;
const hostKey = newKey();
const [known, other] = [newKey(), newKey()];
const signal = new AbortController().signal;
const ED25519 = 'ssh-ed25519';

const services: ProtocolServices = {
  clock: systemClock,
  random: systemRandom,
  limits: defaultLimits,
  dial: () => Promise.reject(new Error('nothing is dialled here')),
  privateKey: () => assert.fail('the host key is given'),
  warn: () => {},
};

const role = {
  hostKey: {
    type: ED25519,
    getPublicSSH: () => writePublicKey(hostKey),
    sign: (data: Uint8Array) => {
      const fields = new FieldReader(sign(hostKey, ED25519, data));
      fields.string();
      return Buffer.from(fields.string());
    },
  },
};

/** A door that lets in whoever holds `known` or says `good`. */
class TestDoor implements Door {
  readonly attempts: LoginAttempt[] = [];
  readonly failures: string[] = [];
  readonly cancels = { add: () => () => undefined, fire: () => undefined };
  readonly listener: Door['listener'] = {
    name: 'test',
    target: undefined,
    tls: undefined,
    plaintextAllowed: true,
    authentication: 'password',
    oauth: undefined,
  };

  scramKeys(): never {
    throw new Error('SSH has no SCRAM');
  }

  knowsKey(key: Uint8Array): boolean {
    return Buffer.from(writePublicKey(known)).equals(key);
  }

  admit(attempt: LoginAttempt) {
    this.attempts.push(attempt);
    const { proof } = attempt;
    const isGood = 'verified' in proof || proof.secret.reveal() === 'good';
    if (!isGood) return Promise.reject(new GatewayError('SP_LOGIN_FAILED'));
    return Promise.resolve(makeAdmission({ address: { host: '127.0.0.1', port: 1 } }));
  }

  spend(): void {}

  failed(code: string): void {
    this.failures.push(code);
  }
}

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** A client that has agreed on keys, and the door it stands at. */
async function connect() {
  const door = new TestDoor();
  const accepted: ReturnType<typeof acceptClient>[] = [];
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    const wire = SocketWire.accept(socket);
    if (wire !== undefined) accepted.push(acceptClient(wire, door, { services, role }, signal));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const wire = await SocketWire.dial({ host: '127.0.0.1', port }, signal);
  const client = new SshTransport(
    wire,
    { hostKeyAlgorithms: [ED25519], keyOf: (shown) => shown },
    { clock: systemClock },
  );
  closing.push(
    () => wire.destroy(),
    () => server.close(),
  );
  const waiting: ((type: number) => void)[] = [];
  const said: number[] = [];
  const tell = (type: number): void => {
    const one = waiting.shift();
    if (one === undefined) said.push(type);
    else one(type);
  };
  await new Promise<void>((resolve) => {
    client.start({
      ready: resolve,
      message(payload) {
        const type = payload[0] ?? 0;
        if (type !== message.extInfo) tell(type);
      },
      drained: () => undefined,
      closed: () => tell(0),
    });
  });
  /** Sends a message; answers the number of what came back, 0 when the connection ended. */
  const ask = (payload: Uint8Array): Promise<number> =>
    new Promise((resolve) => {
      const ready = said.shift();
      if (ready === undefined) waiting.push(resolve);
      else resolve(ready);
      client.send(payload);
    });
  const service = new FieldWriter().byte(message.serviceRequest).text('ssh-userauth').done();
  assert.equal(await ask(service), message.serviceAccept);
  return { door, client, ask, session: () => accepted[0] };
}

const request = (user: string, method: string): FieldWriter =>
  new FieldWriter().byte(message.authRequest).text(user).text('ssh-connection').text(method);

const keyRequest = (user: string, key: KeyObject, isSigned: boolean): FieldWriter =>
  request(user, 'publickey').bool(isSigned).text(ED25519).string(writePublicKey(key));

/** A signed request: the key that is named and the one that signs need not be the same. */
function signed(
  user: string,
  keys: { readonly named: KeyObject; readonly signing: KeyObject },
  sessionId: Uint8Array,
): Uint8Array {
  const unsigned = keyRequest(user, keys.named, true).done();
  const data = new FieldWriter().string(sessionId).raw(unsigned).done();
  return new FieldWriter()
    .raw(unsigned)
    .string(sign(keys.signing, ED25519, data))
    .done();
}

describe('the authentication of SSH clients', () => {
  it('lets in who signed with a known key, under the name that was signed', async () => {
    const { door, client, ask, session } = await connect();
    assert.equal(await ask(keyRequest('a@web', known, false).done()), message.authMethod60);
    client.send(signed('b@web', { named: known, signing: known }, client.sessionId));
    const found = await session();
    assert.ok(found !== undefined);
    assert.deepEqual(
      door.attempts.map(({ user, proof }) => [user, proof.kind]),
      [['b@web', 'public-key']],
    );
  });

  it('lets nobody in for a key that was offered, or signed with another', async () => {
    const { door, client, ask } = await connect();
    for (let count = 0; count < 3; count += 1) {
      assert.equal(await ask(keyRequest('a@web', known, false).done()), message.authMethod60);
    }
    const forged = signed('a@web', { named: known, signing: other }, client.sessionId);
    assert.equal(await ask(forged), message.authFailure);
    assert.equal(await ask(keyRequest('a@web', other, false).done()), message.authFailure);
    const stranger = signed('a@web', { named: other, signing: other }, client.sessionId);
    assert.equal(await ask(stranger), message.authFailure);
    assert.deepEqual(door.attempts, []);
  });

  it('lets nobody in for a signature of another connection, or over another name', async () => {
    const { door, client, ask } = await connect();
    const both = { named: known, signing: known };
    assert.equal(await ask(signed('a@web', both, new Uint8Array(32))), message.authFailure);
    const mine = signed('a@web', both, client.sessionId);
    const renamed = Buffer.from(mine);
    renamed.write('z', 5);
    assert.equal(await ask(renamed), message.authFailure);
    assert.deepEqual(door.attempts, []);
  });

  it('judges each attempt by itself, and ends after too many wrong ones', async () => {
    const { door, ask } = await connect();
    const password = (user: string, text: string) =>
      request(user, 'password').bool(false).text(text).done();
    for (let count = 0; count < 5; count += 1) {
      assert.equal(await ask(password(`user${count}@web`, 'wrong')), message.authFailure);
    }
    assert.equal(await ask(password('user5@web', 'wrong')), 0);
    assert.equal(door.attempts.length, 6);
  });

  it('ends on messages that have no place before a login', async () => {
    for (const type of [message.channelOpen, message.globalRequest, message.authSuccess, 200]) {
      const { door, ask } = await connect();
      assert.equal(await ask(Uint8Array.of(type, 0, 0, 0, 0)), 0, String(type));
      assert.deepEqual(door.attempts, []);
    }
    const { ask } = await connect();
    const answer = new FieldWriter().byte(message.authMethod61).uint32(1).text('good').done();
    assert.equal(await ask(answer), 0, 'an answer that nobody asked for');
  });
});
