/**
 * Encryption of recordings to auditors. A recording has a random file key, wrapped to the
 * recipients by age and kept in the context; whoever holds an age identity of theirs can read it,
 * the gateway cannot once the session is over.
 *
 * Two keys come from the file key, one for blocks and one for journal records, so that a block and
 * a record of the same number never share key and nonce.
 */
import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  type KeyObject,
} from 'node:crypto';
import { Decrypter, Encrypter } from 'age-encryption';
import { TAG_BYTES } from './format.ts';

export const FILE_KEY_BYTES = 32;

/** What the context block calls this scheme. */
export const CIPHER_NAME = 'age+hkdf-sha256+aes-256-gcm';

/** The keys of one recording. */
export interface FileKeys {
  readonly block: KeyObject;
  readonly journal: KeyObject;
}

/** Derives the keys of a recording from its file key. */
export function deriveKeys(fileKey: Uint8Array): FileKeys {
  const derive = (info: string): KeyObject =>
    createSecretKey(Buffer.from(hkdfSync('sha256', fileKey, new Uint8Array(0), info, 32)));
  return {
    block: derive('sallyport-recording-v1 block'),
    journal: derive('sallyport-recording-v1 journal'),
  };
}

/** Wraps a file key to age recipients (`age1…`); rejects when one of them is not a recipient. */
export async function wrapFileKey(
  fileKey: Uint8Array,
  recipients: readonly string[],
): Promise<Uint8Array> {
  const encrypter = new Encrypter();
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  return encrypter.encrypt(fileKey);
}

/** The file key, or undefined when none of the identities (`AGE-SECRET-KEY-…`) opens it. */
export async function unwrapFileKey(
  wrapped: Uint8Array,
  identities: readonly string[],
): Promise<Uint8Array | undefined> {
  try {
    const decrypter = new Decrypter();
    for (const identity of identities) decrypter.addIdentity(identity);
    const fileKey = await decrypter.decrypt(wrapped);
    return fileKey.length === FILE_KEY_BYTES ? fileKey : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Encrypts `plain` with AES-256-GCM; the nonce is `number`, which must be fresh for the key.
 *
 * @returns ciphertext and tag.
 */
export function sealBytes(
  key: KeyObject,
  number: number,
  associated: Uint8Array,
  plain: Uint8Array,
): readonly [Uint8Array, Uint8Array] {
  const cipher = createCipheriv('aes-256-gcm', key, nonce(number));
  cipher.setAAD(associated);
  const sealed = cipher.update(plain);
  cipher.final();
  return [sealed, cipher.getAuthTag()];
}

/** The reverse of {@link sealBytes}; undefined when the bytes are not authentic. */
export function openBytes(
  key: KeyObject,
  number: number,
  associated: Uint8Array,
  sealed: Uint8Array,
): Uint8Array | undefined {
  if (sealed.length < TAG_BYTES) return undefined;
  const body = sealed.length - TAG_BYTES;
  const decipher = createDecipheriv('aes-256-gcm', key, nonce(number), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(associated);
  decipher.setAuthTag(sealed.subarray(body));
  try {
    const plain = decipher.update(sealed.subarray(0, body));
    decipher.final();
    return plain;
  } catch {
    return undefined;
  }
}

function nonce(number: number): Uint8Array {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  view.setUint32(4, Math.floor(number / 0x1_0000_0000));
  view.setUint32(8, number >>> 0);
  return bytes;
}
