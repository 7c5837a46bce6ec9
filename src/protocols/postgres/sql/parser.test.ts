import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '#core/clock.ts';
import { defaultLimits } from '#core/limits.ts';
import { createSqlParser, type ParsedText, type SqlParser } from './parser.ts';

const limits = { statementBytesMax: defaultLimits.statementBytesMax, analysisMsMax: 5_000 };

const kinds = (parsed: ParsedText): readonly string[] =>
  parsed.kind === 'tree'
    ? parsed.statements.map((each) => Object.keys(each.tree)[0] ?? '')
    : [parsed.kind];

const texts = (text: string, parsed: ParsedText): readonly string[] =>
  parsed.kind === 'tree' ? parsed.statements.map((each) => text.slice(each.start, each.end)) : [];

describe('the parser', () => {
  let parser: SqlParser;
  /** Everything goes to the threads. */
  let threaded: SqlParser;
  before(async () => {
    parser = await createSqlParser({ clock: systemClock, limits });
    threaded = await createSqlParser({ clock: systemClock, limits, inPlaceMax: 0 });
  });
  after(() => Promise.all([parser.close(), threaded.close()]));

  /** Parses in place and in a thread; both must say the same. */
  async function both(text: string): Promise<ParsedText> {
    const one = await parser.parse(text);
    const two = await threaded.parse(text);
    const plain = (parsed: ParsedText): unknown =>
      parsed.kind === 'tree'
        ? parsed.statements.map(({ tree, start, end }) => ({ tree, start, end }))
        : parsed;
    assert.deepEqual(plain(two), plain(one));
    return one;
  }

  it('gives a tree for each statement, and where it stands', async () => {
    const text = 'SELECT \'é€😀\'; /* x */ DELETE FROM "t\u{1F600}" ;; -- end\r UPDATE t SET a = 1';
    const parsed = await both(text);
    assert.deepEqual(kinds(parsed), ['SelectStmt', 'DeleteStmt', 'UpdateStmt']);
    assert.deepEqual(texts(text, parsed), [
      "SELECT 'é€😀'",
      'DELETE FROM "t\u{1F600}" ',
      'UPDATE t SET a = 1',
    ]);
    assert.deepEqual(kinds(await both('')), []);
    assert.deepEqual(kinds(await both(' ;; -- nothing')), []);
  });

  it('answers for short texts at once', () => {
    assert.ok(!(parser.parse('SELECT 1') instanceof Promise));
    assert.ok(parser.parse(`SELECT '${'x'.repeat(10_000)}'`) instanceof Promise);
  });

  it('tells a syntax error from a failure', async () => {
    const parsed = await both('SELECT é FROM FROM t');
    assert.deepEqual(parsed, {
      kind: 'syntax-error',
      message: 'syntax error at or near "FROM"',
      position: 14,
    });
    for (const text of [
      "SELECT 'open",
      'SELECT $q$ open',
      '/* open',
      'SELECT "" FROM t',
      'ſELECT 1',
    ]) {
      assert.equal((await both(text)).kind, 'syntax-error', text);
    }
    assert.equal((await both('SELECT ?')).kind, 'syntax-error');
    assert.equal((await both(`SELECT ${'('.repeat(4_000)}`)).kind, 'syntax-error');
  });

  it('reads comments as the server does, wherever they stand', async () => {
    for (const text of [
      'SELECT a NOT~IN (1)',
      "SELECT a NOT~LIKE 'x'",
      'SELECT 1 ORDER BY a NULLS~FIRST',
      'SELECT now()::timestamp WITH~TIME ZONE',
      'SELECT * FROM f() WITH~ORDINALITY',
      `SELECT U&"!0041"~UESCAPE~'!'`,
    ]) {
      for (const comment of ['/*é*/', '--é\n', ' /* /* */ */ ', '--\r']) {
        const plain = (parsed: ParsedText): string =>
          JSON.stringify(parsed.kind === 'tree' ? parsed.statements[0]?.tree : parsed).replace(
            /"(location|rexpr_list_start|rexpr_list_end)":\d+/g,
            '',
          );
        const commented = await both(text.replaceAll('~', comment));
        assert.equal(plain(commented), plain(await both(text.replaceAll('~', ' '))));
        assert.equal(commented.kind, 'tree');
      }
    }
    // The server joins these two; what is a comment behind them depends on it.
    const hidden = "SELECT E'a' -- c\n'\\' /* '; DELETE FROM t; -- */ ''";
    assert.equal((await both(hidden)).kind, 'syntax-error');
  });

  it('refuses what it could read only in part', async () => {
    assert.equal((await both('SELECT 1\0; DELETE FROM t')).kind, 'refused');
    assert.equal((await both("SELECT '\ud800'")).kind, 'refused');
    assert.equal((await parser.parse(`SELECT '${'x'.repeat(5_000_000)}'`)).kind, 'refused');
    assert.equal((await parser.parse(`SELECT '${'é'.repeat(2_500_000)}'`)).kind, 'refused');
  });

  it('cuts long names where the server cuts them', async () => {
    const parsed = await both(`SELECT * FROM ${'é'.repeat(40)}`);
    assert.match(JSON.stringify(parsed), new RegExp(`"${'é'.repeat(31)}"`));
  });

  it('survives what breaks its instance, many times over', async () => {
    const shapes: readonly ((count: number) => string)[] = [
      (count) => `SELECT 1${'+1'.repeat(count)}`,
      (count) => `SELECT 1${'::int'.repeat(count)}`,
      (count) => `SELECT 1${' UNION SELECT 1'.repeat(count)}`,
      (count) => `SELECT ${'(SELECT '.repeat(count)}1${')'.repeat(count)}`,
      (count) => `SELECT 1 FROM t${' JOIN t ON true'.repeat(count)}`,
      (count) => `SELECT ${'NOT '.repeat(count)}true`,
      (count) => `SELECT ${'ARRAY['.repeat(count)}1${']'.repeat(count)}`,
    ];
    const roomy = await createSqlParser({ clock: systemClock, limits, inPlaceMax: 1_000_000 });
    for (const shape of shapes) {
      for (const count of [100, 4_000, 20_000]) {
        const parsed = await roomy.parse(shape(count));
        assert.ok(['tree', 'syntax-error', 'refused'].includes(parsed.kind));
        assert.deepEqual(kinds(await roomy.parse('SELECT 2')), ['SelectStmt']);
      }
    }
    await roomy.close();
  });

  it('replaces a thread that takes too long', async () => {
    const hasty = await createSqlParser({
      clock: systemClock,
      limits: { ...limits, analysisMsMax: 1 },
      inPlaceMax: 100,
    });
    const slow = await hasty.parse(`SELECT 1${' OR 1 AND 1'.repeat(100_000)}`);
    assert.deepEqual(slow, { kind: 'refused', reason: 'it took too long to parse' });
    assert.deepEqual(kinds(await hasty.parse('SELECT 2')), ['SelectStmt']);
    await hasty.close();
  });

  it('thins long lists of constants, and says so', async () => {
    const row = "(1, 'a', NULL, 2.5)";
    const rows = Array.from({ length: 50_000 }, () => row);
    rows[40_000] = "(1, 'a', now(), 2.5)";
    const parsed = await parser.parse(`INSERT INTO t VALUES ${rows.join(', ')}`);
    assert.ok(parsed.kind === 'tree');
    assert.equal(parsed.statements[0]?.reduced, true);
    const json = JSON.stringify(parsed.statements[0]?.tree);
    // Every row that is not constants alone is still there.
    assert.match(json, /FuncCall/);
    assert.ok(json.length < 10_000);
    const list = await parser.parse(`SELECT 1 FROM t WHERE a IN (${'1, '.repeat(100_000)}f(2))`);
    assert.ok(list.kind === 'tree');
    assert.match(JSON.stringify(list.statements[0]?.tree), /FuncCall/);
    const batch = `(${Array.from({ length: 60_000 }, (_, at) => `$${at + 1}::uuid`).join(', ')})`;
    const parameters = await parser.parse(`SELECT 1 FROM t WHERE a IN ${batch}`);
    assert.equal(parameters.kind === 'tree' && parameters.statements[0]?.reduced, true);
    const literal = await parser.parse(`SELECT '${'x'.repeat(4_000_000)}'`);
    assert.equal(literal.kind === 'tree' && literal.statements[0]?.reduced, true);
    const few = await parser.parse(`SELECT '${'x'.repeat(20_000)}'`);
    assert.equal(few.kind === 'tree' && few.statements[0]?.reduced, false);
  });

  it('refuses what stays too large', async () => {
    const columns = await parser.parse(`SELECT ${'a.b, '.repeat(100_000)} a.b`);
    assert.deepEqual(columns, {
      kind: 'refused',
      reason: 'a statement is too complex to be analysed',
    });
    assert.equal((await parser.parse('SELECT 1;'.repeat(20_000))).kind, 'refused');
    assert.equal(kinds(await parser.parse('SELECT 1;'.repeat(9_000))).length, 9_000);
  });

  it('bounds what waits', async () => {
    const long = `SELECT '${'x'.repeat(3_000_000)}'`;
    const waiting = await Promise.all(Array.from({ length: 100 }, () => threaded.parse(long)));
    const refused = waiting.filter((parsed) => parsed.kind === 'refused');
    assert.ok(refused.length > 50 && refused.length < 100);
  });

  it('refuses everything once closed', async () => {
    const closed = await createSqlParser({ clock: systemClock, limits });
    const pending = closed.parse(`SELECT '${'x'.repeat(100_000)}'`);
    await closed.close();
    assert.equal((await pending).kind, 'refused');
    assert.equal((await closed.parse('SELECT 1')).kind, 'refused');
  });
});
