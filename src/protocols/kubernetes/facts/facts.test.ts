import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { MaskSet } from '#core/masking.ts';
import { readBody } from './body.ts';
import { type RequestFacts, requestFacts } from './request-facts.ts';
import { type RequestInfo, requestInfo } from './request-info.ts';

const masks: MaskSet = {
  version: '1',
  empty: false,
  columns: ['core.secrets.data'],
  content: undefined,
  column: (schema, table, column) =>
    `${schema}.${table}.${column}` === 'core.secrets.data'
      ? { id: 'secrets', transform: { kind: 'redact' } }
      : undefined,
  replace: () => null,
  without: () => masks,
};

function info(method: string, target: string): RequestInfo | string {
  const [path = '', ...query] = target.split('?');
  return requestInfo(method, path, query.join('?'));
}

function facts(method: string, target: string, body: unknown = '', type = ''): RequestFacts {
  const read = info(method, target);
  assert.ok(typeof read !== 'string', target);
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return requestFacts(read, readBody(type, Buffer.from(text), read), masks);
}

const effects = (...of: Parameters<typeof facts>): readonly string[] =>
  facts(...of).effects.toSorted((a, b) => a.localeCompare(b));

const strategic = 'application/strategic-merge-patch+json';
const web = '/apis/apps/v1/namespaces/app/deployments/web';
const template = (spec: object): object => ({ spec: { template: { spec } } });

describe('the request info', () => {
  const shown = (method: string, target: string): string => {
    const read = info(method, target);
    if (typeof read === 'string') return read;
    const { verb, group, version, resource, subresource, namespace, name } = read;
    return [verb, group, version, resource, subresource, namespace, name].join('|');
  };

  it('is that of the API server', () => {
    assert.equal(shown('GET', '/api/v1/namespaces'), 'list||v1|namespaces|||');
    assert.equal(shown('GET', '/api/v1/namespaces/other'), 'get||v1|namespaces||other|other');
    assert.equal(shown('GET', '/api/v1/namespaces/other/pods'), 'list||v1|pods||other|');
    assert.equal(shown('GET', '/api/v1/namespaces/o/pods?watch=1'), 'watch||v1|pods||o|');
    assert.equal(shown('HEAD', '/api/v1/namespaces/o/pods/foo'), 'get||v1|pods||o|foo');
    assert.equal(shown('DELETE', '/api/v1/namespaces/o/pods'), 'deletecollection||v1|pods||o|');
    assert.equal(shown('POST', '/apis/batch/v1/namespaces/o/jobs'), 'create|batch|v1|jobs||o|');
    assert.equal(
      shown('PUT', '/api/v1/namespaces/o/finalize'),
      'update||v1|namespaces|finalize|o|o',
    );
    assert.equal(shown('GET', '/api/v1/nodes/n/proxy/metrics/a'), 'get||v1|nodes|proxy||n');
    assert.equal(shown('GET', '/apis/apps/v1'), 'get|apps|v1||||');
    assert.equal(shown('GET', '/version'), 'get||||||');
  });

  it('is not there where servers read differently', () => {
    for (const [method, target] of [
      ['GET', '/api/v1/watch/pods'],
      ['GET', '/api/v1/proxy/nodes/n'],
      ['GET', '/api/v1//pods'],
      ['GET', '/api/v1/namespaces//pods'],
      ['GET', '/api/v1/pods/a/b/c'],
      ['GET', '/api/v1/namespaces/a/pods?watch=1;limit=2'],
      ['GET', '/api/v1/namespaces/a/pods?watch=0&watch=1'],
      ['GET', '/api/v1/namespaces/a/pods?x=%zz'],
      ['CONNECT', '/api/v1/namespaces/a/pods/b/exec'],
      ['POST', '/version'],
    ] as const) {
      assert.equal(typeof info(method, target), 'string', `${method} ${target}`);
    }
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.string(), fc.webPath(), fc.string(), (method, path, query) => {
        assert.ok(requestInfo(method, `/${path}`, query) !== undefined);
      }),
    );
  });
});

