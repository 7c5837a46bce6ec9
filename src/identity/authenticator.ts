/**
 * From what a client presents to who it is. One place for every protocol and for the API. A secret
 * is an opaque credential, a person's static credential, or a token of a trusted issuer.
 */
import type { Clock } from '#core/clock.ts';
import type { Identity } from '#core/identity.ts';
import { asEpochMs, asId, type CredentialId, type EpochMs } from '#core/ids.ts';
import type { CredentialScope } from '#core/ports/credentials.ts';
import type { SpentTokens } from '#core/ports/jti.ts';
import type { LoginAttempt, ScramKeys } from '#core/protocol.ts';
import type { Secret } from '#core/secret.ts';
import { GatewayError } from '#core/errors.ts';
import { loginFailed } from './claims.ts';
import type { PersonConfig } from './config.ts';
import { type Credentials, credentialIdOf, tokenHasHash } from './credentials.ts';
import type { SshCertificates } from './ssh-certificates.ts';
import type { TokenVerifier, VerifiedToken } from './tokens.ts';

/** How long a person who came with a static credential may stay. */
const PERSON_LIFE_MS = 12 * 60 * 60 * 1_000;

/** A proof that held. */
export interface Authenticated {
  readonly identity: Identity;
  /** What the credential is narrowed to; undefined for a token, which is narrowed to nothing. */
  readonly scope: CredentialScope | undefined;
  /** The opaque credential that was used, if one was. */
  readonly credential: CredentialId | undefined;
}

export interface AuthenticatorParts {
  readonly tokens: TokenVerifier;
  readonly credentials: Credentials;
  readonly spent: SpentTokens;
  readonly people: readonly PersonConfig[];
  readonly clock: Clock;
  /** What SSH certificates stand for; none is taken when absent. */
  readonly certificates?: Pick<SshCertificates, 'credentialOf'>;
}

export class Authenticator {
  readonly #parts: AuthenticatorParts;
  readonly #people: ReadonlyMap<CredentialId, PersonConfig>;
  /** People by the base64 of their public keys. */
  readonly #keys = new Map<string, PersonConfig>();

  constructor(parts: AuthenticatorParts) {
    this.#parts = parts;
    this.#people = new Map(parts.people.map((person) => [asId(person.credential.id), person]));
    for (const person of parts.people) {
      for (const line of person.sshKeys) {
        const key = line.split(' ')[1] ?? '';
        if (this.#keys.has(key)) {
          throw new GatewayError('SP_CONFIG', { detail: 'two people have one public key' });
        }
        this.#keys.set(key, person);
      }
    }
    const names = new Set(parts.people.map(({ name }) => name));
    if (names.size !== parts.people.length || this.#people.size !== parts.people.length) {
      throw new GatewayError('SP_CONFIG', { detail: 'two people have one name or credential' });
    }
  }

  /**
   * Checks a login at a target.
   *
   * @throws GatewayError `SP_LOGIN_FAILED` or `SP_EXPIRED`, with the reason in `facts.why`.
   */
  async authenticate(proof: LoginAttempt['proof']): Promise<Authenticated> {
    if (proof.kind === 'public-key') return this.#byKey(proof.key);
    if (proof.kind !== 'scram') return this.#bySecret(proof.secret, 'session');
    const id = normalId(proof.credential);
    if (id === undefined) throw loginFailed('no such credential');
    const record = await this.#parts.credentials.verified(id);
    return { identity: record.identity, scope: record.scope, credential: id };
  }

  /** Checks the bearer of an API call; many calls may come with one token. */
  authenticateBearer(secret: Secret): Promise<Authenticated> {
    return this.#bySecret(secret, 'api');
  }

  /** @see Door.scramKeys */
  scramKeys(credential: string): Promise<ScramKeys> {
    // An id of another form has keys too: nobody can satisfy them.
    return this.#parts.credentials.scramKeys(normalId(credential) ?? asId(credential));
  }

  /** @see Door.knowsKey */
  knowsKey(key: Uint8Array): boolean {
    return this.#keys.has(base64(key)) || this.#certified(key) !== undefined;
  }

  #certified(key: Uint8Array): CredentialId | undefined {
    return this.#parts.certificates?.credentialOf(key);
  }

  async #bySecret(secret: Secret, use: 'session' | 'api'): Promise<Authenticated> {
    const text = secret.reveal();
    const id = credentialIdOf(text);
    if (id === undefined) {
      const token = await this.#parts.tokens.verify(text);
      await this.#useToken(token, use);
      return { identity: token.identity, scope: undefined, credential: undefined };
    }
    const person = this.#people.get(id);
    if (person !== undefined) return this.#person(person, text);
    const record = await this.#parts.credentials.check(text);
    return { identity: record.identity, scope: record.scope, credential: id };
  }

  /**
   * A token may be presented until it is over, since tools open several connections with one
   * password; once exchanged it is spent. Where the issuer is `jti: once`, one session spends it.
   */
  async #useToken(token: VerifiedToken, use: 'session' | 'api'): Promise<void> {
    const { spent } = this.#parts;
    if (!token.once) {
      if (await spent.isSpent(token.issuer, token.spendKey)) throw loginFailed('a spent token');
      return;
    }
    if (use === 'api') throw loginFailed('tokens of this issuer must be exchanged first');
    if (!(await spent.spend(token.issuer, token.spendKey, token.spentUntil))) {
      throw loginFailed('a spent token');
    }
  }

  async #byKey(key: Uint8Array): Promise<Authenticated> {
    const credential = this.#certified(key);
    if (credential !== undefined) {
      const record = await this.#parts.credentials.verified(credential);
      return { identity: record.identity, scope: record.scope, credential };
    }
    const person = this.#keys.get(base64(key));
    if (person === undefined) throw loginFailed('no such public key');
    const expiresAt = asEpochMs(this.#parts.clock.now() + PERSON_LIFE_MS);
    return { identity: personIdentity(person, expiresAt), scope: undefined, credential: undefined };
  }

  #person(person: PersonConfig, token: string): Authenticated {
    if (!tokenHasHash(token, person.credential.sha256)) {
      throw loginFailed('wrong secret of a credential');
    }
    const expiresAt = asEpochMs(this.#parts.clock.now() + PERSON_LIFE_MS);
    return {
      identity: personIdentity(person, expiresAt),
      scope: undefined,
      credential: asId(person.credential.id),
    };
  }
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

/** Who a person of the configuration is. */
export const personIdentity = (person: PersonConfig, expiresAt: EpochMs): Identity => ({
  id: asId(`people/${person.name}`),
  kind: 'human',
  issuer: 'people',
  subject: person.name,
  displayName: person.displayName ?? person.name,
  groups: person.groups,
  roles: [...new Set(['member' as const, ...person.roles])],
  owner: undefined,
  onBehalfOf: undefined,
  claims: {},
  expiresAt,
});

/** An id as in the token, also from its form with dashes. */
function normalId(text: string): CredentialId | undefined {
  const plain = text.replaceAll('-', '').toLowerCase();
  return /^[0-9a-f]{32}$/.test(plain) ? asId(plain) : undefined;
}
