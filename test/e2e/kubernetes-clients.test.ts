/**
 * How clients of Kubernetes come to a cluster behind the gateway: the kubeconfig that the command
 * line prints, its exec plugin, real `kubectl` and the official library for Python.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { sallyport } from '../support/cli.ts';
import { ensurePackages } from '../support/debian.ts';
import { startKubernetes, type TestKubernetes } from '../support/kubernetes.ts';
import { type KubernetesGateway, startKubernetesGateway } from '../support/kubernetes-gateway.ts';
import { newHold } from './shop.ts';

const CANARY = 'canary-of-a-library-19c4';

/** What a program with the official library does all day. */
const library = `
import base64, sys, threading
from kubernetes import client, config, watch
from kubernetes.client.rest import ApiException
config.load_kube_config(config_file=sys.argv[1])
api = client.CoreV1Api()
seen = []
def look():
    for event in watch.Watch().stream(api.list_namespaced_config_map, 'app', timeout_seconds=20):
        seen.append((event['type'], event['object'].metadata.name))
        if event['object'].metadata.name == 'last': return
watcher = threading.Thread(target=look)
watcher.start()
def settings(name):
    meta = client.V1ObjectMeta(name=name)
    return client.V1ConfigMap(metadata=meta, data={'colour': 'blue'})
api.create_namespaced_config_map('app', settings('first'))
api.patch_namespaced_config_map('first', 'app', {'data': {'colour': 'red'}})
print('read', api.read_namespaced_config_map('first', 'app').data['colour'])
api.create_namespaced_config_map('app', settings('last'))
watcher.join()
changes = [('ADDED', 'first'), ('MODIFIED', 'first'), ('ADDED', 'last')]
print('watched', [change in seen for change in changes])
print('namespaces', any(n.metadata.name == 'app' for n in api.list_namespace().items))
secret = api.read_namespaced_secret('db', 'app')
print('secret', base64.b64decode(secret.data['password'], validate=True).decode())
try:
    api.delete_namespaced_config_map('first', 'app', _request_timeout=60)
    print('deleted')
except ApiException as e:
    print('refused', e.status, e.reason)
`;

describe('clients of a cluster behind the gateway', () => {
  let cluster: TestKubernetes;
  let place: KubernetesGateway;
  const dir = mkdtempSync(join(tmpdir(), 'sp-kubeconfig-'));
  /** The plugin's cache, and no credential of whoever runs the tests. */
  const env = { XDG_CACHE_HOME: join(dir, 'cache'), SALLYPORT_TOKEN: '' };

  const run = (
    program: string,
    args: readonly string[],
  ): Promise<{ readonly status: number | null; readonly out: string; readonly error: string }> =>
    new Promise((resolve) => {
      const child = spawn(program, args, { env: { ...process.env, ...env } });
      let out = '';
      let error = '';
      child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
      child.stderr.on('data', (chunk: Buffer) => (error += chunk.toString()));
      child.once('close', (status) => resolve({ status, out, error }));
      child.stdin.end();
    });
  const kubectl = (config: string, ...args: string[]) =>
    run('kubectl', [`--kubeconfig=${config}`, ...args]);

  async function subjectToken(name: string): Promise<string> {
    const file = join(dir, `${name}.jwt`);
    writeFileSync(file, await place.gateway.job('nightly'), { mode: 0o600 });
    return file;
  }

  /** Writes what the command prints for a target and account. */
  async function kubeconfig(audience: string): Promise<string> {
    // Each is traded once.
    const token = await subjectToken(audience);
    const answer = await sallyport([
      'kubeconfig',
      audience,
      '--server',
      place.server,
      '--certificate-authority',
      place.ca,
      '--namespace',
      'app',
      '--api',
      place.gateway.api,
      '--subject-token-file',
      token,
    ]);
    assert.equal(answer.status, 0, answer.stderr);
    const file = join(dir, audience);
    writeFileSync(file, answer.stdout);
    return file;
  }

  before(async () => {
    cluster = await startKubernetes(false);
    place = await startKubernetesGateway(cluster);
    cluster.admin(['create', 'namespace', 'app']);
    const secret = ['create', 'secret', 'generic', 'db', `--from-literal=password=${CANARY}`];
    cluster.admin(['-n', 'app', ...secret]);
  });
  after(async () => {
    await place?.stop();
    await cluster?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it('kubectl gets its credential by the plugin, once while it is good', async () => {
    const config = await kubeconfig('developer@prod');
    const first = await kubectl(config, 'get', 'secrets');
    assert.equal(first.status, 0, first.error);
    assert.match(first.out, /db\s+Opaque\s+1/);
    const kept = join(env.XDG_CACHE_HOME, 'sallyport', 'credentials');
    const [file = ''] = readdirSync(kept);
    const before = statSync(join(kept, file));
    assert.equal(before.mode & 0o777, 0o600);
    assert.equal((await kubectl(config, 'get', 'configmaps')).status, 0);
    assert.equal(statSync(join(kept, file)).ino, before.ino, 'asked for once');
  });

  it('the account is the one that the kubeconfig names', async () => {
    // The server gives it no right: who is asked is the server, under the account's group.
    const { status, error } = await kubectl(await kubeconfig('viewer@prod'), 'get', 'secrets');
    assert.notEqual(status, 0);
    assert.match(error, /cannot list resource "secrets"/);
    const none = await kubectl(await kubeconfig('prod'), 'get', 'secrets');
    assert.match(none.error, /no grant reaches/, 'the grant has two, and none was named');
  });

  it('the plugin gives nothing for a target out of reach, and no secret in words', async () => {
    const audience = ['--audience', 'developer@other', '--api', place.gateway.api];
    const token = await subjectToken('other');
    const args = ['token', 'exec-credential', ...audience, '--subject-token-file', token];
    const { status, stdout, stderr } = await sallyport(args, { env });
    assert.equal(status, 1);
    assert.equal(stdout, '');
    assert.doesNotMatch(stderr, /eyJ|sp_/);
  });

  it('the library for Python lists, watches, creates, changes, and is told no in its terms', async () => {
    ensurePackages(['python3-kubernetes']);
    const config = await kubeconfig('developer@prod');
    const done = run('/usr/bin/python3', ['-c', library, config]);
    const reviewer = await place.gateway.person('people/rita', ['dba']);
    const { id, digest } = await newHold(place.gateway, reviewer, new Set());
    const denied = await place.gateway.call('POST', `/v1/holds/${id}/deny`, reviewer, { digest });
    assert.equal(denied.status, 200, JSON.stringify(denied.body));
    const { out, error } = await done;
    assert.equal(
      out,
      [
        'read red',
        'watched [True, True, True]',
        'namespaces True',
        'secret [REDACTED]',
        'refused 403 Forbidden',
        '',
      ].join('\n'),
      error,
    );
    assert.match(cluster.admin(['-n', 'app', 'get', 'configmaps']), /first/);
  });
});
