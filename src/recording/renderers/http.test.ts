import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { httpRenderer } from './http.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('answers of HTTP', () => {
  it('are shown as lines, wherever they are cut', () => {
    const text = 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ncafé';
    const whole = httpRenderer().render('to-client', bytes(text));
    assert.deepEqual(whole, ['  HTTP/1.1 200 OK', '  content-length: 4', '  ', '  café']);
    const renderer = httpRenderer();
    const all = bytes(text);
    const shown: string[] = [];
    for (let at = 0; at < all.length; at += 1) {
      shown.push(...renderer.render('to-client', all.subarray(at, at + 1)));
    }
    assert.equal(
      shown
        .map((line) => line.slice(2))
        .join('')
        .replaceAll('\r', ''),
      whole.map((line) => line.slice(2)).join(''),
    );
  });

  it('are counted when they are no text, and long lines are cut', () => {
    const renderer = httpRenderer();
    assert.deepEqual(renderer.render('to-client', Uint8Array.of(1, 0, 2)), [
      '  (3 bytes that are no text)',
    ]);
    const [line = ''] = renderer.render('to-client', bytes(`${'x'.repeat(10_000)}\n`));
    assert.ok(line.length < 5_000 && line.endsWith('(10000 characters)'));
    assert.match(renderer.render('from-client', bytes('abc'))[0] ?? '', /3 bytes/);
  });
});
