import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { CellKind, ContentScanner, MaskSet, Transform } from '#core/masking.ts';
import { createMaskSet } from './mask-set.ts';

const hash = (scope: string, bytes: Uint8Array): Uint8Array =>
  createHmac('sha256', scope).update(bytes).digest();

function masksOf(detect: readonly string[], transform: Transform = { kind: 'redact' }): MaskSet {
  return createMaskSet([{ id: 'm', columns: [], detect, transform }], { version: '1', hash });
}

function scannerOf(detect: readonly string[], transform?: Transform): ContentScanner {
  const { content } = masksOf(detect, transform);
  assert.ok(content !== undefined);
  return content;
}

const everything = scannerOf(['pii', 'secret']);

/** Masks one cell; the text itself when nothing is found. */
function mask(
  text: string,
  options: { kind?: CellKind; column?: string; scanner?: ContentScanner } = {},
): string {
  const { kind = 'text', column = '', scanner = everything } = options;
  // Somewhere in a buffer, as protocols hand cells over.
  const bytes = new TextEncoder().encode(`1@${text}:9`);
  const hint = column === '' ? 0 : scanner.hint(column);
  const masked = scanner.cell(bytes, 2, bytes.length - 2, kind, hint);
  return masked === undefined ? text : new TextDecoder('utf-8', { fatal: true }).decode(masked);
}

