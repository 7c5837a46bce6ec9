import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type Arbitrary,
  array,
  assert as check,
  constantFrom,
  infiniteStream,
  letrec,
  nat,
  oneof,
  property,
  tuple,
} from 'fast-check';
import { shapeOf } from './normalise.ts';
import { ParserEngine } from './parser-engine.ts';
import { parserModule } from './parser-module.ts';

const engine = await ParserEngine.create(parserModule());

/** A tree without the values of its constants and without places, or undefined. */
function skeleton(text: string): string | undefined {
  const result = engine.parse(text);
  if (result.kind !== 'json') return undefined;
  return JSON.stringify(JSON.parse(result.json), (key, value: unknown) => {
    if (
      /^(location|stmt_location|stmt_len|list_start|list_end|rexpr_list_(start|end))$/.test(key)
    ) {
      return undefined;
    }
    if (key === 'ival' && typeof value === 'number') return 0;
    // In a constant these are objects, in a name text.
    const isConstant = typeof value === 'object' && /^(ival|sval|bsval|fval)$/.test(key);
    if (isConstant) return key === 'fval' ? typeOf(value) : key;
    return value;
  });
}

/** What type the server gives a number that is too large or not whole. */
function typeOf(value: unknown): string {
  const text = String(Object.values(Object(value))[0]);
  if (!/^-?\d+$/.test(text)) return 'numeric';
  const number = BigInt(text);
  if (number === BigInt.asIntN(32, number)) return 'int4';
  return number === BigInt.asIntN(64, number) ? 'int8' : 'numeric';
}

/** Literals of each kind, as awkward as they come. */
const literals: Readonly<Record<string, readonly string[]>> = {
  s: [
    "''",
    "'x'",
    "''''",
    "'--'",
    "'/*'",
    "'$$'",
    "';'",
    `'"'`,
    "'\\'",
    "E''",
    "e'\\''",
    "E'\\\\'",
    "E'a\\'; x --'",
    '$$$$',
    "$$'$$",
    '$a$ $b$ $a$',
    "$é$'$é$",
    "'a'\n'b'",
    "E'a'\n'\\''",
    "'é😀'",
  ],
  b: ["b''", "B'101'"],
  x: ["x'1f'", "X''"],
  i: ['0', '7', '2147483647', '00000000000012'],
  l: ['2147483649', '9223372036854775807', '3000000000'],
  n: ['9223372036854775809', '1.5', '.5', '1.', '1e5', '1.5E-3', '.5e+10', '123456789012345678901'],
};

/** Puts other literals where the shape says that there were some. */
function refill(key: string, choose: (kind: string) => string): string {
  const [head = '', ...rest] = key.split('\u0001');
  return head + rest.map((part) => choose(part.charAt(0)) + part.slice(1)).join('');
}

/** What a statement can be made of, whole or broken. */
const fragments: readonly string[] = [
  `SELECT ·FROM ·WHERE ·t·"a b"·"a""'"·a$x$·a.b·f(·)·,·(·[·]·::·:· ·+·-·*·/·=·<>·<=·@·~·?·%·$1·$23`,
  `;·AND ·OR ·NOT ·é·'·"·$·$$·e·E·b·U&·n·x·.·..·0x1·1_0·1a·CAST(· AS ·int·IN (·ARRAY[·UESCAPE `,
  `INTERVAL ·DATE ·LIMIT ·/* c */·/* /* */ */·/*·*/`,
  '\n·\t·\f·-- c\n·--\r·\\·\u0001s',
].flatMap((line) => line.split('·'));

const constants = constantFrom(...Object.values(literals).flat());
const pieces = oneof(constants, constantFrom(...fragments));

