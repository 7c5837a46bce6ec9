/**
 * The cluster that cases are played at: a namespace with the same things in it for each, and what
 * the administrator sees of it, past every gateway.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { startKubernetes, type TestKubernetes } from '../../support/kubernetes.ts';
import { type Answer, type Door, send } from './client.ts';
import { type Kubelet, startKubelet } from './kubelet.ts';

/** What must come out in no form: the Secret's value, which logs and settings hold too. */
export const CANARY = 'Tq7vXw29LmZr4KbNc8Hd';

interface Fixture {
  readonly path: string;
  readonly object: { readonly metadata: { readonly name: string } };
}

const fixtures: string = readFileSync(
  fileURLToPath(new URL('fixtures.yaml', import.meta.url)),
  'utf8',
)
  .replaceAll('CANARY_BASE64', Buffer.from(CANARY).toString('base64'))
  .replaceAll('CANARY', CANARY);

const log = `started\nconnecting with password=${CANARY}\nready\n`;

/** Resources whose objects are compared, by the path of their group and version. */
const compared = {
  inNamespace: {
    'api/v1':
      'configmaps limitranges persistentvolumeclaims pods podtemplates replicationcontrollers ' +
      'resourcequotas secrets serviceaccounts services',
    'apis/apps/v1': 'controllerrevisions daemonsets deployments replicasets statefulsets',
    'apis/autoscaling/v1': 'horizontalpodautoscalers',
    'apis/batch/v1': 'jobs',
    'apis/batch/v1beta1': 'cronjobs',
    'apis/coordination.k8s.io/v1': 'leases',
    'apis/networking.k8s.io/v1': 'ingresses networkpolicies',
    'apis/policy/v1beta1': 'poddisruptionbudgets',
    'apis/rbac.authorization.k8s.io/v1': 'rolebindings roles',
  },
  inCluster: {
    'api/v1': 'namespaces nodes persistentvolumes',
    'apis/admissionregistration.k8s.io/v1':
      'mutatingwebhookconfigurations validatingwebhookconfigurations',
    'apis/apiextensions.k8s.io/v1': 'customresourcedefinitions',
    'apis/apiregistration.k8s.io/v1': 'apiservices',
    'apis/certificates.k8s.io/v1': 'certificatesigningrequests',
    'apis/rbac.authorization.k8s.io/v1': 'clusterrolebindings clusterroles',
    'apis/scheduling.k8s.io/v1': 'priorityclasses',
    'apis/storage.k8s.io/v1': 'storageclasses',
    'api/v1/namespaces/kube-system': 'configmaps',
  },
} as const;

/** A cluster, its stand-in for a kubelet, and the administrator. */
export class ScratchCluster {
  readonly cluster: TestKubernetes;
  readonly kubelet: Kubelet;
  /** Asks the server itself, as the administrator. */
  readonly admin: Door;
  #count: number = 0;

  private constructor(cluster: TestKubernetes, kubelet: Kubelet) {
    this.cluster = cluster;
    this.kubelet = kubelet;
    this.admin = {
      port: cluster.port,
      ca: readFileSync(cluster.ca),
      headers: {
        Authorization: `Bearer ${cluster.token}`,
        'Impersonate-User': 'evasion',
        'Impersonate-Group': 'system:masters',
      },
    };
  }

  static async start(): Promise<ScratchCluster> {
    const cluster = await startKubernetes(false);
    const pki = dirname(cluster.ca);
    const certificate = { cert: join(pki, 'node.crt'), key: join(pki, 'node.key') };
    const scratch = new ScratchCluster(cluster, await startKubelet(certificate, log));
    const binding = ['create', 'clusterrolebinding', 'developers', '--clusterrole=cluster-admin'];
    cluster.admin([...binding, '--group=sallyport:developer']);
    return scratch;
  }

  async stop(): Promise<void> {
    await this.kubelet.stop();
    await this.cluster.stop();
  }

  /** Makes the fixtures in a new namespace, and those of the cluster anew; gives its name. */
  async place(): Promise<string> {
    this.#count += 1;
    const namespace = `app-${this.#count}`;
    await this.#make('/api/v1/namespaces', { metadata: { name: namespace } });
    // Pods are taken once the account that they run as has its token.
    await this.#until(`/api/v1/namespaces/${namespace}/secrets`, 'default-token-');
    const text = fixtures.replaceAll('/namespaces/app/', `/namespaces/${namespace}/`);
    const { inNamespace, inCluster }: Record<'inNamespace' | 'inCluster', readonly Fixture[]> =
      parse(text);
    for (const { path, object } of inCluster) {
      await this.#ask('DELETE', `${path}/${object.metadata.name}`);
      await this.#make(path, object);
    }
    await this.#describeNode();
    for (const { path, object } of inNamespace) await this.#make(path, object);
    this.kubelet.asked();
    return namespace;
  }

