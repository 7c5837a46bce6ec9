/**
 * What is known of the words that a program will get. The shell makes them by expansion, so a word
 * of the text can become none, one or many; what is not certain is `unknown`, never guessed.
 */

/** A path as written, with glob characters where the shell will look for files. */
export interface PathPattern {
  readonly text: string;
  /** Whether `text` begins below the account's home instead of where it says. */
  readonly home: boolean;
}

export type Argument =
  /** Exactly this word. */
  | { readonly kind: 'text'; readonly text: string }
  /**
   * Words that are paths, each fitting one of the patterns; none of them begins with a dash.
   * `single` when it is certain that it is one word.
   */
  | { readonly kind: 'paths'; readonly patterns: readonly PathPattern[]; readonly single: boolean }
  /** The name of a pipe that the shell made for `<(…)`; the command in it was judged by itself. */
  | { readonly kind: 'pipe' }
  /** Anything; `lead` is how the first word surely begins, `single` whether it is surely one word. */
  | { readonly kind: 'unknown'; readonly single: boolean; readonly lead: string };

/** An argument that is known. */
export const textArgument = (text: string): Argument => ({ kind: 'text', text });

/** An argument of which nothing is known. */
export const anyArgument: Argument = { kind: 'unknown', single: false, lead: '' };

/** A number: one word, whether it stands in quotes or not. */
export const numberArgument: Argument = { kind: 'unknown', single: true, lead: '' };

/** The word itself where it is certain. */
export function textOf(argument: Argument | undefined): string | undefined {
  return argument?.kind === 'text' ? argument.text : undefined;
}

/** The word for the record: as the program gets it, or null. */
export function shownWord(argument: Argument, home: string | undefined): string | null {
  if (argument.kind === 'text') return argument.text;
  if (argument.kind !== 'paths' || !argument.single) return null;
  const [pattern] = argument.patterns;
  if (pattern === undefined || argument.patterns.length !== 1 || isGlob(pattern.text)) return null;
  if (!pattern.home) return pattern.text;
  return home === undefined ? null : `${home}${pattern.text}`;
}

/** Whether a text has a character with which the shell looks for files. */
export const isGlob = (text: string): boolean => /[*?[]/.test(text);

/** Whether an argument may be more words than one, or none. */
export const isMany = (argument: Argument): boolean =>
  (argument.kind === 'paths' || argument.kind === 'unknown') && !argument.single;

/** Whether an argument may be, or bring, a word that begins with a dash. */
export function mayBeOption(argument: Argument): boolean {
  if (argument.kind === 'text') return argument.text.startsWith('-');
  if (argument.kind !== 'unknown') return false;
  return !argument.single || argument.lead === '' || argument.lead.startsWith('-');
}

/** What any one of some words is, as the value of a loop's variable. */
export function oneOf(words: readonly Argument[]): Argument {
  const [only] = words;
  if (words.length === 1 && only !== undefined && only.kind === 'text') return only;
  const patterns = words.flatMap((word) => {
    if (word.kind === 'paths') return [...word.patterns];
    return word.kind === 'text' && !word.text.startsWith('-')
      ? [{ text: word.text, home: false }]
      : [undefined];
  });
  const known = patterns.filter((pattern) => pattern !== undefined);
  if (known.length !== patterns.length || known.length === 0) return anyArgument;
  return { kind: 'paths', patterns: known, single: true };
}

/** All of some words together, as `"${list[@]}"` gives them. */
export function listOf(words: readonly Argument[]): Argument {
  const any = oneOf(words);
  return any.kind === 'paths' ? { ...any, single: false } : any;
}
