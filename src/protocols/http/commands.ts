/**
 * The facts of a request: what its method says it does, what it names, and the values that it
 * carries. Pure. By the semantics of HTTP a GET reads; what a target does beyond that, the operator
 * says in the settings of the route.
 *
 * Invariant: `complete` only when every part of the request was read; a second way to say a method
 * counts as if it had been said.
 */
import { createHash } from 'node:crypto';
import type { Access, Effect, Facts, ObjectFact } from '#core/facts.ts';
import { type Field, looseName, valuesOf } from './codec/fields.ts';
import type { HttpSettings, RouteSetting } from './config.ts';
import type { RequestAnalysis } from './dialect.ts';
import { collectMultipart, collectPairs } from './facts-form.ts';
import { addDocument, addGraphqlRequest, type GraphqlFacts, noGraphql } from './facts-graphql.ts';
import { addField, type Collected, collectJson } from './facts-json.ts';
import { isGrpcType, isUtf8, mediaType } from './media-type.ts';
import { type Documented, type OpenApi, openApiOf } from './openapi.ts';
import { lookUpPath, namedSegment } from './path-tree.ts';
import { bodyText, type HttpRequest } from './request.ts';

interface Meaning {
  readonly effect: Effect;
  readonly access: Access;
}

const meanings: ReadonlyMap<string, Meaning> = new Map([
  ['GET', { effect: 'read', access: 'read' }],
  ['HEAD', { effect: 'read', access: 'read' }],
  ['OPTIONS', { effect: 'read', access: 'read' }],
  ['POST', { effect: 'insert', access: 'create' }],
  ['PUT', { effect: 'update', access: 'write' }],
  ['PATCH', { effect: 'update', access: 'write' }],
  ['DELETE', { effect: 'delete', access: 'drop' }],
]);

const unknownMeaning: Meaning = { effect: 'unknown', access: 'execute' };

/** Fields by which frameworks let a client say another method; their loose names. */
export const methodOverrides: ReadonlySet<string> = new Set([
  'x-http-method-override',
  'x-http-method',
  'x-method-override',
]);

/** Whether a request says a method besides its own in a field. */
export const saysAnotherMethod = (fields: readonly Field[]): boolean =>
  fields.some(({ name }) => methodOverrides.has(looseName(name)));

interface Findings extends Collected {
  readonly methods: Set<string>;
  readonly graphql: GraphqlFacts;
}

/** Finds out what a request does. */
export function analyseRequest(request: HttpRequest, settings: HttpSettings): RequestAnalysis {
  const found: Findings = {
    fields: [],
    reasons: new Set(),
    methods: new Set([request.method]),
    graphql: noGraphql(),
  };
  const path = lookUpPath(request.path);
  const route = routeOf(request, settings);
  const api = openApiOf(settings);
  // What the operator says by hand counts for more.
  const isDocumented = api !== undefined && route === undefined;
  const documented = isDocumented ? addDocumented(request, api, found) : undefined;
  const pattern = route?.path ?? documented?.path;
  if (pattern !== undefined) addPathValues(pattern, request.path, found);
  if (request.query !== undefined) collectPairs(request.query, 'query', found);
  const isGraphql = settings.graphql.includes(path);
  const call = grpcCall(request);
  if (call !== undefined) addGrpc(call, found);
  readBody(request, isGraphql, found);
  if (isGraphql) readGraphql(request, found);
  addOverrides(request.fields, found);
  if (request.upgrade !== undefined) found.reasons.add('what follows the upgrade is not judged');
  const name = pattern?.toLowerCase() ?? path;
  const operation = route?.operation ?? documented?.operation?.operationId;
  return {
    facts: factsOf(request, { found, route, name, call, operation }),
    aliases: found.graphql.aliases,
  };
}

/** What the operator said of the route of a request. */
export function routeOf(
  { method, path }: Pick<HttpRequest, 'method' | 'path'>,
  { routes }: HttpSettings,
): RouteSetting | undefined {
  if (routes.length === 0) return undefined;
  const wanted = lookUpPath(path);
  return routes.find((route) => fitsRoute(route, method, wanted));
}

