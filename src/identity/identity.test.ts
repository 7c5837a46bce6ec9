import assert from 'node:assert/strict';
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { GatewayError } from '#core/errors.ts';
import type { Identity } from '#core/identity.ts';
import { asEpochMs, asId } from '#core/ids.ts';
import type { ExchangeAnswer } from '#core/ports/exchange.ts';
import type { LockSubject } from '#core/ports/locks.ts';
import { systemRandom } from '#core/random.ts';
import { Secret } from '#core/secret.ts';
import { openStore, type Store } from '#store/store.ts';
import {
  issuerConfig,
  jobClaims,
  MemoryEvents,
  TestClock,
  testTarget,
} from '../../test/support/identity.ts';
import { startIssuer, type TestIssuer } from '../../test/support/issuer.ts';
import { Authenticator } from './authenticator.ts';
import { bootstrapAdmin } from './bootstrap.ts';
import { grantSchema, personSchema } from './config.ts';
import { Credentials, credentialIdOf, hashOfToken, newToken } from './credentials.ts';
import { EXCHANGE_GRANT, TokenExchange } from './exchange.ts';
import { Grants } from './grants.ts';
import { LockSet } from './locks.ts';
import { Revocation } from './revocation.ts';
import { TokenVerifier } from './tokens.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-identity-'));
let issuer: TestIssuer;
let store: Store;
let clock: TestClock;
let events: MemoryEvents;
let stores = 0;

before(async () => {
  issuer = await startIssuer();
});
after(async () => {
  await issuer.stop();
  rmSync(folder, { recursive: true });
});
beforeEach(async (context) => {
  clock = new TestClock();
  events = new MemoryEvents();
  stores += 1;
  const opened = await openStore({ path: join(folder, `${stores}.db`), clock, thread: 'inline' });
  store = opened;
  if ('after' in context) context.after(() => opened.close());
});

const identity = (change: Partial<Identity> = {}): Identity => ({
  id: asId('ci/1001'),
  kind: 'workload',
  issuer: 'ci',
  subject: '1001',
  displayName: 'acme/shop',
  groups: ['ci'],
  roles: ['member'],
  owner: 'people/alice',
  onBehalfOf: undefined,
  claims: { ref: 'refs/heads/main' },
  expiresAt: asEpochMs(clock.now() + 3_600_000),
  ...change,
});

const credentials = (lifeMsMax = 900_000): Credentials =>
  new Credentials({ store: store.credentials, clock, random: systemRandom, lifeMsMax });

function parts(change: Readonly<Record<string, unknown>> = {}) {
  const tokens = new TokenVerifier({ issuers: [issuerConfig(issuer.url, change)], clock, fetch });
  return { tokens, credentials: credentials(), spent: store.spentTokens, people: [], clock };
}

const refused = async (work: Promise<unknown>): Promise<string> => {
  try {
    const result = await work;
    const isRefusal = typeof result === 'object' && result !== null && 'error' in result;
    return isRefusal && 'why' in result
      ? `${String(result.error)}: ${String(result.why)}`
      : 'accepted';
  } catch (thrown) {
    if (thrown instanceof GatewayError) return `${thrown.code}: ${String(thrown.facts['why'])}`;
    throw thrown;
  }
};

const anywhere = { targets: [], accounts: [] };

