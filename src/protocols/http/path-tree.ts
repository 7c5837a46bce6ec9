/**
 * Finds which path with `{names}` a path fits: one with words before one with names, as OpenAPI has
 * it. Letters count alike in both cases, and so do paths with a slash at their end and without,
 * because servers differ in both.
 */

/** As rules compare a path: servers differ in whether case and a slash at the end count. */
export function lookUpPath(path: string): string {
  const lower = path.toLowerCase();
  return lower.length > 1 && lower.endsWith('/') ? lower.slice(0, -1) : lower;
}

/** A segment that holds a name: what stands before and behind it, and the name as it is written. */
interface NamedSegment {
  readonly before: string;
  readonly name: string;
  readonly after: string;
}

/** Undefined for a word. */
export function namedSegment(segment: string): NamedSegment | undefined {
  const open = segment.indexOf('{');
  const close = segment.lastIndexOf('}');
  if (open < 0 || close < open) return undefined;
  const name = segment.slice(open + 1, close);
  return { before: segment.slice(0, open), name, after: segment.slice(close + 1) };
}

interface Node<Value> {
  readonly words: Map<string, Node<Value>>;
  /** Segments with names, with the words around each of them. */
  readonly names: { readonly before: string; readonly after: string; readonly node: Node<Value> }[];
  value: Value | undefined;
}

const newNode = <Value>(): Node<Value> => ({ words: new Map(), names: [], value: undefined });

export class PathTree<Value> {
  readonly #root: Node<Value> = newNode();

  /** The first of two paths that are the same but for their names stays. */
  add(pattern: string, value: Value): void {
    let node = this.#root;
    for (const segment of lookUpPath(pattern).split('/')) node = next(node, segment);
    node.value ??= value;
  }

  find(path: string): Value | undefined {
    return search(this.#root, lookUpPath(path).split('/'), 0);
  }
}

function next<Value>(node: Node<Value>, segment: string): Node<Value> {
  const named = namedSegment(segment);
  if (named === undefined) {
    const known = node.words.get(segment) ?? newNode<Value>();
    node.words.set(segment, known);
    return known;
  }
  const { before, after } = named;
  const same = node.names.find((each) => each.before === before && each.after === after);
  if (same !== undefined) return same.node;
  const made = { before, after, node: newNode<Value>() };
  node.names.push(made);
  return made.node;
}

/** Looks at each node at most once for a path. */
function search<Value>(
  node: Node<Value>,
  segments: readonly string[],
  at: number,
): Value | undefined {
  const segment = segments[at];
  if (segment === undefined) return node.value;
  const word = node.words.get(segment);
  const byWord = word === undefined ? undefined : search(word, segments, at + 1);
  if (byWord !== undefined) return byWord;
  for (const { before, after, node: named } of node.names) {
    const isLong = segment.length > before.length + after.length;
    if (!isLong || !segment.startsWith(before) || !segment.endsWith(after)) continue;
    const found = search(named, segments, at + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}
