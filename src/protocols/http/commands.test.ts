import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Facts } from '#core/facts.ts';
import type { Target } from '#core/target.ts';
import { noMasks } from '../../../test/support/relay.ts';
import { analyseRequest } from './commands.ts';
import { analyseOffline } from './commands-offline.ts';
import { type HttpSettings, httpSettings } from './config.ts';
import type { Dialect } from './dialect.ts';

const target: Target = {
  name: 'site',
  protocol: 'http',
  address: { host: 'site.test', port: 443 },
  labels: {},
  tls: { mode: 'disable', ca: undefined, serverName: undefined },
  accounts: [],
  settings: {},
};

/** The facts of a request, as `policy explain` gives them. */
function factsOf(text: string, settings: object = {}): Facts {
  const parsed: HttpSettings = httpSettings.parse(settings);
  const place = { target, account: 'robot', namespace: '' };
  const dialect: Dialect = {
    settings: () => parsed,
    analyse: (request) => analyseRequest(request, parsed),
    fault: () => undefined,
    refusal: () => new Uint8Array(0),
    maskedFields: (fields) => fields,
    upgrades: [],
    upstreamFields: () => [],
    masker: () => undefined,
    tunnel: () => assert.fail('no connection'),
  };
  const [command] = analyseOffline(text, { place, dialect, masks: noMasks });
  assert.ok(command !== undefined);
  return command.facts;
}

const post = (type: string, body: string, path = '/x'): Facts =>
  factsOf(`POST ${path} HTTP/1.1\ncontent-type: ${type}\n\n${body}`);

const valuesOf = ({ fields = [] }: Facts): readonly string[] =>
  fields.map(({ name, value }) => `${name}=${value}`);

describe('methods', () => {
  it('say what a request does', () => {
    const effects: Readonly<Record<string, string>> = {
      GET: 'read',
      HEAD: 'read',
      OPTIONS: 'read',
      POST: 'insert',
      PUT: 'update',
      PATCH: 'update',
      DELETE: 'delete',
    };
    for (const [method, effect] of Object.entries(effects)) {
      const facts = factsOf(`${method} /a HTTP/1.1`);
      assert.deepEqual([facts.effects, facts.verbs], [[effect], [method]]);
      assert.equal(facts.analysis, 'complete');
    }
  });

  it('that are not known say nothing', () => {
    for (const method of ['TRACE', 'delete', 'PROPFIND', 'BREW']) {
      const facts = factsOf(`${method} /a HTTP/1.1`);
      assert.deepEqual([facts.effects, facts.analysis], [['unknown'], 'partial'], method);
    }
  });

  it('count in every way in which they are said', () => {
    for (const text of [
      'POST /a HTTP/1.1\nx-http-method-override: delete',
      'POST /a HTTP/1.1\nX-Method-Override: DELETE',
      'POST /a HTTP/1.1\nX_HTTP_Method: DELETE',
      'POST /a?_method=DELETE HTTP/1.1',
      'POST /a HTTP/1.1\ncontent-type: application/x-www-form-urlencoded\n\n_method=delete',
      'POST /a HTTP/1.1\ncontent-type: application/json\n\n{"_method":"DELETE"}',
    ]) {
      assert.ok(factsOf(text).effects.includes('delete'), text);
    }
  });
});

describe('paths', () => {
  const names = (text: string, settings?: object): readonly string[] =>
    factsOf(text, settings).objects.map(({ kind, name }) => `${kind} ${name}`);

  it('are told as sent and as rules compare them', () => {
    assert.deepEqual(names('GET /ADMIN/%50urge/ HTTP/1.1'), [
      'route /admin/purge',
      'path /ADMIN/Purge/',
    ]);
  });

  it('have the name, the values and the effects that the operator gave', () => {
    const routes = [
      { method: 'GET', path: '/jobs/{id}/run', operation: 'runJob', effects: ['execute-code'] },
    ];
    const facts = factsOf('GET /Jobs/7/run HTTP/1.1', { routes });
    assert.deepEqual(facts.effects, ['execute-code']);
    assert.deepEqual(facts.functions, ['runJob']);
    assert.deepEqual(valuesOf(facts), ['path.id=7']);
    assert.equal(facts.objects[0]?.name, '/jobs/{id}/run');
    assert.deepEqual(factsOf('POST /jobs/7/run HTTP/1.1', { routes }).effects, ['insert']);
  });

  it('of one shape have one fingerprint', () => {
    const print = (text: string): string => factsOf(text).fingerprint;
    assert.equal(print('GET /a/1?x=1 HTTP/1.1'), print('GET /a/22?x=3 HTTP/1.1'));
    assert.notEqual(print('GET /a/1?x=1 HTTP/1.1'), print('GET /a/1?y=1 HTTP/1.1'));
    assert.notEqual(print('GET /a/1 HTTP/1.1'), print('DELETE /a/1 HTTP/1.1'));
  });
});

