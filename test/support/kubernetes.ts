/**
 * A real Kubernetes for tests: API server, controller manager, scheduler, kubelet, containerd. No
 * package of Debian has the servers, so a folder with them and with a script that starts them is
 * looked for where `SALLYPORT_KUBERNETES` says, by default `../shared/targets/kubernetes` beside
 * the repository: `cluster start DIR` and `cluster stop DIR`, with the API server's port in `PORT`.
 */
import { type ExecFileSyncOptions, execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cacheDirectory } from './debian.ts';

/** What the cluster needs of Debian, besides the folder. */
export const kubernetesPackages: readonly string[] = [
  'etcd-server',
  'openssl',
  'curl',
  'xz-utils',
  'containerd',
  'runc',
  'containernetworking-plugins',
  'busybox-static',
  'iproute2',
];

const folder: string =
  process.env['SALLYPORT_KUBERNETES'] ??
  fileURLToPath(new URL('../../../shared/targets/kubernetes', import.meta.url));

/** Why there is no cluster here; undefined when there can be one. */
export function missingKubernetes(): string | undefined {
  if (process.getuid?.() !== 0) return 'a cluster needs root';
  if (existsSync(join(folder, 'cluster'))) return undefined;
  return (
    'no Kubernetes: set SALLYPORT_KUBERNETES to a folder with the script `cluster` and the ' +
    'binaries of kube-apiserver, kube-controller-manager, kube-scheduler and kubelet beside it'
  );
}

const TURN_MS = 200;

export interface TestKubernetes {
  readonly port: number;
  /** PEM file of the authority that signed the API server's certificate. */
  readonly ca: string;
  /** The token of an account that may impersonate anybody, and nothing else. */
  readonly token: string;
  /** A kubeconfig of `system:masters`. */
  readonly adminConfig: string;
  /** `kubectl` as the administrator, past every gateway. */
  admin(args: readonly string[], input?: string): string;
  stop(): Promise<void>;
}

/** @param containers - whether pods run; without them the API alone is there, sooner. */
export async function startKubernetes(containers: boolean): Promise<TestKubernetes> {
  const dir = mkdtempSync(join(tmpdir(), 'sp-k8s-'));
  // Unpacked once: they are some 360 MB.
  const binaries = cacheDirectory('kubernetes');
  mkdirSync(binaries, { recursive: true });
  symlinkSync(binaries, join(dir, 'bin'));
  const port = await freePorts(6);
  const env = {
    ...process.env,
    PORT: String(port),
    ...(containers ? {} : { CONTROL_PLANE_ONLY: '1' }),
  };
  const script = join(folder, 'cluster');
  const call = async (verb: string): Promise<void> => {
    await promisify(execFile)(script, [verb, dir], { env, maxBuffer: 64 * 1024 * 1024 });
  };
  const adminConfig = join(dir, 'admin.conf');
  const release = containers ? await onlyOneWithContainers() : () => undefined;
  const stop = async (): Promise<void> => {
    try {
      await call('stop');
      rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
    } finally {
      release();
    }
  };
  try {
    await call('start');
  } catch (thrown) {
    await stop().catch(() => undefined);
    throw thrown;
  }
  return {
    port,
    ca: join(dir, 'pki', 'ca.crt'),
    token: 'token-of-the-gateway',
    adminConfig,
    admin: (args, input) => kubectl(adminConfig, args, input),
    stop,
  };
}

function kubectl(config: string, args: readonly string[], input: string | undefined): string {
  const options: ExecFileSyncOptions = {
    env: { ...process.env, KUBECONFIG: config },
    ...(input === undefined ? {} : { input }),
  };
  return execFileSync('kubectl', args, options).toString();
}

/**
 * Waits for its turn: a kubelet ends the containers of every other one on the machine, whose pods
 * it does not know. The name is in no file system, and free again when the process is gone.
 */
async function onlyOneWithContainers(): Promise<() => void> {
  for (;;) {
    const turn = createServer();
    const isOurs = await new Promise<boolean>((resolve) => {
      turn.once('error', () => resolve(false));
      turn.listen('\0sallyport-kubelet', () => resolve(true));
    });
    if (isOurs) return () => void turn.close();
    await new Promise((resolve) => setTimeout(resolve, TURN_MS));
  }
}

/** The first of `count` neighbouring ports that nobody has, below those that the kernel gives. */
async function freePorts(count: number): Promise<number> {
  for (let base = 20_000 + (process.pid % 1_000) * 10; base < 32_000; base += 10) {
    const ports = Array.from({ length: count }, (_, index) => base + index);
    const free = await Promise.all(ports.map(isFree));
    if (free.every(Boolean)) return base;
  }
  throw new Error('no free ports');
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
