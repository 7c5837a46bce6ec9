/**
 * Trees of texts that statements lead to: definitions of views, bodies of functions, expressions of
 * the catalogue. The same text is parsed once; bounded by characters, the oldest go first.
 */
import type { Node } from 'libpg-query';
import type { ParsedText, SqlParser } from './parser.ts';

const charactersMax = 16 * 1024 * 1024;
/** A longer text is not followed into. */
const textMax = 1024 * 1024;

export class AuxiliaryTrees {
  readonly #parser: SqlParser;
  /** Null for a text that does not parse. */
  readonly #trees = new Map<string, readonly Node[] | null>();
  #characters = 0;

  constructor(parser: SqlParser) {
    this.#parser = parser;
  }

  /** The statements of a text; null when it cannot be parsed, undefined when it was not yet. */
  get(text: string): readonly Node[] | null | undefined {
    return text.length > textMax ? null : this.#trees.get(text);
  }

  /** Parses what is not there yet. */
  load(texts: ReadonlySet<string>): undefined | Promise<undefined> {
    const waiting: Promise<void>[] = [];
    for (const text of texts) {
      if (this.#trees.has(text)) continue;
      const parsed = this.#parser.parse(text);
      if (parsed instanceof Promise) {
        waiting.push(parsed.then((one) => this.#keep(text, one)));
      } else this.#keep(text, parsed);
    }
    return waiting.length === 0 ? undefined : Promise.all(waiting).then(() => undefined);
  }

  #keep(text: string, parsed: ParsedText): void {
    this.#trees.set(text, parsed.kind === 'tree' ? nodesOf(parsed) : null);
    this.#characters += text.length;
    for (const oldest of this.#trees.keys()) {
      if (this.#characters <= charactersMax || oldest === text) return;
      this.#trees.delete(oldest);
      this.#characters -= oldest.length;
    }
  }
}

function nodesOf(parsed: Extract<ParsedText, { kind: 'tree' }>): readonly Node[] | null {
  const nodes: Node[] = [];
  for (const { tree } of parsed.statements) {
    if (!isNode(tree)) return null;
    nodes.push(tree);
  }
  return nodes;
}

/** A node has one key, the name of its kind; what the kind is not known to is not followed. */
function isNode(tree: object): tree is Node {
  return Object.keys(tree).length === 1;
}
