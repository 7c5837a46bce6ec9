import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Effect, Facts } from '#core/facts.ts';
import type { LimitName, Refusal, RunLimits } from '#core/verdict.ts';
import { manualClock } from '../../../test/support/clock.ts';
import { nothing } from './commands.ts';
import { needOf, Tally } from './relay-bounds.ts';
import { describeCounts, difference, readCounts, sumOf } from './relay-counts.ts';
import { Meter, type MeterParts } from './relay-meter.ts';

const limitsOf = (bounds: Partial<Record<LimitName, number>>): RunLimits => ({
  bounds: Object.fromEntries(
    Object.entries(bounds).map(([name, max]) => [name, { max, rule: 'r' }]),
  ),
  release: undefined,
});

const factsOf = (effects: readonly Effect[], rowsChangedMax?: number): Facts => ({
  ...nothing.facts,
  effects,
  objects: [{ kind: 'table', name: 'public.t', access: 'write' }],
  ...(rowsChangedMax === undefined ? {} : { rowsChangedMax }),
});

const ten = limitsOf({ rowsAffected: 10 });

test('what a limit on rows asks of a statement', () => {
  const need = (effects: readonly Effect[], rows?: number): unknown =>
    needOf(factsOf(effects, rows), ten, new Tally(10));
  assert.equal(need(['read', 'lock', 'session'], 0), 'none');
  assert.equal(need(['read', 'update'], 0), 'none', 'FOR UPDATE changes nothing');
  assert.equal(need(['delete'], 10), 'bounded');
  assert.equal(need(['delete'], 11), 'counted');
  assert.equal(need(['delete']), 'counted');
  assert.equal(need(['insert'], 0), 'counted', 'nothing bounds what is added');
  assert.equal(need(['update', 'insert'], 1), 'counted');
});

test('an effect without a place cannot be counted, nor what is not complete', () => {
  const others: readonly Effect[] = [
    'truncate',
    'drop',
    'alter',
    'create',
    'grant',
    'execute-code',
    'file-read',
    'file-write',
    'network',
    'copy-in',
    'admin',
    'unknown',
  ];
  for (const effect of others) {
    const need = needOf(factsOf(['read', effect], 0), ten, new Tally(10));
    assert.match(JSON.stringify(need), new RegExp(`the rows of '${effect}' cannot be counted`));
  }
  const partial: Facts = { ...factsOf(['read'], 0), analysis: 'partial', reasons: ['a trigger'] };
  assert.match(JSON.stringify(needOf(partial, ten, new Tally(10))), /not fully .*a trigger/);
});

test('a total makes a bounded write be counted when its bound might go above it', () => {
  const limits = limitsOf({ rowsAffected: 10, rowsAffectedTotal: 20 });
  const tally = new Tally(2);
  const need = (): unknown => needOf(factsOf(['delete'], 5), limits, tally);
  tally.add('public.t', 15);
  assert.equal(need(), 'bounded');
  tally.add('public.t', 1);
  assert.equal(need(), 'counted');
});

test('beyond the tables that fit every row is one too many', () => {
  const tally = new Tally(2);
  tally.add('a', 1);
  tally.add('b', 1);
  tally.add('c', 1);
  assert.equal(tally.of('c'), Number.POSITIVE_INFINITY);
  const counts = new Map([['c', [1, 0, 0] as const]]);
  assert.deepEqual(tally.above(counts, 100), { table: 'c', rows: Number.POSITIVE_INFINITY });
  assert.equal(tally.above(new Map([['a', [9, 0, 0] as const]]), 10), undefined);
});

test('the counters are read as they are told, or not at all', () => {
  const row = ['on', 'public', 't', '1', '2', '3'];
  assert.deepEqual(readCounts([row]), new Map([['public.t', [1, 2, 3]]]));
  assert.deepEqual(readCounts([['on', null, null, null, null, null]]), new Map());
  assert.equal(readCounts([['off', 'public', 't', '1', '2', '3']]), undefined);
  for (const bad of [[], [['on', 'public', 't', '1', '2']], [['on', 'a', 'b', 'x', '1', '1']]]) {
    assert.throws(() => readCounts(bad), { code: 'SP_TARGET_PROTOCOL' });
  }
});

