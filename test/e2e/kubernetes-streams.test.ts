/**
 * Streams into containers of a real cluster, through the gateway, with the real `kubectl`: over
 * WebSocket, as it tries first, and over SPDY, to which it falls back. The server itself speaks
 * SPDY alone.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ensurePackages } from '../support/debian.ts';
import { type Evidence, evidenceOf } from '../support/evidence.ts';
import type { TestGateway } from '../support/gateway.ts';
import { type KubernetesGateway, startKubernetesGateway } from '../support/kubernetes-gateway.ts';
import { startKubernetes, type TestKubernetes } from '../support/kubernetes.ts';
import { newHold } from './shop.ts';

const MAIL = 'anna.schmidt@example.com';
const BIG_BYTES = 8 * 1024 * 1024;
const SHOWN_MS = 20;
const SHOWN_MS_MAX = 60_000;

const policy = `rules:
  - id: destructive
    use: destructive-shell
    then: deny
    match: { targets: [plain, held] }
  - id: held
    when: "facts.objects.exists(o, o.access == 'execute' && (o.kind == 'pods/exec' || o.kind == 'port'))"
    then: hold
    hold: { reviewers: [role:reviewer] }
    match: { targets: [held] }
  - { id: rest, when: 'true', then: allow }
masks:
  - { id: mail, detect: [email], with: redact, match: { targets: [masked] } }
`;

/** Targets, all the same cluster, and what their grants let a job do. */
const features = {
  plain: ['shell', 'attach', 'port-forward:8080'],
  held: ['port-forward'],
  masked: ['shell', 'attach', 'port-forward'],
} as const;
type TargetName = keyof typeof features;

const pod = `
apiVersion: v1
kind: Pod
metadata: { name: web, namespace: app }
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - name: web
      image: "busybox:local"
      imagePullPolicy: Never
      command:
        - sh
        - -c
        - |
          mkdir -p /www /data
          echo 'served by ${MAIL}' > /www/index.html
          head -c ${BIG_BYTES} /dev/urandom > /www/big
          busybox httpd -p 8080 -h /www
          while true; do
            if [ -f /data/say ]; then cat /data/say; rm /data/say; fi
            sleep 0.1
          done
    - { name: reader, image: "busybox:local", imagePullPolicy: Never, stdin: true,
        command: [sh, -c, 'while read line; do echo "got $line"; done'] }
`;

interface Done {
  readonly status: number;
  readonly out: Buffer;
  readonly error: string;
}

let cluster: TestKubernetes;
let place: KubernetesGateway;
let gateway: TestGateway;
let evidence: Evidence;
let reviewer: string;
const dir = mkdtempSync(join(tmpdir(), 'sp-streams-'));
const seen = new Set<string>();
const children = new Set<ChildProcess>();

const exec = (...command: string[]): string[] => ['exec', 'web', '-c', 'web', '--', ...command];
const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
/** In the container, past the gateway. */
const inside = (...command: string[]): string => cluster.admin(['-n', 'app', ...exec(...command)]);

