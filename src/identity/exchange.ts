/**
 * Trades a workload's token for an opaque credential: OAuth 2.0 Token Exchange (RFC 8693). The
 * credential lives minutes, never longer than the token or the grant, and can be narrowed to
 * targets and to one account with `audience` (`orders`, `readonly@orders`) or `resource`
 * (`sallyport://readonly@orders`), and to one purpose of the grants with `scope`
 * (`purpose:billing`). The token is spent by it. With `ssh_public_key` the answer has a certificate
 * of that key for the credential as well.
 */
import type { Clock } from '#core/clock.ts';
import type { EventLog } from '#core/events.ts';
import { asEpochMs, type EpochMs } from '#core/ids.ts';
import type { CredentialScope } from '#core/ports/credentials.ts';
import type { ExchangeAnswer, ExchangeRefusal } from '#core/ports/exchange.ts';
import type { SpentTokens } from '#core/ports/jti.ts';
import type { LockSubject } from '#core/ports/locks.ts';
import type { Target } from '#core/target.ts';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import type { Identity } from '#core/identity.ts';
import type { Credentials } from './credentials.ts';
import type { Grants } from './grants.ts';
import type { SshCertificates } from './ssh-certificates.ts';
import type { TokenVerifier, VerifiedToken } from './tokens.ts';

export const EXCHANGE_GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const subjectTypes: readonly string[] = [
  'urn:ietf:params:oauth:token-type:jwt',
  'urn:ietf:params:oauth:token-type:id_token',
];
const TARGETS_MAX = 50;
const SSH_KEY_CHARS_MAX = 4_096;

/** Carries a refusal out of the depths of this file. */
class Refused extends Error {
  readonly refusal: ExchangeRefusal;

  constructor(error: ExchangeRefusal['error'], description: string, why: string = description) {
    super(description);
    this.refusal = { error, description, why };
  }
}

export interface ExchangeParts {
  readonly tokens: TokenVerifier;
  readonly credentials: Credentials;
  readonly spent: SpentTokens;
  readonly grants: () => Grants;
  readonly target: (name: string) => Target | undefined;
  readonly locks: { check(subject: LockSubject): { readonly id: string } | undefined };
  readonly events: EventLog;
  readonly clock: Clock;
  /** Issues SSH certificates for credentials; none are issued when absent. */
  readonly certificates?: Pick<SshCertificates, 'issue' | 'isKey'>;
}

export class TokenExchange {
  readonly #parts: ExchangeParts;

  constructor(parts: ExchangeParts) {
    this.#parts = parts;
  }

  /**
   * @param form - the parameters of the request.
   * @throws GatewayError what went wrong here.
   */
  async exchange(form: URLSearchParams): Promise<ExchangeAnswer | ExchangeRefusal> {
    try {
      return await this.#exchange(form);
    } catch (thrown) {
      if (thrown instanceof Refused) return thrown.refusal;
      throw thrown;
    }
  }

