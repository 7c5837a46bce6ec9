/** The commands of a text, for the record and for people. */

/** A redirection of a command. */
export interface ShellRedirection {
  /** As written, such as `<` or `>>`. */
  readonly operator: string;
  /** The descriptor that is redirected, where the text names one. */
  readonly descriptor: number | undefined;
  /** The file, descriptor or text; null when it is not known before the shell runs. */
  readonly target: string | null;
}

/** One simple command of a text. */
export interface ShellCommand {
  /** Its words as the program would get them; null for what is not known before the shell runs. */
  readonly argv: readonly (string | null)[];
  readonly redirections: readonly ShellRedirection[];
  /** Commands of one pipeline have the same number. */
  readonly pipeline: number;
  /** Names of the wrappers that it was seen through, outermost first: `sudo`, `xargs`, `sh`. */
  readonly through: readonly string[];
}
