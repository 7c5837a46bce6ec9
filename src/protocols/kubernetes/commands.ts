/** A request of the Kubernetes API as it is judged. */
import { createHash } from 'node:crypto';
import { type Facts, type FieldFact, opaqueFacts } from '#core/facts.ts';
import type { MaskSet } from '#core/masking.ts';
import { looseName } from '#protocols/http/codec/fields.ts';
import { methodOverrides } from '#protocols/http/commands.ts';
import type { HttpRequest } from '#protocols/http/request.ts';
import { streamFacts } from './commands-stream.ts';
import { type Body, readBody } from './facts/body.ts';
import { type RequestInfo, requestInfo } from './facts/request-info.ts';
import { requestFacts } from './facts/request-facts.ts';
import { resourceName } from './facts/resources.ts';
import { streamRequest } from './stream-request.ts';

/**
 * The facts of a request. Never throws.
 *
 * @param port - for a forwarding of ports, the one that is asked for.
 */
export function analyseRequest(request: HttpRequest, masks: MaskSet, port?: number): Facts {
  const info = infoOf(request);
  if (typeof info === 'string') return opaqueFacts(info);
  const found = requestFacts(info, bodyOf(request, info), masks);
  const reasons = [...found.reasons];
  for (const { name } of request.fields) {
    if (methodOverrides.has(looseName(name))) reasons.push(`the field ${name}`);
  }
  const facts: Facts = {
    ...found,
    reasons,
    analysis: reasons.length === 0 ? found.analysis : 'partial',
    fields: fieldsOf(info),
    fingerprint: fingerprint(
      info,
      found.objects.filter(({ kind }) => kind === 'image'),
    ),
  };
  return isStreaming(info) ? withStreams(info, facts, port) : facts;
}

/** Whether it asks for streams into a pod. */
const isStreaming = ({ group, resource, subresource }: RequestInfo): boolean =>
  group === '' && resource === 'pods' && streaming.has(subresource);

const streaming: ReadonlySet<string> = new Set(['exec', 'attach', 'portforward']);

function withStreams(info: RequestInfo, facts: Facts, port: number | undefined): Facts {
  const asked = streamRequest(info);
  if (typeof asked !== 'string') return streamFacts(asked, facts, port);
  return { ...facts, analysis: 'partial', reasons: [...facts.reasons, asked] };
}

/** What a request asks for; why it is not understood when it is not. */
export const infoOf = ({ method, path, query }: HttpRequest): RequestInfo | string =>
  requestInfo(method, path, query ?? '');

function bodyOf({ body, fields }: HttpRequest, info: RequestInfo): Body {
  if (body.kind === 'stream') return { kind: 'unread', reason: 'a body that is not read' };
  const type = fields.find(({ name }) => name === 'content-type')?.value ?? '';
  return readBody(type, body.kind === 'whole' ? body.bytes : new Uint8Array(0), info);
}

function fieldsOf(info: RequestInfo): readonly FieldFact[] {
  const { verb, group, version, resource, subresource, namespace, name } = info;
  const named = { verb, group, version, resource, subresource, namespace, name };
  return Object.entries(named)
    .filter(([, value]) => value !== '')
    .map(([key, value]) => ({ name: key, value }));
}

/** The same for requests of one kind: names of objects do not count, images do. */
function fingerprint(info: RequestInfo, images: Facts['objects']): string {
  const { verb, group, resource, subresource, namespace } = info;
  const names = images.map(({ name }) => name).toSorted();
  const all = [verb, resourceName(group, resource), subresource, namespace, ...names];
  return createHash('sha256').update(JSON.stringify(all)).digest('base64url').slice(0, 22);
}
