import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HttpRequest } from '#protocols/http/request.ts';
import { agree } from './stream-upgrade.ts';

const request = (upgrade: string, fields: Readonly<Record<string, string>>): HttpRequest => ({
  method: 'GET',
  path: '/',
  query: undefined,
  fields: Object.entries(fields).map(([name, value]) => ({ name, value })),
  forwarded: [],
  host: 'api',
  clientHost: 'gateway',
  body: { kind: 'none' },
  upgrade,
});
// RFC 6455, section 1.3.
const handshake = {
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'sec-websocket-version': '13',
};
const channels = { 'sec-websocket-protocol': 'v4.channel.k8s.io, v5.channel.k8s.io' };

describe('an upgrade for streams', () => {
  it('is agreed on with the best that both know', () => {
    const { carrier, protocol, fields } = agree(
      request('websocket', { ...handshake, ...channels }),
      'exec',
    );
    assert.deepEqual([carrier, protocol], ['websocket', 'v5.channel.k8s.io']);
    assert.deepEqual(fields, [
      { name: 'upgrade', value: 'websocket' },
      { name: 'sec-websocket-accept', value: 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=' },
      { name: 'sec-websocket-protocol', value: 'v5.channel.k8s.io' },
    ]);
    const spdy = request('spdy/3.1', { 'x-stream-protocol-version': 'v4.channel.k8s.io' });
    assert.equal(agree(spdy, 'attach').carrier, 'spdy');
    const ports = { ...handshake, 'sec-websocket-protocol': 'SPDY/3.1+portforward.k8s.io' };
    assert.equal(agree(request('websocket', ports), 'portforward').carrier, 'websocket');
  });

  it('is refused where nothing is known, or something else is asked for in it', () => {
    const token = 'base64url.bearer.authorization.k8s.io.ZXZpbA, v4.channel.k8s.io';
    for (const [upgrade, fields, kind] of [
      ['websocket', handshake, 'exec'],
      ['websocket', channels, 'exec'],
      ['websocket', { ...channels, ...handshake, 'sec-websocket-version': '8' }, 'exec'],
      ['websocket', { ...channels, ...handshake, 'sec-websocket-key': 'short' }, 'exec'],
      ['websocket', { ...handshake, 'sec-websocket-protocol': 'channel.k8s.io' }, 'exec'],
      ['websocket', { ...handshake, 'sec-websocket-protocol': token }, 'exec'],
      ['websocket', { ...handshake, ...channels }, 'portforward'],
      ['spdy/3.1', {}, 'exec'],
      ['spdy/3.1', { 'x-stream-protocol-version': 'v3.channel.k8s.io' }, 'exec'],
      ['spdy/3.1', { 'x-stream-protocol-version': 'v4.channel.k8s.io' }, 'portforward'],
    ] as const) {
      assert.throws(() => agree(request(upgrade, fields), kind), /not supported/);
    }
  });
});
