/**
 * Builds the masking kernel: AssemblyScript to WebAssembly to a TypeScript file with the module in
 * base64, so that nothing is built at install time and nothing is read at run time.
 *
 * `node tools/kernel.ts` rewrites the file; a test rebuilds it and compares.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import asc from 'assemblyscript/asc';

const source: URL = new URL('../src/masking/kernel/anchors.as', import.meta.url);
/** The generated file. */
export const target: URL = new URL('../src/masking/kernel/module.generated.ts', import.meta.url);

/** Compiles the kernel and gives the text of the generated file. */
export async function buildKernel(): Promise<string> {
  const text = readFileSync(source, 'utf8');
  let binary: Uint8Array | undefined;
  let complaints = '';
  const flags = '--enable simd --runtime stub -O3 --noAssert --converge --initialMemory 4';
  const result = await asc.main(['anchors.ts', '--outFile', 'anchors.wasm', ...flags.split(' ')], {
    readFile: (name) => (name === 'anchors.ts' ? text : null),
    writeFile: (_name, content) => {
      if (typeof content !== 'string') binary = content;
    },
    listFiles: () => [],
    stderr: { write: (chunk) => (complaints += String(chunk)) },
  });
  if (result.error !== null || binary === undefined) {
    throw new Error(`the kernel does not compile: ${complaints}`);
  }
  const base64 = Buffer.from(binary).toString('base64');
  const lines = base64.match(/.{1,92}/g) ?? [];
  return [
    '/** The masking kernel, compiled from anchors.as by tools/kernel.ts. Do not edit. */',
    'export const kernelModule: string = [',
    ...lines.map((line) => `  '${line}',`),
    "].join('');",
    '',
  ].join('\n');
}

if (import.meta.main) writeFileSync(target, await buildKernel());
