import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { opaqueFacts } from '#core/facts.ts';
import { AnalysisCache, type CacheState } from './cache.ts';
import { makeCatalogue } from './catalogue-snapshot.ts';
import type { SqlAnalysis, SqlStatement } from './types.ts';

const limits = { analysisEntriesMax: 100, analysisBytesMax: 1_000_000 };

function catalogue(version: string): CacheState['catalogue'] {
  return makeCatalogue({ version, serverVersion: 180_000, database: 'd', parts: new Map() });
}

const base: CacheState = {
  catalogue: catalogue('1'),
  searchPath: ['pg_catalog', 'public'],
  role: 'alice',
  database: 'd',
  known: true,
};

function analysis(text: string, change: Partial<SqlStatement> = {}): SqlAnalysis {
  const statement: SqlStatement = {
    text,
    facts: { ...opaqueFacts('test'), verbs: ['SELECT'] },
    output: [],
    changes: [],
    copy: undefined,
    messagesMayLeak: false,
    ...change,
  };
  return { statements: [statement], syntaxError: undefined };
}

describe('the cache of analyses', () => {
  it('finds an analysis by text, and by shape when no literal counts', () => {
    const cache = new AnalysisCache({ limits });
    const one = analysis('SELECT 1');
    cache.keep('SELECT 1', base, 'm', { analysis: one, reuse: 'text' });
    assert.equal(cache.find('SELECT 1', base, 'm'), one);
    assert.equal(cache.find('SELECT 2', base, 'm'), undefined);
    const two = analysis("SELECT 'a'");
    cache.keep("SELECT 'a'", base, 'm', { analysis: two, reuse: 'shape' });
    assert.equal(cache.find("SELECT 'a'", base, 'm'), two);
    const found = cache.find(" SELECT  'b' ;", base, 'm');
    assert.equal(found, undefined);
    const other = cache.find("SELECT 'b';", base, 'm');
    assert.equal(other, undefined);
    assert.equal(cache.find("SELECT 'b'", base, 'm')?.statements[0]?.text, "SELECT 'b'");
    assert.equal(
      cache.find("SELECT 'b'", base, 'm')?.statements[0]?.facts,
      two.statements[0]?.facts,
    );
    cache.keep('EXECUTE p', base, 'm', { analysis: analysis('EXECUTE p'), reuse: 'never' });
    assert.equal(cache.find('EXECUTE p', base, 'm'), undefined);
  });

  it('finds nothing under another catalogue, mask set, path, role or database', () => {
    const cache = new AnalysisCache({ limits });
    cache.keep('SELECT 1', base, 'm', { analysis: analysis('SELECT 1'), reuse: 'shape' });
    const others: readonly (readonly [CacheState, string])[] = [
      [{ ...base, catalogue: catalogue('2') }, 'm'],
      [{ ...base, searchPath: ['pg_catalog', 'public', 'x'] }, 'm'],
      [{ ...base, searchPath: ['public', 'pg_catalog'] }, 'm'],
      [{ ...base, role: 'bob' }, 'm'],
      [{ ...base, database: 'e' }, 'm'],
      [{ ...base, known: false }, 'm'],
      [base, 'n'],
    ];
    for (const [state, masks] of others) {
      for (const text of ['SELECT 1', 'SELECT 2']) {
        assert.equal(cache.find(text, state, masks), undefined);
        assert.notEqual(cache.find(text, base, 'm'), undefined);
      }
    }
    // The same by value is the same.
    const same = { ...base, searchPath: [...base.searchPath], catalogue: catalogue('1') };
    assert.notEqual(cache.find('SELECT 1', same, 'm'), undefined);
  });

  it('never shares by shape what has more in its literals', () => {
    const cache = new AnalysisCache({ limits });
    const copy = {
      format: 'csv',
      delimiter: ',',
      nullText: '',
      quote: '"',
      escape: '"',
      header: false,
    } as const;
    const cases: readonly Partial<SqlStatement>[] = [
      { copy },
      { changes: [{ kind: 'settings' }] },
      { facts: { ...opaqueFacts('x'), verbs: ['SET'] } },
    ];
    for (const [at, change] of cases.entries()) {
      const text = `SELECT ${'a'.repeat(at + 1)}, 1`;
      cache.keep(text, base, 'm', { analysis: analysis(text, change), reuse: 'shape' });
      assert.notEqual(cache.find(text, base, 'm'), undefined);
      assert.equal(cache.find(text.replace('1', '2'), base, 'm'), undefined);
    }
  });

  it('keeps what is in use, and a bounded number', () => {
    const cache = new AnalysisCache({ limits });
    cache.keep('SELECT hot', base, 'm', { analysis: analysis('SELECT hot'), reuse: 'text' });
    for (let count = 0; count < 10_000; count += 1) {
      const text = `SELECT c${count}`;
      cache.keep(text, base, 'm', { analysis: analysis(text), reuse: 'text' });
      if (count % 10 === 0) assert.notEqual(cache.find('SELECT hot', base, 'm'), undefined);
    }
    let left = 0;
    for (let count = 0; count < 10_000; count += 1) {
      if (cache.find(`SELECT c${count}`, base, 'm') !== undefined) left += 1;
    }
    assert.ok(left > 0 && left <= 100);
  });

  it('keeps a bounded number of bytes', () => {
    const cache = new AnalysisCache({ limits: { ...limits, analysisBytesMax: 100_000 } });
    const text = (count: number): string => `SELECT ${'x'.repeat(5_000)}${count}`;
    for (let count = 0; count < 50; count += 1) {
      cache.keep(text(count), base, 'm', { analysis: analysis(text(count)), reuse: 'text' });
    }
    let left = 0;
    for (let count = 0; count < 50; count += 1) {
      if (cache.find(text(count), base, 'm') !== undefined) left += 1;
    }
    assert.ok(left > 0 && left < 10);
    const long = `SELECT ${'x'.repeat(70_000)}`;
    cache.keep(long, base, 'm', { analysis: analysis(long), reuse: 'text' });
    assert.equal(cache.find(long, base, 'm'), undefined);
  });
});
