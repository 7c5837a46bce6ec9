/**
 * How HTTP clients are told no: problem details (RFC 9457) with the status of the error table, the
 * code, the rule, the reason, what to do about it, and the hold if there is one.
 */
import { type ErrorCode, errorTable, type GatewayError } from '#core/errors.ts';
import type { Refusal } from '#core/verdict.ts';
import type { Field } from './codec/fields.ts';
import { encodeHead, statusLine } from './codec/write.ts';

/** A refusal that the relay itself makes; the words are the error table's. */
export const refuse = (code: ErrorCode, reason = '', hint = ''): Refusal => ({
  refused: true,
  code,
  rule: '',
  reason: reason === '' ? errorTable[code].text : reason,
  hint,
  hold: undefined,
  endsSession: false,
});

/** An error as a refusal: its detail only where clients may know it. */
export function refusalOf(error: GatewayError): Refusal {
  const { text, audience } = errorTable[error.code];
  // What the door knows of a failed login, a detail too many would tell somebody who guesses.
  const isLogin = error.code === 'SP_LOGIN_FAILED' || error.code === 'SP_NO_GRANT';
  const detail = audience === 'client' && !isLogin ? error.message.slice(text.length + 2) : '';
  return refuse(error.code, detail === '' ? text : `${text}: ${detail}`, hints[error.code] ?? '');
}

const hints: Readonly<Partial<Record<ErrorCode, string>>> = {
  SP_LOGIN_FAILED: 'Send a Sallyport credential or an OIDC token as Bearer, or as Basic password.',
  SP_NO_GRANT: 'The target is named by host, path or account@target.',
};

/** How the answer is to be written. */
export interface ProblemForm {
  /** HEAD gets no body. */
  readonly method: string;
  /** Whether the connection ends behind it. */
  readonly isLast: boolean;
  /** What was taken off the path of the request. */
  readonly prefix?: string;
  /** Whether a client of gRPC asks, which reads no body. */
  readonly isGrpc?: boolean;
}

/** Paths that the gateway answers itself, on every target's host. */
export const ownPaths = '/.well-known/sallyport/';

/** Where the sender of a held request sees what became of it. */
export const holdUrl = (hold: string, { prefix = '' }: ProblemForm): string =>
  `${prefix}${ownPaths}holds/${hold}`;

/** When it is worth while to ask again whether a hold is over. */
export const RETRY_SECONDS = 5;
const encoder = new TextEncoder();

/** The answer to one refused request. */
export function encodeRefusal(refusal: Refusal, form: ProblemForm): Uint8Array {
  if (form.isGrpc === true) return encodeGrpcStatus(refusal, form);
  const row = errorTable[refusal.code];
  const problem = {
    type: `urn:sallyport:error:${refusal.code}`,
    title: row.text,
    status: row.http,
    detail: refusal.reason,
    code: refusal.code,
    ...(refusal.rule === '' ? {} : { rule: refusal.rule }),
    ...(refusal.hint === '' ? {} : { hint: refusal.hint }),
    ...(refusal.hold === undefined
      ? {}
      : { hold: refusal.hold, instance: holdUrl(refusal.hold, form) }),
  };
  return encodeAnswer(refusal, { type: 'application/problem+json', content: problem }, form);
}

/**
 * The same for a client of gRPC: a status and its message in the head, and nothing behind it.
 *
 * @see https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */
function encodeGrpcStatus(
  { code, reason, hint, rule, hold }: Refusal,
  form: ProblemForm,
): Uint8Array {
  const where = hold === undefined ? '' : ` ${holdUrl(hold, form)}`;
  const words = [`sallyport: ${reason}`, hint, `(${code}${rule === '' ? '' : `, rule ${rule}`})`];
  return encodeHead(statusLine(200, reasons[200] ?? ''), [
    { name: 'content-type', value: 'application/grpc' },
    { name: 'grpc-status', value: String(grpcStatuses[errorTable[code].http] ?? GRPC_UNKNOWN) },
    {
      name: 'grpc-message',
      value: grpcMessage(words.filter((text) => text !== '').join(' ') + where),
    },
    { name: 'content-length', value: '0' },
    ...(form.isLast ? [{ name: 'connection', value: 'close' }] : []),
  ]);
}

/** Printable ASCII as it is but for `%`, everything else percent-encoded. */
const grpcMessage = (text: string): string =>
  text
    .toWellFormed()
    .replaceAll(/[^\x20-\x24\x26-\x7e]/gu, (character) => encodeURIComponent(character));

const GRPC_UNKNOWN = 2;

/** Codes of gRPC by the status of HTTP that a refusal has. */
const grpcStatuses: Readonly<Record<number, number>> = {
  400: 3,
  401: 16,
  403: 7,
  404: 5,
  408: 4,
  409: 9,
  413: 8,
  429: 8,
  499: 1,
  500: 13,
  501: 12,
  502: 14,
  503: 14,
  507: 8,
};

/** The words of a refusal, as a media type that the client reads. */
export interface RefusalWords {
  readonly type: string;
  readonly content: unknown;
}

/** A refusal in the words of a protocol over HTTP. */
export function encodeAnswer(
  refusal: Refusal,
  { type, content }: RefusalWords,
  form: ProblemForm,
): Uint8Array {
  const row = errorTable[refusal.code];
  const fields: Field[] = [];
  if (row.http === 401) {
    fields.push({ name: 'www-authenticate', value: 'Bearer realm="sallyport"' });
    fields.push({ name: 'www-authenticate', value: 'Basic realm="sallyport", charset="UTF-8"' });
  }
  if (refusal.code === 'SP_HOLD_PENDING') {
    fields.push({ name: 'retry-after', value: String(RETRY_SECONDS) });
  }
  return encodeJson({ status: row.http, type, content, fields }, form);
}

/** What the gateway says itself. */
export interface OwnWords extends RefusalWords {
  readonly status: number;
  readonly fields: readonly Field[];
}

/** An answer of the gateway's own. */
export function encodeJson(
  { status, type, content, fields }: OwnWords,
  { method, isLast }: ProblemForm,
): Uint8Array {
  const body = encoder.encode(JSON.stringify(content));
  const head = encodeHead(statusLine(status, reasons[status] ?? ''), [
    { name: 'content-type', value: type },
    { name: 'content-length', value: String(body.length) },
    { name: 'cache-control', value: 'no-store' },
    ...fields,
    ...(isLast ? [{ name: 'connection', value: 'close' }] : []),
  ]);
  return method === 'HEAD' ? head : Buffer.concat([head, body]);
}

const reasons: Readonly<Record<number, string>> = {
  200: 'OK',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  408: 'Request Timeout',
  409: 'Conflict',
  413: 'Content Too Large',
  426: 'Upgrade Required',
  429: 'Too Many Requests',
  499: 'Client Closed Request',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  507: 'Insufficient Storage',
};
