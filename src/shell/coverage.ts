/**
 * Whether a tree has all of its text. The parser is tolerant: from some malformed texts it leaves
 * out what it has no place for. So between the words and redirections of a script there may only be
 * blanks, comments, separators and keywords, as many of each as the nodes of the tree need.
 */
import { forEachChild, type Script, type SyntaxNode } from 'unbash';

type Counts = Map<string, number>;

const add = (counts: Counts, token: string, by = 1): void => {
  counts.set(token, (counts.get(token) ?? 0) + by);
};

interface Found {
  /** Where words, redirections and the like stand. */
  readonly spans: (readonly [start: number, end: number])[];
  /** Tokens between them that the nodes account for. */
  readonly expected: Counts;
  /** Nodes whose inner text is not taken apart here; they are never complete. */
  strange: boolean;
  /** A node whose head is not written as it is everywhere. */
  broken: boolean;
  readonly source: string;
}

/** Checks one script, without the scripts within its words. */
export function coversText(script: Script, source: string): boolean {
  const found: Found = { spans: [], expected: new Map(), strange: false, broken: false, source };
  forEachChild(script, (child) => {
    collect(child, found);
  });
  if (found.broken) return false;
  if (found.strange) return true;
  const seen: Counts = new Map();
  let at = script.pos;
  for (const [start, end] of [
    ...found.spans.toSorted(([a], [b]) => a - b),
    [script.end, script.end],
  ]) {
    if (start === undefined || end === undefined || start < at) return false;
    if (!countTokens(source.slice(at, start), seen)) return false;
    at = end;
  }
  return ['(', ')', '{', '}', '|', '|&', '&&', '||', '&', ';;', ';&', ';;&'].every(
    (token) => (seen.get(token) ?? 0) === (found.expected.get(token) ?? 0),
  );
}

/** Nodes that are one piece of text here. */
const whole: ReadonlySet<string> = new Set(
  'Word Assignment Redirect HereString HereDoc HereDocBody Negation TestCommand ArithmeticCommand'.split(
    ' ',
  ),
);
const strange: ReadonlySet<string> = new Set(['Select', 'Coproc']);

/** What stands before the body of a function, and of a loop that counts. */
const heads = {
  Function: /^(\w+[ \t]*\([ \t]*\)|function[ \t]+\w+[ \t]*(\([ \t]*\))?)\s*$/,
  ArithmeticFor:
    /^for[ \t]*\(\(([\w\s$+*/%<>=!&|^~?:,-]*;){2}[\w\s$+*/%<>=!&|^~?:,-]*\)\)[;\s]*do\s+$/,
} as const;

function collect(node: SyntaxNode, found: Found): void {
  const { spans } = found;
  const span = (each: { readonly pos: number; readonly end: number } | undefined): void => {
    if (each !== undefined) spans.push([each.pos, each.end]);
  };
  if (node.type === 'HereDoc') {
    span(node.body);
    span(node.closing);
  }
  if (node.type === 'Time') {
    spans.push([node.pos, node.keywordEnd]);
    span(node.posix);
    span(node.endOfOptions);
    return;
  }
  if (whole.has(node.type)) {
    span(node);
    return;
  }
  if (node.type === 'Function' || node.type === 'ArithmeticFor') {
    const { body } = node;
    const head = found.source.slice(node.pos, body.pos);
    if (!heads[node.type].test(head)) found.broken = true;
    spans.push([node.pos, body.pos]);
    collect(body, found);
    return;
  }
  if (strange.has(node.type)) found.strange = true;
  expect(node, found.expected);
  forEachChild(node, (child) => {
    collect(child, found);
  });
}

/** The tokens that a node has between its parts. */
function expect(node: SyntaxNode, expected: Counts): void {
  if (node.type === 'Statement' && node.background === true) add(expected, '&');
  if (node.type === 'Pipeline' || node.type === 'AndOr') {
    for (const operator of node.operators) add(expected, operator);
  }
  if (node.type === 'Subshell') {
    add(expected, '(');
    add(expected, ')');
  }
  if (node.type === 'BraceGroup') {
    add(expected, '{');
    add(expected, '}');
  }
  if (node.type !== 'CaseItem') return;
  if (node.terminator !== undefined) add(expected, node.terminator);
  add(expected, ')');
  add(expected, '|', node.pattern.length - 1);
  // The parenthesis before a pattern may be left out.
  if (node.pattern[0] !== undefined && node.pos < node.pattern[0].pos) add(expected, '(');
}

const token =
  /[ \t\n]+|\\\n|;;&|;;|;&|;|&&|&|\|\||\|&|\||[(){}]|(?:if|then|elif|else|fi|for|in|do|done|while|until|case|esac)(?![^ \t\n;&|()<>])|#[^\n]*/y;

/** Counts the tokens of a text between words; false when something else is in it. */
function countTokens(text: string, seen: Counts): boolean {
  token.lastIndex = 0;
  for (let at = 0; at < text.length; at = token.lastIndex) {
    const found = token.exec(text)?.[0];
    if (found === undefined) return false;
    add(seen, found);
  }
  return true;
}
