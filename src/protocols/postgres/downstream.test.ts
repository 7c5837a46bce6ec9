import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { connect as connectTls } from 'node:tls';
import fc from 'fast-check';
import pg from 'pg';
import { systemClock } from '#core/clock.ts';
import { type ErrorCode, GatewayError } from '#core/errors.ts';
import { defaultLimits } from '#core/limits.ts';
import type { Door, LoginAttempt, ProtocolServices } from '#core/protocol.ts';
import { systemRandom } from '#core/random.ts';
import type { TlsClientOptions, TlsServerOptions, Wire } from '#core/wire.ts';
import { SocketWire } from '#wire/socket-wire.ts';
import { makeAdmission } from '../../../test/support/admission.ts';
import { makeAuthority } from '../../../test/support/certificates.ts';
import { MemoryWire } from '../../../test/support/memory-wire.ts';
import { until } from '../../../test/support/until.ts';
import { int32 } from './codec/frames.ts';
import { readNoticeFields, textOf } from './codec/read.ts';
import {
  encodeGssRequest,
  encodeSslRequest,
  encodeStartup,
  protocol30,
  protocol32,
} from './codec/startup.ts';
import { encodeCancelRequest, encodeGreeting, MessageWriter } from './codec/write.ts';
import { acceptClient } from './downstream.ts';
import { Handshake, PeerGone } from './handshake.ts';
import { deriveScramKeys, scramPlain, scramPlus, ScramClient } from './scram.ts';
import type { PgClient } from './types.ts';

const never = new AbortController().signal;
const authority = makeAuthority();
const { certificate, key } = authority.issue(['localhost']);
const tls: TlsServerOptions = { certificate, key, alpn: ['postgresql'], clientCa: undefined };
const tlsClient: TlsClientOptions = {
  serverName: 'localhost',
  verify: 'full',
  ca: authority.certificate,
  certificate: undefined,
  key: undefined,
  alpn: ['postgresql'],
};
const services: ProtocolServices = {
  clock: systemClock,
  random: systemRandom,
  limits: defaultLimits,
  dial: () => Promise.reject(new Error('not here')),
  privateKey: () => assert.fail('PostgreSQL has no key of its own'),
  warn: () => {},
};
const salt = Buffer.from('0123456789abcdef');
const scramOf = async (password: string) => {
  const keys = await deriveScramKeys(password, salt, 4096);
  return { salt, iterations: 4096, storedKey: keys.storedKey, serverKey: keys.serverKey };
};

/** A door that takes the secret `good`, and tells what it was asked. */
class TestDoor implements Door {
  listener: Door['listener'];
  readonly attempts: LoginAttempt[] = [];
  readonly failures: { readonly code: ErrorCode; readonly detail: string }[] = [];
  readonly fired: string[] = [];
  readonly cancels = {
    add: () => () => {},
    fire: (fired: string) => void this.fired.push(fired),
  };
  refusal: GatewayError = new GatewayError('SP_LOGIN_FAILED', { detail: 'expired an hour ago' });
  #left = defaultLimits.strangerBytesMax;

  constructor(listener: Partial<Door['listener']>) {
    this.listener = {
      name: 'tests',
      target: undefined,
      tls: undefined,
      plaintextAllowed: true,
      authentication: 'password',
      oauth: { discovery: 'https://issuer.example/.well-known/openid-configuration', scope: 'db' },
      ...listener,
    };
  }

  scramKeys(credential: string) {
    return scramOf(credential === 'cred1' ? 'good' : `mock ${credential}`);
  }

  knowsKey(): boolean {
    return false;
  }

  async admit(attempt: LoginAttempt) {
    this.attempts.push(attempt);
    const { proof } = attempt;
    const isGood = 'verified' in proof || proof.secret.reveal() === 'good';
    if (!isGood) throw this.refusal;
    return makeAdmission({ address: { host: '127.0.0.1', port: 1 } });
  }

