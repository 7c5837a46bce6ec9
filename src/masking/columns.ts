/**
 * Column names as mask rules write them: `schema.table.column`, with `*` for any part or for any
 * piece of one, and double quotes around a part that has a dot or a star of its own.
 */

/** A compiled name. */
export interface ColumnPattern {
  /** The three parts when there is no star in them. */
  readonly exact: readonly [string, string, string] | undefined;
  matches(schema: string, table: string, column: string): boolean;
}

/** One part: pieces of text with stars between them. */
type Part = readonly string[];

/** Compiles a name; undefined when it has not three parts. */
export function parseColumn(written: string): ColumnPattern | undefined {
  const parts = splitParts(written);
  if (parts === undefined) return undefined;
  const [schema, table, column] = parts;
  if (schema === undefined || table === undefined || column === undefined) return undefined;
  const exact = [schema, table, column].every((part) => part.length === 1);
  return {
    exact: exact ? [schema[0] ?? '', table[0] ?? '', column[0] ?? ''] : undefined,
    matches: (schemaName, tableName, columnName) =>
      fits(schema, schemaName) && fits(table, tableName) && fits(column, columnName),
  };
}

function splitParts(written: string): Part[] | undefined {
  const parts: string[][] = [['']];
  let quoted = false;
  for (let at = 0; at < written.length; at += 1) {
    const character = written[at] ?? '';
    const part = parts.at(-1) ?? [];
    if (character === '"') {
      if (quoted && written[at + 1] === '"') {
        part[part.length - 1] += '"';
        at += 1;
      } else quoted = !quoted;
    } else if (!quoted && character === '.') parts.push(['']);
    else if (!quoted && character === '*') part.push('');
    else part[part.length - 1] += character;
  }
  const isGood = !quoted && parts.length === 3 && parts.every((part) => part.join('*') !== '');
  return isGood ? parts : undefined;
}

/** Greedy from the left, the last piece at the end: linear, and right for stars. */
function fits(part: Part, name: string): boolean {
  const first = part[0] ?? '';
  const last = part.at(-1) ?? '';
  if (part.length === 1) return name === first;
  if (!name.startsWith(first) || !name.endsWith(last)) return false;
  let at = first.length;
  const stop = name.length - last.length;
  if (at > stop) return false;
  for (const piece of part.slice(1, -1)) {
    const found = name.indexOf(piece, at);
    if (found < 0 || found + piece.length > stop) return false;
    at = found + piece.length;
  }
  return true;
}
