/**
 * The analyser: from a text to what each of its statements can do and where its output comes from.
 *
 * Contract: for every statement either the facts cover everything that it can do, or `analysis` is
 * `partial` or `opaque` and says why. Each statement of a text is analysed under the state before
 * the text; who runs them must not trust that behind one that changes the state.
 *
 * Definitions of views and bodies of functions are parsed when they are first met: the walk is done
 * again until every text that it needs is there. A bound that is reached makes the statement opaque.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '#core/clock.ts';
import { opaqueFacts } from '#core/facts.ts';
import type { Limits } from '#core/limits.ts';
import type { MaskSet } from '#core/masking.ts';
import type { Node } from 'libpg-query';
import { AnalysisCache, type Basis } from './analysis-cache.ts';
import { Collector } from './collector.ts';
import { expression } from './expression.ts';
import { shapeOf } from './normalise.ts';
import { operator } from './operator-expression.ts';
import { createSqlParser, type ParsedStatement, type SqlParser } from './parser.ts';
import { query } from './query.ts';
import { emptyScope, type Scope } from './scope.ts';
import { top } from './top.ts';
import type { OutputColumn, SqlAnalyser, SqlAnalysis, SqlState, SqlStatement } from './types.ts';
import type { Column } from './values.ts';
import { type Entries, type Environment, nodesMax, TooMuch, type Walk } from './walk.ts';
import { statement } from './writes.ts';
import { AuxiliaryTrees } from './auxiliary.ts';

export interface SqlAnalyserOptions {
  readonly clock: Clock;
  readonly limits: Limits;
}

/** An analyser with its parser, for one process. */
export interface RunningAnalyser extends SqlAnalyser {
  close(): Promise<void>;
}

/** Starts the parser and an analyser over it. */
export async function createSqlAnalyser(options: SqlAnalyserOptions): Promise<RunningAnalyser> {
  const parser = await createSqlParser(options);
  return new Analyser(parser, options.limits);
}

/** An analyser over a parser that is running already. */
export function analyserOver(parser: SqlParser, limits: Limits): RunningAnalyser {
  return new Analyser(parser, limits);
}

/** Views in views, and functions in them, each level of which needs a parse: more is opaque. */
const roundsMax = 40;
/** Statements of one text. */
const statementsMax = 10_000;

const entries: Entries = {
  expression,
  operator,
  query,
  statement,
  top,
  held: (walk, node, text, scope) => built(walk, node, text, scope),
};

/** What one statement was found to be, and whether that can be kept. */
interface Finding {
  readonly statement: SqlStatement;
  readonly literalsRead: boolean;
  readonly keepable: boolean;
}

class Analyser implements RunningAnalyser {
  readonly #parser: SqlParser;
  readonly #limits: Limits;
  readonly #cache = new AnalysisCache();
  readonly #trees: AuxiliaryTrees;

  constructor(parser: SqlParser, limits: Limits) {
    this.#parser = parser;
    this.#limits = limits;
    this.#trees = new AuxiliaryTrees(parser);
  }

  analyse(text: string, state: SqlState, masks: MaskSet): SqlAnalysis | Promise<SqlAnalysis> {
    const basis = this.#cache.basis(state, masks);
    if (!state.known) return this.#fresh(text, undefined, { basis, state, masks });
    const same = basis.found.get(text);
    if (same !== undefined) return same;
    const shape = shapeOf(text);
    const alike = shape === undefined ? undefined : basis.found.get(shapeKey(shape.key));
    if (alike !== undefined && shape !== undefined) {
      return renamed(alike, text.slice(shape.start, shape.end));
    }
    return this.#fresh(text, shape?.key, { basis, state, masks });
  }

  close(): Promise<void> {
    return this.#parser.close();
  }

  #fresh(
    text: string,
    shape: string | undefined,
    parts: Parts,
  ): SqlAnalysis | Promise<SqlAnalysis> {
    const parsed = this.#parser.parse(text);
    return parsed instanceof Promise
      ? parsed.then((tree) => this.#run(text, shape, tree, parts))
      : this.#run(text, shape, parsed, parts);
  }

  #run(
    text: string,
    shape: string | undefined,
    parsed: Awaited<ReturnType<SqlParser['parse']>>,
    parts: Parts,
  ): SqlAnalysis | Promise<SqlAnalysis> {
    switch (parsed.kind) {
      case 'syntax-error':
        return {
          statements: [opaqueStatement(text, `it does not parse: ${parsed.message}`)],
          syntaxError: parsed.message,
        };
      case 'refused':
        return { statements: [opaqueStatement(text, parsed.reason)], syntaxError: undefined };
      default:
        break;
    }
    if (parsed.statements.length > statementsMax) {
      const statements = [opaqueStatement(text, 'it holds too many statements')];
      return { statements, syntaxError: undefined };
    }
    return this.#round(text, shape, parsed.statements, parts, 0);
  }

  /** Walks every statement; again when texts had to be parsed first. */
  #round(
    text: string,
    shape: string | undefined,
    parsed: readonly ParsedStatement[],
    parts: Parts,
    round: number,
  ): SqlAnalysis | Promise<SqlAnalysis> {
    const pending = new Set<string>();
    const findings = parsed.map((one) => this.#statement(text, one, parts, pending));
    if (pending.size > 0 && round < roundsMax) {
      const parsing = this.#trees.load(pending);
      const next = (): SqlAnalysis | Promise<SqlAnalysis> =>
        this.#round(text, shape, parsed, parts, round + 1);
      return parsing instanceof Promise ? parsing.then(next) : next();
    }
    const settled = pending.size === 0;
    const statements = findings.map(({ statement: one }) =>
      settled ? one : opaqueStatement(one.text, 'it leads to too many views and functions'),
    );
    const analysis: SqlAnalysis = { statements, syntaxError: undefined };
    const keepable = settled && parts.state.known && findings.every((one) => one.keepable);
    if (keepable) {
      const byShape = shape !== undefined && findings.every((one) => !one.literalsRead);
      this.#cache.keep(parts.basis, byShape ? shapeKey(shape) : text, analysis);
    }
    return analysis;
  }

  #statement(text: string, parsed: ParsedStatement, parts: Parts, pending: Set<string>): Finding {
    const own = text.slice(parsed.start, parsed.end).trim();
    const { state, masks, basis } = parts;
    const tree = nodeOf(parsed.tree);
    if (tree === undefined) return notKept(opaqueStatement(own, 'it has no tree'));
    const env: Environment = {
      catalogue: state.catalogue,
      state,
      masks,
      text: own,
      depthMax: this.#limits.statementDepthMax,
      labels: basis.labels,
      literalsRead: { any: false },
      stateRead: { any: false },
      pending,
      chosen: new WeakMap(),
      subqueryNames: new WeakMap(),
      checkedTypes: new Set(),
      auxiliary: (wanted) => {
        const found = this.#trees.get(wanted);
        if (found === undefined) pending.add(wanted);
        return found;
      },
    };
    const walk: Walk = {
      env,
      facts: new Collector(),
      budget: { nodesLeft: nodesMax, depth: 0 },
      entries,
      path: state.searchPath,
      livePath: state.searchPath,
      expansion: 0,
      inDefault: false,
    };
    return finding(walk, tree, own);
  }
}

