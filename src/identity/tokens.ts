/**
 * Verifies tokens of the configured issuers. Order: size and shape, issuer by exact `iss`, then
 * signature, algorithm, type, audience, times and conditions. The identity that comes out is over
 * when the token is, or when the token is older than the issuer's `maxAge`.
 */
import { createHash } from 'node:crypto';
import { decodeJwt, errors, type JWTHeaderParameters, type JWTPayload, jwtVerify } from 'jose';
import type { Clock } from '#core/clock.ts';
import { GatewayError } from '#core/errors.ts';
import type { Identity } from '#core/identity.ts';
import { asEpochMs, type EpochMs } from '#core/ids.ts';
import { type CompiledCondition, compileCondition, loginFailed, mapIdentity } from './claims.ts';
import type { IssuerConfig } from './config.ts';
import { defaultKeyTimes, type Fetch, IssuerKeys, type KeyTimes } from './keys.ts';

const TOKEN_BYTES_MAX = 16 * 1024;
const compact = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
/** Media types of `typ` (RFC 7519 5.1, RFC 9068, JWT-SVID); a logout or a DPoP token is no login. */
const types: ReadonlySet<string> = new Set(['jwt', 'at+jwt', 'jose']);

/** A token that held. */
export interface VerifiedToken {
  readonly identity: Identity;
  readonly issuer: string;
  /** What stands for the token where it is spent: its `jti`, or a digest of what was signed. */
  readonly spendKey: string;
  /** When it can be forgotten that the token was spent. */
  readonly spentUntil: EpochMs;
  /** Whether even one direct use spends it. */
  readonly once: boolean;
}

interface Trusted {
  readonly config: IssuerConfig;
  readonly keys: IssuerKeys;
  readonly conditions: readonly CompiledCondition[];
}

export interface TokenVerifierParts {
  readonly issuers: readonly IssuerConfig[];
  readonly clock: Clock;
  readonly fetch: Fetch;
  readonly times?: KeyTimes;
}

export class TokenVerifier {
  readonly #byUrl = new Map<string, Trusted>();
  readonly #byTrustDomain = new Map<string, Trusted>();
  readonly #clock: Clock;

  constructor({ issuers, clock, fetch, times = defaultKeyTimes }: TokenVerifierParts) {
    this.#clock = clock;
    const names = new Set(issuers.map(({ name }) => name));
    const urls = new Set(issuers.map(({ url }) => url));
    if (names.size !== issuers.length || urls.size !== issuers.length) {
      throw new GatewayError('SP_CONFIG', { detail: 'two issuers have one name or url' });
    }
    for (const config of issuers) {
      const trusted: Trusted = {
        config,
        keys: new IssuerKeys(config, { fetch, clock, times }),
        conditions: config.require.map(compileCondition),
      };
      this.#byUrl.set(config.url, trusted);
      if (config.trustDomain !== undefined) this.#byTrustDomain.set(config.trustDomain, trusted);
    }
  }

  /** Whether a secret has the form of a token, so that it is worth verifying. */
  static looksLikeToken(secret: string): boolean {
    return secret.length <= TOKEN_BYTES_MAX && compact.test(secret);
  }

  /**
   * @throws GatewayError `SP_LOGIN_FAILED`; `SP_EXPIRED` for a token that was good once. The
   * reason is in `facts.why`.
   */
  async verify(token: string): Promise<VerifiedToken> {
    if (!TokenVerifier.looksLikeToken(token)) throw loginFailed('not a token');
    const trusted = this.#issuerOf(token);
    const payload = await this.#checkSignature(token, trusted);
    const { config } = trusted;
    checkAudience(payload, config);
    checkTrustDomain(payload, config);
    trusted.conditions.forEach((holds, index) => {
      const name = config.require[index]?.claim.join('.') ?? '';
      if (!holds(payload)) throw loginFailed(`the claim ${name} is not as ${config.name} requires`);
    });
    const { expiresAt, deadAt } = this.#lifeOf(payload, config);
    const { jti } = payload;
    if (jti === undefined && config.jti !== 'optional') throw loginFailed('the token has no jti');
    return {
      identity: mapIdentity(payload, config, expiresAt),
      issuer: config.name,
      spendKey: spendKey(token, jti),
      spentUntil: asEpochMs(deadAt + config.clockSkew + 60_000),
      once: config.jti === 'once',
    };
  }

