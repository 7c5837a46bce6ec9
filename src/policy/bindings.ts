/**
 * Turns a command into the values that conditions see. Everything is put into Maps, never plain
 * objects, so that a label called `constructor` is a label and nothing else. What `inputs.ts`
 * lists is what is made here; a test compares the two.
 */
import { type CelInput, type CelMap, celMap } from '@bufbuild/cel';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { Command, SessionContext } from '#core/command.ts';
import type { Facts } from '#core/facts.ts';
import type { History } from '#core/history.ts';
import type { EpochMs } from '#core/ids.ts';
import { weekdayNames } from './inputs.ts';

/** The values of one evaluation by input name. Null prototype: only inputs can be found in it. */
export type Bindings = Record<string, CelInput>;

const record = (entries: readonly (readonly [string, CelInput])[]): CelMap =>
  celMap(new Map<string, CelInput>(entries));

/** What stays the same for all commands of a session. */
export interface ContextValues {
  readonly identity: CelMap;
  readonly target: CelMap;
  readonly account: string;
  readonly session: CelMap;
}

/** The session's part; made once a session. */
export function contextValues(context: SessionContext): ContextValues {
  const { identity, target } = context;
  return {
    identity: record([
      ['id', identity.id],
      ['kind', identity.kind],
      ['issuer', identity.issuer],
      ['subject', identity.subject],
      ['groups', [...identity.groups]],
      ['roles', [...identity.roles]],
      ['owner', identity.owner ?? ''],
      ['onBehalfOf', identity.onBehalfOf ?? ''],
      ['claims', record(Object.entries(identity.claims))],
    ]),
    target: record([
      ['name', target.name],
      ['labels', record(Object.entries(target.labels))],
      ['protocol', context.protocol],
    ]),
    account: context.account,
    session: record([
      ['id', context.session],
      ['namespace', context.namespace],
      ['purpose', context.purpose ?? ''],
    ]),
  };
}

/** The facts' part without what is known of the past. */
export type FactsEntries = readonly (readonly [string, CelInput])[];

/** Made once for a Facts object. */
export function factsEntries(facts: Facts): FactsEntries {
  return [
    ['effects', [...facts.effects]],
    [
      'objects',
      facts.objects.map((each) =>
        record([
          ['kind', each.kind],
          ['name', each.name],
          ['access', each.access],
        ]),
      ),
    ],
    [
      'columns',
      facts.columns.map((each) =>
        record([
          ['name', each.name],
          ['use', each.use],
          ['masked', each.masked],
        ]),
      ),
    ],
    ['functions', [...facts.functions]],
    [
      'fields',
      (facts.fields ?? []).map((each) =>
        record([
          ['name', each.name],
          ['value', each.value],
        ]),
      ),
    ],
    ['verbs', [...facts.verbs]],
    ['analysis', facts.analysis],
    ['reasons', [...facts.reasons]],
    ['rowsChangedMax', BigInt(facts.rowsChangedMax ?? -1)],
    ['fingerprint', facts.fingerprint],
  ];
}

/** The end of the year 9999, the last that a timestamp of CEL can be. */
const NEVER_MS = 253_402_300_799_000;

/** The facts with the past of one command. */
export function factsValue(entries: FactsEntries, { novel, since }: History): CelMap {
  return record([
    ...entries,
    ['novel', novel.length > 0],
    [
      'novelties',
      novel.map(({ kind, name, access }) =>
        record([
          ['kind', kind],
          ['name', name],
          ['access', access],
        ]),
      ),
    ],
    ['doneSince', timestampFromMs(since ?? NEVER_MS)],
  ]);
}

const HOUR_MS = 3_600_000;

/** Hour of the day in UTC. */
export const hourOf = (now: EpochMs): number => Math.floor(now / HOUR_MS) % 24;

/** Day of the week in UTC, 0 is Sunday; the epoch began on a Thursday. */
export const weekdayOf = (now: EpochMs): number => (Math.floor(now / (24 * HOUR_MS)) + 4) % 7;

/** All values for one command at one time. */
export function bind(
  context: ContextValues,
  facts: CelMap,
  command: Pick<Command, 'text' | 'kind' | 'parameters'>,
  now: EpochMs,
): Bindings {
  const bindings: Bindings = Object.create(null);
  bindings['facts'] = facts;
  bindings['command'] = record([
    ['text', command.text],
    ['kind', command.kind],
    ['parameterCount', BigInt(command.parameters.length)],
  ]);
  bindings['identity'] = context.identity;
  bindings['target'] = context.target;
  bindings['account'] = context.account;
  bindings['session'] = context.session;
  bindings['time'] = record([
    ['hour', BigInt(hourOf(now))],
    ['weekday', weekdayNames[weekdayOf(now)] ?? ''],
    ['now', timestampFromMs(now)],
  ]);
  return bindings;
}