interface Parts {
  readonly basis: Basis;
  readonly state: SqlState;
  readonly masks: MaskSet;
}

/** Statements whose analysis is the same for every text of their shape. */
const shaped: ReadonlySet<string> = new Set(['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'MERGE']);

/** Statements that depend on names that the session gives. */
const named: ReadonlySet<string> = new Set(['EXECUTE', 'FETCH', 'MOVE', 'PREPARE', 'DECLARE']);

function finding(walk: Walk, tree: Node, text: string): Finding {
  const { env } = walk;
  try {
    const made = built(walk, tree, text, emptyScope);
    const { verbs } = made.facts;
    return {
      statement: made,
      literalsRead: env.literalsRead.any || !shaped.has(verbs[0] ?? ''),
      keepable: !verbs.some((verb) => named.has(verb)),
    };
  } catch (thrown) {
    // A bound of ours, or of the stack: nothing is known of what was not walked.
    if (thrown instanceof TooMuch) return notKept(opaqueStatement(text, thrown.why));
    if (thrown instanceof RangeError) {
      return notKept(opaqueStatement(text, 'the statement is nested too deep'));
    }
    return notKept(opaqueStatement(text, 'the analysis failed'));
  }
}

function notKept(made: SqlStatement): Finding {
  return { statement: made, literalsRead: true, keepable: false };
}

/** One statement from its tree, with facts of its own. */
function built(walk: Walk, tree: Node, text: string, scope: Scope): SqlStatement {
  const facts = new Collector();
  const own: Walk = { ...walk, facts };
  const { env } = walk;
  const outcome = top(own, tree, scope);
  for (const column of outcome.output ?? []) facts.use(column.value, 'return');
  if (!env.state.known && env.stateRead.any) {
    facts.partial('what names mean in this session is not known');
  }
  if (outcome.output === undefined) facts.partial('the columns of its result are not known');
  if (!env.masks.empty && (facts.analysis !== 'complete' || facts.sawUnknown)) {
    facts.messagesMayLeak = true;
  }
  return {
    text,
    facts: facts.build(fingerprintOf(text)),
    output: outcome.output?.map(outputColumn),
    changes: facts.changes,
    copy: outcome.copy,
    searchPath: own.path,
    messagesMayLeak: facts.messagesMayLeak && !env.masks.empty,
  };
}

function outputColumn({ name, value }: Column): OutputColumn {
  const { sources, direct, unknown } = value;
  return { name, sources, direct: sources.length === 0 ? undefined : direct, unknown };
}

/** The same for statements of one shape, whatever their literals. */
function fingerprintOf(text: string): string {
  return createHash('sha256')
    .update(shapeOf(text)?.key ?? text)
    .digest('base64url')
    .slice(0, 22);
}

function shapeKey(shape: string): string {
  // Texts never hold this character, so that a shape is never taken for a text.
  return `\u0000${shape}`;
}

/** An analysis found for another text of the same shape. */
function renamed(analysis: SqlAnalysis, text: string): SqlAnalysis {
  const [only] = analysis.statements;
  if (only === undefined) return analysis;
  return { statements: [{ ...only, text }], syntaxError: undefined };
}

function opaqueStatement(text: string, reason: string): SqlStatement {
  return {
    text,
    facts: { ...opaqueFacts(reason), fingerprint: fingerprintOf(text) },
    output: undefined,
    changes: [{ kind: 'settings' }, { kind: 'catalogue' }],
    copy: undefined,
    messagesMayLeak: true,
  };
}

function nodeOf(tree: object): Node | undefined {
  return isNode(tree) ? tree : undefined;
}

/** What libpg-query gives is a node: one key, the name of its kind. Others have no row anywhere. */
function isNode(tree: object): tree is Node {
  const keys = Object.keys(tree);
  return keys.length === 1 && typeof Reflect.get(tree, keys[0] ?? '') === 'object';
}
