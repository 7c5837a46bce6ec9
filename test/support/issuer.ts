/**
 * A real OpenID Connect issuer in this process, for tests and the demo: oidc-provider serves
 * discovery and the key set, and tokens are minted with the same keys by jose, as a CI vendor's
 * token service would. It is not for production: whoever can call {@link TestIssuer.mint} is
 * whoever they say.
 */
import { createServer, type RequestListener } from 'node:http';
import { randomUUID } from 'node:crypto';
import {
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  type JWK,
  type JWTHeaderParameters,
  SignJWT,
} from 'jose';
import { Provider } from 'oidc-provider';

/** How a minted token differs from an ordinary one. */
export interface MintOptions {
  /** Signing algorithm; the issuer has one key for each of RS256, ES256 and EdDSA. */
  readonly algorithm?: 'RS256' | 'ES256' | 'EdDSA';
  /** Seconds from now to `exp`; null leaves it out. Default 300. */
  readonly expiresInSeconds?: number | null;
  /** Header parameters to add or to override, for example `typ`. */
  readonly header?: Partial<JWTHeaderParameters>;
  /** Claims to leave out, for example `jti` or `iat`. */
  readonly omit?: readonly string[];
}

/** A running issuer. */
export interface TestIssuer {
  readonly url: string;
  /**
   * A signed token. Adds `iss`, `iat`, `exp` and a fresh `jti`; `claims` overrides each of them.
   */
  mint(claims: Readonly<Record<string, unknown>>, options?: MintOptions): Promise<string>;
  /** Replaces every key; what was minted before no longer verifies once caches have noticed. */
  rotateKeys(): Promise<void>;
  /** How often the key set was fetched, for tests of caching. */
  readonly keyFetches: number;
  stop(): Promise<void>;
}

interface SigningKey {
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
}

/** Discovery and keys need no state; anything that asks for some finds none. */
class NoState {
  async find(): Promise<undefined> {}
  async findByUid(): Promise<undefined> {}
  async findByUserCode(): Promise<undefined> {}
  async upsert(): Promise<void> {}
  async consume(): Promise<void> {}
  async destroy(): Promise<void> {}
  async revokeByGrantId(): Promise<void> {}
}

const algorithms = ['RS256', 'ES256', 'EdDSA'] as const;

async function makeKeys(generation: number): Promise<Map<string, SigningKey>> {
  const keys = new Map<string, SigningKey>();
  for (const algorithm of algorithms) {
    const { privateKey } = await generateKeyPair(algorithm, { extractable: true });
    const kid = `${algorithm.toLowerCase()}-${generation}`;
    const jwk = { ...(await exportJWK(privateKey)), kid, alg: algorithm, use: 'sig' };
    keys.set(algorithm, { kid, privateKey, jwk });
  }
  return keys;
}

function provider(url: string, keys: ReadonlyMap<string, SigningKey>): RequestListener {
  const instance = new Provider(url, {
    jwks: { keys: [...keys.values()].map((key) => key.jwk) },
    clients: [],
    adapter: NoState,
    features: { devInteractions: { enabled: false } },
    cookies: { keys: [randomUUID()] },
  });
  return instance.callback();
}

/** Starts an issuer on a free loopback port. */
export async function startIssuer(options: { readonly port?: number } = {}): Promise<TestIssuer> {
  let generation = 1;
  let keyFetches = 0;
  let handle: RequestListener = (_request, response) => response.writeHead(503).end();
  const server = createServer((request, response) => {
    if (request.url === '/jwks') keyFetches += 1;
    handle(request, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the issuer has no port');
  const url = `http://127.0.0.1:${address.port}`;
  let keys = await makeKeys(generation);
  handle = provider(url, keys);
  return {
    url,
    get keyFetches() {
      return keyFetches;
    },
    async mint(claims, mintOptions = {}) {
      const algorithm = mintOptions.algorithm ?? 'RS256';
      const key = keys.get(algorithm);
      if (key === undefined) throw new Error(`no key for ${algorithm}`);
      const now = Math.floor(Date.now() / 1000);
      const life = mintOptions.expiresInSeconds === undefined ? 300 : mintOptions.expiresInSeconds;
      const payload: Record<string, unknown> = {
        iss: url,
        iat: now,
        ...(life === null ? {} : { exp: now + life }),
        jti: randomUUID(),
        ...claims,
      };
      for (const name of mintOptions.omit ?? []) delete payload[name];
      const header = { alg: algorithm, kid: key.kid, typ: 'JWT', ...mintOptions.header };
      return await new SignJWT(payload).setProtectedHeader(header).sign(key.privateKey);
    },
    async rotateKeys() {
      generation += 1;
      keys = await makeKeys(generation);
      handle = provider(url, keys);
    },
    async stop() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
