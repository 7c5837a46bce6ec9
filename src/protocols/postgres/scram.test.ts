import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { GatewayError } from '#core/errors.ts';
import { preparePassword } from './saslprep.ts';
import { ScramCache } from './scram-cache.ts';
import { deriveScramKeys, scramPlain, scramPlus, ScramClient, ScramServer } from './scram.ts';

const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('latin1');
const bytes = (value: string): Uint8Array => Buffer.from(value, 'latin1');
const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64');

/** The example of RFC 7677 section 3; its server nonce is one half, its client nonce the other. */
const rfc7677 = {
  password: 'pencil',
  clientNonce: 'rOprNGfwEbeRWgbNEkqO',
  serverNonce: '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
  clientFirst: 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO',
  serverFirst:
    'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
  clientFinal:
    'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,' +
    'p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
  serverFinal: 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
} as const;

async function serverKeys(password: string, iterations = 4096) {
  const keys = await deriveScramKeys(password, salt, iterations);
  return { salt, iterations, storedKey: keys.storedKey, serverKey: keys.serverKey };
}

describe('SCRAM-SHA-256', () => {
  it('derives the keys with which RFC 7677 proves and signs', async () => {
    const keys = await deriveScramKeys(rfc7677.password, salt, 4096);
    const authMessage = [
      rfc7677.clientFirst.slice(3),
      rfc7677.serverFirst,
      rfc7677.clientFinal.slice(0, rfc7677.clientFinal.lastIndexOf(',p=')),
    ].join(',');
    const mac = (key: Uint8Array): Buffer => createHmac('sha256', key).update(authMessage).digest();
    const signature = mac(keys.storedKey);
    const proof = Buffer.from(keys.clientKey).map((byte, index) => byte ^ (signature[index] ?? 0));
    assert.equal(
      `p=${Buffer.from(proof).toString('base64')}`,
      rfc7677.clientFinal.split(',').at(-1),
    );
    assert.equal(`v=${mac(keys.serverKey).toString('base64')}`, rfc7677.serverFinal);
    assert.deepEqual(createHash('sha256').update(keys.clientKey).digest(), keys.storedKey);
  });

  it('serves the exchange of RFC 7677 but for its own nonce', async () => {
    const keys = await serverKeys(rfc7677.password);
    const server = new ScramServer(scramPlain, undefined, bytes('x'.repeat(18)));
    const first = text(server.first(bytes(rfc7677.clientFirst), keys));
    assert.match(first, /^r=rOprNGfwEbeRWgbNEkqO[A-Za-z0-9+/=]{24},s=W22Z.*==,i=4096$/);
    // The proof is for another server nonce, so here it must fail, and in no other way.
    const nonce = first.slice(2, first.indexOf(','));
    const final = rfc7677.clientFinal.replace(/r=[^,]*/, `r=${nonce}`);
    assert.equal(server.final(bytes(final)), undefined);
  });

  it('convinces both sides of each other, with and without channel binding', async () => {
    const cases: readonly (readonly [string, Uint8Array | undefined, Uint8Array | undefined])[] = [
      [scramPlain, undefined, undefined],
      [scramPlus, bytes('end point'), bytes('end point')],
      // The server could not bind: the client says `y`, and that is fine.
      [scramPlain, bytes('end point'), undefined],
    ];
    for (const [mechanism, clientEnd, serverEnd] of cases) {
      const keys = await deriveScramKeys('päss wörd', salt, 4096);
      const client = new ScramClient(mechanism, clientEnd, bytes('c'.repeat(18)));
      const server = new ScramServer(mechanism, serverEnd, bytes('s'.repeat(18)));
      const challenge = client.challenge(
        server.first(client.first(), await serverKeys('päss wörd')),
      );
      assert.deepEqual(Buffer.from(challenge.salt), salt);
      const final = server.final(client.final(keys));
      assert.ok(final !== undefined);
      assert.equal(client.check(final), true);
      assert.equal(client.check(bytes(`v=${Buffer.alloc(32).toString('base64')}`)), false);
    }
  });

  it('does not take a wrong password, and does not take one exchange twice', async () => {
    const client = new ScramClient(scramPlain, undefined, bytes('c'.repeat(18)));
    const server = new ScramServer(scramPlain, undefined, bytes('s'.repeat(18)));
    client.challenge(server.first(client.first(), await serverKeys('right')));
    const final = client.final(await deriveScramKeys('wrong', salt, 4096));
    assert.equal(server.final(final), undefined);
    assert.throws(() => server.final(final), GatewayError);
  });

  it('notices a channel binding that was taken out, moved or mixed up', async () => {
    const keys = await serverKeys('secret');
    const end = bytes('end point');
    const serve = (mechanism: string, at: Uint8Array | undefined, message: string): Uint8Array =>
      new ScramServer(mechanism, at, bytes('s'.repeat(18))).first(bytes(message), keys);
    assert.throws(() => serve(scramPlain, end, 'y,,n=,r=abc'), /offered/);
    assert.throws(() => serve(scramPlain, end, 'p=tls-server-end-point,,n=,r=abc'), /disagree/);
    assert.throws(() => serve(scramPlus, end, 'n,,n=,r=abc'), /disagree/);
    assert.throws(() => serve(scramPlus, end, 'p=tls-unique,,n=,r=abc'), /unsupported/);
    const client = new ScramClient(scramPlus, bytes('another'), bytes('c'.repeat(18)));
    const server = new ScramServer(scramPlus, end, bytes('s'.repeat(18)));
    client.challenge(server.first(client.first(), keys));
    const clientKeys = await deriveScramKeys('secret', salt, 4096);
    assert.throws(() => server.final(client.final(clientKeys)), /channel binding check failed/);
  });

  it('refuses what is malformed from a client', async () => {
    const keys = await serverKeys('secret');
    const server = (): ScramServer => new ScramServer(scramPlain, undefined, bytes('s'.repeat(18)));
    for (const message of [
      '',
      'n',
      'n,,',
      'n,,n=',
      'n,,n=,r=',
      'n,a=admin,n=,r=abc',
      'n,,m=ext,n=,r=abc',
      'n,,r=abc,n=',
      'n,,n=,r=a\u007f',
      'n,,n=,r=a\n',
      `n,,n=,r=${'a'.repeat(5000)}`,
    ]) {
      assert.throws(() => server().first(bytes(message), keys), GatewayError, message);
    }
    for (const message of [
      '',
      'c=biws',
      'c=biws,r=abc,p=',
      `c=biws,r=other,p=${'A'.repeat(43)}=`,
      `c=biwsx,r=abc,p=${'A'.repeat(43)}=`,
      `c=biws,r=abc,p=${'A'.repeat(42)}B=`,
    ]) {
      const one = server();
      one.first(bytes('n,,n=,r=abc'), keys);
      assert.throws(() => one.final(bytes(message)), GatewayError, message);
    }
    assert.throws(() => server().final(bytes('c=biws,r=abc,p=AAAA')), GatewayError);
  });

  it('refuses what is malformed, weak or costly from a server', () => {
    const client = (): ScramClient => new ScramClient(scramPlain, undefined, bytes('c'.repeat(18)));
    const nonce = Buffer.from('c'.repeat(18)).toString('base64');
    const good = `r=${nonce}more,s=AAAA,i=4096`;
    assert.equal(client().challenge(bytes(good)).iterations, 4096);
    for (const message of [
      '',
      `r=${nonce},s=AAAA,i=4096`,
      'r=other,s=AAAA,i=4096',
      `r=${nonce}more,s=,i=4096`,
      `r=${nonce}more,s=A,i=4096`,
      `r=${nonce}more,s=${'A'.repeat(4000)},i=4096`,
      `r=${nonce}more,s=AAAA`,
      `r=${nonce}more,s=AAAA,i=4095`,
      `r=${nonce}more,s=AAAA,i=0`,
      `r=${nonce}more,s=AAAA,i=-1`,
      `r=${nonce}more,s=AAAA,i=1000001`,
      `r=${nonce}more,s=AAAA,i=99999999999999999999`,
      `r=${nonce}more,s=AAAA,i=4096x`,
      'e=other-error',
    ]) {
      assert.throws(() => client().challenge(bytes(message)), GatewayError, message);
    }
  });

  it('throws nothing but its own errors at random messages', async () => {
    const keys = await serverKeys('secret');
    const message = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.string({ maxLength: 80 }).map((value) => bytes(`n,,n=,r=${value}`)),
      fc.string({ maxLength: 80 }).map((value) => bytes(`c=biws,r=${value},p=${value}`)),
    );
    const isOurs = (run: () => unknown): void => {
      try {
        run();
      } catch (thrown) {
        assert.ok(thrown instanceof GatewayError, String(thrown));
      }
    };
    fc.assert(
      fc.property(message, message, (one, two) => {
        const server = new ScramServer(scramPlain, undefined, bytes('s'.repeat(18)));
        isOurs(() => server.first(one, keys));
        isOurs(() => assert.equal(server.final(two), undefined));
        const client = new ScramClient(scramPlus, bytes('x'), bytes('c'.repeat(18)));
        isOurs(() => client.challenge(one));
        isOurs(() => assert.equal(client.check(two), false));
      }),
    );
  });
});

