/**
 * Objects of the API as protobuf, which `kubectl create` and controllers send, read as the JSON
 * that they stand for: as far as what they can do depends on it. A field without a row in a shape
 * gets a name that nothing knows, so it is not understood and not overlooked.
 *
 * Source: `generated.proto` of `k8s.io/api` and `k8s.io/apimachinery`; the envelope is
 * `runtime.Unknown` behind the bytes `k8s\0`. Numbers of fields never change.
 */
import { isJsonObject, type Json, type JsonObject } from '#core/strict-json.ts';
import type { RequestInfo } from './request-info.ts';
import { resourceClass, resourceName } from './resources.ts';

/** What stands in a field; `any` is passed over, since nothing asks for it. */
type Kind = 'text' | 'number' | 'truth' | 'any' | Shape;
interface Field {
  readonly name: string;
  readonly kind: Kind;
  readonly isList: boolean;
}
type Shape = ReadonlyMap<number, Field>;

const magic: readonly number[] = [0x6b, 0x38, 0x73, 0x00];
const DEPTH_MAX = 32;
const FIELDS_MAX = 100_000;
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * A shape from lines of `number name kind`; `*` behind the name makes a list. Names that stand
 * alone are of the kind `any`.
 */
function shape(rows: string, kinds: Readonly<Record<string, Shape>> = {}): Shape {
  return new Map(
    rows.split(',').map((row) => {
      const [number = '', word = '', kind = 'any'] = row.trim().split(' ');
      const isList = word.endsWith('*');
      const name = isList ? word.slice(0, -1) : word;
      return [Number(number), { name, kind: kinds[kind] ?? plainKind(kind), isList }];
    }),
  );
}

function plainKind(kind: string): Kind {
  return kind === 'text' || kind === 'number' || kind === 'truth' ? kind : 'any';
}

const metadata = shape(
  '1 name text, 2 generateName text, 3 namespace text, 4 selfLink text, 5 uid text, ' +
    '6 resourceVersion text, 7 generation number, 8 creationTimestamp, 9 deletionTimestamp, ' +
    '10 deletionGracePeriodSeconds number, 11 labels*, 12 annotations*, 13 ownerReferences*, ' +
    '14 finalizers* text, 17 managedFields*',
);
const localReference = shape('1 name text');
const keyReference = shape('1 localObjectReference reference, 2 key text, 3 optional truth', {
  reference: localReference,
});
const variable = shape('1 name text, 2 value, 3 valueFrom source', {
  source: shape('1 fieldRef, 2 resourceFieldRef, 3 configMapKeyRef, 4 secretKeyRef key', {
    key: keyReference,
  }),
});
const variables = shape('1 prefix, 2 configMapRef, 3 secretRef secret', {
  secret: shape('1 localObjectReference reference, 2 optional truth', {
    reference: localReference,
  }),
});
const profile = shape('1 type text, 2 localhostProfile text');
const containerSecurity = shape(
  '1 capabilities capabilities, 2 privileged truth, 3 seLinuxOptions, 4 runAsUser number, ' +
    '5 runAsNonRoot truth, 6 readOnlyRootFilesystem truth, 7 allowPrivilegeEscalation truth, ' +
    '8 runAsGroup number, 9 procMount text, 10 windowsOptions, 11 seccompProfile profile, ' +
    '12 appArmorProfile profile',
  { capabilities: shape('1 add* text, 2 drop* text'), profile },
);
const podSecurity = shape(
  '1 seLinuxOptions, 2 runAsUser number, 3 runAsNonRoot truth, 4 supplementalGroups*, ' +
    '5 fsGroup number, 6 runAsGroup number, 7 sysctls*, 8 windowsOptions, ' +
    '9 fsGroupChangePolicy text, 10 seccompProfile profile, 11 appArmorProfile profile, ' +
    '12 supplementalGroupsPolicy text',
  { profile },
);
const containerRows =
  '1 name text, 2 image text, 3 command* text, 4 args* text, 5 workingDir text, 6 ports*, ' +
  '7 env* variable, 8 resources, 9 volumeMounts*, 10 livenessProbe, 11 readinessProbe, ' +
  '12 lifecycle, 13 terminationMessagePath text, 14 imagePullPolicy text, ' +
  '15 securityContext security, 16 stdin truth, 17 stdinOnce truth, 18 tty truth, ' +
  '19 envFrom* variables, 20 terminationMessagePolicy text, 21 volumeDevices*, 22 startupProbe, ' +
  '23 resizePolicy*, 24 restartPolicy text';
