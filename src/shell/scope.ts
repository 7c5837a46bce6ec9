/** Variables and the folder while a text is read, as far as they are certain. */
import type { Function as FunctionNode } from 'unbash';
import { anyArgument, type Argument } from './arguments.ts';

/** What one part of a script sees. */
export interface Scope {
  /** By name; lists as `name[@]`, and the words of a function's call as `1`, `2`, … and `@`. */
  readonly variables: Map<string, Argument>;
  readonly functions: Map<string, FunctionNode>;
  /** Variables that the function that runs has of its own. */
  locals?: Set<string> | undefined;
  /** Names of the folders that it may be in; undefined when that is not known. */
  folders: readonly string[] | undefined;
}

/** A copy: what a subshell, a pipeline or a background command changes is lost with it. */
export const forked = (scope: Scope): Scope => ({
  variables: new Map(scope.variables),
  functions: new Map(scope.functions),
  folders: scope.folders,
  locals: scope.locals,
});

/** The folders of either of two courses. */
export function eitherFolder(left: Scope['folders'], right: Scope['folders']): Scope['folders'] {
  if (left === undefined || right === undefined) return undefined;
  const both = [...new Set([...left, ...right])];
  if (both.length === left.length) return left;
  return both.length > 4 ? undefined : both;
}

/** After a course that may have been taken or not: what it changed is not known any more. */
export function mayHaveRun(scope: Scope, course: Scope): void {
  scope.folders = eitherFolder(scope.folders, course.folders);
  for (const [name, value] of course.variables) {
    if (scope.variables.get(name) !== value) scope.variables.set(name, anyArgument);
  }
}

/** Names that a script may assign: neither the shell nor common programs give them a meaning. */
export function isPlainName(name: string): boolean {
  if (/^[a-z][a-z0-9_]{0,63}$/.test(name)) return !/(_proxy$|^histchars$|^auto_resume$)/.test(name);
  return name.split('_').every((word) => ordinaryWords.has(word));
}

/** Of names in capitals only those whose every word is one that nobody gives a meaning. */
const ordinaryWords: ReadonlySet<string> = new Set(
  (
    'A B C D E F G H I J K L M N O P Q R S T U V W X Y Z APP COUNT DATE DAY DAYS DIR DIRS ERRORS ' +
    'FILE FILES ITEM LIMIT LINE LOG LOGS MATCH MATCHES MAX MIN NAME NAMES NUM PATTERN RESULT ' +
    'RESULTS SERVICE SERVICES SIZE SRC THRESHOLD TODAY TOTAL USAGE VALUE WARN'
  ).split(' '),
);

/** Variables that change how programs print and nothing else, and values that do no more. */
export function isDisplayVariable(name: string, value: string): boolean {
  if (/^(LANG|LC_[A-Z]+|LANGUAGE|TERM)$/.test(name)) return /^[\w.@:-]*$/.test(value);
  if (/^(COLUMNS|LINES)$/.test(name)) return /^\d{0,5}$/.test(value);
  if (/^(NO_COLOR|DEBIAN_FRONTEND)$/.test(name)) return /^\w*$/.test(value);
  if (name === 'TZ') return /^[A-Z][A-Za-z]*(\/[A-Z][A-Za-z_]*)?$/.test(value);
  return /^(PAGER|GIT_PAGER|SYSTEMD_PAGER)$/.test(name) && value === 'cat';
}
