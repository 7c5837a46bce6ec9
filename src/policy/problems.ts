/**
 * What is wrong with a policy, in words that name the place and, where one is near, the word that
 * was probably meant. A policy with problems is refused whole; all of them are told at once.
 */

/** One mistake in a policy document. Lines and columns count from 1. */
export interface Problem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Path inside the document, for example `rules[2].when`; empty for the document itself. */
  readonly at: string;
  readonly message: string;
}

/** `file:line:column: at: message`, the form that editors and terminals make clickable. */
export function formatProblem(problem: Problem): string {
  const where = `${problem.file}:${problem.line}:${problem.column}`;
  return problem.at === ''
    ? `${where}: ${problem.message}`
    : `${where}: ${problem.at}: ${problem.message}`;
}

/** A hint such as ` (did you mean 'target'?)`, or nothing when no candidate is near. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  let best: string | undefined;
  let bestDistance = Math.min(3, Math.ceil(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best === undefined ? '' : ` (did you mean '${best}'?)`;
}

const LONGEST_WORD = 64;

/** Levenshtein distance; words above {@link LONGEST_WORD} are as far as they are long. */
function editDistance(left: string, right: string): number {
  if (left.length > LONGEST_WORD || right.length > LONGEST_WORD) return LONGEST_WORD;
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= right.length; j += 1) {
      const change = (row[j - 1] ?? 0) + (left[i - 1] === right[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[right.length] ?? 0;
}
