/** What a token exchange answers. */
import type { Secret } from '../secret.ts';

/** A credential given for a token: RFC 8693 section 2.2.1. */
export interface ExchangeAnswer {
  readonly accessToken: Secret;
  readonly issuedTokenType: string;
  readonly tokenType: 'Bearer';
  readonly expiresInSeconds: number;
  /** A line for a `-cert.pub` file, where a public key came with the request. */
  readonly sshCertificate: string | undefined;
}

/** What the client did wrong: RFC 6749 section 5.2, with RFC 8693 section 2.2.2. */
export interface ExchangeRefusal {
  readonly error: 'invalid_request' | 'unsupported_grant_type' | 'invalid_target';
  readonly description: string;
  /** For operators: why the token was refused. Never sent. */
  readonly why: string;
}
