/**
 * The public keys of one issuer: found by discovery at its pinned URL, or where the configuration
 * says, fetched with bounds and cached by jose, which fetches again (not more often than the
 * cooldown) when a token names a key that it does not have.
 */
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  type JSONWebKeySet,
  type JWK,
  type JWTVerifyGetKey,
} from 'jose';
import type { Clock } from '#core/clock.ts';
import { loginFailed } from './claims.ts';
import type { IssuerConfig } from './config.ts';

/** Fetches over the network; injected, so that tests can watch and break it. */
export type Fetch = (url: string, options: RequestInit) => Promise<Response>;

/** How keys are fetched. */
export interface KeyTimes {
  readonly timeoutMs: number;
  /** Between two fetches for a key that is not there. */
  readonly cooldownMs: number;
  /** How long keys are used without asking again. */
  readonly cacheMs: number;
}

export const defaultKeyTimes: KeyTimes = {
  timeoutMs: 5_000,
  cooldownMs: 30_000,
  cacheMs: 600_000,
};

/** A discovery document or key set. */
const DOCUMENT_BYTES_MAX = 512 * 1024;
const KEYS_MAX = 100;

export interface IssuerKeysParts {
  readonly fetch: Fetch;
  readonly clock: Clock;
  readonly times: KeyTimes;
}

/** Finds the keys of an issuer when they are first asked for. */
export class IssuerKeys {
  readonly #issuer: IssuerConfig;
  readonly #parts: IssuerKeysParts;
  #source: Promise<JWTVerifyGetKey> | undefined;
  #failedAtMs: number | undefined;

  constructor(issuer: IssuerConfig, parts: IssuerKeysParts) {
    this.#issuer = issuer;
    this.#parts = parts;
  }

  /** The lookup for {@link jwtVerify}. Fails when discovery does. */
  async lookup(): Promise<JWTVerifyGetKey> {
    this.#source ??= this.#find();
    try {
      return await this.#source;
    } catch (thrown) {
      this.#source = undefined;
      throw loginFailed('the keys of the issuer are not available', thrown);
    }
  }

  async #find(): Promise<JWTVerifyGetKey> {
    const { jwks } = this.#issuer;
    if (jwks !== undefined && 'keys' in jwks) {
      return createLocalJWKSet(usable({ keys: jwks.keys }));
    }
    return this.#remote(jwks?.uri ?? (await this.#discover()));
  }

  #remote(uri: string): JWTVerifyGetKey {
    const { times } = this.#parts;
    return createRemoteJWKSet(new URL(uri), {
      timeoutDuration: times.timeoutMs,
      cooldownDuration: times.cooldownMs,
      cacheMaxAge: times.cacheMs,
      [customFetch]: async (url, options) => {
        const document = await this.#get(url, options.signal);
        return Response.json(usable(document));
      },
    });
  }

  /** OpenID Connect Discovery 1.0, section 4: the document must name the issuer that was asked. */
  async #discover(): Promise<string> {
    const { url } = this.#issuer;
    const base = url.endsWith('/') ? url.slice(0, -1) : url;
    const signal = AbortSignal.timeout(this.#parts.times.timeoutMs);
    const document = await this.#get(`${base}/.well-known/openid-configuration`, signal);
    const { issuer, jwks_uri: uri } = document;
    if (issuer !== url) throw new Error('the discovery document is of another issuer');
    if (typeof uri !== 'string') throw new Error('the discovery document names no keys');
    // A document fetched by https must not send us to plain text.
    if (new URL(uri).protocol !== 'https:' && new URL(uri).origin !== new URL(url).origin) {
      throw new Error('the discovery document names keys that do not travel by https');
    }
    return uri;
  }

  async #get(url: string, signal: AbortSignal): Promise<Readonly<Record<string, unknown>>> {
    const { clock, times, fetch } = this.#parts;
    // An issuer that is down is not asked again for each stranger who knocks.
    const since = clock.monotonicMs() - (this.#failedAtMs ?? Number.NEGATIVE_INFINITY);
    if (since < times.timeoutMs) throw new Error(`${url} did not answer a moment ago`);
    try {
      const headers = { accept: 'application/json' };
      // A redirect could lead anywhere, so none is followed.
      const response = await fetch(url, { headers, redirect: 'error', signal });
      if (response.status !== 200) throw new Error(`${url} answered ${response.status}`);
      const value: unknown = JSON.parse(await boundedText(response));
      if (typeof value !== 'object' || value === null) throw new Error(`${url} is not an object`);
      this.#failedAtMs = undefined;
      return { ...value };
    } catch (thrown) {
      this.#failedAtMs = clock.monotonicMs();
      throw thrown;
    }
  }
}

async function boundedText(response: Response): Promise<string> {
  if (response.body === null) return '';
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let text = '';
  let bytes = 0;
  for await (const chunk of response.body) {
    bytes += chunk.length;
    if (bytes > DOCUMENT_BYTES_MAX) throw new Error('the document is too large');
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/**
 * The keys of a set that may verify signatures. SPIFFE bundles mark theirs `jwt-svid`, a use that
 * jose does not take; keys for X.509, for encryption and shared secrets are left out.
 */
function usable(document: Readonly<Record<string, unknown>>): JSONWebKeySet {
  const given: readonly unknown[] = Array.isArray(document['keys']) ? document['keys'] : [];
  const keys: JWK[] = [];
  for (const key of given.slice(0, KEYS_MAX)) {
    if (typeof key !== 'object' || key === null || !('kty' in key)) continue;
    const { kty } = key;
    if (kty !== 'RSA' && kty !== 'EC' && kty !== 'OKP') continue;
    const use = 'use' in key ? key.use : undefined;
    if (use !== undefined && use !== 'sig' && use !== 'jwt-svid') continue;
    keys.push({ ...key, kty, use: 'sig' });
  }
  return { keys };
}
