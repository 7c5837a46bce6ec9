/** How long a body is, from the head alone (RFC 9112 section 6.3). Two answers are an error. */
import { GatewayError } from '#core/errors.ts';
import { parseDecimal } from './characters.ts';
import { type Field, looseName, valuesOf } from './fields.ts';
import type { RequestHead, ResponseHead } from './head.ts';

/** Where a body ends; `close`: with the connection. */
export type Framing =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly length: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'close' };

const none: Framing = { kind: 'none' };
const chunked: Framing = { kind: 'chunked' };

const malformed = (detail: string): GatewayError =>
  new GatewayError('SP_FRAME_MALFORMED', { detail });

/** @throws GatewayError `SP_FRAME_MALFORMED` */
export function requestFraming({ fields, version }: RequestHead): Framing {
  return explicitFraming(fields, version) ?? none;
}

/**
 * @param method - of the request that is answered.
 * @throws GatewayError `SP_FRAME_MALFORMED`
 */
export function responseFraming(
  { fields, version, status }: ResponseHead,
  method: string,
): Framing {
  const framing = explicitFraming(fields, version);
  const isEmpty = method === 'HEAD' || status < 200 || status === 204 || status === 304;
  return isEmpty ? none : (framing ?? { kind: 'close' });
}

function explicitFraming(fields: readonly Field[], version: 0 | 1): Framing | undefined {
  for (const { name } of fields) {
    if (!name.includes('_')) continue;
    // Behind CGI the two spellings are one, so a second length could hide in the other.
    const loose = looseName(name);
    const isLength = loose === 'content-length' || loose === 'transfer-encoding';
    if (isLength) throw malformed('a length with an underscore');
  }
  const lengths = valuesOf(fields, 'content-length');
  const codings = valuesOf(fields, 'transfer-encoding');
  if (codings.length > 0) {
    if (version === 0) throw malformed('Transfer-Encoding in HTTP/1.0');
    if (lengths.length > 0) throw malformed('two lengths');
    if (codings.length > 1 || codings[0]?.toLowerCase() !== 'chunked') {
      throw malformed('a transfer coding other than chunked');
    }
    return chunked;
  }
  if (lengths.length > 1) throw malformed('two lengths');
  const [text] = lengths;
  if (text === undefined) return undefined;
  const length = parseDecimal(text);
  if (length === undefined) throw malformed('the length');
  return { kind: 'length', length };
}