describe('credentials', () => {
  it('are checked by hash, end on time, and can be revoked', async () => {
    const all = credentials();
    const order = { identity: identity(), scope: { targets: ['orders'], accounts: [] } };
    const { token, record } = await all.issue({ ...order, expiresAt: order.identity.expiresAt });
    const text = token.reveal();
    assert.match(text, /^sp_[0-9a-f]{32}_[A-Za-z0-9_-]{43}$/);
    assert.equal(credentialIdOf(text), record.id);
    assert.equal(record.expiresAt, record.issuedAt + 900_000);
    assert.equal(record.identity.expiresAt, record.expiresAt);
    assert.deepEqual((await all.check(text)).scope, order.scope);
    const wrong = text.slice(0, -1) + (text.endsWith('A') ? 'B' : 'A');
    assert.match(await refused(all.check(wrong)), /SP_LOGIN_FAILED: wrong secret/);
    assert.match(await refused(all.check('sp_x')), /SP_LOGIN_FAILED: no such/);
    assert.match(
      await refused(all.check(newToken(clock.now(), systemRandom).token)),
      /SP_LOGIN_FAILED: no such/,
    );
    const revocation = new Revocation({ store: store.credentials, events, clock });
    const revoked: string[] = [];
    revocation.onRevoked((id) => revoked.push(id));
    assert.equal(await revocation.revoke(record.id, 'people/bob'), true);
    assert.equal(await revocation.revoke(record.id, 'people/bob'), false);
    assert.deepEqual(revoked, [record.id]);
    assert.deepEqual(events.types, ['credential.revoked']);
    assert.match(await refused(all.check(text)), /revoked/);
    const second = await all.issue({ ...order, expiresAt: asEpochMs(clock.now() + 5_000) });
    const third = await all.issue({ ...order, expiresAt: order.identity.expiresAt });
    clock.pass(5_001);
    assert.deepEqual(await revocation.revokeOf('ci/1001', 'people/bob'), [third.record.id]);
    assert.match(await refused(all.check(third.token.reveal())), /revoked/);
    assert.match(await refused(all.check(second.token.reveal())), /SP_EXPIRED/);
    assert.match(await refused(all.verified(second.record.id)), /SP_EXPIRED/);
  });

  it('keep nothing from which the secret could be had', async () => {
    const { token, record } = await credentials().issue({
      identity: identity(),
      scope: anywhere,
      expiresAt: asEpochMs(clock.now() + 60_000),
    });
    const secret = token.reveal().split('_').slice(2).join('_');
    const kept = JSON.stringify(await store.credentials.find(record.id));
    assert.equal(kept.includes(secret), false);
    assert.equal(record.hash, hashOfToken(token.reveal()));
    assert.equal(JSON.stringify({ token }), '{"token":"[secret]"}');
  });

  it('have SCRAM keys as RFC 5802 computes them, and so has every id', async () => {
    const all = credentials();
    const { token, record } = await all.issue({
      identity: identity(),
      scope: anywhere,
      expiresAt: asEpochMs(clock.now() + 60_000),
    });
    const keys = await all.scramKeys(record.id);
    const salted = pbkdf2Sync(token.reveal(), keys.salt, keys.iterations, 32, 'sha256');
    const hmac = (text: string) => createHmac('sha256', salted).update(text).digest();
    const stored = createHash('sha256').update(hmac('Client Key')).digest();
    assert.deepEqual(Buffer.from(keys.storedKey), stored);
    assert.deepEqual(Buffer.from(keys.serverKey), hmac('Server Key'));
    assert.ok(keys.iterations >= 4_096);
    const unknown = asId<typeof record.id>('0'.repeat(32));
    const [first, second] = [await all.scramKeys(unknown), await all.scramKeys(unknown)];
    assert.deepEqual(first.salt, second.salt);
    assert.equal(first.salt.length, keys.salt.length);
    assert.equal(first.iterations, keys.iterations);
    assert.equal(first.storedKey.length, keys.storedKey.length);
    assert.match(await refused(all.verified(unknown)), /no such/);
  });
});

