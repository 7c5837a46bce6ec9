/**
 * Reads the body of a request as the API server would, or not at all: what two readers could take
 * for different objects is not judged.
 */
import { isAlias, isCollection, isScalar, parseAllDocuments, visit } from 'yaml';
import { isJsonObject, type Json, strictJson } from '#core/strict-json.ts';
import { readProtobuf } from './protobuf.ts';
import type { RequestInfo } from './request-info.ts';

export type BodyKind = 'object' | 'json-patch' | 'merge-patch' | 'strategic-patch' | 'apply';

export type Body =
  | { readonly kind: BodyKind; readonly value: Json }
  | { readonly kind: 'none' }
  | { readonly kind: 'unread'; readonly reason: string };

const kinds: ReadonlyMap<string, BodyKind> = new Map([
  ['', 'object'],
  ['application/json', 'object'],
  ['application/yaml', 'object'],
  ['application/json-patch+json', 'json-patch'],
  ['application/merge-patch+json', 'merge-patch'],
  ['application/strategic-merge-patch+json', 'strategic-patch'],
  ['application/apply-patch+yaml', 'apply'],
]);

const DEPTH_MAX = 100;
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * @param contentType - the header's value; empty when there was none.
 * @param bytes - without any content encoding.
 * @param info - what the request names: it says what a body without names of its own means.
 */
export function readBody(contentType: string, bytes: Uint8Array, info: RequestInfo): Body {
  if (bytes.length === 0) return { kind: 'none' };
  const type = (contentType.split(';')[0] ?? '').trim().toLowerCase();
  if (type === 'application/vnd.kubernetes.protobuf') {
    const value = readProtobuf(bytes, info);
    return value === undefined ? unread('a body of protobuf') : { kind: 'object', value };
  }
  const kind = kinds.get(type);
  if (kind === undefined) return unread(`a body of the type ${printable(type)}`);
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    return unread('a body that is not UTF-8');
  }
  const read = strictJson(text, DEPTH_MAX);
  if (read.ok) return { kind, value: read.value };
  if (!type.endsWith('yaml') || read.reason !== 'not JSON') return unread(`a body: ${read.reason}`);
  const value = readYaml(text);
  return value === undefined ? unread('a body: not plain YAML') : { kind, value };
}

const unread = (reason: string): Body => ({ kind: 'unread', reason });

const printable = (text: string): string => text.replace(/[^\x21-\x7e]/g, '?').slice(0, 100);

/**
 * YAML without its ways to say one thing twice: anchors, merge keys, tags, several documents. The
 * server reads YAML 1.1, in which `yes` is true.
 */
function readYaml(text: string): Json | undefined {
  const documents = parseAllDocuments(text, { version: '1.1', uniqueKeys: true, merge: false });
  const [document] = documents;
  if (!Array.isArray(documents) || documents.length !== 1 || document === undefined)
    return undefined;
  if (document.errors.length > 0 || document.warnings.length > 0) return undefined;
  let isPlain = true;
  visit(document, (key, node) => {
    if (isAlias(node)) isPlain = false;
    else if (isCollection(node) || isScalar(node)) {
      if (node.anchor !== undefined || node.tag !== undefined) isPlain = false;
      if (key === 'key' && isScalar(node) && node.value === '<<') isPlain = false;
    }
    return isPlain ? undefined : visit.BREAK;
  });
  if (!isPlain) return undefined;
  // By way of JSON, so that dates, sets and the like become what they are to everybody.
  const read = strictJson(JSON.stringify(document.toJS({ maxAliasCount: 0 })) ?? '', DEPTH_MAX);
  return read.ok && isJsonObject(read.value) ? read.value : undefined;
}
