/**
 * What a body that creates or changes an object does beyond that: stops replicas, removes what
 * keeps an object from being deleted, starts containers, gives rights.
 */
import { isJsonObject, type Json, type JsonObject } from '#core/strict-json.ts';
import type { Body } from './body.ts';
import { type Collector, valueAt } from './collector.ts';
import { inspectPodSpec } from './pod-spec.ts';
import type { RequestInfo } from './request-info.ts';
import { podSpecPath, resourceClass } from './resources.ts';

/** Fields of a workload beside its pods, which say how many there are and how they change. */
const harmlessInWorkload: ReadonlySet<string> = new Set(
  (
    'activeDeadlineSeconds backoffLimit backoffLimitPerIndex completionMode completions ' +
    'concurrencyPolicy failedJobsHistoryLimit manualSelector maxFailedIndexes minReadySeconds ordinals ' +
    'parallelism paused persistentVolumeClaimRetentionPolicy podFailurePolicy podManagementPolicy ' +
    'podReplacementPolicy progressDeadlineSeconds replicas revisionHistoryLimit schedule selector ' +
    'serviceName startingDeadlineSeconds strategy successPolicy successfulJobsHistoryLimit suspend ' +
    'timeZone ttlSecondsAfterFinished updateStrategy volumeClaimTemplates'
  ).split(' '),
);

const identifying: ReadonlySet<string> = new Set(
  (
    'annotations creationTimestamp generateName generation labels managedFields name namespace ' +
    'resourceVersion selfLink uid'
  ).split(' '),
);

/** What decides whether and when an object goes. */
const fate: ReadonlySet<string> = new Set([
  'deletionGracePeriodSeconds',
  'deletionTimestamp',
  'finalizers',
  'ownerReferences',
]);

/** Notes what the body of a create, update or patch does. */
export function inspectChange(info: RequestInfo, body: Body, facts: Collector): void {
  if (body.kind === 'none') return facts.partial('a change without a body');
  if (body.kind === 'unread') return facts.partial(body.reason);
  if (body.kind === 'json-patch') {
    for (const piece of piecesOf(body.value, facts)) inspectObject(info, piece, facts);
  } else if (isJsonObject(body.value)) {
    inspectObject(info, body.value, facts);
    // What an applied configuration leaves out, it gives up.
    const isWhole = body.kind === 'object' || body.kind === 'apply';
    if (isWhole && info.subresource === 'scale') inspectScale(body.value['spec'] ?? null, facts);
    if (body.kind === 'object' && info.verb === 'update')
      inspectReplacement(info, body.value, facts);
  } else {
    facts.partial('a body that is no object');
  }
}

function inspectObject(info: RequestInfo, object: JsonObject, facts: Collector): void {
  for (const [key, value] of Object.entries(object)) {
    if (key === 'metadata') inspectMetadata(info, value, facts);
    else if (key.startsWith('$')) inspectDirective(key, value, facts);
    else if (value === null && key === 'spec') facts.partial('a patch that empties the object');
  }
  if (info.subresource === 'scale') {
    if (object['spec'] !== undefined) inspectScale(object['spec'], facts);
    return;
  }
  if (info.subresource === 'ephemeralcontainers') {
    // It runs inside a pod that is there, with its network and what is mounted.
    facts.effect('execute-code');
    return inspectPodSpec(object['spec'] ?? {}, facts);
  }
  if (info.subresource !== '') return;
  const kind = resourceClass(info.group, info.resource);
  if (kind === 'workload') inspectWorkload(info, object, facts);
  else if (kind === 'secret') inspectSecret(object, facts);
}

function inspectMetadata(info: RequestInfo, metadata: Json, facts: Collector): void {
  if (!isJsonObject(metadata)) return facts.partial('metadata that is no object');
  for (const [key, value] of Object.entries(metadata)) {
    const list = key.startsWith('$deleteFromPrimitiveList/') ? key.slice(25) : key;
    // A whole object names what it has; only a patch of it is a change for certain.
    if (fate.has(list)) {
      if (info.verb === 'patch') facts.effect('delete');
    } else if (!identifying.has(key) && !facts.directive(key, value)) {
      facts.partial(`the field ${key} of the metadata`);
    }
  }
}

function inspectDirective(key: string, value: Json, facts: Collector): void {
  // `$patch: replace` or `delete` of the whole: what was there is gone.
  const isWhole = facts.directive(key, value) && key === '$patch' && value !== 'merge';
  if (isWhole) facts.effect('delete', 'delete-all');
  else if (!facts.isStrategic) facts.partial(`the field ${key}`);
}

/** Kinds that are kept by their finalizers alone: an update without them lets the object go. */
const keptByFinalizers: ReadonlySet<string> = new Set([
  'customresourcedefinitions',
  'namespaces',
  'persistentvolumeclaims',
  'persistentvolumes',
]);

function inspectReplacement(info: RequestInfo, object: JsonObject, facts: Collector): void {
  if (!keptByFinalizers.has(info.resource) || info.subresource !== '') return;
  const finalizers = valueAt(object, ['metadata', 'finalizers']);
  if (!Array.isArray(finalizers) || finalizers.length === 0) facts.effect('delete');
}

