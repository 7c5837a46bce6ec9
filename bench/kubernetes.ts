/**
 * Kubernetes through the gateway, beside a direct connection and nginx `proxy_pass`, in one run:
 * `kubectl get pods` of 5,000 pods, the same list in one answer, a watch that tells of all of them
 * at once, and a watch while objects change.
 *
 * `policy` judges and records every request by the developer's policy that ships, without its masks;
 * `masked` is that policy as it is. Time is that of the client; CPU is that of the proxy's process.
 */
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { makeAuthority } from '../test/support/certificates.ts';
import { ensurePackages } from '../test/support/debian.ts';
import {
  kubernetesPackages,
  startKubernetes,
  type TestKubernetes,
} from '../test/support/kubernetes.ts';
import { developerPolicy, startKubernetesGateway } from '../test/support/kubernetes-gateway.ts';
import { median, medianRatio, table } from './table.ts';

const execute = promisify(execFile);

const WRITERS = 8;
const LIST = '/api/v1/namespaces/load/pods';
const CHANGING = '/api/v1/namespaces/load/configmaps';

/** A way to the cluster. */
interface Variant {
  readonly name: string;
  readonly server: string;
  readonly ca: string;
  readonly fields: Readonly<Record<string, string>>;
  readonly kubeconfig: string;
  /** Whose time counts; undefined where nobody stands between. */
  readonly pid: number | undefined;
}

interface Sample {
  readonly ms: number;
  readonly cpuMs: number;
}

type Stops = (() => Promise<void> | void)[];

export async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string', default: '5' },
      pods: { type: 'string', default: '5000' },
      rate: { type: 'string', default: '1000' },
      seconds: { type: 'string', default: '10' },
    },
  });
  ensurePackages([...kubernetesPackages, 'nginx']);
  const home = mkdtempSync(join(tmpdir(), 'sp-bench-k8s-'));
  const stops: Stops = [() => rmSync(home, { recursive: true, force: true })];
  try {
    const cluster = await startKubernetes(false);
    stops.push(() => cluster.stop());
    const direct = directly(cluster, home);
    await fill(direct, Number(values.pods));
    const variants = [
      direct,
      await throughNginx(direct, home, stops),
      await throughGateway('policy', withoutMasks, { cluster, home, stops }),
      await throughGateway('masked', developerPolicy, { cluster, home, stops }),
    ];
    await lists(variants, Number(values.rounds), Number(values.pods));
    await watches(variants, Number(values.rate), Number(values.seconds));
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

/** The rules that ship, and no masks. */
const withoutMasks: string = developerPolicy.slice(0, developerPolicy.indexOf('\nmasks:'));

/** A kubeconfig for one way to the cluster. */
function kubeconfigOf(
  home: string,
  { name, server, ca }: Pick<Variant, 'name' | 'server' | 'ca'>,
  user: object,
): string {
  const file = join(home, `${name}.conf`);
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server, 'certificate-authority': ca } }],
    users: [{ name, user }],
    contexts: [{ name, context: { cluster: name, user: name, namespace: 'load' } }],
    'current-context': name,
  };
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
  return file;
}

const developer = { user: 'bench', group: 'system:masters' };

function directly({ port, ca, token }: TestKubernetes, home: string): Variant {
  const server = `https://127.0.0.1:${port}`;
  const user = { token, as: developer.user, 'as-groups': [developer.group] };
  return {
    name: 'direct',
    server,
    ca,
    fields: {
      Authorization: `Bearer ${token}`,
      'Impersonate-User': developer.user,
      'Impersonate-Group': developer.group,
    },
    kubeconfig: kubeconfigOf(home, { name: 'direct', server, ca }, user),
    pid: undefined,
  };
}

/** Debian's package of the same name has it. */
const program = 'nginx';