  /** What there is: names, and all that is kept of each but what changes by itself. */
  async state(namespace: string): Promise<ReadonlyMap<string, string>> {
    const found = new Map<string, string>();
    const inNamespace = pathsOf(compared.inNamespace, `/namespaces/${namespace}`);
    const paths = [...pathsOf(compared.inCluster, ''), ...inNamespace];
    const answers = await send(
      this.admin,
      paths.map((path) => ({ method: 'GET', path })),
    );
    for (const [index, { status, body }] of answers.entries()) {
      if (status !== 200) throw new Error(`${paths[index]}: ${status}`);
      const { items }: { items: readonly Kept[] } = JSON.parse(body.toString());
      for (const item of items) {
        if (isKept(item, namespace)) found.set(`${paths[index]}/${item.metadata.name}`, kept(item));
      }
    }
    return found;
  }

  async #describeNode(): Promise<void> {
    await this.#ask('PATCH', '/api/v1/nodes/n1/status', {
      status: {
        addresses: [{ type: 'Hostname', address: '127.0.0.1' }],
        daemonEndpoints: { kubeletEndpoint: { Port: this.kubelet.port } },
      },
    });
  }

  async #make(path: string, object: object): Promise<void> {
    const { status, body } = await this.#ask('POST', path, object);
    if (status !== 201) throw new Error(`${path}: ${status} ${body.toString()}`);
  }

  async #until(path: string, text: string): Promise<void> {
    for (let look = 0; look < 400; look += 1) {
      if ((await this.#ask('GET', path)).body.includes(text)) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`${path} never says ${text}`);
  }

  async #ask(method: string, path: string, object?: object): Promise<Answer> {
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const request = {
      method,
      path,
      ...(object === undefined
        ? {}
        : { headers: { 'Content-Type': type }, body: JSON.stringify(object) }),
    };
    const [answer] = await send(this.admin, [request]);
    if (answer === undefined || answer.status === 0) throw new Error(`${method} ${path}: nothing`);
    return answer;
  }
}

const pathsOf = (resources: Readonly<Record<string, string>>, place: string): readonly string[] =>
  Object.entries(resources).flatMap(([group, names]) =>
    names.split(' ').map((name) => `/${group}${place}/${name}`),
  );

interface Kept {
  readonly metadata: {
    readonly name: string;
    readonly ownerReferences?: readonly { readonly controller?: boolean }[];
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: {
    readonly request?: string;
    readonly taints?: readonly { readonly key: string }[];
  };
  readonly status?: { readonly phase?: string };
  /** Of a service account: the tokens that a controller makes. */
  readonly secrets?: unknown;
}

/** Whether it is there because of a case, and not because controllers make it. */
function isKept({ metadata }: Kept, namespace: string): boolean {
  const { name, ownerReferences = [] } = metadata;
  if (ownerReferences.some(({ controller }) => controller === true)) return false;
  if (/^(?:default|kube-root-ca\.crt)$|-token-\w{5}$/.test(name)) return false;
  // Other cases' namespaces stay.
  return !name.startsWith('app-') || name === namespace;
}

/** An object without what changes by itself. */
function kept({ metadata, spec, status, secrets: _made, ...rest }: Kept): string {
  const changing = new Set(['resourceVersion', 'managedFields', 'annotations']);
  const fields = Object.entries(metadata).filter(([name]) => !changing.has(name));
  const notes = Object.entries(metadata.annotations ?? {}).filter(
    ([name]) => !/^(?:deployment|node\.alpha)\.kubernetes\.io\//.test(name),
  );
  // A node that is not heard of is marked by a controller.
  const taints = (spec?.taints ?? []).filter(({ key }) => !key.startsWith('node.kubernetes.io/'));
  // Whether a request for a certificate was approved is in its status alone.
  const said = spec?.request === undefined ? status?.phase : status;
  return JSON.stringify([fields, notes, { ...spec, taints }, said, rest]);
}
