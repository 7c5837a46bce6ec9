/**
 * Branded identifiers. A brand costs nothing at run time and stops a session id from being passed
 * where a command id is meant. Ids are UUIDv7, so that they sort by the time of their making.
 */
declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

export type SessionId = Branded<'session'>;
export type CommandId = Branded<'command'>;
export type DecisionId = Branded<'decision'>;
export type HoldId = Branded<'hold'>;
export type ApprovalId = Branded<'approval'>;
export type CredentialId = Branded<'credential'>;
export type LockId = Branded<'lock'>;
/** `<issuer name>/<subject>`: the stable key of an identity, never an e-mail address. */
export type IdentityId = Branded<'identity'>;
/** Hex SHA-256 over a policy's canonical source. */
export type PolicyVersion = Branded<'policy'>;

/** Milliseconds since 1970-01-01T00:00:00Z. */
export type EpochMs = number & { readonly [brand]: 'epoch-ms' };

/** The one place where a plain string becomes an id; the caller vouches for its origin. */
export const asId = <T extends Branded<string>>(value: string): T => value as T;

export const asEpochMs = (value: number): EpochMs => value as EpochMs;

/**
 * Makes a UUIDv7 (RFC 9562 section 5.7).
 *
 * @param now - milliseconds since the epoch; fills the first 48 bits.
 * @param random - at least 10 random bytes; the version and variant bits are overwritten in a copy.
 */
export function uuidv7(now: EpochMs, random: Uint8Array): string {
  const bytes = new Uint8Array(16);
  let rest = Math.floor(now);
  for (let index = 5; index >= 0; index -= 1) {
    bytes[index] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  bytes.set(random.subarray(0, 10), 6);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  let text = '';
  for (let index = 0; index < 16; index += 1) {
    if (index === 4 || index === 6 || index === 8 || index === 10) text += '-';
    text += (bytes[index] ?? 0).toString(16).padStart(2, '0');
  }
  return text;
}
