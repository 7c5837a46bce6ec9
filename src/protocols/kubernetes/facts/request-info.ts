/**
 * What a request asks of the API server, read from method, path and query as the server's own
 * RequestInfo does it (`k8s.io/apiserver/pkg/endpoints/request/requestinfo.go`).
 *
 * Invariant: two requests that the server could read differently from us have no RequestInfo.
 */

/** The parts that RBAC and we judge by. Empty where there is none. */
export interface RequestInfo {
  /** False for `/version`, `/healthz`, discovery and the like. */
  readonly isResource: boolean;
  /** `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`; lower case. */
  readonly verb: string;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  /** What follows the subresource: the path that a proxy is asked for. */
  readonly rest: readonly string[];
  readonly path: string;
  readonly query: Query;
}

/** Query parameters in the order of their first occurrence. */
export type Query = ReadonlyMap<string, readonly string[]>;

const resourceVerbs: ReadonlyMap<string, string> = new Map([
  ['GET', 'get'],
  ['HEAD', 'get'],
  ['POST', 'create'],
  ['PUT', 'update'],
  ['PATCH', 'patch'],
  ['DELETE', 'delete'],
]);

const plainVerbs: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Subresources that a namespace has itself; whatever else follows its name is in it. */
const namespaceSubresources: ReadonlySet<string> = new Set(['status', 'finalize']);

/**
 * Reads a request.
 *
 * @param path - decoded and canonical; its segments hold no slash.
 * @param query - without the question mark.
 * @returns why it is not understood, in words for a person, when it is not.
 */
export function requestInfo(method: string, path: string, query: string): RequestInfo | string {
  const parameters = readQuery(query);
  if (parameters === undefined) return 'the query has no single meaning';
  const segments = path.split('/').slice(1);
  const [prefix = '', ...parts] = segments;
  const plain = { path, query: parameters, ...nothing };
  if (prefix !== 'api' && prefix !== 'apis') return plainRequest(method, plain);
  const group = prefix === 'api' ? '' : (parts.shift() ?? '');
  const version = parts.shift() ?? '';
  // `/api/v1` and `/apis/apps` are discovery.
  if (parts.length === 0 || (parts.length === 1 && parts[0] === '')) {
    return plainRequest(method, { ...plain, group, version });
  }
  return resourceRequest(method, { ...plain, group, version }, parts);
}

const nothing = {
  isResource: false,
  verb: '',
  group: '',
  version: '',
  resource: '',
  subresource: '',
  namespace: '',
  name: '',
  rest: [],
} as const;

/**
 * What the server serves besides resources and does nothing by: its version, its health, and what
 * there is. It also has its logs, profiles of its memory, and whatever it is extended by.
 */
const knownPaths: readonly RegExp[] = [
  /^\/(?:version\/?|metrics|openid\/v1\/jwks)?$/,
  /^\/(?:healthz|livez|readyz)(?:\/\w[\w.-]*)*$/,
  /^\/openapi(?:\/\w[\w.-]*)+$/,
  /^\/\.well-known\/openid-configuration$/,
  /^\/apis?(?:\/\w[\w.-]*){0,2}\/?$/,
];

/** Whether reading a path that is no resource is known to do nothing else. */
export const isKnownPath = (path: string): boolean => knownPaths.some((one) => one.test(path));

function plainRequest(method: string, request: RequestInfo): RequestInfo | string {
  if (!plainVerbs.has(method)) return `${method} of a path that is no resource`;
  return { ...request, verb: 'get' };
}

function resourceRequest(
  method: string,
  request: RequestInfo,
  parts: readonly string[],
): RequestInfo | string {
  // Served by none of today's servers, read as verbs by all.
  if (parts[0] === 'watch' || parts[0] === 'proxy') return `the path's verb '${parts[0]}'`;
  const verb = resourceVerbs.get(method);
  if (verb === undefined) return `the method ${method}`;
  const [first, namespace = '', third = ''] = parts;
  const isInside = first === 'namespaces' && parts.length > 2 && !namespaceSubresources.has(third);
  const [resource = '', name = '', subresource = '', ...rest] = isInside ? parts.slice(2) : parts;
  const isProxy = subresource === 'proxy';
  const words = isProxy ? [resource, name] : [resource, name, subresource, ...rest];
  if (hasHoles(words) || (isInside && namespace === '')) return 'an empty segment in the path';
  if (rest.length > 0 && !isProxy) return 'a path below a subresource';
  const place = first === 'namespaces' ? namespace : '';
  const named = { ...request, isResource: true, resource, name, subresource, rest };
  return { ...named, namespace: place, verb: verbOf(verb, name, request.query) };
}

/** Segments may be missing at the end, not in the middle. */
function hasHoles(words: readonly string[]): boolean {
  const last = words.findLastIndex((word) => word !== '');
  return last < 0 || words.slice(0, last).includes('');
}

function verbOf(verb: string, name: string, query: Query): string {
  if (name !== '') return verb;
  if (verb === 'delete') return 'deletecollection';
  if (verb !== 'get') return verb;
  return isOn(query.get('watch')) ? 'watch' : 'list';
}

/** As the server reads a Boolean of a query: whatever does not say no says yes. */
export function isOn(values: readonly string[] | undefined): boolean {
  const [value] = values ?? [];
  return value !== undefined && !['false', '0'].includes(value.toLowerCase());
}

/** Whether the server would do all but keep the result. Nothing but `All` says so. */
export function isDryRun(query: Query): boolean {
  const values = query.get('dryRun') ?? [];
  return values.length === 1 && values[0] === 'All';
}

/** Parameters that may stand more than once; of others the server may read any. */
const lists: ReadonlySet<string> = new Set(['command', 'ports']);

function readQuery(text: string): Query | undefined {
  const found = new Map<string, string[]>();
  // Servers of before Go 1.17 take it for an ampersand, later ones drop the pair.
  if (text.includes(';')) return undefined;
  for (const pair of text.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = decoded(equals < 0 ? pair : pair.slice(0, equals));
    const value = decoded(equals < 0 ? '' : pair.slice(equals + 1));
    if (name === undefined || value === undefined) return undefined;
    const values = found.get(name);
    if (values === undefined) found.set(name, [value]);
    else if (lists.has(name) || values[0] === value) values.push(value);
    else return undefined;
  }
  return found;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}