function fitsRoute(route: RouteSetting, method: string, path: string): boolean {
  if (route.method !== undefined && route.method !== method) return false;
  const wanted = lookUpPath(route.path).split('/');
  const segments = path.split('/');
  return (
    wanted.length === segments.length &&
    wanted.every((part, index) => isWhole(part) || part === segments[index])
  );
}

/** Whether a segment of a pattern is a name and nothing else. */
const isWhole = (part: string): boolean => part.startsWith('{') && part.endsWith('}');

function addPathValues(pattern: string, path: string, found: Findings): void {
  const segments = path.split('/');
  for (const [index, part] of pattern.split('/').entries()) {
    const named = namedSegment(part);
    if (named === undefined || /[{}]/.test(named.name)) continue;
    const segment = segments[index] ?? '';
    const value = segment.slice(named.before.length, segment.length - named.after.length);
    addField(found, `path.${named.name}`, value);
  }
}

/** Names what the target's own document calls it. What is not in there is not known to be read. */
function addDocumented(
  { method, path, fields }: HttpRequest,
  api: OpenApi,
  found: Findings,
): Documented | undefined {
  const documented = api.find(method, path);
  if (documented?.operation === undefined) {
    found.reasons.add('the OpenAPI document does not have it');
    return documented;
  }
  const { headers, cookies } = documented.operation;
  for (const { name, value } of fields) {
    if (headers.includes(name)) addField(found, `header.${name}`, value);
  }
  for (const [name, value] of cookies.length === 0 ? [] : cookiesOf(fields)) {
    if (cookies.includes(name.toLowerCase())) addField(found, `cookie.${name}`, value);
  }
  return documented;
}

function cookiesOf(fields: readonly Field[]): readonly (readonly [string, string])[] {
  const pairs = valuesOf(fields, 'cookie').flatMap((value) => value.split(';'));
  return pairs.map((pair) => {
    const equals = pair.indexOf('=');
    return [pair.slice(0, Math.max(equals, 0)).trim(), pair.slice(equals + 1).trim()];
  });
}

function addOverrides(fields: readonly Field[], found: Findings): void {
  for (const { name, value } of fields) {
    if (methodOverrides.has(looseName(name))) found.methods.add(value.toUpperCase());
  }
  for (const { name, value } of found.fields) {
    if (name === 'query._method' || name === 'body._method') found.methods.add(value.toUpperCase());
  }
}

function readBody({ body, fields }: HttpRequest, isGraphql: boolean, found: Findings): void {
  if (body.kind === 'none') return;
  if (body.kind === 'stream') {
    found.reasons.add('a body that is not read');
    return;
  }
  const type = mediaType(fields);
  const text = bodyText(body.bytes);
  if (body.bytes.length === 0) return;
  if (text === undefined || !isUtf8(type)) {
    found.reasons.add('a body that is not UTF-8 text');
    return;
  }
  switch (type.form) {
    case 'json':
      collectJson(text, 'body', found);
      return;
    case 'ndjson':
      for (const line of text.split('\n')) if (line.trim() !== '') collectJson(line, 'body', found);
      return;
    case 'form':
      collectPairs(text, 'body', found);
      return;
    case 'multipart':
      collectMultipart(body.bytes, type.boundary ?? '', found);
      return;
    case 'graphql':
      addDocument(text, found.graphql, found);
      return;
    case 'csv':
    case 'events':
    case 'text':
      addField(found, 'body', text);
      addLookAlike(text, found);
      return;
    case 'other':
    case 'unknown':
      if (!isGraphql) found.reasons.add('a body of a type that is not read');
  }
}

/**
 * Text that would be JSON or a form to a server that does not look at the type: its values count,
 * and nothing is missed when it is neither.
 */
