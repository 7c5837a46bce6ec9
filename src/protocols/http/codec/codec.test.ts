import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { BodyReader } from './body-reader.ts';
import { ChunkedDecoder, encodeChunk, lastChunk } from './chunked.ts';
import { endToEnd, type Field, valueOf } from './fields.ts';
import { requestFraming, responseFraming } from './framing.ts';
import { HeadReader } from './head-reader.ts';
import { type RequestHead, RequestHeads, readRequestHead, readResponseHead } from './head.ts';
import { encodeHead } from './write.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const bytes = (text: string): Uint8Array => encoder.encode(text);

/** Reads one head that arrives in the pieces that `cuts` make. */
function inPieces(text: string, cuts: readonly number[], max = 65_536): RequestHead | undefined {
  const all = bytes(text);
  const reader = new HeadReader(max);
  let from = 0;
  for (const cut of [...cuts, all.length]) {
    const found = reader.push(all.slice(from, cut), 0);
    if (found !== undefined) {
      assert.equal(from + found.next, all.length, 'the head ends where the text does');
      return readRequestHead(found.head, 100);
    }
    from = cut;
  }
  return undefined;
}

const whole = (text: string): RequestHead => {
  const head = inPieces(text, []);
  assert.ok(head !== undefined, 'the head is whole');
  return head;
};

const get = 'GET /a/b?c=d HTTP/1.1\r\nHost: App.test:80\r\nAccept: \t*/* \r\nX: \r\n\r\n';

describe('heads of the requests of one connection', () => {
  it('are read as if each were alone, and share the fields that are the same', () => {
    const line = fc.constantFrom('GET / HTTP/1.1', 'POST /x HTTP/1.0', 'GET / HTTP/2', 'GET  /');
    const field = fc.constantFrom('Host: a', 'Host: b', 'X: 1', 'X: 2', 'bad', 'Host : a');
    const head = fc.tuple(line, fc.array(field, { maxLength: 3 }));
    fc.assert(
      fc.property(fc.array(head, { maxLength: 6 }), (heads) => {
        const reader = new RequestHeads(2);
        const read = (make: () => RequestHead): unknown => {
          try {
            return make();
          } catch (thrown) {
            return String(thrown);
          }
        };
        for (const [first, fields] of heads) {
          const raw = bytes(`${[first, ...fields].join('\r\n')}\r\n\r\n`);
          assert.deepEqual(
            read(() => reader.read(raw)),
            read(() => readRequestHead(raw, 2)),
          );
        }
      }),
    );
    const reader = new RequestHeads(9);
    const { fields } = reader.read(bytes(get));
    assert.equal(reader.read(bytes(get.replace('/a/b', '/c'))).fields, fields);
    assert.notEqual(reader.read(bytes(get.replace('*/*', '*/1'))).fields, fields);
  });
});

