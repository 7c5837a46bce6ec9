/**
 * The analyser: from a text to what each of its statements can do and where its output comes from.
 *
 * Contract: for every statement either the facts cover everything that it can do, or `analysis` is
 * `partial` or `opaque` and says why. Each statement of a text is analysed under the state before
 * the text, but for the names that it is given there; who runs them must not trust that behind one
 * that changes settings or the catalogue.
 *
 * Definitions of views and bodies of functions are parsed when they are first met: the walk is done
 * again until every text that it needs is there. A bound that is reached makes the statement
 * opaque.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '#core/clock.ts';
import { opaqueFacts } from '#core/facts.ts';
import type { Limits } from '#core/limits.ts';
import type { MaskSet } from '#core/masking.ts';
import type { Node } from 'libpg-query';
import { AuxiliaryTrees } from './auxiliary.ts';
import { AnalysisCache, type Reuse } from './cache.ts';
import type { Oid } from './catalogue.ts';
import { Collector } from './collector.ts';
import { expression } from './expression.ts';
import { NamesWithin } from './names-within.ts';
import { shapeOf } from './normalise.ts';
import { operator } from './operator-expression.ts';
import {
  createSqlParser,
  type ParsedStatement,
  type ParsedText,
  type SqlParser,
} from './parser.ts';
import { query } from './query.ts';
import { emptyScope, type Scope } from './scope.ts';
import { top } from './top.ts';
import type { OutputColumn, SqlAnalyser, SqlAnalysis, SqlState, SqlStatement } from './types.ts';
import type { Column } from './values.ts';
import { type Entries, type Environment, nodesMax, TooMuch, type Walk } from './walk.ts';
import { statement } from './writes.ts';

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

/** Views in views, and functions in them, each level of which needs a parse: more is opaque. */
const roundsMax = 40;
/** Statements that are analysed without giving others a turn. */
const sliceMax = 32;
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

/** Combinations of catalogue and masks whose labels are kept. */
const labelSetsMax = 64;

/** What one statement was found to be, and for what else it holds. */
interface Finding {
  readonly statement: SqlStatement;
  readonly reuse: Reuse;
}

/** What a text is analysed under. */
interface Parts {
  readonly state: SqlState;
  readonly masks: MaskSet;
}

class Analyser implements RunningAnalyser {
  readonly #parser: SqlParser;
  readonly #limits: Limits;
  readonly #cache: AnalysisCache;
  readonly #trees: AuxiliaryTrees;
  readonly #labels = new Map<string, Map<Oid, readonly Column[]>>();

  constructor(parser: SqlParser, limits: Limits) {
    this.#parser = parser;
    this.#limits = limits;
    this.#cache = new AnalysisCache({ limits });
    this.#trees = new AuxiliaryTrees(parser);
  }

  analyse(text: string, state: SqlState, masks: MaskSet): SqlAnalysis | Promise<SqlAnalysis> {
    const kept = this.#cache.find(text, state, masks.version);
    if (kept !== undefined) return kept;
    const parts: Parts = { state, masks };
    const parsed = this.#parser.parse(text);
    return parsed instanceof Promise
      ? parsed.then((tree) => this.#run(text, tree, parts))
      : this.#run(text, parsed, parts);
  }

  close(): Promise<void> {
    return this.#parser.close();
  }

  #run(text: string, parsed: ParsedText, parts: Parts): SqlAnalysis | Promise<SqlAnalysis> {
    switch (parsed.kind) {
      case 'syntax-error':
        return {
          ...refusedText(text, `it does not parse: ${parsed.message}`),
          syntaxError: parsed.message,
        };
      case 'refused':
        return refusedText(text, parsed.reason);
      case 'tree':
        return parsed.statements.length > statementsMax
          ? refusedText(text, 'it holds too many statements')
          : this.#all(text, parsed.statements, parts);
    }
  }