test('a difference is what happened between, and unknown when a counter went back', () => {
  const count = fc.tuple(fc.nat(1000), fc.nat(1000), fc.nat(1000));
  const counts = fc.dictionary(fc.constantFrom('a', 'b', 'c'), count);
  fc.assert(
    fc.property(counts, counts, (first, added) => {
      const before = new Map(Object.entries(first));
      const after = new Map(before);
      for (const [name, [x, y, z]] of Object.entries(added)) {
        const [a, b, c] = before.get(name) ?? [0, 0, 0];
        after.set(name, [a + x, b + y, c + z]);
      }
      const changes = difference(before, after);
      assert.equal(changes && sumOf(changes), sumOf(new Map(Object.entries(added))));
      const isSame = sumOf(after) === sumOf(before) && after.size === before.size;
      if (!isSame) assert.equal(difference(after, before), undefined);
    }),
  );
  assert.equal(describeCounts(new Map([['a', [1, 0, 0]]])), 'a: 1 added');
  const many = new Map(Array.from({ length: 10 }, (_, n) => [`t${n}`, [0, n, 9]] as const));
  assert.match(describeCounts(many), /^t9: 9 removed, 9 changed; t8: .*; other tables: 19$/);
});

function meterOf(change: Partial<MeterParts>): { readonly meter: Meter; readonly log: string[] } {
  const log: string[] = [];
  const meter = new Meter({
    returned: { rows: 0, bytes: 0 },
    rowsMax: 3,
    bytesMax: 100,
    msMax: undefined,
    clock: manualClock(),
    refusal: (limit, found): Refusal => ({
      refused: true,
      code: 'SP_LIMIT_EXCEEDED',
      rule: '',
      reason: `${limit} ${found}`,
      hint: '',
      hold: undefined,
      endsSession: false,
    }),
    cancel: () => log.push('cancel'),
    ...change,
  });
  return { meter, log };
}

test('a meter stops at the first row above, and lets nothing through behind it', () => {
  const { meter, log } = meterOf({});
  for (let row = 0; row < 3; row += 1) {
    assert.ok(meter.admits(10));
    meter.count(10);
  }
  assert.equal(meter.admits(10), false);
  assert.equal(meter.admits(0), false);
  assert.equal(meter.refusal?.reason, 'rowsReturned 4');
  assert.deepEqual(log, ['cancel']);
  const wide = meterOf({}).meter;
  assert.equal(wide.admits(101), false);
  assert.equal(wide.refusal?.reason, 'bytes 101');
  wide.end();
  meter.end();
});

test('a cancel that is lost is sent again until the statement is over', () => {
  const clock = manualClock();
  const { meter, log } = meterOf({ msMax: 1_000, clock });
  meter.start();
  clock.advance(999);
  assert.deepEqual(log, []);
  clock.advance(1);
  clock.advance(10_000);
  assert.deepEqual(log, ['cancel', 'cancel', 'cancel']);
  assert.equal(meter.failed('42P01'), undefined, 'an error of its own stays');
  clock.advance(60_000);
  assert.equal(log.length, 3);
  assert.equal(meter.failed('57014')?.reason, 'time 1000');
  assert.equal(meterOf({}).meter.failed('57014'), undefined, 'cancelled by the client');
});

test('a meter adds up what command tags say was changed', () => {
  const { meter } = meterOf({});
  for (const tag of ['INSERT 0 5', 'UPDATE 2', 'DELETE 1', 'MERGE 4', 'SELECT 100', 'BEGIN', '']) {
    meter.completed(tag);
  }
  assert.equal(meter.changed, 12);
});