describe('preparing a password', () => {
  it('does what RFC 4013 says, and leaves alone what it forbids', () => {
    const cases: readonly (readonly [string, string])[] = [
      ['plain ASCII 123!', 'plain ASCII 123!'],
      ['I\u00adX', 'IX'],
      ['\u00aa', 'a'],
      ['\u2168', 'IX'],
      ['a\u00a0b', 'a b'],
      ['bell\u0007', 'bell\u0007'],
      ['\u00ad', '\u00ad'],
      ['', ''],
      ['\u2168\uffff', '\u2168\uffff'],
    ];
    for (const [given, wanted] of cases) assert.equal(preparePassword(given), wanted);
  });
});

describe('the cache of SCRAM keys', () => {
  it('derives once for a password, and again for another one, salt or count', async () => {
    let derived = 0;
    const cache = new ScramCache(
      { bytes: (count) => new Uint8Array(count).fill(1) },
      async (password, used, iterations) => {
        derived += 1;
        return deriveScramKeys(password, used, iterations);
      },
    );
    const account = { target: 'orders', user: 'robot' };
    const challenge = { salt, iterations: 4096 };
    const [one, two] = await Promise.all([
      cache.keys(account, 'a', challenge),
      cache.keys(account, 'a', challenge),
    ]);
    assert.equal(one, two);
    assert.equal(derived, 1);
    await cache.keys(account, 'b', challenge);
    await cache.keys(account, 'a', { salt: bytes('other salt'), iterations: 4096 });
    await cache.keys(account, 'a', { salt, iterations: 5000 });
    await cache.keys({ target: 'other', user: 'robot' }, 'a', challenge);
    assert.equal(derived, 5);
    await cache.keys(account, 'a', challenge);
    assert.equal(derived, 5);
  });

  it('is bounded, forgets the oldest, and keeps no failure', async () => {
    let fails = false;
    const keys = { clientKey: salt, storedKey: salt, serverKey: salt };
    const cache = new ScramCache({ bytes: (count) => new Uint8Array(count) }, async () => {
      if (fails) throw new Error('no thread');
      return keys;
    });
    const challenge = { salt, iterations: 4096 };
    for (let count = 0; count < 1200; count += 1) {
      await cache.keys({ target: 't', user: `u${count}` }, 'x', challenge);
    }
    assert.equal(cache.size, 1000);
    fails = true;
    await assert.rejects(cache.keys({ target: 't', user: 'new' }, 'x', challenge));
    await Promise.resolve();
    fails = false;
    assert.equal(await cache.keys({ target: 't', user: 'new' }, 'x', challenge), keys);
  });
});
