import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { startIssuer } from './issuer.ts';

describe('the test issuer', () => {
  it('serves discovery and keys that verify what it mints, and rotates them', async () => {
    const issuer = await startIssuer();
    try {
      const discovered: unknown = await (
        await fetch(`${issuer.url}/.well-known/openid-configuration`)
      ).json();
      assert.ok(typeof discovered === 'object' && discovered !== null && 'issuer' in discovered);
      assert.equal(discovered.issuer, issuer.url);
      const keys = createRemoteJWKSet(new URL(`${issuer.url}/jwks`), { cooldownDuration: 0 });
      for (const algorithm of ['RS256', 'ES256', 'EdDSA'] as const) {
        const token = await issuer.mint({ sub: 'job', aud: 'sallyport' }, { algorithm });
        const { payload } = await jwtVerify(token, keys, { issuer: issuer.url });
        assert.equal(payload.sub, 'job');
      }
      await issuer.rotateKeys();
      const { payload } = await jwtVerify(await issuer.mint({ sub: 'later' }), keys);
      assert.equal(payload.sub, 'later');
    } finally {
      await issuer.stop();
    }
  });
});
