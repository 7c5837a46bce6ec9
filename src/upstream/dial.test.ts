import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '#core/clock.ts';
import { GatewayError } from '#core/errors.ts';
import { makeAuthorization } from '../../test/support/admission.ts';
import { manualClock } from '../../test/support/clock.ts';
import { dialTarget, isLinkLocal } from './dial.ts';

const never = new AbortController().signal;
const parts = { clock: systemClock, limits: { dialMsMax: 10_000 } };
const server = createServer((socket) => socket.end('welcome'));
before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
after(() => server.close());

const to = (host: string, port: number, settings: unknown = {}) =>
  makeAuthorization({ address: { host, port }, settings });

const refused =
  (says: RegExp) =>
  (thrown: unknown): boolean => {
    assert.ok(thrown instanceof GatewayError);
    assert.equal(thrown.code, 'SP_TARGET_UNREACHABLE');
    assert.match(thrown.message, says);
    return true;
  };

describe('dialling a target', () => {
  it('connects to where the authorization says, by address or by name', async () => {
    const address = server.address();
    assert.ok(typeof address === 'object' && address !== null);
    for (const host of ['127.0.0.1', 'localhost']) {
      const wire = await dialTarget(to(host, address.port), parts, never);
      const seen = await new Promise<string>((resolve) => {
        wire.attach({
          data: (chunk) => resolve(Buffer.from(chunk).toString()),
          drained() {},
          ended() {},
          closed() {},
        });
      });
      assert.equal(seen, 'welcome');
      wire.destroy();
    }
  });

  it('says why it could not', async () => {
    await assert.rejects(dialTarget(to('127.0.0.1', 1), parts, never), refused(/ECONNREFUSED/));
    await assert.rejects(
      dialTarget(to('no-such-host.invalid', 5432), parts, never),
      refused(/name cannot be resolved/),
    );
  });

  it('does not go to link-local and metadata addresses, however they are spelt', async () => {
    for (const host of [
      '169.254.169.254',
      '2852039166',
      '0xa9fea9fe',
      '169.254.43518',
      'fe80::1',
      'fd00:ec2::254',
      '::ffff:169.254.169.254',
      '64:ff9b::169.254.169.254',
    ]) {
      await assert.rejects(
        dialTarget(to(host, 80), parts, never),
        refused(/link-local|resolved/),
        host,
      );
    }
    for (const address of ['10.0.0.1', '127.0.0.1', '::1', 'fd00::1', '169.253.0.1']) {
      assert.equal(isLinkLocal(address), false, address);
    }
    assert.equal(isLinkLocal('fe80::1%eth0'), true);
    assert.equal(isLinkLocal('::ffff:169.254.0.1'), true);
  });

  it('goes there when the settings of the target say so', async () => {
    const controller = new AbortController();
    const allowed = to('169.254.1.1', 1, { allowLinkLocal: true });
    const dialled = dialTarget(allowed, parts, controller.signal);
    setImmediate(() => controller.abort(new Error('enough')));
    // It tried: either the network refused at once or the test gave up waiting.
    await assert.rejects(dialled, (thrown: unknown) => !/link-local/.test(String(thrown)));
  });

  it('ends with its deadline and with its signal', async () => {
    const clock = manualClock();
    const late = dialTarget(to('127.0.0.1', 1), { ...parts, clock }, never);
    clock.advance(10_000);
    await assert.rejects(late, refused(/no answer in time/));
    const reason = new GatewayError('SP_LOCKED');
    await assert.rejects(
      dialTarget(to('127.0.0.1', 1), parts, AbortSignal.abort(reason)),
      (thrown: unknown) => thrown === reason,
    );
  });
});
