import { z } from 'zod';
import { Other, route, type Route } from '../route.ts';

/**
 * RFC 8693. The one route where a stranger brings a token: everything about it is told to the
 * operator, and only what the standard says to the client.
 */
export const tokenRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v1/token',
    tag: 'tokens',
    summary: 'Exchange a token of a trusted issuer for a short-lived credential (RFC 8693)',
    access: 'public',
    bodyType: 'form',
    body: z.instanceof(URLSearchParams),
    answer: z.object({
      access_token: z.string(),
      issued_token_type: z.string(),
      token_type: z.literal('Bearer'),
      expires_in: z.int().describe('seconds'),
      ssh_certificate: z
        .string()
        .optional()
        .describe('for the public key in `ssh_public_key`, as a line of a -cert.pub file'),
    }),
    async handle({ exchange, eventLog }, { body, address }) {
      const answer = await exchange.exchange(body);
      if ('error' in answer) {
        eventLog.emit({
          type: 'login.failed',
          actor: 'system',
          session: undefined,
          target: undefined,
          data: { code: 'SP_LOGIN_FAILED', why: answer.why, address, listener: 'api' },
        });
        const { error, description } = answer;
        return new Other({ status: 400, body: { error, error_description: description } });
      }
      return {
        access_token: answer.accessToken.reveal(),
        issued_token_type: answer.issuedTokenType,
        token_type: answer.tokenType,
        expires_in: answer.expiresInSeconds,
        ssh_certificate: answer.sshCertificate,
      };
    },
  }),
];
