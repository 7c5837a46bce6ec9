/**
 * Requests outside a session, for `policy explain` and tests of policies: the text of a request as
 * recordings and reviewers have it, or with CR LF, or an object with method, path and body.
 */
import { toGatewayError } from '#core/errors.ts';
import { opaqueFacts } from '#core/facts.ts';
import { httpLimits } from '#core/limits.ts';
import type { MaskSet } from '#core/masking.ts';
import type { AnalysedCommand, AnalysisPlace } from '#core/protocol.ts';
import { membersOf } from './codec/fields.ts';
import { readRequestHead } from './codec/head.ts';
import type { Dialect } from './dialect.ts';
import { undoCodings } from './read-body.ts';
import { forwardedFields, type HttpRequest, requestText } from './request.ts';

const encoder = new TextEncoder();

/** The facts of one request; of what is no request, that nothing is known. */
export function analyseOffline(
  input: unknown,
  { place, dialect, masks }: OfflineParts,
): readonly AnalysedCommand[] {
  if (Array.isArray(input)) {
    return input.flatMap((each) => analyseOffline(each, { place, dialect, masks }));
  }
  const text = textOf(input);
  try {
    const request = readRequest(text);
    const fault = dialect.fault(request);
    const facts =
      fault === undefined ? dialect.analyse(request, place, masks).facts : opaqueFacts(fault);
    return [{ text: requestText(request), facts }];
  } catch (thrown) {
    return [{ text, facts: opaqueFacts(toGatewayError(thrown).message) }];
  }
}

/** Where requests outside a session would go. */
export interface OfflineParts {
  readonly place: AnalysisPlace;
  readonly dialect: Dialect;
  readonly masks: MaskSet;
}

function textOf(input: unknown): string {
  if (typeof input === 'string') return input;
  if (typeof input !== 'object' || input === null) return '';
  const { method, path, body, headers } = {
    method: 'GET',
    path: '/',
    body: '',
    headers: {},
    ...input,
  };
  const fields = Object.entries(headers ?? {}).map(([name, value]) => `${name}: ${String(value)}`);
  const content = typeof body === 'string' ? body : JSON.stringify(body);
  const lines = [`${method} ${path} HTTP/1.1`, ...fields];
  if (typeof body !== 'string') lines.push('content-type: application/json');
  return `${lines.join('\n')}\n\n${content}`;
}

function readRequest(text: string): HttpRequest {
  const plain = text.replaceAll('\r\n', '\n');
  const end = plain.indexOf('\n\n');
  const lines = (end < 0 ? plain.trimEnd() : plain.slice(0, end)).split('\n');
  if (!lines.some((line) => /^host:/i.test(line))) lines.push('host: target');
  const head = readRequestHead(
    encoder.encode(`${lines.join('\r\n')}\r\n\r\n`),
    httpLimits.fieldsMax,
  );
  const content = end < 0 ? '' : plain.slice(end + 2);
  const codings = membersOf(head.fields, 'content-encoding');
  const bytes = undoCodings(encoder.encode(content), codings);
  return {
    method: head.method,
    path: head.path,
    query: head.query,
    fields: head.fields,
    forwarded: forwardedFields(head, { isMasked: false, isDecoded: true, secretField: undefined }),
    host: head.host,
    clientHost: head.host,
    body: content === '' ? { kind: 'none' } : { kind: 'whole', bytes },
    upgrade: undefined,
  };
}
