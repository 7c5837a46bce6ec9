import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { GatewayError } from '#core/errors.ts';
import { bearerChallenge, isBearerDummy, readBearer } from './oauthbearer.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');

describe('OAUTHBEARER', () => {
  it('reads a token, with other pairs and without', () => {
    const token = 'eyJhbGciOiJFUzI1NiJ9.e30.a-b_c~d+e/f==';
    for (const message of [
      `n,,\x01auth=Bearer ${token}\x01\x01`,
      `y,,\x01auth=Bearer ${token}\x01\x01`,
      `n,,\x01auth=bearer   ${token}\x01\x01`,
      `n,,\x01host=db.example\x01port=5432\x01auth=Bearer ${token}\x01\x01`,
    ]) {
      assert.equal(readBearer(bytes(message)), token, message);
    }
  });

  it('knows a client that asks where to get one', () => {
    assert.equal(readBearer(bytes('n,,\x01auth=\x01\x01')), undefined);
  });

  it('refuses everything else, and never repeats what was sent', () => {
    for (const message of [
      '',
      '\x01',
      'n,,\x01\x01',
      'n,,\x01auth=Bearer secret\x01',
      'n,,auth=Bearer secret\x01\x01',
      'n,a=admin,\x01auth=Bearer secret\x01\x01',
      'p=tls-exporter,,\x01auth=Bearer secret\x01\x01',
      'n,,\x01auth=Bearer secret\x01auth=Bearer secret\x01\x01',
      'n,,\x01auth=Basic secret\x01\x01',
      'n,,\x01auth=secret\x01\x01',
      'n,,\x01auth=Bearer se cret\x01\x01',
      'n,,\x01auth=Bearer secret=x\x01\x01',
      'n,,\x01=x\x01auth=Bearer secret\x01\x01',
      'n,,\x01a1=x\x01auth=Bearer secret\x01\x01',
      'n,,\x01Auth=Bearer secret\x01\x01',
      'n,,\x01auth=Bearer secret\x01\x01more\x01\x01',
      'n,,\x01auth=Bearer secret\x01\x01\x01',
      'n,,\x01auth=Bearer sec\0ret\x01\x01',
      'n,,\x01auth=Bearer sécret\x01\x01',
    ]) {
      assert.throws(
        () => readBearer(bytes(message)),
        (thrown: unknown) => thrown instanceof GatewayError && !/secret/.test(thrown.message),
        JSON.stringify(message),
      );
    }
  });

  it('says where to get a token, and takes one answer to that', () => {
    const url = 'https://issuer.example/.well-known/openid-configuration';
    assert.deepEqual(JSON.parse(Buffer.from(bearerChallenge(url, 'openid')).toString()), {
      status: 'invalid_token',
      'openid-configuration': url,
      scope: 'openid',
    });
    assert.equal(isBearerDummy(bytes('\x01')), true);
    assert.equal(isBearerDummy(bytes('\x01\x01')), false);
    assert.equal(isBearerDummy(bytes('')), false);
  });

  it('throws nothing but its own error at random messages', () => {
    const piece = fc.oneof(
      fc.constantFrom('n,,', '\x01', 'auth=', 'Bearer ', 'abc', '=', ','),
      fc.string({ maxLength: 5 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        try {
          readBearer(Buffer.from(pieces.join('')));
        } catch (thrown) {
          assert.ok(thrown instanceof GatewayError);
        }
      }),
    );
  });
});