/** nginx that says who asks, as the gateway does. */
async function throughNginx(direct: Variant, home: string, stops: Stops): Promise<Variant> {
  const authority = makeAuthority();
  const { certificate, key } = authority.issue(['127.0.0.1']);
  const ca = join(home, 'nginx-ca.crt');
  writeFileSync(ca, authority.certificate);
  writeFileSync(join(home, 'nginx.crt'), certificate);
  writeFileSync(join(home, 'nginx.key'), key, { mode: 0o600 });
  const port = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((each) => `${each}_temp_path ${home}/${each};`)
    .join(' ');
  const fields = Object.entries(direct.fields)
    .map(([name, value]) => `proxy_set_header ${name} "${value}";`)
    .join(' ');
  const file = join(home, 'proxy.conf');
  writeFileSync(
    file,
    `daemon off; master_process off; pid ${home}/nginx.pid; error_log ${home}/nginx.log;
events { worker_connections 1024; }
http { access_log off; ${temporary}
upstream cluster { server ${direct.server.replace('https://', '')}; keepalive 16; }
server { listen 127.0.0.1:${port} ssl http2; ssl_certificate ${home}/nginx.crt;
ssl_certificate_key ${home}/nginx.key; location / { proxy_pass https://cluster;
proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
proxy_ssl_trusted_certificate ${direct.ca}; proxy_ssl_verify on; proxy_ssl_name localhost;
${fields} } } }
`,
  );
  const child = spawn(program, ['-c', file, '-p', home], { stdio: 'ignore' });
  stops.push(async () => {
    const gone = new Promise((resolve) => child.once('exit', resolve));
    if (child.kill('SIGTERM')) await gone;
  });
  const server = `https://127.0.0.1:${port}`;
  const kubeconfig = kubeconfigOf(home, { name: 'nginx', server, ca }, { token: 'none' });
  const variant = { name: 'nginx', server, ca, fields: {}, kubeconfig, pid: child.pid };
  for (let look = 0; look < 100; look += 1) {
    const isUp = await ask(variant, 'GET', '/version').catch(() => undefined);
    if (isUp !== undefined) return variant;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('nginx does not answer');
}

interface World {
  readonly cluster: TestKubernetes;
  readonly home: string;
  readonly stops: Stops;
}

async function throughGateway(name: string, policy: string, world: World): Promise<Variant> {
  const place = await startKubernetesGateway(world.cluster, { policy });
  world.stops.push(() => place.stop());
  const token = await place.credential();
  const { server, ca, gateway } = place;
  const kubeconfig = kubeconfigOf(world.home, { name, server, ca }, { token });
  const fields = { Authorization: `Bearer ${token}` };
  return { name, server, ca, fields, kubeconfig, pid: gateway.pid };
}

const agents = new Map<string, Agent>();

function agentOf({ name, ca }: Variant): Agent {
  const known = agents.get(name);
  if (known !== undefined) return known;
  const made = new Agent({ keepAlive: true, maxSockets: WRITERS, ca: readFileSync(ca) });
  agents.set(name, made);
  return made;
}

/** Asks, and gives each chunk of the answer; resolves with its bytes when it ends, or is enough. */
function ask(
  variant: Variant,
  method: string,
  path: string,
  {
    body,
    chunk,
  }: { readonly body?: string; readonly chunk?: (bytes: Buffer) => boolean | void } = {},
): Promise<number> {
  const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
  const headers = {
    ...variant.fields,
    Accept: 'application/json',
    ...(body === undefined ? {} : { 'Content-Type': type }),
  };
  return new Promise((resolve, reject) => {
    const options = { method, headers, agent: agentOf(variant) };
    const outgoing = request(`${variant.server}${path}`, options, (incoming) => {
      let bytes = 0;
      incoming.on('data', (piece: Buffer) => {
        bytes += piece.length;
        if (chunk?.(piece) !== true) return;
        resolve(bytes);
        incoming.destroy();
      });
      incoming.once('error', reject);
      incoming.once('end', () => {
        const status = incoming.statusCode ?? 0;
        if (status < 300) resolve(bytes);
        else reject(new Error(`${variant.name}: ${method} ${path}: ${status}`));
      });
    });
    outgoing.once('error', reject);
    outgoing.end(body);
  });
}

/** Runs `count` tasks, so many at a time. */
async function each(count: number, task: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < count) {
      next += 1;
      await task(next - 1);
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, work));
}

