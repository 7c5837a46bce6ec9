/**
 * One instance of PostgreSQL's parser.
 *
 * Invariant: the only outcomes are a tree, an error that the server's own grammar or scanner
 * raises, and an exception, after which the instance must not be used again: its memory is suspect
 * (each overflow of the stack leaks some of it, until later parses fail).
 */
import type { PgQueryModule } from 'libpg-query/wasm/libpg-query.js';
import { instantiate } from './parser-module.ts';

export type EngineResult =
  | { readonly kind: 'json'; readonly json: string }
  | {
      readonly kind: 'syntax-error';
      readonly message: string;
      /** In code points from the start of the text. */
      readonly position: number;
    };

/** Offsets in `PgQueryParseResult` and `PgQueryError` (32-bit pointers). */
const resultTree = 0;
const resultError = 8;
const errorMessage = 0;
const errorFile = 8;
const errorCursor = 16;

/**
 * Where the server's scanner and grammar raise their errors; any other source is a failure.
 * libpg-query puts folders in front of the name, joined by underscores.
 */
const syntaxFile =
  /(?:^|[/_])(?:scan\.l|gram\.[cy]|(?:parser|scansup|makefuncs|value|wchar|mbutils)\.c)$/;

/** More memory than a fresh instance has by this much, and it is not worth keeping. */
const growthBytesMax = 64 * 1024 * 1024;

export class ParserEngine {
  readonly #module: PgQueryModule;
  readonly #initialBytes: number;
  readonly #encoder = new TextEncoder();
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });

  private constructor(module: PgQueryModule) {
    this.#module = module;
    this.#initialBytes = module.HEAPU8.length;
  }

  static async create(module: WebAssembly.Module): Promise<ParserEngine> {
    return new ParserEngine(await instantiate(module));
  }

  /** True when its memory has grown so much that a fresh instance is better. */
  get isWorn(): boolean {
    return this.#module.HEAPU8.length > this.#initialBytes + growthBytesMax;
  }

  /**
   * Parses a text.
   *
   * @param text - well-formed, without NUL: the parser would silently stop there.
   * @throws whatever WebAssembly throws; then drop the engine.
   */
  parse(text: string): EngineResult {
    const bytes = this.#encoder.encode(text);
    const result = this.#parse(bytes);
    if (result.kind === 'json' || !(text.includes('--') || text.includes('/*'))) return result;
    // libpg-query's scanner hands comments to the grammar, which the server's does not. Where the
    // server looks one token ahead (`NOT /* x */ IN`), or joins the parts of a string, a comment
    // between makes it fail on what the server takes.
    const blank = this.#withoutComments(bytes);
    const retried = blank === undefined ? result : this.#parse(blank);
    return retried.kind === 'json' ? retried : result;
  }

  #parse(bytes: Uint8Array): EngineResult {
    const module = this.#module;
    const pointer = this.#place(bytes);
    const result = module._wasm_parse_query_raw(pointer);
    if (result === 0) throw new RangeError('no result');
    const outcome = this.#read(result);
    module._free(pointer);
    module._wasm_free_parse_result(result);
    return outcome;
  }

  /** A copy with spaces for comments, or undefined when that could be wrong. */
  #withoutComments(bytes: Uint8Array): Uint8Array | undefined {
    const module = this.#module;
    const pointer = this.#place(bytes);
    const scanned = module._wasm_scan(pointer);
    if (scanned === 0) throw new RangeError('no result');
    const json = this.#string(scanned);
    module._free(pointer);
    module._wasm_free_string(scanned);
    const tokens = readTokens(json);
    return tokens === undefined ? undefined : blanked(bytes, tokens);
  }

  /** Copies a text into the module's memory, with the NUL that ends it. */
  #place(bytes: Uint8Array): number {
    const pointer = this.#module._malloc(bytes.length + 1);
    if (pointer === 0) throw new RangeError('no memory for the text');
    // Only now: making room may have replaced the memory.
    const heap = this.#module.HEAPU8;
    heap.set(bytes, pointer);
    heap[pointer + bytes.length] = 0;
    return pointer;
  }

  #read(result: number): EngineResult {
    const error = this.#word(result + resultError);
    if (error === 0) {
      const tree = this.#word(result + resultTree);
      if (tree === 0) throw new RangeError('no tree');
      return { kind: 'json', json: this.#string(tree) };
    }
    const file = this.#string(this.#word(error + errorFile));
    const message = this.#string(this.#word(error + errorMessage));
    if (!syntaxFile.test(file)) {
      throw new RangeError(`the parser failed in ${file}: ${message}`);
    }
    const cursor = this.#word(error + errorCursor) | 0;
    return { kind: 'syntax-error', message, position: Math.max(cursor - 1, 0) };
  }

  #word(address: number): number {
    const heap = this.#module.HEAPU8;
    return new DataView(heap.buffer, heap.byteOffset).getUint32(address, true);
  }

  #string(address: number): string {
    if (address === 0) return '';
    const heap = this.#module.HEAPU8;
    const end = heap.indexOf(0, address);
    if (end === -1) throw new RangeError('a string without an end');
    return this.#decoder.decode(heap.subarray(address, end));
  }
}

interface Token {
  readonly start: number;
  readonly end: number;
  readonly isComment: boolean;
}

/** Undefined for an error message, and for texts whose control characters make it no JSON. */
function readTokens(json: string): readonly Token[] | undefined {
  let root: unknown;
  try {
    root = JSON.parse(json);
  } catch {
    return undefined;
  }
  const tokens = isObject(root) ? root['tokens'] : undefined;
  if (!Array.isArray(tokens)) return undefined;
  return tokens.map((token: unknown) => {
    if (!isObject(token)) throw new TypeError('not a token');
    const { start = 0, end, tokenName } = token;
    if (typeof start !== 'number' || typeof end !== 'number') throw new TypeError('no place');
    return { start, end, isComment: tokenName === 'SQL_COMMENT' || tokenName === 'C_COMMENT' };
  });
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const quote = 0x27;
const space = 0x20;

/**
 * Puts spaces in the place of comments. Not when a comment stands between two strings: the server
 * may join them, and then what the second is, and so what is a comment behind it, is not what this
 * scanner says.
 */
function blanked(bytes: Uint8Array, tokens: readonly Token[]): Uint8Array | undefined {
  const copy = bytes.slice();
  let before: Token | undefined;
  let commented = false;
  for (const token of tokens) {
    if (token.isComment) {
      copy.fill(space, token.start, token.end);
      commented = true;
      continue;
    }
    const joins = before !== undefined && bytes[before.end - 1] === quote;
    if (commented && joins && bytes[token.start] === quote) return undefined;
    before = token;
    commented = false;
  }
  return copy;
}
