/**
 * A real cluster behind the gateway, with the real `kubectl`, under the developer's policy that
 * ships. What the server was asked and holds is read past the gateway.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { makeAuthority } from '../support/certificates.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startKubernetes, type TestKubernetes } from '../support/kubernetes.ts';
import { newHold } from './shop.ts';

const CANARY = 'canary-of-a-secret-7f31';
const policy = readFileSync(
  fileURLToPath(new URL('../../policies/developer.yaml', import.meta.url)),
  'utf8',
);

interface Done {
  readonly status: number;
  readonly out: string;
  readonly error: string;
}

/** Without it a refused `exec` is asked for again, by SPDY. */
const oneTry = { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false' };

const settings = (name: string): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name },
    data: { colour: 'blue' },
  });

const manifest = (image: string): string => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: app }
spec:
  replicas: 1
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - { name: web, image: "${image}", imagePullPolicy: Never, command: [sleep, 1d] }
`;

describe('a cluster behind the gateway', () => {
  let cluster: TestKubernetes;
  let gateway: TestGateway;
  let reviewer: string;
  const dir = mkdtempSync(join(tmpdir(), 'sp-kubectl-'));
  const seen = new Set<string>();
  const children = new Set<ChildProcess>();

  const started = (args: readonly string[], input = ''): Promise<Done> =>
    new Promise((resolve) => {
      const child = spawn('kubectl', args, {
        env: { ...process.env, KUBECONFIG: join(dir, 'config'), ...oneTry },
      });
      children.add(child);
      let out = '';
      let error = '';
      child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
      child.stderr.on('data', (chunk: Buffer) => (error += chunk.toString()));
      child.once('close', (status) => resolve({ status: status ?? -1, out, error }));
      child.stdin.end(input);
    });
  const works = async (args: readonly string[], input = ''): Promise<string> => {
    const done = await started(args, input);
    assert.equal(done.status, 0, `${args.join(' ')}: ${done.error}`);
    return done.out;
  };
  /** Decides about the next command that waits; answers what the reviewer was shown. */
  const review = async (decision: 'approve' | 'deny'): Promise<string> => {
    const { id, digest, text } = await newHold(gateway, reviewer, seen);
    const path = `/v1/holds/${id}/${decision}`;
    const { status, body } = await gateway.call('POST', path, reviewer, { digest });
    assert.equal(status, 200, JSON.stringify(body));
    return text;
  };

  before(async () => {
    cluster = await startKubernetes(true);
    const authority = makeAuthority();
    const { certificate, key } = authority.issue(['127.0.0.1']);
    writeFileSync(join(dir, 'tls.crt'), certificate);
    writeFileSync(join(dir, 'tls.key'), key, { mode: 0o600 });
    writeFileSync(join(dir, 'ca.crt'), authority.certificate);
    gateway = await startGateway({
      targets: [
        {
          name: 'prod',
          protocol: 'kubernetes',
          host: '127.0.0.1',
          port: cluster.port,
          tls: { mode: 'verify-full', ca: cluster.ca },
          settings: { prefix: '/k/prod/' },
          accounts: [{ name: 'developer', password: 'env:KUBERNETES_TOKEN' }],
        },
      ],
      grants: [
        { id: 'jobs', identities: ['issuer:ci'], targets: ['prod'], accounts: ['developer'] },
      ],
      listeners: {
        kubernetes: { tls: { certificate: join(dir, 'tls.crt'), key: join(dir, 'tls.key') } },
      },
      policies: { 'developer.yaml': policy },
      env: { KUBERNETES_TOKEN: cluster.token },
    });
    reviewer = await gateway.person('people/rita', ['dba']);
    const server = `https://127.0.0.1:${gateway.ports['kubernetes'] ?? 0}/k/prod`;
    writeFileSync(
      join(dir, 'config'),
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        clusters: [
          { name: 'prod', cluster: { server, 'certificate-authority': join(dir, 'ca.crt') } },
        ],
        users: [{ name: 'job', user: { token: gateway.credential } }],
        contexts: [{ name: 'prod', context: { cluster: 'prod', user: 'job', namespace: 'app' } }],
        'current-context': 'prod',
      }),
    );
    cluster.admin(['create', 'namespace', 'app']);
    const binding = ['create', 'clusterrolebinding', 'developers', '--clusterrole=cluster-admin'];
    cluster.admin([...binding, '--group=sallyport:developer']);
    cluster.admin([
      '-n',
      'app',
      'create',
      'secret',
      'generic',
      'db',
      `--from-literal=key=${CANARY}`,
    ]);
  });
  after(async () => {
    for (const child of children) child.kill();
    await gateway?.stop();
    await cluster?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it('answers discovery, reads, and small changes as if nothing stood between', async () => {
    assert.match(await works(['api-resources']), /deployments/);
    assert.match(await works(['get', 'namespaces']), /kube-system/);
    await works(['apply', '-f', '-'], settings('settings'));
    await works(['label', 'configmap', 'settings', 'tier=web']);
    const direct = cluster.admin(['-n', 'app', 'get', 'configmap', 'settings', '-o', 'json']);
    assert.equal(await works(['get', 'configmap', 'settings', '-o', 'json']), direct);
    // By protobuf.
    await works(['create', 'configmap', 'more', '--from-literal=a=b']);
    assert.match(await works(['explain', 'deployment.spec']), /replicas/);
    assert.equal((await works(['auth', 'can-i', 'get', 'pods'])).trim(), 'yes');
  });

  it('masks Secrets in every form in which they can be asked for', async () => {
    const encoded = Buffer.from(CANARY).toString('base64');
    for (const form of [
      ['-o', 'yaml'],
      ['-o', 'json'],
      ['-o', 'jsonpath={.data.key}'],
      ['-o', 'go-template={{.data.key | base64decode}}'],
    ]) {
      const shown = await works(['get', 'secret', 'db', ...form]);
      assert.ok(!shown.includes(CANARY) && !shown.includes(encoded), shown);
    }
    const list = await works(['get', 'secrets', '-A', '-o', 'yaml']);
    assert.ok(!list.includes(encoded));
    assert.match(await works(['get', 'secrets']), /db\s+Opaque\s+1/);
    const direct = cluster.admin(['-n', 'app', 'get', 'secret', 'db', '-o', 'json']);
    assert.ok(direct.includes(encoded), 'it is there');
  });

  it('holds an image that is not listed, shows the reviewer all of it, and runs what was approved', async () => {
    const denied = started(['apply', '-f', '-'], manifest('docker.io/library/other:local'));
    const hold = await review('deny');
    assert.match(hold, /docker\.io\/library\/other:local/);
    assert.match((await denied).error, /a reviewer denied it/);
    assert.equal(cluster.admin(['-n', 'app', 'get', 'deployments', '-o', 'name']), '');
    const typed = started(['create', 'deployment', 'typed', '--image=docker.io/library/odd:1']);
    assert.match(await review('deny'), /deployments/);
    assert.notEqual((await typed).status, 0);
    const running = started(['apply', '-f', '-'], manifest('docker.io/library/busybox:local'));
    await review('approve');
    assert.equal((await running).status, 0, (await running).error);
    cluster.admin(['-n', 'app', 'rollout', 'status', 'deployment/web', '--timeout=120s']);
    assert.match(await works(['get', 'pods']), /web-\S+\s+1\/1\s+Running/);
  });

  it('holds removal however it is spelled, and nothing is removed', async () => {
    for (const args of [
      ['delete', 'deployment', 'web', '--wait=false'],
      ['scale', 'deployment', 'web', '--replicas=0'],
      ['patch', 'deployment', 'web', '-p', '{"spec":{"replicas":0}}'],
      ['delete', 'pods', '--all', '--wait=false'],
      ['delete', 'namespace', 'app', '--wait=false'],
    ]) {
      const running = started(args);
      await review('deny');
      const { status, error } = await running;
      assert.notEqual(status, 0, args.join(' '));
      assert.match(error, /sallyport: a reviewer denied it/, args.join(' '));
    }
    const left = cluster.admin([
      '-n',
      'app',
      'get',
      'deployment',
      'web',
      '-o',
      'jsonpath={.spec.replicas}',
    ]);
    assert.equal(left, '1');
  });

  it('holds rights, tokens and ways into containers', async () => {
    for (const args of [
      ['create', 'rolebinding', 'mine', '--clusterrole=admin', '--user=me'],
      ['create', 'token', 'default'],
      ['exec', 'deploy/web', '--', 'id'],
      ['label', 'node', 'localhost', 'x=y'],
    ]) {
      const running = started(args);
      await review('deny');
      assert.notEqual((await running).status, 0, args.join(' '));
    }
    assert.doesNotMatch(cluster.admin(['-n', 'app', 'get', 'rolebindings']), /mine/);
  });

  it('refuses to act as another user', async () => {
    const { status, error } = await started(['get', 'pods', '--as=admin']);
    assert.notEqual(status, 0);
    assert.match(error, /impersonation/);
  });

  it('passes a watch on as it happens, masked', async () => {
    const watching = spawn('kubectl', ['get', 'secrets', '-w', '-o', 'json'], {
      env: { ...process.env, KUBECONFIG: join(dir, 'config') },
    });
    let out = '';
    watching.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    const until = async (text: string): Promise<void> => {
      for (let look = 0; look < 600 && !out.includes(text); look += 1) {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      assert.ok(out.includes(text), out);
    };
    await until('"name": "db"');
    cluster.admin([
      '-n',
      'app',
      'create',
      'secret',
      'generic',
      'later',
      `--from-literal=k=${CANARY}`,
    ]);
    await until('"name": "later"');
    watching.kill();
    assert.ok(!out.includes(Buffer.from(CANARY).toString('base64')));
  });
});
