/**
 * The gateway's signing key, and the public keys that verifiers use.
 *
 * `signing.key` (PKCS#8 PEM, mode 0600) is made on the first start. Each key that ever signed has
 * its public half beside it as `<key id>.pub` (SPKI PEM); those are never removed, so that old
 * recordings stay verifiable after a key was replaced.
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  type KeyObject,
} from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { GatewayError } from '#core/errors.ts';
import { KEY_ID_BYTES } from './format.ts';

/** A key that can check signatures. */
export interface PublicKey {
  /** 16 hex digits; see {@link BlockHeader.keyId}. */
  readonly keyId: string;
  readonly key: KeyObject;
}

/** The key that signs. */
export interface SigningKey {
  readonly keyId: string;
  readonly privateKey: KeyObject;
  /** SPKI PEM, for verifiers. */
  readonly publicPem: string;
}

const PRIVATE_NAME = 'signing.key';
const PUBLIC_SUFFIX = '.pub';

/**
 * Loads the signing key of `directory`; makes directory and key when they do not exist.
 *
 * @throws GatewayError `SP_CONFIG` when the key is not Ed25519, or others may read it.
 */
export function loadSigningKey(directory: string): SigningKey {
  const signing = signingKeyOf(loadPrivateKey(directory, PRIVATE_NAME));
  const publicPath = join(directory, signing.keyId + PUBLIC_SUFFIX);
  if (!exists(publicPath)) writeFileSync(publicPath, signing.publicPem, { mode: 0o644 });
  return signing;
}

/**
 * An Ed25519 private key of `directory` in PKCS#8 PEM; makes it when it does not exist.
 *
 * @throws GatewayError `SP_CONFIG` when others may read it.
 */
export function loadPrivateKey(directory: string, name: string): string {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, name);
  return readPrivateKey(path) ?? makePrivateKey(path);
}

/** The signing key in PKCS#8 PEM. */
export function signingKeyOf(pem: string): SigningKey {
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey(pem);
  } catch (cause) {
    throw new GatewayError('SP_CONFIG', { detail: 'the signing key is not in PEM', cause });
  }
  if (privateKey.asymmetricKeyType !== 'ed25519') {
    throw new GatewayError('SP_CONFIG', { detail: 'the signing key is not an Ed25519 key' });
  }
  const publicKey = createPublicKey(privateKey);
  const publicPem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  return { keyId: keyIdOf(publicKey), privateKey, publicPem };
}

/** Every public key that `directory` keeps. */
export function readPublicKeys(directory: string): PublicKey[] {
  if (!exists(directory)) return [];
  return readdirSync(directory)
    .filter((name) => name.endsWith(PUBLIC_SUFFIX))
    .map((name) => parsePublicKey(readFileSync(join(directory, name), 'utf8')));
}

/**
 * A verifier's public key, SPKI PEM.
 *
 * @throws GatewayError `SP_BAD_REQUEST` when it is not an Ed25519 public key.
 */
export function parsePublicKey(pem: string): PublicKey {
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch (cause) {
    throw new GatewayError('SP_BAD_REQUEST', { detail: 'not a public key in PEM', cause });
  }
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new GatewayError('SP_BAD_REQUEST', { detail: 'not an Ed25519 public key' });
  }
  return { keyId: keyIdOf(key), key };
}

function keyIdOf(publicKey: KeyObject): string {
  const raw = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url');
  return hash('sha256', raw, 'hex').slice(0, 2 * KEY_ID_BYTES);
}

function readPrivateKey(path: string): string | undefined {
  if (!exists(path)) return undefined;
  if ((statSync(path).mode & 0o077) !== 0) {
    throw new GatewayError('SP_CONFIG', {
      detail: `others may read ${path}; set its mode to 0600`,
    });
  }
  return readFileSync(path, 'utf8');
}

/** Whole or not at all: a half-written key after a crash would refuse every later start. */
function makePrivateKey(path: string): string {
  const pem = generateKeyPairSync('ed25519')
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString();
  const partial = `${path}.new`;
  const fd = openSync(partial, 'w', 0o600);
  try {
    writeFileSync(fd, pem);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  // A link fails when the name exists, so that no start ever replaces a key.
  linkSync(partial, path);
  unlinkSync(partial);
  return pem;
}

const exists = (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined;
