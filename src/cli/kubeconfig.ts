/**
 * `sallyport kubeconfig` and `sallyport token exec-credential`: how `kubectl` and the libraries of
 * Kubernetes find a cluster behind the gateway and get their credential, by an exec plugin
 * (`client.authentication.k8s.io/v1`). The kubeconfig holds no secret.
 */
import type { Clock } from '#core/clock.ts';
import { GatewayError } from '#core/errors.ts';
import type { Secret } from '#core/secret.ts';
import { type ApiClient, command, textOf } from './api-client.ts';
import type { TextOutput } from './output.ts';
import { exchangeForm } from './tokens.ts';

const API_VERSION = 'client.authentication.k8s.io/v1';

export interface KubeconfigOptions {
  /** `[account@]target`; the credential names the account, since a kubeconfig cannot. */
  readonly audience: string;
  /** Where the gateway serves the cluster, with the path that names it. */
  readonly server: string;
  /** PEM of the authority that signed the listener's certificate; the system's when absent. */
  readonly certificateAuthority: string | undefined;
  readonly namespace: string | undefined;
  /** What starts the exec plugin: the command line of this program. */
  readonly command: string;
  readonly args: readonly string[];
}

/** Prints a kubeconfig for one target, as JSON, which is YAML. */
export function printKubeconfig(output: TextOutput, options: KubeconfigOptions): number {
  const { audience, server, certificateAuthority, namespace, command: program, args } = options;
  const name = audience.slice(audience.lastIndexOf('@') + 1);
  const authority =
    certificateAuthority === undefined
      ? {}
      : { 'certificate-authority-data': Buffer.from(certificateAuthority).toString('base64') };
  const exec = {
    apiVersion: API_VERSION,
    command: program,
    args: [...args, '--audience', audience],
    interactiveMode: 'Never',
    provideClusterInfo: false,
  };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server, ...authority } }],
    users: [{ name: audience, user: { exec } }],
    contexts: [
      {
        name,
        context: {
          cluster: name,
          user: audience,
          ...(namespace === undefined ? {} : { namespace }),
        },
      },
    ],
    'current-context': name,
  };
  output.line(JSON.stringify(config, undefined, 2));
  return 0;
}

/** Where a credential stays until it is over, readable by its owner alone. */
export interface CredentialCache {
  /** What was kept; undefined when there is nothing, or others could have read or written it. */
  read(): string | undefined;
  write(text: string): void;
}

export interface ExecCredentialContext {
  readonly client: ApiClient;
  readonly output: TextOutput;
  readonly clock: Clock;
  readonly cache: CredentialCache;
  readonly wait: (ms: number) => Promise<void>;
}

export interface ExecCredentialOptions {
  readonly audience: string;
  readonly subjectToken: Secret;
  /** Equal for equal subject tokens, and says nothing of them. */
  readonly subjectKey: string;
  /** `KUBERNETES_EXEC_INFO`, by which a client says what it understands. */
  readonly execInfo: string | undefined;
}

/** So long before its end a credential is not used for something new. */
const MARGIN_MS = 30_000;

/** How long another client may take to keep what it was given. */
const BESIDE_MS = 500;

interface Kept {
  readonly subject: string;
  readonly token: string;
  readonly expiresAt: number;
}

/** Prints the credential for a target as an `ExecCredential`, a kept one while it is good. */
export function execCredential(
  { client, output, clock, cache, wait }: ExecCredentialContext,
  { audience, subjectToken, subjectKey, execInfo }: ExecCredentialOptions,
): Promise<number> {
  return command(output, async () => {
    checkVersion(execInfo);
    const good = (): Kept | undefined => {
      const found = readKept(cache.read());
      const isGood = found?.subject === subjectKey && found.expiresAt - MARGIN_MS > clock.now();
      return isGood ? found : undefined;
    };
    const fresh = async (): Promise<Kept> => {
      const askedAt = clock.now();
      const answer = await client.post('/v1/token', exchangeForm(subjectToken, [audience]));
      const [token, seconds] = [textOf(answer, 'access_token'), Number(answer['expires_in'])];
      if (token === '' || !(seconds > 0)) {
        throw new GatewayError('SP_PROTOCOL', { detail: 'no token in the answer' });
      }
      const found = { subject: subjectKey, token, expiresAt: askedAt + seconds * 1000 };
      cache.write(JSON.stringify(found));
      return found;
    };
    const kept =
      good() ??
      (await fresh().catch(async (thrown: unknown) => {
        // A token may be good for one trade: another client beside this one may have made it.
        await wait(BESIDE_MS);
        const found = good();
        if (found === undefined) throw thrown;
        return found;
      }));
    const expirationTimestamp = new Date(kept.expiresAt - MARGIN_MS).toISOString();
    const status = { token: kept.token, expirationTimestamp };
    output.line(JSON.stringify({ kind: 'ExecCredential', apiVersion: API_VERSION, status }));
  });
}

function checkVersion(execInfo: string | undefined): void {
  if (execInfo === undefined) return;
  const wanted = fieldsOf(execInfo)['apiVersion'];
  if (wanted === API_VERSION) return;
  throw new GatewayError('SP_UNSUPPORTED', {
    detail: `the kubeconfig must say apiVersion: ${API_VERSION}`,
  });
}

function readKept(text: string | undefined): Kept | undefined {
  const { subject, token, expiresAt } = text === undefined ? {} : fieldsOf(text);
  if (typeof subject !== 'string' || typeof token !== 'string') return undefined;
  return typeof expiresAt === 'number' ? { subject, token, expiresAt } : undefined;
}

/** The fields of a text of JSON; none when it is not an object. */
function fieldsOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
