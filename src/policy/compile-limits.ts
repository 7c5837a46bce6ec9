/**
 * What `limits` of a rule say, checked: which fit the rule, and whether every protocol that the rule
 * can apply to is able to keep them (law 10).
 */
import { parseDurationMs } from '#core/duration.ts';
import { policyLimits } from '#core/limits.ts';
import type { LimitName } from '#core/verdict.ts';
import type { PolicyOptions, Reporter } from './compile.ts';
import type { LimitsSource, RuleSource } from './document.ts';
import { isProtocol } from './inputs.ts';
import type { CompiledRule } from './rule.ts';

/** The limits that people can lift for one command. */
const releasable: readonly LimitName[] = ['rowsAffected', 'rowsAffectedTotal'];

/** The bounds of a rule, or undefined when it has none; what is wrong with them is reported. */
export function compileLimits(
  rule: RuleSource,
  reporter: Reporter,
  options: PolicyOptions,
): CompiledRule['limits'] {
  const { limits } = rule;
  if (limits === undefined) return undefined;
  if (rule.then !== 'allow') {
    reporter.report(['limits'], `only a rule with 'then: allow' has limits`);
  }
  const bounds = boundsOf(limits, reporter);
  const names = limitNames.filter((name) => Object.hasOwn(bounds, name));
  if (names.length === 0) reporter.report(['limits'], 'limits without any limit');
  checkCapabilities(rule, names, reporter, options);
  return bounds;
}

/** Every limit that a rule can set. */
export const limitNames: readonly LimitName[] = [
  'rowsReturned',
  'bytes',
  'time',
  'rowsAffected',
  'rowsAffectedTotal',
];

/** Whether the rule has a limit above which people can be asked. */
export const isReleasable = (bounds: CompiledRule['limits']): boolean =>
  releasable.some((name) => bounds?.[name] !== undefined);

function boundsOf(
  { rowsReturned, rowsAffected, rowsAffectedTotal, bytes, time }: LimitsSource,
  reporter: Reporter,
): NonNullable<CompiledRule['limits']> {
  const ms = time === undefined ? undefined : durationOf(time, reporter);
  const size = bytes === undefined ? undefined : sizeOf(bytes, reporter);
  return {
    ...(rowsReturned === undefined ? {} : { rowsReturned }),
    ...(size === undefined ? {} : { bytes: size }),
    ...(ms === undefined ? {} : { time: ms }),
    ...(rowsAffected === undefined ? {} : { rowsAffected }),
    ...(rowsAffectedTotal === undefined ? {} : { rowsAffectedTotal }),
  };
}

function durationOf(text: string, reporter: Reporter): number {
  const ms = parseDurationMs(text) ?? 0;
  const { runMsMax } = policyLimits;
  if (ms === 0) {
    reporter.report(['limits', 'time'], `'${text}' is not a duration such as 30s, 10m or 2h`);
  } else if (ms > runMsMax) {
    reporter.report(['limits', 'time'], `'${text}' is longer than ${runMsMax / 3_600_000}h`);
  }
  return ms;
}

const units: ReadonlyMap<string, number> = new Map([
  ['KiB', 1024],
  ['MiB', 1024 ** 2],
  ['GiB', 1024 ** 3],
]);

function sizeOf(size: number | string, reporter: Reporter): number {
  const unit = typeof size === 'string' ? units.get(size.slice(-3)) : 1;
  const digits = typeof size === 'string' ? size.slice(0, -3) : String(size);
  const bytes = /^[0-9]{1,15}$/.test(digits) ? Number(digits) * (unit ?? Number.NaN) : Number.NaN;
  if (Number.isNaN(bytes)) {
    reporter.report(['limits', 'bytes'], `'${size}' is not a size such as 512KiB, 10MiB or 1GiB`);
  } else if (bytes > policyLimits.returnedBytesMax) {
    reporter.report(['limits', 'bytes'], `'${size}' is more than 1024GiB`);
  }
  return bytes;
}

function checkCapabilities(
  rule: RuleSource,
  names: readonly LimitName[],
  reporter: Reporter,
  options: PolicyOptions,
): void {
  const named = rule.match?.protocols?.filter(isProtocol);
  const hint = named === undefined ? '; name the protocols in `match`' : '';
  for (const [protocol, { limits = [] }] of options.capabilities ?? []) {
    if (named !== undefined && !named.includes(protocol)) continue;
    for (const name of names) {
      if (limits.includes(name)) continue;
      reporter.report(['limits', name], `${protocol} cannot keep this limit${hint}`);
    }
  }
}
