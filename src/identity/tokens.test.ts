import assert from 'node:assert/strict';
import { createHmac, randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import fc from 'fast-check';
import { GatewayError } from '#core/errors.ts';
import { issuerConfig, jobClaims, TestClock } from '../../test/support/identity.ts';
import { type MintOptions, startIssuer, type TestIssuer } from '../../test/support/issuer.ts';
import { issuerSchema } from './config.ts';
import type { Fetch } from './keys.ts';
import { TokenVerifier } from './tokens.ts';

let issuer: TestIssuer;
before(async () => {
  issuer = await startIssuer();
});
after(() => issuer.stop());

const times = { timeoutMs: 2_000, cooldownMs: 0, cacheMs: 600_000 };

function verifier(change: Readonly<Record<string, unknown>> = {}, clock = new TestClock()) {
  return new TokenVerifier({ issuers: [issuerConfig(issuer.url, change)], clock, fetch, times });
}

/** Why a token is refused. */
async function why(token: string, on: TokenVerifier = verifier()): Promise<string> {
  try {
    await on.verify(token);
  } catch (thrown) {
    assert.ok(thrown instanceof GatewayError);
    return `${thrown.code}: ${String(thrown.facts['why'])}`;
  }
  return 'accepted';
}

const mint = (claims: Readonly<Record<string, unknown>> = {}, options?: MintOptions) =>
  issuer.mint({ ...jobClaims, ...claims }, options);

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('tokens of a trusted issuer', () => {
  it('give the identity that the mapping describes', async () => {
    for (const algorithm of ['RS256', 'ES256', 'EdDSA'] as const) {
      const { identity, once } = await verifier().verify(await mint({}, { algorithm }));
      assert.equal(identity.id, 'ci/1001');
      assert.equal(identity.kind, 'workload');
      assert.equal(identity.owner, 'people/alice');
      assert.equal(identity.displayName, 'acme/shop');
      assert.deepEqual(identity.groups, ['ci']);
      assert.deepEqual(identity.roles, ['member']);
      assert.deepEqual(identity.claims, { ref: 'refs/heads/main' });
      assert.equal(once, false);
    }
  });

  it('give groups and roles by mapping, never from the token alone', async () => {
    const map = {
      kind: 'human',
      groups: { claim: ['realm', 'groups'], prefix: 'corp:' },
      roles: { 'corp:dba': ['reviewer'], 'corp:root': ['admin'] },
      onBehalfOf: { claim: 'for', issuer: 'people' },
    };
    const token = await mint({
      realm: { groups: ['dba', 'x\u202ey', 7, ''] },
      roles: ['admin'],
      for: 'bob',
    });
    const { identity } = await verifier({ map }).verify(token);
    assert.deepEqual(identity.groups, ['corp:dba']);
    assert.deepEqual(identity.roles, ['member', 'reviewer']);
    assert.equal(identity.onBehalfOf, 'people/bob');
    assert.equal(identity.owner, undefined);
  });

  it('are refused for what is wrong with them, one thing at a time', async () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      [await mint({ aud: 'somebody-else' }), /claim aud/],
      [await mint({}, { omit: ['aud'] }), /claim aud/],
      [await mint({ aud: [] }), /claim aud|audience/],
      [await mint({ aud: ['sallyport', 'somebody-else'] }), /another audience too/],
      [await mint({ iss: 'https://evil.example' }), /no such issuer/],
      [await mint({ iss: `${issuer.url}/` }), /no such issuer/],
      [await mint({}, { omit: ['iss'] }), /no such issuer/],
      [await mint({}, { expiresInSeconds: -3_600 }), /SP_EXPIRED: the token has expired/],
      [await mint({}, { expiresInSeconds: null }), /claim exp/],
      [await mint({ nbf: Math.floor(Date.now() / 1_000) + 3_600 }), /claim nbf/],
      [await mint({}, { omit: ['iat'] }), /no iat/],
      [await mint({ iat: Math.floor(Date.now() / 1_000) + 3_600 }), /from the future/],
      [
        await mint({ iat: Math.floor(Date.now() / 1_000) - 7_200 }, { expiresInSeconds: 86_400 }),
        /SP_EXPIRED: the token is too old/,
      ],
      [await mint({ repository_owner_id: '43' }), /repository_owner_id is not as ci requires/],
      [await mint({}, { omit: ['repository_owner_id'] }), /is not as ci requires/],
      [await mint({ repository_owner_id: { toString: '42' } }), /is not as ci requires/],
      [await mint({}, { omit: ['repository_id'] }), /repository_id is missing/],
      [await mint({ repository_id: '' }), /repository_id is missing/],
      [await mint({ repository_id: '1\n2' }), /control characters/],
      [await mint({ repository_id: 'x'.repeat(600) }), /too long/],
      [await mint({}, { omit: ['actor'] }), /actor is missing/],
      [await mint({}, { header: { typ: 'logout+jwt' } }), /another type/],
      [await mint({}, { header: { typ: 'dpop+jwt' } }), /another type/],
      [await mint({}, { header: { kid: 'unknown' } }), /ERR_JWKS_NO_MATCHING_KEY/],
      [await mint({}, { header: { crit: ['x'], x: 1 } }).catch(() => 'a.b.c'), /./],
    ];
    for (const [token, expected] of cases) assert.match(await why(token), expected);
    assert.equal(await why(await mint({}, { header: { typ: 'application/JWT' } })), 'accepted');
    assert.equal(await why(await mint({ aud: ['sallyport'] })), 'accepted');
    assert.equal(await why(await mint({ repository_owner_id: ['7', 42] })), 'accepted');
  });

  it('are refused without a signature, with a shared key, or with a key of their own', async () => {
    const token = await mint();
    const [header = '', payload = '', signature = ''] = token.split('.');
    const none = `${encode({ alg: 'none', typ: 'JWT' })}.${payload}.`;
    assert.match(await why(none), /not a token/);
    assert.match(await why(`${encode({ alg: 'none' })}.${payload}.AA`), /SP_LOGIN_FAILED/);
    const publicKey = await (await fetch(`${issuer.url}/jwks`)).text();
    for (const key of [publicKey, '', 'sallyport']) {
      const signed = `${encode({ alg: 'HS256', kid: 'rs256-1' })}.${payload}`;
      const mac = createHmac('sha256', key).update(signed).digest('base64url');
      assert.match(await why(`${signed}.${mac}`), /SP_LOGIN_FAILED/);
    }
    const own = await generateKeyPair('RS256');
    const jwk = await exportJWK(own.publicKey);
    const forged = await new SignJWT({ ...jobClaims, iss: issuer.url })
      .setProtectedHeader({ alg: 'RS256', kid: 'rs256-1', jwk, jku: 'https://evil.example/jwks' })
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(own.privateKey);
    assert.match(await why(forged), /ERR_JWS_SIGNATURE_VERIFICATION_FAILED/);
    const more = encode({ ...jobClaims, iss: issuer.url, repository_id: '9' });
    assert.match(await why(`${header}.${more}.${signature}`), /SIGNATURE/);
  });

  it('are refused with an algorithm that the issuer is not pinned to', async () => {
    const on = verifier({ algorithms: ['ES256'] });
    assert.equal(await why(await mint({}, { algorithm: 'ES256' }), on), 'accepted');
    assert.match(await why(await mint({}, { algorithm: 'RS256' }), on), /ALG_NOT_ALLOWED/);
  });

  it('end when the token ends, or when it is too old, whichever is first', async () => {
    const clock = new TestClock();
    const iat = Math.floor(clock.now() / 1_000);
    const short = await verifier({}, clock).verify(await mint({ iat }, { expiresInSeconds: 60 }));
    assert.ok(Math.abs(short.identity.expiresAt - (iat + 60) * 1_000) <= 1_000);
    const long = await verifier({}, clock).verify(
      await mint({ iat }, { expiresInSeconds: 99_999 }),
    );
    assert.equal(long.identity.expiresAt, (iat + 3_600) * 1_000);
    assert.ok(long.spentUntil > long.identity.expiresAt);
    const token = await mint({ iat }, { expiresInSeconds: 60 });
    clock.pass(80_000);
    const late = await verifier({}, clock).verify(token);
    assert.ok(late.identity.expiresAt <= clock.now() + 2_000, 'the skew is not a longer life');
    clock.pass(20_000);
    assert.match(await why(token, verifier({}, clock)), /SP_EXPIRED/);
  });

  it('need a jti where the issuer is configured so', async () => {
    const token = await mint({}, { omit: ['jti'] });
    assert.match(await why(token, verifier({ jti: 'required' })), /no jti/);
    assert.match(await why(token, verifier({ jti: 'once' })), /no jti/);
    const { spendKey } = await verifier().verify(token);
    assert.match(spendKey, /^sha256:[0-9a-f]{64}$/);
    const jti = randomUUID();
    assert.equal((await verifier().verify(await mint({ jti }))).spendKey, `jti:${jti}`);
    const far = (await verifier().verify(await mint({ jti: 'x'.repeat(300) }))).spendKey;
    assert.match(far, /^sha256:/);
  });

  it('never make the verifier throw anything but its two errors', async () => {
    const on = verifier();
    const part = fc.oneof(fc.string(), fc.base64String(), fc.json().map(encode));
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 5 }), async (parts) => {
        assert.match(await why(parts.join('.'), on), /^SP_(LOGIN_FAILED|EXPIRED)/);
      }),
      { numRuns: 300 },
    );
    assert.match(await why('x'.repeat(100_000), on), /not a token/);
  });
});