describe('the authenticator', () => {
  it('takes tokens, credentials and people, as password, bearer and SCRAM', async () => {
    const { token, id } = newToken(clock.now(), systemRandom);
    const people = [
      personSchema.parse({
        name: 'bob',
        groups: ['dba'],
        roles: ['reviewer'],
        credential: { id, sha256: hashOfToken(token) },
      }),
    ];
    const all = parts();
    const door = new Authenticator({ ...all, people });
    const jwt = await issuer.mint(jobClaims);
    for (const kind of ['password', 'bearer'] as const) {
      const proof = { kind, secret: new Secret(jwt) };
      assert.equal((await door.authenticate(proof)).identity.id, 'ci/1001');
    }
    const bob = await door.authenticate({ kind: 'password', secret: new Secret(token) });
    assert.equal(bob.identity.id, 'people/bob');
    assert.deepEqual(bob.identity.roles, ['member', 'reviewer']);
    const forged = new Secret(token.slice(0, -2) + (token.endsWith('AA') ? 'BB' : 'AA'));
    assert.match(await refused(door.authenticateBearer(forged)), /wrong secret/);
    const issued = await all.credentials.issue({
      identity: identity(),
      scope: { targets: ['orders'], accounts: ['app'] },
      expiresAt: asEpochMs(clock.now() + 60_000),
    });
    const opaque = await door.authenticate({ kind: 'password', secret: issued.token });
    assert.deepEqual(opaque.scope, { targets: ['orders'], accounts: ['app'] });
    const dashed = issued.record.id.replace(/^(.{8})(.{4})/, '$1-$2-');
    const scram = await door.authenticate({ kind: 'scram', credential: dashed, verified: true });
    assert.deepEqual(scram, opaque);
    const nobody = { kind: 'scram', credential: 'nobody', verified: true } as const;
    assert.match(await refused(door.authenticate(nobody)), /SP_LOGIN_FAILED/);
    assert.equal((await door.scramKeys('nobody')).salt.length, 16);
    for (const text of ['', 'secret', 'a.b', 'x'.repeat(1 << 20)]) {
      const proof = { kind: 'password', secret: new Secret(text) } as const;
      assert.match(await refused(door.authenticate(proof)), /SP_LOGIN_FAILED/);
    }
  });

  it('knows a person by a public key that the protocol has checked, and nobody by another', async () => {
    const blob = Buffer.from(`\0\0\0\x0bssh-ed25519\0\0\0 ${'k'.repeat(32)}`, 'latin1');
    const line = `ssh-ed25519 ${blob.toString('base64')} ann@laptop`;
    const person = (name: string) =>
      personSchema.parse({
        name,
        credential: { id: name.repeat(32).slice(0, 32), sha256: '0'.repeat(64) },
        sshKeys: [line],
      });
    const door = new Authenticator({ ...parts(), people: [person('a')] });
    const ann = await door.authenticate({ kind: 'public-key', key: blob, verified: true });
    assert.equal(ann.identity.id, 'people/a');
    const other = Buffer.from(blob);
    other[other.length - 1] = 0;
    const stranger = { kind: 'public-key', key: other, verified: true } as const;
    assert.match(await refused(door.authenticate(stranger)), /no such public key/);
    const twice = () => new Authenticator({ ...parts(), people: [person('a'), person('b')] });
    assert.throws(twice, /two people have one public key/);
    assert.throws(() => personSchema.parse({ ...person('a'), sshKeys: [`command="x" ${line}`] }));
  });

  it('lets a token be used again until it is over, or once where that is configured', async () => {
    const often = new Authenticator(parts());
    const token = new Secret(await issuer.mint(jobClaims));
    await often.authenticate({ kind: 'password', secret: token });
    await often.authenticate({ kind: 'password', secret: token });
    const once = new Authenticator(parts({ jti: 'once' }));
    assert.match(await refused(once.authenticateBearer(token)), /must be exchanged/);
    const both = await Promise.all(
      [1, 2].map(() => refused(once.authenticate({ kind: 'password', secret: token }))),
    );
    assert.deepEqual(both.sort(), ['SP_LOGIN_FAILED: a spent token', 'accepted']);
    assert.match(await refused(often.authenticateBearer(token)), /spent/);
  });
});

