/**
 * A stand-in for the SQL analyser, for tests of the data path alone: it knows statements by their
 * first words, believes that everything is harmless, and takes its lineage from the test.
 */
import { type Facts, noFacts } from '#core/facts.ts';
import type {
  CopyFormat,
  OutputColumn,
  SessionChange,
  SqlAnalyser,
  SqlState,
  SqlStatement,
} from '#protocols/postgres/sql/types.ts';

export interface TableAnalyserOptions {
  /** Output columns by statement text: a list, or `unknown`. */
  readonly outputs?: Readonly<Record<string, readonly Partial<OutputColumn>[] | 'unknown'>>;
  /** Statements whose messages may leak. */
  readonly leaky?: readonly string[];
  /** Statements that nothing is known of. */
  readonly opaque?: readonly string[];
  readonly copies?: Readonly<Record<string, Partial<CopyFormat>>>;
  /** Answers with a promise, as for a text that was not seen before. */
  readonly slow?: boolean;
}

const facts: Facts = { ...noFacts, effects: ['read'] };

export function tableAnalyser(options: TableAnalyserOptions = {}): SqlAnalyser {
  return {
    analyse(text, state) {
      const statements = text
        .split(';')
        .map((part) => part.trim())
        .filter((part) => part !== '')
        .map((part) => statementOf(part, state, options));
      const analysis = { statements, syntaxError: undefined };
      return options.slow === true ? Promise.resolve(analysis) : analysis;
    },
  };
}

function statementOf(text: string, state: SqlState, options: TableAnalyserOptions): SqlStatement {
  const named = options.outputs?.[text];
  const isOpaque = options.opaque?.includes(text) ?? false;
  const masked = named !== undefined;
  const partial = /^(select|insert|update|delete|table|with)/i.test(text) && !state.known;
  const copy = options.copies?.[text];
  const [, verb = '', name = ''] = /^(\w+)\s*"?([^\s"(]*)/.exec(text) ?? [];
  const inner = innerOf(verb, name, state);
  const column = { name: 'masked', use: 'return' as const, masked: true };
  return {
    text,
    facts: {
      ...facts,
      verbs: [verb.toUpperCase()],
      analysis: isOpaque ? 'opaque' : partial ? 'partial' : 'complete',
      effects: isOpaque ? ['unknown'] : copy === undefined ? ['read'] : ['copy-out'],
      columns: masked ? [column] : (inner?.facts.columns ?? []),
    },
    output: outputOf(named, isOpaque, inner),
    changes: changesOf(text, state, options),
    copy: copy === undefined ? undefined : { ...copyDefaults(copy.format ?? 'text'), ...copy },
    messagesMayLeak: isOpaque || (options.leaky?.includes(text) ?? false),
  };
}

function innerOf(verb: string, name: string, state: SqlState): SqlStatement | undefined {
  if (/^execute$/i.test(verb)) return state.prepared(name);
  return undefined;
}

function outputOf(
  named: readonly Partial<OutputColumn>[] | 'unknown' | undefined,
  isOpaque: boolean,
  inner: SqlStatement | undefined,
): readonly OutputColumn[] | undefined {
  if (named === 'unknown' || isOpaque) return undefined;
  if (named === undefined) return inner?.output;
  return named.map((column) => ({
    name: '',
    sources: column.direct === undefined ? [] : [column.direct],
    direct: undefined,
    unknown: false,
    ...column,
  }));
}

function changesOf(
  text: string,
  state: SqlState,
  options: TableAnalyserOptions,
): readonly SessionChange[] {
  const words = text.split(/\s+/);
  const name = (words[1] ?? '').replaceAll('"', '').toLowerCase();
  const rest = /\b(?:as|for)\s+(.*)$/is.exec(text)?.[1] ?? '';
  const inner = (): SqlStatement => statementOf(rest, state, options);
  switch ((words[0] ?? '').toLowerCase()) {
    case 'set':
    case 'reset':
      return [{ kind: 'settings' }];
    case 'create':
    case 'drop':
    case 'alter':
      return [{ kind: 'catalogue' }];
    case 'begin':
      return [{ kind: 'transaction', what: 'begin' }];
    case 'commit':
    case 'rollback':
      return [{ kind: 'transaction', what: /\bto\b/i.test(text) ? 'other' : 'end' }];
    case 'prepare':
      return [{ kind: 'prepare', name, statement: inner() }];
    case 'deallocate':
      return [{ kind: 'deallocate', name: name === 'all' ? undefined : name }];
    case 'declare':
      return [{ kind: 'declare', name, statement: inner() }];
    case 'close':
      return [{ kind: 'close', name: name === 'all' ? undefined : name }];
    default:
      return [];
  }
}

const copyDefaults = (format: CopyFormat['format']): CopyFormat => ({
  format,
  delimiter: format === 'csv' ? ',' : '\t',
  nullText: format === 'csv' ? '' : '\\N',
  quote: '"',
  escape: '"',
  header: false,
});