describe('keys of an issuer', () => {
  it('are fetched once, and again when they were rotated', async () => {
    const own = await startIssuer();
    try {
      const on = new TokenVerifier({
        issuers: [issuerConfig(own.url)],
        clock: new TestClock(),
        fetch,
        times,
      });
      for (let count = 0; count < 5; count += 1) await on.verify(await own.mint(jobClaims));
      assert.equal(own.keyFetches, 1);
      const old = await own.mint(jobClaims);
      await own.rotateKeys();
      await on.verify(await own.mint(jobClaims));
      assert.equal(own.keyFetches, 2);
      assert.match(await why(old, on), /NO_MATCHING_KEY/);
    } finally {
      await own.stop();
    }
  });

  it('are not asked for again and again when the issuer is down', async () => {
    const clock = new TestClock();
    let asked = 0;
    let down = true;
    const flaky: Fetch = async (url, options) => {
      asked += 1;
      if (down) throw new Error('unreachable');
      return fetch(url, options);
    };
    const issuers = [issuerConfig(issuer.url)];
    const on = new TokenVerifier({ issuers, clock, fetch: flaky, times });
    for (let count = 0; count < 20; count += 1) {
      assert.match(await why(await mint(), on), /keys of the issuer are not available/);
    }
    assert.equal(asked, 1);
    down = false;
    clock.pass(times.timeoutMs);
    assert.equal(await why(await mint(), on), 'accepted');
  });

  it('are not taken from a discovery document of another issuer, a redirect or a flood', async () => {
    const answers: readonly Fetch[] = [
      async () => Response.json({ issuer: 'https://evil.example', jwks_uri: `${issuer.url}/jwks` }),
      async () => Response.json({ issuer: issuer.url, jwks_uri: 'http://evil.example/jwks' }),
      async () => Response.json({ issuer: issuer.url }),
      async () => Response.json([]),
      async () => new Response('x'.repeat(600 * 1024)),
      async () => new Response('{', { status: 200 }),
      async () => new Response('{}', { status: 500 }),
      async (_url, options) => {
        assert.equal(options.redirect, 'error');
        throw new TypeError('unexpected redirect');
      },
    ];
    for (const answer of answers) {
      const issuers = [issuerConfig(issuer.url)];
      const on = new TokenVerifier({ issuers, clock: new TestClock(), fetch: answer, times });
      assert.match(await why(await mint(), on), /keys of the issuer are not available/);
    }
  });

  it('can stand in the configuration, and SPIFFE bundles are read', async () => {
    const { publicKey, privateKey } = await generateKeyPair('ES256');
    const jwk = { ...(await exportJWK(publicKey)), kid: 'a' };
    const spiffe = {
      url: 'https://spire.example',
      trustDomain: 'acme.example',
      require: [{ claim: 'sub', matches: 'spiffe://acme\\.example/ns/prod/.+' }],
      map: { kind: 'workload', owner: { value: 'people/alice' } },
      jwks: {
        keys: [
          { ...jwk, use: 'x509-svid', kid: 'x' },
          { ...jwk, use: 'jwt-svid' },
        ],
      },
    };
    const on = verifier(spiffe);
    const svid = (claims: Readonly<Record<string, unknown>>, kid = 'a') =>
      new SignJWT({ aud: ['sallyport'], ...claims })
        .setProtectedHeader({ alg: 'ES256', kid })
        .setExpirationTime('5m')
        .sign(privateKey);
    const sub = 'spiffe://acme.example/ns/prod/sa/web';
    assert.equal((await on.verify(await svid({ sub }))).identity.id, `ci/${sub}`);
    assert.match(await why(await svid({ sub }, 'x'), on), /NO_MATCHING_KEY/);
    assert.match(await why(await svid({ sub: 'spiffe://evil.example/ns/prod/a' }), on), /issuer/);
    assert.match(
      await why(await svid({ sub: 'spiffe://acme.example/ns/dev/a' }), on),
      /sub is not/,
    );
    const named = { iss: 'https://spire.example', sub: 'spiffe://evil.example/ns/prod/a' };
    assert.match(await why(await svid(named), on), /another trust domain/);
  });
});

