import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asEpochMs, asId } from '#core/ids.ts';
import type { Identity } from '#core/identity.ts';
import { Secret } from '#core/secret.ts';
import { manualClock } from '../../test/support/clock.ts';
import { remembering } from './seen-identities.ts';

const identity: Identity = {
  id: asId('ci/job-1'),
  kind: 'workload',
  issuer: 'ci',
  subject: 'job-1',
  displayName: 'job 1',
  groups: ['ci'],
  roles: [],
  owner: undefined,
  onBehalfOf: undefined,
  claims: {},
  expiresAt: asEpochMs(1),
};
const proof = { kind: 'password', secret: new Secret('x') } as const;

test('a visit is written again only when it says something new, or a while later', async () => {
  const clock = manualClock();
  const written: string[] = [];
  let comes: Identity = identity;
  const authenticator = remembering(
    {
      authenticate: async () => ({ identity: comes, credential: undefined, scope: undefined }),
      knowsKey: () => false,
      scramKeys: () => Promise.reject(new Error('not asked')),
    },
    {
      identities: {
        async seen({ id, groups }, at) {
          written.push(`${id} ${groups.join()} ${at}`);
        },
      },
      clock,
      warn: (error) => assert.fail(String(error)),
    },
  );
  const start = clock.now();
  await authenticator.authenticate(proof);
  comes = { ...identity, expiresAt: asEpochMs(2) };
  await authenticator.authenticate(proof);
  comes = { ...identity, groups: ['ci', 'deploy'] };
  await authenticator.authenticate(proof);
  clock.advance(60_000);
  assert.equal((await authenticator.authenticate(proof)).identity, comes);
  assert.deepEqual(written, [
    `ci/job-1 ci ${start}`,
    `ci/job-1 ci,deploy ${start}`,
    `ci/job-1 ci,deploy ${start + 60_000}`,
  ]);
});

test('a login does not fail with the store, and one that fails is not remembered', async () => {
  const warned: unknown[] = [];
  let isWrong = false;
  const authenticator = remembering(
    {
      async authenticate() {
        if (isWrong) throw new Error('wrong');
        return { identity, credential: undefined, scope: undefined };
      },
      knowsKey: () => false,
      scramKeys: () => Promise.reject(new Error('not asked')),
    },
    {
      identities: { seen: () => Promise.reject(new Error('full')) },
      clock: manualClock(),
      warn: (error) => warned.push(error),
    },
  );
  await authenticator.authenticate(proof);
  await Promise.resolve();
  assert.equal(warned.length, 1);
  isWrong = true;
  await assert.rejects(authenticator.authenticate(proof), /wrong/);
  assert.equal(warned.length, 1);
});