describe('heads of requests', () => {
  it('are the same whole, byte by byte and at every split', () => {
    const expected = whole(get);
    assert.equal(expected.path, '/a/b');
    assert.equal(expected.query, 'c=d');
    assert.equal(expected.host, 'app.test:80');
    assert.equal(valueOf(expected.fields, 'accept'), '*/*');
    for (let cut = 1; cut < get.length; cut += 1) assert.deepEqual(inPieces(get, [cut]), expected);
    const each = Array.from({ length: get.length - 1 }, (_, index) => index + 1);
    assert.deepEqual(inPieces(get, each), expected);
  });

  it('are refused when they are not exactly the grammar', () => {
    const lines = (...all: string[]): string => `${all.join('\r\n')}\r\n\r\n`;
    const host = 'Host: a';
    const cases: Readonly<Record<string, string>> = {
      'two spaces': lines('GET  / HTTP/1.1', host),
      'a tab': lines('GET\t/ HTTP/1.1', host),
      'no version': lines('GET /', host),
      'HTTP/0.9': 'GET /\r\n\r\n',
      'HTTP/2.0': lines('GET / HTTP/2.0', host),
      'lower-case version': lines('GET / http/1.1', host),
      'trailing space': lines('GET / HTTP/1.1 ', host),
      'no host': lines('GET / HTTP/1.1', 'A: b'),
      'two hosts': lines('GET / HTTP/1.1', host, 'host: a'),
      'a host with a path': lines('GET / HTTP/1.1', 'Host: a/b'),
      'another host in the target': lines('GET http://b/ HTTP/1.1', host),
      'a user in the target': lines('GET http://a@b/ HTTP/1.1', 'Host: b'),
      'space before the colon': lines('GET / HTTP/1.1', host, 'A : b'),
      'a folded line': lines('GET / HTTP/1.1', host, 'A: b', ' c'),
      'a line without a colon': lines('GET / HTTP/1.1', host, 'A'),
      'an empty name': lines('GET / HTTP/1.1', host, ': b'),
      'a bare CR in a value': lines('GET / HTTP/1.1', host, 'A: b\rc'),
      'a bare LF': 'GET / HTTP/1.1\nHost: a\n\n',
      'a bare LF at the end': 'GET / HTTP/1.1\r\nHost: a\r\n\n',
      'NUL in a value': lines('GET / HTTP/1.1', host, 'A: \0'),
      'a name that is not ASCII': lines('GET / HTTP/1.1', host, 'Ä: b'),
      'an empty line first': `\r\n${get}`,
      'a fragment': lines('GET /a#b HTTP/1.1', host),
      'a fragment in the query': lines('GET /a?b#c HTTP/1.1', host),
      'an asterisk': lines('GET * HTTP/1.1', host),
      CONNECT: lines('CONNECT a:1 HTTP/1.1', host),
      'no slash': lines('GET a HTTP/1.1', host),
    };
    for (const [name, text] of Object.entries(cases)) {
      assert.throws(() => whole(text), { name: 'GatewayError' }, name);
    }
  });

  it('are refused above the limits, however they arrive', () => {
    const long = `GET / HTTP/1.1\r\nHost: a\r\nA: ${'x'.repeat(1000)}\r\n\r\n`;
    assert.throws(() => inPieces(long, [], 1000), { code: 'SP_FRAME_TOO_LARGE' });
    assert.throws(() => inPieces(long, [500, 900], 1000), { code: 'SP_FRAME_TOO_LARGE' });
    const many = `GET / HTTP/1.1\r\nHost: a\r\n${'A: b\r\n'.repeat(100)}\r\n`;
    assert.throws(() => whole(many), { code: 'SP_FRAME_TOO_LARGE' });
  });

  it('take a target that names the host as the path of that host', () => {
    const head = whole('GET http://A:1/x/../y HTTP/1.1\r\nHost: a:1\r\n\r\n');
    assert.deepEqual([head.path, head.host], ['/y', 'a:1']);
  });

  it('survive being written and read again', () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,10}$/).filter((text) => text !== 'host');
    const value = fc.stringMatching(/^[!-~]([ -~]{0,20}[!-~])?$/);
    const field: fc.Arbitrary<Field> = fc
      .tuple(name, value)
      .map((pair) => ({ name: pair[0], value: pair[1] }));
    fc.assert(
      fc.property(fc.array(field, { maxLength: 8 }), fc.nat({ max: 400 }), (fields, cut) => {
        const all = [{ name: 'host', value: 'a' }, ...fields];
        const text = decoder.decode(encodeHead('GET /x HTTP/1.1', all));
        const head = inPieces(text, cut < text.length && cut > 0 ? [cut] : []);
        assert.deepEqual(head?.fields, all);
      }),
    );
  });

  it('give an answer or a GatewayError for any bytes', () => {
    const piece = fc.constantFrom('GET', ' ', '/', ' HTTP/1.1', '\r\n', '\r', '\n', ':', 'Host: a');
    const soup = fc.array(fc.oneof(piece, fc.string({ unit: 'binary', maxLength: 3 })), {
      maxLength: 20,
    });
    fc.assert(
      fc.property(soup, (parts) => {
        try {
          inPieces(`${parts.join('')}\r\n\r\n`, []);
        } catch (thrown) {
          if (thrown instanceof assert.AssertionError) return;
          assert.ok(thrown instanceof Error && thrown.name === 'GatewayError');
        }
      }),
    );
  });
});

