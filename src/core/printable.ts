/**
 * Text for a terminal. What agents and servers sent is shown to reviewers and auditors, so nothing
 * in it may move a cursor, rename a window or reverse the reading order.
 */

/**
 * Replaces control, format (bidirectional and zero-width) and unassigned characters, and line
 * separators, by visible escapes; keeps line feed and tab.
 */
export const printable = (text: string): string =>
  text.replaceAll(/[^\n\t\P{C}]|[\u2028\u2029]/gu, (unit) => {
    return `\\u{${(unit.codePointAt(0) ?? 0).toString(16)}}`;
  });

/** The same in one line. */
export const printableLine = (text: string): string =>
  printable(text).replaceAll('\n', '\\n').replaceAll('\t', '\\t');
