/**
 * The part of the story with a cluster: a real API server with its controllers, and real `kubectl`
 * with the kubeconfig that the command line prints. No container runs: what the server keeps is
 * what is looked at.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sallyport } from '../support/cli.ts';
import { ensurePackages } from '../support/debian.ts';
import {
  kubernetesPackages,
  missingKubernetes,
  startKubernetes,
  type TestKubernetes,
} from '../support/kubernetes.ts';
import { type KubernetesGateway, startKubernetesGateway } from '../support/kubernetes-gateway.ts';
import { review, say, step } from './stage.ts';

const CANARY = 'upstream-database-password';

interface Stage {
  readonly cluster: TestKubernetes;
  readonly place: KubernetesGateway;
  /** Where the job keeps its token and its kubeconfig. */
  readonly dir: string;
  readonly seen: Set<string>;
}

/** Plays it where a cluster can be; says loudly where it cannot. */
export async function playKubernetes(): Promise<void> {
  const why = missingKubernetes();
  if (why !== undefined) {
    console.log(`\n!! THE CLUSTER'S PART WAS NOT PLAYED: ${why}`);
    return;
  }
  ensurePackages(kubernetesPackages);
  const dir = mkdtempSync(join(tmpdir(), 'sp-demo-k8s-'));
  const cluster = await startKubernetes(false);
  try {
    const place = await startKubernetesGateway(cluster);
    try {
      await play({ cluster, place, dir, seen: new Set() });
    } finally {
      await place.stop();
    }
  } finally {
    await cluster.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function play(stage: Stage): Promise<void> {
  const { cluster } = stage;
  cluster.admin(['create', 'namespace', 'app']);
  const secretOf = ['create', 'secret', 'generic', 'db', `--from-literal=password=${CANARY}`];
  cluster.admin(['-n', 'app', ...secretOf]);
  await step('The job gets a kubeconfig for the cluster, without a secret in it', () =>
    configure(stage),
  );
  await step('It reads a Secret back: the key is there, the value is not', () => secret(stage));
  await step('It starts a pod with an image that nobody listed: held, and denied', () =>
    pod(stage, 'docker.io/evil/miner:1', 'deny'),
  );
  await step('Another image: held, and a reviewer approves exactly that', () =>
    pod(stage, 'docker.io/library/web:2', 'approve'),
  );
  await step('It deletes the namespace: held, and denied', () => namespace(stage));
}

async function configure({ place, dir }: Stage): Promise<void> {
  const token = join(dir, 'token');
  writeFileSync(token, await place.gateway.job('nightly'), { mode: 0o600 });
  const args = ['--server', place.server, '--certificate-authority', place.ca];
  const plugin = ['--api', place.gateway.api, '--subject-token-file', token];
  const target = ['kubeconfig', 'developer@prod', '--namespace', 'app'];
  const { status, stdout, stderr } = await sallyport([...target, ...args, ...plugin]);
  assert.equal(status, 0, stderr);
  writeFileSync(join(dir, 'config'), stdout);
  say('sallyport kubeconfig developer@prod --server https://…/k/prod → an exec plugin, no token');
  assert.doesNotMatch(stdout, /eyJ/);
}

interface Done {
  readonly status: number | null;
  readonly text: string;
}

function kubectl({ dir }: Stage, args: readonly string[]): Promise<Done> {
  const env = { ...process.env, KUBECONFIG: join(dir, 'config'), XDG_CACHE_HOME: dir };
  return new Promise((resolve) => {
    const child = spawn('kubectl', args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.once('close', (status) => resolve({ status, text: text.trim() }));
  });
}

async function secret(stage: Stage): Promise<void> {
  const { status, text } = await kubectl(stage, ['get', 'secret', 'db', '-o', 'jsonpath={.data}']);
  say(`kubectl get secret db -o jsonpath={.data}\n      → ${text}`);
  assert.equal(status, 0);
  assert.match(text, /password/);
  // What stands for it is base64 as it was: typed clients read it.
  assert.match(text, /^\{"password":"[A-Za-z0-9+/]+=*"\}$/);
  assert.ok(!text.includes(Buffer.from(CANARY).toString('base64')), 'the value came out');
}

async function pod(stage: Stage, image: string, decision: 'approve' | 'deny'): Promise<void> {
  const name = decision === 'approve' ? 'web' : 'miner';
  const running = kubectl(stage, ['run', name, `--image=${image}`, '--restart=Never']);
  const shown = await review(stage.place.gateway, stage.seen, decision);
  assert.ok(shown.includes(name), shown);
  const { status, text } = await running;
  say(`kubectl run ${name} --image=${image}\n      → ${text}`);
  const there = stage.cluster.admin(['-n', 'app', 'get', 'pods', '-o', 'name']);
  assert.equal(there.includes(`pod/${name}`), decision === 'approve');
  assert.equal(status === 0, decision === 'approve');
}

async function namespace(stage: Stage): Promise<void> {
  const running = kubectl(stage, ['delete', 'namespace', 'app', '--wait=false']);
  await review(stage.place.gateway, stage.seen, 'deny');
  const { status, text } = await running;
  say(`kubectl delete namespace app\n      → ${text}`);
  assert.notEqual(status, 0);
  const phase = ['get', 'namespace', 'app', '-o', 'jsonpath={.status.phase}'];
  assert.equal(stage.cluster.admin(phase), 'Active');
}