describe('lengths of bodies', () => {
  const framing = (...fields: string[]) =>
    requestFraming(whole(`POST / HTTP/1.1\r\nHost: a\r\n${fields.join('\r\n')}\r\n\r\n`));

  it('are read where there is one answer', () => {
    assert.deepEqual(framing('Content-Length: 12'), { kind: 'length', length: 12 });
    assert.deepEqual(framing('Transfer-Encoding: Chunked'), { kind: 'chunked' });
    assert.deepEqual(framing('A: b'), { kind: 'none' });
  });

  it('are refused where there could be two', () => {
    const cases: readonly (readonly string[])[] = [
      ['Content-Length: 1', 'Transfer-Encoding: chunked'],
      ['Content-Length: 1', 'Content-Length: 1'],
      ['Content-Length: 1, 1'],
      ['Content-Length: +1'],
      ['Content-Length: -1'],
      ['Content-Length: 0x1'],
      ['Content-Length:'],
      ['Content-Length: 1 1'],
      ['Content-Length: 9999999999999999'],
      ['Transfer-Encoding: xchunked'],
      ['Transfer-Encoding: gzip, chunked'],
      ['Transfer-Encoding: chunked, identity'],
      ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'],
      ['Transfer-Encoding: chunked;a=b'],
      ['Transfer-Encoding:'],
      ['Content_Length: 1'],
      ['Transfer_Encoding: chunked'],
    ];
    for (const fields of cases) {
      assert.throws(() => framing(...fields), { code: 'SP_FRAME_MALFORMED' }, fields.join(' + '));
    }
    const old = whole('POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n');
    assert.throws(() => requestFraming(old), { code: 'SP_FRAME_MALFORMED' });
  });

  it('of responses follow status and method', () => {
    const of = (status: number, method: string, field = 'A: b') =>
      responseFraming(
        readResponseHead(bytes(`HTTP/1.1 ${status} x\r\n${field}\r\n\r\n`), 10),
        method,
      ).kind;
    assert.equal(of(200, 'GET'), 'close');
    assert.equal(of(200, 'GET', 'Content-Length: 3'), 'length');
    assert.equal(of(200, 'HEAD', 'Content-Length: 3'), 'none');
    for (const status of [100, 101, 204, 304]) assert.equal(of(status, 'GET'), 'none');
  });
});

describe('heads of responses', () => {
  const read = (line: string) => readResponseHead(bytes(`${line}\r\nA: b\r\n\r\n`), 10);

  it('are read with and without a reason', () => {
    assert.deepEqual(read('HTTP/1.1 200 All right').reason, 'All right');
    assert.deepEqual(read('HTTP/1.0 404').status, 404);
    assert.deepEqual(read('HTTP/1.1 200 ').reason, '');
  });

  it('are refused when the status line is another', () => {
    for (const line of ['HTTP/1.1 20 x', 'HTTP/1.1 2000', 'HTTP/1.1  200', 'ICY 200 OK', 'x', '']) {
      assert.throws(() => read(line), { code: 'SP_FRAME_MALFORMED' }, line);
    }
    assert.throws(() => read('HTTP/1.1 600 x'), { code: 'SP_FRAME_MALFORMED' });
  });
});

