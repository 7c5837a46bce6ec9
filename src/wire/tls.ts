/**
 * TLS for wires: contexts made once per set of options, and what is known of a finished handshake.
 *
 * Invariants: TLS 1.2 or newer; a client certificate that was shown and does not verify ends the
 * handshake; a server certificate is always verified against authorities, and, unless the target's
 * TLS mode says `verify-ca`, against the name.
 */
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { isIP, type Socket } from 'node:net';
import {
  checkServerIdentity,
  type ConnectionOptions,
  connect,
  createSecureContext,
  type SecureContext,
  TLSSocket,
} from 'node:tls';
import { GatewayError } from '#core/errors.ts';
import type { TlsClientOptions, TlsServerOptions, WireSecurity } from '#core/wire.ts';

const minVersion = 'TLSv1.2';
const contexts = new WeakMap<TlsServerOptions, SecureContext>();

/** The context of a listener: parsing a key costs milliseconds, so once per options object. */
function serverContext(options: TlsServerOptions): SecureContext {
  let context = contexts.get(options);
  if (context === undefined) {
    context = createSecureContext({
      cert: options.certificate,
      key: options.key,
      minVersion,
      // Sessions are not resumed: each handshake proves everything anew.
      sessionIdContext: 'sallyport',
      ...(options.clientCa === undefined ? {} : { ca: options.clientCa }),
    });
    contexts.set(options, context);
  }
  return context;
}

/**
 * Checks at start what would otherwise fail at the first connection: that certificate, key and
 * authorities can be read, and that the key is the certificate's.
 *
 * @throws GatewayError `SP_CONFIG`
 */
export function checkServerTls(options: TlsServerOptions, what: string): void {
  try {
    serverContext(options);
    const certificate = readCertificate(options.certificate);
    if (!certificate.checkPrivateKey(createPrivateKey(options.key))) {
      throw new Error('the key is not the key of the certificate');
    }
    // Node ignores authorities that it cannot read.
    if (options.clientCa !== undefined) readCertificate(options.clientCa);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : 'it cannot be read';
    throw new GatewayError('SP_CONFIG', { detail: `${what}: TLS: ${why}`, cause });
  }
}

/** Throws when it cannot be read. */
function readCertificate(pem: string): X509Certificate {
  return new X509Certificate(pem);
}

/** Starts the server's side on `raw`; `secure` is emitted when the handshake is done. */
export function startServer(raw: Socket, options: TlsServerOptions): TLSSocket {
  return new TLSSocket(raw, {
    isServer: true,
    secureContext: serverContext(options),
    requestCert: options.clientCa !== undefined,
    // Node verifies for a raw TLSSocket but does not act on it: verifyClient does.
    rejectUnauthorized: false,
    ...(options.alpn.length === 0 ? {} : { ALPNProtocols: [...options.alpn] }),
  });
}

/** Starts the client's side on `raw`; `secureConnect` is emitted when the server is verified. */
export function startClient(raw: Socket, options: TlsClientOptions): TLSSocket {
  const settings: ConnectionOptions = {
    socket: raw,
    minVersion,
    rejectUnauthorized: true,
    checkServerIdentity: (_host, certificate) =>
      options.verify === 'full' ? checkServerIdentity(options.serverName, certificate) : undefined,
  };
  if (options.alpn.length > 0) settings.ALPNProtocols = [...options.alpn];
  if (options.ca !== undefined) settings.ca = options.ca;
  if (options.certificate !== undefined) settings.cert = options.certificate;
  if (options.key !== undefined) settings.key = options.key;
  // RFC 6066 section 3: an address is never sent as a server name.
  if (isIP(options.serverName) === 0) settings.servername = options.serverName;
  return connect(settings);
}

/**
 * Refuses a client certificate that was shown but does not verify.
 *
 * @throws GatewayError `SP_LOGIN_FAILED`
 */
export function verifyClient(secure: TLSSocket, options: TlsServerOptions): void {
  if (options.clientCa === undefined || secure.getPeerX509Certificate() === undefined) return;
  // Node offers the result of a raw TLSSocket's verification only on its handle. Fails closed: when
  // that is not there, no certificate verifies.
  const handle: unknown = Reflect.get(secure, '_handle');
  if (typeof handle === 'object' && handle !== null && 'verifyError' in handle) {
    const { verifyError } = handle;
    if (typeof verifyError === 'function' && !verifyError.call(handle)) return;
  }
  throw new GatewayError('SP_LOGIN_FAILED', { detail: 'the client certificate does not verify' });
}

/** What a finished handshake has shown. */
export function securityOf(
  secure: TLSSocket,
  role: 'server' | 'client',
  serverName?: string,
): WireSecurity {
  const peer = secure.getPeerX509Certificate();
  const server = role === 'client' ? peer : secure.getX509Certificate();
  const asked: unknown = Reflect.get(secure, 'servername');
  return {
    protocol: secure.getProtocol() ?? 'unknown',
    cipher: secure.getCipher().name,
    alpn: typeof secure.alpnProtocol === 'string' ? secure.alpnProtocol : undefined,
    serverName: serverName ?? (typeof asked === 'string' ? asked : undefined),
    peerCertificate:
      peer === undefined ? undefined : createHash('sha256').update(peer.raw).digest('hex'),
    serverEndPoint: server === undefined ? undefined : serverEndPoint(server),
  };
}

/** Hash functions of certificate signatures; MD5 and SHA-1 count as SHA-256 (RFC 5929, 4.1). */
const signatureHashes: ReadonlyMap<string, string> = new Map([
  ['1.2.840.113549.1.1.4', 'sha256'],
  ['1.2.840.113549.1.1.5', 'sha256'],
  ['1.2.840.113549.1.1.11', 'sha256'],
  ['1.2.840.113549.1.1.12', 'sha384'],
  ['1.2.840.113549.1.1.13', 'sha512'],
  ['1.2.840.113549.1.1.14', 'sha224'],
  ['1.2.840.10045.4.1', 'sha256'],
  ['1.2.840.10045.4.3.1', 'sha224'],
  ['1.2.840.10045.4.3.2', 'sha256'],
  ['1.2.840.10045.4.3.3', 'sha384'],
  ['1.2.840.10045.4.3.4', 'sha512'],
]);

/**
 * The `tls-server-end-point` channel binding of a server's certificate.
 *
 * @returns undefined where RFC 5929 defines none (Ed25519) or the hash is in parameters (RSA-PSS):
 * then channel binding is not offered.
 */
export function serverEndPoint(certificate: X509Certificate): Uint8Array | undefined {
  const hash = signatureHashes.get(certificate.signatureAlgorithmOid);
  return hash === undefined ? undefined : createHash(hash).update(certificate.raw).digest();
}
