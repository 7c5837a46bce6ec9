/** Commands outside a session: what names mean along the frames of one connection. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { MaskSet } from '#core/masking.ts';
import { tableAnalyser } from '../../../test/support/analyser.ts';
import { analyseOffline } from './commands-offline.ts';
import type { StartState } from './learned.ts';
import { readFrames } from './offline-frames.ts';
import { makeCatalogue } from './sql/catalogue-snapshot.ts';

const masks: MaskSet = {
  version: '',
  empty: true,
  column: () => undefined,
  columns: [],
  content: undefined,
  without: () => masks,
  replace: () => null,
};
const state: StartState = {
  catalogue: makeCatalogue({ version: 'v', serverVersion: 18, database: 'd', parts: new Map() }),
  searchPath: ['pg_catalog', 'public'],
  role: 'app',
  database: 'd',
  known: true,
};
const analyser = tableAnalyser({ opaque: ['do it'] });

/** Each command as `text: analysis`. */
async function found(input: unknown, isLearned = true): Promise<string[]> {
  const parts = { analyser, state: isLearned ? state : undefined, masks };
  const commands = await analyseOffline(parts, input);
  return commands.map(({ text, facts }) => `${text}: ${facts.analysis}`);
}

const parse = (sql: string, name?: string) => ({ parse: { sql, ...(name ? { name } : {}) } });
const query = (text: string) => ({ query: text });
const execute = { execute: {} };

describe('commands outside a session', () => {
  it('are the statements of a text, or none that does nothing', async () => {
    assert.deepEqual(await found('select 1; select 2'), [
      'select 1: complete',
      'select 2: complete',
    ]);
    assert.deepEqual(await found(''), [': complete']);
    assert.deepEqual(await found([]), []);
  });

  it('are opaque where the place was not learned', async () => {
    assert.deepEqual(await found('select 1; select 2', false), ['select 1; select 2: opaque']);
  });

  it('are judged in the dark behind one that changes what texts mean', async () => {
    assert.deepEqual(await found('select 1; set a = b; select 2'), [
      'select 1: complete',
      'set a = b: complete',
      'select 2: partial',
    ]);
    assert.deepEqual(await found([query('create x'), query('select 1'), query('begin')]), [
      'create x: complete',
      'select 1: partial',
      'begin: complete',
    ]);
    assert.deepEqual(await found([query('do it'), query('begin')]), [
      'do it: opaque',
      'begin: opaque',
    ]);
  });

  it('count once for a parse and its execution, unless that means something else by then', async () => {
    assert.deepEqual(await found([parse('select 1'), { bind: {} }, execute, execute]), [
      'select 1: complete',
    ]);
    const changed = [
      parse('select 1', 's'),
      query('set a = b'),
      { bind: { statement: 's' } },
      execute,
    ];
    assert.deepEqual(await found(changed), [
      'select 1: complete',
      'set a = b: complete',
      'select 1: partial',
    ]);
  });

  it('follow names through SQL and the protocol', async () => {
    const bind = { bind: { statement: 's', portal: 'p' } };
    const run = { execute: { portal: 'p' } };
    assert.deepEqual(await found([query('prepare s as delete 1'), bind, run]), [
      'prepare s as delete 1: complete',
      'delete 1: complete',
    ]);
    assert.deepEqual(
      await found([
        parse('select 1', 's'),
        query('deallocate s; prepare s as delete 1'),
        bind,
        run,
      ]),
      [
        'select 1: complete',
        'deallocate s: complete',
        'prepare s as delete 1: complete',
        'delete 1: complete',
      ],
    );
    assert.deepEqual(
      await found([parse('select 1', 's'), { close: { kind: 'S', name: 's' } }, bind, run]),
      ['select 1: complete', ': opaque'],
    );
    assert.deepEqual(
      await found([query('declare p cursor for select 1'), run, query('close p'), run]),
      [
        'declare p cursor for select 1: complete',
        'select 1: complete',
        'close p: complete',
        ': opaque',
      ],
    );
    assert.deepEqual(await found([parse('select 1', 's'), bind, query('do it'), run]), [
      'select 1: complete',
      'do it: opaque',
      'select 1: opaque',
    ]);
  });

  it('are refused by the parameters of a start that the gateway refuses', async () => {
    const [login, read] = await found({ startup: { options: '-c role=x' }, input: 'select 1' });
    assert.deepEqual([login, read], [': opaque', 'select 1: complete']);
    assert.deepEqual(await found({ startup: { application_name: 'x' }, input: 'select 1' }), [
      'select 1: complete',
    ]);
  });

  it('are opaque in every frame that is not understood, and nothing is thrown', async () => {
    const frames = [
      { function_call: { oid: 1 } },
      { query_hex: '00ff' },
      { query: 1 },
      7,
      { a: 1 },
    ];
    assert.deepEqual(
      await found(frames),
      frames.map(() => ': opaque'),
    );
    assert.deepEqual(await found([{ query_hex: '73656c6563742031' }]), ['select 1: complete']);
    assert.deepEqual(await found('select \0'), ['select \0: opaque']);
    assert.deepEqual(await found([{ query: 'select 1', sync: true }]), [': opaque']);
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (input) => {
        const { frames: read } = readFrames(input);
        const commands = await found(input);
        assert.ok(read.every(({ kind }) => kind === 'nothing') || commands.length > 0);
      }),
    );
  });
});
