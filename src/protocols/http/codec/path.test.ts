import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodePath, encodePath } from './path.ts';

const encoded = (character: string): string => `%${character.charCodeAt(0).toString(16)}`;

describe('paths', () => {
  it('have one form, whatever their spelling', () => {
    const cases: Readonly<Record<string, string>> = {
      '/': '/',
      '//': '/',
      '/a/b': '/a/b',
      '/%61dmin/p%75rge': '/admin/purge',
      '/reports/../admin': '/admin',
      '/reports/%2e%2E/admin': '/admin',
      '//admin//purge': '/admin/purge',
      '/a/./b/.': '/a/b/',
      '/a/..': '/',
      '/a/b/': '/a/b/',
      '/caf%C3%A9%20x': '/café x',
    };
    for (const [raw, path] of Object.entries(cases)) assert.equal(decodePath(raw), path, raw);
  });

  it('are the same whether a letter is encoded or not', () => {
    const segment = fc.constantFrom('', '.', '..', '.a', 'a.', '...', 'ab', '-', '@');
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 5 }), (segments) => {
        const raw = `/${segments.join('/')}`;
        const read = (path: string): string => {
          try {
            return decodePath(path);
          } catch {
            return 'refused';
          }
        };
        assert.equal(read(raw), read(raw.replaceAll(/[^/]/g, encoded)));
      }),
    );
  });

  it('are refused when servers would read them differently', () => {
    for (const raw of [
      '',
      'a',
      '/..',
      '/a/../..',
      '/a%2fb',
      '/a%5cb',
      '/a\\b',
      '/a;b',
      '/a%3bb',
      '/a%00',
      '/a%0d%0a',
      '/a%23b',
      '/a%3Fb',
      '/%2561',
      '/%',
      '/%4',
      '/%zz',
      '/%u0061',
      '/%c0%ae%c0%ae/',
      '/%ff',
    ]) {
      assert.throws(() => decodePath(raw), { code: 'SP_FRAME_MALFORMED' }, raw);
    }
  });

  it('are written in one way, which means the same', () => {
    assert.equal(encodePath('/café x'), '/caf%C3%A9%20x');
    const segment = fc.string({ unit: 'grapheme', maxLength: 8 });
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 5 }), (segments) => {
        let path: string;
        try {
          path = decodePath(`/${segments.map(encodeURIComponent).join('/')}`);
        } catch {
          return;
        }
        assert.equal(decodePath(encodePath(path)), path);
        assert.equal(encodePath(decodePath(encodePath(path))), encodePath(path));
      }),
    );
  });
});
