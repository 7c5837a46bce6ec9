/**
 * The thread that parses what is too long to be parsed between two reads of a socket. It has its
 * own stack and memory limits and is thrown away on anything but a tree or a syntax error.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { ParserEngine } from './parser-engine.ts';
import { outline, pack, type PackedStatement, treeDepthMax } from './parser-reduce.ts';

/** The tree of a whole text as JSON. Bounds what the thread's heap must hold. */
const jsonCharactersMax = 96 * 1024 * 1024;

/** What the thread is asked. */
export interface ParserRequest {
  readonly text: string;
  readonly statementsMax: number;
}

/** What it answers; an exception is answered by the end of the thread. */
export type ParserReply =
  | {
      readonly kind: 'tree';
      readonly version: number;
      readonly statements: readonly PackedStatement[];
    }
  | { readonly kind: 'syntax-error'; readonly message: string; readonly position: number }
  | { readonly kind: 'refused'; readonly reason: string };

const port = parentPort;
const module: unknown = workerData;
if (port !== null && module instanceof WebAssembly.Module) {
  let engine = await ParserEngine.create(module);
  // The first parse compiles what it runs through; better now than under a deadline.
  engine.parse('SELECT a, count(*) FROM t WHERE b = $1 GROUP BY a ORDER BY 2 DESC LIMIT 1');
  port.on('message', (request: ParserRequest) => {
    port.postMessage(answer(engine, request));
    if (engine.isWorn) {
      void ParserEngine.create(module).then((fresh) => {
        engine = fresh;
      });
    }
  });
  port.postMessage('ready');
}

function answer(engine: ParserEngine, { text, statementsMax }: ParserRequest): ParserReply {
  const result = engine.parse(text);
  if (result.kind === 'syntax-error') return result;
  const { json } = result;
  if (json.length > jsonCharactersMax) {
    return { kind: 'refused', reason: 'it is too complex to be analysed' };
  }
  const { depth, statements } = outline(json);
  if (statements.length > statementsMax) {
    return { kind: 'refused', reason: `more than ${statementsMax} statements in one text` };
  }
  if (depth > treeDepthMax) return { kind: 'refused', reason: 'it is nested too deep' };
  const textBytes = Buffer.byteLength(text);
  const packed: PackedStatement[] = [];
  for (const [start, end] of statements) {
    const one = pack(json.slice(start, end), textBytes);
    if (one === undefined) {
      return { kind: 'refused', reason: 'a statement is too complex to be analysed' };
    }
    packed.push(one);
  }
  return { kind: 'tree', version: versionOf(json), statements: packed };
}

function versionOf(json: string): number {
  const version = Number(/^\{"version":(\d+),/.exec(json.slice(0, 64))?.[1]);
  if (Number.isNaN(version)) throw new TypeError('not a tree');
  return version;
}
