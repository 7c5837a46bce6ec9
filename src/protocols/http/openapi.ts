/**
 * The OpenAPI document of a target: what its paths and operations are called, and which fields of
 * the head are parameters. Schemas are not looked at, since values are judged as they come. Read
 * once, when the configuration loads; bounded.
 *
 * @see https://spec.openapis.org/oas/v3.1.1.html
 */
import { parse } from 'yaml';
import { GatewayError } from '#core/errors.ts';
import { httpLimits } from '#core/limits.ts';
import type { HttpSettings } from './config.ts';
import { PathTree } from './path-tree.ts';

/** One operation of a document. */
export interface Operation {
  /** Its path with `{names}`, below the server's. */
  readonly path: string;
  readonly operationId: string | undefined;
  /** Names of fields of the head and of cookies, in lower case. */
  readonly headers: readonly string[];
  readonly cookies: readonly string[];
}

/** What a document says of one request. */
export interface Documented {
  /** The path as the document has it. */
  readonly path: string;
  /** Undefined when the path is there and the method is not. */
  readonly operation: Operation | undefined;
}

interface Item {
  readonly path: string;
  readonly operations: ReadonlyMap<string, Operation>;
}

const methods: readonly string[] = [
  'get',
  'put',
  'post',
  'delete',
  'options',
  'head',
  'patch',
  'trace',
  'query',
];
const ALIASES_MAX = 100;
const REFERENCES_MAX = 8;

const unreadable = (detail: string, cause?: unknown): GatewayError =>
  new GatewayError('SP_CONFIG', { detail: `the OpenAPI document: ${detail}`, cause });

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export class OpenApi {
  readonly #tree = new PathTree<Item>();
  /** Whether an operation has parameters in the head, so that its fields decide facts too. */
  readonly readsFields: boolean;

  /**
   * @param source - the document, or its text in JSON or YAML.
   * @throws GatewayError `SP_CONFIG`
   */
  constructor(source: unknown) {
    const document = typeof source === 'string' ? parsed(source) : source;
    if (!isObject(document) || !isObject(document['paths'])) throw unreadable('it has no paths');
    let count = 0;
    let readsFields = false;
    for (const [path, given] of Object.entries(document['paths'])) {
      if (!path.startsWith('/')) continue;
      const item = resolved(document, given);
      for (const base of basesOf(item['servers'] ?? document['servers'], document)) {
        const read = itemOf(document, `${base}${path}`, item);
        count += 1 + read.operations.size;
        if (count > httpLimits.operationsMax) throw unreadable('too many operations');
        this.#tree.add(read.path, read);
        for (const { headers, cookies } of read.operations.values()) {
          readsFields ||= headers.length > 0 || cookies.length > 0;
        }
      }
    }
    this.readsFields = readsFields;
  }

  /** What it says of a request; undefined when it does not have the path. */
  find(method: string, path: string): Documented | undefined {
    const item = this.#tree.find(path);
    if (item === undefined) return undefined;
    const wanted = method.toLowerCase();
    const { operations } = item;
    // Section 9.3.2 of RFC 9110: HEAD is GET without the body.
    const operation =
      operations.get(wanted) ?? (wanted === 'head' ? operations.get('get') : undefined);
    return { path: item.path, operation };
  }
}

const known = new WeakMap<HttpSettings, OpenApi>();

/** The document of a target; undefined when it has none. @throws GatewayError `SP_CONFIG` */
export function openApiOf(settings: HttpSettings): OpenApi | undefined {
  if (settings.openapi === undefined) return undefined;
  const api = known.get(settings) ?? new OpenApi(settings.openapi);
  known.set(settings, api);
  return api;
}

function parsed(text: string): unknown {
  if (text.length > httpLimits.documentCharsMax) throw unreadable('it is too large');
  try {
    return text.trimStart().startsWith('{')
      ? JSON.parse(text)
      : parse(text, { maxAliasCount: ALIASES_MAX });
  } catch (cause) {
    throw unreadable(cause instanceof Error ? cause.message.slice(0, 200) : 'no YAML', cause);
  }
}

/** Follows references within the document. */
function resolved(document: Json, value: unknown): Json {
  let found = value;
  for (let count = 0; count < REFERENCES_MAX; count += 1) {
    if (!isObject(found)) throw unreadable('something is no object');
    const reference = found['$ref'];
    if (reference === undefined) return found;
    if (typeof reference !== 'string' || !reference.startsWith('#/')) {
      throw unreadable('a reference to another document');
    }
    let at: unknown = document;
    for (const part of reference.slice(2).split('/')) {
      const name = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
      at = isObject(at) && Object.hasOwn(at, name) ? at[name] : undefined;
    }
    found = at;
  }
  throw unreadable('references without an end');
}

/** The paths of servers, without a slash at the end; of version 2, `basePath`. */
function basesOf(servers: unknown, document: Json): readonly string[] {
  const base = document['basePath'];
  if (!Array.isArray(servers) || servers.length === 0) {
    return [typeof base === 'string' ? pathOf(base) : ''];
  }
  return [...new Set(servers.map((server: unknown) => pathOf(serverUrl(server))))];
}

function serverUrl(server: unknown): string {
  if (!isObject(server) || typeof server['url'] !== 'string') throw unreadable('a server');
  const variables = isObject(server['variables']) ? server['variables'] : {};
  return server['url'].replaceAll(/\{([^{}]*)\}/g, (whole, name: string) => {
    const variable = Object.hasOwn(variables, name) ? variables[name] : undefined;
    const value = isObject(variable) ? variable['default'] : undefined;
    return typeof value === 'string' ? value : whole;
  });
}

function pathOf(url: string): string {
  let path: string;
  try {
    path = decodeURI(new URL(url, 'http://target').pathname);
  } catch (cause) {
    throw unreadable('the URL of a server', cause);
  }
  return path.endsWith('/') ? path.slice(0, -1) : path;
}

function itemOf(document: Json, path: string, item: Json): Item {
  const operations = new Map<string, Operation>();
  const shared = parametersOf(document, item['parameters']);
  for (const method of methods) {
    const given = item[method];
    if (!isObject(given)) continue;
    const id = given['operationId'];
    const own = [...shared, ...parametersOf(document, given['parameters'])];
    const named = (place: string): readonly string[] => [
      ...new Set(own.filter((each) => each.place === place).map(({ name }) => name)),
    ];
    operations.set(method, {
      path,
      operationId: typeof id === 'string' && id !== '' ? id : undefined,
      headers: named('header'),
      cookies: named('cookie'),
    });
  }
  return { path, operations };
}

interface Parameter {
  readonly name: string;
  readonly place: unknown;
}

function parametersOf(document: Json, given: unknown): readonly Parameter[] {
  if (!Array.isArray(given)) return [];
  return given.map((each: unknown) => {
    const { name, in: place } = resolved(document, each);
    return { name: String(name).toLowerCase(), place };
  });
}
