/**
 * Turns references to secrets into secrets. A configuration never holds a value, only where it is:
 * `env:NAME` or `file:/path`. Vaults register a source of their own; a scheme without one is
 * refused when the configuration is loaded, not when the first session needs it.
 */
import { GatewayError } from '#core/errors.ts';
import type { Secret } from '#core/secret.ts';

/** Where one scheme's secrets come from. */
export interface SecretSource {
  /** Why the rest of a reference cannot be one; undefined when it can. */
  check(rest: string): string | undefined;
  /** The value now. Errors name the reference, never the value. */
  read(rest: string): Promise<Secret>;
}

/** Schemes that are understood and not built in, so that the refusal says so. */
const later: ReadonlySet<string> = new Set([
  'vault',
  'aws-sm',
  'gcp-sm',
  'azure-kv',
  'k8s',
  'exec',
]);

export class SecretResolver {
  readonly #sources: ReadonlyMap<string, SecretSource>;

  /** Sources by scheme: those of `sources.ts`, and any that the deployment adds. */
  constructor(sources: ReadonlyMap<string, SecretSource>) {
    this.#sources = sources;
  }

  /** Throws `SP_CONFIG` when the reference could never be resolved. To be called at load. */
  check(reference: string): void {
    const { source, rest } = this.#split(reference);
    const problem = source.check(rest);
    if (problem !== undefined) throw new GatewayError('SP_CONFIG', { detail: problem });
  }

  /** The secret behind a reference, as it is now. Do not keep it longer than it is needed. */
  async resolve(reference: string): Promise<Secret> {
    const { source, rest } = this.#split(reference);
    const problem = source.check(rest);
    if (problem !== undefined) throw new GatewayError('SP_CONFIG', { detail: problem });
    try {
      return await source.read(rest);
    } catch (cause) {
      if (cause instanceof GatewayError) throw cause;
      throw new GatewayError('SP_CONFIG', { detail: `no secret at ${reference}`, cause });
    }
  }

  #split(reference: string): { readonly source: SecretSource; readonly rest: string } {
    const colon = reference.indexOf(':');
    const scheme = reference.slice(0, Math.max(colon, 0));
    const source = this.#sources.get(scheme);
    if (source !== undefined) return { source, rest: reference.slice(colon + 1) };
    // What has no scheme may be a secret that somebody wrote here: it is not repeated.
    const detail = later.has(scheme)
      ? `secrets by ${scheme}: are not built in`
      : 'a secret must be a reference: env:NAME or file:/path';
    throw new GatewayError('SP_CONFIG', { detail });
  }
}