/** What a decoder gives for text in pieces of one size. */
function decoded(text: string, size: number): { readonly body: string; readonly rest: number } {
  const all = bytes(text);
  const chunked = new ChunkedDecoder();
  let body = '';
  let at = 0;
  while (at < all.length && !chunked.isDone) {
    const piece = all.subarray(at, at + size);
    at += chunked.push(piece, 0, (view, start, end) => {
      body += decoder.decode(view.subarray(start, end));
    });
  }
  assert.ok(chunked.isDone, 'the body is whole');
  return { body, rest: all.length - at };
}

describe('the chunked coding', () => {
  it('is decoded in pieces of any size, and leaves what follows', () => {
    const text = '5\r\nhello\r\n06\r\n world\r\n0\r\nX-T: 1\r\n\r\nGET';
    for (let size = 1; size <= text.length; size += 1) {
      assert.deepEqual(decoded(text, size), { body: 'hello world', rest: 3 });
    }
  });

  it('is refused when it is not exact', () => {
    for (const text of [
      '5;a=b\r\nhello\r\n0\r\n\r\n',
      '5 \r\nhello\r\n0\r\n\r\n',
      ' 5\r\nhello\r\n0\r\n\r\n',
      '0x5\r\nhello\r\n0\r\n\r\n',
      '5\nhello\n0\n\n',
      '5\r\nhello0\r\n\r\n',
      '4\r\nhello\r\n0\r\n\r\n',
      '\r\n0\r\n\r\n',
      '-1\r\n',
      '000000005\r\nhello\r\n0\r\n\r\n',
      '0\r\nX T: 1\r\n\r\n',
      '0\r\nX: 1\n\r\n',
    ]) {
      assert.throws(() => decoded(text, 100), { code: 'SP_FRAME_MALFORMED' }, text);
    }
    assert.throws(() => decoded(`0\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`, 1_000), {
      code: 'SP_FRAME_TOO_LARGE',
    });
  });

  it('gives back what was encoded', () => {
    const parts = fc.array(fc.stringMatching(/^[a-z]{1,40}$/), { maxLength: 5 });
    fc.assert(
      fc.property(parts, fc.integer({ min: 1, max: 50 }), (texts, size) => {
        const chunks = texts.map((text) => encodeChunk(bytes(text), 0, text.length));
        const all = decoder.decode(Buffer.concat([...chunks, lastChunk]));
        assert.equal(decoded(all, size).body, texts.join(''));
      }),
    );
  });
});

describe('bodies', () => {
  it('end where their length says', () => {
    const reader = new BodyReader({ kind: 'length', length: 4 });
    let taken = 0;
    const take = (_bytes: Uint8Array, start: number, end: number): void => {
      taken += end - start;
    };
    assert.equal(reader.push(bytes('abc'), 0, take), 3);
    assert.equal(reader.isDone, false);
    assert.equal(reader.push(bytes('xdGET'), 1, take), 2);
    assert.deepEqual([reader.isDone, taken], [true, 4]);
  });

  it('can end with the connection, or be none', () => {
    assert.equal(new BodyReader({ kind: 'close' }).mayEndByClose, true);
    assert.equal(new BodyReader({ kind: 'none' }).isDone, true);
  });
});

describe('fields', () => {
  it('of the connection do not go on, nor what Connection names', () => {
    const { fields } = whole(
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Secret\r\nX-Secret: 1\r\nTE: trailers\r\n' +
        'Keep-Alive: 1\r\nUpgrade: h2c\r\nY: 2\r\n\r\n',
    );
    assert.deepEqual(
      endToEnd(fields).map(({ name }) => name),
      ['host', 'y'],
    );
  });

  it('cannot be written when they would break out of their line', () => {
    const broken = [{ name: 'a', value: 'b\r\nc: d' }];
    assert.throws(() => encodeHead('GET / HTTP/1.1', broken), { code: 'SP_INTERNAL' });
    assert.throws(() => encodeHead('GET /\r\n HTTP/1.1', []), { code: 'SP_INTERNAL' });
  });
});