  /** Every statement, at once where that can be. */
  #all(
    text: string,
    parsed: readonly ParsedStatement[],
    parts: Parts,
  ): SqlAnalysis | Promise<SqlAnalysis> {
    if (parsed.length > sliceMax || givesNames(parsed)) return this.#inOrder(text, parsed, parts);
    const findings = parsed.map((one) => this.#settled(text, one, parts, 0));
    const ready = findings.flatMap((one) => (one instanceof Promise ? [] : [one]));
    return ready.length === findings.length
      ? this.#finished(text, ready, parts)
      : Promise.all(findings.map((one) => Promise.resolve(one))).then((all) =>
          this.#finished(text, all, parts),
        );
  }

  /** One after another, under the names that it is given; others get their turn meanwhile. */
  async #inOrder(
    text: string,
    parsed: readonly ParsedStatement[],
    parts: Parts,
  ): Promise<SqlAnalysis> {
    const findings: Finding[] = [];
    const names = new NamesWithin(parts.state);
    for (const [at, one] of parsed.entries()) {
      const finding = await this.#settled(text, one, { ...parts, state: names.state }, 0);
      findings.push(finding);
      names.follow(finding.statement);
      if (at % sliceMax === 0) await new Promise((resume) => setImmediate(resume));
    }
    return this.#finished(text, findings, parts);
  }

  #finished(text: string, findings: readonly Finding[], parts: Parts): SqlAnalysis {
    const statements = findings.map((one) => one.statement);
    const analysis: SqlAnalysis = { statements, syntaxError: undefined };
    const made = { analysis, reuse: narrowest(findings) };
    this.#cache.keep(text, parts.state, parts.masks.version, made);
    return analysis;
  }

  /** Walks a statement; again when texts had to be parsed first. */
  #settled(
    text: string,
    parsed: ParsedStatement,
    parts: Parts,
    round: number,
  ): Finding | Promise<Finding> {
    const pending = new Set<string>();
    const finding = this.#statement(text, parsed, parts, pending);
    if (pending.size === 0) return finding;
    if (round === roundsMax) {
      const { text: own } = finding.statement;
      return notKept(opaqueStatement(own, 'it leads to too many views and functions'));
    }
    const parsing = this.#trees.load(pending);
    const next = (): Finding | Promise<Finding> => this.#settled(text, parsed, parts, round + 1);
    return parsing instanceof Promise ? parsing.then(next) : next();
  }

  /** Labels of tables' columns, the same for all statements under one catalogue and one policy. */
  #labelsOf({ state, masks }: Parts): Map<Oid, readonly Column[]> {
    const key = JSON.stringify([state.catalogue.version, masks.version, ...state.searchPath]);
    const known = this.#labels.get(key);
    if (known !== undefined) return known;
    const labels = new Map<Oid, readonly Column[]>();
    const oldest = this.#labels.keys().next().value;
    if (this.#labels.size >= labelSetsMax && oldest !== undefined) this.#labels.delete(oldest);
    this.#labels.set(key, labels);
    return labels;
  }

  #statement(text: string, parsed: ParsedStatement, parts: Parts, pending: Set<string>): Finding {
    const own = text.slice(parsed.start, parsed.end).trim();
    const { state, masks } = parts;
    const tree = nodeOf(parsed.tree);
    if (tree === undefined) return notKept(opaqueStatement(own, 'it has no tree'));
    const env: Environment = {
      catalogue: state.catalogue,
      state,
      masks,
      text: own,
      depthMax: this.#limits.statementDepthMax,
      labels: this.#labelsOf(parts),
      literalsRead: { any: false },
      stateRead: { any: false },
      pending,
      chosen: new WeakMap(),
      subqueryNames: new WeakMap(),
      keyParameters: new Set(),
      checkedTypes: new Set(),
      orderedTypes: new Set(),
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

/** Whether a statement of the text names one that another may run. */
const givesNames = (parsed: readonly ParsedStatement[]): boolean =>
  parsed.length > 1 &&
  parsed.some(({ tree }) => 'PrepareStmt' in tree || 'DeclareCursorStmt' in tree);

/** Statements that depend on names that the session gives. */
const named: ReadonlySet<string> = new Set(['EXECUTE', 'FETCH', 'MOVE', 'PREPARE', 'DECLARE']);

/** All of a text hold for what each of them holds for. */
function narrowest(findings: readonly Finding[]): Reuse {
  if (findings.some((one) => one.reuse === 'never')) return 'never';
  return findings.every((one) => one.reuse === 'shape') ? 'shape' : 'text';
}

function finding(walk: Walk, tree: Node, text: string): Finding {
  const { env } = walk;
  try {
    const made = built(walk, tree, text, emptyScope);
    const { verbs } = made.facts;
    if (verbs.some((verb) => named.has(verb))) return { statement: made, reuse: 'never' };
    return { statement: made, reuse: env.literalsRead.any ? 'text' : 'shape' };
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
  return { statement: made, reuse: 'never' };
}

/** One statement from its tree, with facts of its own. */
function built(walk: Walk, tree: Node, text: string, scope: Scope): SqlStatement {
  const facts = new Collector();
  const keyParameters = new Set<number>();
  const sets = { keyParameters, checkedTypes: new Set<Oid>(), orderedTypes: new Set<Oid>() };
  const env: Environment = { ...walk.env, ...sets };
  const own: Walk = { ...walk, env, facts };
  const told = top(own, tree, scope);
  const outcome = facts.returnsOthersRows ? { ...told, output: undefined } : told;
  for (const column of outcome.output ?? []) facts.use(column.value, 'return');
  const isGuess = !env.state.known && env.stateRead.any;
  if (isGuess) facts.partial('what names mean in this session is not known');
  if (outcome.output === undefined) facts.partial('the columns of its result are not known');
  if (!env.masks.empty && (facts.analysis !== 'complete' || facts.sawUnknown)) {
    facts.messagesMayLeak = true;
  }
  return {
    text,
    facts: facts.build(fingerprintOf(text)),
    output: outcome.output?.map((column) => outputColumn(column, isGuess)),
    changes: facts.changes,
    copy: outcome.copy,
    searchPath: own.path,
    keyParameters: [...keyParameters],
    messagesMayLeak: facts.messagesMayLeak && !env.masks.empty,
  };
}

/** @param isGuess - that the names it was read by may mean something else by now. */
function outputColumn({ name, value }: Column, isGuess: boolean): OutputColumn {
  const { sources, direct, type: typeOid } = value;
  const own = sources.length === 0 || isGuess ? undefined : direct;
  return { name, sources, direct: own, unknown: value.unknown || isGuess, typeOid };
}

/** The same for statements of one shape, whatever their literals. */
function fingerprintOf(text: string): string {
  return createHash('sha256')
    .update(shapeOf(text)?.key ?? text)
    .digest('base64url')
    .slice(0, 22);
}

/** A text that is not looked into: one statement, of which nothing is known. */
function refusedText(text: string, reason: string): SqlAnalysis {
  return { statements: [opaqueStatement(text, reason)], syntaxError: undefined };
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
