/**
 * The facts of one request of the Kubernetes API.
 *
 * Invariant: `complete` only where verb, resource, subresource and every field of the body that can
 * act is known.
 */
import type { Access, Effect, Facts } from '#core/facts.ts';
import type { MaskSet } from '#core/masking.ts';
import { isJsonObject } from '#core/strict-json.ts';
import type { Body } from './body.ts';
import { inspectChange } from './change.ts';
import { Collector } from './collector.ts';
import { isDryRun, isKnownPath, type RequestInfo } from './request-info.ts';
import { type ResourceClass, resourceClass, resourceName } from './resources.ts';

/** Facts but for the fingerprint, which needs a hash. */
export type RequestFacts = Omit<Facts, 'fingerprint'>;

const reading: ReadonlySet<string> = new Set(['get', 'list', 'watch']);

const accessOf: ReadonlyMap<string, Access> = new Map([
  ['get', 'read'],
  ['list', 'read'],
  ['watch', 'read'],
  ['create', 'create'],
  ['update', 'write'],
  ['patch', 'write'],
  ['delete', 'drop'],
  ['deletecollection', 'drop'],
]);

/** What using a subresource does, whatever the verb; undefined: what reading and writing do. */
const subresources: ReadonlyMap<string, readonly Effect[] | undefined> = new Map([
  ['status', undefined],
  ['scale', undefined],
  ['log', undefined],
  ['resize', undefined],
  ['ephemeralcontainers', undefined],
  ['exec', ['execute-code']],
  ['attach', ['execute-code']],
  ['portforward', ['network']],
  ['proxy', ['execute-code', 'network']],
  ['eviction', ['delete']],
  ['binding', ['admin']],
  ['token', ['grant']],
  ['approval', ['grant']],
  ['finalize', ['drop', 'delete-all']],
]);

/** Subresources that are a connection into a container: no dry run, no plain read. */
const connecting: ReadonlySet<string> = new Set(['exec', 'attach', 'portforward', 'proxy']);

const classEffects: Readonly<Record<ResourceClass, readonly Effect[]>> = {
  plain: [],
  workload: [],
  secret: [],
  traffic: ['network'],
  identity: ['grant'],
  question: [],
  cluster: ['admin'],
  scaling: ['admin'],
};

/** Deleting one of these deletes all that is in it or of its kind. */
const containing: ReadonlySet<string> = new Set([
  'namespaces',
  'customresourcedefinitions.apiextensions.k8s.io',
]);

/** Where the cluster keeps its own settings, and what runs it. */
const clusterNamespaces: ReadonlySet<string> = new Set([
  'kube-node-lease',
  'kube-public',
  'kube-system',
]);

/** Judges nothing: says what the request does. */
export function requestFacts(info: RequestInfo, body: Body, masks: MaskSet): RequestFacts {
  const facts = new Collector(info.namespace, body.kind === 'strategic-patch');
  if (info.isResource) resourceFacts(info, body, facts);
  else {
    facts.effect('read');
    facts.object('path', info.path, 'read');
    if (!isKnownPath(info.path)) facts.partial('a path of the server itself that is not known');
  }
  if (returnsSecrets(info)) {
    for (const part of ['data', 'stringData']) {
      const masked = masks.column('core', 'secrets', part) !== undefined;
      facts.columns.push({ name: `core.secrets.${part}`, use: 'return', masked });
    }
  }
  return {
    effects: [...facts.effects],
    objects: facts.objects,
    columns: facts.columns,
    functions: [],
    verbs: [info.subresource === '' ? info.verb : `${info.verb} ${info.subresource}`],
    analysis: facts.reasons.length === 0 ? 'complete' : 'partial',
    reasons: facts.reasons,
  };
}

/** Whether the answer holds Secrets: a read, or the echo of a write. */
export const returnsSecrets = ({ group, resource, isResource }: RequestInfo): boolean =>
  isResource && group === '' && resource === 'secrets';

function resourceFacts(info: RequestInfo, body: Body, facts: Collector): void {
  const { group, resource, subresource, namespace, verb } = info;
  const kind = resourceName(group, resource);
  const place = namespace === '' || resource === 'namespaces' ? '' : `${namespace}/`;
  const access = connecting.has(subresource) ? 'execute' : (accessOf.get(verb) ?? 'execute');
  const full = subresource === '' ? kind : `${kind}/${subresource}`;
  facts.object(full, `${place}${info.name === '' ? '*' : info.name}`, access);
  const known = resourceClass(group, resource);
  if (known === undefined) facts.partial(`the resource ${kind} is not known`);
  if (!subresources.has(subresource) && subresource !== '') {
    facts.partial(`the subresource ${subresource} is not known`);
  }
  const special = subresources.get(subresource);
  if (special !== undefined) {
    facts.effect(...special);
    if (known !== undefined) facts.effect(...classEffects[known]);
    // A proxy reaches whatever listens there; on a node that is the kubelet.
    return;
  }
  if (reading.has(verb) || known === 'question') facts.effect('read');
  else changeFacts(info, body, facts);
}

/** Whether nothing is kept. A deletion with options in its body takes none from the query. */
function isDry({ verb, query }: RequestInfo, body: Body): boolean {
  const isDeletion = verb === 'delete' || verb === 'deletecollection';
  if (!isDeletion || body.kind === 'none') return isDryRun(query);
  if (body.kind !== 'object' || !isJsonObject(body.value)) return false;
  const { dryRun } = body.value;
  return Array.isArray(dryRun) && dryRun.length === 1 && dryRun[0] === 'All';
}

function changeFacts(info: RequestInfo, body: Body, facts: Collector): void {
  const { verb, group, resource } = info;
  const known = resourceClass(group, resource);
  // The server checks everything and keeps nothing.
  if (isDry(info, body) && known !== undefined) return facts.effect('read');
  if (verb === 'create') facts.effect('create');
  else if (verb === 'delete') facts.effect('delete');
  else if (verb === 'deletecollection') facts.effect('delete', 'delete-all');
  else facts.effect('update');
  if (known !== undefined) facts.effect(...classEffects[known]);
  // What is said of an object makes controllers act: that it failed, where a node is.
  if (info.subresource === 'status') facts.effect('admin');
  if (clusterNamespaces.has(info.namespace)) facts.effect('admin');
  if (verb === 'delete' || verb === 'deletecollection') {
    if (containing.has(resourceName(group, resource))) facts.effect('drop', 'delete-all');
    return;
  }
  if (known !== undefined) inspectChange(info, body, facts);
}
