/**
 * Issues and checks opaque credentials, `sp_<id>_<secret>`. The secret has 256 random bits and is
 * never kept: only the SHA-256 of the whole token, and SCRAM keys that follow from it, so that a
 * client can log in by SCRAM with a password that the gateway does not know any more.
 */
import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import type { Clock } from '#core/clock.ts';
import { GatewayError } from '#core/errors.ts';
import type { Identity } from '#core/identity.ts';
import { asEpochMs, asId, type CredentialId, type EpochMs } from '#core/ids.ts';
import type {
  CredentialRecord,
  CredentialScope,
  CredentialStore,
} from '#core/ports/credentials.ts';
import type { ScramKeys } from '#core/protocol.ts';
import { newId, type Random } from '#core/random.ts';
import { Secret } from '#core/secret.ts';
import { loginFailed } from './claims.ts';

const derive = promisify(pbkdf2);

/** RFC 7677 section 4. The secret is random, so more rounds would only cost time. */
const SCRAM_ITERATIONS = 4_096;
const SALT_BYTES = 16;
const KEY_BYTES = 32;
const shape = /^sp_([0-9a-f]{32})_[A-Za-z0-9_-]{43}$/;

/** A new credential: the one time that its token can be seen. */
export interface IssuedCredential {
  readonly token: Secret;
  readonly record: CredentialRecord;
}

/** What a new credential is to be. */
export interface CredentialOrder {
  readonly identity: Identity;
  readonly scope: CredentialScope;
  /** It lives no longer than this, nor than the gateway's own bound. */
  readonly expiresAt: EpochMs;
}

export interface CredentialsParts {
  readonly store: CredentialStore;
  readonly clock: Clock;
  readonly random: Random;
  /** The longest life of a credential. */
  readonly lifeMsMax: number;
}

/** The id inside a token; undefined when it has not the form of one. */
export function credentialIdOf(token: string): CredentialId | undefined {
  const id = shape.exec(token)?.[1];
  return id === undefined ? undefined : asId(id);
}

/** Hex SHA-256 of a token, as it is kept. */
export const hashOfToken = (token: string): string =>
  createHash('sha256').update(token).digest('hex');

/** Whether a token has this hash; takes the same time whatever they are. */
export function tokenHasHash(token: string, hash: string): boolean {
  const given = createHash('sha256').update(token).digest();
  const kept = Buffer.from(hash, 'hex');
  return kept.length === given.length && timingSafeEqual(given, kept);
}

/** A new random token. */
export function newToken(now: EpochMs, random: Random): { id: CredentialId; token: string } {
  const id = newId<CredentialId>(now, random).replaceAll('-', '');
  const secret = Buffer.from(random.bytes(KEY_BYTES)).toString('base64url');
  return { id: asId(id), token: `sp_${id}_${secret}` };
}

export class Credentials {
  readonly #parts: CredentialsParts;

  constructor(parts: CredentialsParts) {
    this.#parts = parts;
  }

  async issue(order: CredentialOrder): Promise<IssuedCredential> {
    const { clock, random, store, lifeMsMax } = this.#parts;
    const now = clock.now();
    const expiresAt = asEpochMs(Math.min(order.expiresAt, now + lifeMsMax));
    const { id, token } = newToken(now, random);
    const record: CredentialRecord = {
      id,
      hash: hashOfToken(token),
      identity: { ...order.identity, expiresAt },
      scope: order.scope,
      scram: await scramKeysOf(token, saltOf(id)),
      issuedAt: now,
      expiresAt,
      revokedAt: undefined,
    };
    await store.add(record);
    return { token: new Secret(token, expiresAt), record };
  }

  /**
   * @throws GatewayError `SP_LOGIN_FAILED`; `SP_EXPIRED` for one that was good once. To guess ids
   * gains nothing: without the secret every answer is the same.
   */
  async check(token: string): Promise<CredentialRecord> {
    const id = credentialIdOf(token);
    const record = id === undefined ? undefined : await this.#parts.store.find(id);
    if (record === undefined) throw loginFailed('no such credential');
    if (!tokenHasHash(token, record.hash)) throw loginFailed('wrong secret of a credential');
    return this.#stillGood(record);
  }

  /** The record behind a SCRAM exchange that was verified with {@link scramKeys}. */
  async verified(id: CredentialId): Promise<CredentialRecord> {
    const record = await this.#parts.store.find(id);
    if (record === undefined) throw loginFailed('no such credential');
    return this.#stillGood(record);
  }

  /** Keys that nobody can satisfy for an id that does not exist; they look like all others. */
  async scramKeys(id: CredentialId): Promise<ScramKeys> {
    const { store, random } = this.#parts;
    const record = await store.find(id);
    const key = (text: string | undefined): Uint8Array =>
      text === undefined ? random.bytes(KEY_BYTES) : Buffer.from(text, 'base64');
    return {
      salt: saltOf(id),
      iterations: SCRAM_ITERATIONS,
      storedKey: key(record?.scram.storedKey),
      serverKey: key(record?.scram.serverKey),
    };
  }

  #stillGood(record: CredentialRecord): CredentialRecord {
    if (record.revokedAt !== undefined) throw loginFailed('the credential is revoked');
    if (this.#parts.clock.now() >= record.expiresAt) {
      throw new GatewayError('SP_EXPIRED', { facts: { why: 'the credential has expired' } });
    }
    return record;
  }
}

/** Follows from the id alone, so that an unknown id has a salt too, and always the same. */
function saltOf(id: CredentialId): Uint8Array {
  const digest = createHash('sha256').update('sallyport-scram-salt-v1\0').update(id).digest();
  return digest.subarray(0, SALT_BYTES);
}

/** RFC 5802 section 3. A token is ASCII, so that SASLprep leaves it as it is. */
async function scramKeysOf(token: string, salt: Uint8Array): Promise<CredentialRecord['scram']> {
  const salted = await derive(token, salt, SCRAM_ITERATIONS, KEY_BYTES, 'sha256');
  const hmac = (text: string): Buffer => createHmac('sha256', salted).update(text).digest();
  return {
    storedKey: createHash('sha256').update(hmac('Client Key')).digest('base64'),
    serverKey: hmac('Server Key').toString('base64'),
  };
}
