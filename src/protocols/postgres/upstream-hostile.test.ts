/** The target as an enemy: whatever it sends, a login ends in time, bounded, with our own error. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { systemClock } from '#core/clock.ts';
import { type ErrorCode, GatewayError } from '#core/errors.ts';
import { defaultLimits } from '#core/limits.ts';
import type { ProtocolServices } from '#core/protocol.ts';
import { systemRandom } from '#core/random.ts';
import type { Refusal } from '#core/verdict.ts';
import type { Wire } from '#core/wire.ts';
import { makeAdmission } from '../../../test/support/admission.ts';
import { manualClock } from '../../../test/support/clock.ts';
import { MemoryWire } from '../../../test/support/memory-wire.ts';
import { until } from '../../../test/support/until.ts';
import { protocol30, protocol32 } from './codec/startup.ts';
import { encodeNotice, MessageWriter } from './codec/write.ts';
import { deriveScramKeys, scramPlain, ScramServer } from './scram.ts';
import type { PgServer } from './types.ts';
import { connectServer } from './upstream.ts';

const never = new AbortController().signal;
const warned: string[] = [];
const services: ProtocolServices = {
  clock: systemClock,
  random: systemRandom,
  limits: defaultLimits,
  dial: () => Promise.reject(new Error('not here')),
  privateKey: () => assert.fail('PostgreSQL has no key of its own'),
  warn: (message, facts) => void warned.push(`${message} ${JSON.stringify(facts)}`),
};

const message = (type: string, fill: (writer: MessageWriter) => MessageWriter): Uint8Array =>
  fill(new MessageWriter().begin(type.charCodeAt(0)))
    .end()
    .done();
const authentication = (code: number, data: Uint8Array | string = ''): Uint8Array =>
  message('R', (writer) => writer.int32(code).bytes(Buffer.from(data)));
const parameter = (name: string, value: string): Uint8Array =>
  message('S', (writer) => writer.string(name).string(value));
const keyData = (secret: Uint8Array): Uint8Array =>
  message('K', (writer) => writer.int32(42).bytes(secret));
const ready = message('Z', (writer) => writer.byte(0x49));
const pinned = [
  parameter('client_encoding', 'UTF8'),
  parameter('standard_conforming_strings', 'on'),
];
const key = keyData(Buffer.from('abcd'));
const offer = (...names: readonly string[]): Uint8Array =>
  authentication(10, `${names.join('\0')}\0\0`);
const negotiation = (version: number, ...options: readonly string[]): Uint8Array =>
  message('v', (writer) => {
    writer.int32(version).int32(options.length);
    for (const option of options) writer.string(option);
    return writer;
  });

/** All that a server says that trusts us. */
const welcome: readonly Uint8Array[] = [authentication(0), ...pinned, key, ready];

interface Rig {
  readonly wire: MemoryWire;
  readonly result: Promise<PgServer>;
}

