import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { Approvals } from '#approval/approvals.ts';
import type { Command } from '#core/command.ts';
import { opaqueFacts } from '#core/facts.ts';
import type { Role } from '#core/identity.ts';
import { asEpochMs, asId } from '#core/ids.ts';
import { defaultLimits } from '#core/limits.ts';
import type { RecordingSummary } from '#core/ports/recording-archive.ts';
import { systemRandom } from '#core/random.ts';
import { Authenticator } from '#identity/authenticator.ts';
import { grantSchema, personSchema } from '#identity/config.ts';
import { Credentials, hashOfToken, newToken } from '#identity/credentials.ts';
import { EXCHANGE_GRANT, TokenExchange } from '#identity/exchange.ts';
import { Grants } from '#identity/grants.ts';
import { LockSet } from '#identity/locks.ts';
import { Revocation } from '#identity/revocation.ts';
import { TokenVerifier } from '#identity/tokens.ts';
import { openStore, type Store } from '#store/store.ts';
import {
  issuerConfig,
  jobClaims,
  MemoryEvents,
  TestClock,
  testTarget,
} from '../../test/support/identity.ts';
import { startIssuer, type TestIssuer } from '../../test/support/issuer.ts';
import { routes } from './routes.ts';
import { type ApiOptions, createApi } from './server.ts';
import type { ApiServices, HealthCheck, SessionEntry } from './services.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-api-'));
const clock = new TestClock();
const events = new MemoryEvents();
const target = testTarget('orders', { env: 'prod' });
const warnings: string[] = [];
let health: HealthCheck[] = [{ name: 'store', ok: true }];
let issuer: TestIssuer;
let store: Store;
let services: ApiServices;
let approvals: Approvals;
let locks: LockSet;
let app: FastifyInstance;

/** A person with one role each, and one with none but `member`. */
const tokens = new Map<string, string>();
const people = (['admin', 'reviewer', 'auditor', 'member'] satisfies Role[]).map((role) => {
  const { id, token } = newToken(clock.now(), systemRandom);
  tokens.set(role, token);
  return personSchema.parse({
    name: role,
    groups: role === 'reviewer' ? ['dba'] : [],
    roles: [role],
    credential: { id, sha256: hashOfToken(token) },
  });
});

const summary: RecordingSummary = {
  session: '0199c8f0-2d3e-7c61-9a54-3f2b8e7d1c05',
  path: '/var/lib/sallyport/recordings/a',
  state: 'sealed',
  startedAt: 1,
  endedAt: 2,
  identity: 'ci/1001',
  identityName: 'acme/shop',
  owner: undefined,
  target: 'orders',
  account: 'app',
  namespace: 'shop',
  protocol: 'postgres',
  clientAddress: '127.0.0.1',
  clientName: 'psql',
  gateway: 'gw',
  encrypted: false,
  bytes: 9,
  commands: 1,
  endReason: 'client',
  endDetail: '',
};

const context = (): SessionEntry['context'] => ({
  session: asId('0199c8f0-2d3e-7c61-9a54-3f2b8e7d1c05'),
  protocol: 'postgres',
  identity: {
    id: asId('ci/1001'),
    kind: 'workload',
    issuer: 'ci',
    subject: '1001',
    displayName: 'acme/shop',
    groups: ['ci'],
    roles: ['member'],
    owner: 'people/alice',
    onBehalfOf: undefined,
    claims: {},
    expiresAt: asEpochMs(clock.now() + 60_000),
  },
  target,
  account: 'app',
  namespace: 'shop',
  clientAddress: '127.0.0.1',
  clientName: 'psql',
  features: [],
  holdMode: 'refuse',
});

