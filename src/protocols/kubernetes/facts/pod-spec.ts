/**
 * What a PodSpec, or a piece of one out of a patch, lets containers do. A closed world: a field
 * that has no row here may do anything.
 *
 * Source: the API reference of Kubernetes 1.34, `core/v1` PodSpec, Container and Volume.
 */
import { isJsonObject, type Json, type JsonObject } from '#core/strict-json.ts';
import type { Collector } from './collector.ts';

/** Fields that change when, where in the cluster and how well a pod runs, and nothing beyond. */
const harmless: ReadonlySet<string> = new Set(
  (
    'activeDeadlineSeconds affinity automountServiceAccountToken dnsConfig dnsPolicy enableServiceLinks hostAliases ' +
    'hostname imagePullSecrets nodeSelector os overhead preemptionPolicy priority priorityClassName ' +
    'readinessGates resources restartPolicy runtimeClassName schedulerName schedulingGates ' +
    'setHostnameAsFQDN shareProcessNamespace subdomain terminationGracePeriodSeconds tolerations ' +
    'topologySpreadConstraints'
  ).split(' '),
);

const harmlessInContainer: ReadonlySet<string> = new Set(
  (
    'imagePullPolicy livenessProbe name ports readinessProbe resizePolicy resources restartPolicy ' +
    'startupProbe stdin stdinOnce targetContainerName terminationMessagePath terminationMessagePolicy ' +
    'tty volumeDevices volumeMounts workingDir args command lifecycle'
  ).split(' '),
);

const harmlessInSecurity: ReadonlySet<string> = new Set(
  'fsGroup fsGroupChangePolicy readOnlyRootFilesystem runAsGroup runAsNonRoot supplementalGroups supplementalGroupsPolicy'.split(
    ' ',
  ),
);

const harmlessVolumes: ReadonlySet<string> = new Set(
  'configMap downwardAPI emptyDir ephemeral image name persistentVolumeClaim'.split(' '),
);

const hostFields: ReadonlySet<string> = new Set(['hostNetwork', 'hostPID', 'hostIPC', 'hostUsers']);

/** Notes what a PodSpec can do. Containers of it are started: the caller says so. */
export function inspectPodSpec(spec: Json | undefined, facts: Collector): void {
  if (!isJsonObject(spec)) {
    facts.partial('a pod specification that is no object');
    return;
  }
  for (const [key, value] of Object.entries(spec)) {
    if (key === 'containers' || key === 'initContainers' || key === 'ephemeralContainers') {
      for (const item of listOf(value, facts)) inspectContainer(item, facts);
    } else if (key === 'volumes') {
      for (const item of listOf(value, facts)) inspectVolume(item, facts);
    } else if (key === 'securityContext') {
      inspectSecurity(value, facts);
    } else if (hostFields.has(key)) {
      // hostUsers alone is harmless when true, which is its default.
      if (value !== (key === 'hostUsers') && value !== null) facts.privileged(key);
    } else if (key === 'serviceAccountName' || key === 'serviceAccount') {
      if (typeof value === 'string') facts.reference('serviceaccounts', value, 'execute');
    } else if (key === 'nodeName') {
      facts.effect('admin');
      facts.reference('nodes', typeof value === 'string' ? value : '?', 'write');
    } else if (!harmless.has(key) && !facts.directive(key, value)) {
      facts.partial(`the field ${key} of a pod`);
    }
  }
}

function inspectContainer(container: JsonObject, facts: Collector): void {
  for (const [key, value] of Object.entries(container)) {
    if (key === 'image') facts.image(value);
    else if (key === 'securityContext') inspectSecurity(value, facts);
    else if (key === 'env') for (const item of listOf(value, facts)) inspectVariable(item, facts);
    else if (key === 'envFrom') for (const item of listOf(value, facts)) inspectSource(item, facts);
    else if (!harmlessInContainer.has(key) && !facts.directive(key, value)) {
      facts.partial(`the field ${key} of a container`);
    }
  }
}

/** The security context of a pod or a container. */
function inspectSecurity(context: Json, facts: Collector): void {
  if (context === null) return;
  if (!isJsonObject(context)) {
    facts.partial('a security context that is no object');
    return;
  }
  for (const [key, value] of Object.entries(context)) {
    if (key === 'privileged' || key === 'allowPrivilegeEscalation') {
      if (value !== false) facts.privileged(key);
    } else if (key === 'runAsUser') {
      if (value === 0) facts.privileged('runAsUser 0');
    } else if (key === 'capabilities') {
      const added = isJsonObject(value) ? value['add'] : value;
      const isNone = added === undefined || (Array.isArray(added) && added.length === 0);
      if (!isNone) facts.privileged('capabilities');
    } else if (key === 'seccompProfile' || key === 'appArmorProfile') {
      const type = isJsonObject(value) ? value['type'] : value;
      if (type !== 'RuntimeDefault') facts.privileged(key);
    } else if (!harmlessInSecurity.has(key)) {
      facts.privileged(key);
    }
  }
}

function inspectVolume(volume: JsonObject, facts: Collector): void {
  for (const [key, value] of Object.entries(volume)) {
    if (key === 'secret') {
      facts.secret(isJsonObject(value) ? value['secretName'] : undefined);
    } else if (key === 'projected') {
      const sources = isJsonObject(value) ? value['sources'] : undefined;
      for (const source of listOf(sources ?? [], facts)) inspectProjection(source, facts);
    } else if (key === 'hostPath') {
      facts.privileged('hostPath');
      const path = isJsonObject(value) ? value['path'] : undefined;
      facts.reference('file', typeof path === 'string' ? path : '?', 'write');
    } else if (!harmlessVolumes.has(key) && !facts.directive(key, value)) {
      // Drivers and file systems of the network: whoever is mounted is reached with node's rights.
      facts.privileged(`the volume ${key}`);
    }
  }
}

function inspectProjection(source: JsonObject, facts: Collector): void {
  for (const [key, value] of Object.entries(source)) {
    if (key === 'secret') facts.secret(isJsonObject(value) ? value['name'] : undefined);
    else if (key === 'serviceAccountToken') facts.effect('grant');
    else if (key !== 'configMap' && key !== 'downwardAPI') facts.partial(`the projection ${key}`);
  }
}

function inspectVariable(variable: JsonObject, facts: Collector): void {
  const from = variable['valueFrom'];
  if (from === undefined || from === null) return;
  if (!isJsonObject(from)) return facts.partial('a variable whose source is no object');
  for (const [key, value] of Object.entries(from)) {
    if (key === 'secretKeyRef') facts.secret(isJsonObject(value) ? value['name'] : undefined);
  }
}

function inspectSource(source: JsonObject, facts: Collector): void {
  const from = source['secretRef'];
  if (from !== undefined) facts.secret(isJsonObject(from) ? from['name'] : undefined);
}

/** The objects of a list; whatever else it holds is not understood. */
function listOf(value: Json, facts: Collector): readonly JsonObject[] {
  if (value === null) return [];
  const items = Array.isArray(value) ? value : [value];
  const objects = items.filter((item): item is JsonObject => isJsonObject(item));
  if (!Array.isArray(value) || objects.length !== items.length) {
    facts.partial('a list that holds something else than objects');
  }
  return objects;
}