  spend(count: number): void {
    this.#left -= count;
    if (this.#left < 0) throw new GatewayError('SP_FRAME_TOO_LARGE');
  }

  failed(code: ErrorCode, detail: string): void {
    this.failures.push({ code, detail });
  }
}

let door: TestDoor;
let accepted: Promise<PgClient | undefined>;
let signal: AbortSignal = never;
const wires: SocketWire[] = [];
const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => {
  const wire = SocketWire.accept(socket);
  if (wire === undefined) return;
  wires.push(wire);
  accepted = acceptClient(wire, door, services, signal);
});
const portOf = (): number => {
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return address.port;
};
before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
after(() => {
  server.close();
  for (const wire of wires) wire.destroy();
});

/** A client of the door: the same reader, from the other side. */
async function knock(listener: Partial<Door['listener']> = {}): Promise<Handshake> {
  door = new TestDoor(listener);
  const wire = await SocketWire.dial({ host: '127.0.0.1', port: portOf() }, never);
  wires.push(wire);
  return new Handshake(wire, { bytesMax: 65_536, spend: () => {} }, never);
}

const startup = (sent: Readonly<Record<string, string>> = {}, version = protocol30): Uint8Array =>
  encodeStartup(version, new Map(Object.entries({ user: 'readonly@orders', ...sent })));

const reply = (fill: (writer: MessageWriter) => MessageWriter): Uint8Array =>
  fill(new MessageWriter().begin(0x70)).end().done();
const password = (secret: string): Uint8Array => reply((writer) => writer.string(secret));
const sasl = (bytes: Uint8Array): Uint8Array => reply((writer) => writer.bytes(bytes));
const saslInitial = (mechanism: string, bytes: Uint8Array): Uint8Array =>
  reply((writer) => writer.string(mechanism).int32(bytes.length).bytes(bytes));

/** The next message, as `type code rest`, where it is one of authentication; else its fields. */
async function heard(client: Handshake): Promise<string> {
  const { type, body, bytes } = await client.message();
  if (type === 0x52) return `R${int32(body, 0)} ${Buffer.from(body.subarray(4)).toString()}`.trim();
  if (type === 0x76) return `v ${Buffer.from(body).toString('hex')}`;
  const fields = readNoticeFields(bytes, 0, bytes.length) ?? [];
  const told = fields
    .filter(({ code }) => 'SCM'.includes(code))
    .map(({ start, end }) => textOf(bytes, start, end));
  return `${String.fromCharCode(type)} ${told.join(' ')}`;
}

async function ended(client: Handshake): Promise<void> {
  await assert.rejects(client.take(1), PeerGone);
  assert.equal(await accepted, undefined);
}