describe('content', () => {
  it('replaces what it finds and leaves the rest', () => {
    assert.equal(mask('call +1 202 555 0123 today'), 'call [PHONE] today');
    assert.equal(mask('a@example.com, b@example.com'), '[EMAIL], [EMAIL]');
    assert.equal(mask('4111 1111 1111 1111'), '[CREDIT_CARD]');
    assert.equal(mask('4111 1111 1111 1112'), '4111 1111 1111 1112');
    assert.equal(mask('order 123456789'), 'order 123456789');
    assert.equal(mask('ssn 123456789'), 'ssn [US_SSN]');
  });

  it('sees numbers behind others in one group', () => {
    assert.equal(mask('2025-04-08 4111 1111 1111 1111'), '2025-04-08 [CREDIT_CARD]');
    assert.equal(mask('12   4111111111111111'), '12   [CREDIT_CARD]');
    assert.equal(mask('1 2 3 4 5 6 7 8 9 4111 1111 1111 1111'), '1 2 3 4 5 6 7 8 9 [CREDIT_CARD]');
    assert.equal(
      mask(`${'7 '.repeat(100)}4111-1111-1111-1111`),
      `${'7 '.repeat(100)}[CREDIT_CARD]`,
    );
  });

  it('goes by the name of the column', () => {
    assert.equal(mask('123456789', { column: 'custSsn' }), '[US_SSN]');
    assert.equal(mask('Jane Doe', { column: 'cardholder' }), '[PERSON]');
    assert.equal(mask('N/A', { column: 'full_name' }), 'N/A');
    assert.equal(mask('hunter', { column: 'db_password' }), '[SECRET]');
    assert.equal(mask('12', { column: 'password_length' }), '12');
    assert.equal(mask('1.2.3.4', { column: 'version' }), '1.2.3.4');
    assert.equal(mask('9.8.7.6', { column: 'client_ip' }), '[IP_ADDRESS]');
  });

  it('knows names however their words are joined', () => {
    for (const column of [
      'custpassportno',
      'TRAVEL_DOCUMENT_NO',
      'Passport Nr',
      'passport.number',
    ]) {
      assert.equal(mask('E12345678', { column }), '[US_PASSPORT]', column);
    }
    assert.equal(mask('hunter22', { column: 'rootpassword' }), '[SECRET]');
    assert.equal(mask('Y', { column: 'has_password' }), 'Y');
    assert.equal(mask('2024-01-02', { column: 'phone_verified_at' }), '2024-01-02');
  });

  it('reads a name beside its value', () => {
    assert.equal(
      mask('- { name: DB_PASSWORD, value: "correct-horse" }'),
      '- { name: DB_PASSWORD, value: "[SECRET]" }',
    );
    assert.equal(mask('<add key="ApiKey" value="aB3dE5fG7hJ9kL1m" />').includes('aB3d'), false);
    assert.equal(mask('--db-password correct7horse -v'), '--db-password [SECRET] -v');
    assert.equal(mask('ENV API_TOKEN aB3dE5fG7hJ9kL1m'), 'ENV API_TOKEN [SECRET]');
    assert.equal(mask('the password is correct7horse, ok'), 'the password is [SECRET], ok');
    assert.equal(mask('partition_key=aB3dE5fG7hJ9kL1mN2pQ'), 'partition_key=aB3dE5fG7hJ9kL1mN2pQ');
    assert.equal(mask('password=${PASSWORD:?unset}'), 'password=${PASSWORD:?unset}');
  });

  it('reads dates of birth to their end', () => {
    assert.equal(mask('born on 12/05/1980 in Ulm'), 'born on [DATE_OF_BIRTH] in Ulm');
    assert.equal(mask('dob: Jun 22, 1957, male'), 'dob: [DATE_OF_BIRTH], male');
    assert.equal(mask('due on 12/05/2030'), 'due on 12/05/2030');
  });

  it('finds telephone numbers in what other words name', () => {
    assert.equal(mask('OTP sent to +49 151 44886305 ok'), 'OTP sent to [PHONE] ok');
    assert.equal(mask('tel +44 (0)20 7221 7251'), 'tel [PHONE]');
    assert.equal(mask('arn:aws:iam::003906233642:role/x'), 'arn:aws:iam::003906233642:role/x');
    assert.equal(mask('ssh://git@example.com/a/b.git'), 'ssh://git@example.com/a/b.git');
  });

  it('passes over short words and numbers only where there is nothing in them', () => {
    const sign = fc.constantFrom(...Array.from('0123456789ABCXYZabcxyz_.'));
    fc.assert(
      fc.property(fc.array(sign, { minLength: 1, maxLength: 14 }), (signs) => {
        const text = signs.join('');
        // Behind a space it is no token by itself, so it is looked at.
        assert.equal(mask(text), mask(` ${text}`).slice(1));
      }),
      { numRuns: 3_000 },
    );
  });

  it('keeps typed cells typed', () => {
    assert.equal(mask('123456789', { kind: 'integer', column: 'ssn' }), '0');
    assert.equal(mask('4111111111111111', { kind: 'integer' }), '0');
    assert.equal(mask('1980-02-29', { kind: 'date', column: 'date_of_birth' }), '1970-01-01');
    assert.equal(mask('8.8.4.4', { kind: 'inet' }), '0.0.0.0');
    assert.equal(mask('42', { kind: 'integer' }), '42');
    const coarse = scannerOf(['date-of-birth'], { kind: 'generalise', bucket: undefined });
    const options = { kind: 'date', column: 'dob', scanner: coarse } as const;
    assert.equal(mask('1980-02-29', options), '1980-01-01');
  });

  it('reads digits, signs and letters however they are written', () => {
    assert.equal(mask('４１１１１１１１１１１１１１１１'), '[CREDIT_CARD]');
    assert.equal(mask('jane＠example.com'), '[EMAIL]');
    assert.equal(mask('856‑14‑6470'), '[US_SSN]');
    assert.equal(mask('4111\u200b1111\u200b1111\u200b1111'), '[CREDIT_CARD]');
    assert.equal(mask('4111\u00a01111\u00a01111\u00a01111'), '[CREDIT_CARD]');
    assert.equal(mask('٤١١١١١١١١١١١١١١١'), '[CREDIT_CARD]');
    assert.equal(mask('jane\\u0040example.com'), '[EMAIL]');
    assert.equal(mask('café 4111111111111111 naïve'), 'café [CREDIT_CARD] naïve');
  });

  it('keeps terminal colours', () => {
    assert.equal(
      mask('pan 4111\u001b[01;31m1111\u001b[0m11111111 ok'),
      'pan [CREDIT_CARD]\u001b[01;31m\u001b[0m ok',
    );
  });

  it('masks again what it masked, and nothing more', () => {
    const hashing = scannerOf(['pii', 'secret'], { kind: 'hash', scope: 's' });
    for (const scanner of [everything, hashing]) {
      for (const text of [
        'jane@example.com 4111111111111111 ssn=123-45-6789 password=hunter22 +1 202 555 0123',
        '{"ssn":"123-45-6789","name":"Jane Doe","email":"j@example.com"}',
      ]) {
        const once = mask(text, { scanner });
        assert.notEqual(once, text);
        assert.equal(mask(once, { scanner }), once);
      }
    }
  });

  it('gives the same token for the same value wherever it stands', () => {
    const scanner = scannerOf(['email'], { kind: 'hash', scope: 's' });
    const alone = mask('jane@example.com', { scanner });
    assert.equal(mask('<Jane@example.com>', { scanner }), `<${alone}>`);
    assert.equal(mask('jane\\u0040example.com', { scanner }), alone);
  });

  it('keeps JSON valid', () => {
    const cell = { kind: 'json' } as const;
    assert.equal(mask('{"a":"j@example.com"}', cell), '{"a":"[EMAIL]"}');
    assert.equal(mask('{"card":4111111111111111,"n":1.0}', cell), '{"card":0,"n":1.0}');
    assert.equal(mask('{"j@example.com":1}', cell), '{"[EMAIL]":1}');
    assert.equal(mask('{"a":"x \\"j\\u0040example.com\\" y"}', cell), '{"a":"x \\"[EMAIL]\\" y"}');
    assert.equal(mask('{"ssn":"1","ssn":"123-45-6789"}', cell), '{"ssn":"1","ssn":"[US_SSN]"}');
    assert.equal(mask('{"password":"a\\"b c"}', cell), '{"password":"[SECRET]"}');
    assert.equal(
      mask('{"ssn":["123456789","987654320"]}', cell),
      '{"ssn":["[US_SSN]","987654320"]}',
    );
  });

  it('keeps whatever JSON valid, and free of what was put into it', () => {
    const canaries = [
      'jane@example.com',
      '4111111111111111',
      '123-45-6789',
      'ghp_0123456789abcdefghijABCDEFGHIJ012345',
    ];
    const leaf = fc.oneof(
      fc.constantFrom(...canaries),
      fc.string(),
      fc.integer(),
      fc.constant(null),
    );
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        leaf,
        fc.array(tie('tree'), { maxLength: 4 }),
        fc.dictionary(
          fc.oneof(fc.string(), fc.constantFrom('ssn', 'password', 'name')),
          tie('tree'),
          { maxKeys: 4 },
        ),
      ),
    }));
    fc.assert(
      fc.property(tree, fc.boolean(), (value, pretty) => {
        const masked = mask(JSON.stringify(value, null, pretty ? 2 : 0), { kind: 'json' });
        assert.doesNotThrow(() => JSON.parse(masked), masked);
        for (const canary of canaries) assert.ok(!masked.includes(canary), masked);
      }),
      { numRuns: 500 },
    );
  });

  it('sees through the text form of bytes', () => {
    const hex = (text: string): string => `\\x${Buffer.from(text).toString('hex')}`;
    assert.equal(mask(hex('mail j@example.com'), { kind: 'bytes' }), hex('mail [EMAIL]'));
    assert.equal(mask('\\xdeadbeef', { kind: 'bytes' }), '\\xdeadbeef');
  });

  it('keeps arrays and composites what they are', () => {
    assert.equal(mask('{j@example.com,x}'), '{[EMAIL],x}');
    assert.equal(mask('(7,"j@example.com",t)'), '(7,"[EMAIL]",t)');
    assert.equal(mask('{"+1 202 555 0123",NULL}', { column: 'phones' }), '{"[PHONE]",NULL}');
  });

  it('masks every element of a list that has a name', () => {
    const options = { column: 'full_name' };
    assert.equal(mask('{"Jane Doe","John Roe",NULL}', options), '{"[PERSON]","[PERSON]",NULL}');
    assert.equal(mask('["Jane Doe", "John Roe"]', options), '["[PERSON]", "[PERSON]"]');
    const dates = mask('{1980-02-29,1990-01-01}', { column: 'dob' });
    assert.equal(dates, '{[DATE_OF_BIRTH],[DATE_OF_BIRTH]}');
    assert.equal(
      mask('{"full_name":["Jane Doe", "John Roe"],"tag":["Red Chair"]}', { kind: 'json' }),
      '{"full_name":["[PERSON]", "[PERSON]"],"tag":["Red Chair"]}',
    );
    assert.equal(
      mask('{"full_name":["Jane Doe",{"full_name":["Al Roe","Bo Roe"],"size":"Red Chair"}]}'),
      '{"full_name":["[PERSON]",{"full_name":["[PERSON]","[PERSON]"],"size":"Red Chair"}]}',
    );
    const passwords = mask('["hunter","horse"]', { kind: 'json', column: 'oldPasswords' });
    assert.equal(passwords, '["[SECRET]","[SECRET]"]');
  });

  it('masks unread what is too large', () => {
    const rule = { id: 'm', columns: [], detect: ['pii'], transform: { kind: 'redact' } } as const;
    const { content } = createMaskSet([rule], { version: '1', hash, cellBytesMax: 10 });
    assert.ok(content !== undefined);
    assert.equal(mask('nothing at all', { scanner: content }), '[REDACTED]');
  });

  it('masks whole what asks for more work than it is given', () => {
    const many = 'a@b.cc '.repeat(10_000);
    assert.equal(mask(many), '[REDACTED]');
  });

  it('reads lists inside of lists once, whatever their names', () => {
    // Read for each name, they would use up the work that the text is given.
    const lists = mask(`${'"ssn":["078-05-1120",'.repeat(1_000)}${'['.repeat(90_000)}`);
    assert.equal(lists, `${'"ssn":["[US_SSN]",'.repeat(1_000)}${'['.repeat(90_000)}`);
  });

  it('is never longer than it may be, nor finds less by longer text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
        const bytes = new TextEncoder().encode(text);
        const masked = everything.cell(bytes, 0, bytes.length, 'text', 0);
        assert.ok(masked === undefined || masked.length <= 4 * bytes.length + 64);
      }),
      { numRuns: 1_000 },
    );
  });

  it('stands any bytes', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 400 }),
        fc.constantFrom<CellKind>('text', 'json', 'bytes', 'integer', 'other'),
        (bytes, kind) => {
          everything.cell(bytes, 0, bytes.length, kind, everything.hint('ssn'));
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
