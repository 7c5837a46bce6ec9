import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { readRequestHead } from '../codec/head.ts';
import { http1Request, http2Fields, readHttp2Head } from './messages.ts';

const request = [':method', 'GET', ':scheme', 'https', ':authority', 'App.test', ':path', '/a?b'];

const headOf = (raw: readonly string[], isWhole: boolean = true): Uint8Array =>
  http1Request(readHttp2Head(raw), { isWhole, scheme: 'https' }).head;

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');

describe('heads of HTTP/2', () => {
  it('become heads of HTTP/1.1 that the strict reader takes', () => {
    const head = headOf([...request, 'cookie', 'a=1', 'x-é'.slice(0, 2), 'Ã©', 'cookie', 'b=2']);
    assert.equal(
      textOf(head),
      'GET /a?b HTTP/1.1\r\nhost: App.test\r\nx-: é\r\ncookie: a=1; b=2\r\n' +
        'connection: close\r\nte: trailers\r\n\r\n',
    );
    assert.equal(readRequestHead(head, 20).host, 'app.test');
    assert.match(textOf(headOf(request, false)), /transfer-encoding: chunked\r\n/);
    assert.doesNotMatch(textOf(headOf([...request, 'content-length', '3'], false)), /transfer/);
  });

  it('are refused when HTTP/1.1 has no way to say them, or they say two things', () => {
    const cases: readonly (readonly string[])[] = [
      [...request, 'x', 'a\r\nx-smuggled: 1'],
      [...request, 'x', 'a\nb'],
      [...request, 'x', 'a\0b'],
      [...request, 'x y', 'a'],
      [...request, 'x:', 'a'],
      [...request, '', 'a'],
      [...request, 'connection', 'x'],
      [...request, 'transfer-encoding', 'chunked'],
      [...request, 'upgrade', 'websocket'],
      [...request, 'te', 'gzip'],
      [...request, 'host', 'other.test'],
      [...request, 'host', 'app.test', 'host', 'app.test'],
      [...request, ':path', '/b'],
      [...request, 'x', 'a', ':authority', 'b'],
      [...request, ':protocol', 'websocket'],
      [...request, 'x', 'Ã'],
      [':method', 'GET', ':scheme', 'http', ':authority', 'a', ':path', '/'],
      [':method', 'GET /x HTTP/1.1\r\nX: ', ':scheme', 'https', ':authority', 'a', ':path', '/'],
      [':method', 'GET', ':scheme', 'https', ':authority', 'a', ':path', '/ HTTP/1.1\r\nX: y'],
      [':method', 'GET', ':scheme', 'https', ':authority', 'a', ':path', '/a b'],
    ];
    for (const raw of cases) {
      assert.throws(() => headOf(raw), { code: 'SP_FRAME_MALFORMED' }, JSON.stringify(raw));
    }
  });

  it('never become two requests, nor more fields than were sent', () => {
    const text = fc.string({ unit: 'binary-ascii', maxLength: 12 });
    fc.assert(
      fc.property(text, text, text, (path, name, value) => {
        const raw = [':method', 'GET', ':scheme', 'https', ':authority', 'a', ':path', `/${path}`];
        let head: Uint8Array;
        try {
          head = headOf([...raw, `x${name}`, value]);
        } catch {
          return;
        }
        const lines = textOf(head).split('\r\n');
        assert.equal(lines.length, 7);
        assert.equal(textOf(head).indexOf('\r\n\r\n'), head.length - 4);
      }),
    );
  });

  it('are written without what belongs to a connection, values of one name together', () => {
    const fields = http2Fields([
      { name: 'connection', value: 'close, x-hop' },
      { name: 'x-hop', value: '1' },
      { name: 'transfer-encoding', value: 'chunked' },
      { name: 'set-cookie', value: 'a=1' },
      { name: 'set-cookie', value: 'b=2' },
      { name: '__proto__', value: 'é' },
    ]);
    assert.deepEqual(Object.entries(fields), [
      ['set-cookie', ['a=1', 'b=2']],
      ['__proto__', 'Ã©'],
    ]);
  });
});