const container = shape(containerRows, { variable, variables, security: containerSecurity });
const ephemeral = shape('1 ephemeralContainerCommon container, 2 targetContainerName text', {
  container,
});
const volume = shape('1 name text, 2 volumeSource source', {
  source: shape(
    '1 hostPath path, 2 emptyDir, 3 gcePersistentDisk, 4 awsElasticBlockStore, 5 gitRepo, ' +
      '6 secret secret, 7 nfs, 8 iscsi, 9 glusterfs, 10 persistentVolumeClaim, 11 rbd, ' +
      '12 flexVolume, 13 cinder, 14 cephfs, 15 flocker, 16 downwardAPI, 17 fc, 18 azureFile, ' +
      '19 configMap, 20 vsphereVolume, 21 quobyte, 22 azureDisk, 23 photonPersistentDisk, ' +
      '24 portworxVolume, 25 scaleIO, 26 projected projected, 27 storageos, 28 csi, ' +
      '29 ephemeral, 30 image',
    {
      path: shape('1 path text, 2 type text'),
      secret: shape('1 secretName text, 2 items*, 3 defaultMode number, 4 optional truth'),
      projected: shape('1 sources* source, 2 defaultMode number', {
        source: shape('1 secret secret, 2 downwardAPI, 3 configMap, 4 serviceAccountToken', {
          secret: shape('1 localObjectReference reference, 2 items*, 4 optional truth', {
            reference: localReference,
          }),
        }),
      }),
    },
  ),
});
const podSpec = shape(
  '1 volumes* volume, 2 containers* container, 3 restartPolicy text, ' +
    '4 terminationGracePeriodSeconds number, 5 activeDeadlineSeconds number, 6 dnsPolicy text, ' +
    '7 nodeSelector*, 8 serviceAccountName text, 9 serviceAccount text, 10 nodeName text, ' +
    '11 hostNetwork truth, 12 hostPID truth, 13 hostIPC truth, 14 securityContext security, ' +
    '15 imagePullSecrets*, 16 hostname text, 17 subdomain text, 18 affinity, ' +
    '19 schedulerName text, 20 initContainers* container, 21 automountServiceAccountToken truth, ' +
    '22 tolerations*, 23 hostAliases*, 24 priorityClassName text, 25 priority number, ' +
    '26 dnsConfig, 27 shareProcessNamespace truth, 28 readinessGates*, 29 runtimeClassName text, ' +
    '30 enableServiceLinks truth, 31 preemptionPolicy text, 32 overhead*, ' +
    '33 topologySpreadConstraints*, 34 ephemeralContainers* ephemeral, ' +
    '35 setHostnameAsFQDN truth, 36 os, 37 hostUsers truth, 38 schedulingGates*',
  { volume, container, ephemeral, security: podSecurity },
);
const template = shape('1 metadata metadata, 2 spec spec', { metadata, spec: podSpec });
const workload = (rows: string, kinds: Readonly<Record<string, Shape>> = { template }): Shape =>
  shape('1 metadata metadata, 2 spec spec, 3 status', { metadata, spec: shape(rows, kinds) });
const jobRows =
  '1 parallelism number, 2 completions number, 3 activeDeadlineSeconds number, 4 selector, ' +
  '5 manualSelector truth, 6 template template, 7 backoffLimit number, ' +
  '8 ttlSecondsAfterFinished number, 9 completionMode text, 10 suspend truth';
const replicated = '1 replicas number, 2 selector*, 3 template template, 4 minReadySeconds number';

const shapes: ReadonlyMap<string, Shape> = new Map([
  ['pods', shape('1 metadata metadata, 2 spec spec, 3 status', { metadata, spec: podSpec })],
  ['podtemplates', shape('1 metadata metadata, 2 template template', { metadata, template })],
  ['replicationcontrollers', workload(replicated)],
  ['replicasets.apps', workload(replicated.replace('selector*', 'selector'))],
  [
    'deployments.apps',
    workload(
      '1 replicas number, 2 selector, 3 template template, 4 strategy, 5 minReadySeconds number, ' +
        '6 revisionHistoryLimit number, 7 paused truth, 9 progressDeadlineSeconds number',
    ),
  ],
  [
    'statefulsets.apps',
    workload(
      '1 replicas number, 2 selector, 3 template template, 4 volumeClaimTemplates*, ' +
        '5 serviceName text, 6 podManagementPolicy text, 7 updateStrategy, ' +
        '8 revisionHistoryLimit number, 9 minReadySeconds number',
    ),
  ],
  [
    'daemonsets.apps',
    workload(
      '1 selector, 2 template template, 3 updateStrategy, 4 minReadySeconds number, ' +
        '6 revisionHistoryLimit number',
    ),
  ],
  ['jobs.batch', workload(jobRows)],
  [
    'cronjobs.batch',
    workload(
      '1 schedule text, 2 startingDeadlineSeconds number, 3 concurrencyPolicy text, ' +
        '4 suspend truth, 5 jobTemplate job, 6 successfulJobsHistoryLimit number, ' +
        '7 failedJobsHistoryLimit number, 8 timeZone text',
      {
        job: shape('1 metadata metadata, 2 spec spec', {
          metadata,
          spec: shape(jobRows, { template }),
        }),
      },
    ),
  ],
  [
    'secrets',
    shape('1 metadata metadata, 2 data*, 3 type text, 4 stringData*, 5 immutable', { metadata }),
  ],
]);
const scale = workload('1 replicas number', {});
const onlyMetadata = shape('1 metadata metadata', { metadata });

