/**
 * One instance of PostgreSQL's parser.
 *
 * Invariant: the only outcomes are a tree, an error that the server's own grammar or scanner raises,
 * and an exception, after which the instance must not be used again: its memory is suspect (each
 * overflow of the stack leaks some of it, until later parses fail).
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

/** Where the server's scanner and grammar raise their errors; any other source is a failure. */
const syntaxFiles: ReadonlySet<string> = new Set([
  'scan.l',
  'scan.c',
  'gram.y',
  'gram.c',
  'parser.c',
  'scansup.c',
  'makefuncs.c',
  'value.c',
  'define.c',
  'wchar.c',
  'mbutils.c',
]);

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
    const module = this.#module;
    const size = text.length * 3 + 1;
    const pointer = module._malloc(size);
    if (pointer === 0) throw new RangeError('no memory for the text');
    const room = module.HEAPU8.subarray(pointer, pointer + size);
    const { read, written } = this.#encoder.encodeInto(text, room);
    if (read !== text.length || written >= size) throw new RangeError('the text was cut');
    room[written] = 0;
    const result = module._wasm_parse_query_raw(pointer);
    if (result === 0) throw new RangeError('no result');
    const outcome = this.#read(result);
    module._free(pointer);
    module._wasm_free_parse_result(result);
    return outcome;
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
    if (!syntaxFiles.has(file.slice(file.lastIndexOf('/') + 1))) {
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