  /** The issuer that the token claims to be of. Nothing is believed yet. */
  #issuerOf(token: string): Trusted {
    let claims: JWTPayload;
    try {
      claims = decodeJwt(token);
    } catch (cause) {
      throw loginFailed('not a token', cause);
    }
    const { iss, sub } = claims;
    const domain = iss === undefined ? spiffeDomain(sub) : undefined;
    const trusted =
      iss === undefined ? this.#byTrustDomain.get(domain ?? '') : this.#byUrl.get(iss);
    if (trusted === undefined) throw loginFailed('no such issuer');
    return trusted;
  }

  async #checkSignature(token: string, { config, keys }: Trusted): Promise<JWTPayload> {
    const lookup = await keys.lookup();
    try {
      const { payload, protectedHeader } = await jwtVerify(token, lookup, {
        algorithms: [...config.algorithms],
        audience: [...config.audience],
        // A token without `iss` was routed here by its trust domain, which is checked below.
        ...(config.trustDomain === undefined ? { issuer: config.url } : {}),
        clockTolerance: config.clockSkew / 1_000,
        currentDate: new Date(this.#clock.now()),
        requiredClaims: ['exp'],
      });
      checkType(protectedHeader);
      return payload;
    } catch (thrown) {
      throw refusal(thrown);
    }
  }

  /** When an identity made now is over, and when nobody would take the token any more. */
  #lifeOf(
    { exp = 0, iat }: JWTPayload,
    { trustDomain, clockSkew, maxAge }: IssuerConfig,
  ): { readonly expiresAt: EpochMs; readonly deadAt: number } {
    const now = this.#clock.now();
    // A JWT-SVID may have no `iat`; everything else says when it was made.
    if (iat === undefined && trustDomain === undefined) throw loginFailed('the token has no iat');
    const madeAt = iat === undefined ? now : iat * 1_000;
    if (madeAt > now + clockSkew) throw loginFailed('the token is from the future');
    const end = Math.min(exp * 1_000, madeAt + maxAge);
    if (end + clockSkew <= now) {
      throw new GatewayError('SP_EXPIRED', { facts: { why: 'the token is too old' } });
    }
    return {
      // Within the skew a token that has just ended is good for a moment, and no longer.
      expiresAt: asEpochMs(Math.max(end, now + 1_000)),
      deadAt: iat === undefined ? exp * 1_000 : end,
    };
  }
}

/**
 * Every audience must be ours: a token that is also for somebody else could be sent on by them.
 * (jose has checked that one of them is.)
 */
function checkAudience({ aud }: JWTPayload, config: IssuerConfig): void {
  const given = aud === undefined ? [] : typeof aud === 'string' ? [aud] : aud;
  const ours = given.length > 0 && given.every((one) => config.audience.includes(one));
  if (!ours) throw loginFailed('the token is for another audience too');
}

function checkTrustDomain({ iss, sub }: JWTPayload, config: IssuerConfig): void {
  if (config.trustDomain === undefined) return;
  if (iss !== undefined && iss !== config.url) throw loginFailed('another issuer');
  if (spiffeDomain(sub) !== config.trustDomain) throw loginFailed('another trust domain');
}

/** The trust domain of `spiffe://domain/path`. */
function spiffeDomain(subject: string | undefined): string | undefined {
  return /^spiffe:\/\/([a-z0-9._-]{1,255})\/[^\s]+$/.exec(subject ?? '')?.[1];
}

function checkType({ typ }: JWTHeaderParameters): void {
  if (typ === undefined) return;
  const type = typ.toLowerCase().replace(/^application\//, '');
  if (!types.has(type)) throw loginFailed('a token of another type');
}

function refusal(thrown: unknown): GatewayError {
  if (thrown instanceof GatewayError) return thrown;
  if (thrown instanceof errors.JWTExpired) {
    return new GatewayError('SP_EXPIRED', { facts: { why: 'the token has expired' } });
  }
  if (thrown instanceof errors.JWTClaimValidationFailed) {
    return loginFailed(`the claim ${thrown.claim} is not good: ${thrown.reason}`, thrown);
  }
  return loginFailed(thrown instanceof errors.JOSEError ? thrown.code : 'not verified', thrown);
}

/** Without a `jti`, what was signed stands for the token; its signature could be varied. */
function spendKey(token: string, jti: string | undefined): string {
  if (jti !== undefined && jti.length <= 256) return `jti:${jti}`;
  const signed = jti ?? token.slice(0, token.lastIndexOf('.'));
  return `sha256:${createHash('sha256').update(signed).digest('hex')}`;
}