function start(
  options: {
    readonly password?: string;
    readonly tls?: 'verify-full' | 'disable';
    readonly settings?: unknown;
    readonly services?: ProtocolServices;
    readonly signal?: AbortSignal;
  } = {},
): Rig {
  const wire = new MemoryWire();
  const asWire: Wire = wire;
  const admission = makeAdmission({
    address: { host: '127.0.0.1', port: 1 },
    tls: { mode: options.tls ?? 'disable', ca: undefined, serverName: undefined },
    username: 'robot',
    password: options.password,
    settings: options.settings,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  const client = { parameters: new Map<string, string>(), database: 'db', version: protocol30 };
  const result = connectServer(asWire, client, admission, options.services ?? services, never);
  // Looked at later; until then a rejection is not unhandled.
  result.catch(() => {});
  return { wire, result };
}

async function told(chunks: readonly Uint8Array[], options?: Parameters<typeof start>[0]) {
  const { wire, result } = start(options);
  for (const chunk of chunks) wire.feed(chunk);
  wire.feedEnd();
  return { wire, result };
}

const rejects = async (
  chunks: readonly Uint8Array[],
  code: ErrorCode,
  says: RegExp,
  options?: Parameters<typeof start>[0],
): Promise<void> => {
  const { wire, result } = await told(chunks, options);
  await assert.rejects(result, (thrown: unknown) => {
    assert.ok(thrown instanceof GatewayError, String(thrown));
    assert.equal(thrown.code, code, thrown.message);
    assert.match(thrown.message, says);
    return true;
  });
  assert.equal(wire.state, 'destroyed');
};

describe('a server that behaves', () => {
  it('is understood at every cut of what it says', async () => {
    const whole = Buffer.concat([...welcome, Buffer.from('rest')]);
    for (let cut = 0; cut < whole.length - 4; cut += 1) {
      const { result } = await told([whole.subarray(0, cut), whole.subarray(cut)]);
      const server = await result;
      assert.equal(server.processId, 42);
      assert.equal(Buffer.from(server.cancelKey).toString(), 'abcd');
      assert.equal(Buffer.from(server.rest).toString(), 'rest', `${cut}`);
    }
  });

  it('may speak an older version, send notices, and give no key', async () => {
    const notice = encodeNotice({
      severity: 'NOTICE',
      sqlstate: '00000',
      message: 'hello',
      detail: '',
      hint: '',
    });
    const chunks = [negotiation(protocol30), notice, authentication(0), notice, ...pinned, ready];
    const server = await (await told(chunks)).result;
    assert.equal(server.version, protocol30);
    assert.equal(server.cancelKey.length, 0);
    assert.equal((await (await told(welcome)).result).version, protocol32);
  });

  it('is sent the account, the database and the pinned settings, and nothing else', async () => {
    const { wire, result } = await told(welcome);
    await result;
    assert.equal(
      Buffer.from(wire.written).toString('latin1').slice(8),
      'client_encoding\0UTF8\0standard_conforming_strings\0on\0user\0robot\0database\0db\0\0',
    );
  });
});

describe('a server that does not', () => {
  it('gets no session without the TLS that the target demands', async () => {
    const options = { tls: 'verify-full' } as const;
    await rejects([Buffer.from('N')], 'SP_TARGET_UNREACHABLE', /does not offer TLS/, options);
    await rejects([Buffer.from('E')], 'SP_TARGET_PROTOCOL', /neither S nor N/, options);
    await rejects([Buffer.from('Smore')], 'SP_TARGET_PROTOCOL', /unencrypted data/, options);
    await rejects([], 'SP_TARGET_LOST', /./, options);
  });

  it('gets no password in clear text without TLS, and none that the account has not', async () => {
    const password = 'secret';
    await rejects([authentication(3)], 'SP_TARGET_LOGIN', /clear-text/, { password });
    await rejects([authentication(3)], 'SP_TARGET_LOGIN', /has not/);
    await rejects([authentication(5, 'salt')], 'SP_TARGET_LOGIN', /has not/);
    await rejects([authentication(5, 'salty')], 'SP_TARGET_PROTOCOL', /length/, { password });
    for (const code of [1, 2, 4, 6, 7, 8, 9, 13, -1]) {
      await rejects([authentication(code)], 'SP_TARGET_LOGIN', /method/, { password });
    }
    const scramOnly = { password, settings: { authentication: 'scram' } };
    for (const first of [authentication(0), authentication(3), authentication(5, 'salt')]) {
      await rejects([first], 'SP_TARGET_LOGIN', /does not ask for SCRAM/, scramOnly);
    }
  });

  it('gets no session by a SASL exchange that is cut short or odd', async () => {
    const password = 'secret';
    const say = (chunks: readonly Uint8Array[], code: ErrorCode, says: RegExp): Promise<void> =>
      rejects(chunks, code, says, { password });
    await say([offer('OAUTHBEARER')], 'SP_TARGET_LOGIN', /no SCRAM/);
    await say([authentication(10, 'SCRAM-SHA-256')], 'SP_TARGET_PROTOCOL', /mechanisms/);
    const first = offer(scramPlain);
    await say([first, authentication(0)], 'SP_TARGET_PROTOCOL', /not due/);
    await say([first, authentication(12, 'v=AAAA')], 'SP_TARGET_PROTOCOL', /not due/);
    await say([first, authentication(11, 'r=x,s=AAAA,i=4096')], 'SP_TARGET_PROTOCOL', /nonce/);
    await say([first, authentication(11, 'x'.repeat(5000))], 'SP_TARGET_PROTOCOL', /too long/);
    await say([first], 'SP_TARGET_LOST', /./);
  });

  it('gets no session when it does not know the password itself', async () => {
    const { wire, result } = start({ password: 'right' });
    const salt = Buffer.from('0123456789abcdef');
    const keys = await deriveScramKeys('right', salt, 4096);
    // It has the stored key, from a stolen backup for one, but not the server key.
    const serverKey = Buffer.alloc(32);
    const scram = new ScramServer(scramPlain, undefined, Buffer.alloc(18, 3));
    wire.feed(offer(scramPlain));
    const initialAt = (): number => Buffer.from(wire.written).indexOf('n,,');
    await until(() => initialAt() > 0);
    const stored = { salt, iterations: 4096, storedKey: keys.storedKey, serverKey };
    wire.feed(authentication(11, scram.first(wire.written.subarray(initialAt()), stored)));
    const finalAt = (): number => Buffer.from(wire.written).indexOf('c=');
    await until(() => finalAt() > 0);
    const final = scram.final(wire.written.subarray(finalAt()));
    assert.ok(final !== undefined);
    wire.feed(authentication(12, final));
    wire.feed(Buffer.concat(welcome));
    await assert.rejects(result, /does not know the account password/);
  });

  it('cannot make us burn time on hashing', async () => {
    const { wire, result } = start({ password: 'right' });
    wire.feed(offer(scramPlain));
    await until(() => wire.written.length > 100);
    const nonce = Buffer.from(wire.written).toString('latin1').split('r=').at(-1) ?? '';
    wire.feed(authentication(11, `r=${nonce}x,s=AAAA,i=4000000000`));
    await assert.rejects(result, /iteration count/);
  });

  it('cannot change the version or the options that were asked for', async () => {
    const bad = [
      negotiation(0x0003_0003),
      negotiation(protocol32),
      negotiation(0x0002_0000),
      negotiation(protocol30, '_pq_.x'),
    ];
    for (const first of bad) {
      await rejects([first, ...welcome], 'SP_TARGET_PROTOCOL', /version/);
    }
    await rejects(
      [negotiation(protocol30), negotiation(protocol30), ...welcome],
      'SP_TARGET_PROTOCOL',
      /in place of authentication/,
    );
  });

  it('gets no session under settings that statements would be misread under', async () => {
    const [encoding, strings] = [pinned[0] ?? ready, pinned[1] ?? ready];
    const off = parameter('standard_conforming_strings', 'off');
    const sjis = parameter('client_encoding', 'SJIS');
    for (const parameters of [[], [encoding], [strings], [encoding, off], [sjis, strings]]) {
      await rejects(
        [authentication(0), ...parameters, key, ready],
        'SP_TARGET_PROTOCOL',
        /is not (UTF8|on)/,
      );
    }
  });

  it('is bounded in the size and the number of its messages', async () => {
    await rejects([Buffer.from('52ffffffff', 'hex')], 'SP_TARGET_PROTOCOL', /length/);
    await rejects([Buffer.from('5200000003', 'hex')], 'SP_TARGET_PROTOCOL', /length/);
    await rejects([Buffer.from('527fffffff', 'hex')], 'SP_TARGET_PROTOCOL', /larger/);
    const many = Array.from({ length: 600 }, (_, at) => parameter(`p${at}`, 'x'));
    await rejects([authentication(0), ...many], 'SP_TARGET_PROTOCOL', /too many/);
    const notices = Array.from({ length: 600 }, () => message('N', (writer) => writer.byte(0)));
    await rejects(notices, 'SP_TARGET_PROTOCOL', /too many notices/);
  });

  it('cannot say anything before it is ready that has no place there', async () => {
    const start = [authentication(0), ...pinned];
    for (const type of ['D', 'T', 'C', 'A', 'W', 'G', 'R', 'v', '1', 'x', '\0']) {
      await rejects(
        [...start, message(type, (writer) => writer.int32(0))],
        'SP_TARGET_PROTOCOL',
        /message type/,
      );
    }
    const bad: readonly Uint8Array[] = [
      key,
      keyData(Buffer.from('abc')),
      keyData(Buffer.alloc(257)),
      message('Z', (writer) => writer.byte(0x54)),
      message('Z', (writer) => writer.byte(0x49).byte(0)),
      message('S', (writer) => writer.string('name')),
    ];
    for (const one of bad) {
      await rejects([...start, key, one, ready], 'SP_TARGET_PROTOCOL', /./);
    }
  });

  it('has its own words told to the operator, and cut', async () => {
    warned.length = 0;
    const error = encodeNotice({
      severity: 'FATAL',
      sqlstate: '28000',
      message: `no entry for host 10.0.0.9 ${'x'.repeat(10_000)}`,
      detail: '',
      hint: '',
    });
    await rejects([error], 'SP_TARGET_LOGIN', /^the target refused the account$/);
    assert.match(warned[0] ?? '', /no entry for host 10.0.0.9/);
    assert.ok((warned[0] ?? '').length < 1000);
  });

  it('is not waited for', async () => {
    const clock = manualClock();
    const { wire, result } = start({ services: { ...services, clock } });
    wire.feed(authentication(0));
    clock.advance(defaultLimits.dialMsMax);
    await assert.rejects(result, /its login took too long/);
    assert.equal(wire.state, 'destroyed');
  });

  it('loses the session with its lock, in the words of the lock', async () => {
    const controller = new AbortController();
    const { result } = start({ signal: controller.signal });
    const refusal: Refusal = {
      refused: true,
      code: 'SP_LOCKED',
      rule: '',
      reason: 'locked',
      hint: '',
      hold: undefined,
      endsSession: true,
    };
    controller.abort(refusal);
    await assert.rejects(
      result,
      (thrown: unknown) => thrown instanceof GatewayError && thrown.code === 'SP_LOCKED',
    );
  });

  it('ends in a session or in our own error, whatever it sends', async () => {
    const pieces = fc.oneof(
      fc.constantFrom(...welcome, negotiation(protocol30), offer(scramPlain), authentication(3)),
      fc.uint8Array({ maxLength: 30 }).map((data) => authentication(11, data)),
      fc.uint8Array({ maxLength: 30 }).map((data) => message('S', (writer) => writer.bytes(data))),
      fc.uint8Array({ maxLength: 30 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(pieces, { maxLength: 8 }), async (sent) => {
        const { result } = await told(sent, { password: 'secret' });
        try {
          const server = await result;
          assert.equal(server.parameters.get('client_encoding'), 'UTF8');
        } catch (thrown) {
          assert.ok(thrown instanceof GatewayError, String(thrown));
          assert.notEqual(thrown.code, 'SP_INTERNAL', String(thrown.cause));
        }
      }),
      { numRuns: 300 },
    );
  });
});
