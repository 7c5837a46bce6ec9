/**
 * Loads the code of PostgreSQL's parser (libpg-query, WASM). Compiled once a process; threads are
 * handed the compiled module, and a new instance of it costs a few milliseconds. The only file of
 * the protocols that touches the file system: it reads a part of an installed package.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import createModule, { type PgQueryModule } from 'libpg-query/wasm/libpg-query.js';

let compiled: WebAssembly.Module | undefined;

/** The compiled parser. The first call reads and compiles it, some 40 ms. */
export function parserModule(): WebAssembly.Module {
  if (compiled === undefined) {
    const path = createRequire(import.meta.url).resolve('libpg-query/wasm/libpg-query.wasm');
    compiled = new WebAssembly.Module(new Uint8Array(readFileSync(path)));
  }
  return compiled;
}

/** An instance with memory of its own. What it would print is dropped: it may hold data. */
export function instantiate(module: WebAssembly.Module): Promise<PgQueryModule> {
  return createModule({
    instantiateWasm: (imports, done) => {
      done(new WebAssembly.Instance(module, imports));
      return {};
    },
    print: () => undefined,
    printErr: () => undefined,
  });
}
