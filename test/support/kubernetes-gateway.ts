/** A gateway before a real cluster, by TLS, as clients of Kubernetes want it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeAuthority } from './certificates.ts';
import { startGateway, type TestGateway } from './gateway.ts';
import type { TestKubernetes } from './kubernetes.ts';

export interface KubernetesGateway {
  readonly gateway: TestGateway;
  /** Where clients find the cluster as the target `prod`. */
  readonly server: string;
  serverOf(target: string): string;
  /** PEM file of the authority that signed the gateway's certificate. */
  readonly ca: string;
  /** A job's credential for the account `developer`. */
  credential(): Promise<string>;
  stop(): Promise<void>;
}

/** The policy for developers that ships. */
export const developerPolicy: string = readFileSync(
  fileURLToPath(new URL('../../policies/developer.yaml', import.meta.url)),
  'utf8',
);

export interface KubernetesGatewayOptions {
  /** The policy for developers when absent. */
  readonly policy?: string;
  readonly accounts?: readonly string[];
  /** Targets, which are all this cluster, and the features that jobs have there. */
  readonly targets?: Readonly<Record<string, readonly string[]>>;
}

const rbac = 'rbac.authorization.k8s.io';

/** The rights of the account. */
const developers = {
  apiVersion: `${rbac}/v1`,
  kind: 'ClusterRoleBinding',
  metadata: { name: 'developers' },
  roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'cluster-admin' },
  subjects: [{ apiGroup: rbac, kind: 'Group', name: 'sallyport:developer' }],
};

/**
 * Starts a gateway whose target `prod` is the cluster, with the accounts `developer`, to whom the
 * cluster gives all rights, and `viewer`, to whom it gives none. Jobs have a grant for both.
 */
export async function startKubernetesGateway(
  cluster: TestKubernetes,
  options: KubernetesGatewayOptions = {},
): Promise<KubernetesGateway> {
  const { policy = developerPolicy, accounts = ['developer', 'viewer'] } = options;
  const { targets = { prod: [] } } = options;
  const dir = mkdtempSync(join(tmpdir(), 'sp-k8s-gw-'));
  const authority = makeAuthority();
  const { certificate, key } = authority.issue(['127.0.0.1']);
  const tls = { certificate: join(dir, 'tls.crt'), key: join(dir, 'tls.key') };
  const ca = join(dir, 'ca.crt');
  writeFileSync(tls.certificate, certificate);
  writeFileSync(tls.key, key, { mode: 0o600 });
  writeFileSync(ca, authority.certificate);
  const gateway = await startGateway({
    targets: Object.keys(targets).map((name) => ({
      name,
      protocol: 'kubernetes',
      host: '127.0.0.1',
      port: cluster.port,
      tls: { mode: 'verify-full', ca: cluster.ca },
      settings: { prefix: `/k/${name}/` },
      accounts: accounts.map((account) => ({
        name: account,
        password: 'env:KUBERNETES_TOKEN',
      })),
    })),
    grants: Object.entries(targets).map(([name, features]) => ({
      id: `jobs-${name}`,
      identities: ['issuer:ci'],
      targets: [name],
      accounts,
      features,
    })),
    listeners: { kubernetes: { tls } },
    policies: { 'policy.yaml': policy },
    env: { KUBERNETES_TOKEN: cluster.token },
  });
  cluster.admin(['apply', '-f', '-'], JSON.stringify(developers));
  const serverOf = (target: string): string =>
    `https://127.0.0.1:${gateway.ports['kubernetes'] ?? 0}/k/${target}`;
  return {
    gateway,
    server: serverOf('prod'),
    serverOf,
    ca,
    credential: () => exchanged(gateway),
    async stop() {
      await gateway.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function exchanged(gateway: TestGateway): Promise<string> {
  const form = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: await gateway.job('nightly'),
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    audience: 'developer@prod',
  });
  const answer = await fetch(`${gateway.api}/v1/token`, { method: 'POST', body: form });
  const { access_token: token }: { access_token?: string } = JSON.parse(await answer.text());
  if (token === undefined) throw new Error(`no credential: ${answer.status}`);
  return token;
}