describe('the configuration of an issuer', () => {
  const good = {
    name: 'ci',
    url: 'https://ci.example',
    audience: 'sallyport',
    require: [{ claim: 'a', equals: 'b' }],
    map: { kind: 'human' },
  };

  it('is refused where it could let the wrong ones in', () => {
    assert.equal(issuerSchema.safeParse(good).success, true);
    const bad: readonly Readonly<Record<string, unknown>>[] = [
      { require: [] },
      { require: undefined },
      { require: [{ claim: 'a' }] },
      { require: [{ claim: 'a', equals: 'b', oneOf: ['c'] }] },
      { require: [{ claim: 'a', matches: '(' }] },
      { require: [{ claim: 'a', matches: '(?=x)' }] },
      { audience: undefined },
      { audience: [] },
      { audience: '' },
      { url: 'http://ci.example' },
      { url: 'https://user:pass@ci.example' },
      { jwks: { uri: 'http://ci.example/jwks' } },
      { jwks: { keys: [{ kty: 'oct', k: 'AA' }] } },
      { algorithms: ['HS256'] },
      { algorithms: ['none'] },
      { algorithms: [] },
      { map: { kind: 'workload' } },
      { map: { kind: 'human', roles: { a: ['root'] } } },
      { clockSkew: '1h' },
      { name: 'people' },
      { name: 'a/b' },
      { unknown: 1 },
    ];
    for (const change of bad) {
      const result = issuerSchema.safeParse({ ...good, ...change });
      assert.equal(result.success, false, JSON.stringify(change));
    }
  });

  it('takes a nested claim by path and a dotted one by name', async () => {
    const require = [
      { claim: ['kubernetes.io', 'namespace'], equals: 'prod' },
      { claim: 'https://acme.example/tier', oneOf: [1, 2] },
    ];
    const on = verifier({ require });
    const claims = { 'kubernetes.io': { namespace: 'prod' }, 'https://acme.example/tier': 2 };
    assert.equal(await why(await mint(claims), on), 'accepted');
    assert.match(await why(await mint({ ...claims, 'kubernetes.io': {} }), on), /requires/);
    const dotted = { ...claims, 'kubernetes.io': undefined, 'kubernetes.io.namespace': 'prod' };
    assert.match(await why(await mint(dotted), on), /requires/);
    const inherited = verifier({ require: [{ claim: ['ref', 'length'], equals: 15 }] });
    assert.match(await why(await mint(), inherited), /requires/);
  });
});
