/**
 * A real gateway process for tests: writes a configuration into a temporary directory, starts
 * `sallyport serve`, waits until it is ready, and gives ports and credentials. Identities come from
 * a real issuer in this process (`issuer.ts`).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { startIssuer, type TestIssuer } from './issuer.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const START_MS_MAX = 60_000;

export interface GatewayTarget {
  readonly name: string;
  /** PostgreSQL when absent. */
  readonly protocol?: string;
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly host: string;
  readonly port: number;
  readonly labels?: Readonly<Record<string, string>>;
  /** Account names, or whole entries of the configuration. */
  readonly accounts: readonly (string | Readonly<Record<string, unknown>>)[];
  /** TLS towards the target; off when absent. */
  readonly tls?: Readonly<Record<string, unknown>>;
}

export interface GatewayOptions {
  readonly targets: readonly GatewayTarget[];
  /** Binds the PostgreSQL listener to one target. */
  readonly bind?: string;
  /** Policy files by name. */
  readonly policies: Readonly<Record<string, string>>;
  /** Merged over the configuration, key by key of the first level. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Merged over the PostgreSQL listener. */
  readonly listener?: Readonly<Record<string, unknown>>;
  /** Merged over the listener of another protocol, which is named as the protocol. */
  readonly listeners?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly grants?: readonly Readonly<Record<string, unknown>>[];
  /** Features of the default grant, such as `function-call`. */
  readonly features?: readonly string[];
  /** Keep this home (for restarts after a crash); a new one when absent. */
  readonly home?: string;
  /** The issuers of an earlier gateway, for a restart; new ones when absent. */
  readonly issuers?: TestIssuers;
  readonly env?: Readonly<Record<string, string>>;
}

export interface TestIssuers {
  readonly workloads: TestIssuer;
  readonly people: TestIssuer;
}

export interface TestGateway {
  readonly home: string;
  readonly pid: number;
  /** The PostgreSQL listener. */
  readonly port: number;
  /** Every listener, by name. */
  readonly ports: Readonly<Record<string, number>>;
  readonly api: string;
  readonly issuers: TestIssuers;
  /** A token of the default job, good for an hour: a password for every client. */
  readonly credential: string;
  /** A token of a workload. */
  job(subject: string, claims?: Readonly<Record<string, unknown>>): Promise<string>;
  /** A token of a person with groups; `dba` reviews, `admins` administers. */
  person(subject: string, groups: readonly string[]): Promise<string>;
  /** Calls the API; the body is JSON. */
  call(method: string, path: string, token: string, body?: unknown): Promise<ApiAnswer>;
  /** Everything that the process wrote to its log. */
  log(): string;
  kill(signal: NodeJS.Signals): Promise<void>;
  /** The exit status, once the process has ended by itself. */
  readonly exitCode: number | null;
  /** Stops the process and removes its home, unless the home was given. */
  stop(): Promise<void>;
}

export interface ApiAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A policy that allows and records everything: for conformance and benchmarks. */
export const allowEverything = `rules:
  - id: everything
    when: 'true'
    then: allow
`;

export async function startGateway(options: GatewayOptions): Promise<TestGateway> {
  const home = options.home ?? mkdtempSync(join(tmpdir(), 'sp-gw-'));
  const issuers = options.issuers ?? {
    workloads: await startIssuer(),
    people: await startIssuer(),
  };
  writeConfig(home, options, issuers);
  const child = spawn(
    process.execPath,
    [join(root, 'src/main.ts'), 'serve', '--config', join(home, 'sallyport.yaml')],
    {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
    },
  );
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString('utf8')));
  const cleanUp = async (): Promise<void> => {
    if (options.issuers === undefined) {
      await Promise.all([issuers.workloads.stop(), issuers.people.stop()]);
    }
    if (options.home === undefined) rmSync(home, { recursive: true, force: true });
  };
  const ready = await waitUntilReady(child, () => log).catch(async (error: unknown) => {
    await cleanUp();
    throw error;
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const mintJob = (subject: string, claims: Readonly<Record<string, unknown>> = {}) =>
    issuers.workloads.mint(
      { sub: subject, aud: 'sallyport', repository_id: '42', ...claims },
      { expiresInSeconds: 3_000 },
    );
  const stopProcess = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await exited;
  };
  return {
    home,
    pid: child.pid ?? 0,
    port: ready.listeners['pg'] ?? 0,
    ports: ready.listeners,
    api: `http://127.0.0.1:${ready.api}`,
    issuers,
    credential: await mintJob('job-1'),
    job: mintJob,
    person: (subject, groups) =>
      issuers.people.mint({ sub: subject, aud: 'sallyport', groups }, { expiresInSeconds: 3_000 }),
    call: callsTo(`http://127.0.0.1:${ready.api}`),
    log: () => log,
    kill: stopProcess,
    get exitCode() {
      return child.exitCode;
    },
    async stop() {
      await stopProcess('SIGTERM');
      await cleanUp();
    },
  };
}