async function fill(direct: Variant, pods: number): Promise<void> {
  const make = (path: string, object: object): Promise<number> =>
    ask(direct, 'POST', path, { body: JSON.stringify(object) });
  await make('/api/v1/namespaces', { metadata: { name: 'load' } });
  // Pods are taken once the account that they run as has its token.
  for (let bytes = 0; bytes < 1_000; ) {
    bytes = await ask(direct, 'GET', '/api/v1/namespaces/load/secrets');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await each(pods, (index) =>
    make(LIST, {
      metadata: { name: `web-${index}`, labels: { app: 'web', shard: `s${index % 16}` } },
      spec: {
        // Nobody schedules it: the API alone is measured.
        schedulerName: 'nobody',
        containers: [
          {
            name: 'web',
            image: 'registry.example/web:1.2.3',
            env: [{ name: 'MODE', value: 'production' }],
            resources: { requests: { cpu: '100m', memory: '128Mi' } },
          },
        ],
      },
    }),
  );
}

/** Milliseconds that a process has been on a processor. */
function cpuMsOf({ pid }: Variant): number {
  if (pid === undefined) return 0;
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  return ticks * 10;
}

async function measured(variant: Variant, run: () => Promise<void>): Promise<Sample> {
  const [before, start] = [cpuMsOf(variant), performance.now()];
  await run();
  return { ms: performance.now() - start, cpuMs: cpuMsOf(variant) - before };
}

/** Lines that come in chunks. */
class LineCount {
  lines: number = 0;

  take(bytes: Uint8Array): void {
    for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) this.lines += 1;
  }
}

async function kubectlGet({ kubeconfig }: Variant, pods: number): Promise<void> {
  const args = [`--kubeconfig=${kubeconfig}`, 'get', 'pods', '--no-headers'];
  const { stdout } = await execute('kubectl', args, { maxBuffer: 64 * 1024 * 1024 });
  const shown = stdout.split('\n').length - 1;
  if (shown !== pods) throw new Error(`${shown} pods of ${pods}`);
}

/** A watch from the beginning tells of every object at once. */
async function burst(variant: Variant, pods: number): Promise<void> {
  const count = new LineCount();
  const path = `${LIST}?watch=true&resourceVersion=0&timeoutSeconds=20`;
  const chunk = (bytes: Buffer): boolean => {
    count.take(bytes);
    return count.lines >= pods;
  };
  await ask(variant, 'GET', path, { chunk });
  if (count.lines !== pods) throw new Error(`${variant.name}: ${count.lines} events of ${pods}`);
}

async function lists(variants: readonly Variant[], rounds: number, pods: number): Promise<void> {
  const loads: readonly (readonly [string, (variant: Variant) => Promise<void>])[] = [
    [`kubectl get pods, ${pods} of them`, (variant) => kubectlGet(variant, pods)],
    ['the same in one list of JSON', async (variant) => void (await ask(variant, 'GET', LIST))],
    ['a watch that tells of each', (variant) => burst(variant, pods)],
  ];
  const rows: string[][] = [];
  for (const [load, run] of loads) {
    const samples = new Map<string, Sample[]>(variants.map(({ name }) => [name, []]));
    for (let round = 0; round < rounds; round += 1) {
      for (const variant of variants) {
        samples.get(variant.name)?.push(await measured(variant, () => run(variant)));
      }
    }
    const of = (name: string, part: keyof Sample): number[] =>
      (samples.get(name) ?? []).map((sample) => sample[part]);
    for (const { name, pid } of variants) {
      rows.push([
        load,
        name,
        median(of(name, 'ms')).toFixed(0),
        medianRatio(of(name, 'ms'), of('direct', 'ms')).toFixed(2),
        medianRatio(of(name, 'ms'), of('nginx', 'ms')).toFixed(2),
        pid === undefined ? '' : median(of(name, 'cpuMs')).toFixed(0),
      ]);
    }
  }
  const header = ['load', 'variant', 'ms', 'of direct', 'of nginx', 'CPU ms'];
  console.log(table(header, rows));
}