before(async () => {
  ensurePackages(['python3-kubernetes', 'bsdutils']);
  cluster = await startKubernetes(true);
  place = await startKubernetesGateway(cluster, {
    policy,
    accounts: ['developer'],
    targets: features,
  });
  ({ gateway } = place);
  evidence = evidenceOf(gateway.home);
  reviewer = await gateway.person('people/rita', ['dba']);
  writeFileSync(join(dir, 'config'), JSON.stringify(kubeconfig()));
  cluster.admin(['create', 'namespace', 'app']);
  cluster.admin(['apply', '-f', '-'], pod);
  cluster.admin(['-n', 'app', 'wait', '--for=condition=Ready', 'pod/web', '--timeout=120s']);
});
after(async () => {
  for (const child of children) child.kill();
  await place?.stop();
  await cluster?.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** A context for each target, by its name. */
function kubeconfig(): object {
  const names = Object.keys(features);
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: names.map((name) => ({
      name,
      cluster: { server: place.serverOf(name), 'certificate-authority': place.ca },
    })),
    users: [{ name: 'job', user: { token: gateway.credential } }],
    contexts: names.map((name) => ({
      name,
      context: { cluster: name, user: 'job', namespace: 'app' },
    })),
  };
}

for (const [carrier, isWebSocket] of [
  ['WebSocket', 'true'],
  ['SPDY', 'false'],
] as const) {
  const env = {
    ...process.env,
    KUBECONFIG: join(dir, 'config'),
    KUBECTL_REMOTE_COMMAND_WEBSOCKETS: isWebSocket,
    KUBECTL_PORT_FORWARD_WEBSOCKETS: isWebSocket,
  };

  /** Starts `kubectl`; its output as it comes. */
  const start = (target: TargetName, args: readonly string[]) => {
    const child = spawn('kubectl', ['--context', target, ...args], { env });
    children.add(child);
    const out: Buffer[] = [];
    let error = '';
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => (error += chunk.toString()));
    const done = new Promise<Done>((resolve) => {
      child.once('close', (status) => {
        children.delete(child);
        resolve({ status: status ?? -1, out: Buffer.concat(out), error });
      });
    });
    const shown = (): string => Buffer.concat(out).toString();
    return { child, done, shown };
  };
  const run = (target: TargetName, args: readonly string[], input: Uint8Array | string = '') => {
    const { child, done } = start(target, args);
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    return done;
  };
  const showing = async (shown: () => string, text: string): Promise<void> => {
    for (let waited = 0; !shown().includes(text); waited += SHOWN_MS) {
      assert.ok(waited < SHOWN_MS_MAX, `'${text}' is not shown, but: ${shown()}`);
      await new Promise((resolve) => setTimeout(resolve, SHOWN_MS));
    }
  };
  /** The recording of the session that ran a command with a text. */
  const recorded = async (text: string): Promise<string> => {
    for (const { session } of await evidence.summaries()) {
      const commands = await evidence.commands(session);
      if (commands.some((command) => command.text.includes(text))) return session;
    }
    return assert.fail(`no recording has ${text}`);
  };

  describe(`streams over ${carrier}`, () => {
    it('gives output, errors and exit status of a command', async () => {
      const text = 'echo out; echo err >&2; exit 7';
      const { status, out, error } = await run('plain', exec('sh', '-c', text));
      assert.equal(status, 7);
      assert.equal(out.toString(), 'out\n');
      assert.match(error, /^err\n/);
      const none = await run('plain', exec('no-such-program'));
      assert.equal(none.status, 1);
      assert.match(none.error, /no-such-program/);
    });

    it('carries large input and output whole, and the end of input', async () => {
      const bytes = randomBytes(BIG_BYTES);
      const sum = await run('plain', ['exec', '-i', 'web', '-c', 'web', '--', 'sha256sum'], bytes);
      assert.equal(sum.out.toString().slice(0, 64), digest(bytes));
      const big = await run('plain', exec('cat', '/www/big'));
      assert.equal(big.out.length, BIG_BYTES);
      assert.equal(digest(big.out), inside('sha256sum', '/www/big').slice(0, 64));
    });

    it('gives a terminal, which is recorded for players', async () => {
      const line = `kubectl --context plain exec -it web -c web -- sh`;
      const child = spawn('script', ['-qec', line, '/dev/null'], { env });
      children.add(child);
      let out = '';
      child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
      const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
      await showing(() => out, '# ');
      child.stdin.write(`tty; echo on ${carrier} $((40+2))\r`);
      await showing(() => out, `on ${carrier} 42`);
      child.stdin.write('exit 5\r');
      assert.equal(await closed, 5);
      assert.match(out, /\/dev\/pts\/\d/);
      const session = await recorded('--tty -- sh');
      const cast: string[] = [];
      const reading = { reader: 'tests', identities: [] };
      for await (const bytes of evidence.archive.export(session, 'asciicast', reading)) {
        cast.push(Buffer.from(bytes).toString());
      }
      assert.ok(cast.join('').includes(`on ${carrier} 42\\r\\n`), cast.join(''));
      assert.match(cast.join(''), /"x", "5"/);
    });

    it('attaches to what runs', async () => {
      const { child, shown, done } = start('plain', ['attach', '-i', 'web', '-c', 'reader']);
      child.stdin.write(`over ${carrier}\n`);
      await showing(shown, `got over ${carrier}`);
      child.kill();
      await done;
    });

    it('copies both ways', async () => {
      const [there, back] = [join(dir, 'there'), join(dir, `back-${carrier}`)];
      writeFileSync(there, randomBytes(300_000));
      const put = await run('plain', ['cp', there, `web:/data/file-${carrier}`, '-c', 'web']);
      // Unpacking replaces what is there.
      assert.match(put.error, /sallyport: denied by policy: deletes, overwrites/);
      const masked = await run('masked', ['cp', there, `web:/data/file-${carrier}`, '-c', 'web']);
      assert.equal(masked.status, 0, masked.error);
      const sum = inside('sha256sum', `/data/file-${carrier}`).slice(0, 64);
      assert.equal(sum, digest(readFileSync(there)));
      const got = await run('plain', ['cp', `web:/data/file-${carrier}`, back, '-c', 'web']);
      assert.equal(got.status, 0, got.error);
      assert.deepEqual(readFileSync(back), readFileSync(there));
      const facts = await evidence.commands(await recorded(`tar cf - /data/file-${carrier}`));
      assert.ok(JSON.stringify(facts).includes(`/data/file-${carrier}`));
    });

    it('forwards ports that the grant names, and says why where it does not', async () => {
      const { child, shown, done } = start('plain', ['port-forward', 'web', ':8080', ':9090']);
      await showing(shown, '-> 9090');
      const local = /127\.0\.0\.1:(\d+) -> 8080/.exec(shown())?.[1] ?? '';
      const [page, again, big] = await Promise.all(
        ['index.html', 'index.html', 'big'].map(async (name) =>
          Buffer.from(await (await fetch(`http://127.0.0.1:${local}/${name}`)).arrayBuffer()),
        ),
      );
      assert.equal(page?.toString(), `served by ${MAIL}\n`);
      assert.deepEqual(again, page);
      assert.equal(
        digest(big ?? page ?? Buffer.alloc(0)),
        inside('sha256sum', '/www/big').slice(0, 64),
      );
      const other = /127\.0\.0\.1:(\d+) -> 9090/.exec(shown())?.[1] ?? '';
      await assert.rejects(fetch(`http://127.0.0.1:${other}/`));
      child.kill();
      const { error } = await done;
      assert.match(error, /no grant has the feature port-forward:9090/);
      const text = await evidence.text(await recorded('port-forward --namespace=app web :8080'));
      assert.ok(text.includes('GET /index.html'), 'what went through is recorded');
      assert.ok(text.includes(`served by ${MAIL}`));
    });

    it('denies what a command would do, however it is spelled', async () => {
      for (const command of [
        ['rm', '-rf', '/www'],
        ['sh', '-c', 'cd /; rm -r www'],
        ['sh', '-c', 'sh -c "r\\m -r /www"'],
        ['env', 'busybox', 'rm', '-r', '/www'],
      ]) {
        const { status, out, error } = await run('plain', exec(...command));
        assert.equal(status, 126, command.join(' '));
        assert.match(error, /^sallyport: denied by policy: deletes/, command.join(' '));
        assert.equal(out.length, 0);
      }
      assert.match(inside('ls', '/'), /www/);
    });

    it('wants a right for shells, terminals, attaching and ports', async () => {
      const shell = await run('held', ['exec', '-i', 'web', '-c', 'web', '--', 'sh'], 'echo hi\n');
      assert.equal(shell.status, 126);
      assert.match(shell.error, /no grant allows an interactive shell/);
      const attached = await run('held', ['attach', '-i', 'web', '-c', 'reader'], 'x\n');
      assert.match(attached.error, /no grant allows to attach/);
    });

    it('holds a command, tells so while it waits, and runs what was approved', async () => {
      const { child, done } = start('held', ['exec', '-i', 'web', '-c', 'web', '--', 'cat']);
      child.stdin.end('typed before the verdict\n');
      const hold = await newHold(gateway, reviewer, seen);
      assert.equal(hold.text, 'kubectl exec --namespace=app web --container=web --stdin -- cat');
      const approve = `/v1/holds/${hold.id}/approve`;
      const answer = await gateway.call('POST', approve, reviewer, { digest: hold.digest });
      assert.equal(answer.status, 200);
      const { status, out, error } = await done;
      assert.equal(status, 0, error);
      assert.equal(out.toString(), 'typed before the verdict\n');
      assert.match(error, /sallyport: held for approval as /);
      const denied = run('held', exec('cat', '/www/index.html'));
      const { id, digest: bound } = await newHold(gateway, reviewer, seen);
      await gateway.call('POST', `/v1/holds/${id}/deny`, reviewer, { digest: bound });
      assert.equal((await denied).status, 126);
      assert.match((await denied).error, /a reviewer denied it/);
      assert.equal((await denied).out.length, 0);
    });

    it('holds a port once for all connections to it', async () => {
      const { child, shown, done } = start('held', ['port-forward', 'web', ':8080']);
      await showing(shown, '-> 8080');
      const local = /127\.0\.0\.1:(\d+) -> 8080/.exec(shown())?.[1] ?? '';
      const pages = [0, 1].map(() => fetch(`http://127.0.0.1:${local}/`));
      const hold = await newHold(gateway, reviewer, seen);
      assert.equal(hold.text, 'kubectl port-forward --namespace=app web :8080');
      const approve = `/v1/holds/${hold.id}/approve`;
      await gateway.call('POST', approve, reviewer, { digest: hold.digest });
      for (const page of pages) assert.equal((await page).status, 200);
      assert.equal((await fetch(`http://127.0.0.1:${local}/`)).status, 200);
      child.kill();
      await done;
    });

    it('masks output by content, and refuses what it cannot mask', async () => {
      const plain = await run('masked', exec('cat', '/www/index.html'));
      assert.equal(plain.out.toString(), 'served by [EMAIL]\n');
      const errors = await run('masked', exec('sh', '-c', 'cat /www/index.html >&2'));
      assert.equal(errors.error, 'served by [EMAIL]\n');
      const message = await run('masked', exec(MAIL));
      assert.ok(!message.error.includes(MAIL), message.error);
      const copy = await run('masked', ['cp', 'web:/www/index.html', join(dir, 'x'), '-c', 'web']);
      // It shows there what `tar` complains of.
      assert.match(copy.out.toString(), /the result cannot be masked soundly/);
      const { child, shown, done } = start('masked', ['port-forward', 'web', ':8080']);
      await showing(shown, '-> 8080');
      const local = /127\.0\.0\.1:(\d+) -> 8080/.exec(shown())?.[1] ?? '';
      await assert.rejects(fetch(`http://127.0.0.1:${local}/`));
      child.kill();
      assert.match((await done).error, /a mask by content is in force/);
      const text = await evidence.text(
        await recorded('exec --namespace=app web --container=web -- cat /www'),
      );
      assert.ok(text.includes('served by [EMAIL]'));
      assert.ok(!text.includes(MAIL));
    });

    it('follows logs as they come, masked', async () => {
      const logs = start('masked', ['logs', '-f', 'web', '-c', 'web', '--tail=0']);
      // The log is followed once a line is seen; until then it is written again.
      const mark = `${carrier}-log`;
      while (!logs.shown().includes(mark)) {
        inside('sh', '-c', `echo '${mark} for ${MAIL}' > /data/say`);
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      assert.equal(logs.child.exitCode, null, 'it goes on');
      assert.match(logs.shown(), new RegExp(`${mark} for \\[EMAIL\\]`));
      logs.child.kill();
      const { out } = await logs.done;
      assert.ok(!out.includes(MAIL));
    });

    it('is cut by a lock while it runs', async () => {
      const running = start('plain', exec('sh', '-c', 'echo begun; sleep 1000'));
      await showing(running.shown, 'begun');
      const admin = await gateway.person('people/ada', ['admins']);
      const body = { kind: 'target', value: 'plain', reason: 'stop now' };
      const lock = await gateway.call('POST', '/v1/locks', admin, body);
      assert.equal(lock.status, 200);
      const { status, error } = await running.done;
      assert.notEqual(status, 0);
      assert.match(error, /locked: stop now/);
      await gateway.call('DELETE', `/v1/locks/${String(lock.body['id'])}`, admin);
    });
  });
}

/** Version 4 of the channels, without an end of input. */
const library = `
import sys
from kubernetes import client, config
from kubernetes.stream import stream
config.load_kube_config(sys.argv[1], context='plain')
api = client.CoreV1Api()
def run(*command):
    told = stream(api.connect_get_namespaced_pod_exec, 'web', 'app', container='web',
                  command=list(command), stdout=True, stderr=True, _preload_content=False)
    told.run_forever(timeout=60)
    return [told.read_stdout(), told.read_stderr(), told.returncode]
print(run('sh', '-c', 'echo out; echo err >&2; exit 3'))
print(run('rm', '-r', '/www')[2])
`;

describe('streams of a library', () => {
  it('are those of kubectl', async () => {
    const child = spawn('/usr/bin/python3', ['-c', library, join(dir, 'config')]);
    let out = '';
    let error = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (error += chunk.toString()));
    await new Promise((resolve) => child.once('close', resolve));
    assert.equal(out, "['out\\n', 'err\\n', 3]\n126\n", error);
  });
});

describe('recordings of streams', () => {
  it('are whole', async () => {
    const reports = await evidence.verify();
    assert.ok(reports.length > 40);
    for (const { verdict, problem } of reports) {
      assert.equal(verdict, 'verified', JSON.stringify(problem));
    }
  });
});
