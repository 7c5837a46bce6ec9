/**
 * Walks the tree of a text in the order in which the shell would run it. Every node has a case:
 * what the shell does with it is noted in the ledger, and what is not certain is a doubt there.
 */
import type {
  AndOr,
  ArithmeticFor,
  Case,
  Command,
  CompoundList,
  For,
  Function as FunctionNode,
  PipelineNode,
  Redirected,
  Script,
  Statement,
} from 'unbash';
import { anyArgument, type Argument, isMany, listOf, numberArgument, oneOf } from './arguments.ts';
import type { Feed } from './call.ts';
import { assignedIn, readTest } from './numbers.ts';
import { eitherFolder, forked, mayHaveRun, type Scope } from './scope.ts';
import type { Simple } from './simple.ts';

type Node = PipelineNode | AndOr;

/** Walks one script; `simple` runs the simple commands and reads the words. */
export class Walker {
  readonly #simple: Simple;
  readonly #calls = new Set<FunctionNode>();
  #depth = 0;

  constructor(simple: Simple) {
    this.#simple = simple;
  }

  /** A whole script, in the given scope. */
  script(script: Script, scope: Scope): void {
    this.#statements(script.commands, scope);
  }

  #statements(statements: readonly Statement[], scope: Scope): void {
    this.#depth += 1;
    this.#simple.checkDepth(this.#depth);
    for (const { command, background } of statements) {
      const before = scope.folders;
      this.#node(command, background === true ? forked(scope) : scope, undefined);
      // A `cd` that fails leaves the shell where it was.
      scope.folders = before === scope.folders ? before : eitherFolder(before, scope.folders);
    }
    this.#depth -= 1;
  }

  #list(list: CompoundList, scope: Scope): void {
    this.#statements(list.commands, scope);
  }

  /** What may run or not. */
  #perhaps(list: CompoundList, scope: Scope): void {
    const course = forked(scope);
    this.#list(list, course);
    mayHaveRun(scope, course);
  }

  /** What may run many times: a folder that changes on the way would change all that follows. */
  #repeated(lists: readonly CompoundList[], scope: Scope): void {
    const course = forked(scope);
    for (const list of lists) this.#list(list, course);
    if (course.folders !== scope.folders) this.#simple.doubt('the folder changes in a loop');
    mayHaveRun(scope, course);
  }

  #node(node: Node, scope: Scope, feed: Feed): Feed {
    switch (node.type) {
      case 'AndOr':
        this.#andOr(node, scope);
        return undefined;
      case 'Pipeline':
        return this.#pipeline(node.commands, node.operators, scope, feed);
      case 'Command':
        return this.#simple.command(node, scope, feed);
      case 'Redirected':
        this.#redirected(node, scope);
        return undefined;
      case 'Function':
        this.#simple.define(node, scope);
        return undefined;
      case 'Coproc':
        this.#simple.doubt('a coprocess');
        this.#node(bodyOf(node.body), forked(scope), undefined);
        return undefined;
      case 'ArithmeticCommand':
      case 'ArithmeticFor':
      case 'BraceGroup':
      case 'Case':
      case 'For':
      case 'If':
      case 'Select':
      case 'Subshell':
      case 'TestCommand':
      case 'While':
        this.#compound(node, scope);
        return undefined;
      default:
        return node satisfies never;
    }
  }

  #compound(node: Redirected['command'], scope: Scope): void {
    const simple = this.#simple;
    switch (node.type) {
      case 'If':
        this.#list(node.clause, scope);
        this.#perhaps(node.then, scope);
        for (const { clause, then } of node.elif) {
          this.#perhaps(clause, scope);
          this.#perhaps(then, scope);
        }
        if (node.else !== undefined) this.#perhaps(node.else, scope);
        return;
      case 'For':
        this.#for(node, scope);
        return;
      case 'While':
        this.#repeated([node.clause, node.body], scope);
        return;
      case 'Subshell':
        this.#list(node.body, forked(scope));
        return;
      case 'BraceGroup':
        this.#list(node.body, scope);
        return;
      case 'Case':
        this.#case(node, scope);
        return;
      case 'TestCommand':
        if (simple.shell === 'sh') simple.doubt('[[ is not of every shell');
        readTest(node.expression, simple.testReader(scope));
        return;
      case 'ArithmeticCommand':
        if (simple.shell === 'sh' || !simple.isArithmetic(node.expression, node.body)) {
          simple.doubt('arithmetic with more than numbers');
        }
        return;
      case 'ArithmeticFor':
        this.#counting(node, scope);
        return;
      case 'Select':
        simple.doubt('a loop that asks');
        this.#repeated([node.body], scope);
        return;
      default:
        node satisfies never;
    }
  }

  #pipeline(
    commands: readonly Exclude<PipelineNode, { readonly type: 'Pipeline' }>[],
    operators: readonly string[],
    scope: Scope,
    feed: Feed,
  ): Feed {
    const [only] = commands;
    if (commands.length === 1 && only !== undefined) return this.#node(only, scope, feed);
    let fed: Feed = feed;
    for (const [index, command] of commands.entries()) {
      if (index > 0) this.#simple.continuePipeline();
      fed = this.#node(command, forked(scope), fed);
      if (operators[index] === '|&') {
        // Messages are mixed into what the next command reads.
        fed = undefined;
        if (this.#simple.shell === 'sh') this.#simple.doubt('|& is not of every shell');
      }
    }
    return undefined;
  }

  /** `cd x && ls`: what stands behind `&&` runs in the folder that the first one went to. */
  #andOr(node: AndOr, scope: Scope): void {
    const start = scope.folders;
    let reached = start;
    let first = true;
    let course = scope;
    for (const [index, command] of node.commands.entries()) {
      if (!first) {
        course = forked(scope);
        course.folders = node.operators[index - 1] === '&&' ? scope.folders : reached;
      }
      this.#node(command, course, undefined);
      reached = eitherFolder(reached, course.folders);
      if (!first) mayHaveRun(scope, course);
      scope.folders = course.folders;
      first = false;
    }
    scope.folders = reached;
  }

  #redirected(node: Redirected, scope: Scope): void {
    this.#simple.redirections(node.redirects, scope);
    this.#compound(node.command, scope);
  }

  #for(node: For, scope: Scope): void {
    const words = node.wordlist?.map((word) => this.#simple.word(word, scope));
    const value = words === undefined ? anyArgument : oneOf(words);
    this.#simple.assign(node.name.value, value, scope);
    this.#repeated([node.body], scope);
  }

  #counting(node: ArithmeticFor, scope: Scope): void {
    const parts = [node.initialize, node.test, node.update].filter((part) => part !== undefined);
    if (this.#simple.shell === 'sh' || !parts.every((part) => this.#simple.isArithmetic(part))) {
      this.#simple.doubt('arithmetic with more than numbers');
    } else {
      for (const name of assignedIn(node.initialize)) scope.variables.set(name, numberArgument);
    }
    this.#repeated([node.body], scope);
  }

  /** A function: its body, with the words of the call as `$1`, `$2` and so on. */
  call(node: FunctionNode, args: readonly Argument[], scope: Scope): void {
    const { variables, locals } = scope;
    const before = new Map(variables);
    if (this.#calls.has(node)) this.#simple.doubt('a function that calls itself');
    else {
      this.#calls.add(node);
      const known = args.findIndex(isMany);
      const certain = known < 0 ? args : args.slice(0, known);
      for (const name of variables.keys()) if (/^[@\d]/.test(name)) variables.delete(name);
      for (const [index, each] of certain.entries()) variables.set(String(index + 1), each);
      if (args.length > 0) variables.set('@', listOf(args));
      scope.locals = new Set();
      this.#node(bodyOf(node.body), scope, undefined);
      for (const name of scope.locals) variables.set(name, anyArgument);
      scope.locals = locals;
      this.#calls.delete(node);
    }
    for (const name of variables.keys()) if (/^[@\d]/.test(name)) variables.delete(name);
    for (const [name, value] of before) if (/^[@\d]/.test(name)) variables.set(name, value);
  }

  #case(node: Case, scope: Scope): void {
    this.#simple.word(node.word, scope);
    for (const item of node.items) {
      for (const pattern of item.pattern) this.#simple.word(pattern, scope);
      this.#perhaps(item.body, scope);
    }
  }
}

/** The body of a function or coprocess as a node that can be walked. */
function bodyOf(
  body: CompoundList | Command | Redirected | Redirected['command'],
): Exclude<Node, AndOr> {
  if (body.type !== 'CompoundList') return body;
  return { type: 'BraceGroup', pos: body.pos, end: body.end, body };
}