describe('facts of the API', () => {
  it('name what is deleted, however it is asked for', () => {
    assert.deepEqual(effects('DELETE', `${web}?propagationPolicy=Orphan`), ['delete']);
    assert.ok(effects('DELETE', '/api/v1/namespaces/app/pods').includes('delete-all'));
    assert.ok(effects('DELETE', '/api/v1/namespaces/app').includes('drop'));
    assert.ok(effects('PUT', '/api/v1/namespaces/app/finalize', {}).includes('drop'));
    assert.ok(effects('POST', '/api/v1/namespaces/app/pods/a/eviction', {}).includes('delete'));
    const pvc = '/api/v1/namespaces/app/persistentvolumeclaims/d';
    const gone = [{ op: 'remove', path: '/metadata/finalizers' }];
    assert.ok(effects('PATCH', pvc, gone, 'application/json-patch+json').includes('delete'));
    const empty = { metadata: { finalizers: null } };
    assert.ok(effects('PATCH', pvc, empty, 'application/merge-patch+json').includes('delete'));
    const listed = { metadata: { '$deleteFromPrimitiveList/finalizers': ['a'] } };
    assert.ok(effects('PATCH', pvc, listed, strategic).includes('delete'));
    assert.ok(effects('PUT', pvc, { metadata: { name: 'd' }, spec: {} }).includes('delete'));
  });

  it('say that no replicas are left', () => {
    for (const replicas of [0, -1, 0.5, '0', '3']) {
      const patch = { spec: { replicas } };
      assert.ok(effects('PATCH', web, patch, strategic).includes('delete-all'), String(replicas));
      assert.ok(effects('PUT', `${web}/scale`, patch).includes('delete-all'));
    }
    const more = [{ op: 'replace', path: '/spec/replicas', value: 3 }];
    assert.deepEqual(effects('PATCH', web, more, 'application/json-patch+json'), ['update']);
    assert.deepEqual(effects('PATCH', web, { spec: { replicas: 3 } }, strategic), ['update']);
    const yaml = 'metadata: {name: web}\nspec: {replicas: 0o0}\n';
    const applied = effects('PATCH', web, yaml, 'application/apply-patch+yaml');
    assert.ok(applied.includes('delete-all') || applied.includes('unknown'));
  });

  it('name the images that will run, from any kind of body', () => {
    const spec = { containers: [{ name: 'c', image: 'evil/x:1' }] };
    const images = (...of: Parameters<typeof facts>): string =>
      facts(...of)
        .objects.filter(({ kind }) => kind === 'image')
        .map(({ name }) => name)
        .join();
    const pods = '/api/v1/namespaces/app/pods';
    assert.equal(images('POST', pods, { kind: 'Pod', spec }), 'evil/x:1');
    const yaml = 'spec:\n  containers:\n  - {name: c, image: "evil/x:1"}\n';
    assert.equal(images('POST', pods, yaml, 'application/yaml'), 'evil/x:1');
    assert.equal(images('PATCH', web, template(spec), strategic), 'evil/x:1');
    const path = '/spec/template/spec/containers/0/image';
    const patch = [{ op: 'replace', path, value: 'evil/x:1' }];
    assert.equal(images('PATCH', web, patch, 'application/json-patch+json'), 'evil/x:1');
    const cron = {
      spec: { schedule: '* * * * *', jobTemplate: { spec: template(spec)['spec' as never] } },
    };
    assert.equal(images('POST', '/apis/batch/v1/namespaces/app/cronjobs', cron), 'evil/x:1');
    const debug = { spec: { ephemeralContainers: spec.containers } };
    assert.equal(images('PATCH', `${pods}/a/ephemeralcontainers`, debug, strategic), 'evil/x:1');
  });

  it('say what gives a pod more than a pod has', () => {
    const pod = (spec: object): readonly string[] =>
      effects('POST', '/api/v1/namespaces/app/pods', { spec });
    assert.deepEqual(pod({ containers: [{ name: 'c', image: 'a' }] }), [
      'container-start',
      'create',
    ]);
    for (const spec of [
      { hostNetwork: true },
      { hostPID: true },
      { hostUsers: false },
      { securityContext: { sysctls: [] } },
      { volumes: [{ name: 'v', hostPath: { path: '/' } }] },
      { volumes: [{ name: 'v', csi: { driver: 'd' } }] },
      { containers: [{ securityContext: { privileged: true } }] },
      { initContainers: [{ securityContext: { capabilities: { add: ['SYS_ADMIN'] } } }] },
      { containers: [{ securityContext: { runAsUser: 0 } }] },
    ]) {
      assert.ok(pod(spec).includes('privilege'), JSON.stringify(spec));
    }
    assert.ok(pod({ nodeName: 'n1' }).includes('admin'));
    assert.ok(
      pod({ volumes: [{ projected: { sources: [{ serviceAccountToken: {} }] } }] }).includes(
        'grant',
      ),
    );
    assert.equal(
      facts('POST', '/api/v1/namespaces/app/pods', { spec: { later: 1 } }).analysis,
      'partial',
    );
  });

  it('name the secrets that a pod gets', () => {
    const spec = {
      volumes: [{ name: 'v', secret: { secretName: 'a' } }],
      containers: [
        {
          image: 'i',
          env: [{ name: 'E', valueFrom: { secretKeyRef: { name: 'b', key: 'k' } } }],
          envFrom: [{ secretRef: { name: 'c' } }],
        },
      ],
    };
    const read = facts('POST', '/api/v1/namespaces/app/pods', { spec }).objects;
    const names = read.filter(({ kind }) => kind === 'secrets').map(({ name }) => name);
    assert.deepEqual(names, ['app/a', 'app/b', 'app/c']);
  });

  it('take a connection into a pod for code, whatever method and dry run say', () => {
    const pod = '/api/v1/namespaces/app/pods/a';
    for (const method of ['GET', 'POST']) {
      assert.deepEqual(effects(method, `${pod}/exec?command=id&dryRun=All`), ['execute-code']);
      assert.deepEqual(effects(method, `${pod}/attach`), ['execute-code']);
      assert.deepEqual(effects(method, `${pod}/portforward?ports=1`), ['network']);
    }
    const node = effects('GET', '/api/v1/nodes/n/proxy/logs/');
    assert.deepEqual(node, ['admin', 'execute-code', 'network']);
  });

  it('take rights, tokens and the cluster for what they are', () => {
    const rbac = '/apis/rbac.authorization.k8s.io/v1/clusterroles/mine';
    const label = { metadata: { labels: { a: 'true' } } };
    assert.deepEqual(effects('PATCH', rbac, label, 'application/merge-patch+json'), [
      'grant',
      'update',
    ]);
    const token = '/api/v1/namespaces/app/serviceaccounts/default/token';
    assert.ok(effects('POST', token, {}).includes('grant'));
    const legacy = { type: 'kubernetes.io/service-account-token', metadata: { name: 't' } };
    assert.ok(effects('POST', '/api/v1/namespaces/app/secrets', legacy).includes('grant'));
    assert.ok(effects('PATCH', '/api/v1/nodes/n', { spec: {} }, strategic).includes('admin'));
  });

  it('know a dry run, and mark what Secrets give back', () => {
    const secret = '/api/v1/namespaces/app/secrets/db';
    const echo = facts('PATCH', `${secret}?dryRun=All`, { metadata: {} }, strategic);
    assert.deepEqual(echo.effects, ['read']);
    assert.deepEqual(echo.columns[0], { name: 'core.secrets.data', use: 'return', masked: true });
    assert.deepEqual(effects('DELETE', `${web}?dryRun=None`), ['delete']);
    assert.deepEqual(effects('DELETE', `${web}?dryRun=All&dryRun=All`), ['delete']);
  });

  it('take a dry run of a deletion from its options when it has some', () => {
    const options = { kind: 'DeleteOptions', apiVersion: 'v1' };
    const json = 'application/json';
    assert.deepEqual(effects('DELETE', `${web}?dryRun=All`), ['read']);
    assert.deepEqual(effects('DELETE', `${web}?dryRun=All`, options, json), ['delete']);
    assert.deepEqual(effects('DELETE', web, { ...options, dryRun: ['All'] }, json), ['read']);
    assert.deepEqual(effects('DELETE', web, { ...options, dryRun: ['all'] }, json), ['delete']);
    assert.deepEqual(effects('DELETE', `${web}?dryRun=All`, '{', json), ['delete']);
  });

  it('count what a Scale leaves out as none', () => {
    const scale = `${web}/scale`;
    for (const spec of [{ spec: {} }, { spec: null }, { spec: { replicas: null } }, {}]) {
      assert.ok(effects('PUT', scale, spec).includes('delete-all'), JSON.stringify(spec));
    }
    const merge = 'application/merge-patch+json';
    assert.ok(effects('PATCH', scale, { spec: { replicas: null } }, merge).includes('delete-all'));
    const removed = [{ op: 'remove', path: '/spec/replicas' }];
    assert.ok(
      effects('PATCH', scale, removed, 'application/json-patch+json').includes('delete-all'),
    );
    assert.deepEqual(effects('PATCH', scale, { spec: { replicas: 2 } }, merge), ['update']);
    assert.deepEqual(effects('PATCH', scale, { metadata: {} }, merge), ['update']);
  });

  it('take what moves controllers, and the namespaces of the cluster, for more than a change', () => {
    const failed = { status: { phase: 'Failed' } };
    const pod = '/api/v1/namespaces/app/pods/a/status';
    assert.ok(effects('PATCH', pod, failed, strategic).includes('admin'));
    assert.deepEqual(effects('GET', pod), ['read']);
    const settings = '/api/v1/namespaces/kube-system/configmaps';
    assert.ok(effects('POST', settings, { metadata: { name: 'a' } }).includes('admin'));
    assert.deepEqual(effects('GET', settings), ['read']);
  });

  it('see what ends pods, and what deletes later', () => {
    const merge = 'application/merge-patch+json';
    const job = '/apis/batch/v1/namespaces/app/jobs/a';
    const set = '/apis/apps/v1/namespaces/app/statefulsets/a';
    const retention = { persistentVolumeClaimRetentionPolicy: { whenScaled: 'Delete' } };
    for (const [path, spec, effect] of [
      ['/api/v1/namespaces/app/pods/a', { activeDeadlineSeconds: 1 }, 'delete'],
      [job, { activeDeadlineSeconds: 1 }, 'delete'],
      [job, { ttlSecondsAfterFinished: 0 }, 'delete'],
      [job, { parallelism: 0 }, 'delete-all'],
      [job, { suspend: true }, 'delete-all'],
      [set, retention, 'delete'],
    ] as const) {
      assert.ok(effects('PATCH', path, { spec }, merge).includes(effect), JSON.stringify(spec));
    }
    assert.deepEqual(effects('PATCH', job, { spec: { suspend: false } }, merge), ['update']);
    assert.deepEqual(effects('PATCH', job, { spec: { parallelism: 2 } }, merge), ['update']);
  });

  it('see profiles that annotations take off', () => {
    const annotations = { 'container.apparmor.security.beta.kubernetes.io/c': 'unconfined' };
    const pod = { metadata: { annotations }, spec: { containers: [] } };
    assert.ok(effects('POST', '/api/v1/namespaces/app/pods', pod).includes('privilege'));
    const work = { spec: { template: pod } };
    assert.ok(effects('PATCH', web, work, strategic).includes('privilege'));
    const kept = { 'container.apparmor.security.beta.kubernetes.io/c': 'runtime/default' };
    const plain = { metadata: { annotations: kept }, spec: { containers: [] } };
    assert.ok(!effects('POST', '/api/v1/namespaces/app/pods', plain).includes('privilege'));
  });

  it('take a container more in a running pod for a way into it', () => {
    const path = '/api/v1/namespaces/app/pods/a/ephemeralcontainers';
    const body = { spec: { ephemeralContainers: [{ name: 'e', image: 'x:1' }] } };
    assert.ok(effects('PATCH', path, body, strategic).includes('execute-code'));
  });

  it('are complete for the paths of the server that only tell', () => {
    for (const path of ['/version', '/livez/etcd', '/api', '/apis/apps/v1', '/openapi/v3/api/v1']) {
      assert.equal(facts('GET', path).analysis, 'complete', path);
    }
    for (const path of ['/logs/', '/debug/pprof/heap', '/apix', '/livez/../logs', '/oidc']) {
      assert.equal(facts('GET', path).analysis, 'partial', path);
    }
  });

  it('are not complete where something is not known', () => {
    const partial = (...of: Parameters<typeof facts>): void =>
      assert.equal(facts(...of).analysis, 'partial', JSON.stringify(of));
    partial('GET', '/apis/unknown.example/v1/things');
    partial('POST', '/api/v1/namespaces/app/pods/a/later', {});
    partial('POST', '/api/v1/namespaces/app/pods', '{"a":1,"a":2}');
    partial('POST', '/api/v1/namespaces/app/pods', 'x', 'application/vnd.kubernetes.protobuf');
    partial('POST', '/api/v1/namespaces/app/pods', 'a: &z 1\nb: *z\n', 'application/yaml');
    partial('POST', '/api/v1/namespaces/app/pods', 'a: 1\n---\nb: 2\n', 'application/yaml');
    partial('POST', '/api/v1/namespaces/app/pods', '? a\n', 'application/json');
    partial('PATCH', web, { $patch: 'later' }, 'application/merge-patch+json');
    partial('PATCH', web, [{ op: 'move', from: '/a', path: '/b' }], 'application/json-patch+json');
    const whole = [{ op: 'replace', path: '', value: { metadata: {} } }];
    partial('PATCH', web, whole, 'application/json-patch+json');
    partial('PATCH', web, { spec: null }, strategic);
    partial('PATCH', web, { spec: { template: null } }, 'application/merge-patch+json');
    partial('PATCH', web, { spec: { later: 1 } }, strategic);
  });

  it('leave ordinary work alone', () => {
    const restart = { spec: { template: { metadata: { annotations: { at: 'now' } } } } };
    assert.deepEqual(effects('PATCH', web, restart, strategic), ['update']);
    const config = { metadata: { name: 'c' }, data: { a: 'b' } };
    assert.deepEqual(effects('POST', '/api/v1/namespaces/app/configmaps', config), ['create']);
    assert.deepEqual(effects('GET', '/api/v1/namespaces/app/pods/a/log?tailLines=10'), ['read']);
    const can = { spec: { resourceAttributes: { verb: 'get' } } };
    const review = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
    assert.deepEqual(effects('POST', review, can), ['read']);
  });

  it('hold for any body without throwing', () => {
    const types = ['', 'application/yaml', strategic, 'application/json-patch+json'];
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), fc.constantFrom(...types), (body, type) => {
        const read = facts('PATCH', web, body, type);
        assert.ok(read.effects.length > 0);
      }),
    );
  });
});