before(async () => {
  issuer = await startIssuer();
  store = await openStore({ path: join(folder, 'state.db'), clock, thread: 'own' });
  const shared = { events, clock, random: systemRandom };
  locks = await LockSet.load({ store: store.locks, ...shared });
  const credentials = new Credentials({
    store: store.credentials,
    clock,
    random: systemRandom,
    lifeMsMax: 900_000,
  });
  const verifier = new TokenVerifier({ issuers: [issuerConfig(issuer.url)], clock, fetch });
  const grants = new Grants([
    grantSchema.parse({
      id: 'g',
      identities: ['group:ci'],
      targets: ['orders'],
      accounts: ['app'],
    }),
  ]);
  approvals = new Approvals({
    ...shared,
    sha256Hex: (bytes) => createHash('sha256').update(bytes).digest('hex'),
    store: store.holds,
    limits: defaultLimits,
    locks,
    channels: [],
    warn: (message) => warnings.push(message),
  });
  services = {
    authenticator: new Authenticator({
      tokens: verifier,
      credentials,
      spent: store.spentTokens,
      people,
      clock,
    }),
    exchange: new TokenExchange({
      tokens: verifier,
      credentials,
      spent: store.spentTokens,
      grants: () => grants,
      target: (name) => (name === 'orders' ? target : undefined),
      locks,
      events,
      clock,
    }),
    approvals,
    locks,
    credentials: new Revocation({ store: store.credentials, events, clock }),
    sessions: {
      list: () => [
        {
          context: context(),
          startedAt: asEpochMs(1),
          expiresAt: asEpochMs(2),
          grant: 'g',
        },
      ],
    },
    recordings: {
      list: async () => [summary],
      summary: async () => summary,
    },
    events: store.events,
    eventLog: events,
    health: { ready: async () => health },
    clock,
    warn: (message, error) => warnings.push(`${message}: ${error.message}`),
  };
  app = createApi(services);
});
after(async () => {
  await app.close();
  approvals.stop();
  await store.close();
  await issuer.stop();
  rmSync(folder, { recursive: true });
});

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
  readonly json: Readonly<Record<string, unknown>>;
}

interface Ask {
  readonly as?: string;
  readonly token?: string;
  readonly body?: unknown;
  readonly form?: URLSearchParams;
  readonly on?: FastifyInstance;
}

let addresses = 0;

async function call(line: string, ask: Ask = {}): Promise<Answer> {
  const [method, url = ''] = line.split(' ');
  const token = ask.token ?? tokens.get(ask.as ?? '');
  addresses += 1;
  const response = await (ask.on ?? app).inject({
    method: method === 'POST' || method === 'DELETE' ? method : 'GET',
    url,
    // Each call from an address of its own, so that only the tests of the rate limit meet it.
    remoteAddress: ask.on === undefined ? `10.0.${addresses >> 8}.${addresses & 255}` : '10.9.9.9',
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(ask.form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
    },
    ...(ask.form === undefined ? {} : { payload: ask.form.toString() }),
    ...(ask.body === undefined ? {} : { payload: JSON.stringify(ask.body) }),
    ...(ask.body === undefined || token === undefined
      ? {}
      : {
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        }),
  });
  const parsed: unknown = response.body.startsWith('{') ? JSON.parse(response.body) : {};
  return {
    status: response.statusCode,
    type: String(response.headers['content-type']),
    text: response.body,
    json: typeof parsed === 'object' && parsed !== null ? { ...parsed } : {},
  };
}

const named = (path: string): string => path.replaceAll(/\{\w+\}/g, summary.session);

describe('every route', () => {
  /** Routes that a stranger may call, each with its reason. Only ever gets shorter. */
  const open = new Map([
    ['POST /v1/token', 'brings its own proof'],
    ['GET /livez', 'says yes or no'],
    ['GET /readyz', 'says yes or no'],
  ]);
  /** Routes for everyone with a credential. Only ever gets shorter. */
  const forAnyone = new Set(['GET /v1/me']);

  it('is refused without a credential, with a wrong one, and without the role', async () => {
    const untested: string[] = [];
    for (const { method, path, access } of routes) {
      const line = `${method} ${named(path)}`;
      const name = `${method} ${path}`;
      if (open.has(name)) continue;
      const bad = [undefined, 'x', 'a.b.c', newToken(clock.now(), systemRandom).token];
      for (const token of bad) {
        const answer = await call(line, token === undefined ? {} : { token });
        assert.equal(answer.status, 401, line);
        assert.match(answer.type, /problem\+json/);
        assert.equal(answer.json['code'], 'SP_LOGIN_FAILED');
        assert.equal(answer.json['detail'], undefined, 'a stranger learns no reason');
      }
      if (forAnyone.has(name)) continue;
      if (access === 'public' || access === 'anyone') {
        untested.push(name);
        continue;
      }
      const others = [...tokens.keys()].filter((role) => !access.some((one) => one === role));
      assert.ok(others.includes('member'), name);
      for (const role of others) {
        const answer = await call(line, { as: role });
        assert.equal(answer.status, 403, `${line} as ${role}`);
        assert.equal(answer.json['code'], 'SP_FORBIDDEN');
      }
      for (const role of access) {
        const answer = await call(line, { as: role });
        assert.ok(answer.status !== 401 && answer.status !== 403, `${line} as ${role}`);
      }
    }
    assert.deepEqual(untested, [], 'routes without a test of their refusal: none, and so it stays');
  });
});

