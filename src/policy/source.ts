/**
 * One policy file, parsed: the document with a way back from any part of it to line and column.
 * YAML is read without tags, merge keys and repeated keys, and aliases are refused, so that what a
 * person reads in the file is what is in force.
 */
import { isAlias, isMap, isNode, isScalar, LineCounter, parseDocument, visit } from 'yaml';
import type { Document, Node } from 'yaml';
import { policyLimits } from '#core/limits.ts';
import { documentSchema, type PolicyDocument } from './document.ts';
import type { Problem } from './problems.ts';

/** A file as `config/` read it. */
export interface PolicyFile {
  readonly path: string;
  readonly text: string;
}

/** Keys and indexes from the root of a document. */
export type Path = readonly PropertyKey[];

/** The positions of a parsed file. */
export class PolicySource {
  readonly file: PolicyFile;
  readonly #document: Document;
  readonly #lines: LineCounter;

  constructor(file: PolicyFile, document: Document, lines: LineCounter) {
    this.file = file;
    this.#document = document;
    this.#lines = lines;
  }

  /**
   * A problem at a part of the document.
   *
   * @param offset - characters into the text of a scalar, for mistakes in expressions.
   */
  problem(path: Path, message: string, offset = 0): Problem {
    const { line, col } = this.#lines.linePos(this.#offset(path, offset));
    return { file: this.file.path, line: line || 1, column: col || 1, at: pathText(path), message };
  }

  #offset(path: Path, inside: number): number {
    // The nearest part that exists: a missing key is reported at the map that lacks it.
    for (let length = path.length; length >= 0; length -= 1) {
      const node =
        length === 0 ? this.#document.contents : this.#document.getIn(path.slice(0, length), true);
      if (!isNode(node) || node.range == null) continue;
      return node.range[0] + (length === path.length ? this.#inside(node, inside) : 0);
    }
    return 0;
  }

  /** Where a character of a scalar's value stands in the file, as far as that is simple to say. */
  #inside(node: Node, offset: number): number {
    if (offset === 0 || !isScalar(node) || typeof node.value !== 'string') return 0;
    if (node.range == null) return 0;
    const source = this.file.text.slice(node.range[0], node.range[1]);
    if (node.type === 'PLAIN') return source === node.value ? offset : 0;
    if (node.type === 'QUOTE_SINGLE' || node.type === 'QUOTE_DOUBLE') {
      return source.slice(1, -1) === node.value ? offset + 1 : 0;
    }
    if (node.type !== 'BLOCK_LITERAL') return 0;
    const before = node.value.slice(0, offset).split('\n');
    const lines = source.split('\n');
    const indent = /^ */.exec(lines[1] ?? '')?.[0].length ?? 0;
    const skipped = lines.slice(0, before.length).reduce((sum, line) => sum + line.length + 1, 0);
    return skipped + indent + (before.at(-1)?.length ?? 0);
  }
}

/** `rules[2].when` */
function pathText(path: Path): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');
}

export interface ReadResult {
  readonly source: PolicySource;
  /** Absent when the file has problems. */
  readonly document: PolicyDocument | undefined;
  readonly problems: readonly Problem[];
}

/** Parses and checks the shape of one file. Never throws. */
export function readDocument(file: PolicyFile): ReadResult {
  const lines = new LineCounter();
  const tooLong = file.text.length > policyLimits.documentCharsMax;
  const yaml = parseDocument(tooLong ? '' : file.text, {
    lineCounter: lines,
    strict: true,
    uniqueKeys: true,
    merge: false,
    version: '1.2',
    prettyErrors: false,
  });
  const source = new PolicySource(file, yaml, lines);
  const fail = (problems: readonly Problem[]): ReadResult => ({
    source,
    document: undefined,
    problems,
  });
  if (tooLong) {
    return fail([source.problem([], `longer than ${policyLimits.documentCharsMax} characters`)]);
  }
  const broken = yamlProblems(file, yaml, lines);
  if (broken.length > 0) return fail(broken);
  const parsed = documentSchema.safeParse(yaml.toJS({ maxAliasCount: 0 }) ?? {});
  if (parsed.success) return { source, document: parsed.data, problems: [] };
  return fail(
    parsed.error.issues.map((issue) => {
      const key = issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
      const path = key === undefined ? issue.path : [...issue.path, key];
      return source.problem(path, issue.message);
    }),
  );
}

function yamlProblems(file: PolicyFile, yaml: Document.Parsed, lines: LineCounter): Problem[] {
  const at = (offset: number, message: string): Problem => {
    const { line, col } = lines.linePos(offset);
    return { file: file.path, line: line || 1, column: col || 1, at: '', message };
  };
  const found = [...yaml.errors, ...yaml.warnings].map((error) => at(error.pos[0], error.message));
  visit(yaml, (_, node) => {
    if (isAlias(node)) found.push(at(node.range?.[0] ?? 0, 'aliases are not allowed in policies'));
    if (isMap(node) && node.tag !== undefined && node.tag !== 'tag:yaml.org,2002:map') {
      found.push(at(node.range?.[0] ?? 0, 'tags are not allowed in policies'));
    }
  });
  return found;
}