/** What one watch saw, and when. */
class Watch {
  readonly variant: Variant;
  readonly seen = new Map<string, number>();
  #rest: string = '';

  constructor(variant: Variant) {
    this.variant = variant;
  }

  take(bytes: Buffer): void {
    const lines = (this.#rest + bytes.toString('latin1')).split('\n');
    this.#rest = lines.pop() ?? '';
    const now = performance.now();
    for (const line of lines) {
      const version = /"resourceVersion":"(\d+)"/.exec(line)?.[1];
      if (version !== undefined && line.startsWith('{"type":"MODIFIED"'))
        this.seen.set(version, now);
    }
  }
}

/** The same changes, seen by all at the same time. */
async function watches(variants: readonly Variant[], rate: number, seconds: number): Promise<void> {
  const [direct] = variants;
  if (direct === undefined) return;
  await each(WRITERS, (index) =>
    ask(direct, 'POST', CHANGING, { body: JSON.stringify({ metadata: { name: `c${index}` } }) }),
  );
  const watching = variants.map((variant) => new Watch(variant));
  const ended = watching.map((watch) => {
    const path = `${CHANGING}?watch=true&timeoutSeconds=${seconds + 5}`;
    return ask(watch.variant, 'GET', path, { chunk: (bytes) => watch.take(bytes) });
  });
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const before = variants.map(cpuMsOf);
  const start = performance.now();
  const written = await write(direct, rate, seconds);
  const spent = (performance.now() - start) / 1_000;
  await Promise.all(ended);
  const truth = watching[0]?.seen ?? new Map<string, number>();
  const rows = watching.map(({ variant, seen }, index) => {
    const lost = [...truth.keys()].filter((version) => !seen.has(version)).length;
    const late = [...seen].map(([version, at]) => at - (truth.get(version) ?? at));
    const cpu = cpuMsOf(variant) - (before[index] ?? 0);
    const perThousand = (cpu / seen.size) * 1_000;
    const isBetween = variant.pid !== undefined;
    return [
      variant.name,
      String(seen.size),
      String(lost + Math.max(written - truth.size, 0)),
      isBetween ? median(late).toFixed(1) : '',
      isBetween ? perThousand.toFixed(0) : '',
    ];
  });
  console.log(`\n${(written / spent).toFixed(0)} changes a second, ${rate} wanted:`);
  const header = ['watch', 'events', 'lost', 'ms behind direct, p50', 'CPU ms a 1,000 events'];
  console.log(table(header, rows));
}

/** Changes objects at a rate, as far as the server keeps up; answers how often. */
async function write(direct: Variant, rate: number, seconds: number): Promise<number> {
  const start = performance.now();
  const total = rate * seconds;
  let count = 0;
  await Promise.all(
    Array.from({ length: WRITERS }, async (_, writer) => {
      for (let turn = 0; turn < total / WRITERS; turn += 1) {
        const due = start + ((turn * WRITERS) / rate) * 1_000;
        const wait = due - performance.now();
        if (wait > 1) await new Promise((resolve) => setTimeout(resolve, wait));
        if (performance.now() - start > seconds * 1_000) return;
        const body = JSON.stringify({ data: { turn: String(turn), note: 'x'.repeat(200) } });
        await ask(direct, 'PATCH', `${CHANGING}/c${writer}`, { body });
        count += 1;
      }
    }),
  );
  return count;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
