/** Masks one text that is whole: as JSON where it is that, else by content alone. */
import { GatewayError } from '#core/errors.ts';
import type { FieldMasks } from './results-fields.ts';
import { JsonMasker } from './results-json.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * @param mayBePlain - whether text without fields passes while fields are masked.
 * @throws GatewayError `SP_MASK_UNSOUND`
 */
export function maskText(fields: FieldMasks, text: string, mayBePlain: boolean): string {
  const first = text.trimStart()[0];
  if (first === '{' || first === '[' || first === '"') {
    const masker = new JsonMasker(fields);
    const bytes = encoder.encode(text);
    return decoder.decode(Buffer.concat([masker.push(bytes, 0, bytes.length), masker.end()]));
  }
  if (fields.hasNames && !mayBePlain && !saysNothing(text)) {
    throw new GatewayError('SP_MASK_UNSOUND', { detail: 'text without fields' });
  }
  return fields.contentText('', text) ?? text;
}

/** Words such as `ping` and `[DONE]`, which are about the stream. */
const saysNothing = (text: string): boolean => /^\s*\[?[A-Za-z]{0,20}\]?\s*$/.test(text);
