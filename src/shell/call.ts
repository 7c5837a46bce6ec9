/** What a program's grammar works with: its arguments, where it runs, and where facts go. */
import type { Argument, PathPattern } from './arguments.ts';
import type { Ledger } from './ledger.ts';
import type { PathName } from './paths.ts';
import { pathName } from './paths.ts';

/** Where a command runs. */
export interface Place {
  /** Names of the folders that it may be in; undefined when that is not known. */
  readonly folders: readonly string[] | undefined;
  /** Absolute path of the home, where it is known. */
  readonly home: string | undefined;
  /** Whether programs see a terminal: some start a pager then, which takes commands. */
  readonly terminal: boolean;
  /** Put before the names of files: `db1:` for what runs on another host, empty here. */
  readonly host: string;
}

/** What a command reads from the one before it in a pipeline: paths, each ended by NUL. */
export type Feed = readonly PathPattern[] | undefined;

/** How a command is run by another one. */
export interface Inner {
  readonly place?: Place;
  /** The wrapper's name, for the record. */
  readonly by: string;
  /** What the inner command finds on its standard input. */
  readonly feed?: Feed;
  /** Whether a text is run by the shell itself, with its variables. */
  readonly isSameShell?: boolean;
}

/** A program with its arguments. */
export interface Call {
  /** Its name without a folder. */
  readonly name: string;
  readonly args: readonly Argument[];
  readonly place: Place;
  readonly feed: Feed;
  /** The shell that starts it. */
  readonly shell: 'bash' | 'sh';
  readonly ledger: Ledger;
  /** A program that this one runs, as its arguments have it. */
  run(args: readonly Argument[], inner: Inner): void;
  /** A text that this one gives to a shell. */
  runText(text: string, shell: 'bash' | 'sh', inner: Inner): void;
}

/** The names of a path in a place; no name when the folder is not known. */
export function namesOf(pattern: PathPattern, place: Place): readonly PathName[] {
  const absolute = pattern.home || pattern.text.startsWith('/');
  const folders = absolute ? ['~'] : place.folders;
  if (folders === undefined) return [];
  return folders.map((folder) => {
    const { name, doubt } = pathName(pattern, folder, place.home);
    return { name: `${place.host}${name}`, doubt };
  });
}
