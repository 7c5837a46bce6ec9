/**
 * From text to PostgreSQL's own parse trees.
 *
 * Short texts are parsed in place: an instance of the parser is used until it fails on something
 * that is not a syntax error, and is then dropped for a fresh one. Long ones are parsed in a thread
 * that can be stopped. Neither way throws, blocks for long, or answers for a text that it did not
 * read to its end: whatever goes wrong, the text is refused.
 */
import type { Clock } from '#core/clock.ts';
import type { Limits } from '#core/limits.ts';
import { ParserEngine } from './parser-engine.ts';
import { parserModule } from './parser-module.ts';
import { ParserPool } from './parser-pool.ts';
import { nodeOf, readTree, type TreeNode } from './parser-reduce.ts';
import type { ParserReply } from './parser-worker.ts';

export type { TreeNode } from './parser-reduce.ts';

export interface ParsedStatement {
  /** The statement's node. Read when first asked for; at most some 10 ms. */
  readonly tree: TreeNode;
  /** In UTF-16 units: `text.slice(start, end)` is the statement. Locations in `tree` are bytes. */
  readonly start: number;
  readonly end: number;
  /**
   * True when the tree is not whole: of long lists of constants and parameters (VALUES, IN, ARRAY)
   * only a few of each kind are left, and string constants are cut to 8,192 characters.
   */
  readonly reduced: boolean;
}

export type ParsedText =
  | {
      readonly kind: 'tree';
      /** Version of the grammar, for example 180004. */
      readonly version: number;
      readonly statements: readonly ParsedStatement[];
    }
  /** By the newest grammar; an older server may still take it. `position` is in code points. */
  | { readonly kind: 'syntax-error'; readonly message: string; readonly position: number }
  | { readonly kind: 'refused'; readonly reason: string };

export interface SqlParser {
  /** Parses a text; a promise only when it is too long to be parsed in place. Never throws. */
  parse(text: string): ParsedText | Promise<ParsedText>;
  close(): Promise<void>;
}

export interface SqlParserOptions {
  readonly clock: Clock;
  readonly limits: Pick<Limits, 'statementBytesMax' | 'analysisMsMax'>;
  /** UTF-16 units of the longest text that is parsed in place. */
  readonly inPlaceMax?: number;
}

/** Below this a parse takes at most a few milliseconds, whatever the text. */
const inPlaceDefault = 8 * 1024;
const queueMax = 64;
const statementsMax = 10_000;

/** Starts a parser: loads the code, makes an instance and two threads. */
export async function createSqlParser(options: SqlParserOptions): Promise<SqlParser> {
  const module = parserModule();
  const engine = await ParserEngine.create(module);
  const pool = new ParserPool({
    clock: options.clock,
    module,
    parseMsMax: options.limits.analysisMsMax,
    queueMax,
    queuedCharactersMax: 8 * options.limits.statementBytesMax,
    statementsMax,
  });
  return new Parser(options, module, pool, engine);
}

class Parser implements SqlParser {
  readonly #limits: SqlParserOptions['limits'];
  readonly #inPlaceMax: number;
  readonly #module: WebAssembly.Module;
  readonly #pool: ParserPool;
  /** Undefined while one that failed is replaced: then the threads parse everything. */
  #engine: ParserEngine | undefined;
  #closed = false;

  constructor(
    options: SqlParserOptions,
    module: WebAssembly.Module,
    pool: ParserPool,
    engine: ParserEngine,
  ) {
    this.#limits = options.limits;
    this.#inPlaceMax = options.inPlaceMax ?? inPlaceDefault;
    this.#module = module;
    this.#pool = pool;
    this.#engine = engine;
  }

  parse(text: string): ParsedText | Promise<ParsedText> {
    // The parser reads up to the first NUL and answers for that part alone.
    if (text.includes('\0')) return refused('it holds a NUL character');
    if (!text.isWellFormed()) return refused('it is not valid Unicode');
    if (this.#closed) return refused('the parser was closed');
    const engine = this.#engine;
    if (text.length <= this.#inPlaceMax && engine !== undefined) {
      return this.#parseInPlace(engine, text) ?? this.#parseInThread(text);
    }
    if (Buffer.byteLength(text) > this.#limits.statementBytesMax) return refused('it is too long');
    return this.#parseInThread(text);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#engine = undefined;
    await this.#pool.close();
  }

  /** Undefined when the instance failed: a thread has more stack, and is safer. */
  #parseInPlace(engine: ParserEngine, text: string): ParsedText | undefined {
    try {
      const result = engine.parse(text);
      if (engine.isWorn) this.#replace(engine);
      if (result.kind === 'syntax-error') return result;
      const { version, statements } = readTree(result.json);
      const places = placesOf(text);
      return {
        kind: 'tree',
        version,
        statements: statements.map(({ tree, start, length }) => ({
          tree,
          start: places(start),
          end: length === 0 ? text.length : places(start + length),
          reduced: false,
        })),
      };
    } catch {
      this.#replace(engine);
      return undefined;
    }
  }

  #replace(engine: ParserEngine): void {
    if (this.#engine !== engine) return;
    this.#engine = undefined;
    ParserEngine.create(this.#module).then(
      (fresh) => {
        if (!this.#closed) this.#engine = fresh;
      },
      // Without one the threads go on parsing.
      () => undefined,
    );
  }

  async #parseInThread(text: string): Promise<ParsedText> {
    return unpack(text, await this.#pool.parse(text));
  }
}

const refused = (reason: string): ParsedText => ({ kind: 'refused', reason });

function unpack(text: string, reply: ParserReply): ParsedText {
  if (reply.kind !== 'tree') return reply;
  const places = placesOf(text);
  return {
    kind: 'tree',
    version: reply.version,
    statements: reply.statements.map(
      ({ json, start, end, reduced }) =>
        new LazyStatement(json, places(start), places(end), reduced),
    ),
  };
}

/** Reads its tree when it is asked for, so that a text of many statements is not read at once. */
class LazyStatement implements ParsedStatement {
  readonly start: number;
  readonly end: number;
  readonly reduced: boolean;
  #json: string;
  #tree: TreeNode | undefined;

  constructor(json: string, start: number, end: number, reduced: boolean) {
    this.#json = json;
    this.start = start;
    this.end = end;
    this.reduced = reduced;
  }

  get tree(): TreeNode {
    if (this.#tree === undefined) {
      this.#tree = nodeOf(JSON.parse(this.#json));
      this.#json = '';
    }
    return this.#tree;
  }
}

/** Turns offsets in UTF-8 into offsets in UTF-16. Offsets must be asked for in rising order. */
function placesOf(text: string): (byte: number) => number {
  if (Buffer.byteLength(text) === text.length) return (byte) => byte;
  let at = 0;
  let bytes = 0;
  return (byte) => {
    if (byte < bytes) {
      at = 0;
      bytes = 0;
    }
    while (bytes < byte && at < text.length) {
      const code = text.codePointAt(at) ?? 0;
      bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
      at += code < 0x10000 ? 1 : 2;
    }
    return at;
  };
}