  async #exchange(form: URLSearchParams): Promise<ExchangeAnswer> {
    const subject = readRequest(form);
    const token = await this.#verify(subject);
    const { identity } = token;
    const scope = readScope(form);
    const sshKey = this.#sshKey(form);
    const reach = this.#reach(identity, scope);
    const { spent, credentials, events, clock } = this.#parts;
    if (!(await spent.spend(token.issuer, token.spendKey, token.spentUntil))) {
      throw new Refused('invalid_request', 'the subject token is not valid', 'a spent token');
    }
    const { token: accessToken, record } = await credentials.issue({
      identity,
      scope,
      expiresAt: reach,
    });
    await events.commit({
      type: 'credential.issued',
      actor: identity.id,
      session: undefined,
      target: undefined,
      data: {
        credential: record.id,
        identity: identity.id,
        how: 'exchange',
        token: token.spendKey,
        targets: scope.targets,
        accounts: scope.accounts,
        purpose: scope.purpose ?? null,
        expiresAt: record.expiresAt,
      },
    });
    return {
      accessToken,
      issuedTokenType: ACCESS_TOKEN,
      tokenType: 'Bearer',
      expiresInSeconds: Math.floor((record.expiresAt - clock.now()) / 1_000),
      sshCertificate:
        sshKey === undefined ? undefined : this.#parts.certificates?.issue(sshKey, record),
    };
  }

  /** The public key to certify, checked before the token is spent for it. */
  #sshKey(form: URLSearchParams): string | undefined {
    const [key, ...more] = form.getAll('ssh_public_key');
    if (key === undefined) return undefined;
    if (more.length > 0) throw new Refused('invalid_request', 'ssh_public_key is there twice');
    if (key.length > SSH_KEY_CHARS_MAX || this.#parts.certificates?.isKey(key) !== true) {
      throw new Refused('invalid_request', 'ssh_public_key is not a public key');
    }
    return key;
  }

  async #verify(subject: string): Promise<VerifiedToken> {
    try {
      const token = await this.#parts.tokens.verify(subject);
      const { id, owner, onBehalfOf } = token.identity;
      const lock = this.#parts.locks.check({
        identity: id,
        owner,
        onBehalfOf,
        target: '',
        session: undefined,
      });
      if (lock !== undefined) throw new GatewayError('SP_LOCKED', { facts: { why: lock.id } });
      return token;
    } catch (thrown) {
      const { code, facts } = toGatewayError(thrown);
      if (code !== 'SP_LOGIN_FAILED' && code !== 'SP_EXPIRED' && code !== 'SP_LOCKED') throw thrown;
      const why = `${code}: ${String(facts['why'] ?? '')}`;
      throw new Refused('invalid_request', 'the subject token is not valid', why);
    }
  }

  /** Until when the credential can be good: each target that it names must be within reach. */
  #reach(identity: Identity, scope: CredentialScope): EpochMs {
    const { grants, target, clock } = this.#parts;
    let end: number = identity.expiresAt;
    for (const name of scope.targets) {
      const found = target(name);
      // Whoever names no account may use each; the last that ends bounds the credential.
      const accounts =
        scope.accounts.length > 0
          ? scope.accounts
          : (found?.accounts ?? []).map((each) => each.name);
      const ends = accounts.flatMap((account) => {
        const wish = { account, purpose: scope.purpose };
        const decision = found && grants().resolve(identity, found, wish, clock.now());
        return decision?.allowed === true ? [decision.expiresAt] : [];
      });
      if (ends.length === 0) {
        // An unknown target and one out of reach look alike.
        throw new Refused('invalid_target', `no grant reaches ${name}`);
      }
      end = Math.min(end, Math.max(...ends));
    }
    return asEpochMs(end);
  }
}

function readRequest(form: URLSearchParams): string {
  const single = (name: string): string | undefined => {
    const values = form.getAll(name);
    if (values.length > 1) throw new Refused('invalid_request', `${name} is there twice`);
    return values[0];
  };
  if (single('grant_type') !== EXCHANGE_GRANT) {
    throw new Refused('unsupported_grant_type', `grant_type must be ${EXCHANGE_GRANT}`);
  }
  const subject = single('subject_token');
  if (subject === undefined || subject === '') {
    throw new Refused('invalid_request', 'subject_token is missing');
  }
  if (!subjectTypes.includes(single('subject_token_type') ?? '')) {
    throw new Refused('invalid_request', `subject_token_type must be ${subjectTypes[0]}`);
  }
  const requested = single('requested_token_type');
  if (requested !== undefined && requested !== ACCESS_TOKEN) {
    throw new Refused('invalid_request', `requested_token_type must be ${ACCESS_TOKEN}`);
  }
  for (const name of ['actor_token', 'actor_token_type']) {
    if (form.has(name)) throw new Refused('invalid_request', `${name} is not supported`);
  }
  return subject;
}

/** `scope` names one purpose or is not there; a scope that is not understood is refused. */
function readPurpose(form: URLSearchParams): string | undefined {
  if (!form.has('scope')) return undefined;
  const purpose = /^purpose:([a-z0-9][a-z0-9_-]{0,62})$/.exec(form.getAll('scope').join(' '))?.[1];
  if (purpose === undefined) throw new Refused('invalid_request', 'scope must be purpose:<name>');
  return purpose;
}

/** Targets and account of `audience` and `resource`. A credential is for one account, or for any. */
function readScope(form: URLSearchParams): CredentialScope {
  const purpose = readPurpose(form);
  const targets = new Set<string>();
  const accounts = new Set<string>();
  const wishes = [...form.getAll('audience'), ...form.getAll('resource').map(fromResource)];
  if (wishes.length > TARGETS_MAX) {
    throw new Refused('invalid_target', `at most ${TARGETS_MAX} targets`);
  }
  for (const wish of wishes) {
    const at = wish.lastIndexOf('@');
    targets.add(wish.slice(at + 1));
    accounts.add(wish.slice(0, Math.max(at, 0)));
  }
  // Two accounts would give each of them at each target: more than was asked for.
  if (accounts.size > 1) throw new Refused('invalid_target', 'one account for all targets');
  accounts.delete('');
  const narrowed = { targets: [...targets], accounts: [...accounts] };
  return purpose === undefined ? narrowed : { ...narrowed, purpose };
}

function fromResource(resource: string): string {
  const match = /^sallyport:\/\/([^/?#]+)\/?$/.exec(resource);
  if (match === null) {
    throw new Refused('invalid_target', 'resource must be sallyport://[account@]target');
  }
  return match[1] ?? '';
}
