/** Small readers of the parse tree, which leaves out every field that has its default. */
import type { A_Const, Node } from 'libpg-query';

/** The strings of a list of names; anything else in it makes the list unusable. */
export function namesOf(nodes: readonly Node[] | undefined): readonly string[] {
  const names: string[] = [];
  for (const node of nodes ?? []) {
    if (!('String' in node)) return [];
    names.push(node.String.sval ?? '');
  }
  return names;
}

/** The kind of a node, as the grammar names it. */
export function kindOf(node: Node): string {
  for (const kind in node) return kind;
  return '';
}

/** A literal's text: `'x'`, `1`, `true`; undefined for NULL and for what is no literal. */
export function literalText(node: Node | undefined): string | undefined {
  if (node === undefined) return undefined;
  if ('A_Const' in node) return constantText(node.A_Const);
  if ('String' in node) return node.String.sval ?? '';
  if ('Integer' in node) return String(node.Integer.ival ?? 0);
  if ('Float' in node) return node.Float.fval ?? '';
  if ('Boolean' in node) return String(node.Boolean.boolval ?? false);
  if ('TypeCast' in node) return literalText(node.TypeCast.arg);
  return undefined;
}

function constantText(constant: A_Const): string | undefined {
  if (constant.isnull === true) return undefined;
  if (constant.sval !== undefined) return constant.sval.sval ?? '';
  if (constant.ival !== undefined) return String(constant.ival.ival ?? 0);
  if (constant.fval !== undefined) return constant.fval.fval ?? '';
  if (constant.boolval !== undefined) return String(constant.boolval.boolval ?? false);
  return constant.bsval?.bsval;
}

/** The items of a list node, or the node itself as the only one. */
export function itemsOf(node: Node | undefined): readonly Node[] {
  if (node === undefined) return [];
  return 'List' in node ? (node.List.items ?? []) : [node];
}

/**
 * Whether two trees say the same, wherever they stand in the text. Iterative: trees are as deep as
 * their authors wish.
 */
export function sameTree(left: unknown, right: unknown): boolean {
  const waiting: [unknown, unknown][] = [[left, right]];
  for (let pair = waiting.pop(); pair !== undefined; pair = waiting.pop()) {
    const [a, b] = pair;
    if (a === b) continue;
    if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
    const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
    for (const key of keys) {
      if (key === 'location' || key.startsWith('rexpr_list_') || key.startsWith('list_')) continue;
      waiting.push([Reflect.get(a, key), Reflect.get(b, key)]);
    }
  }
  return true;
}
