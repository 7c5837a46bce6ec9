import assert from 'node:assert/strict';
import { it } from 'node:test';
import { analyseRequest } from './commands.ts';
import { AnalysisCache } from './commands-cache.ts';
import { httpSettings } from './config.ts';
import type { HttpRequest } from './request.ts';

const plain: HttpRequest = {
  method: 'GET',
  path: '/a',
  query: undefined,
  fields: [],
  forwarded: [],
  host: 'a',
  clientHost: 'a',
  body: { kind: 'none' },
  upgrade: undefined,
};

it('gives one analysis for equal requests, and its own for every other', () => {
  const settings = httpSettings.parse({});
  const cache = new AnalysisCache(settings);
  assert.equal(cache.analyse(plain), cache.analyse({ ...plain }));
  const override = [{ name: 'x-http-method-override', value: 'DELETE' }];
  const body = { kind: 'whole', bytes: new TextEncoder().encode('a=b') } as const;
  for (const change of [
    { method: 'DELETE' },
    { path: '/b' },
    { query: '' },
    { query: 'a=b' },
    { upgrade: 'websocket' },
    { fields: override },
    { body },
  ]) {
    const request = { ...plain, ...change };
    assert.deepEqual(cache.analyse(request), analyseRequest(request, settings));
    assert.notEqual(cache.analyse(request), cache.analyse(plain));
  }
});

it('has a request with parameters in its head analysed anew', () => {
  const parameters = [{ name: 'x-tenant', in: 'header' }];
  const openapi = { paths: { '/a': { get: { parameters } } } };
  const cache = new AnalysisCache(httpSettings.parse({ openapi }));
  const asked = (value: string) =>
    cache.analyse({ ...plain, fields: [{ name: 'x-tenant', value }] }).facts.fields;
  assert.deepEqual(asked('one'), [{ name: 'header.x-tenant', value: 'one' }]);
  assert.deepEqual(asked('two'), [{ name: 'header.x-tenant', value: 'two' }]);
});

it('keeps a bounded number', () => {
  const cache = new AnalysisCache(httpSettings.parse({}));
  const first = cache.analyse(plain);
  for (let index = 0; index < 2_000; index += 1) cache.analyse({ ...plain, path: `/${index}` });
  assert.notEqual(cache.analyse(plain), first);
});
