/**
 * What the house rules ask of a source file, read from its syntax tree and not from its layout, so
 * that no way of writing a function or an import hides it.
 */
import ts from 'typescript';

/** A function with a body, wherever it stands. */
export interface FunctionShape {
  /** Of its first line, counted from one. */
  readonly line: number;
  readonly lines: number;
  /** A range of bytes (`bytes, start, end`) counts as one, a signal as none. */
  readonly parameters: number;
}

/** One source file, as far as the rules look. */
export interface SourceShape {
  /** Modules that it imports or re-exports, also for types only, also while it runs. */
  readonly imports: readonly string[];
  readonly functions: readonly FunctionShape[];
  /** Lines with a type assertion that is not `as const`. */
  readonly assertions: readonly number[];
}

/** Reads the shape of a TypeScript or JavaScript file. */
export function shapeOf(file: string, text: string): SourceShape {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ESNext);
  const lineOf = (position: number): number =>
    source.getLineAndCharacterOfPosition(position).line + 1;
  const imports: string[] = [];
  const functions: FunctionShape[] = [];
  const assertions: number[] = [];
  const visit = (node: ts.Node): void => {
    const specifier = importedBy(node);
    if (specifier !== undefined) imports.push(specifier);
    if (isAssertion(node)) assertions.push(lineOf(node.getStart(source)));
    if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
      const line = lineOf(node.getStart(source));
      const lines = lineOf(node.end) - line + 1;
      functions.push({ line, lines, parameters: node.parameters.filter(isCounted).length });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return { imports, functions, assertions };
}

/** The module that a declaration, a call of `import`, or a type names. */
function importedBy(node: ts.Node): string | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
    return literal(node.moduleSpecifier);
  }
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    return literal(node.arguments[0]);
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
    return literal(node.argument.literal);
  }
  return undefined;
}

const literal = (node: ts.Node | undefined): string | undefined =>
  node !== undefined && ts.isStringLiteralLike(node) ? node.text : undefined;

function isAssertion(node: ts.Node): boolean {
  if (ts.isTypeAssertionExpression(node)) return true;
  if (!ts.isAsExpression(node)) return false;
  const { type } = node;
  return !(
    ts.isTypeReferenceNode(type) &&
    ts.isIdentifier(type.typeName) &&
    isConst(type.typeName)
  );
}

const isConst = (name: ts.Identifier): boolean => name.text === 'const';

/**
 * The ends of a range belong to what it is of: an object for them would be made per row. A signal
 * stands behind whatever a function takes.
 */
const isCounted = ({ name }: ts.ParameterDeclaration): boolean =>
  !ts.isIdentifier(name) || !['start', 'at', 'end', 'first', 'last', 'signal'].includes(name.text);