describe('grants', () => {
  const target = testTarget('orders', { env: 'prod' });
  const decide = (grant: Readonly<Record<string, unknown>>, account?: string, who = identity()) => {
    const base = { id: 'g', identities: ['group:ci'], targets: ['orders'], accounts: ['app'] };
    const grants = new Grants([grantSchema.parse({ ...base, ...grant })]);
    return grants.resolve(who, target, { account, purpose: undefined }, clock.now());
  };
  const allowed = (...wish: Parameters<typeof decide>): boolean => decide(...wish).allowed;

  it('fit by identity, claims, target, labels and account', () => {
    assert.equal(allowed({}), true);
    assert.equal(allowed({ identities: ['group:other'] }), false);
    assert.equal(allowed({ identities: ['group:other', 'identity:ci/*'] }), true);
    assert.equal(allowed({ identities: ['kind:human'] }), false);
    assert.equal(allowed({ identities: ['owner:people/alice'] }), true);
    assert.equal(allowed({ claims: { ref: ['refs/heads/main'] } }), true);
    assert.equal(allowed({ claims: { ref: 'refs/heads/x' } }), false);
    assert.equal(allowed({ claims: { constructor: 'x' } }), false);
    assert.equal(allowed({ targets: ['other'] }), false);
    assert.equal(allowed({ targets: [{ env: 'prod' }] }), true);
    assert.equal(allowed({ targets: { env: ['dev', 'prod'] } }), true);
    assert.equal(allowed({ targets: { env: 'prod', tier: '1' } }), false);
    assert.equal(allowed({}, 'readonly'), false);
    assert.equal(allowed({ accounts: ['app', 'readonly'] }, 'readonly'), true);
    assert.equal(allowed({ accounts: ['nobody'] }, 'nobody'), false);
  });

  it('give an account to a client that names none, only if it is clear which', () => {
    const two = { accounts: ['app', 'readonly'] };
    assert.equal(allowed(two), false);
    const decision = decide({ ...two, defaultAccount: 'readonly' });
    assert.equal(decision.allowed && decision.account.name, 'readonly');
    const single = decide({});
    assert.equal(single.allowed && single.account.name, 'app');
  });

  it('end with the credential, the grant, its hours and its longest session', () => {
    const now = clock.now();
    const iso = (ms: number) => new Date(ms).toISOString();
    assert.equal(allowed({ from: iso(now + 60_000) }), false);
    assert.equal(allowed({ until: iso(now - 1) }), false);
    const until = decide({ until: iso(now + 60_000) });
    assert.equal(until.allowed && until.expiresAt, now + 60_000);
    const short = decide({ sessionMax: '5s' });
    assert.ok(short.allowed && short.expiresAt <= clock.now() + 5_000);
    const own = decide({ until: iso(now + 86_400_000) });
    assert.ok(own.allowed && own.expiresAt <= clock.now() + 3_600_000);
    assert.equal(allowed({}, undefined, identity({ expiresAt: now })), false);
  });

  it('of several the longest lets in', () => {
    const grant = (id: string, sessionMax: string) =>
      grantSchema.parse({
        id,
        identities: ['group:ci'],
        targets: ['*'],
        accounts: ['app'],
        sessionMax,
      });
    const grants = new Grants([grant('a', '1m'), grant('b', '5m'), grant('c', '1s')]);
    const decision = grants.resolve(
      identity(),
      target,
      { account: 'app', purpose: undefined },
      clock.now(),
    );
    assert.equal(decision.allowed && decision.grant, 'b');
    assert.throws(() => new Grants([grant('a', '1m'), grant('a', '1m')]), { code: 'SP_CONFIG' });
  });

  it('have the purpose that the credential names, and never a choice of them', () => {
    const grant = (id: string, sessionMax: string, purpose?: string) =>
      grantSchema.parse({
        id,
        identities: ['group:ci'],
        targets: ['*'],
        accounts: ['app'],
        sessionMax,
        ...(purpose === undefined ? {} : { purpose }),
      });
    const plain = grant('plain', '1s');
    const support = grant('support', '5m', 'support');
    const billing = grant('billing', '9m', 'billing');
    const given = (grants: readonly ReturnType<typeof grant>[], purpose?: string): string => {
      const wish = { account: 'app', purpose };
      const decision = new Grants(grants).resolve(identity(), target, wish, clock.now());
      return decision.allowed ? `${decision.grant} ${decision.purpose}` : decision.why;
    };
    const all = [plain, support, billing];
    assert.equal(given(all), 'plain undefined', 'none is named: the grant without one');
    assert.equal(given(all, 'support'), 'support support');
    assert.equal(given(all, 'billing'), 'billing billing');
    assert.match(given(all, 'research'), /for another purpose/);
    assert.match(given([plain], 'support'), /for another purpose/);
    assert.equal(given([support]), 'support support', 'there is nothing to choose');
    assert.match(given([support, billing]), /has to name a purpose/);
  });

  it('are refused at load where they would mean nothing or everything', () => {
    const base = { id: 'g', identities: ['group:ci'], targets: ['orders'], accounts: ['app'] };
    const bad: readonly Readonly<Record<string, unknown>>[] = [
      { identities: [] },
      { identities: ['dba'] },
      { identities: ['grp:dba'] },
      { targets: [] },
      { targets: [{}] },
      { accounts: [] },
      { defaultAccount: 'other' },
      { hours: { from: '18:00', to: '08:00' } },
      { hours: { timezone: 'Mars/Base' } },
      { hours: { from: '25:00' } },
      { until: 'tomorrow' },
      { unknown: true },
    ];
    for (const change of bad) {
      const { success } = grantSchema.safeParse({ ...base, ...change });
      assert.equal(success, false, JSON.stringify(change));
    }
  });
});

