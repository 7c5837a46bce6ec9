/**
 * SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677), both sides, as PostgreSQL uses them:
 * the user name is empty or ignored, there is no authorization identity, and the only channel
 * binding is `tls-server-end-point`.
 *
 * Pure but for the hashes. Everything that the other side sent is parsed strictly; a server is as
 * likely to be hostile as a client.
 */
import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto';
import { GatewayError } from '#core/errors.ts';
import type { ScramKeys } from '#core/protocol.ts';
import { preparePassword } from './saslprep.ts';

export const scramPlain = 'SCRAM-SHA-256';
export const scramPlus = 'SCRAM-SHA-256-PLUS';

/** PostgreSQL's default, and the least that RFC 7677 allows. */
const iterationsMin = 4096;
/** Above it a server makes us burn CPU. */
const iterationsMax = 1_000_000;
const saltBytesMax = 1024;
const messageBytesMax = 4096;
const keyBytes = 32;

/** What a client needs to prove a password and to check the server's answer. */
export interface ScramClientKeys {
  readonly clientKey: Uint8Array;
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

/** Messages are held as one letter a byte, so that a user name in any encoding is signed as sent. */
const hmac = (key: Uint8Array, text: string): Buffer =>
  createHmac('sha256', key).update(text, 'latin1').digest();
const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/** Derives the keys of a password on the thread pool: milliseconds of CPU. */
export async function deriveScramKeys(
  password: string,
  salt: Uint8Array,
  iterations: number,
): Promise<ScramClientKeys> {
  const salted = await new Promise<Uint8Array>((resolve, reject) => {
    pbkdf2(preparePassword(password), salt, iterations, keyBytes, 'sha256', (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
  const clientKey = hmac(salted, 'Client Key');
  return { clientKey, storedKey: sha256(clientKey), serverKey: hmac(salted, 'Server Key') };
}

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
/** RFC 5802 `printable`: visible ASCII but the comma. */
const printable = /^[\x21-\x2b\x2d-\x7e]+$/;

function decodeBase64(text: string): Buffer | undefined {
  if (text === '' || !base64.test(text)) return undefined;
  const bytes = Buffer.from(text, 'base64');
  // Two spellings of the same bytes must not both pass.
  return bytes.toString('base64') === text ? bytes : undefined;
}

const broken = (detail: string): GatewayError =>
  new GatewayError('SP_FRAME_MALFORMED', { detail: `SCRAM: ${detail}` });

/** The value of an attribute that must stand here. */
function attribute(part: string | undefined, name: string): string {
  if (part === undefined || !part.startsWith(`${name}=`)) throw broken(`${name}= is missing`);
  return part.slice(2);
}

function textOf(bytes: Uint8Array): string {
  if (bytes.length > messageBytesMax) throw broken('a message is too long');
  if (bytes.some((byte) => byte < 0x20 || byte === 0x7f)) throw broken('a control character');
  return Buffer.from(bytes).toString('latin1');
}

/** The server's side of one exchange: `first`, then `final`, each once. */
export class ScramServer {
  readonly #mechanism: string;
  readonly #endPoint: Uint8Array | undefined;
  readonly #serverNonce: string;
  #keys: ScramKeys | undefined;
  #header = '';
  #clientFirstBare = '';
  #serverFirst = '';
  #nonce = '';

  /**
   * @param endPoint - channel binding data of this connection, when `-PLUS` was offered.
   * @param nonce - 18 or more fresh random bytes.
   */
  constructor(mechanism: string, endPoint: Uint8Array | undefined, nonce: Uint8Array) {
    this.#mechanism = mechanism;
    this.#endPoint = endPoint;
    this.#serverNonce = Buffer.from(nonce).toString('base64');
  }

  /** Takes client-first, gives server-first. */
  first(message: Uint8Array, keys: ScramKeys): Uint8Array {
    const text = textOf(message);
    const match = /^(n|y|p=[A-Za-z0-9.-]+),([^,]*),(.*)$/s.exec(text);
    if (match === null) throw broken('client-first is malformed');
    const [, flag = '', authzid = '', bare = ''] = match;
    this.#checkBinding(flag);
    if (authzid !== '') throw broken('an authorization identity is not supported');
    const [name, nonce] = bare.split(',');
    if (name?.startsWith('m=') === true) throw broken('an extension is mandatory');
    // PostgreSQL's clients leave it empty; the name of the start-up message is the one that counts.
    attribute(name, 'n');
    const clientNonce = attribute(nonce, 'r');
    if (!printable.test(clientNonce)) throw broken('the nonce is not printable');
    this.#keys = keys;
    this.#header = `${flag},,`;
    this.#clientFirstBare = bare;
    this.#nonce = clientNonce + this.#serverNonce;
    const salt = Buffer.from(keys.salt).toString('base64');
    this.#serverFirst = `r=${this.#nonce},s=${salt},i=${keys.iterations}`;
    return Buffer.from(this.#serverFirst);
  }

  /**
   * Takes client-final.
   *
   * @returns server-final when the client has proved itself, undefined when it has not.
   */
  final(message: Uint8Array): Uint8Array | undefined {
    const keys = this.#keys;
    const text = textOf(message);
    const proofAt = text.lastIndexOf(',p=');
    if (keys === undefined || proofAt < 0) throw broken('client-final is malformed');
    const withoutProof = text.slice(0, proofAt);
    const [binding, nonce] = withoutProof.split(',');
    const proof = decodeBase64(text.slice(proofAt + 3));
    if (proof?.length !== keyBytes) throw broken('the proof is malformed');
    const bound = decodeBase64(attribute(binding, 'c'));
    const expected = Buffer.concat([Buffer.from(this.#header), this.#bindingData()]);
    if (bound === undefined || !equal(bound, expected))
      throw broken('channel binding check failed');
    if (attribute(nonce, 'r') !== this.#nonce) throw broken('the nonce is another one');
    const authMessage = `${this.#clientFirstBare},${this.#serverFirst},${withoutProof}`;
    const signature = hmac(keys.storedKey, authMessage);
    const clientKey = xor(proof, signature);
    this.#keys = undefined;
    if (!equal(sha256(clientKey), keys.storedKey)) return undefined;
    return Buffer.from(`v=${hmac(keys.serverKey, authMessage).toString('base64')}`);
  }

  #checkBinding(flag: string): void {
    const isPlus = this.#mechanism === scramPlus;
    if (isPlus !== flag.startsWith('p')) throw broken('mechanism and channel binding disagree');
    if (flag.startsWith('p') && flag !== 'p=tls-server-end-point') {
      throw broken('unsupported channel binding type');
    }
    // The client can bind and believes that we cannot: somebody took -PLUS out of our offer.
    if (flag === 'y' && this.#endPoint !== undefined) throw broken('channel binding was offered');
  }

  #bindingData(): Uint8Array {
    return this.#mechanism === scramPlus
      ? (this.#endPoint ?? new Uint8Array(0))
      : new Uint8Array(0);
  }
}

/** What server-first asks for. */
export interface ScramChallenge {
  readonly salt: Uint8Array;
  readonly iterations: number;
}

/** The client's side of one exchange: `first`, `challenge`, `final`, `check`. */
export class ScramClient {
  readonly mechanism: string;
  readonly #header: string;
  readonly #endPoint: Uint8Array;
  readonly #nonce: string;
  #serverFirst = '';
  #serverNonce = '';
  #serverSignature: Buffer | undefined;

  /**
   * @param endPoint - channel binding data of this connection; undefined without TLS.
   * @param nonce - 18 or more fresh random bytes.
   */
  constructor(mechanism: string, endPoint: Uint8Array | undefined, nonce: Uint8Array) {
    this.mechanism = mechanism;
    const isPlus = mechanism === scramPlus;
    this.#endPoint = isPlus ? (endPoint ?? new Uint8Array(0)) : new Uint8Array(0);
    // `y` lets a server that did offer -PLUS notice that somebody took it out of its offer.
    const flag = endPoint === undefined ? 'n' : 'y';
    this.#header = isPlus ? 'p=tls-server-end-point,,' : `${flag},,`;
    this.#nonce = Buffer.from(nonce).toString('base64');
  }

  first(): Uint8Array {
    return Buffer.from(`${this.#header}${this.#bare()}`);
  }

  /** Takes server-first. */
  challenge(message: Uint8Array): ScramChallenge {
    const text = textOf(message);
    const [nonce, salt, count] = text.split(',');
    this.#serverNonce = attribute(nonce, 'r');
    const isLonger = this.#serverNonce.length > this.#nonce.length;
    if (
      !this.#serverNonce.startsWith(this.#nonce) ||
      !isLonger ||
      !printable.test(this.#serverNonce)
    ) {
      throw broken('the server did not extend the nonce');
    }
    const saltBytes = decodeBase64(attribute(salt, 's'));
    if (saltBytes === undefined || saltBytes.length > saltBytesMax) throw broken('the salt is bad');
    const digits = attribute(count, 'i');
    const iterations = /^[1-9][0-9]{0,9}$/.test(digits) ? Number(digits) : 0;
    if (iterations < iterationsMin || iterations > iterationsMax) {
      throw broken(`an iteration count of ${digits.slice(0, 16)}`);
    }
    this.#serverFirst = text;
    return { salt: saltBytes, iterations };
  }

  /** Gives client-final. */
  final(keys: ScramClientKeys): Uint8Array {
    const bound = Buffer.concat([Buffer.from(this.#header), this.#endPoint]).toString('base64');
    const withoutProof = `c=${bound},r=${this.#serverNonce}`;
    const authMessage = `${this.#bare()},${this.#serverFirst},${withoutProof}`;
    this.#serverSignature = hmac(keys.serverKey, authMessage);
    const proof = xor(keys.clientKey, hmac(keys.storedKey, authMessage));
    return Buffer.from(`${withoutProof},p=${proof.toString('base64')}`);
  }

  /** Whether server-final proves that the server knows the password's keys too. */
  check(message: Uint8Array): boolean {
    const signature = decodeBase64(attribute(textOf(message).split(',')[0], 'v'));
    const expected = this.#serverSignature;
    return signature !== undefined && expected !== undefined && equal(signature, expected);
  }

  #bare(): string {
    return `n=,r=${this.#nonce}`;
  }
}

const equal = (left: Uint8Array, right: Uint8Array): boolean =>
  left.length === right.length && timingSafeEqual(left, right);

function xor(left: Uint8Array, right: Uint8Array): Buffer {
  return Buffer.from(left.map((byte, index) => byte ^ (right[index] ?? 0)));
}