function inspectSecret(secret: JsonObject, facts: Collector): void {
  // The server fills it with a token that does not expire.
  if (secret['type'] === 'kubernetes.io/service-account-token') facts.effect('grant');
}

function inspectWorkload(info: RequestInfo, object: JsonObject, facts: Collector): void {
  const path = podSpecPath(info.group, info.resource);
  if (valueAt(object, path) !== undefined) {
    facts.effect('container-start');
    inspectPodSpec(valueAt(object, path), facts);
  } else if (info.verb !== 'patch') {
    facts.partial('a workload without pods');
  }
  if (path.length === 1) inspectPod(info, object, facts);
  else inspectLevels(info, object, path, facts);
}

function inspectPod(info: RequestInfo, pod: JsonObject, facts: Collector): void {
  inspectAnnotations(pod['metadata'], facts);
  const { spec } = pod;
  if (isJsonObject(spec)) inspectEnding(info, spec, facts);
}

/** What ends running pods, or deletes objects and their data later, when it is put on what is there. */
const endings: readonly string[] = [
  'activeDeadlineSeconds',
  'persistentVolumeClaimRetentionPolicy',
  'ttlSecondsAfterFinished',
];

function inspectEnding(info: RequestInfo, level: JsonObject, facts: Collector): void {
  const ends = endings.some((name) => (level[name] ?? null) !== null);
  if (info.verb !== 'create' && ends) facts.effect('delete');
  const suspend = level['suspend'] ?? false;
  if (info.resource === 'jobs' && suspend !== false) facts.effect('delete-all');
}

/** The older way to take profiles off the containers of a pod. */
const profile = /(?:^|\.)(?:apparmor|seccomp)\.security\./;

function inspectAnnotations(metadata: Json | undefined, facts: Collector): void {
  const annotations = isJsonObject(metadata) ? metadata['annotations'] : undefined;
  if (!isJsonObject(annotations)) return;
  for (const [name, value] of Object.entries(annotations)) {
    if (profile.test(name) && value !== 'runtime/default') facts.privileged(name);
  }
}

/** The levels between a workload and its pods: known fields, and the next level. */
function inspectLevels(
  info: RequestInfo,
  object: JsonObject,
  path: readonly string[],
  facts: Collector,
): void {
  let level: Json | undefined = object;
  for (const [depth, key] of path.entries()) {
    if (!isJsonObject(level)) return;
    inspectEnding(info, level, facts);
    if (depth > 0) inspectAnnotations(level['metadata'], facts);
    for (const [field, value] of Object.entries(level)) {
      if (field === 'replicas' || field === 'parallelism') inspectReplicas(value, facts);
      const isKnown = depth === 0 || field === key || harmlessInWorkload.has(field);
      if (isKnown || field === 'metadata' || facts.directive(field, value)) continue;
      facts.partial(`the field ${field} of a workload`);
    }
    level = level[key];
    if (level === null) facts.partial('a patch that empties the workload');
  }
}

/** To no replicas is to stop all of it. What is not a plain number above zero counts as none. */
function inspectReplicas(replicas: Json | undefined, facts: Collector): void {
  if (replicas === undefined || replicas === null) return;
  if (typeof replicas !== 'number' || !(replicas >= 1)) facts.effect('delete-all');
}

/** A Scale has no default: what is left out, or taken away, is none. */
function inspectScale(spec: Json, facts: Collector): void {
  const replicas = isJsonObject(spec) ? spec['replicas'] : undefined;
  inspectReplicas(replicas ?? 0, facts);
}

/** The operations of a JSON patch (RFC 6902), each as the piece of an object that it changes. */
function piecesOf(patch: Json, facts: Collector): readonly JsonObject[] {
  if (!Array.isArray(patch)) {
    facts.partial('a JSON patch that is no list');
    return [];
  }
  const pieces: JsonObject[] = [];
  for (const operation of patch) {
    if (!isJsonObject(operation)) {
      facts.partial('an operation that is no object');
      continue;
    }
    if (operation['op'] === 'test') continue;
    const piece = pieceOf(operation);
    if (piece === undefined) facts.partial('an operation of the patch');
    else pieces.push(piece);
  }
  return pieces;
}

function pieceOf(operation: JsonObject): JsonObject | undefined {
  const { op, path, value } = operation;
  // An empty path is the whole object: all that it had goes.
  if (typeof path !== 'string' || !path.startsWith('/')) return undefined;
  if (op !== 'add' && op !== 'replace' && op !== 'remove') return undefined;
  let piece: Json = op === 'remove' ? null : (value ?? null);
  const keys = path.split('/').slice(1);
  for (const key of keys.toReversed()) {
    const name = key.replaceAll('~1', '/').replaceAll('~0', '~');
    // An index or the end of a list. A key that looks like one gives a list where none may be.
    piece = /^(?:\d+|-)$/.test(name) ? [piece] : Object.fromEntries([[name, piece]]);
  }
  return isJsonObject(piece) ? piece : undefined;
}