/** The object in a body; undefined where it is not understood. Never throws. */
export function readProtobuf(bytes: Uint8Array, info: RequestInfo): JsonObject | undefined {
  if (!magic.every((byte, at) => bytes[at] === byte)) return undefined;
  const budget = { fields: FIELDS_MAX };
  try {
    const envelope = fieldsOf(bytes.subarray(magic.length), budget);
    const raw = envelope.filter(({ number }) => number === 2);
    const coding = envelope.filter(({ number, value }) => number === 3 && sizeOf(value) > 0);
    const [object] = raw;
    if (raw.length !== 1 || coding.length > 0 || !(object?.value instanceof Uint8Array)) {
      return undefined;
    }
    const known = shapeOf(info);
    const read = objectOf(object.value, { shape: known, depth: 0, budget });
    return known === onlyMetadata ? { metadata: read['metadata'] ?? {} } : read;
  } catch (thrown) {
    if (thrown instanceof NotUnderstood || thrown instanceof TypeError) return undefined;
    throw thrown;
  }
}

/** What the facts of a request look at in its object. */
function shapeOf({ group, resource, subresource }: RequestInfo): Shape {
  if (subresource === 'scale') return scale;
  if (subresource !== '') return onlyMetadata;
  const known = shapes.get(resourceName(group, resource));
  if (known !== undefined) return known;
  if (resourceClass(group, resource) === 'workload') throw new NotUnderstood();
  return onlyMetadata;
}

class NotUnderstood extends Error {}

interface Read {
  readonly number: number;
  /** A varint or a fixed number; bytes of what has a length. */
  readonly value: bigint | Uint8Array;
}

const sizeOf = (value: Read['value']): number => (typeof value === 'bigint' ? 1 : value.length);

interface Reading {
  readonly shape: Shape;
  readonly depth: number;
  readonly budget: { fields: number };
}

function objectOf(bytes: Uint8Array, { shape: known, depth, budget }: Reading): JsonObject {
  if (depth > DEPTH_MAX) throw new NotUnderstood();
  const object: Record<string, Json> = {};
  for (const { number, value } of fieldsOf(bytes, budget)) {
    const field = known.get(number);
    if (field === undefined) {
      if (known !== onlyMetadata) object[`field ${number}`] = true;
      continue;
    }
    const read = valueOf(field.kind, value, { depth, budget });
    const { name, isList } = field;
    const before = object[name];
    if (isList) object[name] = Array.isArray(before) ? [...before, read] : [read];
    // A reader joins two of them, another takes the last.
    else if (before !== undefined) throw new NotUnderstood();
    // Texts are always written, empty ones too.
    else if (read !== '') Object.assign(object, inlined(name, read));
  }
  return object;
}

/** Messages that JSON has no level for. */
const levels: ReadonlySet<string> = new Set([
  'ephemeralContainerCommon',
  'localObjectReference',
  'volumeSource',
]);

const inlined = (name: string, read: Json): Readonly<Record<string, Json>> =>
  levels.has(name) && isJsonObject(read) ? read : { [name]: read };

function valueOf(
  kind: Kind,
  value: Read['value'],
  { depth, budget }: Omit<Reading, 'shape'>,
): Json {
  if (kind === 'any') return {};
  if (kind === 'number' || kind === 'truth') {
    if (typeof value !== 'bigint') throw new NotUnderstood();
    return kind === 'number' ? Number(BigInt.asIntN(64, value)) : value !== 0n;
  }
  if (typeof value === 'bigint') throw new NotUnderstood();
  if (kind === 'text') return decoder.decode(value);
  return objectOf(value, { shape: kind, depth: depth + 1, budget });
}

function fieldsOf(bytes: Uint8Array, budget: { fields: number }): Read[] {
  const fields: Read[] = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at];
      if (byte === undefined) throw new NotUnderstood();
      at += 1;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new NotUnderstood();
  };
  const piece = (length: number): Uint8Array => {
    if (at + length > bytes.length) throw new NotUnderstood();
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    budget.fields -= 1;
    if (budget.fields < 0) throw new NotUnderstood();
    const tag = varint();
    const number = Number(tag >> 3n);
    switch (Number(tag & 7n)) {
      case 0:
        fields.push({ number, value: varint() });
        break;
      case 1:
        fields.push({ number, value: piece(8) });
        break;
      case 2:
        fields.push({ number, value: piece(Number(varint())) });
        break;
      case 5:
        fields.push({ number, value: piece(4) });
        break;
      default:
        throw new NotUnderstood();
    }
  }
  return fields;
}