describe('the shape of a statement', () => {
  it('is the text without its literals and comments', () => {
    const expect = (text: string, key: string | undefined): void => {
      assert.equal(shapeOf(text)?.key, key?.replaceAll('?', '\u0001'));
    };
    expect("SELECT 'a', 1, 1.5, 3000000000, b'1'", 'SELECT ?s, ?i, ?n, ?l, ?b');
    expect('SELECT /* a /* b */ c */ 1 -- end', 'SELECT   ?i  ');
    expect("SELECT E'\\'; x'", 'SELECT ?s');
    expect("SELECT 'a'\n'b'", 'SELECT ?s');
    expect('SELECT $1, $$x$$, $a$x$b$ $a$', 'SELECT $1, ?s, ?s');
    expect('SELECT a$x$ FROM b$x$', 'SELECT a$x$ FROM b$x$');
    expect('SELECT a-- c\r+1', 'SELECT a \r+?i');
    expect('SELECT a<-1', 'SELECT a<-?i');
    expect('SELECT t1.a, "x""1"', 'SELECT t1.a, "x""1"');
  });

  it('is not given where anything is unusual', () => {
    for (const text of [
      '',
      ' -- nothing',
      ';',
      'SELECT 1; SELECT 2',
      '; SELECT 1',
      "SELECT 'open",
      'SELECT "open',
      'SELECT $a$ open',
      'SELECT /* open /* */',
      "SELECT U&'\\0061'",
      'SELECT U&"\\0061"',
      'SELECT 1a',
      'SELECT 0x1f',
      'SELECT 1_000',
      'SELECT 1e',
      'SELECT 1..2',
      "SELECT'a'",
      "SELECT 'a'b",
      "SELECT 'a' 'b'",
      "SELECT 'a' -- c\n'b'",
      "SELECT 'a' /* c */\n'b'",
      'SELECT $1.5',
      "SELECT b'1'''",
      "SELECT b'1'\n'0'",
      'SELECT -2147483648',
      'SELECT -9223372036854775808',
      'SELECT $1a',
      'SELECT \u0001s',
      'SELECT "\u0001s"',
      'SELECT \\',
      'SELECT {d}',
      `SELECT '${'x'.repeat(20_000)}'`,
    ]) {
      assert.equal(shapeOf(text), undefined, text);
    }
  });

  it('says where the statement stands, as the parser does', () => {
    for (const text of [
      'SELECT 1',
      ' /* é */ SELECT 1 ;; -- end',
      '--😀\nSELECT 1  ',
      "SELECT ';' ; ",
      'SELECT 1/* c */',
    ]) {
      const shape = shapeOf(text);
      assert.ok(shape !== undefined);
      const result = engine.parse(text);
      assert.ok(result.kind === 'json');
      const [place] = JSON.parse(result.json).stmts;
      const bytes = Buffer.from(text);
      const start = place.stmt_location ?? 0;
      const end = place.stmt_len === undefined ? bytes.length : start + place.stmt_len;
      assert.equal(text.slice(shape.start, shape.end), bytes.subarray(start, end).toString());
    }
  });

  it('stands for one tree, whatever the literals', () => {
    let shaped = 0;
    let parsed = 0;
    check(
      property(
        array(pieces, { minLength: 1, maxLength: 14 }),
        infiniteStream(nat({ max: 1000 })),
        (parts, numbers) => {
          const text = parts.join('');
          const shape = shapeOf(text);
          if (shape === undefined) return;
          shaped += 1;
          const twin = refill(shape.key, (kind) => {
            const choices = literals[kind] ?? [];
            return choices[Number(numbers.next().value) % choices.length] ?? '';
          });
          assert.equal(shapeOf(twin)?.key, shape.key, twin);
          const tree = skeleton(text);
          assert.equal(skeleton(twin), tree, `${JSON.stringify(text)} and ${JSON.stringify(twin)}`);
          if (tree !== undefined) parsed += 1;
        },
      ),
      { numRuns: 30_000 },
    );
    assert.ok(shaped > 1_000 && parsed > 0);
  });

  it('stands for one tree in statements that parse', () => {
    const expression: Arbitrary<string> = letrec<{ e: string }>((tie) => ({
      e: oneof(
        { maxDepth: 3, withCrossShrink: true },
        constantFrom(...Object.values(literals).flat(), 'a', 't."b c"', '$1', 'NULL', 'a$x$'),
        tuple(
          tie('e'),
          constantFrom('+', '-', ' - ', '+-', '||', '<', '~', ' AND ', '--c\n+'),
          tie('e'),
        ).map((parts) => parts.join('')),
        tie('e').map((e) => `f(${e}, /* ' */ ${e})`),
        tie('e').map((e) => `(${e})::text`),
        tie('e').map((e) => `ARRAY[${e}]`),
        tie('e').map((e) => `(CASE WHEN ${e} IS NULL THEN ${e} END)`),
        tie('e').map((e) => `(SELECT ${e} FROM t WHERE a IN (${e}, 1) LIMIT 3)`),
      ),
    })).e;
    let parsed = 0;
    check(
      property(expression, infiniteStream(nat({ max: 1000 })), (e, numbers) => {
        const text = `SELECT ${e} FROM t`;
        const tree = skeleton(text);
        const shape = shapeOf(text);
        if (tree === undefined || shape === undefined) return;
        parsed += 1;
        const twin = refill(shape.key, (kind) => {
          const choices = literals[kind] ?? [];
          return choices[Number(numbers.next().value) % choices.length] ?? '';
        });
        assert.equal(skeleton(twin), tree, `${JSON.stringify(text)} and ${JSON.stringify(twin)}`);
      }),
      { numRuns: 10_000 },
    );
    assert.ok(parsed > 5_000);
  });
});
