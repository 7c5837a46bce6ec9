/** Named values of query strings and forms. */
import { addField, type Collected } from './facts-json.ts';

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Adds the pairs of `a=b&c=d` as `name.a`, `name.c`; each of several with one name. */
export function collectPairs(text: string, name: string, into: Collected): void {
  for (const pair of text.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const key = decodePair(equals < 0 ? pair : pair.slice(0, equals), into);
    addField(into, `${name}.${key}`, equals < 0 ? '' : decodePair(pair.slice(equals + 1), into));
  }
}

function decodePair(text: string, into: Collected): string {
  const plain = text.replaceAll('+', ' ');
  if (!plain.includes('%')) return plain;
  try {
    return decodeURIComponent(plain);
  } catch {
    into.reasons.add('percent-encoding that is not UTF-8');
    return plain;
  }
}

/** Adds the parts of `multipart/form-data` (RFC 7578); what a file holds is not looked at. */
export function collectMultipart(bytes: Uint8Array, boundary: string, into: Collected): void {
  const parts = splitParts(Buffer.from(bytes).toString('latin1'), boundary);
  if (parts === undefined) {
    into.reasons.add('a multipart body that is not well formed');
    return;
  }
  for (const part of parts) {
    const end = part.indexOf('\r\n\r\n');
    const head = part.slice(0, Math.max(end, 0));
    const names = [
      ...head.matchAll(/^content-disposition: *form-data; *name="([^"\\\r\n]*)"(.*)$/gim),
    ];
    const [only] = names;
    if (end < 0 || only === undefined || names.length > 1) {
      into.reasons.add('a part of a form without one name');
      continue;
    }
    const [, name = '', more = ''] = only;
    const value = utf8(part.slice(end + 4));
    if (more.trim() !== '' || value === undefined || /^content-transfer-/im.test(head)) {
      into.reasons.add('a file in a form');
      addField(into, `body.${utf8(name) ?? name}`, '');
    } else addField(into, `body.${utf8(name) ?? name}`, value);
  }
}

/** Bytes as they were, one character each. */
function splitParts(text: string, boundary: string): readonly string[] | undefined {
  const mark = `--${boundary}`;
  const pieces = `\r\n${text}`.split(`\r\n${mark}`);
  const last = pieces.at(-1) ?? '';
  if (boundary === '' || pieces[0] !== '' || !last.startsWith('--')) return undefined;
  const parts = pieces.slice(1, -1);
  return parts.every((part) => part.startsWith('\r\n'))
    ? parts.map((part) => part.slice(2))
    : undefined;
}

function utf8(latin1: string): string | undefined {
  try {
    return strict.decode(Buffer.from(latin1, 'latin1'));
  } catch {
    return undefined;
  }
}
