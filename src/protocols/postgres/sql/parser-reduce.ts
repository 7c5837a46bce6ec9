/**
 * Makes a large tree small enough to be handed to the thread that serves connections, without
 * changing what an analysis may conclude from it: long lists of values in which each kind of value
 * is there many times over lose the repetitions, and long constants the end of their text.
 */

/** A statement whose tree travels as text, so that the receiver parses it when it gets there. */
export interface PackedStatement {
  /** An element of the parser's `stmts`. */
  readonly json: string;
  /** In bytes of the text's UTF-8. */
  readonly start: number;
  readonly end: number;
  readonly reduced: boolean;
}

/** One statement's tree as JSON, at most. Reading that much takes some 5 to 10 ms. */
export const treeCharactersMax: number = 1024 * 1024;
/**
 * Levels of JSON; an operator in an operator takes two. Far more than an analysis follows, and
 * little enough that writing the JSON again, which takes time by the square of it, stays short.
 */
export const treeDepthMax: number = 4_000;
/** A list shorter than this stays as it is. */
const listMax = 64;
/** How many values of one kind stay in a longer one. */
const sameKindMax = 4;
/** String constants longer than this are cut to it. */
export const constantCharactersMax: number = 8 * 1024;

/** A node as libpg-query gives it: one key, the name of its kind. */
export type TreeNode = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is TreeNode =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export interface ParseTree {
  readonly version: number;
  readonly statements: readonly {
    readonly tree: TreeNode;
    readonly start: number;
    /** 0 when the statement reaches to the end of the text. */
    readonly length: number;
  }[];
}

/** Reads what the parser gave; throws when it is not what the parser gives. */
export function readTree(json: string): ParseTree {
  const root: unknown = JSON.parse(json);
  if (!isObject(root)) throw new TypeError('not a tree');
  const { version, stmts = [] } = root;
  if (typeof version !== 'number' || !Array.isArray(stmts)) throw new TypeError('not a tree');
  const statements = stmts.map((each: unknown) => {
    const tree = nodeOf(each);
    if (!isObject(each)) throw new TypeError('not a statement');
    const { stmt_location: start = 0, stmt_len: length = 0 } = each;
    if (typeof start !== 'number' || typeof length !== 'number') throw new TypeError('no place');
    return { tree, start, length };
  });
  return { version, statements };
}

/** The node of an element of `stmts`. */
export function nodeOf(element: unknown): TreeNode {
  const node = isObject(element) ? element['stmt'] : undefined;
  if (!isObject(node)) throw new TypeError('not a statement');
  return node;
}

/** Where the statements of a tree stand in its JSON, found without building anything. */
export interface TreeOutline {
  readonly depth: number;
  /** `[start, end)` of each element of `stmts`. */
  readonly statements: readonly (readonly [number, number])[];
}

/**
 * The place of a statement, which stands behind its tree and is left out where it is 0. A quote
 * inside a string is escaped, so no string can look like it.
 */
const placePattern = /\}(?:,"stmt_location":(\d+))?(?:,"stmt_len":(\d+))?\}$/;
const placeCharactersMax = 64;

const quote = 0x22;
const backslash = 0x5c;

/** Scans the parser's JSON once. Its elements of `stmts` are the objects two levels down. */
export function outline(json: string): TreeOutline {
  const statements: (readonly [number, number])[] = [];
  let depth = 0;
  let deepest = 0;
  let start = 0;
  for (let at = 0; at < json.length; at += 1) {
    const code = json.charCodeAt(at);
    if (code === quote) {
      at += 1;
      for (let inside = json.charCodeAt(at); inside !== quote; inside = json.charCodeAt(at)) {
        if (at >= json.length) throw new TypeError('not a tree');
        at += inside === backslash ? 2 : 1;
      }
    } else if (code === 0x7b || code === 0x5b) {
      if (depth === 2) start = at;
      depth += 1;
      if (depth > deepest) deepest = depth;
    } else if (code === 0x7d || code === 0x5d) {
      depth -= 1;
      if (depth === 2) statements.push([start, at + 1]);
    }
  }
  return { depth: deepest, statements };
}

/**
 * Packs one element of `stmts`, reduced when it has to be; undefined when that is not enough.
 *
 * @param textBytes - length of the whole text, where a statement without a length ends.
 */
export function pack(json: string, textBytes: number): PackedStatement | undefined {
  const [, place, length] = placePattern.exec(json.slice(-placeCharactersMax)) ?? [];
  const start = Number(place ?? 0);
  const end = length === undefined ? textBytes : start + Number(length);
  if (json.length <= treeCharactersMax) return { json, start, end, reduced: false };
  const small = JSON.stringify(JSON.parse(json), reduce);
  return small.length > treeCharactersMax ? undefined : { json: small, start, end, reduced: true };
}

/** A replacer for `JSON.stringify`. */
function reduce(key: string, value: unknown): unknown {
  if (key === 'sval' && typeof value === 'string' && value.length > constantCharactersMax) {
    return value.slice(0, constantCharactersMax);
  }
  if (!isObject(value)) return key === 'valuesLists' || key === 'elements' ? thin(value) : value;
  // `x IN (…)`: the right side is a list that means nothing but its members.
  const list = value['List'];
  if (key === 'rexpr' && isObject(list)) return { List: { ...list, items: thin(list['items']) } };
  return value;
}

/**
 * Drops members of a list whose kind it has often enough. Only for lists in which every member has
 * the same role: rows of VALUES, members of IN and of ARRAY.
 */
function thin(list: unknown): unknown {
  if (!Array.isArray(list) || list.length <= listMax) return list;
  const seen = new Map<string, number>();
  return list.filter((member: unknown) => {
    const kind = kindOf(member);
    if (kind === undefined) return true;
    const count = seen.get(kind) ?? 0;
    seen.set(kind, count + 1);
    return count < sameKindMax;
  });
}

/** The kind of a constant, a parameter, or a row of them; undefined for everything else. */
function kindOf(member: unknown): string | undefined {
  if (!isObject(member)) return undefined;
  const { A_Const: constant, ParamRef: parameter, TypeCast: cast, List: row } = member;
  if (isObject(parameter)) return 'parameter';
  if (isObject(constant)) {
    return Object.keys(constant)
      .filter((name) => name !== 'location')
      .join();
  }
  // A constant under a cast can name a thing (`'t'::regclass`), so that one stays.
  if (isObject(cast)) {
    const isParameter = isObject(cast['arg']) && isObject(cast['arg']['ParamRef']);
    return isParameter ? `cast ${JSON.stringify(cast['typeName'], withoutPlace)}` : undefined;
  }
  if (!isObject(row) || !Array.isArray(row['items'])) return undefined;
  const kinds = row['items'].map(kindOf);
  return kinds.includes(undefined) ? undefined : `(${kinds.join(' ')})`;
}

function withoutPlace(key: string, value: unknown): unknown {
  return key === 'location' ? undefined : value;
}
