/**
 * A request as it is judged and as it goes upstream: one canonical head, made once. What the client
 * says about itself or about other hops does not go on; the gateway says that anew.
 */
import type { Field } from './codec/fields.ts';
import { endToEnd, looseName } from './codec/fields.ts';
import type { RequestHead } from './codec/head.ts';
import { encodePath } from './codec/path.ts';

/** The body of a request. */
export type RequestBody =
  | { readonly kind: 'none' }
  /** Read whole; content codings undone. */
  | { readonly kind: 'whole'; readonly bytes: Uint8Array }
  /** Goes on unread; its length if the client told it. */
  | { readonly kind: 'stream'; readonly length: number | undefined };

/** One request, ready to be judged. */
export interface HttpRequest {
  readonly method: string;
  /** Decoded, as the target will see it. */
  readonly path: string;
  readonly query: string | undefined;
  /** All fields of the client, for the analysis. */
  readonly fields: readonly Field[];
  /** Those that go upstream; neither length nor anything of the gateway's own is among them. */
  readonly forwarded: readonly Field[];
  /** Host that the target is told. */
  readonly host: string;
  /** Host that the client asked for. */
  readonly clientHost: string;
  readonly body: RequestBody;
  /** Protocol that the connection is to change to, in lower case; undefined for none. */
  readonly upgrade: string | undefined;
}

/** Fields that the gateway sets, answers or takes off. Loose names: dashes only. */
const dropped: ReadonlySet<string> = new Set([
  'authorization',
  'host',
  'content-length',
  'expect',
  'http2-settings',
  // Frames of WebSocket without extensions are what they seem.
  'sec-websocket-extensions',
  // Who the client is, or was, according to the client.
  'forwarded',
  'via',
  'x-real-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'true-client-ip',
  'cf-connecting-ip',
  'fastly-client-ip',
  'remote-user',
  'x-remote-user',
  'x-remote-group',
  'x-user',
  'x-username',
  'x-email',
  'x-client-cert',
  'x-client-verify',
  'x-client-dn',
  // What it asked for, in another way than by the request line.
  'x-original-url',
  'x-original-uri',
  'x-original-method',
  'x-original-host',
  'x-rewrite-url',
  'x-host',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  // CGI programs take it for the environment's proxy (CVE-2016-5385).
  'proxy',
]);

const droppedBeginnings: readonly string[] = [
  'sallyport-',
  'x-forwarded-',
  'x-remote-',
  'x-authenticated-',
  'x-auth-request-',
  'x-webauth-',
  'x-goog-authenticated-',
  'x-amzn-oidc-',
  'x-ms-client-principal',
  'x-ssl-',
  'ssl-client-',
  'impersonate-',
];

/** Fields whose value is another for each connection or each attempt, and means nothing there. */
const rangeFields: ReadonlySet<string> = new Set(['range', 'if-range']);

/** What decides which fields go on. */
export interface ForwardOptions {
  /** Answers may be masked: then they must come whole and without a coding. */
  readonly isMasked: boolean;
  /** A content coding of the body was undone. */
  readonly isDecoded: boolean;
  /** The field that carries the account's secret. */
  readonly secretField: string | undefined;
}

/** The client's fields that go upstream. */
export function forwardedFields(head: RequestHead, options: ForwardOptions): readonly Field[] {
  const fields: Field[] = [];
  for (const field of endToEnd(head.fields)) {
    const { name } = field;
    if (isDropped(name) || name === options.secretField) continue;
    if (options.isDecoded && name === 'content-encoding') continue;
    if (options.isMasked && (rangeFields.has(name) || name === 'accept-encoding')) continue;
    fields.push(field);
  }
  if (options.isMasked) fields.push({ name: 'accept-encoding', value: 'identity' });
  return fields;
}

/** A name with an underscore may mean any field to a program behind CGI, so none goes on. */
function isDropped(name: string): boolean {
  if (name.includes('_')) return true;
  const loose = looseName(name);
  return dropped.has(loose) || droppedBeginnings.some((beginning) => loose.startsWith(beginning));
}

/** The target of the request line, as it goes upstream. */
export const requestTarget = ({ path, query }: Pick<HttpRequest, 'path' | 'query'>): string =>
  `${path === '*' ? path : encodePath(path)}${query === undefined ? '' : `?${query}`}`;

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A body as text; undefined when it is none that a person could read. */
export function bodyText(bytes: Uint8Array): string | undefined {
  if (bytes.includes(0)) return undefined;
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * The text that is judged, shown to reviewers and bound by approvals: everything of the client's
 * that goes upstream. No value can hold a line feed, so no two requests have one text.
 */
export function requestText(request: HttpRequest): string {
  const lines = [
    `${request.method} ${requestTarget(request)} HTTP/1.1`,
    `host: ${request.host}`,
    ...request.forwarded.map(({ name, value }) => `${name}: ${value}`),
  ];
  if (request.upgrade !== undefined) lines.push(`upgrade: ${request.upgrade}`);
  return `${lines.join('\n')}\n\n${shownBody(request.body)}`;
}

function shownBody(body: RequestBody): string {
  if (body.kind === 'none') return '';
  if (body.kind === 'stream') return '(a body that is not read)';
  return bodyText(body.bytes) ?? `(a body of ${body.bytes.length} bytes that is no text)`;
}