describe('letting a client in', () => {
  it('by password, with what it asked for', async () => {
    const client = await knock();
    client.wire.write(
      startup({
        database: 'shop',
        application_name: 'psql',
        client_encoding: 'UTF8',
        options: '-c sallyport.hold=refuse',
      }),
    );
    assert.equal(await heard(client), 'R3');
    client.wire.write(Buffer.concat([password('good'), Buffer.from('early query')]));
    const session = await accepted;
    assert.ok(session !== undefined);
    const [attempt] = door.attempts;
    assert.deepEqual(
      { ...attempt, proof: attempt?.proof.kind },
      {
        user: 'readonly@orders',
        namespace: 'shop',
        clientName: 'psql',
        holdMode: 'refuse',
        proof: 'password',
      },
    );
    assert.deepEqual([...session.parameters], [['application_name', 'psql']]);
    assert.equal(session.database, 'shop');
    assert.equal(session.version, protocol30);
    assert.equal(Buffer.from(session.rest).toString(), 'early query');
    session.wire.destroy();
  });

  it('the same way when every byte comes alone', async () => {
    const client = await knock();
    const conversation = Buffer.concat([encodeGssRequest(), encodeSslRequest(), startup()]);
    for (const byte of Buffer.concat([conversation, password('good'), Buffer.from('rest')])) {
      client.wire.write(Uint8Array.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const session = await accepted;
    assert.ok(session !== undefined);
    session.wire.destroy();
  });

  it('over TLS, asked for in either order, and says what was bound to', async () => {
    for (const withGss of [true, false]) {
      const client = await knock({ tls, plaintextAllowed: false });
      if (withGss) {
        client.wire.write(encodeGssRequest());
        assert.deepEqual([...(await client.take(1))], [0x4e]);
      }
      client.wire.write(encodeSslRequest());
      assert.deepEqual([...(await client.take(1))], [0x53]);
      await client.startTlsAsClient(tlsClient);
      client.wire.write(startup({}, protocol32));
      assert.equal(await heard(client), 'R3');
      client.wire.write(password('good'));
      const session = await accepted;
      assert.equal(session?.version, protocol32);
      assert.equal(session.wire.security?.alpn, 'postgresql');
      session.wire.destroy();
    }
  });

  it('over TLS from the first byte, but not without ALPN', async () => {
    const client = await knock({ tls, plaintextAllowed: false });
    await client.startTlsAsClient(tlsClient);
    client.wire.write(encodeSslRequest());
    assert.deepEqual([...(await client.take(1))], [0x4e], 'TLS is there already');
    client.wire.write(startup());
    assert.equal(await heard(client), 'R3');
    client.wire.write(password('good'));
    (await accepted)?.wire.destroy();
    const other = await knock({ tls });
    await other.startTlsAsClient({ ...tlsClient, alpn: [] });
    await ended(other);
    assert.deepEqual(door.failures, [
      { code: 'SP_FRAME_MALFORMED', detail: 'direct TLS without ALPN' },
    ]);
    const http = await knock({ tls });
    await assert.rejects(http.startTlsAsClient({ ...tlsClient, alpn: ['h2'] }));
    assert.equal(await accepted, undefined);
    const plain = await knock();
    plain.wire.write(Buffer.from('16030100', 'hex'));
    await ended(plain);
  });

  it('by SCRAM, bound to TLS and without, when it names a credential', async () => {
    for (const isBound of [true, false]) {
      const client = await knock(isBound ? { tls } : {});
      let endPoint: Uint8Array | undefined;
      if (isBound) {
        client.wire.write(encodeSslRequest());
        await client.take(1);
        await client.startTlsAsClient(tlsClient);
        endPoint = client.wire.security?.serverEndPoint;
      }
      client.wire.write(startup({ options: '-c sallyport.credential=cred1' }));
      const offer = await heard(client);
      assert.equal(offer.includes(scramPlus), isBound);
      const scram = new ScramClient(
        isBound ? scramPlus : scramPlain,
        endPoint,
        Buffer.alloc(18, 5),
      );
      client.wire.write(saslInitial(scram.mechanism, scram.first()));
      const { body } = await client.message();
      assert.equal(int32(body, 0), 11);
      scram.challenge(body.subarray(4));
      client.wire.write(sasl(scram.final(await deriveScramKeys('good', salt, 4096))));
      const final = await client.message();
      assert.equal(int32(final.body, 0), 12);
      assert.equal(scram.check(final.body.subarray(4)), true);
      const session = await accepted;
      assert.deepEqual(door.attempts[0]?.proof, {
        kind: 'scram',
        credential: 'cred1',
        verified: true,
      });
      session?.wire.destroy();
    }
  });

  it('by bearer token, and tells one without a token where to get it', async () => {
    const client = await knock({ authentication: 'oauth' });
    client.wire.write(startup());
    assert.match(await heard(client), /^R10 OAUTHBEARER/);
    client.wire.write(saslInitial('OAUTHBEARER', Buffer.from('n,,\x01auth=Bearer good\x01\x01')));
    const session = await accepted;
    assert.equal(door.attempts[0]?.proof.kind, 'bearer');
    session?.wire.destroy();
    for (const auth of ['', 'Bearer bad']) {
      const other = await knock({ authentication: 'oauth' });
      other.wire.write(startup());
      await heard(other);
      // Without an initial response: the server has to ask for it.
      other.wire.write(reply((writer) => writer.string('OAUTHBEARER').int32(-1)));
      assert.equal(await heard(other), 'R11');
      other.wire.write(sasl(Buffer.from(`n,,\x01auth=${auth}\x01\x01`)));
      assert.match(
        await heard(other),
        /^R11 {"status":"invalid_token","openid-configuration":"https:\/\/issuer.*","scope":"db"}$/,
      );
      other.wire.write(sasl(Buffer.from('\x01')));
      assert.match(await heard(other), /^E FATAL 28P01 sallyport: login failed/);
      await ended(other);
      assert.equal(door.attempts.length, auth === '' ? 0 : 1);
      // Asking where to get a token is no failure.
      assert.equal(door.failures.length, auth === '' ? 0 : 1);
    }
  });

  it('agrees on a version that both speak, and names the options that it does not know', async () => {
    for (const [asked, told, got] of [
      [0x0003_270f, '0003000200000000', protocol32],
      [protocol32, undefined, protocol32],
      [0x0003_0001, undefined, protocol30],
    ] as const) {
      const client = await knock();
      client.wire.write(startup({}, asked));
      if (told !== undefined) assert.equal(await heard(client), `v ${told}`);
      assert.equal(await heard(client), 'R3');
      client.wire.write(password('good'));
      const session = await accepted;
      assert.equal(session?.version, got);
      session.wire.destroy();
    }
    const client = await knock();
    client.wire.write(startup({ '_pq_.grease': 'x' }));
    const name = Buffer.from('_pq_.grease\0').toString('hex');
    assert.equal(await heard(client), `v 0003000000000001${name}`);
    assert.equal(await heard(client), 'R3');
    client.wire.destroy();
    assert.equal(await accepted, undefined);
  });

  it('routes a cancel request and answers nothing, with and without TLS', async () => {
    const request = encodeCancelRequest(0x0102, Buffer.from('aabbccdd', 'hex'));
    const client = await knock();
    client.wire.write(request);
    await ended(client);
    assert.deepEqual(door.fired, ['00000102aabbccdd']);
    const secure = await knock({ tls });
    secure.wire.write(encodeSslRequest());
    await secure.take(1);
    await secure.startTlsAsClient(tlsClient);
    secure.wire.write(request);
    await ended(secure);
    assert.deepEqual(door.fired, ['00000102aabbccdd']);
  });

  it('serves a driver that binds SCRAM to its TLS connection', async () => {
    door = new TestDoor({ tls, plaintextAllowed: false });
    const client = new pg.Client({
      host: '127.0.0.1',
      port: portOf(),
      user: 'readonly@orders',
      database: 'shop',
      password: 'good',
      options: '-c sallyport.credential=cred1',
      enableChannelBinding: true,
      ssl: { ca: authority.certificate, servername: 'localhost' },
    });
    client.on('error', () => {});
    const connected = client.connect();
    await until(() => door.attempts.length === 1);
    const session = await accepted;
    session?.wire.write(encodeGreeting(new Map(), 1, Buffer.alloc(4)));
    await connected;
    session?.wire.destroy();
    await client.end().catch(() => {});
  });
});

describe('turning a client away', () => {
  const refused: readonly (readonly [
    name: string,
    listener: Partial<Door['listener']>,
    sent: readonly Uint8Array[],
    told: RegExp,
  ])[] = [
    [
      'plain text where TLS is required',
      { tls, plaintextAllowed: false },
      [startup()],
      /^E FATAL 28000 sallyport: this listener requires TLS/,
    ],
    [
      'bytes behind the request for TLS',
      { tls },
      [Buffer.concat([encodeSslRequest(), startup()])],
      /^E FATAL 08P01 .*received unencrypted data after SSL request/,
    ],
    [
      'TLS asked for twice',
      {},
      [encodeSslRequest(), encodeSslRequest()],
      /^E FATAL 08P01 .*negotiated before/,
    ],
    [
      'GSS asked for twice',
      {},
      [encodeGssRequest(), encodeGssRequest()],
      /^E FATAL 08P01 .*negotiated before/,
    ],
    [
      'another major version',
      {},
      [startup({}, 0x0002_0000)],
      /^E FATAL 0A000 .*frontend protocol 2.0/,
    ],
    ['no user', {}, [startup({ user: '' })], /^E FATAL 22023 .*no PostgreSQL user name/],
    [
      'a setting that changes what statements mean',
      {},
      [startup({ search_path: 'evil' })],
      /^E FATAL 42501 .*"search_path" cannot be set/,
    ],
    ['replication', {}, [startup({ replication: 'database' })], /^E FATAL 0A000 .*replication/],
    [
      'no credential named where SCRAM is asked for',
      { authentication: 'scram' },
      [startup()],
      /^E FATAL 22023 .*sallyport.credential/,
    ],
    [
      'a message in place of the password',
      {},
      [startup(), new MessageWriter().begin(0x51).string('select 1').end().done()],
      /^E FATAL 08P01 .*expected a password/,
    ],
    [
      'a password with a zero byte inside',
      {},
      [startup(), reply((writer) => writer.string('go').string('od'))],
      /^E FATAL 08P01/,
    ],
    [
      'a message that is too long',
      {},
      [startup(), Buffer.from('7000020000', 'hex')],
      /^E FATAL 54000/,
    ],
    [
      'a message with a negative length',
      {},
      [startup(), Buffer.from('70ffffffff', 'hex')],
      /^E FATAL 08P01/,
    ],
    [
      'a mechanism that was not offered',
      { authentication: 'oauth' },
      [startup(), saslInitial(scramPlain, Buffer.from('n,,n=,r=abc'))],
      /^E FATAL 08P01 .*invalid SASL authentication mechanism/,
    ],
  ];
  for (const [name, listener, sent, told] of refused) {
    it(`for ${name}`, async () => {
      const client = await knock(listener);
      for (const bytes of sent) client.wire.write(bytes);
      let message = '';
      for (let left = 4; left > 0 && !message.startsWith('E'); left -= 1) {
        while (['N', 'S'].includes(String.fromCharCode(await client.peek()))) await client.take(1);
        message = await heard(client);
      }
      assert.match(message, told);
      await ended(client);
      assert.equal(door.failures.length, 1);
      assert.deepEqual(door.attempts, []);
    });
  }

  it('without a word when nobody there would understand one', async () => {
    for (const bytes of ['ffffffff00030000', '0000000400000000', '47455420', '0000271500030000']) {
      const client = await knock();
      client.wire.write(Buffer.from(bytes, 'hex'));
      await ended(client);
      assert.equal(door.failures[0]?.code, 'SP_FRAME_MALFORMED');
    }
  });

  it('in the same words for a wrong secret, a wrong SCRAM proof and an unknown credential', async () => {
    const byPassword = await knock();
    byPassword.wire.write(Buffer.concat([startup(), password('bad')]));
    await heard(byPassword);
    const words = await heard(byPassword);
    assert.equal(words, 'E FATAL 28P01 sallyport: login failed');
    await ended(byPassword);
    assert.match(door.failures[0]?.detail ?? '', /expired/, 'the operator is told');
    for (const credential of ['cred1', 'nobody']) {
      const client = await knock({ authentication: 'scram' });
      client.wire.write(startup({ 'sallyport.credential': credential }));
      await heard(client);
      const scram = new ScramClient(scramPlain, undefined, Buffer.alloc(18, 5));
      client.wire.write(saslInitial(scram.mechanism, scram.first()));
      const { body } = await client.message();
      scram.challenge(body.subarray(4));
      client.wire.write(sasl(scram.final(await deriveScramKeys('bad', salt, 4096))));
      assert.equal(await heard(client), words);
      await ended(client);
      assert.deepEqual(door.attempts, []);
    }
  });

  it('with the reason of the door, and without what is for the operator', async () => {
    const cases = [
      [
        new GatewayError('SP_NO_GRANT', { facts: { why: 'x' } }),
        'E FATAL 28000 sallyport: no grant',
      ],
      [new GatewayError('SP_LOCKED'), 'E FATAL 57P01 sallyport: this identity'],
      [
        new GatewayError('SP_RECORDING_SPACE', { detail: '/var/lib' }),
        'E FATAL 53100 sallyport: too',
      ],
      [
        new GatewayError('SP_STORE', { detail: 'secret path' }),
        'E FATAL 58000 sallyport: the state',
      ],
    ] as const;
    for (const [refusal, words] of cases) {
      const client = await knock();
      door.refusal = refusal;
      client.wire.write(Buffer.concat([startup(), password('bad')]));
      await heard(client);
      const told = await heard(client);
      assert.ok(told.startsWith(words), told);
      assert.doesNotMatch(told, /secret|\/var/);
      await ended(client);
    }
  });

  it('when it takes too long, in words', async () => {
    const controller = new AbortController();
    signal = controller.signal;
    const client = await knock();
    client.wire.write(startup());
    assert.equal(await heard(client), 'R3');
    controller.abort(new GatewayError('SP_LOGIN_TIMEOUT'));
    assert.equal(await heard(client), 'E FATAL 57014 sallyport: login took too long');
    await ended(client);
    signal = never;
  });

  it('when it sends more than a stranger may', async () => {
    const client = await knock();
    client.wire.write(startup());
    await heard(client);
    const long = Buffer.concat([Buffer.from('700000ffff', 'hex'), Buffer.alloc(70_000, 65)]);
    client.wire.write(long);
    assert.match(await heard(client), /^E FATAL 54000/);
    await ended(client);
  });

  it('silently when it left', async () => {
    const client = await knock();
    client.wire.write(startup());
    await heard(client);
    client.wire.destroy();
    assert.equal(await accepted, undefined);
    assert.deepEqual(door.failures, []);
  });

  it('when its TLS fails', async () => {
    const client = await knock({ tls });
    client.wire.write(encodeSslRequest());
    await client.take(1);
    client.wire.write(Buffer.from('this is not a hello'));
    assert.equal(await accepted, undefined);
    const old = await knock({ tls });
    old.finish();
    const socket = connectTls({
      port: portOf(),
      host: '127.0.0.1',
      ca: authority.certificate,
      servername: 'localhost',
      ALPNProtocols: ['postgresql'],
      maxVersion: 'TLSv1.1',
      minVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    });
    await once(socket, 'error');
    assert.equal(await accepted, undefined);
    old.wire.destroy();
  });
});

describe('whatever a stranger sends', () => {
  /** Feeds chunks to a fresh door and gives what came of it. */
  async function feed(
    chunks: readonly Uint8Array[],
    listener: Partial<Door['listener']> = {},
  ): Promise<{ readonly wire: MemoryWire; readonly client: PgClient | undefined }> {
    const wire = new MemoryWire();
    const own = new TestDoor(listener);
    const result = acceptClient(asWire(wire), own, services, never);
    for (const chunk of chunks) wire.feed(chunk);
    wire.feedEnd();
    return { wire, client: await result };
  }
  const asWire = (wire: Wire): Wire => wire;

  it('is the same at every cut', async () => {
    const whole = Buffer.concat([
      encodeSslRequest(),
      startup({ database: 'shop' }),
      password('good'),
    ]);
    const { wire: reference } = await feed([whole]);
    for (let cut = 1; cut < whole.length; cut += 1) {
      const { wire, client } = await feed([whole.subarray(0, cut), whole.subarray(cut)]);
      assert.equal(client?.database, 'shop', `${cut}`);
      assert.deepEqual(wire.written, reference.written);
    }
  });

  it('is the same at every cut of a SASL exchange', async () => {
    const token = Buffer.from('n,,\x01auth=Bearer good\x01\x01');
    const whole = Buffer.concat([
      startup(),
      saslInitial('OAUTHBEARER', token),
      Buffer.from('rest'),
    ]);
    for (let cut = 1; cut < whole.length - 4; cut += 1) {
      const chunks = [whole.subarray(0, cut), whole.subarray(cut)];
      const { client } = await feed(chunks, { authentication: 'oauth' });
      assert.equal(Buffer.from(client?.rest ?? []).toString(), 'rest', `${cut}`);
    }
  });

  it('ends in a session or in a closed connection, never in an exception', async () => {
    const parts = fc.oneof(
      fc.constant(encodeSslRequest()),
      fc.constant(encodeGssRequest()),
      fc.constant(startup()),
      fc.constant(startup({ 'sallyport.credential': 'cred1' })),
      fc.constant(password('bad')),
      fc.constant(saslInitial(scramPlain, Buffer.from('n,,n=,r=abc'))),
      fc.constant(saslInitial('OAUTHBEARER', Buffer.from('n,,\x01auth=\x01\x01'))),
      fc.uint8Array({ maxLength: 40 }).map((bytes) => sasl(bytes)),
      fc.uint8Array({ maxLength: 40 }),
    );
    const authentication = fc.constantFrom('password', 'scram', 'oauth');
    await fc.assert(
      fc.asyncProperty(fc.array(parts, { maxLength: 6 }), authentication, async (sent, how) => {
        const { wire, client } = await feed(sent, { authentication: how });
        assert.equal(client, undefined);
        assert.notEqual(wire.state, 'open');
      }),
      { numRuns: 300 },
    );
  });
});