describe('locks', () => {
  const subject = (change: Partial<LockSubject> = {}): LockSubject => ({
    identity: asId('ci/1001'),
    owner: 'people/alice',
    onBehalfOf: undefined,
    target: 'orders',
    session: 's1',
    ...change,
  });
  const load = (): Promise<LockSet> =>
    LockSet.load({ store: store.locks, events, clock, random: systemRandom });

  it('stop whom they name, at once, and outlive a restart', async () => {
    const locks = await load();
    let changes = 0;
    const stop = locks.onChange(() => {
      changes += 1;
    });
    const order = { reason: 'left', until: undefined, by: 'people/bob' };
    assert.equal(locks.check(subject()), undefined);
    const pending = locks.add({ kind: 'owner', value: 'people/alice', ...order });
    assert.equal(locks.check(subject())?.reason, 'left', 'before it is stored');
    assert.equal(changes, 1);
    const lock = await pending;
    assert.equal(locks.check(subject({ owner: 'people/carol' })), undefined);
    const alice = subject({ identity: asId('people/alice'), owner: undefined });
    assert.equal(locks.check(alice)?.id, lock.id);
    const forAlice = subject({ owner: undefined, onBehalfOf: asId('people/alice') });
    assert.equal(locks.check(forAlice)?.id, lock.id);
    assert.equal((await load()).check(subject())?.id, lock.id);
    assert.equal(await locks.remove(lock.id, 'people/bob'), true);
    assert.equal(await locks.remove(lock.id, 'people/bob'), false);
    assert.equal(locks.check(subject()), undefined);
    assert.equal((await load()).check(subject()), undefined);
    assert.deepEqual(events.types, ['lock.added', 'lock.removed']);
    stop();
    for (const [kind, value] of [
      ['identity', 'ci/1001'],
      ['target', 'orders'],
      ['session', 's1'],
    ] as const) {
      const one = await locks.add({ kind, value, ...order });
      assert.equal(locks.check(subject())?.kind, kind);
      await locks.remove(one.id, 'people/bob');
    }
    assert.equal(changes, 2);
  });

  it('run out, and say so', async () => {
    const locks = await load();
    const until = asEpochMs(clock.now() + 1_000);
    await locks.add({ kind: 'target', value: 'orders', reason: 'r', until, by: 'people/bob' });
    assert.notEqual(locks.check(subject()), undefined);
    clock.pass(1_001);
    assert.equal(locks.check(subject()), undefined);
    assert.deepEqual(locks.list(), []);
    await locks.sweep();
    assert.deepEqual(events.told.at(-1)?.data['ranOut'], true);
    assert.deepEqual(await store.locks.list(), []);
  });

  it('act even when they cannot be stored or told, or a subscriber fails', async () => {
    const locks = await load();
    let others = 0;
    locks.onChange(() => {
      throw new Error('a subscriber fails');
    });
    locks.onChange(() => {
      others += 1;
    });
    const order = { kind: 'target', value: 'orders', reason: 'r', until: undefined } as const;
    await assert.rejects(locks.add({ ...order, by: 'people/bob' }), { code: 'SP_INTERNAL' });
    assert.equal(others, 1);
    assert.equal((await store.locks.list()).length, 1);
    events.failing = true;
    await assert.rejects(locks.add({ ...order, value: 'two', by: 'people/bob' }));
    assert.notEqual(locks.check(subject({ target: 'two' })), undefined);
    const [lock] = locks.list();
    await assert.rejects(locks.remove(lock?.id ?? asId(''), 'people/bob'));
    assert.notEqual(locks.check(subject()), undefined, 'an unlock that cannot be told is none');
  });
});