const callsTo =
  (api: string): TestGateway['call'] =>
  async (method, path, token, body) => {
    const answer = await fetch(`${api}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, body: text === '' ? {} : JSON.parse(text) };
  };

function writeConfig(home: string, options: GatewayOptions, issuers: TestIssuers): void {
  const config = {
    version: 1,
    listeners: [
      {
        name: 'pg',
        protocol: 'postgres',
        address: '127.0.0.1:0',
        ...(options.bind === undefined ? {} : { target: options.bind }),
        ...options.listener,
      },
      ...otherProtocols(options).map((protocol) => ({
        name: protocol,
        protocol,
        address: '127.0.0.1:0',
        ...options.listeners?.[protocol],
      })),
    ],
    api: { address: '127.0.0.1:0' },
    targets: options.targets.map((target) => ({
      name: target.name,
      protocol: target.protocol ?? 'postgres',
      address: `${target.host}:${target.port}`,
      settings: target.settings ?? {},
      labels: target.labels ?? { env: 'prod' },
      tls: target.tls ?? { mode: 'disable' },
      accounts: target.accounts.map((account) =>
        typeof account === 'string' ? { name: account } : account,
      ),
    })),
    issuers: [
      {
        name: 'ci',
        url: issuers.workloads.url,
        audience: 'sallyport',
        require: [{ claim: 'repository_id', equals: '42' }],
        map: { kind: 'workload', owner: { value: 'people/olga' } },
      },
      {
        name: 'staff',
        url: issuers.people.url,
        audience: 'sallyport',
        require: [{ claim: 'sub', matches: '.+' }],
        map: {
          kind: 'human',
          groups: { claim: 'groups' },
          roles: { dba: ['reviewer'], admins: ['admin'], auditors: ['auditor'] },
        },
      },
    ],
    grants: options.grants ?? [
      {
        id: 'everyone',
        identities: ['issuer:ci', 'issuer:staff'],
        targets: options.targets.map(({ name }) => name),
        accounts: ['*'],
        features: options.features ?? [],
      },
    ],
    recordings: { reserve: '16MiB' },
    ...options.config,
  };
  writeFileSync(join(home, 'sallyport.yaml'), stringify(config));
  mkdirSync(join(home, 'policies'), { recursive: true });
  for (const [name, text] of Object.entries(options.policies)) {
    writeFileSync(join(home, 'policies', name), text);
  }
}

/** Protocols that have a target here, besides PostgreSQL, which always has a listener. */
const otherProtocols = ({ targets }: GatewayOptions): string[] =>
  [...new Set(targets.flatMap(({ protocol }) => protocol ?? []))].filter(
    (protocol) => protocol !== 'postgres',
  );

interface Ready {
  readonly listeners: Readonly<Record<string, number>>;
  readonly api: number;
}

/** The line `ready {…}` on standard output. */
async function waitUntilReady(child: ChildProcess, log: () => string): Promise<Ready> {
  return await new Promise((resolve, reject) => {
    let output = '';
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`the gateway was not ready in time:\n${log()}`));
    }, START_MS_MAX);
    child.once('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`the gateway ended with ${code}:\n${log()}`));
    });
    child.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8');
      const line = /^ready (\{.*\})$/m.exec(output)?.[1];
      if (line === undefined) return;
      clearTimeout(timer);
      resolve(JSON.parse(line));
    });
  });
}
