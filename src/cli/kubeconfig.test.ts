import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Secret } from '#core/secret.ts';
import { manualClock } from '../../test/support/clock.ts';
import { ApiClient } from './api-client.ts';
import { execCredential, printKubeconfig } from './kubeconfig.ts';

/** An API that gives a credential for 15 minutes, and a cache in memory. */
function world() {
  const asked: string[] = [];
  const lines: string[] = [];
  const errors: string[] = [];
  let kept: string | undefined;
  const clock = manualClock(1_000_000);
  const fetch = async (_url: string, options: RequestInit): Promise<Response> => {
    asked.push(options.body instanceof URLSearchParams ? options.body.toString() : '');
    const answer = { access_token: `sp_credential_${asked.length}`, expires_in: 900 };
    return Promise.resolve(new Response(JSON.stringify(answer)));
  };
  const context = {
    client: new ApiClient({ url: 'http://127.0.0.1:7080', token: undefined, fetch }),
    output: {
      line: (text: string) => void lines.push(text),
      error: (text: string) => void errors.push(text),
    },
    clock,
    wait: () => Promise.resolve(),
    cache: { read: () => kept, write: (text: string) => void (kept = text) },
  };
  const options = {
    audience: 'developer@prod',
    subjectToken: new Secret('the-workload-token'),
    subjectKey: 'one',
    execInfo: JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1' }),
  };
  return { context, options, clock, asked, lines, errors };
}

describe('the exec plugin', () => {
  it('asks for a credential for target and account, and keeps it while it is good', async () => {
    const { context, options, clock, asked, lines } = world();
    assert.equal(await execCredential(context, options), 0);
    assert.match(asked[0] ?? '', /audience=developer%40prod/);
    assert.deepEqual(JSON.parse(lines[0] ?? ''), {
      kind: 'ExecCredential',
      apiVersion: 'client.authentication.k8s.io/v1',
      status: {
        token: 'sp_credential_1',
        expirationTimestamp: new Date(1_000_000 + 870_000).toISOString(),
      },
    });
    clock.advance(869_000);
    await execCredential(context, options);
    assert.equal(lines[1], lines[0]);
    assert.equal(asked.length, 1);
    clock.advance(2_000);
    await execCredential(context, options);
    assert.match(lines[2] ?? '', /sp_credential_2/);
  });

  it('does not give one workload the credential of another', async () => {
    const { context, options, lines } = world();
    await execCredential(context, options);
    await execCredential(context, { ...options, subjectKey: 'two' });
    assert.match(lines[1] ?? '', /sp_credential_2/);
  });

  it('uses what another client got at the same time, where a token is traded once', async () => {
    const { context, options, lines, errors } = world();
    const refused = { error: 'invalid_request', error_description: 'not valid' };
    const fetch = (): Promise<Response> =>
      Promise.resolve(new Response(JSON.stringify(refused), { status: 400 }));
    const client = new ApiClient({ url: 'http://127.0.0.1:7080', token: undefined, fetch });
    assert.equal(await execCredential({ ...context, client }, options), 1);
    assert.match(errors.join(), /not valid/);
    const theirs = JSON.stringify({ subject: 'one', token: 'theirs', expiresAt: 1e15 });
    const wait = async (): Promise<void> => Promise.resolve(context.cache.write(theirs));
    assert.equal(await execCredential({ ...context, client, wait }, options), 0);
    assert.match(lines[0] ?? '', /theirs/);
  });

  it('takes nothing from a cache that it did not write', async () => {
    const { context, options, lines } = world();
    for (const text of ['', '{', '[]', '{"subject":"one","token":7,"expiresAt":9e15}']) {
      context.cache.write(text);
      assert.equal(await execCredential(context, options), 0);
    }
    assert.match(lines[3] ?? '', /sp_credential_4/);
  });

  it('prints no credential to a client that asks for another version', async () => {
    const { context, options, lines, errors } = world();
    const execInfo = JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1beta1' });
    assert.equal(await execCredential(context, { ...options, execInfo }), 1);
    assert.deepEqual(lines, []);
    assert.match(errors.join(), /client\.authentication\.k8s\.io\/v1/);
  });
});

describe('the kubeconfig', () => {
  it('names the server, who is trusted, and the plugin with target and account', () => {
    const lines: string[] = [];
    const output = { line: (text: string) => void lines.push(text), error: () => undefined };
    const options = {
      audience: 'developer@prod',
      server: 'https://gateway:8443/k/prod',
      certificateAuthority: 'PEM',
      namespace: 'app',
      command: 'sallyport',
      args: ['token', 'exec-credential'],
    };
    assert.equal(printKubeconfig(output, options), 0);
    const config = JSON.parse(lines.join('\n'));
    assert.deepEqual(config.clusters, [
      {
        name: 'prod',
        cluster: { server: options.server, 'certificate-authority-data': 'UEVN' },
      },
    ]);
    assert.deepEqual(config.users[0].user.exec.args.slice(-2), ['--audience', 'developer@prod']);
    assert.equal(config['current-context'], 'prod');
    assert.equal(config.contexts[0].context.namespace, 'app');
  });
});