function addLookAlike(text: string, found: Findings): void {
  const read: Collected = { fields: [], reasons: new Set() };
  const first = text.trimStart()[0];
  if (first === '{' || first === '[') collectJson(text, 'body', read);
  else if (/^[\w.[\]-]+=/.test(text)) collectPairs(text, 'body', read);
  for (const { name, value } of read.fields) addField(found, name, value);
}

/** Documents in the query string and in the body: a server may take either. */
function readGraphql({ body, query, fields }: HttpRequest, found: Findings): void {
  if (query !== undefined) {
    // Only what the query string gave: the documents add fields of their own.
    const queried = found.fields.filter(({ name }) => name === 'query.query');
    for (const { value } of queried) addDocument(value, found.graphql, found);
  }
  const isQueried = found.graphql.verbs.size > 0 || found.graphql.effects.size > 0;
  if (body.kind !== 'whole' || body.bytes.length === 0) {
    if (!isQueried) addGraphqlRequest(undefined, found.graphql, found);
    return;
  }
  const { form } = mediaType(fields);
  if (form === 'graphql') return;
  const text = bodyText(body.bytes) ?? '';
  try {
    addGraphqlRequest(JSON.parse(text), found.graphql, found);
  } catch {
    addGraphqlRequest(undefined, found.graphql, found);
  }
}

/** The method that a call of gRPC names, as `package.Service/Method`. */
function grpcCall({ path, fields }: Pick<HttpRequest, 'path' | 'fields'>): string | undefined {
  return isGrpcType(mediaType(fields).name) ? path.slice(1) : undefined;
}

function addGrpc(call: string, found: Findings): void {
  const slash = call.lastIndexOf('/');
  addField(found, 'grpc.service', call.slice(0, Math.max(slash, 0)));
  addField(found, 'grpc.method', call.slice(slash + 1));
  found.reasons.add('messages of gRPC are not read');
}

interface Named {
  readonly found: Findings;
  readonly route: RouteSetting | undefined;
  readonly name: string;
  readonly call: string | undefined;
  readonly operation: string | undefined;
}

function factsOf({ path, method }: HttpRequest, named: Named): Facts {
  const { found, route, name, call, operation } = named;
  const { methods, graphql, reasons } = found;
  const effects = new Set<Effect>();
  const objects: ObjectFact[] = [];
  for (const each of methods) {
    // What a call of gRPC does, its name alone does not say.
    const meaning = (call === undefined ? meanings.get(each) : undefined) ?? unknownMeaning;
    // A POST is how GraphQL asks: what it does, the document says.
    const isSaid = route?.effects !== undefined && each === method;
    const isGraphql = graphql.effects.size > 0 && each === 'POST';
    if (!isSaid && !isGraphql) effects.add(meaning.effect);
    if (!meanings.has(each)) reasons.add(`the method ${each.slice(0, 32)} is not known`);
    objects.push({ kind: 'route', name, access: meaning.access });
  }
  for (const effect of graphql.effects) effects.add(effect);
  for (const effect of route?.effects ?? []) effects.add(effect);
  objects.push({ kind: 'path', name: path, access: objects[0]?.access ?? 'execute' });
  const functions = call === undefined ? [...graphql.functions] : [call];
  if (operation !== undefined) functions.push(operation);
  return {
    effects: [...effects],
    objects,
    columns: [],
    functions,
    fields: found.fields,
    verbs: [...methods, ...graphql.verbs],
    analysis: reasons.size === 0 ? 'complete' : 'partial',
    reasons: [...reasons],
    fingerprint: fingerprint([...methods].join(), shapeOf(name), found),
  };
}

/** The same for requests of one shape: numbers and long names in the path do not count. */
const shapeOf = (path: string): string =>
  path
    .split('/')
    .map((segment) => (/\d/.test(segment) || segment.length > 40 ? '{}' : segment))
    .join('/');

function fingerprint(methods: string, shape: string, { fields, graphql }: Findings): string {
  const names = [...new Set(fields.map(({ name }) => name))].toSorted();
  const all = [methods, shape, ...names, '', ...[...graphql.functions].toSorted()];
  return createHash('sha256').update(JSON.stringify(all)).digest('hex');
}