describe('token exchange', () => {
  const target = testTarget('orders');
  const grants = new Grants([
    grantSchema.parse({
      id: 'g',
      identities: ['group:ci'],
      targets: ['orders'],
      accounts: ['app', 'readonly'],
      sessionMax: '5m',
    }),
    grantSchema.parse({
      id: 'support',
      identities: ['group:ci'],
      targets: ['orders'],
      accounts: ['app'],
      purpose: 'support',
    }),
  ]);

  async function setUp() {
    const all = parts();
    const locks = await LockSet.load({ store: store.locks, events, clock, random: systemRandom });
    const exchange = new TokenExchange({
      ...all,
      grants: () => grants,
      target: (name) => (name === 'orders' ? target : undefined),
      locks,
      events,
    });
    const get = async (request: URLSearchParams): Promise<ExchangeAnswer> => {
      const answer = await exchange.exchange(request);
      assert.ok(!('error' in answer), 'refused');
      return answer;
    };
    return { exchange, get, locks, door: new Authenticator(all) };
  }

  const form = (token: string, more: readonly (readonly [string, string])[] = []) =>
    new URLSearchParams([
      ['grant_type', EXCHANGE_GRANT],
      ['subject_token', token],
      ['subject_token_type', 'urn:ietf:params:oauth:token-type:jwt'],
      ...more.map(([name, value]): [string, string] => [name, value]),
    ]);

  it('gives a credential, spends the token, and tells of it', async () => {
    const { exchange, get, door } = await setUp();
    const token = await issuer.mint(jobClaims, { expiresInSeconds: 7_200 });
    const answer = await get(form(token));
    assert.equal(answer.tokenType, 'Bearer');
    assert.equal(answer.issuedTokenType, 'urn:ietf:params:oauth:token-type:access_token');
    assert.ok(answer.expiresInSeconds > 890 && answer.expiresInSeconds <= 900);
    const proof = { kind: 'password', secret: answer.accessToken } as const;
    assert.equal((await door.authenticate(proof)).identity.id, 'ci/1001');
    assert.match(await refused(exchange.exchange(form(token))), /a spent token/);
    const direct = { kind: 'password', secret: new Secret(token) } as const;
    assert.match(await refused(door.authenticate(direct)), /a spent token/);
    assert.deepEqual(events.types, ['credential.issued']);
    assert.equal(JSON.stringify(events.told).includes(answer.accessToken.reveal()), false);
  });

  it('gives one credential to two who bring one token at once', async () => {
    const { exchange } = await setUp();
    const token = await issuer.mint(jobClaims);
    const both = await Promise.all([1, 2].map(() => refused(exchange.exchange(form(token)))));
    assert.deepEqual(both.sort(), ['accepted', 'invalid_request: a spent token']);
  });

  it('never lives longer than the token or the grant', async () => {
    const { get } = await setUp();
    const short = await issuer.mint(jobClaims, { expiresInSeconds: 100 });
    assert.ok((await get(form(short))).expiresInSeconds <= 100);
    const narrow = form(await issuer.mint(jobClaims), [['audience', 'readonly@orders']]);
    assert.ok((await get(narrow)).expiresInSeconds <= 300);
    const data = events.told.at(-1)?.data;
    assert.deepEqual(data?.['targets'], ['orders']);
    assert.deepEqual(data?.['accounts'], ['readonly']);
    const resource = form(await issuer.mint(jobClaims), [['resource', 'sallyport://orders']]);
    assert.ok((await get(resource)).expiresInSeconds <= 300);
  });

  it('narrows a credential to a purpose of the grants, which every login then has', async () => {
    const { get, door } = await setUp();
    const order = [
      ['scope', 'purpose:support'],
      ['audience', 'app@orders'],
    ] as const;
    const { accessToken } = await get(form(await issuer.mint(jobClaims), order));
    const proof = { kind: 'password', secret: accessToken } as const;
    assert.equal((await door.authenticate(proof)).scope?.purpose, 'support');
    assert.equal(events.told.at(-1)?.data['purpose'], 'support');
  });

  it('refuses what it should, without spending the token', async () => {
    const { exchange, locks } = await setUp();
    const token = await issuer.mint(jobClaims);
    const change = (name: string, value: string): URLSearchParams => {
      const changed = form(token);
      changed.set(name, value);
      return changed;
    };
    const twice = form(token, [['subject_token', token]]);
    const purposes = [['scope', 'purpose:research']] as const;
    const cases: readonly (readonly [URLSearchParams, RegExp])[] = [
      [new URLSearchParams(), /^unsupported_grant_type/],
      [change('grant_type', 'client_credentials'), /^unsupported_grant_type/],
      [change('subject_token', ''), /^invalid_request/],
      [change('subject_token', 'x.y.z'), /^invalid_request: SP_LOGIN_FAILED/],
      [change('subject_token_type', 'urn:ietf:params:oauth:token-type:saml2'), /^invalid_request/],
      [change('requested_token_type', 'urn:x'), /^invalid_request/],
      [change('actor_token', 'x'), /^invalid_request/],
      [change('scope', 'admin'), /^invalid_request/],
      [change('scope', 'purpose:Support'), /^invalid_request/],
      [change('scope', 'purpose:support purpose:billing'), /^invalid_request/],
      [form(token, [...purposes, ['audience', 'orders']]), /^invalid_target/],
      [twice, /^invalid_request/],
      [change('audience', 'nowhere'), /^invalid_target/],
      [change('audience', 'root@orders'), /^invalid_target/],
      [change('resource', 'https://orders'), /^invalid_target/],
      [
        form(token, [
          ['audience', 'app@orders'],
          ['audience', 'orders'],
        ]),
        /^invalid_target/,
      ],
      [
        form(
          token,
          Array.from({ length: 60 }, (_, at) => ['audience', `t${at}`]),
        ),
        /^invalid_target/,
      ],
    ];
    for (const [request, expected] of cases) {
      assert.match(await refused(exchange.exchange(request)), expected, String(request));
    }
    const lock = {
      kind: 'owner',
      value: 'people/alice',
      reason: 'left',
      until: undefined,
    } as const;
    const { id } = await locks.add({ ...lock, by: 'people/bob' });
    assert.match(await refused(exchange.exchange(form(token))), /SP_LOCKED/);
    await locks.remove(id, 'people/bob');
    assert.equal(await refused(exchange.exchange(form(token))), 'accepted');
  });
});

describe('the administrator of the first start', () => {
  it('exists once, for a day', async () => {
    const life = 24 * 60 * 60 * 1_000;
    const all = { marks: store.marks, credentials: credentials(life), events, clock };
    const token = await bootstrapAdmin(all);
    assert.ok(token !== undefined);
    assert.equal(await bootstrapAdmin(all), undefined);
    const door = new Authenticator(parts());
    const { identity: admin } = await door.authenticateBearer(token);
    assert.deepEqual(admin.roles, ['member', 'admin']);
    clock.pass(life + 1);
    assert.match(await refused(door.authenticateBearer(token)), /SP_EXPIRED/);
    assert.equal(await bootstrapAdmin(all), undefined);
  });
});