describe('the API', () => {
  it('exchanges a token as RFC 8693 has it, and takes what it gave as a bearer', async () => {
    const form = new URLSearchParams({
      grant_type: EXCHANGE_GRANT,
      subject_token: await issuer.mint(jobClaims),
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      audience: 'orders',
    });
    const answer = await call('POST /v1/token', { form });
    assert.equal(answer.status, 200, answer.text);
    assert.deepEqual(Object.keys(answer.json).sort(), [
      'access_token',
      'expires_in',
      'issued_token_type',
      'token_type',
    ]);
    const token = String(answer.json['access_token']);
    const me = await call('GET /v1/me', { token });
    assert.equal(me.json['id'], 'ci/1001');
    assert.equal(me.json['claims'], undefined);
    const again = await call('POST /v1/token', { form });
    assert.equal(again.status, 400);
    assert.deepEqual(again.json, {
      error: 'invalid_request',
      error_description: 'the subject token is not valid',
    });
    assert.match(String(events.told.at(-1)?.data['why']), /spent/);
    const id = /^sp_([0-9a-f]+)_/.exec(token)?.[1] ?? '';
    assert.equal((await call(`DELETE /v1/credentials/${id}`, { as: 'admin' })).status, 200);
    assert.equal((await call(`DELETE /v1/credentials/${id}`, { as: 'admin' })).status, 404);
    assert.equal((await call('GET /v1/me', { token })).status, 401);
    const json = await call('POST /v1/token', { as: 'admin', body: { grant_type: 'x' } });
    assert.equal(json.status, 400);
    assert.equal((await call('POST /v1/token')).status, 400);
  });

  it('shows a held command whole, and takes reviews of who may review', async () => {
    const command: Command = {
      id: asId('s.1'),
      context: context(),
      kind: 'execute',
      text: `delete from orders -- ${'x'.repeat(5_000)} the end`,
      parameters: [],
      state: '',
      facts: opaqueFacts('test'),
    };
    const result = await approvals.request(
      command,
      {
        outcome: 'hold',
        rule: 'destructive',
        reason: 'deletes',
        policy: asId('p'),
        hold: { reviewers: ['group:dba'], approvals: 1, waitMs: 60_000, validMs: 60_000 },
        observed: [],
      },
      () => undefined,
      new AbortController().signal,
    );
    assert.equal(result.outcome === 'refused' && result.refusal.code, 'SP_HOLD_PENDING');
    const list = await call('GET /v1/holds', { as: 'reviewer' });
    assert.equal(list.status, 200, list.text);
    const [held] = approvals.list();
    assert.ok(held !== undefined && list.text.includes('the end'));
    const url = `/v1/holds/${held.id}`;
    assert.equal((await call(`GET ${url}`, { as: 'auditor' })).json['digest'], held.digest);
    const wrong = { digest: '0'.repeat(64) };
    const approve = `POST ${url}/approve`;
    assert.equal((await call(approve, { as: 'reviewer', body: wrong })).status, 409);
    const unfit = await call(approve, { as: 'admin', body: {} });
    assert.equal(unfit.status, 403, 'an administrator outside the group of the rule');
    const bad = await call(approve, { as: 'reviewer', body: { reason: 1 } });
    assert.match(String(bad.json['detail']), /^body: reason/);
    const body = { reason: 'ticket 8812', digest: held.digest };
    const approved = await call(approve, { as: 'reviewer', body });
    assert.equal(approved.status, 200, approved.text);
    assert.equal(approved.json['state'], 'approved');
    assert.equal((await call(`POST ${url}/deny`, { as: 'reviewer' })).status, 409);
    assert.equal((await call('GET /v1/holds?recent=5', { as: 'admin' })).status, 200);
    assert.equal((await call('GET /v1/holds/none', { as: 'admin' })).status, 404);
  });

  it('locks at once, also those who call, and unlocks', async () => {
    const order = { kind: 'identity', value: 'people/member', reason: 'test' };
    assert.equal((await call('GET /v1/me', { as: 'member' })).status, 200);
    const added = await call('POST /v1/locks', { as: 'admin', body: order });
    assert.equal(added.status, 200, added.text);
    const locked = await call('GET /v1/me', { as: 'member' });
    assert.equal(locked.status, 403);
    assert.equal(locked.json['code'], 'SP_LOCKED');
    assert.match((await call('GET /v1/locks', { as: 'auditor' })).text, /people\/member/);
    const remove = `DELETE /v1/locks/${String(added.json['id'])}`;
    assert.equal((await call(remove, { as: 'admin' })).status, 200);
    assert.equal((await call(remove, { as: 'admin' })).status, 404);
    assert.equal((await call('GET /v1/me', { as: 'member' })).status, 200);
    const past = { ...order, until: 5 };
    assert.equal((await call('POST /v1/locks', { as: 'admin', body: past })).status, 400);
    const extra = { ...order, by: 'somebody else' };
    assert.equal((await call('POST /v1/locks', { as: 'admin', body: extra })).status, 400);
  });

  it('lists sessions and recordings without what is nobody’s business, and tells of it', async () => {
    const sessions = await call('GET /v1/sessions', { as: 'auditor' });
    assert.equal(sessions.status, 200, sessions.text);
    assert.doesNotMatch(sessions.text, /accounts|password|5432/);
    const before = events.told.length;
    const list = await call('GET /v1/recordings?target=orders&limit=5', { as: 'auditor' });
    assert.equal(list.status, 200, list.text);
    assert.doesNotMatch(list.text, /var\/lib/);
    const one = await call(`GET /v1/recordings/${summary.session}`, { as: 'auditor' });
    assert.equal(one.json['target'], 'orders');
    assert.deepEqual(
      events.told.slice(before).map(({ type, actor }) => [type, actor]),
      [
        ['recording.read', 'people/auditor'],
        ['recording.read', 'people/auditor'],
      ],
    );
    const path = `GET /v1/recordings/${encodeURIComponent('../../etc/passwd')}`;
    assert.equal((await call(path, { as: 'auditor' })).status, 400);
    events.failing = true;
    const untold = await call('GET /v1/recordings', { as: 'auditor' });
    events.failing = false;
    assert.equal(untold.status, 500, 'what cannot be told is not shown');
    assert.doesNotMatch(untold.text, /orders/);
  });

  it('pages through events', async () => {
    const answer = await call('GET /v1/events?after=0&limit=10', { as: 'auditor' });
    assert.deepEqual(answer.json, { events: [], last: 0 });
    for (const query of ['after=-1', 'after=x', 'limit=100000']) {
      assert.equal((await call(`GET /v1/events?${query}`, { as: 'auditor' })).status, 400, query);
    }
  });

  it('is ready when everything is', async () => {
    assert.equal((await call('GET /livez')).status, 200);
    assert.equal((await call('GET /readyz')).status, 200);
    health = [{ name: 'recordings', ok: false }];
    const answer = await call('GET /readyz');
    assert.equal(answer.status, 503);
    assert.deepEqual(answer.json['failing'], ['recordings']);
    health = [{ name: 'store', ok: true }];
  });

  it('answers what nobody can use as a problem, without details of its own', async () => {
    assert.equal((await call('GET /nowhere')).json['code'], 'SP_NOT_FOUND');
    assert.equal((await call('GET /v2/me')).status, 404);
    const large = await call('POST /v1/locks', { as: 'admin', body: { x: 'x'.repeat(70_000) } });
    assert.equal(large.status, 413);
    const broken = createApi({
      ...services,
      authenticator: {
        authenticateBearer: async () => {
          throw new Error('a secret detail');
        },
      },
    });
    const answer = await call('GET /v1/me', { token: 'x', on: broken });
    assert.equal(answer.status, 500);
    assert.doesNotMatch(answer.text, /secret/);
    assert.ok(warnings.length > 0);
    await broken.close();
  });

  it('bounds what one address may ask, most of all by guessing', async () => {
    const options: ApiOptions = { rate: { burst: 30, perSecond: 10 } };
    const limited = createApi(services, options);
    const statuses: number[] = [];
    for (let count = 0; count < 6; count += 1) {
      statuses.push((await call('GET /v1/me', { token: 'sp_guess', on: limited })).status);
    }
    assert.deepEqual(statuses, [401, 401, 401, 429, 429, 429]);
    assert.equal((await call('GET /livez', { on: limited })).status, 200);
    clock.pass(10_000);
    assert.equal((await call('GET /v1/me', { as: 'member', on: limited })).status, 200);
    await limited.close();
  });

  it('takes no header’s word for an address, and two credentials for none', async () => {
    await app.listen({ port: 0, host: '127.0.0.1' });
    const port = Number(new URL(app.listeningOrigin).port);
    const token = tokens.get('member') ?? '';
    const status = await new Promise<number>((resolve, reject) => {
      const request = httpRequest(
        {
          port,
          host: '127.0.0.1',
          path: '/v1/me',
          headers: ['host', 'x', 'authorization', 'Bearer x', 'authorization', `Bearer ${token}`],
        },
        (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        },
      );
      request.on('error', reject).end();
    });
    assert.equal(status, 401);
    await fetch(`http://127.0.0.1:${port}/v1/me`, {
      headers: { 'x-forwarded-for': '6.6.6.6', authorization: 'Bearer y' },
    });
    assert.equal(events.told.at(-1)?.data['address'], '127.0.0.1');
  });
});
