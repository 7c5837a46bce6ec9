import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Facts } from '#core/facts.ts';
import { httpLimits } from '#core/limits.ts';
import { analyseRequest } from './commands.ts';
import { httpSettings, httpSettingsSchema } from './config.ts';
import { OpenApi } from './openapi.ts';

const document = `
openapi: 3.1.0
servers:
  - url: https://{region}.shop.example/api/{version}
    variables: { region: { default: eu }, version: { default: v2 } }
paths:
  /orders/{id}:
    parameters: [{ $ref: '#/components/parameters/tenant' }]
    get: { operationId: getOrder }
    delete:
      operationId: deleteOrder
      parameters: [{ name: session, in: cookie }]
  /orders/latest: { get: { operationId: latestOrder } }
  /reports/{name}.csv: { get: { operationId: report } }
  /files: { $ref: '#/components/pathItems/files' }
components:
  parameters: { tenant: { name: X-Tenant, in: header } }
  pathItems: { files: { post: { operationId: upload } } }
`;

interface Asked {
  readonly method?: string;
  readonly fields?: Readonly<Record<string, string>>;
  readonly more?: Readonly<Record<string, unknown>>;
}

function factsOf(path: string, { method = 'GET', fields = {}, more = {} }: Asked = {}): Facts {
  const request = {
    method,
    path,
    query: undefined,
    fields: Object.entries(fields).map(([name, value]) => ({ name, value })),
    forwarded: [],
    host: 'h',
    clientHost: 'h',
    body: { kind: 'none' },
    upgrade: undefined,
  } as const;
  return analyseRequest(request, httpSettings.parse({ openapi: document, ...more })).facts;
}

const routeOf = ({ objects }: Facts): string | undefined =>
  objects.find(({ kind }) => kind === 'route')?.name;

describe('an OpenAPI document', () => {
  it('names the route, the operation and the values of a path', () => {
    const facts = factsOf('/api/v2/orders/17');
    assert.equal(routeOf(facts), '/api/v2/orders/{id}');
    assert.deepEqual(facts.functions, ['getOrder']);
    assert.deepEqual(facts.fields, [{ name: 'path.id', value: '17' }]);
    assert.equal(facts.analysis, 'complete');
    assert.deepEqual(factsOf('/API/v2/Orders/17/').functions, ['getOrder']);
    assert.deepEqual(factsOf('/api/v2/orders/17', { method: 'HEAD' }).functions, ['getOrder']);
    assert.deepEqual(factsOf('/api/v2/files', { method: 'POST' }).functions, ['upload']);
  });

  it('has words before names, and names within words', () => {
    assert.deepEqual(factsOf('/api/v2/orders/latest').functions, ['latestOrder']);
    const report = factsOf('/api/v2/reports/may.csv');
    assert.deepEqual(report.functions, ['report']);
    assert.deepEqual(report.fields, [{ name: 'path.name', value: 'may' }]);
    assert.deepEqual(factsOf('/api/v2/reports/.csv').functions, []);
  });

  it('names parameters in the head and in cookies, and no other field', () => {
    const fields = { 'x-tenant': 'a', 'x-other': 'b', cookie: 'session=s; more=m' };
    assert.deepEqual(factsOf('/api/v2/orders/1', { fields, method: 'DELETE' }).fields, [
      { name: 'header.x-tenant', value: 'a' },
      { name: 'cookie.session', value: 's' },
      { name: 'path.id', value: '1' },
    ]);
  });

  it('does not vouch for what it does not have', () => {
    for (const facts of [
      factsOf('/orders/1'),
      factsOf('/api/v2/orders'),
      factsOf('/api/v2/orders/1/2'),
      factsOf('/api/v2/orders/1', { method: 'PATCH' }),
    ]) {
      assert.equal(facts.analysis, 'partial');
      assert.deepEqual(facts.functions, []);
    }
    const routes = [{ path: '/health', operation: 'health' }];
    assert.equal(factsOf('/health', { more: { routes } }).analysis, 'complete');
  });

  it('is refused when the configuration loads, when it cannot be read', () => {
    const deep = '['.repeat(10_000);
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n'];
    const doubled = names
      .slice(1)
      .map((name, at) => `${name}: &${name} [*${names[at]}, *${names[at]}]`);
    const bomb = `a: &a [x, x]\n${doubled.join('\n')}\npaths: {}`;
    for (const openapi of [
      '',
      'paths',
      '{',
      '{"paths":[]}',
      deep,
      bomb,
      'paths: { /a: { $ref: "other.yaml#/a" } }',
      'paths: { /a: { $ref: "#/b" } }\nb: { $ref: "#/b" }',
      'paths: { /a: { get: { parameters: [{ $ref: "#/none" }] } } }',
      'servers: [{ url: 5 }]\npaths: { /a: {} }',
      ' '.repeat(httpLimits.documentCharsMax + 1),
      { paths: Object.fromEntries(Array.from({ length: 20_000 }, (_, at) => [`/${at}`, {}])) },
    ]) {
      assert.throws(() => httpSettingsSchema.parse({ openapi }), { code: 'SP_CONFIG' });
    }
  });

  it('finds no path but one that fits', () => {
    const segment = fc.constantFrom('a', 'b', '{x}', '{y}', 'a{x}', '{x}b', 'A');
    const pattern = fc
      .array(segment, { minLength: 1, maxLength: 4 })
      .map((all) => `/${all.join('/')}`);
    const asked = fc
      .array(fc.constantFrom('a', 'b', 'ab', 'aab', 'c'), { minLength: 1, maxLength: 4 })
      .map((all) => `/${all.join('/')}`);
    const fits = (path: string, wanted: string): boolean =>
      new RegExp(`^${wanted.toLowerCase().replaceAll(/\{[xy]\}/g, '[^/]+')}$`).test(path);
    fc.assert(
      fc.property(fc.array(pattern, { maxLength: 6 }), asked, (patterns, path) => {
        const paths = Object.fromEntries(patterns.map((each) => [each, { get: {} }]));
        const found = new OpenApi({ paths }).find('GET', path);
        const fitting = patterns.filter((each) => fits(path, each));
        assert.equal(found !== undefined, fitting.length > 0);
        if (found !== undefined) assert.ok(fits(path, found.path));
      }),
    );
  });
});
