import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { systemClock } from '#core/clock.ts';
import { Secret } from '#core/secret.ts';
import { ApiClient, type ApiClientOptions } from './api-client.ts';
import { addLock, listLocks, removeLock } from './locks.ts';
import { exchangeToken, newPerson, revokeCredentials, whoami } from './tokens.ts';

interface Seen {
  readonly method: string;
  readonly path: string;
  readonly body: string;
  readonly authorization: string | undefined;
}

/** An API that gives one answer and keeps what it was asked. */
function world(status: number, answer: unknown) {
  const seen: Seen[] = [];
  const fetch: ApiClientOptions['fetch'] = async (url, options) => {
    const { pathname, search } = new URL(url);
    const headers = new Headers(options.headers);
    seen.push({
      method: options.method ?? '',
      path: pathname + search,
      body: options.body === undefined ? '' : await new Response(options.body).text(),
      authorization: headers.get('authorization') ?? undefined,
    });
    return new Response(typeof answer === 'string' ? answer : JSON.stringify(answer), { status });
  };
  const lines: string[] = [];
  const errors: string[] = [];
  const output = {
    line: (text: string) => void lines.push(text),
    error: (text: string) => void errors.push(text),
  };
  const url = 'http://127.0.0.1:7080';
  const client = new ApiClient({ url, token: new Secret('sp_secret'), fetch });
  return { client, output, clock: systemClock, seen, lines, errors };
}

const lock = {
  id: 'l1',
  kind: 'owner',
  value: 'people/alice',
  reason: 'left\u202e the company',
  createdBy: 'people/bob',
  createdAt: 1,
};

describe('lock commands', () => {
  it('add, list and remove', async () => {
    const add = world(200, lock);
    const order = { kind: 'owner', value: 'people/alice', reason: 'left' } as const;
    assert.equal(await addLock(add, { ...order, duration: '8h' }), 0);
    const [asked] = add.seen;
    assert.equal(asked?.authorization, 'Bearer sp_secret');
    const until = Number(JSON.parse(asked?.body ?? '{}').until);
    assert.ok(Math.abs(until - Date.now() - 8 * 3_600_000) < 60_000);
    assert.match(
      add.lines[0] ?? '',
      /^l1 {2}owner people\/alice {2}until removed {2}by people\/bob/,
    );
    assert.match(add.lines[0] ?? '', /\\u\{202e\}/, 'nothing that turns the line around');
    assert.equal(await addLock(add, { ...order, duration: 'soon' }), 1);

    const list = world(200, { locks: [lock, 7] });
    assert.equal(await listLocks(list, { json: true }), 0);
    assert.deepEqual(JSON.parse(list.lines[0] ?? ''), lock);
    assert.equal(list.lines.length, 1);

    const remove = world(200, { removed: true });
    assert.equal(await removeLock(remove, { id: 'a/b' }), 0);
    assert.equal(remove.seen[0]?.path, '/v1/locks/a%2Fb');
  });

  it('say what the API says', async () => {
    const problem = { title: 'not allowed', code: 'SP_FORBIDDEN', detail: 'needs the role admin' };
    const forbidden = world(403, problem);
    assert.equal(await listLocks(forbidden, {}), 1);
    assert.deepEqual(forbidden.errors, ['not allowed: needs the role admin']);
    const stranger = world(401, { title: 'login failed' });
    assert.equal(await listLocks(stranger, {}), 4);
    const gone = world(404, { title: 'not found', detail: 'no such lock' });
    assert.equal(await removeLock(gone, { id: 'x' }), 1);
    const broken = world(502, '<html>');
    assert.equal(await listLocks(broken, {}), 1);
    assert.deepEqual(broken.errors, ['the gateway answered 502']);
    const client = new ApiClient({
      url: 'http://127.0.0.1:1',
      token: undefined,
      fetch: async () => {
        throw new TypeError('fetch failed');
      },
    });
    const nobody = { ...broken, client };
    assert.equal(await listLocks(nobody, {}), 1);
    assert.match(nobody.errors.at(-1) ?? '', /no gateway answers at/);
  });
});

describe('token commands', () => {
  it('exchange prints the credential alone on standard output', async () => {
    const good = world(200, { access_token: 'sp_x', expires_in: 900 });
    const options = { subjectToken: new Secret('jwt'), audience: ['orders', 'app@billing'] };
    assert.equal(await exchangeToken(good, options), 0);
    assert.deepEqual(good.lines, ['sp_x']);
    const form = new URLSearchParams(good.seen[0]?.body);
    assert.deepEqual(form.getAll('audience'), options.audience);
    assert.equal(form.get('subject_token'), 'jwt');
    const bad = world(400, { error: 'invalid_request', error_description: 'not valid' });
    assert.equal(await exchangeToken(bad, options), 1);
    assert.deepEqual(bad.errors, ['invalid_request: not valid']);
    assert.equal(await exchangeToken(world(200, {}), options), 1);
  });

  it('whoami and revoke', async () => {
    const me = { id: 'people/bob', displayName: 'Bob', roles: ['admin'], groups: [], expiresAt: 0 };
    const who = world(200, me);
    assert.equal(await whoami(who, {}), 0);
    assert.deepEqual(who.lines, [
      'people/bob (Bob)',
      'roles: admin',
      'groups: none',
      'until: 1970-01-01T00:00:00.000Z',
    ]);
    const one = world(200, { revoked: true });
    assert.equal(await revokeCredentials(one, { credential: 'ab' }), 0);
    const all = world(200, { revoked: ['a', 'b'] });
    assert.equal(await revokeCredentials(all, { identity: 'ci/1' }), 0);
    assert.equal(all.seen[0]?.path, '/v1/credentials?identity=ci%2F1');
    assert.deepEqual(all.lines, ['revoked 2 credentials']);
  });

  it('a new person gets a token on standard output and a snippet beside it', () => {
    const { output, lines, errors } = world(200, {});
    const made = { id: 'a'.repeat(32), token: 'sp_t', sha256: 'b'.repeat(64) };
    newPerson(output, { name: 'bob', roles: ['reviewer'], groups: ['dba'] }, () => made);
    assert.deepEqual(lines, ['sp_t']);
    assert.equal(errors.join('\n').includes('sp_t'), false);
    assert.match(errors.join('\n'), /sha256: 'bbbb/);
  });
});
