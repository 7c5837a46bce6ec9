/** Compiles one mask of a policy file. */
import type { MaskRule, Transform } from '#core/masking.ts';
import { compileMatch } from './compile-match.ts';
import type { PolicyOptions, Reporter } from './compile.ts';
import type { MaskSource, TransformSource } from './document.ts';
import { isProtocol } from './inputs.ts';
import { didYouMean } from './problems.ts';
import type { CompiledMask } from './rule.ts';

export function compileMask(
  source: MaskSource,
  reporter: Reporter,
  options: PolicyOptions,
): CompiledMask | undefined {
  if ((source.columns === undefined) === (source.detect === undefined)) {
    reporter.report([], 'a mask has either columns or detect');
    return undefined;
  }
  source.columns?.forEach((column, index) => {
    if (/^[^.]+\.[^.]+\.[^.]+$/.test(column)) return;
    reporter.report(['columns', index], `'${column}' is not schema.table.column`);
  });
  const detectors = options.known?.detectors;
  source.detect?.forEach((name, index) => {
    if (detectors === undefined || detectors.includes(name)) return;
    const hint = didYouMean(name, detectors);
    reporter.report(['detect', index], `unknown detector '${name}'${hint}`);
  });
  checkCapabilities(source, reporter, options);
  const rule: MaskRule = {
    id: source.id,
    columns: source.columns ?? [],
    detect: source.detect ?? [],
    transform: transformOf(source.with, source.id),
  };
  return {
    rule,
    match: compileMatch(source.match, ['match'], reporter, options),
    unless:
      source.unless === undefined
        ? undefined
        : compileMatch(source.unless, ['unless'], reporter, options),
  };
}

/** A mask on a protocol that cannot mask so would silently not be there: refused. */
function checkCapabilities(source: MaskSource, reporter: Reporter, options: PolicyOptions): void {
  for (const [protocol, { masking }] of options.capabilities ?? []) {
    const named = source.match?.protocols;
    if (named !== undefined && !named.filter(isProtocol).includes(protocol)) continue;
    const able = masking === 'cells' || (masking === 'text' && source.columns === undefined);
    if (able) continue;
    const what = source.columns === undefined ? 'results' : 'columns';
    const hint = named === undefined ? '; name the protocols in `match`' : '';
    reporter.report([], `${protocol} cannot mask ${what}${hint}`);
  }
}

function transformOf(source: TransformSource, id: string): Transform {
  if (source === null || source === 'null') return { kind: 'null' };
  if (source === 'redact') return { kind: 'redact' };
  // Equal values hash alike within one mask, and differently under another.
  if (source === 'hash') return { kind: 'hash', scope: id };
  if (source === 'generalise') return { kind: 'generalise', bucket: undefined };
  if ('partial' in source) return { kind: 'partial', ...source.partial };
  if ('hash' in source) return { kind: 'hash', scope: source.hash.scope };
  if ('generalise' in source) return { kind: 'generalise', bucket: source.generalise.bucket };
  return { kind: 'fixed', value: source.fixed };
}
