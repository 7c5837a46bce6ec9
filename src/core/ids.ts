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

/** By byte, its two digits. */
const hex: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).padStart(2, '0'),
);

/**
 * Makes a UUIDv7 (RFC 9562 section 5.7).
 *
 * @param now - milliseconds since the epoch; fills the first 48 bits.
 * @param random - at least 10 random bytes; version and variant stand for six of their bits.
 */
export function uuidv7(now: EpochMs, random: Uint8Array): string {
  const whole = Math.floor(now);
  const low = whole % 0x1_0000_0000;
  const high = (whole - low) / 0x1_0000_0000;
  const of = (byte: number): string => hex[byte & 0xff] ?? '';
  const at = (index: number): string => of(random[index] ?? 0);
  const time = `${of(high >>> 8)}${of(high)}${of(low >>> 24)}${of(low >>> 16)}`;
  const version = of(((random[0] ?? 0) & 0x0f) | 0x70);
  const variant = of(((random[2] ?? 0) & 0x3f) | 0x80);
  const tail = `${at(4)}${at(5)}${at(6)}${at(7)}${at(8)}${at(9)}`;
  return `${time}-${of(low >>> 8)}${of(low)}-${version}${at(1)}-${variant}${at(3)}-${tail}`;
}
