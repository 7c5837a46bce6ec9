/** Writes heads. Names and values were read by `head.ts` or are the gateway's own. */
import { GatewayError } from '#core/errors.ts';
import { isFieldValue, isToken } from './characters.ts';
import type { Field } from './fields.ts';

/**
 * A head in bytes, with the empty line.
 *
 * @throws GatewayError `SP_INTERNAL` for a field that would break out of its line.
 */
export function encodeHead(start: string, fields: readonly Field[]): Uint8Array {
  let text = `${start}\r\n`;
  for (const { name, value } of fields) {
    if (!isToken(name) || !isFieldValue(value)) {
      throw new GatewayError('SP_INTERNAL', { detail: `a field that cannot be written: ${name}` });
    }
    text += `${name}: ${value}\r\n`;
  }
  if (!isFieldValue(start)) throw new GatewayError('SP_INTERNAL', { detail: 'a start line' });
  return Buffer.from(`${text}\r\n`);
}

/** The status line of a response of HTTP/1.1. */
export const statusLine = (status: number, reason: string): string =>
  `HTTP/1.1 ${status} ${reason}`;