describe('values', () => {
  it('of queries and forms are all told', () => {
    assert.deepEqual(valuesOf(factsOf('GET /a?x=1&x=%32+3&y HTTP/1.1')), [
      'query.x=1',
      'query.x=2 3',
      'query.y=',
    ]);
    assert.deepEqual(valuesOf(post('application/x-www-form-urlencoded', 'a=b&c=d')), [
      'body.a=b',
      'body.c=d',
    ]);
  });

  it('of JSON are told by their path', () => {
    assert.deepEqual(valuesOf(post('application/json', '{"a":{"b":[1,"x",null]},"c":true}')), [
      'body=',
      'body.a=',
      'body.a.b=',
      'body.a.b[]=1',
      'body.a.b[]=x',
      'body.a.b[]=',
      'body.c=true',
    ]);
  });

  it('of multipart forms are told; files are not read', () => {
    const part = (head: string, value: string): string =>
      `--b\r\nContent-Disposition: form-data; ${head}\r\n\r\n${value}\r\n`;
    const type = 'multipart/form-data; boundary=b';
    // With CR LF in the body, which a text of lines does not have: the parser sees it whole.
    const body = `${part('name="action"', 'purge')}${part('name="f"; filename="x"', 'y')}--b--\r\n`;
    const request = {
      method: 'POST',
      path: '/x',
      query: undefined,
      fields: [{ name: 'content-type', value: type }],
      forwarded: [],
      host: 'a',
      clientHost: 'a',
      body: { kind: 'whole', bytes: new TextEncoder().encode(body) },
      upgrade: undefined,
    } as const;
    const { facts } = analyseRequest(request, httpSettings.parse({}));
    assert.deepEqual(valuesOf(facts), ['body.action=purge', 'body.f=']);
    assert.deepEqual(facts.reasons, ['a file in a form']);
  });

  it('that are not read make the analysis partial', () => {
    for (const [type, body] of [
      ['application/json', '{"a":1,"a":2}'],
      ['application/json', '{"a":1'],
      ['application/json', `${'['.repeat(300)}${']'.repeat(300)}`],
      ['application/json; charset=utf-16', '{}'],
      ['application/octet-stream', 'x'],
      ['multipart/form-data', 'x'],
      ['text/plain', 'x'.repeat(5_000)],
      ['application/x-www-form-urlencoded', 'a=%ff'],
    ] as const) {
      assert.equal(post(type, body).analysis, 'partial', `${type} ${body.slice(0, 20)}`);
    }
    assert.equal(factsOf('POST /x HTTP/1.1\n\nbody without a type').analysis, 'partial');
  });
});

describe('GraphQL', () => {
  const graphql = (query: string, more: object = {}): Facts =>
    post('application/json', JSON.stringify({ query, ...more }), '/graphql');

  it('reads by a query, and changes by a mutation', () => {
    const query = graphql('query deleteReport { reports { id deletedAt } }');
    assert.deepEqual([query.effects, query.analysis], [['read'], 'complete']);
    assert.deepEqual(query.functions, ['query.reports']);
    const mutation = graphql('mutation { deleteAllCustomers { count } }');
    assert.deepEqual(mutation.effects, ['update']);
    assert.deepEqual(mutation.verbs, ['POST', 'MUTATION']);
    assert.deepEqual(mutation.functions, ['mutation.deleteAllCustomers']);
  });

  it('counts every operation, batch and fragment, wherever it is sent', () => {
    const changes = 'mutation M { x } ';
    const get = factsOf(`GET /graphql?query=${encodeURIComponent(changes)} HTTP/1.1`);
    assert.ok(get.verbs.includes('MUTATION'));
    for (const facts of [
      graphql(`query Q { a } ${changes}`, { operationName: 'Q' }),
      post('application/json', JSON.stringify([{ query: '{a}' }, { query: changes }]), '/graphql'),
      post('application/graphql', changes, '/GraphQL/'),
    ]) {
      assert.ok(facts.effects.includes('update'));
    }
    const fragments = graphql('mutation { ...f } fragment f on M { wipe ... on M { burn } }');
    assert.deepEqual(fragments.functions.toSorted(), ['mutation.burn', 'mutation.wipe']);
  });

  it('that is not understood says so', () => {
    for (const facts of [
      graphql('{ a'),
      graphql('fragment f on M { x }'),
      graphql('{ ...f }'),
      post('application/json', '{"extensions":{"persistedQuery":{}}}', '/graphql'),
      post('application/json', '[]', '/graphql'),
      factsOf('GET /graphql HTTP/1.1'),
      factsOf('POST /graphql HTTP/1.1'),
    ]) {
      assert.equal(facts.analysis, 'partial');
      assert.ok(facts.effects.includes('unknown'));
    }
  });
});

describe('requests outside a session', () => {
  it('are opaque when they are none', () => {
    for (const input of ['', 'GET', 'GET /..\n', 'x y z']) {
      assert.equal(factsOf(input).analysis, 'opaque', input);
    }
  });
});
