/** The part of libpg-query's WASM module that the parser uses; the package types its façade. */
declare module 'libpg-query/wasm/libpg-query.js' {
  export interface PgQueryModule {
    /** Replaced by a new view when the memory grows: never keep it. */
    readonly HEAPU8: Uint8Array;
    _malloc(size: number): number;
    _free(pointer: number): void;
    /** Takes a NUL-terminated UTF-8 text; gives a pointer to `PgQueryParseResult`, or 0. */
    _wasm_parse_query_raw(text: number): number;
    _wasm_free_parse_result(result: number): void;
    /** Gives a pointer to the tokens as JSON, or to an error message. */
    _wasm_scan(text: number): number;
    _wasm_free_string(pointer: number): void;
  }

  export interface ModuleOptions {
    readonly instantiateWasm: (
      imports: object,
      done: (instance: WebAssembly.Instance) => void,
    ) => object;
    readonly print: (line: string) => void;
    readonly printErr: (line: string) => void;
  }

  const createModule: (options: ModuleOptions) => Promise<PgQueryModule>;
  export default createModule;
}

/** The part of the platform's WebAssembly that is used; it is not in the library of ES types. */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Instance {
    constructor(module: Module, imports: object);
  }
}
